"""The formulas of response normalisation as printed, and that the fast form computes the same."""

import warnings

import numpy as np
import pytest
import torch

from alexnet.functional import local_response_norm, lrn, spatial_response_norm
from alexnet.functional.lrn_formula import channel_formula, pixel_formula
from references import layers as references

LOUD = {"k": 0.7, "alpha": 0.9, "beta": 0.75}
CHANNELS = {
    "odd": LOUD | {"n": 5},
    "even": LOUD | {"n": 4},
    "alone": LOUD | {"n": 1},
    "wide": LOUD | {"n": 40},
    "other power": LOUD | {"n": 5, "beta": 0.6},
    "groups": LOUD | {"n": 5, "groups": 3},
    "l2": {"n": 24, "k": 0.0, "alpha": 1.0, "beta": 0.5},
}
PIXELS = {
    "odd": LOUD | {"size": 3},
    "even": LOUD | {"size": 4},
    "alone": LOUD | {"size": 1},
    "wide": LOUD | {"size": 40},
    "without k": LOUD | {"size": 2, "k": 0.0},
}
FORMS = [(channel_formula, local_response_norm, case) for case in CHANNELS.values()]
FORMS += [(pixel_formula, spatial_response_norm, case | {"divide_alpha": False}) for case in PIXELS.values()]
NAMES = [f"channels {name}" for name in CHANNELS] + [f"pixels {name}" for name in PIXELS]


def numbers(shape=(2, 12, 4, 5), seed=7):
    return np.random.default_rng(seed).normal(scale=2.0, size=shape)


@pytest.mark.parametrize("case", CHANNELS.values(), ids=CHANNELS)
def test_across_channels_it_is_the_printed_sum(case):
    x = numbers()
    expected = references.local_response_norm(x, **case)
    np.testing.assert_allclose(channel_formula(torch.from_numpy(x), **case), expected, rtol=1e-12)


@pytest.mark.parametrize("case", PIXELS.values(), ids=PIXELS)
def test_over_pixels_it_is_the_sum_of_the_code(case):
    x = numbers()
    expected = references.spatial_response_norm(x, **case)
    np.testing.assert_allclose(pixel_formula(torch.from_numpy(x), **case), expected, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-11), (torch.float32, 1e-4)], ids=str)
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize(("formula", "fused", "case"), FORMS, ids=NAMES)
def test_the_fast_form_gives_the_same_numbers_and_derivatives(formula, fused, case, memory, dtype, rtol):
    x, g = (torch.from_numpy(numbers(seed=seed)).to(dtype) for seed in (7, 8))
    x = x.contiguous(memory_format=memory).requires_grad_()
    printed = {name: value for name, value in case.items() if name != "divide_alpha"}
    outputs = formula(x, **printed), fused(x, **case)
    torch.testing.assert_close(*outputs, rtol=rtol, atol=rtol)
    derivatives = [torch.autograd.grad(y, x, g)[0] for y in outputs]
    torch.testing.assert_close(*derivatives, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("formula", [channel_formula, pixel_formula])
def test_half_precision_is_computed_in_float32(formula):
    case = {"n" if formula is channel_formula else "size": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}
    x = torch.from_numpy(numbers() * 200).to(torch.float16)
    assert x.abs().max() > 600  # whose square is beyond float16
    assert torch.equal(formula(x, **case), formula(x.float(), **case).half())


@pytest.mark.parametrize("function", [local_response_norm, spatial_response_norm])
def test_only_tracers_and_transforms_get_the_formula(function, monkeypatch):
    used = []
    for name in ("channel_formula", "pixel_formula"):
        formula = getattr(lrn, name)
        monkeypatch.setattr(
            lrn, name, lambda x, formula=formula, **case: used.append(x) or formula(x, **case)
        )
    x = torch.from_numpy(numbers())
    function(x.requires_grad_()).sum().backward()
    assert used == []
    torch.func.vmap(function)(x[None])
    with warnings.catch_warnings(action="ignore"):  # torch.jit is deprecated
        torch.jit.trace(function, x.detach(), check_trace=False)
    assert len(used) == 2


@pytest.mark.parametrize(("formula", "window"), [(channel_formula, "n"), (pixel_formula, "size")])
def test_a_window_of_zeros_gives_zero_and_no_derivative(formula, window):
    x = torch.zeros(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    y = formula(x, k=0.0, alpha=1.0, beta=0.75, **{window: 3})
    y.sum().backward()
    assert y.eq(0).all() and x.grad.eq(0).all()


@pytest.mark.parametrize(("formula", "window"), [(channel_formula, "n"), (pixel_formula, "size")])
def test_a_window_far_wider_than_the_maps_costs_no_more(formula, window):
    x = torch.from_numpy(numbers())
    torch.testing.assert_close(formula(x, **{window: 10**12}, **LOUD), formula(x, **{window: 24}, **LOUD))

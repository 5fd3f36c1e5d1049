"""Response normalisation against the printed sum, and what a layer must bear: dtypes, memory, compilers."""

import inspect
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

from alexnet import functional, paper
from alexnet.functional import (
    local_response_norm,
    lrn_band,
    lrn_fused,
    spatial_response_norm,
)
from alexnet.models import layers
from references import layers as references

# Loud constants: each one's error moves the result by a third or more; windows odd, even, and wider than C.
LOUD = {"n": 5, "k": 0.7, "alpha": 0.9, "beta": 0.75}
CASES = {
    "loud": LOUD,
    "even": LOUD | {"n": 4},
    "pair": LOUD | {"n": 2},
    "alone": LOUD | {"n": 1},
    "seven": LOUD | {"n": 7},
    "wide": LOUD | {"n": 40},
    "other power": LOUD | {"beta": 0.6},
    "groups": LOUD | {"groups": 2},
    "even groups": LOUD | {"n": 6, "groups": 3, "beta": 1.3},
    "l2": {"n": 24, "k": 0.0, "alpha": 1.0, "beta": 0.5},
}
FORMATS = pytest.mark.parametrize(
    "memory", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"]
)


def numbers(shape=(2, 12, 2, 3), seed=7):
    return np.random.default_rng(seed).normal(scale=2.0, size=shape)


def tensor(shape=(2, 12, 2, 3), seed=7, memory=torch.contiguous_format):
    return torch.from_numpy(numbers(shape, seed)).contiguous(memory_format=memory).requires_grad_()


@pytest.fixture(params=[1, 10**9], ids=["small pieces", "one piece"])
def block(request, monkeypatch):
    monkeypatch.setattr(lrn_fused, "PIECE_BYTES", request.param)
    monkeypatch.setattr(lrn_band, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(lrn_band, "KEPT_BYTES", request.param - 1)  # of small blocks nothing is kept


@FORMATS
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_the_printed_sum_and_so_is_its_derivative(case, memory, block):
    x, g = tensor(memory=memory), torch.from_numpy(numbers(seed=8))
    y = local_response_norm(x, **case)
    np.testing.assert_allclose(
        y.detach(), references.local_response_norm(x.detach().numpy(), **case), rtol=1e-12
    )
    y.backward(g)
    expected = references.local_response_norm_gradient(x.detach().numpy(), g.numpy(), **case)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-11, atol=1e-13)
    assert y.is_contiguous(memory_format=memory) and x.grad.is_contiguous(memory_format=memory)


@pytest.mark.parametrize("wrong", [{"n": 4}, {"k": 0.8}, {"alpha": 0.8}, {"beta": 0.8}, {"groups": 2}])
def test_each_constant_is_visible(wrong):
    right = references.local_response_norm(numbers(), **LOUD)
    assert abs(references.local_response_norm(numbers(), **LOUD | wrong) - right).max() > 0.02


def test_the_defaults_are_the_papers():
    printed = {"n": paper.LRN_N, "k": paper.LRN_K, "alpha": paper.LRN_ALPHA, "beta": paper.LRN_BETA}
    parameters = inspect.signature(local_response_norm).parameters
    assert {name: parameters[name].default for name in printed} == printed
    x = numbers() * 100
    expected = references.local_response_norm(x, **printed)
    np.testing.assert_allclose(local_response_norm(torch.from_numpy(x)), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 9])
def test_with_alpha_divided_it_is_torchs(n):
    x = tensor()
    expected = F.local_response_norm(x, n, alpha=0.9, beta=0.6, k=0.7)
    got = local_response_norm(x, n=n, k=0.7, alpha=0.9, beta=0.6, divide_alpha=True)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)


def test_divided_alpha_is_divided_by_n_at_the_edges_too():
    x = tensor()
    right = local_response_norm(x, n=5, k=0.7, alpha=0.9 / 5)
    torch.testing.assert_close(local_response_norm(x, k=0.7, alpha=0.9, divide_alpha=True), right)


@pytest.mark.parametrize(("size", "beta"), [(5, 0.75), (3, 0.6), (4, 0.75), (1, 0.75), (9, 0.5)])
@FORMATS
def test_the_spatial_kind_is_its_sum(size, beta, memory, block):
    x = tensor((2, 3, 6, 5), memory=memory)
    constants = {"size": size, "k": 0.7, "beta": beta}
    expected = references.spatial_response_norm(x.detach().numpy(), alpha=0.9, **constants)
    y = spatial_response_norm(x, alpha=0.9, divide_alpha=False, **constants)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-12)
    divided = spatial_response_norm(x, alpha=0.9 * size**2, **constants)
    np.testing.assert_allclose(divided.detach(), expected, rtol=1e-12)
    assert y.is_contiguous(memory_format=memory)


def test_the_spatial_defaults_are_those_of_the_2012_code():
    x = tensor((2, 3, 6, 7)) * 30
    expected = x / (1 + 1e-3 * F.avg_pool2d(x * x, 5, 1, 2)) ** 0.75
    torch.testing.assert_close(spatial_response_norm(x), expected, rtol=1e-12, atol=0)


DIFFERENTIABLE = {
    "channels": lambda x: local_response_norm(x, n=4, k=0.7, alpha=0.9, groups=2),
    "other power": lambda x: local_response_norm(x, n=3, k=0.7, alpha=0.9, beta=0.4),
    "pixels": lambda x: spatial_response_norm(x, size=2, k=0.7, alpha=0.9),
}


@FORMATS
@pytest.mark.parametrize("function", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_first_and_second_derivatives(function, memory, block):
    x = tensor((2, 4, 2, 2), memory=memory)
    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x, fast_mode=True)


def test_the_gradient_is_the_same_where_it_will_be_differentiated():
    x = tensor()
    for function in DIFFERENTIABLE.values():
        (once,) = torch.autograd.grad(function(x).square().sum(), x)
        (again,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        assert again.requires_grad and not once.requires_grad
        torch.testing.assert_close(again, once, rtol=1e-11, atol=1e-13)


def test_the_extreme_case_divides_by_the_l2_norm():
    x = tensor((2, 6, 3, 3)).detach()
    y = local_response_norm(x, n=12, k=0, alpha=1, beta=0.5)
    torch.testing.assert_close(y, F.normalize(x, dim=1), rtol=1e-12, atol=0)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(2, 3, 3, dtype=x.dtype))


@FORMATS
@pytest.mark.parametrize("beta", [0.5, 0.6, 0.75, 1.3])
def test_a_window_of_zeros_gives_zero_and_no_derivative(beta, memory):
    x = tensor((2, 6, 2, 2), memory=memory).detach()
    x[0, :, 1, 1] = 0
    x.requires_grad_()
    y = local_response_norm(x, n=12, k=0, alpha=1, beta=beta)
    (gx,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert y[0, :, 1, 1].eq(0).all() and gx[0, :, 1, 1].eq(0).all() and gx.isfinite().all()
    (ggx,) = torch.autograd.grad(gx.sum(), x)
    assert ggx.isfinite().all()
    y.sum().backward()
    assert x.grad[0, :, 1, 1].eq(0).all() and x.grad.isfinite().all() and x.grad[1].ne(0).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", [local_response_norm, spatial_response_norm])
@FORMATS
def test_half_precision_is_computed_in_float32(dtype, function, memory):
    x = (tensor(memory=memory).detach() * 200).to(dtype).requires_grad_()
    g = torch.from_numpy(numbers(seed=8)).to(dtype)
    assert x.abs().max() > 600  # whose square is beyond float16
    wide = x.detach().float().requires_grad_()
    y, expected = function(x), function(wide)
    assert y.dtype == dtype and torch.equal(y, expected.to(dtype))
    y.backward(g)
    expected.backward(g.float())
    assert x.grad.dtype == dtype and torch.equal(x.grad, wide.grad.to(dtype))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_changes_neither_the_numbers_nor_the_dtype(dtype, training, layout):
    x = (tensor() * 50).to(dtype).contiguous(memory_format=layout).detach().requires_grad_(training)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = local_response_norm(x, beta=0.6)
        gradient = torch.autograd.grad(y.sum(), x)[0] if training else None
    again = local_response_norm(x, beta=0.6)
    assert y.dtype == dtype and torch.equal(y, again)
    if training:
        assert torch.equal(gradient, torch.autograd.grad(again.sum(), x)[0])


def test_float32_is_accurate_to_the_last_digits():
    x = tensor() * 50
    got = local_response_norm(x.float()).double()
    torch.testing.assert_close(got, local_response_norm(x), rtol=1e-6, atol=0)


def test_strided_inputs_and_gradients_are_read_right():
    x = tensor((3, 4, 12, 3)).transpose(1, 2)
    assert not x.is_contiguous() and not x.is_contiguous(memory_format=torch.channels_last)
    packed = x.detach().contiguous().requires_grad_()
    y, expected = local_response_norm(x, **LOUD), local_response_norm(packed, **LOUD)
    torch.testing.assert_close(y, expected)
    upstream = torch.tensor(0.3, dtype=x.dtype).expand(x.shape)
    got = torch.autograd.grad(y, x, upstream)[0]
    torch.testing.assert_close(got, torch.autograd.grad(expected, packed, upstream.contiguous())[0])
    assert y.is_contiguous()


@pytest.mark.parametrize("shape", [(0, 4, 3, 3), (2, 4, 0, 3), (2, 1, 3, 3), (1, 4, 1, 1), (2, 0, 3, 3)])
@pytest.mark.parametrize("function", [local_response_norm, spatial_response_norm])
def test_empty_and_thin_batches(shape, function):
    x = torch.full(shape, 3.0, requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape


def test_nothing_but_the_input_is_kept_and_without_a_gradient_nothing():
    kept = []
    x = tensor()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        local_response_norm(x)
        assert kept == [x.data_ptr()]
        with torch.no_grad():
            y = local_response_norm(x)
        local_response_norm(x.detach())
    assert len(kept) == 1 and not y.requires_grad


def test_few_channels_side_by_side_are_summed_by_a_matrix_product(monkeypatch):
    forms = []
    for form in (lrn_band.BandNorm, lrn_fused.ResponseNorm):
        apply = form.apply
        monkeypatch.setattr(form, "apply", lambda *a, f=form, apply=apply: forms.append(f) or apply(*a))
    for memory, channels in (
        (torch.channels_last, 64),
        (torch.contiguous_format, 64),
        (torch.channels_last, 65),
    ):
        local_response_norm(torch.ones(2, channels, 3, 3).contiguous(memory_format=memory))
    assert forms == [lrn_band.BandNorm, lrn_fused.ResponseNorm, lrn_fused.ResponseNorm]


def test_energies_are_kept_where_they_are_small(monkeypatch):
    kept = []
    x = tensor(memory=torch.channels_last)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        local_response_norm(x)
        monkeypatch.setattr(lrn_band, "KEPT_BYTES", x.nbytes - 1)
        local_response_norm(x)
    assert kept == [x.shape] * 3


def test_the_input_must_not_change_before_the_way_back():
    x = tensor() * 1
    y = local_response_norm(x)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_output_may_be_changed_in_place():
    for memory in (torch.contiguous_format, torch.channels_last):
        x = tensor(memory=memory)
        torch.relu_(local_response_norm(x, **LOUD)).sum().backward()
        (expected,) = torch.autograd.grad(torch.relu(local_response_norm(x, **LOUD)).sum(), x)
        torch.testing.assert_close(x.grad, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "memory"),
    [(torch.float64, torch.contiguous_format), (torch.bfloat16, torch.channels_last)],
    ids=["float64 nchw", "bfloat16 nhwc"],
)
def test_a_compiler_sees_one_graph_that_gives_the_same(dtype, memory):
    def both(x):
        y = local_response_norm(x, n=4, k=0, alpha=0.9, groups=2)
        return spatial_response_norm(y, size=4, k=0.7, alpha=0.9)

    # aot_eager traces both ways and needs no C++ compiler.
    x = tensor((2, 4, 3, 3), memory=memory).detach().to(dtype).requires_grad_()
    y, compiled = both(x), torch.compile(both, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(compiled, y)
    assert compiled.stride() == y.stride()
    torch.testing.assert_close(*(torch.autograd.grad(out.sum(), x)[0] for out in (compiled, y)))


@pytest.mark.parametrize("function", [local_response_norm, spatial_response_norm])
def test_transforms_and_tracers_give_the_same(function):
    x = 30 * torch.randn(3, 2, 6, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.stack([function(images) for images in x])
    torch.testing.assert_close(torch.func.vmap(function)(x), one_by_one)
    with warnings.catch_warnings(action="ignore"):  # tracing says that sizes become constants
        torch.testing.assert_close(torch.jit.trace(function, x[0])(x[1]), one_by_one[1])

    def energy(images):
        return function(images).square().sum()

    wanted = x.clone().requires_grad_()
    energy(wanted.flatten(0, 1)).backward()
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(energy))(x), wanted.grad)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_makes_no_difference(threads):
    before = torch.get_num_threads()
    x = torch.randn(7, 24, 40, 50, generator=torch.Generator().manual_seed(1))
    expected = local_response_norm(x)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(local_response_norm(x), expected)
    finally:
        torch.set_num_threads(before)


def test_modules_do_what_the_functions_do_and_say_their_constants():
    x = tensor()
    norm = layers.LocalResponseNorm(n=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=True, groups=2)
    expected = local_response_norm(x, n=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=True, groups=2)
    assert torch.equal(norm(x), expected)
    assert repr(norm) == ("LocalResponseNorm(n=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=True, groups=2)")
    assert torch.equal(layers.LocalResponseNorm()(x), local_response_norm(x))
    spatial = layers.SpatialResponseNorm(size=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=False)
    expected = spatial_response_norm(x, size=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=False)
    assert torch.equal(spatial(x), expected)
    assert repr(spatial) == "SpatialResponseNorm(size=3, k=0.7, alpha=0.9, beta=0.6, divide_alpha=False)"
    assert torch.equal(layers.SpatialResponseNorm()(x), spatial_response_norm(x))


X = torch.zeros(1, 4, 3, 3)
MISTAKES = {
    r"x must be \(N, C, H, W\) of a floating dtype, got torch.float32 \(4, 3, 3\)": lambda: (
        functional.local_response_norm(X[0])
    ),
    "got torch.int64": lambda: functional.spatial_response_norm(X.long()),
    "n must be a whole number of at least 1, got 0": lambda: functional.local_response_norm(X, n=0),
    "groups must be a whole number": lambda: functional.local_response_norm(X, groups=0),
    "groups must divide the channels, got 4 channels, 3 groups": lambda: functional.local_response_norm(
        X, groups=3
    ),
    "size must be a whole number of at least 1, got 2.5": lambda: functional.spatial_response_norm(
        X, size=2.5
    ),
    "k must be a number of at least 0, got -1": lambda: functional.local_response_norm(X, k=-1),
    "alpha must be a number of at least 0, got nan": lambda: functional.spatial_response_norm(
        X, alpha=float("nan")
    ),
    "beta must be a number of at least 0": lambda: functional.local_response_norm(X, beta=-0.75),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("elsewhere", [FakeTensorMode, lambda: torch.device("meta")], ids=["fake", "meta"])
def test_what_is_kept_for_the_next_call_is_real(elsewhere):
    lrn_band.band_matrix.cache_clear()
    few = tensor(memory=torch.channels_last).detach()
    with elsewhere():
        local_response_norm(torch.randn(2, 12, 2, 3).contiguous(memory_format=torch.channels_last))
        if elsewhere is not FakeTensorMode:  # which takes no real tensors
            local_response_norm(few)
    torch.testing.assert_close(local_response_norm(few), local_response_norm(few.contiguous()))


@FORMATS
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # of torch's own formulas
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_forward_mode_differentiation_gives_the_derivative_along_a_direction(memory):
    x, along = tensor(memory=memory), torch.from_numpy(numbers(seed=9))
    with forward_ad.dual_level():
        y = local_response_norm(forward_ad.make_dual(x, along), **LOUD)
        found = forward_ad.unpack_dual(y).tangent
    step = 1e-6 * along
    expected = (local_response_norm(x + step, **LOUD) - local_response_norm(x - step, **LOUD)) / 2e-6
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-8)

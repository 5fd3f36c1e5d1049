"""Units against their formulas, written with the standard library's math alone."""

import math

import pytest
import torch

from alexnet.functional import activations

POINTS = [-7.3, -1.1, -0.4, 0.0, 0.3, 0.9, 2.7, 8.1]
FORMULAS = {
    "threshold": lambda x: 1.0 if x > 0 else 0.0,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1),
    "scaled_tanh": lambda x: 1.7159 * (1 - 2 / (math.exp(4 * x / 3) + 1)),
    "abs_tanh": lambda x: abs(1 - 2 / (math.exp(2 * x) + 1)),
    "relu": lambda x: x if x > 0 else 0.0,
}


def test_every_unit_has_a_formula_here():
    assert FORMULAS.keys() == activations.UNITS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_unit_is_its_formula(name):
    x = torch.tensor(POINTS, dtype=torch.float64)
    expected = torch.tensor([FORMULAS[name](p) for p in POINTS], dtype=torch.float64)
    got = activations.UNITS[name](x)
    assert got.dtype == x.dtype
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", [n for n in FORMULAS if n != "threshold"])
def test_slope_is_the_central_difference_away_from_kinks(name):
    points = [p for p in POINTS if p != 0.0]
    h = 1e-5
    expected = [(FORMULAS[name](p + h) - FORMULAS[name](p - h)) / (2 * h) for p in points]
    got = activations.slope(activations.UNITS[name], torch.tensor(points, dtype=torch.float64))
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-9)


def test_the_threshold_passes_no_gradient():
    assert activations.slope(activations.threshold_unit, torch.tensor(POINTS)).eq(0).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_slope_needs_no_gradients_switched_on(mode):
    with mode():
        found = activations.slope(torch.tanh, torch.ones(1))
    assert found.item() == pytest.approx(1 - math.tanh(1) ** 2)


def test_slope_leaves_its_input_alone():
    x = torch.tensor([0.5])
    activations.slope(torch.tanh, x)
    assert not x.requires_grad and x.grad is None


def test_scaled_tanh_takes_other_constants():
    x = torch.tensor([0.7], dtype=torch.float64)
    expected = 2.5 * math.tanh(0.3 * 0.7)
    assert activations.scaled_tanh(x, a=2.5, b=0.3).item() == pytest.approx(expected, rel=1e-12)


def test_unknown_unit_is_named():
    with pytest.raises(ValueError, match="no activation function 'gelu'; choose one of threshold, sigmoid"):
        activations.unit_by_name("gelu")

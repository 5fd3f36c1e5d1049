"""The activation functions of the paper and its predecessors (paper 3.1).

Every activation function is a pure function of a tensor of any shape and floating dtype, and keeps both.
``UNITS`` names them for the networks, experiments and figures.
"""

from collections.abc import Callable

import torch
from torch import Tensor

#: LeCun's constants, for which scaled_tanh(1) is 1 to four digits. The 2012 code offers the form
#: a * tanh(b * x) with both numbers free (``tanh[a,b]`` in its layer files).
SCALED_TANH_A = 1.7159
#: The second of them, b.
SCALED_TANH_B = 2 / 3


def threshold_unit(x: Tensor) -> Tensor:
    """Return 1 where x > 0, else 0: the perceptron's function, whose derivative is 0 wherever it exists."""
    return (x > 0).to(x.dtype)


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)), between 0 and 1; its derivative is at most 1/4."""
    return torch.sigmoid(x)


def tanh(x: Tensor) -> Tensor:
    """Return the tanh of x, the standard choice before the paper (3.1), whose derivative is at most 1."""
    return torch.tanh(x)


def scaled_tanh(x: Tensor, *, a: float = SCALED_TANH_A, b: float = SCALED_TANH_B) -> Tensor:
    """Return a * tanh(b * x), the 2012 code's form of tanh; between -a and a, derivative at most a * b."""
    return a * torch.tanh(b * x)


def abs_tanh(x: Tensor) -> Tensor:
    """Return ``|tanh(x)|``, the function of Jarrett et al. (2009), named for contrast (paper 3.1)."""
    return torch.tanh(x).abs()


def relu(x: Tensor) -> Tensor:
    """Return max(0, x), the paper's ReLU (paper 3.1): it never saturates for x > 0."""
    return torch.relu(x)


UNITS: dict[str, Callable[[Tensor], Tensor]] = {
    "threshold": threshold_unit,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "scaled_tanh": scaled_tanh,
    "abs_tanh": abs_tanh,
    "relu": relu,
}


def unit_by_name(name: str) -> Callable[[Tensor], Tensor]:
    """Return the activation function called ``name``.

    Raises:
        ValueError: there is no activation function of that name.
    """
    if name not in UNITS:
        raise ValueError(f"there is no activation function {name!r}; choose one of {', '.join(UNITS)}")
    return UNITS[name]


def slope(unit: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the derivative of ``unit`` at each entry of ``x``, computed by autograd.

    Args:
        unit: an element-wise function.
        x: any shape, floating.
    Returns:
        the same shape as x; 0 everywhere for a function without gradient, such as the threshold.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)
        y = unit(x)
        if not y.requires_grad:
            return torch.zeros_like(x)
        return torch.autograd.grad(y.sum(), x)[0]

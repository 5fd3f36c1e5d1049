"""Local response normalisation as printed: across channels (paper 3.3), and over pixels (the 2012 code).

Letters in shapes: N images, C channels, H height, W width.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


def channel_formula(x: Tensor, *, n: int, k: float, alpha: float, beta: float, groups: int = 1) -> Tensor:
    """Divide each activation by a power of the energy of the n channels round its own (paper 3.3).

    ::

        b_i = a_i / (k + alpha * sum_j a_j**2) ** beta,   i - n // 2 <= j <= i + (n - 1) // 2

    Args:
        x: (N, C, H, W), the activations a.
        n: channels in the window.
        k: added to the sum of the squares.
        alpha: factor of the sum.
        beta: the power.
        groups: equal blocks of channels; j stays within those of i.
    Returns:
        (N, C, H, W), b.
    """
    a = x.to(computing_dtype(x)).unflatten(1, (groups, x.shape[1] // groups))
    energy = guard_zero(k + alpha * window_sums(a**2, 2, n), k)
    b = a * energy**-beta  # for a division by an infinite energy, second derivatives would be NaN
    return b.flatten(1, 2).to(x.dtype)


def pixel_formula(x: Tensor, *, size: int, k: float, alpha: float, beta: float) -> Tensor:
    """Divide each activation by a power of the energy of the size x size pixels round it (2012 code).

    ::

        b_yx = a_yx / (k + alpha * sum_uv a_uv**2) ** beta

    where u and v stay within the image, as close to y and x as j is to i in `channel_formula`.

    Args:
        x: (N, C, H, W), the activations a.
        size: pixels along each side of the window.
        k: added to the sum of the squares.
        alpha: factor of the sum.
        beta: the power.
    Returns:
        (N, C, H, W), b.
    """
    a = x.to(computing_dtype(x))
    sums = window_sums(window_sums(a**2, 2, size), 3, size)
    b = a * guard_zero(k + alpha * sums, k) ** -beta
    return b.to(x.dtype)


def window_sums(squares: Tensor, axis: int, n: int) -> Tensor:
    """Return the sum of the n entries round each entry along an axis, as far as there are so many."""
    size = squares.shape[axis]
    low, high = neighbours(n, size)
    padded = F.pad(squares, (0, 0) * (squares.ndim - 1 - axis) + (low, high))
    return functools.reduce(torch.add, (padded.narrow(axis, k, size) for k in range(low + high + 1)))


def neighbours(n: int, size: int) -> tuple[int, int]:
    """Return how many neighbours a window of n has on the (low side, high side) of an axis of that size."""
    most = max(size - 1, 0)
    return min(n // 2, most), min((n - 1) // 2, most)


def computing_dtype(x: Tensor) -> torch.dtype:
    """Return float64 for float64 and float32 for every other floating dtype."""
    return torch.promote_types(x.dtype, torch.float32)


def guard_zero(energy: Tensor, k: float) -> Tensor:
    """Replace an energy of 0, which only k = 0 allows, by infinity, so that nothing is divided by 0."""
    return energy.masked_fill(energy == 0, torch.inf) if k == 0 else energy

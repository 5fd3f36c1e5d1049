"""Numbers for what the kernels of conv1 look like: colour, stripes, and how two towers differ (paper 6.1).

Letters: K kernels, R rows and S columns of a kernel, in pixels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

GRID = 64  # frequencies along each axis at which a kernel's spectrum is computed
DEALS = 10_000  # random splits into halves, to compare a difference of towers with


class Gratings(NamedTuple):
    """The gratings to which each kernel responds most.

    Attributes:
        frequency: (K,) in cycles a pixel, up to 0.5 along an axis.
        orientation: (K,) of the stripes in degrees, 0 to 180: 0 is level, 90 upright, 45 rises to the right.
        selectivity: (K,) 1 if all gratings that it responds to have one orientation, 0 if it prefers none.
    """

    frequency: Tensor
    orientation: Tensor
    selectivity: Tensor


class Components(NamedTuple):
    """The patterns that kernels consist of, the one in which they differ most first.

    Attributes:
        patterns: (C, 3, R, S), of length 1 and at right angles to each other; C is K, or 3RS if that is less.
        variance: (C,) fraction of the kernels' variance that lies along each.
    """

    patterns: Tensor
    variance: Tensor


class Gap(NamedTuple):
    """The difference of two halves of the kernels in the mean of a number.

    Attributes:
        size: the absolute difference of the towers' means.
        dealt: the mean of that for random halves.
        chance: the fraction of random splits whose halves differ at least as much as the towers.
    """

    size: float
    dealt: float
    chance: float


def colourfulness(kernels: Tensor) -> Tensor:
    """Return the fraction of the squared weights that depends on colour, 0 for grey kernels.

    ::

        sum_cuv (w_cuv - g_uv)^2 / sum_cuv w_cuv^2,   g_uv the mean over the colours c

    Args:
        kernels: (K, 3, R, S).
    Returns:
        (K,), 0 to 1.
    """
    colour = kernels - kernels.mean(1, keepdim=True)
    return colour.square().sum((1, 2, 3)) / kernels.square().sum((1, 2, 3))


def spectrum(kernels: Tensor) -> Tensor:
    """Return how strongly a kernel responds to gratings of every orientation and frequency, over all colours.

    ::

        P(f) = sum_c |sum_uv (w_cuv - mean_c) exp(-2 pi i (f_y u + f_x v))|^2

    with row u, column v, and the mean over the positions of each colour subtracted, so that P(0) = 0.

    Args:
        kernels: (K, 3, R, S).
    Returns:
        (K, GRID, GRID): rows by f_y, columns by f_x, as ``torch.fft.fftfreq(GRID)`` has them.
    """
    centred = kernels - kernels.mean((2, 3), keepdim=True)
    return torch.fft.fft2(centred, s=(GRID, GRID)).abs().square().sum(1)


def by_frequency(kernels: Tensor, edges: Tensor) -> Tensor:
    """Return which fraction of the power of all kernels lies at which spatial frequency, the length of f.

    Args:
        kernels: (K, 3, R, S).
        edges: (B + 1,) of the bins, in cycles a pixel, rising; the frequency is at most half the root of 2.
    Returns:
        (B,): of P(f) of `spectrum`, summed over the kernels; a bin includes its lower edge.
    """
    power = spectrum(kernels).sum(0).flatten()
    along = torch.fft.fftfreq(GRID, dtype=power.dtype)
    size = torch.hypot(along[:, None], along).flatten()
    place = torch.bucketize(size, edges.to(power.dtype), right=True) - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    found = torch.zeros(len(edges) - 1, dtype=power.dtype).index_add(0, place[inside], power[inside])
    return found / power.sum()


def principal_components(kernels: Tensor) -> Components:
    """Return the principal components of kernels (PCA): of what is left when their mean is subtracted.

    Args:
        kernels: (K, 3, R, S), at least two that differ.
    """
    rows = kernels.flatten(1)
    _, sizes, patterns = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    return Components(patterns.unflatten(1, kernels.shape[1:]), sizes.square() / sizes.square().sum())


def gratings(kernels: Tensor) -> Gratings:
    """Return frequency and orientation at the peak of the spectrum P, and the selectivity for orientation.

    ::

        f* = argmax_f P(f),   frequency |f*|,   stripes at right angles to f*
        selectivity = |sum_f P(f) exp(2 i a_f)| / sum_f P(f),   a_f the angle of f

    Args:
        kernels: (K, 3, R, S), none of them constant.
    """
    power = spectrum(kernels)
    along = torch.fft.fftfreq(GRID, dtype=power.dtype)
    down, right = torch.meshgrid(along, along, indexing="ij")
    peak = power.flatten(1).argmax(1)
    y, x = down.flatten()[peak], right.flatten()[peak]
    degrees = torch.atan2(x, y) * 180 / math.pi  # of (f_y, f_x) turned by a right angle, rows counted down
    # The angle is doubled, because f and -f are the same stripes; at f = 0, which has none, P is 0.
    doubled = 2 * torch.atan2(down, right)
    moment = (power * torch.polar(torch.ones_like(doubled), doubled)).sum((1, 2)).abs()
    return Gratings(torch.hypot(x, y), degrees % 180, moment / power.sum((1, 2)))


def tower_gap(values: Tensor) -> Gap:
    """Compare the two towers with halves of the same kernels dealt at random.

    Args:
        values: (K,) a number of each kernel, such as its `colourfulness`; the first half is tower a's.
    """
    generator = torch.Generator().manual_seed(0)
    orders = torch.rand(DEALS, len(values), generator=generator).argsort(1)
    towers, deals = (difference(rows) for rows in (values[None], values[orders]))
    # The slack counts deals that differ from the towers by rounding alone.
    at_least = (deals >= towers - 1e-9).double().mean()
    return Gap(towers.item(), deals.mean().item(), at_least.item())


def difference(rows: Tensor) -> Tensor:
    """Return how far the means of the two halves of each row (N, K) lie apart, (N,)."""
    first, second = rows.chunk(2, dim=1)
    return (first.mean(1) - second.mean(1)).abs()

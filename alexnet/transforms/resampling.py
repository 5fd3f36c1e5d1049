"""Change the size of an image with a filter of one's choice, and see what the filter lets through (paper 2).

Rows and columns are treated one after the other, by the same rule. Lengths are in pixels of the old image:
pixel j covers j to j + 1, so its middle lies at j + 0.5. Frequencies are in periods for each such pixel.
Letters in shapes: H height, W width.
"""

from collections.abc import Callable

import torch
from scipy import fft
from torch import Tensor

LANCZOS_RADIUS = 3
CUBIC_SLOPE = -0.5  # Keys's a: with this one alone a parabola is interpolated exactly


def box(x: Tensor) -> Tensor:
    """1 from -1/2 to 1/2: the nearest pixel, or the mean over an area."""
    return ((x > -0.5) & (x <= 0.5)).to(x.dtype)


def triangle(x: Tensor) -> Tensor:
    """The filter of bilinear interpolation: 1 at 0, falling to 0 at a distance of 1."""
    return (1 - x.abs()).clamp(min=0)


def cubic(x: Tensor) -> Tensor:
    """The filter of bicubic interpolation (Keys 1981): two cubic arcs, 0 from a distance of 2 on."""
    a, x = CUBIC_SLOPE, x.abs()
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))


def lanczos(x: Tensor) -> Tensor:
    """sinc(x) sinc(x / 3), 0 from a distance of 3 on."""
    inside = x.abs() < LANCZOS_RADIUS
    return torch.where(inside, torch.sinc(x) * torch.sinc(x / LANCZOS_RADIUS), 0)


#: The filters by name.
FILTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "nearest": box,
    "bilinear": triangle,
    "bicubic": cubic,
    "lanczos": lanczos,
}


def weights(num_in: int, num_out: int, *, name: str, antialias: bool) -> Tensor:
    """Return the matrix that makes num_out pixels of a row of num_in.

    The filter is laid over the middle of each new pixel; its values in the middles of the old pixels, divided
    by their sum, are the weights. At the ends of the row it is truncated, as in Pillow.

    Args:
        num_in: pixels before.
        num_out: pixels after.
        name: of a filter in ``FILTERS``.
        antialias: where the row gets shorter, stretch the filter by as much, so that it takes the mean of
            all old pixels instead of a few.
    Returns:
        (num_out, num_in) float64; each row sums to 1.
    Raises:
        ValueError: there is no such filter, or a number is not positive.
    """
    if name not in FILTERS:
        raise ValueError(f"there is no filter {name!r}; the names are {', '.join(FILTERS)}")
    if min(num_in, num_out) < 1:
        raise ValueError(f"a row has at least one pixel, got {num_in} and {num_out}")
    factor = num_in / num_out
    stretch = max(factor, 1.0) if antialias else 1.0
    old, new = (torch.arange(num, dtype=torch.float64) + 0.5 for num in (num_in, num_out))
    values = FILTERS[name]((old - factor * new[:, None]) / stretch)
    return values / values.sum(1, keepdim=True)


def resample(image: Tensor, size: tuple[int, int], *, name: str, antialias: bool) -> Tensor:
    """Change the size of an image.

    Args:
        image: (..., H, W).
        size: height and width of the result.
        name: as for `weights`.
        antialias: as for `weights`.
    Returns:
        ``(..., *size)`` float64, neither rounded nor clipped, though bicubic and Lanczos overshoot at edges.
    """
    height, width = image.shape[-2:]
    rows = weights(height, size[0], name=name, antialias=antialias)
    columns = weights(width, size[1], name=name, antialias=antialias)
    return rows @ image.double() @ columns.T


def response(row: Tensor, frequencies: Tensor) -> Tensor:
    """Return what a new pixel with these weights keeps of waves of amplitude 1.

    Args:
        row: (num_in,) a row of `weights`.
        frequencies: (F,) float64, in periods for each old pixel.
    Returns:
        (F,) the amplitude that is left.
    """
    pixels = torch.arange(len(row), dtype=torch.float64)
    waves = torch.exp(2j * torch.pi * frequencies[:, None] * pixels)  # (F, num_in)
    return (waves @ row.to(waves.dtype)).abs()


def split_bands(image: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Split an image into what an image of another size can show and what is too fine for it.

    It is taken as a sum of cosines (the discrete cosine transform, DCT-II). A row of n pixels can show the n
    slowest of them; what is faster than that in either direction is too fine.

    Args:
        image: (H, W).
        size: height and width of the smaller image.
    Returns:
        coarse and fine, (H, W) float64 each; their sum is the image.
    """
    cosines = fft.dctn(image.double().numpy(), norm="ortho")
    cosines[size[0] :] = 0
    cosines[:, size[1] :] = 0
    coarse = torch.from_numpy(fft.idctn(cosines, norm="ortho"))
    return coarse, image.double() - coarse


def zone_plate(size: int, centre: tuple[int, int]) -> Tensor:
    """Return a test pattern of rings, cos(pi r^2 / size) at the distance r from its centre.

    At a distance x from the centre along a row the frequency along the row is x / size: 0 in the centre, and
    1/2, the finest that pixels can show, where x is half the size.

    Args:
        size: pixels of each side.
        centre: row and column of the pixel that it surrounds.
    Returns:
        (size, size) float64, from -1 to 1.
    """
    rows, columns = (torch.arange(size, dtype=torch.float64) - middle for middle in centre)
    return torch.cos(torch.pi * (rows[:, None] ** 2 + columns**2) / size)

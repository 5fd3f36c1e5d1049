"""Noise along the principal components of the colours (paper 4.1)."""

import torch
from torch import Tensor

from alexnet.checks import one_of
from alexnet.data.statistics import Statistics
from alexnet.paper import PCA_NOISE_STD


def colour_shifts(alphas: Tensor, pca: Statistics, *, reading: str) -> Tensor:
    """Turn random factors alpha into the shifts of red, green and blue (paper 4.1), in pixel values.

    With the principal components p_i, their standard deviations s_i in pixel values of 0 to 255, and
    eigenvalues lambda_i of the covariance, three readings of the paper's sum of p_i * alpha_i * lambda_i::

        "std"             sum of p_i * alpha_i * s_i, as the 2012 code has it
        "eigenvalue"      the printed sum for pixels of 0 to 1: sum of p_i * alpha_i * 255 * (s_i / 255)**2
        "eigenvalue-255"  the printed sum for pixels of 0 to 255: sum of p_i * alpha_i * s_i**2, far too much

    Args:
        alphas: (N, 3) float64.
        pca: has pca_stds and pca_vectors.
        reading: one of the three.
    Returns:
        (N, 3) float64, on the CPU.
    Raises:
        ValueError: the reading is none of the three.
    """
    stds = pca.pca_stds
    scales = {"std": stds, "eigenvalue": stds**2 / 255, "eigenvalue-255": stds**2}
    one_of("reading", reading, tuple(scales))
    return (alphas * scales[reading]) @ pca.pca_vectors.T


def draw_colour_shifts(
    num_images: int,
    pca: Statistics,
    *,
    reading: str,
    std: float = PCA_NOISE_STD,
    generator: torch.Generator,
) -> Tensor:
    """Draw a shift of the colours for each image, anew each time it is used (paper 4.1).

    Args:
        num_images: N.
        pca: as for `colour_shifts`.
        reading: as for `colour_shifts`.
        std: standard deviation of the factors alpha, which are Gaussian with mean zero.
        generator: on the CPU.
    Returns:
        (N, 3) float64 pixel values, on the CPU.
    Raises:
        ValueError: the reading is unknown.
    """
    alphas = std * torch.randn(num_images, 3, generator=generator, dtype=torch.float64)
    return colour_shifts(alphas, pca, reading=reading)


def add_colour(x: Tensor, shifts: Tensor, divisor: float = 1.0) -> Tensor:
    """Return (x + shifts) / divisor, in one pass.

    Args:
        x: (N, C, S, S) float.
        shifts: (N, C).
        divisor: 1.1 in the 2012 code, with which augmented images vary less than test images.
    """
    shifts = (shifts / divisor).to(x.dtype).to(x.device, non_blocking=True)
    return torch.add(shifts[:, :, None, None], x, alpha=1 / divisor)

"""From stored pictures to what the network reads: crops, reflections, colour noise, the mean (paper 2, 4.1).

Whole batches are worked on, on the device where they are. Stored pictures are uint8 (N, C, H, W), H = W; what
comes out is float32 in grey levels, with a mean of about zero and not divided by anything but the recipe's
own divisor: the initial weights of the paper need signals of that size.

What is random is drawn first, on the CPU, and applied afterwards, so that a seed means the same on every
device and a batch can be cut in parts.

Letters in shapes: N images, C channels, H height, W width, S the side of a crop; all in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from alexnet.config import COLOUR_NOISE_READINGS, MEANS, AugmentConfig, one_of
from alexnet.crops import Crops, centre_of, crop_and_flip, draw_crops
from alexnet.functional.geometry import whole
from alexnet.paper import PCA_NOISE_STD
from alexnet.statistics import Statistics

CACHED_VALUES = 1 << 19  # what a processor works on at a time, so that it stays in its cache


@dataclass(frozen=True, eq=False)
class Augmentation:
    """All that is random in a batch.

    Attributes:
        crops: of the N pictures.
        shifts: (N, C) of ``draw_colour_shifts``; None where there is no colour noise.
    """

    crops: Crops
    shifts: Tensor | None

    def __getitem__(self, which: slice) -> "Augmentation":
        """Return the draws of a part of the batch."""
        return Augmentation(self.crops[which], None if self.shifts is None else self.shifts[which])


def colour_shifts(alphas: Tensor, pca: Statistics, *, reading: str) -> Tensor:
    """Turn random factors alpha into what is added to red, green and blue (paper 4.1), in grey levels.

    With the principal components p_i, their standard deviations s_i in grey levels of 0 to 255, and
    eigenvalues lambda_i of the covariance, three readings of the paper's sum of p_i * alpha_i * lambda_i:

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
    """Draw a shift of the colours for each picture, anew each time it is used (paper 4.1).

    Args:
        num_images: N.
        pca, reading: as for ``colour_shifts``.
        std: standard deviation of the factors alpha, which are Gaussian with mean zero.
        generator: on the CPU.
    Returns:
        (N, 3) float64 grey levels, on the CPU.
    Raises:
        ValueError: the reading is unknown.
    """
    alphas = std * torch.randn(num_images, 3, generator=generator, dtype=torch.float64)
    return colour_shifts(alphas, pca, reading=reading)


def add_colour(x: Tensor, shifts: Tensor, divisor: float = 1.0) -> Tensor:
    """Return (x + shifts) / divisor, in one pass.

    Args:
        x: (N, C, S, S) float. shifts: (N, C).
        divisor: 1.1 in the 2012 code, with which noisy pictures vary less than those of the test.
    """
    shifts = (shifts / divisor).to(x.dtype).to(x.device, non_blocking=True)
    return torch.add(shifts[:, :, None, None], x, alpha=1 / divisor)


def draw_augmentation(
    num_images: int,
    *,
    config: AugmentConfig,
    statistics: Statistics,
    generator: torch.Generator,
    colour_noise: bool,
) -> Augmentation:
    """Draw all that is random in a batch; the crops are the same with colour noise and without.

    Args:
        num_images: N.
        config, statistics, generator, colour_noise: as for ``prepare_training``.
    """
    crops = draw_crops(
        num_images,
        num_offsets=config.num_offsets,
        group=config.crop_group,
        flip=config.flip,
        generator=generator,
    )
    if not colour_noise or config.colour_noise == COLOUR_NOISE_READINGS[0]:
        return Augmentation(crops, None)
    shifts = draw_colour_shifts(
        num_images,
        statistics,
        reading=config.colour_noise,
        std=config.colour_noise_std,
        generator=generator,
    )
    return Augmentation(crops, shifts)


def augment(images: Tensor, drawn: Augmentation, *, config: AugmentConfig, statistics: Statistics) -> Tensor:
    """Apply the draws to a batch: crop, reflect, subtract the mean, shift the colours, divide (paper 2, 4.1).

    Args:
        images: (N, 3, H, W) uint8.
        drawn: of ``draw_augmentation``, for the N pictures.
        config, statistics: as for ``prepare_training``.
    Returns:
        (N, 3, S, S) float32 in grey levels, on the images' device.
    Raises:
        ValueError: as for ``prepare_training``.
    """
    check_pictures(images, config.size, statistics)
    one_of("mean", config.mean, MEANS)
    if images.device.type != "cpu":
        return augment_part(images, drawn, config, statistics.mean_image)
    prepared = torch.empty(*images.shape[:2], config.size, config.size)
    length = max(1, CACHED_VALUES // images.shape[1:].numel())
    for start in range(0, len(images), length):
        part = slice(start, start + length)
        prepared[part] = augment_part(images[part], drawn[part], config, statistics.mean_image)
    return prepared


def augment_part(images: Tensor, drawn: Augmentation, config: AugmentConfig, mean_image: Tensor) -> Tensor:
    """Do what ``augment`` does, in whole passes over all that it is given."""
    mean_image = mean_image.to(images.device)
    if config.mean == "under-crop":
        x = crop_and_flip(images - mean_image, drawn.crops, config.size)
    else:
        x = crop_and_flip(images, drawn.crops, config.size) - centre_of(mean_image, config.size)
    return x if drawn.shifts is None else add_colour(x, drawn.shifts, config.colour_divisor)


def prepare_training(
    images: Tensor,
    *,
    config: AugmentConfig,
    statistics: Statistics,
    generator: torch.Generator,
    colour_noise: bool,
) -> Tensor:
    """Make a training batch of stored pictures: ``draw_augmentation``, then ``augment`` (paper 2, 4.1).

    The mean is subtracted in one of two ways. "under-crop" is the paper read literally: the mean image is
    subtracted from the whole picture, of which crops and reflections are taken afterwards, so that the part
    of the mean under the crop is subtracted, reflected where the crop is. "centre" is the 2012 code: always
    the centre crop of the mean image, never reflected.

    Args:
        images: (N, 3, H, W) uint8, H = W.
        config: the recipe's.
        statistics: of the training pictures; its mean image best on the images' device already (``to``).
        generator: on the CPU, whatever the device of the images.
        colour_noise: whether there is any now. The 2012 runs did without it, and then without the divisor,
            in the last of their epochs.
    Returns:
        (N, 3, S, S) float32 in grey levels, on the images' device.
    Raises:
        ValueError: the pictures are not uint8, not square, smaller than the crop, or not of the size of the
            mean image; or an offset of the configuration is too large for them.
    """
    drawn = draw_augmentation(
        len(images), config=config, statistics=statistics, generator=generator, colour_noise=colour_noise
    )
    return augment(images, drawn, config=config, statistics=statistics)


def prepare_centre(images: Tensor, *, size: int, statistics: Statistics) -> Tensor:
    """Cut out the centre and subtract the centre of the mean image: one view for evaluation.

    Args:
        images: (N, 3, H, W) uint8, H = W.
        size: S. Where H - S is odd, the centre is the one nearer to the top left.
        statistics: of the training pictures.
    Returns:
        (N, 3, S, S) float32 in grey levels.
    Raises:
        ValueError: the pictures are not uint8, not square, smaller than the crop, or not of the size of the
            mean image.
    """
    check_pictures(images, size, statistics)
    return centre_of(images, size) - centre_of(statistics.mean_image.to(images.device), size)


def ten_crops(
    images: Tensor, *, size: int, statistics: Statistics, mean: str = "under-crop"
) -> Iterator[Tensor]:
    """Yield the ten views of the paper's test (4.1), one after the other, so that one is in memory at a time.

    Their order: top left, top right, bottom left, bottom right, centre, and then the reflections of these.

    Args:
        images, size, statistics: as for ``prepare_centre``.
        mean: which part of the mean image is subtracted, as in ``prepare_training``.
    Yields:
        ten times (N, 3, S, S) float32 in grey levels.
    Raises:
        ValueError: as for ``prepare_centre``, at once and not at the first view; or the mean is unknown.
    """
    check_pictures(images, size, statistics)
    one_of("mean", mean, MEANS)
    mean_image = statistics.mean_image.to(images.device)
    room = images.shape[2] - size
    corners = [(0, 0), (0, room), (room, 0), (room, room), (room // 2, room // 2)]
    return (
        view(images, mean_image, top, left, flip=flip, size=size, mean=mean)
        for flip in (False, True)
        for top, left in corners
    )


def view(
    images: Tensor, mean_image: Tensor, top: int, left: int, *, flip: bool, size: int, mean: str
) -> Tensor:
    """Return the same crop of all images, less the mean, reflected or not: (N, 3, S, S) float32."""
    crop, under = (x[..., top : top + size, left : left + size] for x in (images, mean_image))
    if mean == "centre":
        return (crop.flip(3) if flip else crop) - centre_of(mean_image, size)
    return (crop - under).flip(3) if flip else crop - under


def check_pictures(images: Tensor, size: int, statistics: Statistics) -> None:
    """Raise ValueError unless the images are uint8 (N, C, H, H), H >= size, as the mean image is."""
    whole("size", size)
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(f"pictures must be uint8 (N, C, H, W), got {images.dtype} {tuple(images.shape)}")
    height, width = images.shape[2:]
    if height != width:
        raise ValueError(
            f"pictures must be square, got {height} x {width}; `alexnet data prepare` makes them so"
        )
    if height < size:
        raise ValueError(f"pictures of {height} pixels are smaller than a crop of {size} pixels")
    if images.shape[1:] != statistics.mean_image.shape:
        raise ValueError(
            f"pictures are {tuple(images.shape[1:])} but the mean image is "
            f"{tuple(statistics.mean_image.shape)}: it belongs to another data set"
        )

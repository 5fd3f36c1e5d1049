"""From stored images to the network's input: crops, flips, PCA colour augmentation, the mean (paper 2, 4.1).

Whole batches are worked on, on the device where they are. Stored images are uint8 (N, C, H, W), H = W; what
comes out is float32 in pixel values, with a mean of about zero and divided by nothing except the recipe's
own divisor: the initial weights of the paper need signals of that size.

What is random is drawn first, on the CPU, and applied afterwards, so that a seed means the same on every
device and a batch can be split into parts.

Letters in shapes: N images, C channels, H height, W width, S the side of a crop; all in pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from alexnet.checks import one_of, whole
from alexnet.config import COLOUR_NOISE_READINGS, MEANS, AugmentConfig
from alexnet.data.statistics import Statistics
from alexnet.transforms.colour import add_colour, draw_colour_shifts
from alexnet.transforms.crops import Crops, crop_and_flip, crop_centre, draw_crops

CACHED_VALUES = 1 << 19  # what a processor works on at a time, so that it stays in its cache


@dataclass(frozen=True, eq=False)
class Augmentation:
    """All that is random in a batch.

    Attributes:
        crops: of the N images.
        shifts: (N, C) of `draw_colour_shifts`; None where there is no PCA colour augmentation.
    """

    crops: Crops
    shifts: Tensor | None

    def __getitem__(self, which: slice) -> "Augmentation":
        """Return the draws of a part of the batch."""
        return Augmentation(self.crops[which], None if self.shifts is None else self.shifts[which])


def draw_augmentation(
    num_images: int,
    *,
    config: AugmentConfig,
    statistics: Statistics,
    generator: torch.Generator,
    colour_noise: bool,
) -> Augmentation:
    """Draw all that is random in a batch; the crops are the same with PCA colour augmentation and without.

    Args:
        num_images: N.
        config: as for `prepare_training`.
        statistics: as for `prepare_training`.
        generator: as for `prepare_training`.
        colour_noise: as for `prepare_training`.
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
    """Apply the draws to a batch: crop, flip, subtract the mean, shift the colours, divide (paper 2, 4.1).

    Args:
        images: (N, 3, H, W) uint8.
        drawn: of `draw_augmentation`, for the N images.
        config: as for `prepare_training`.
        statistics: as for `prepare_training`.
    Returns:
        (N, 3, S, S) float32 in pixel values, on the images' device.
    Raises:
        ValueError: as for `prepare_training`.
    """
    check_images(images, config.size, statistics)
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
    """Do what `augment` does, in whole passes over all that it is given."""
    mean_image = mean_image.to(images.device)
    if config.mean == "under-crop":
        x = crop_and_flip(images - mean_image, drawn.crops, config.size)
    else:
        x = crop_and_flip(images, drawn.crops, config.size) - crop_centre(mean_image, config.size)
    return x if drawn.shifts is None else add_colour(x, drawn.shifts, config.colour_divisor)


def prepare_training(
    images: Tensor,
    *,
    config: AugmentConfig,
    statistics: Statistics,
    generator: torch.Generator,
    colour_noise: bool,
) -> Tensor:
    """Make a training batch of stored images: `draw_augmentation`, then `augment` (paper 2, 4.1).

    The mean is subtracted in one of two ways. "under-crop" is the paper read literally: the mean image is
    subtracted from the whole image, which is cropped and flipped afterwards, so that the part
    of the mean under the crop is subtracted, flipped if the crop is. "centre" is the 2012 code: always
    the centre crop of the mean image, never flipped.

    Args:
        images: (N, 3, H, W) uint8, H = W.
        config: the recipe's.
        statistics: of the training images; its mean image best on the images' device already (``to``).
        generator: on the CPU, whatever the device of the images.
        colour_noise: whether there is any now. The 2012 runs did without it, and then without the divisor,
            in the last of their epochs.
    Returns:
        (N, 3, S, S) float32 in pixel values, on the images' device.
    Raises:
        ValueError: the images are not uint8, not square, smaller than the crop, or not of the size of the
            mean image; or an offset of the configuration is too large for them.
    """
    drawn = draw_augmentation(
        len(images), config=config, statistics=statistics, generator=generator, colour_noise=colour_noise
    )
    return augment(images, drawn, config=config, statistics=statistics)


def check_images(images: Tensor, size: int, statistics: Statistics) -> None:
    """Raise ValueError unless the images are uint8 (N, C, H, H), H >= size, as the mean image is."""
    whole("size", size)
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(f"images must be uint8 (N, C, H, W), got {images.dtype} {tuple(images.shape)}")
    height, width = images.shape[2:]
    if height != width:
        raise ValueError(
            f"images must be square, got {height} x {width}; `alexnet data prepare` makes them so"
        )
    if height < size:
        raise ValueError(f"images of {height} pixels are smaller than a crop of {size} pixels")
    if images.shape[1:] != statistics.mean_image.shape:
        raise ValueError(
            f"images are {tuple(images.shape[1:])} but the mean image is "
            f"{tuple(statistics.mean_image.shape)}: it belongs to another data set"
        )

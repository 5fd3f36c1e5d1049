"""The centre of an image, and its ten crops for testing (paper 4.1)."""

from collections.abc import Iterator

from torch import Tensor

from alexnet.checks import one_of
from alexnet.config import MEANS
from alexnet.data.statistics import Statistics
from alexnet.transforms.crops import crop_centre
from alexnet.transforms.training import check_images


def prepare_centre(images: Tensor, *, size: int, statistics: Statistics) -> Tensor:
    """Take the central crop and subtract the centre of the mean image, for evaluation.

    Args:
        images: (N, 3, H, W) uint8, H = W.
        size: S. Where H - S is odd, the centre is the one nearer to the top left.
        statistics: of the training images.
    Returns:
        (N, 3, S, S) float32 in pixel values.
    Raises:
        ValueError: the images are not uint8, not square, smaller than the crop, or not of the size of the
            mean image.
    """
    check_images(images, size, statistics)
    return crop_centre(images, size) - crop_centre(statistics.mean_image.to(images.device), size)


def ten_crops(
    images: Tensor, *, size: int, statistics: Statistics, mean: str = "under-crop"
) -> Iterator[Tensor]:
    """Yield the paper's ten crops for testing (4.1), one after the other, so that only one is in memory.

    Their order: top left, top right, bottom left, bottom right, centre, and then their horizontal flips.

    Args:
        images: as for `prepare_centre`.
        size: as for `prepare_centre`.
        statistics: as for `prepare_centre`.
        mean: which part of the mean image is subtracted, as in ``prepare_training``.
    Yields:
        ten times (N, 3, S, S) float32 in pixel values.
    Raises:
        ValueError: as for `prepare_centre`, at once and not at the first crop; or the mean is unknown.
    """
    check_images(images, size, statistics)
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
    """Return the same crop of all images minus the mean, flipped or not: (N, 3, S, S) float32."""
    crop, under = (x[..., top : top + size, left : left + size] for x in (images, mean_image))
    if mean == "centre":
        return (crop.flip(3) if flip else crop) - crop_centre(mean_image, size)
    return (crop - under).flip(3) if flip else crop - under

"""A set of labelled images in memory, from any source."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Labelled images for training and testing.

    Attributes:
        name: short name, as commands take it.
        source: one phrase on the images and their origin, suitable for a caption.
        train_images: (N, 3, H, W) uint8, channels red, green, blue.
        train_labels: (N,) int64, indices into classes.
        test_images: the same for the test images.
        test_labels: the same for the test images.
        classes: the names of the classes.
        fingerprint: 16 hexadecimal digits that name the images with their labels, whatever their order.
    """

    name: str
    source: str
    train_images: Tensor = field(repr=False)
    train_labels: Tensor = field(repr=False)
    test_images: Tensor = field(repr=False)
    test_labels: Tensor = field(repr=False)
    classes: tuple[str, ...]
    fingerprint: str

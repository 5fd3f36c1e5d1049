"""A set of labelled images in memory, from any source."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
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


def fingerprint_of(splits: Iterable[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return 16 hexadecimal digits that name the images and labels of each split, whatever their order.

    Args:
        splits: (images, labels) of the training and of the test set; images uint8 (N, C, H, W).
    Returns:
        the start of the SHA-256 of the sorted SHA-256s of every label with its image, split by split.
    """
    digest = hashlib.sha256()
    for images, labels in splits:
        digest.update(repr(images.shape).encode())
        pairs = zip(images, labels.tolist(), strict=True)
        digest.update(
            b"".join(sorted(hashlib.sha256(b"%d " % n + image.tobytes()).digest() for image, n in pairs))
        )
    return digest.hexdigest()[:16]

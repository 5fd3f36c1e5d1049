"""A set of labelled pictures in memory, whatever it was made from."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Labelled pictures for training and testing.

    Attributes:
        name: short name, as commands take it.
        source: one phrase that says what the pictures are and where they came from, fit for a caption.
        train_images: (N, 3, H, W) uint8, channels red, green, blue.
        train_labels: (N,) int64, indices into classes.
        test_images, test_labels: the same for the test pictures.
        classes: the names of the classes.
        fingerprint: 16 hexadecimal digits that change when any picture or label changes.
    """

    name: str
    source: str
    train_images: Tensor = field(repr=False)
    train_labels: Tensor = field(repr=False)
    test_images: Tensor = field(repr=False)
    test_labels: Tensor = field(repr=False)
    classes: tuple[str, ...]
    fingerprint: str


def fingerprint_of(arrays: Iterable[np.ndarray]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the arrays' types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]

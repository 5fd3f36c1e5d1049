"""Digits that name a set's images; without PyTorch, since preparing images needs none."""

import hashlib
from collections.abc import Iterable

import numpy as np


def compute_fingerprint(splits: Iterable[tuple[np.ndarray, np.ndarray]]) -> str:
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

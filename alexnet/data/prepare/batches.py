"""The batches of the official CIFAR-10 archive: pickled files of 10,000 images each, with their labels."""

import hashlib
import io
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alexnet.data.catalogue import CIFAR10
from alexnet.data.images import Unreadable
from alexnet.data.prepare.sources import File, Reader, read_stamp
from alexnet.storage.files import written_whole

NAME = re.compile(r"(data_batch_\d+|test_batch)")
BESIDE = ("batches.meta", "readme.html")  # in the official archive, and without images
MAX_BYTES = 1 << 26  # an official batch has 31 MB
SHAPE = (3, CIFAR10.height, CIFAR10.width)
# numpy has no public name for the function that its pickles call, and has moved it; an array knows it.
RECONSTRUCT = np.empty(0).__reduce__()[0]


def strip_folders(file: File) -> str:
    """Return the name of a file without its folders."""
    return file.name.rpartition("/")[2]


def is_batch(file: File) -> bool:
    """Return whether a file is, or claims to be, a batch."""
    return NAME.fullmatch(strip_folders(file)) is not None


def images_in(batch: File, reader: Reader, scratch: Path) -> Iterator[File]:
    """Yield the images of a batch as if it were a folder with one in it for each class.

    Args:
        batch: the file.
        reader: for it.
        scratch: folder in which their pixels are stored.
    Raises:
        ValueError: it is no such batch.
    """
    if batch.size > MAX_BYTES:
        raise ValueError(f"{batch.name} has {batch.size:,} bytes, too many for a batch of images")
    try:
        content = reader.read(batch)
    except Unreadable as error:
        raise ValueError(f"{batch.name} is not a batch of images ({error})") from error
    images, labels = decode_batch(batch.name, content)
    path = scratch / f"{hashlib.sha256(content).hexdigest()[:16]}.pixels"
    with written_whole(path) as file:
        file.write(images.tobytes())
    stamp, size = read_stamp(path), images[:1].nbytes
    for row, label in enumerate(labels.tolist()):
        name = f"{batch.name}/{CIFAR10.classes[label]}/{row:05}"
        yield File(name, str(path), row * size, size, stamp=stamp, is_pixels=True)


def decode_pixels(content: bytes) -> np.ndarray:
    """Return an image (height, width, 3) that `images_in` has named from what was read of it."""
    return np.frombuffer(content, np.uint8).reshape(SHAPE).transpose(1, 2, 0)


class BatchUnpickler(pickle.Unpickler):
    """An unpickler that builds dictionaries, lists, text, numbers and arrays, and calls nothing else."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        # How Python 3 writes bytes in the old protocols: text to be encoded, always as Latin-1.
        ("_codecs", "encode"): lambda text, _encoding: text.encode("latin1"),
    }

    def find_class(self, module: str, name: str):
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs") from None


def decode_batch(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Decode a batch: a pickled dictionary with "data" and "labels".

    Args:
        name: of the file, for messages.
        content: of the file.
    Returns:
        images (N, 3, 32, 32) uint8, and labels (N,) int64.
    Raises:
        ValueError: the bytes are no such batch.
    """
    try:
        # The official files were written by Python 2, whose strings are bytes; Latin-1 keeps every byte.
        batch = BatchUnpickler(io.BytesIO(content), encoding="latin1").load()
        images, labels = batch["data"], batch["labels"]
        # Of numbers alone: lists in lists, each twice in the next, would be few bytes and a huge array.
        if isinstance(labels, list) and all(isinstance(label, int) for label in labels):
            labels = np.array(labels, np.int64)
    except Exception as error:  # unpickling damaged bytes can raise nearly anything
        raise ValueError(f"{name} is not a batch of images ({error})") from error
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape[1:] != (np.prod(SHAPE),)
    ):
        raise ValueError(f"{name} is not a batch of images (its data is not one row of bytes for each image)")
    if (
        not isinstance(labels, np.ndarray)
        or labels.shape != images.shape[:1]
        or labels.dtype.kind not in "iu"
    ):
        raise ValueError(f"{name} is not a batch of images (there is not one label for each image)")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(CIFAR10.classes):
        raise ValueError(f"{name} has labels outside 0 to {len(CIFAR10.classes) - 1}")
    return images.reshape(-1, *SHAPE), labels.astype(np.int64)

"""Turn the bytes of an image, or of a batch file of the official CIFAR-10 archive, into arrays."""

import io
import pickle

import numpy as np

from alexnet.data.images import DAMAGE, Unreadable, open_image, to_rgb

# numpy has no public name for the function that its pickles call, and has moved it; an array knows it.
RECONSTRUCT = np.empty(0).__reduce__()[0]


def decode_image(name: str, content: bytes, *, height: int, width: int) -> tuple[np.ndarray, str]:
    """Decode an image to RGB, as ``alexnet data prepare`` does.

    Args:
        name: of the file.
        content: of the file.
        height: that it must have, in pixels.
        width: that it must have, in pixels.
    Returns:
        (3, height, width) uint8, and the name of the format, such as "JPEG".
    Raises:
        ValueError: the bytes are no image, are damaged, or the image has another size.
    """
    try:
        with open_image(name, content) as image:
            size, kind = image.size, image.format
            assert kind is not None  # only an image that comes from no file has no format
            pixels = np.asarray(to_rgb(image)[0]) if size == (width, height) else None
    except Unreadable as error:
        raise ValueError(f"is not an image that can be read: {error}") from error
    except DAMAGE as error:
        raise ValueError("is not an image that can be read: it is damaged") from error
    if pixels is None:
        raise ValueError(f"has {size[0]} x {size[1]} pixels, not {width} x {height}")
    return pixels.transpose(2, 0, 1), kind


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


def decode_batch(
    content: bytes, *, height: int, width: int, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Decode a batch of the official archive: a pickled dictionary with "data" and "labels".

    Returns:
        images (N, 3, height, width) uint8, and labels (N,) int64.
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
        raise ValueError(f"is not a batch of images ({error})") from error
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape[1:] != (3 * height * width,)
    ):
        raise ValueError("is not a batch of images (its data is not one row of bytes for each image)")
    if (
        not isinstance(labels, np.ndarray)
        or labels.shape != images.shape[:1]
        or labels.dtype.kind not in "iu"
    ):
        raise ValueError("is not a batch of images (there is not one label for each image)")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= num_classes:
        raise ValueError(f"has labels outside 0 to {num_classes - 1}")
    return images.reshape(-1, 3, height, width), labels.astype(np.int64)

"""Where data sets lie, and their stored form: one uncompressed .npz file for each.

The file holds the four arrays, the class names, and a JSON text of provenance without dates or paths, so
that the same images give the same file. It is a zip file, whose checksums tell a damaged file from a whole
one.
"""

import contextlib
import errno
import json
import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
import platformdirs
import torch

import alexnet
from alexnet.data.catalogue import KnownSet, known_set
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet, fingerprint_of
from alexnet.storage.files import NewerFormat, check_format, read_arrays, write_arrays

FORMAT = 1  # of the stored form; files that do not tell have this one
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def root() -> Path:
    """Return the folder of the data sets, which need not exist yet.

    It is $ALEXNET_DATA where that is set; else ``data/`` in a clone of the project that can be written to;
    else a folder in the user's cache.
    """
    chosen = os.environ.get("ALEXNET_DATA")
    if chosen:
        return Path(chosen).expanduser()
    clone = Path(alexnet.__file__).resolve().parent.parent
    if (clone / "pyproject.toml").is_file() and os.access(clone, os.W_OK):
        return clone / "data"
    return platformdirs.user_cache_path("alexnet", appauthor=False)


def path_of(name: str) -> Path:
    """Return the path at which the data set is stored, whether it is there or not.

    Raises:
        ValueError: there is no data set of that name.
    """
    return root() / f"{known_set(name).name}.npz"


def load(name: str) -> ImageSet:
    """Open a stored data set.

    Args:
        name: "cifar10".
    Raises:
        FileNotFoundError: it is not there; the message names the commands that get it.
        ValueError: there is no such data set, or its file is damaged, or was written by a newer version.
    """
    known = known_set(name)
    path = path_of(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{known.title} is not in {path.parent}; `alexnet data get {name}` downloads it and "
            f"`alexnet data import {name} PATH` makes it of an archive or a folder of images"
        )
    try:
        provenance = json.loads(str(read_arrays(path, ("provenance",))["provenance"]))
        check_format(path, provenance.get("format", 1), FORMAT)
        source, fingerprint = str(provenance["source"]), str(provenance["fingerprint"])
        arrays = read_arrays(path, (*ARRAYS, "classes"))
        check_arrays(known, arrays)
    except NewerFormat:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); make it again with `alexnet data get {name}` or "
            f"`alexnet data import {name} PATH`"
        ) from error
    tensors = {key: torch.from_numpy(arrays[key]) for key in ARRAYS}
    return ImageSet(name=name, source=source, classes=known.classes, fingerprint=fingerprint, **tensors)


def load_or_default(name: str) -> ImageSet:
    """Open a stored data set or, where it is not there, make the generated default set.

    Raises:
        ValueError: the set is there but damaged: that is never passed over in silence.
    """
    return load(name) if path_of(name).exists() else synthetic()


def check_arrays(known: KnownSet, arrays: dict[str, np.ndarray]) -> None:
    """Raise ValueError unless types, shapes, labels and class names are those of the data set."""
    if tuple(arrays["classes"].tolist()) != known.classes:
        raise ValueError("its classes are not those of " + known.title)
    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        count = known.num_images(split)
        wanted = (count, 3, known.height, known.width)
        if images.dtype != np.uint8 or images.shape != wanted:
            raise ValueError(f"{split}_images is {images.dtype} {images.shape}, not uint8 {wanted}")
        if labels.dtype != np.int64 or labels.shape != (count,):
            raise ValueError(f"{split}_labels is {labels.dtype} {labels.shape}, not int64 {(count,)}")
        if labels.min() < 0 or labels.max() >= len(known.classes):
            raise ValueError(f"{split}_labels has labels outside 0 to {len(known.classes) - 1}")


def save(known: KnownSet, arrays: dict[str, np.ndarray], provenance: dict) -> Path:
    """Store a data set, whole or not at all.

    Args:
        known: the data set that the arrays must match.
        arrays: train_images, train_labels, test_images, test_labels.
        provenance: at least "source", the phrase for captions; no dates, no paths.
    Returns:
        the path of the file.
    Raises:
        ValueError: the arrays do not match.
        OSError: the file cannot be written, for example because the disk is full.
    """
    arrays = {**arrays, "classes": np.array(known.classes)}
    check_arrays(known, arrays)
    provenance = {**provenance, "format": FORMAT, "fingerprint": fingerprint_of(in_splits(arrays))}
    arrays["provenance"] = np.array(json.dumps(provenance, sort_keys=True))
    path = path_of(known.name)
    with write_errors_explained(sum(array.nbytes for array in arrays.values())):
        write_arrays(path, arrays)
    return path


def in_splits(arrays: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (images, labels) of the training and of the test set."""
    return [(arrays[f"{split}_images"], arrays[f"{split}_labels"]) for split in ("train", "test")]


@contextlib.contextmanager
def write_errors_explained(num_bytes: int) -> Generator[None]:
    """Say in one sentence why the folder of the data sets cannot be written to, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not from the file system; it explains itself
            raise
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise OSError(
            f"cannot write to {root()}: {reason}; {num_bytes / 1e6:.0f} MB are needed there, or in another "
            "folder that you name in the environment variable ALEXNET_DATA"
        ) from error

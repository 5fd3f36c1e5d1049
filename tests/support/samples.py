"""A data set of thirty small images, in every form in which the package takes one."""

import io
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.data.catalogue import CIFAR10, KnownSet

TINY = replace(CIFAR10, train_per_class=2, test_per_class=1)
COUNTS = {"train": TINY.train_per_class, "test": TINY.test_per_class}


def pixels(split: str, label: int, number: int) -> np.ndarray:
    """Return an image (32, 32, 3) that differs from every other of the set."""
    seed = [split == "test", label, number]
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def expected(split: str) -> np.ndarray:
    """Return all images of a part, (N, 3, 32, 32), as the classes take turns."""
    images = [pixels(split, label, n) for n in range(COUNTS[split]) for label in range(10)]
    return np.stack(images).transpose(0, 3, 1, 2)


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    """Return the image as the bytes of a file; PNG keeps every pixel."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def image_files() -> dict[str, bytes]:
    """Return name -> content of the whole set, in an order that is not the sorted one."""
    files = {
        f"{split}/{name}/{n:04}.png": encoded(pixels(split, label, n))
        for split, count in COUNTS.items()
        for label, name in enumerate(TINY.classes)
        for n in range(count)
    }
    return dict(reversed(files.items()))


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_tar(path: Path, files: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def python2_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """Pickle a batch as Python 2 and the numpy of 2009 did, opcode by opcode: strings are bytes."""

    def string(content: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(content)) + content

    rows, columns = (struct.pack("<i", size) for size in images.shape)
    dtype = b"cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + string(b"b") + b"tR"
    array += b"(K\x01J" + rows + b"J" + columns + b"\x86" + dtype + b"\x89" + string(images.tobytes()) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + string(b"data") + array + string(b"labels") + numbers + b"u."


def python3_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """Pickle a batch as today's Python does in the old protocol."""
    return pickle.dumps({"data": images, "labels": labels}, protocol=2)


def official_files(batch=python2_batch) -> dict[str, bytes]:
    """Return the files of an archive in the official layout: two training batches and one for testing."""
    train, test = expected("train").reshape(20, 3072), expected("test").reshape(10, 3072)
    labels = [*range(10), *range(10)]
    folder = "cifar-10-batches-py/"
    return {
        folder + "batches.meta": pickle.dumps({"label_names": list(TINY.classes)}, protocol=2),
        folder + "data_batch_2": batch(train[8:], labels[8:]),
        folder + "readme.html": b"<html></html>",
        folder + "test_batch": batch(test, list(range(10))),
        folder + "data_batch_1": batch(train[:8], labels[:8]),
    }


def known_with(archive: bytes, sha256: str, url: str) -> KnownSet:
    """Return the small set with this archive as its official one."""
    return replace(TINY, archive=replace(TINY.archive, url=url, sha256=sha256, num_bytes=len(archive)))

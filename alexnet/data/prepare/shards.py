"""A shard of a prepared set: some thousand images in one file, and beside it their index.

``train-00007.tar`` (or ``.npy``, see `alexnet.data.splits`) holds the images, ``train-00007.npz`` the
index::

    labels          (n,) int64
    names           (n,) bytes: <class>/<name>.jpg
    digests         (n, 16) uint8: the start of the SHA-256 of label and image
    offsets, sizes  (n,) int64: where each image lies in the .tar, in bytes
    num_bytes       size of the .tar or .npy
    notes           JSON: [name, "converted" or "left out", why] of images that were not plain RGB
    enlarged        how many images were smaller than those of the set
    formats         JSON: how many of the images were a JPEG, a PNG, ...
    crc32           of all pixels in a .npy

Both are functions of the images alone: no dates, no paths. The index is written last, so a shard that has
one is whole.
"""

import hashlib
import io
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from alexnet.data.formats import SUFFIXES as SUFFIXES_OF_IMAGES
from alexnet.data.formats import find_suffix, recognise_format
from alexnet.data.images import Unreadable, decode, in_brief, resize_and_crop, to_array, to_jpeg
from alexnet.data.prepare.batches import decode_pixels
from alexnet.data.prepare.sources import File, Reader
from alexnet.storage.files import read_arrays, write_arrays, written_whole

DIGEST_BYTES = 16
BATCH = "batch"  # as a format
LEFT_OUT = "left out"  # of an image in the notes
SUFFIXES = {"jpeg": ".tar", "raw": ".npy"}


class Item(NamedTuple):
    """An image to be stored: its label, its name in the set, the file it is made from."""

    label: int
    name: str
    file: File


class Result(NamedTuple):
    """What became of an item: an image, or None; what is to be noted; whether it was enlarged; its format."""

    item: Item
    image: Image.Image | np.ndarray | None
    notes: list[str]
    enlarged: bool = False
    kind: str = ""


class TarWriter:
    """Writes images as a tar archive."""

    def __init__(self, file: BinaryIO, _size: int):
        self._file = file
        self._archive = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self._places: list[tuple[int, int]] = []

    def add(self, name: str, image: Image.Image) -> bytes:
        """Write an image; return the bytes that it became."""
        content = to_jpeg(image)
        info = tarfile.TarInfo(name)  # owner, mode and time are always the same
        info.size = len(content)
        self._archive.addfile(info, io.BytesIO(content))
        padded = -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        self._places.append((self._file.tell() - padded, len(content)))
        return content

    def finish(self) -> dict[str, np.ndarray]:
        """Write the end; return what the index is to say of where the images lie."""
        self._archive.close()
        offsets, sizes = np.array(self._places, np.int64).reshape(-1, 2).T
        return {"offsets": offsets, "sizes": sizes}


class ArrayWriter:
    """Writes images as a .npy file."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size, self._count, self._crc = file, size, 0, 0
        file.write(array_header(0, size))

    def add(self, _name: str, image: Image.Image | np.ndarray) -> bytes:
        """Write an image; return the bytes that it became."""
        content = to_array(image).tobytes()
        self._file.write(content)
        self._count += 1
        self._crc = zlib.crc32(content, self._crc)
        return content

    def finish(self) -> dict[str, np.ndarray]:
        """Write how many images there are; return what the index is to say of them all."""
        self._file.seek(0)
        self._file.write(array_header(self._count, self._size))
        self._file.seek(0, io.SEEK_END)
        return {"crc32": np.array(self._crc, np.uint32)}


WRITERS: dict[str, Any] = {"jpeg": TarWriter, "raw": ArrayWriter}  # arrays come where the form is raw


def array_header(count: int, size: int) -> bytes:
    """Return how a .npy file of `count` images begins; equally long for every count, as numpy pads it."""
    buffer = io.BytesIO()
    shape = (count, 3, size, size)
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def standard_images(items: Sequence[Item], size: int, *, exact: bool, reader: Reader) -> Iterator[Result]:
    """Read, decode and scale images, one after another; arguments as for `write_shard`."""
    for item in items:
        try:
            content = reader.read(item.file)
            if item.file.is_pixels:
                yield Result(item, decode_pixels(content), [], kind=BATCH)
                continue
            image, notes = decode(item.file.name, content)
            if exact and image.size != (size, size):
                raise Unreadable("{} x {} pixels, not {} x {}".format(*image.size, size, size))
            kind = recognise_format(content) or SUFFIXES_OF_IMAGES.get(find_suffix(item.file.name), "other")
            scaled = image if exact else resize_and_crop(image, size)
            yield Result(item, scaled, notes, min(image.size) < size, kind)
        except Unreadable as error:
            yield Result(item, None, [str(error)])
        except OSError as error:
            error.filename = error.filename or item.file.path  # a read that fails does not name its file
            raise
    reader.check_archives()


def write_shard(
    path: Path,
    items: Sequence[Item],
    *,
    size: int,
    form: str,
    exact: bool = False,
    reader: Reader,
    report: Callable[[str | None], None],
) -> None:
    """Make a shard and its index.

    Args:
        path: of the shard, without suffix.
        items: its images.
        size: height and width to scale them to.
        form: "jpeg" or "raw".
        exact: images of another size are not scaled, but cannot be stored.
        reader: reads the files, of other shards as well: to open a large zip takes seconds.
        report: called after each image with None, or why it could not be stored; what it raises ends the
            work.
    Raises:
        OSError: a file cannot be read or written; nothing is left behind then.
    """
    kept: list[Result] = []
    digests: list[bytes] = []
    notes: list[tuple[str, str, str]] = []
    with written_whole(path.with_suffix(SUFFIXES[form])) as file:
        writer = WRITERS[form](file, size)
        for result in standard_images(items, size, exact=exact, reader=reader):
            status = LEFT_OUT if result.image is None else "converted"
            notes += [(result.item.file.name, status, note) for note in result.notes]
            if result.image is not None:
                digests.append(hash_image(result.item.label, writer.add(result.item.name, result.image)))
                kept.append(result._replace(image=None))
            left_out = (
                f"{result.item.file.name}: {in_brief(result.notes[0])}" if result.image is None else None
            )
            report(left_out)
        places = writer.finish()
        num_bytes = file.tell()
    index = {
        "labels": np.array([result.item.label for result in kept], np.int64),
        "names": np.array([result.item.name.encode() for result in kept], np.bytes_),
        "digests": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES),
        "num_bytes": np.array(num_bytes, np.int64),  # its type is part of `hash_index`
        "notes": np.array(json.dumps(notes)),
        "enlarged": np.array(sum(result.enlarged for result in kept)),
        "formats": np.array(json.dumps(Counter(result.kind for result in kept))),
    }
    write_arrays(path.with_suffix(".npz"), index | places)


def hash_image(label: int, content: bytes) -> bytes:
    """Return what names a stored image with its label."""
    return hashlib.sha256(b"%d " % label + content).digest()[:DIGEST_BYTES]


def hash_index(index: Mapping[str, np.ndarray]) -> str:
    """Return 16 hexadecimal digits that name what reading and checking take from an index."""
    digest = hashlib.sha256()
    for name in ("labels", "digests", "num_bytes", "offsets", "sizes"):
        if name in index:
            digest.update(f"{name} {index[name].dtype} {index[name].shape}".encode() + index[name].tobytes())
    return digest.hexdigest()[:16]


def load_index(path: Path) -> dict[str, np.ndarray]:
    """Read the index of a shard, at its path without suffix; errors as for `read_arrays`."""
    return read_arrays(path.with_suffix(".npz"))


def has_left_out(path: Path) -> bool:
    """Return whether a shard that is whole lacks images that could not be read."""
    notes = json.loads(str(load_index(path)["notes"]))
    return any(status == LEFT_OUT for _, status, _ in notes)


def is_whole(path: Path, form: str) -> bool:
    """Return whether a shard is there with its index, as far as its size tells."""
    try:
        num_bytes = load_index(path)["num_bytes"]
    except (FileNotFoundError, ValueError, KeyError):
        return False
    shard = path.with_suffix(SUFFIXES[form])
    return shard.is_file() and shard.stat().st_size == num_bytes

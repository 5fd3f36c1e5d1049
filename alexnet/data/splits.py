"""Labelled images that are read by index: from memory, or from the shards of a prepared set.

A shard holds some thousand images in one of two forms:

- "jpeg": an uncompressed tar archive of <class>/<name>.jpg, which any tool unpacks. The shard's index knows
  at which byte each image begins, so that one is read without looking at the others.
- "raw": a numpy array (n, 3, size, size) uint8, in a .npy file.

Why a tar: ``benchmarks/storage.py`` on the 9,469 training images of Imagenette at 256x256, decoded by
Pillow, rates per second of processor time on a machine with other work::

    format                 kB each   fetched/s   decoded/s   what notices a cut-off file
    tar + index               25.1      80,800       1,860   its size when the set is opened
    WebDataset (in order)     25.1      23,300       1,470   reading on to the cut
    zip, stored               24.5      35,000       1,390   opening
    folder of JPEGs           24.4      47,900       1,440   decoding
    LMDB                      26.5     215,700       1,610   nothing: reading past the cut kills the process
    HDF5                      25.3       9,700       1,290   opening
    Arrow IPC                 24.4     164,000       1,690   opening
    Parquet                   24.4       2,500         850   opening
    npy, pixels              196.6   4,048,000      17,700   opening

Decoding takes some tenths of a millisecond, so formats that fetch in 0.02 ms or less are equals, and the
rest decides: any image in any order (not WebDataset, Parquet), nothing to install (not LMDB, HDF5, Arrow,
Parquet), few files (not a folder), opening a million images at once (not zip, 4 ms for a thousand). Pixels
are read ten times as fast and take eight times the space: a second form, for a fast GPU and a large memory.

Shards are opened for each batch and read, which takes 0.01 ms longer than mapping them into memory once: a
file that shrinks, or a disk that fails, is then an error that says so, not a signal that kills the process.
"""

import contextlib
import errno
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import torch
from simplejpeg import decode_jpeg
from torch import Tensor

Indices = Sequence[int] | np.ndarray | Tensor


class Split(Protocol):
    """What training and evaluation need of a set of images.

    Attributes:
        labels: (N,) int64.
        shape: (3, H, W) of every image.
        in_memory: whether ``read`` only copies, so that reading in other processes would gain nothing.
    """

    @property
    def labels(self) -> Tensor: ...

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def in_memory(self) -> bool: ...

    def __len__(self) -> int: ...

    def read(self, indices: Indices) -> Tensor:
        """Return the images (len(indices), 3, H, W) uint8, channels red, green, blue."""


@dataclass(frozen=True, eq=False)
class MemorySplit:
    """A `Split` of images in memory.

    Attributes:
        images: (N, 3, H, W) uint8.
        labels: (N,) int64.
    """

    images: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    in_memory = True

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def read(self, indices: Indices) -> Tensor:
        """Copy images out, as `Split` says.

        Raises:
            IndexError: there is no image of such an index.
        """
        return self.images[checked(indices, len(self))]


class PartOfSplit:
    """A `Split` of some images of another one.

    Attributes:
        labels: as of `Split`.
        shape: as of `Split`.
        in_memory: as of `Split`.
    """

    def __init__(self, whole: Split, places: Tensor):
        """Choose images. places: (n,) int64, indices into the whole split."""
        self.whole, self.places = whole, places
        self.labels, self.shape, self.in_memory = whole.labels[places], whole.shape, whole.in_memory

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Indices) -> Tensor:
        """Return images, as `Split` says.

        Raises:
            IndexError: there is no image of such an index.
        """
        return self.whole.read(self.places[checked(indices, len(self))])


class StoredSplit:
    """A `Split` of a prepared set.

    Attributes:
        labels: as of `Split`.
        shape: as of `Split`.
    """

    in_memory = False

    def __init__(self, shards: Sequence[Path], indices: Sequence[dict[str, np.ndarray]], *, size: int):
        """Describe the split; nothing is opened yet.

        Args:
            shards: the files, all .tar or all .npy.
            indices: of each shard "labels" (n,), and where its images lie: "offsets" and "sizes" (n,), in
                bytes.
            size: height and width of every image, in pixels.
        """
        self.labels = torch.from_numpy(np.concatenate([index["labels"] for index in indices]))
        self.shape = (3, size, size)
        self._shards = tuple(shards)
        self._starts = np.cumsum([0, *(len(index["labels"]) for index in indices)])  # and how many in all
        self._offsets = np.concatenate([index["offsets"] for index in indices])
        self._sizes = np.concatenate([index["sizes"] for index in indices])

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Indices) -> Tensor:
        """Read images, as `Split` says.

        Raises:
            IndexError: there is no image of such an index.
            ValueError: a file is gone, shorter than it was, or damaged.
            OSError: a file cannot be read, for another reason.
        """
        wanted = checked(indices, len(self)).numpy()
        shards = np.searchsorted(self._starts, wanted, side="right") - 1
        images = np.empty((len(wanted), *self.shape), np.uint8)
        by_shard = np.argsort(shards, kind="stable")
        for shard, places in groupby(by_shard.tolist(), key=shards.tolist().__getitem__):
            path = self._shards[shard]
            with reading(path) as file:
                for place in places:
                    index = int(wanted[place])
                    try:
                        images[place] = self._image(path, file, index)
                    except ValueError as error:
                        raise damaged(path, f"image {index} of the split: {error}") from error
        return torch.from_numpy(images)

    def _image(self, path: Path, file: BinaryIO, index: int) -> np.ndarray:
        """Return one image (3, size, size)."""
        content = read_piece(file, self._offsets[index], self._sizes[index])
        if path.suffix == ".npy":
            return np.frombuffer(content, np.uint8).reshape(self.shape)
        # The same pixels as Pillow's in little more than half the time; torchvision's is deprecated.
        pixels = decode_jpeg(content).transpose(2, 0, 1)
        if pixels.shape != self.shape:
            raise ValueError(f"its shape is {pixels.shape}, not {self.shape}")
        return pixels


@contextlib.contextmanager
def reading(shard: Path) -> Generator[FileIO]:
    """Open a shard; what hinders the reading is said with its name.

    Raises:
        ValueError: it is gone, or the disk cannot read it.
        OSError: it cannot be read for another reason, such as a missing permission.
    """
    try:
        with shard.open("rb", buffering=0) as file:
            yield file
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EIO, errno.EINVAL):
            raise damaged(shard, error.strerror or str(error)) from error
        error.filename = str(shard)  # a read that fails does not name its file
        raise


def read_piece(file: BinaryIO, offset: int, size: int) -> bytes:
    """Return ``size`` bytes of a file from an offset on; ValueError if it ends before."""
    file.seek(offset)
    content = file.read(size)
    if len(content) < size:
        raise ValueError("the file ends before it")
    return content


def checked(indices: Indices, count: int) -> Tensor:
    """Return the indices as a tensor (n,) int64; IndexError unless each is at least 0 and below the count."""
    indices = torch.as_tensor(indices, dtype=torch.int64)
    wrong = indices[(indices < 0) | (indices >= count)]
    if len(wrong):
        raise IndexError(f"there is no image {wrong[0].item()}; there are {count:,}")
    return indices


def damaged(path: Path, reason: str) -> ValueError:
    """Return the error for a file of a prepared set that cannot be read."""
    if not path.exists():
        return ValueError(
            f"there is no {path}; run the `alexnet data prepare` command of the set again, which makes that "
            "file anew"
        )
    return ValueError(
        f"{path} is damaged ({reason}); delete it and run the `alexnet data prepare` command of the "
        "set again, which makes that file anew"
    )

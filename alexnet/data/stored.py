"""The files of a prepared set: what set.json says of them, and whether they are those that were written."""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet.data.prepare.description import DESCRIPTION, damaged_description, read_description
from alexnet.data.prepare.shards import SUFFIXES, hash_image, hash_index
from alexnet.data.splits import damaged, read_piece, reading
from alexnet.shown import typed
from alexnet.storage.files import read_arrays


class StoredShard(NamedTuple):
    """What set.json says of a shard.

    Attributes:
        path: the .tar or .npy; its index lies beside it.
        count: how many images it holds.
        index_digest: see `hash_index`; None in sets of earlier versions, which did not keep it.
        image_shape: (3, H, W).
        num_classes: of the set.
    """

    path: Path
    count: int
    index_digest: str | None
    image_shape: tuple[int, int, int]
    num_classes: int


class StoredSet(NamedTuple):
    """What set.json says of a finished set: attributes as of `PreparedSet`, and each split's shards."""

    name: str
    source: str
    fingerprint: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    shards: dict[str, list[StoredShard]]


def describe_stored(path: Path) -> StoredSet:
    """Read what a finished set says of itself; its other files are not looked at. Raises as `open_set`."""
    if not (path / DESCRIPTION).is_file():
        raise FileNotFoundError(unfinished(path))
    about = read_description(path)
    if not about["finished"]:
        raise FileNotFoundError(unfinished(path))
    try:
        classes, names = tuple(about["classes"]), tuple(about["names"])
        shape, suffix = (3, int(about["size"]), int(about["size"])), SUFFIXES[about["form"]]
        shards: dict[str, list[StoredShard]] = {}
        for split, counts in about["splits"].items():
            digests = about["indices"][split] if "indices" in about else [None] * len(counts)
            shards[split] = [
                StoredShard(path / f"{split}-{i:05}{suffix}", int(count), digest, shape, len(classes))
                for i, (count, digest) in enumerate(zip(counts, digests, strict=True))
            ]
        if not shards or not all(shards.values()):
            raise ValueError("a split has no shards")
        return StoredSet(
            name=str(about["name"]),
            source=str(about["source"]),
            fingerprint=str(about["fingerprint"]),
            classes=classes,
            names=names,
            shards=shards,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged_description(path / DESCRIPTION, error) from error


def unfinished(path: Path) -> str:
    """Return the sentence for a folder in which there is no finished set."""
    return (
        f"there is no finished prepared set in {path}; `alexnet data prepare KIND SRC {typed(path)}` "
        "makes it, or resumes one that was stopped"
    )


def read_split(shards: Sequence[StoredShard]) -> tuple[np.ndarray, np.ndarray]:
    """Read a split of raw images whole, and see that every byte is the one that was written.

    Returns:
        images (N, 3, H, W) uint8, and labels (N,) int64.
    Raises:
        ValueError: a file is gone or damaged.
    """
    images = np.empty((sum(shard.count for shard in shards), *shards[0].image_shape), np.uint8)
    labels, start = [], 0
    for shard in shards:
        index = checked_index(shard, (), ("crc32",))
        part = images[start : start + shard.count]
        with reading(shard.path) as file:
            file.seek(int(index["num_bytes"]) - part.nbytes)
            num_bytes = file.readinto(part.data)
        if num_bytes != part.nbytes or zlib.crc32(part.data) != index["crc32"]:
            raise damaged(shard.path, "its images are not those that were written")
        labels.append(index["labels"])
        start += shard.count
    return images, np.concatenate(labels)


def checked_index(
    shard: StoredShard, images: Sequence[int] = (0, -1), besides: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read a shard's index, and see that it belongs to the set and the shard to it.

    Args:
        shard: as set.json has it.
        images: which to compare with what was written, by their position in the shard.
        besides: what else of the index is wanted.
    Returns:
        "labels", "digests", "num_bytes", and "offsets" and "sizes" of the images in bytes.
    Raises:
        ValueError: the index or the shard is gone or damaged.
    """
    index = read_index(shard, besides)
    found = shard.path.stat().st_size if shard.path.is_file() else 0
    if found != index["num_bytes"]:
        raise damaged(shard.path, f"it has {found:,} bytes, not {index['num_bytes']:,}")
    with reading(shard.path) as file:
        for i in images if shard.count else ():
            try:
                content = read_piece(file, index["offsets"][i], index["sizes"][i])
            except ValueError as error:
                raise damaged(shard.path, str(error)) from error
            if hash_image(index["labels"][i], content) != index["digests"][i].tobytes():
                name = f"image {i % shard.count + 1:,} of {shard.count:,}"
                raise damaged(shard.path, f"{name} is not the one that was written")
    return index


def read_index(shard: StoredShard, besides: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Read a shard's index and see that it is the one that set.json means; ValueError if not."""
    file = shard.path.with_suffix(".npz")
    is_tar = shard.path.suffix == ".tar"
    of_each = ("labels", "digests", "offsets", "sizes") if is_tar else ("labels", "digests")
    try:
        index = read_arrays(file, (*of_each, "num_bytes", *besides))
        for name in of_each:
            if len(index[name]) != shard.count:
                raise ValueError(f"it has {len(index[name]):,} {name}, not {shard.count:,}")
        labels = index["labels"]
        if labels.min(initial=0) < 0 or labels.max(initial=0) >= shard.num_classes:
            raise ValueError(f"it has labels outside 0 to {shard.num_classes - 1}")
        if shard.index_digest not in (None, hash_index(index)):
            raise ValueError("it is not the index that was written for this set")
    except (FileNotFoundError, ValueError) as error:
        raise damaged(file, str(error)) from error
    if not is_tar:  # images of one size, one after another behind the header
        size = math.prod(shard.image_shape)
        index["sizes"] = np.full(shard.count, size, np.int64)
        index["offsets"] = index["num_bytes"] - size * np.arange(shard.count, 0, -1, dtype=np.int64)
    return index

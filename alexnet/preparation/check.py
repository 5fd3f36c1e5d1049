"""``alexnet data check``: read a prepared set whole and compare it with what its index says."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from alexnet.preparation.shard import SUFFIXES, digest_of, is_whole, load_index


def damaged_shards(folder: Path, *, progress: bool = True) -> list[Path]:
    """Return the shards of a prepared set whose pictures are not those that were written.

    Args:
        folder: the set. progress: show a progress bar.
    """
    shards = sorted(path for suffix in SUFFIXES.values() for path in folder.glob(f"*{suffix}"))
    return [path for path in tqdm(shards, unit=" files", disable=not progress) if not is_sound(path)]


def is_sound(shard: Path) -> bool:
    """Tell whether every picture of a shard has the digest that the index has of it."""
    form = next(form for form, suffix in SUFFIXES.items() if shard.suffix == suffix)
    if not is_whole(shard.with_suffix(""), form):
        return False
    index = load_index(shard.with_suffix(""))
    digests = zip(index["labels"].tolist(), contents(shard), index["digests"], strict=True)
    try:
        return all(digest_of(label, content) == digest.tobytes() for label, content, digest in digests)
    except (ValueError, tarfile.TarError):  # there are more or fewer pictures, or no archive
        return False


def contents(shard: Path) -> Iterator[bytes]:
    """Yield the bytes of each picture of a shard."""
    if shard.suffix == ".npy":
        for picture in np.load(shard, mmap_mode="r"):
            yield picture.tobytes()
        return
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            yield archive.extractfile(member).read()

"""``alexnet data check``: read a prepared set whole and compare it with what was written."""

import tarfile
from pathlib import Path

import numpy as np

from alexnet.bars import Bar
from alexnet.data.splits import damaged
from alexnet.data.stored import StoredShard, checked_index, describe_stored


def damage_in(folder: Path, *, progress: bool = True) -> list[str]:
    """Return a sentence on each shard of a prepared set whose images or labels are not those written.

    Args:
        folder: the set.
        progress: show a progress bar.
    Raises:
        FileNotFoundError: as for `describe_stored`.
        ValueError: as for `describe_stored`.
    """
    shards = [shard for split in describe_stored(folder).shards.values() for shard in split]
    found = []
    for shard in Bar(shards, unit=" files", disable=not progress):
        try:
            check_frame(shard, checked_index(shard, range(shard.count)))
        except ValueError as error:
            found.append(str(error))
    return found


def check_frame(shard: StoredShard, index: dict[str, np.ndarray]) -> None:
    """Check that other tools find the images as well: by the headers of the .tar or .npy; ValueError if not.

    Args:
        shard: as set.json has it.
        index: as `checked_index` returns it.
    """
    try:
        if shard.path.suffix == ".npy":
            array = np.load(shard.path, mmap_mode="r")  # only the header is read
            right = array.dtype == np.uint8 and array.shape == (shard.count, *shard.image_shape)
        else:
            with tarfile.open(shard.path, "r:") as archive:
                found = [(member.offset_data, member.size) for member in archive]
            right = found == list(zip(index["offsets"].tolist(), index["sizes"].tolist(), strict=True))
    except Exception as error:  # numpy and tarfile stumble over damage in many ways
        raise damaged(shard.path, str(error)) from error
    if not right:
        raise damaged(shard.path, "its headers are not those that were written")

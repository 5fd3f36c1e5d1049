"""Open a prepared set, which ``alexnet data prepare`` made, or any other set in the same form.

A prepared set is a folder::

    set.json                   what the set is and where it came from
    manifest.csv               images that were converted or left out, and why
    train-00000.tar ...        the images in shards (in the raw form train-00000.npy ...)
    train-00000.npz ...        the index of each shard: labels, names, where each image lies
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet.checks import near_miss
from alexnet.data import store
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.prepare.description import DESCRIPTION, damaged_description, read_description
from alexnet.data.prepare.shards import SUFFIXES, digest_of, digest_of_index
from alexnet.data.splits import MemorySplit, Split, StoredSplit, damaged, read_piece, reading
from alexnet.storage.files import read_arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedSet:
    """Labelled images for training and evaluation, on disk or in memory.

    Attributes:
        name: short name.
        source: one phrase that says what the images are and where they came from, fit for a caption.
        classes: the classes in the order of the labels, by identifier: for ImageNet "n01440764".
        names: the same for people to read: "tench".
        fingerprint: 16 hexadecimal digits that name the images with their labels, whatever their order.
        splits: the images by split: "train", "val", "test", as far as the set has them.
        path: the folder; None for a set that has none.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    fingerprint: str
    splits: Mapping[str, Split] = field(repr=False)
    path: Path | None

    @property
    def train(self) -> Split:
        """The training images. Raises ValueError if there are none."""
        return self.split("train")

    @property
    def val(self) -> Split:
        """The validation images, or the test images of a set without; ValueError if it has neither."""
        return self.split("test" if "test" in self.splits and "val" not in self.splits else "val")

    def split(self, name: str) -> Split:
        """Return the images of "train", "val" or "test".

        Raises:
            ValueError: the set has no such split.
        """
        if name not in self.splits:
            there = ", ".join(self.splits)
            others = "--val-share for a part of train" if name != "train" else "the set for evaluation alone"
            raise ValueError(
                f"{self.name} has no {name!r} images, only {there}; "
                f"give them to `alexnet data prepare` as well, or use {others}"
            )
        return self.splits[name]


def open_prepared(name_or_path: str | Path) -> PreparedSet:
    """Return any set of images that training takes.

    Args:
        name_or_path: "cifar10", "default" (the generated set), or the folder of a prepared set.
    Raises:
        FileNotFoundError: it is not there; the message names the command that makes it.
        ValueError: it is damaged.
    """
    if name_or_path == "default":
        return in_memory(synthetic())
    if name_or_path in KNOWN_SETS:
        return in_memory(store.load(name_or_path))
    if not Path(name_or_path).expanduser().exists():
        raise FileNotFoundError(
            f"there is no data set {str(name_or_path)!r}: it is none of default, {', '.join(KNOWN_SETS)}, "
            "and no folder of a prepared set, as `alexnet data prepare` makes them"
            f"{near_miss(str(name_or_path), ('default', *KNOWN_SETS))}"
        )
    return open_set(name_or_path)


def in_memory(images: ImageSet) -> PreparedSet:
    """Present a set in memory as a prepared one; its test images are the split "test"."""
    return PreparedSet(
        name=images.name,
        source=images.source,
        classes=images.classes,
        names=images.classes,
        fingerprint=images.fingerprint,
        splits={
            "train": MemorySplit(images.train_images, images.train_labels),
            "test": MemorySplit(images.test_images, images.test_labels),
        },
        path=None,
    )


class StoredShard(NamedTuple):
    """What set.json says of a shard.

    Attributes:
        path: the .tar or .npy; its index lies beside it.
        count: how many images it holds.
        index_digest: see `digest_of_index`; None in sets of earlier versions, which did not keep it.
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


def open_set(path: Path | str) -> PreparedSet:
    """Open a prepared set.

    Every index is read whole and compared with what set.json has of it; of every shard the size, the first
    and the last image are. That takes a second for ILSVRC-2012, and notices files that are cut short,
    exchanged or replaced, and labels that were changed. A change further inside a shard it cannot see: that
    takes reading all of it, as ``alexnet data check`` does.

    Args:
        path: its folder.
    Raises:
        FileNotFoundError: there is no prepared set, or it is not finished.
        ValueError: it is damaged, or was made by a newer version.
    """
    path = Path(path).expanduser()
    stored = describe_stored(path)
    splits = {
        name: StoredSplit(
            [shard.path for shard in shards],
            [checked_index(shard) for shard in shards],
            size=shards[0].image_shape[1],
        )
        for name, shards in stored.shards.items()
    }
    return PreparedSet(
        name=stored.name,
        source=stored.source,
        classes=stored.classes,
        names=stored.names,
        fingerprint=stored.fingerprint,
        splits=splits,
        path=path,
    )


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
        f"there is no finished prepared set in {path}; `alexnet data prepare KIND SRC {path}` makes it, "
        "and goes on with one that was stopped"
    )


def checked_index(shard: StoredShard, images: Sequence[int] = (0, -1)) -> dict[str, np.ndarray]:
    """Read a shard's index, and see that it belongs to the set and the shard to it.

    Args:
        shard: as set.json has it.
        images: which to compare with what was written, by their position in the shard.
    Returns:
        "labels", "digests", "num_bytes", and "offsets" and "sizes" of the images in bytes.
    Raises:
        ValueError: the index or the shard is gone or damaged.
    """
    index = read_index(shard)
    found = shard.path.stat().st_size if shard.path.is_file() else 0
    if found != index["num_bytes"]:
        raise damaged(shard.path, f"it has {found:,} bytes, not {index['num_bytes']:,}")
    with reading(shard.path) as file:
        for i in images if shard.count else ():
            try:
                content = read_piece(file, index["offsets"][i], index["sizes"][i])
            except ValueError as error:
                raise damaged(shard.path, str(error)) from error
            if digest_of(index["labels"][i], content) != index["digests"][i].tobytes():
                name = f"image {i % shard.count + 1:,} of {shard.count:,}"
                raise damaged(shard.path, f"{name} is not the one that was written")
    return index


def read_index(shard: StoredShard) -> dict[str, np.ndarray]:
    """Read a shard's index and see that it is the one that set.json means; ValueError if not."""
    file = shard.path.with_suffix(".npz")
    is_tar = shard.path.suffix == ".tar"
    of_each = ("labels", "digests", "offsets", "sizes") if is_tar else ("labels", "digests")
    try:
        index = read_arrays(file, (*of_each, "num_bytes"))
        for name in of_each:
            if len(index[name]) != shard.count:
                raise ValueError(f"it has {len(index[name]):,} {name}, not {shard.count:,}")
        labels = index["labels"]
        if labels.min(initial=0) < 0 or labels.max(initial=0) >= shard.num_classes:
            raise ValueError(f"it has labels outside 0 to {shard.num_classes - 1}")
        if shard.index_digest not in (None, digest_of_index(index)):
            raise ValueError("it is not the index that was written for this set")
    except (FileNotFoundError, ValueError) as error:
        raise damaged(file, str(error)) from error
    if not is_tar:  # images of one size, one after another behind the header
        size = math.prod(shard.image_shape)
        index["sizes"] = np.full(shard.count, size)
        index["offsets"] = index["num_bytes"] - size * np.arange(shard.count, 0, -1)
    return index

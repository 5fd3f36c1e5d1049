"""Open a prepared set, which ``alexnet data prepare`` made, or any other set in the same form.

A prepared set is a folder:

    set.json                   what the set is and where it came from
    manifest.csv               pictures that were converted or left out, and why
    train-00000.tar ...        the pictures in shards (in the raw form train-00000.npy ...)
    train-00000.npz ...        the index of each shard: labels, names, where each picture lies
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alexnet.data import store
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.splits import MemorySplit, Split, StoredSplit, damaged
from alexnet.preparation.description import DESCRIPTION, FORMAT
from alexnet.preparation.shard import SUFFIXES


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedSet:
    """Labelled pictures for training and evaluation, on disk or in memory.

    Attributes:
        name: short name.
        source: one phrase that says what the pictures are and where they came from, fit for a caption.
        classes: the classes in the order of the labels, by identifier: for ImageNet "n01440764".
        names: the same for people to read: "tench".
        fingerprint: 16 hexadecimal digits that name the pictures with their labels, whatever their order.
        splits: the pictures by split: "train", "val", "test", as far as the set has them.
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
        """The training pictures. Raises ValueError if there are none."""
        return self.split("train")

    @property
    def val(self) -> Split:
        """The validation pictures, or the test pictures of a set without; ValueError if it has neither."""
        return self.split("test" if "test" in self.splits and "val" not in self.splits else "val")

    def split(self, name: str) -> Split:
        """Return the pictures of "train", "val" or "test".

        Raises:
            ValueError: the set has no such split.
        """
        if name not in self.splits:
            there = ", ".join(self.splits)
            raise ValueError(
                f"{self.name} has no {name!r} pictures, only {there}; "
                "give them to `alexnet data prepare` as well, or use --val-share for a part of train"
            )
        return self.splits[name]


def pictures_of(name_or_path: str | Path) -> PreparedSet:
    """Return any set of pictures that training takes.

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
        )
    return open_set(name_or_path)


def in_memory(images: ImageSet) -> PreparedSet:
    """Present a set in memory as a prepared one; its test pictures are the split "test"."""
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


def open_set(path: Path | str) -> PreparedSet:
    """Open a prepared set.

    Args:
        path: its folder.
    Raises:
        FileNotFoundError: there is no prepared set, or it is not finished.
        ValueError: it is damaged, or was made by a later version.
    """
    path = Path(path).expanduser()
    file = path / DESCRIPTION
    if not file.is_file():
        raise FileNotFoundError(unfinished(path))
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"it has format {about['format']}, and this version reads {FORMAT}")
        if not about["finished"]:
            raise FileNotFoundError(unfinished(path))
        splits = {name: [int(count) for count in counts] for name, counts in about["splits"].items()}
        fields = {key: str(about[key]) for key in ("name", "source", "fingerprint")}
        classes, names = tuple(about["classes"]), tuple(about["names"])
        size, suffix = int(about["size"]), SUFFIXES[about["form"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is damaged ({type(error).__name__}: {error}); delete the folder and run the "
            "`alexnet data prepare` command of the set again"
        ) from error
    opened = {
        name: open_split(path, name, counts, size=size, suffix=suffix) for name, counts in splits.items()
    }
    return PreparedSet(**fields, classes=classes, names=names, splits=opened, path=path)


def unfinished(path: Path) -> str:
    """Return the sentence for a folder in which there is no finished set."""
    return (
        f"there is no finished prepared set in {path}; `alexnet data prepare KIND SRC {path}` makes it, "
        "and goes on with one that was stopped"
    )


def open_split(folder: Path, name: str, counts: list[int], *, size: int, suffix: str) -> StoredSplit:
    """Open the split of a prepared set and see that its files are there, whole as far as their sizes tell.

    Args:
        folder: the prepared set.
        name: "train", "val" or "test".
        counts: pictures of each shard.
        size, suffix: height and width of the pictures; of the shards.
    Raises:
        ValueError: a file is gone or damaged.
    """
    shards = [folder / f"{name}-{number:05}{suffix}" for number in range(len(counts))]
    indices = [read_index(shard, count) for shard, count in zip(shards, counts, strict=True)]
    return StoredSplit(shards, indices, size=size)


def read_index(shard: Path, count: int) -> dict[str, np.ndarray]:
    """Read what reading needs of a shard's index, and see that the shard has the size that it tells.

    Args:
        shard: the .tar or .npy.
        count: how many pictures it must have.
    Raises:
        ValueError: the index or the shard is gone or damaged.
    """
    file = shard.with_suffix(".npz")
    wanted = ("labels", "num_bytes", *(("offsets", "sizes") if shard.suffix == ".tar" else ()))
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            index = {key: content[key] for key in wanted}
        if len(index["labels"]) != count:
            raise ValueError(f"it has {len(index['labels']):,} labels, not {count:,}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        raise damaged(file, str(error)) from error
    found = shard.stat().st_size if shard.is_file() else 0
    if found != index["num_bytes"]:
        raise damaged(shard, f"it has {found:,} bytes, not {index['num_bytes']:,}")
    return index

"""Open a prepared set, which ``alexnet data prepare`` made, or any other set in the same form.

A prepared set is a folder::

    set.json                   what the set is and where it came from
    manifest.csv               images that were converted or left out, and why
    train-00000.tar ...        the images in shards (in the raw form train-00000.npy ...)
    train-00000.npz ...        the index of each shard: labels, names, where each image lies
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from alexnet.checks import near_miss
from alexnet.data import store
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.splits import MemorySplit, PartOfSplit, Split, StoredSplit
from alexnet.data.stored import checked_index, describe_stored
from alexnet.storage.files import home

HELD_OUT = 10  # one of so many training images of each class, where a training has no others to validate on


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedSet:
    """Labelled images for training and evaluation, on disk or in memory.

    Attributes:
        name: short name.
        source: one phrase on the images and their origin, suitable for a caption.
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
            others = {"train": "the set for evaluation alone", "val": "--val-share for a part of train"}
            raise ValueError(
                f"{self.name} has no {name!r} images, only {there}; "
                f"give them to `alexnet data prepare` as well, or use {others.get(name, 'another split')}"
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
    if not home(name_or_path).exists():
        raise FileNotFoundError(
            f"there is no data set {str(name_or_path)!r}: it is none of default, {', '.join(KNOWN_SETS)}, "
            "and no folder of a prepared set, as `alexnet data prepare` makes them"
            f"{near_miss(str(name_or_path), ('default', *KNOWN_SETS))}"
        )
    return open_set(name_or_path)


def with_validation(dataset: PreparedSet) -> PreparedSet:
    """Return a set whose test images a training can leave alone until it is over.

    Where there are test images and no validation images, a tenth of the training images of each class becomes
    the split "val", the same tenth at every call: a test error used for choices would be too low.
    Where no class has ten images it is a tenth of all of them, and one at least.

    Raises:
        ValueError: there are fewer than two training images.
    """
    if "val" in dataset.splits or not {"train", "test"} <= dataset.splits.keys():
        return dataset
    labels = dataset.train.labels
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # in the shuffled order in each class
    for of_class in by_class.split(labels.bincount(minlength=len(dataset.classes)).tolist()):
        held_out[of_class[: len(of_class) // HELD_OUT]] = True
    if not held_out.any():
        if len(labels) < 2:
            count = f"{len(labels)} training image{'s' * (len(labels) != 1)}"
            raise ValueError(f"{dataset.name} has {count}: two are needed, one of them to validate")
        held_out[shuffled[: max(1, len(labels) // HELD_OUT)]] = True
    parts = {
        name: PartOfSplit(dataset.train, chosen.nonzero()[:, 0])
        for name, chosen in (("train", ~held_out), ("val", held_out))
    }
    told = f"{dataset.fingerprint}, one of {HELD_OUT} held out"
    fingerprint = hashlib.sha256(told.encode()).hexdigest()[:16]
    return replace(dataset, splits={**dataset.splits, **parts}, fingerprint=fingerprint)


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
    path = home(path).absolute()  # this process may change its working folder
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

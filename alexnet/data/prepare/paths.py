"""The names that data sets use: of splits, of archives; and the location of an image in ImageNet's sets.

train/<class>/a.jpg                              folders, also within an archive of any name
ILSVRC2012_img_train.tar/<class>.tar/a.JPEG      an archive counts as a folder; its name may tell the split
ILSVRC2012_img_val.tar/a.JPEG                    no class: the ground truth must tell it
<class>/a.jpg                                    no split: it is an image to train on
"""

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from alexnet.data.prepare.sources import ARCHIVES, File

SPLITS = {
    **dict.fromkeys(("train", "training", "trainset", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "valset", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "testset", "tst"), "test"),
}
# What may stand beside such a word: training_set, seg_train, Final_Test, val_256, test-images, train2017.
BESIDE = frozenset(
    ("set", "data", "dataset", "images", "image", "imgs", "img", "photos", "seg", "final", "split")
    + ("folder", "folders", "standard", "large", "small", "full", "original", "resized", "ilsvrc", "imagenet")
)


class Place(NamedTuple):
    """Where an image belongs: its split, its class, its name within."""

    split: str
    class_id: str
    name: str


@functools.cache  # a million paths have few names of folders
def parse_split(name: str) -> str | None:
    """Return the split that a folder's name means, as "training_set" does; None if it means none."""
    words = re.findall("[a-z]+", stem(name).lower())
    splits = [SPLITS[word] for word in words if word in SPLITS]
    others = [word for word in words if word not in SPLITS and word not in BESIDE]
    return splits[0] if len(splits) == 1 and not others else None


def parse_place(path: str) -> tuple[str, str | None, str]:
    """Return the split of an image of ImageNet by its path, its class (None if it tells none), its name.

    Args:
        path: as in ``File.name``.
    """
    *folders, base = path.split("/")
    for i, folder in enumerate(folders):
        split = parse_split(folder)
        if split and not is_archive(folder):
            below = folders[i + 1 :]
            return split, stem(below[0]) if below else None, "/".join([*below[1:], base])
    for i, folder in enumerate(folders):
        split = parse_archive_split(folder)
        if split:
            return split, stem(folders[-1]) if i < len(folders) - 1 else None, base
    return "train", stem(folders[-1]) if folders else None, base


@functools.cache
def parse_archive_split(name: str) -> str | None:
    """Return the split that an archive's name has a word for, as in "ILSVRC2010_images_val.tar"."""
    if not is_archive(name):
        return None
    words = re.split(r"[^a-z]+", stem(name).lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def is_archive(name: str) -> bool:
    """Return whether a name is that of an archive."""
    return name.lower().endswith(ARCHIVES)


def stem(name: str) -> str:
    """Return a name without the suffix that makes it an archive's."""
    return next((name[: -len(suffix)] for suffix in ARCHIVES if name.lower().endswith(suffix)), name)


def images_to_keep(images: Iterable[tuple[Place, File]], share: float) -> set[File]:
    """Choose the training images that become validation images: the same fraction of each class.

    The choice depends on the names of the images alone, so it is the same on every machine.

    Args:
        images: of all splits.
        share: of each class, from 0 to 1; rounded to whole images.
    """
    by_class = defaultdict(list)
    for place, file in images:
        if place.split == "train":
            digest = hashlib.sha256(f"{place.class_id}/{place.name}".encode()).digest()
            by_class[place.class_id].append((digest, file))
    chosen = set()
    for files in by_class.values():
        files.sort(key=lambda entry: entry[0])
        chosen.update(file for _, file in files[: round(share * len(files))])
    return chosen

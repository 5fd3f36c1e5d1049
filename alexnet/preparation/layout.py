"""From the path of a picture to its split and class, for every usual way to lay out a set.

train/<class>/a.jpg                              folders, also within an archive of any name
ILSVRC2012_img_train.tar/<class>.tar/a.JPEG      an archive counts as a folder; its name may tell the split
ILSVRC2012_img_val.tar/a.JPEG                    no class: the ground truth must tell it
<class>/a.jpg                                    no split: it is a picture to train on
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from alexnet.preparation.formats import SUFFIXES
from alexnet.preparation.sources import ARCHIVES, File

SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip


class Place(NamedTuple):
    """Where a picture belongs: its split, its class (None if the path does not tell), its name within."""

    split: str
    class_id: str | None
    name: str


def is_picture(name: str) -> bool:
    """Tell from its name whether a file should be a picture."""
    return "." in name and "." + name.rsplit(".", 1)[1].lower() in SUFFIXES


def place_of(path: str) -> Place:
    """Return the place that a picture's path gives it.

    Args:
        path: as in ``File.name``.
    """
    *folders, base = path.split("/")
    for i, folder in enumerate(folders):
        if folder.lower() in SPLITS:
            below = folders[i + 1 :]
            return Place(
                SPLITS[folder.lower()], stem(below[0]) if below else None, "/".join([*below[1:], base])
            )
    last = folders[-1] if folders else None
    for i, folder in enumerate(folders):
        split = split_of_archive(folder)
        if split:
            return Place(split, stem(last) if i < len(folders) - 1 else None, base)
    return Place("train", stem(last) if last else None, base)


def split_of_archive(name: str) -> str | None:
    """Return the split that an archive's name has a word for, as in "ILSVRC2010_images_val.tar"."""
    if not name.lower().endswith(ARCHIVES):
        return None
    words = re.split(r"[^a-z]+", stem(name).lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def stem(name: str) -> str:
    """Return a name without the suffix that makes it an archive's."""
    return next((name[: -len(suffix)] for suffix in ARCHIVES if name.lower().endswith(suffix)), name)


def pictures_to_keep(pictures: Iterable[tuple[Place, File]], share: float) -> set[File]:
    """Choose the training pictures that become validation pictures: the same share of each class.

    The choice depends on the names of the pictures alone, so it is the same on every machine.

    Args:
        pictures: of all splits.
        share: of each class, from 0 to 1; rounded to whole pictures.
    """
    by_class = defaultdict(list)
    for place, file in pictures:
        if place.split == "train":
            digest = hashlib.sha256(f"{place.class_id}/{place.name}".encode()).digest()
            by_class[place.class_id].append((digest, file))
    chosen = set()
    for files in by_class.values():
        files.sort(key=lambda entry: entry[0])
        chosen.update(file for _, file in files[: round(share * len(files))])
    return chosen

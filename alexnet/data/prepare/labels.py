"""Files that tell the class of images which lie in no class's folder.

::

    ILSVRC          the ground truth in its development kit, or Kaggle's (see `alexnet.data.ilsvrc`)
    tiny-imagenet   val_annotations.txt: "val_0.JPEG", the class and a box in each line
    Places365       places365_val.txt: an image and the number of its class in each line; the classes of these
                    numbers are in categories_places365.txt, as "/a/airfield 0"
"""

import re

from alexnet.data import ilsvrc
from alexnet.data.prepare.sources import File, Reader
from alexnet.shown import printable

TINY_IMAGENET = "val_annotations.txt"
PLACES, PLACES_CLASSES = "places365_val.txt", "categories_places365.txt"
# Annotations that have several objects for an image, and no class of the whole.
ANNOTATIONS = {
    "VOC": re.compile(r"(^|/)Annotations/[^/]+\.xml$"),
    "COCO": re.compile(r"(^|/)(instances|captions|person_keypoints)_\w+\.json$"),
    "YOLO": re.compile(r"(^|/)labels/([^/]+/)*[^/]+\.txt$"),
}


class Labels:
    """The classes that label files tell.

    Attributes:
        kit: what was found of a development kit of ILSVRC.

    Args:
        strict: as for `alexnet.data.ilsvrc.Kit`.
    """

    def __init__(self, *, strict: bool = True):
        self.kit = ilsvrc.Kit(strict=strict)
        self._classes: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._categories: dict[str, str] = {}
        self._annotations: dict[str, str] = {}

    def take(self, file: File, reader: Reader) -> bool:
        """Read a file if it is one with labels; return whether it was.

        Raises:
            ValueError: it is damaged.
        """
        base = file.name.rsplit("/", 1)[-1]
        if base not in (TINY_IMAGENET, PLACES, PLACES_CLASSES):
            for name, pattern in ANNOTATIONS.items():
                if pattern.search(file.name):
                    self._annotations.setdefault(name, file.name)
            return self.kit.take(file, reader)
        try:
            rows = [line.split() for line in reader.read(file).decode().splitlines() if line.strip()]
            pairs = {row[0]: printable(row[1]) for row in rows}
        except (ValueError, IndexError) as error:
            raise ValueError(f"{file.name} does not tell a class in each line; get it again") from error
        if base == TINY_IMAGENET:
            self._classes |= pairs
        elif base == PLACES:
            self._numbers |= pairs
        else:
            self._categories |= {number: name.strip("/") for name, number in pairs.items()}
        return True

    def find_class(self, base: str) -> str | None:
        """Return the class of an image by its file name, such as "val_0.JPEG"; None if no file tells it.

        Raises:
            ValueError: the ground truth of ILSVRC is damaged.
        """
        if self.kit.knows(base):
            return self.kit.find_class(base)
        return self._classes.get(base) or self._categories.get(self._numbers.get(base, ""))

    def why_not(self) -> str:
        """Report annotations of another kind, which name no class; "" if there are none."""
        for name, file in self._annotations.items():
            return f" ({file} has annotations as {name} has them, with any number of objects in an image)"
        return ""

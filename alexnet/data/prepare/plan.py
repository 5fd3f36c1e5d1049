"""What a prepared set is to hold: every image with its split, label and name, in an order of its own.

The plan depends on what the sources hold, not on how they are laid out or in which order they are read.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.data import ilsvrc
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.prepare.classes import check_names, check_splits
from alexnet.data.prepare.finding import LeftOut, find
from alexnet.data.prepare.known import in_turn, places_of_known
from alexnet.data.prepare.labels import Labels
from alexnet.data.prepare.levels import Level
from alexnet.data.prepare.paths import images_to_keep, stem
from alexnet.data.prepare.placing import Images, places_in_folders, places_of_imagenet
from alexnet.data.prepare.shards import Item
from alexnet.data.prepare.sources import File
from alexnet.data.walk import as_named
from alexnet.shown import printable

KINDS = ("imagenet", "imagenette", "folder", *KNOWN_SETS)
# The ten easy classes of ILSVRC-2012 that make up Imagenette.
IMAGENETTE = (
    "n01440764", "n02102040", "n02979186", "n03000684", "n03028079",
    "n03394916", "n03417042", "n03425413", "n03445777", "n03888257",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is to be prepared.

    Attributes:
        name: of the set: "ILSVRC-2012", "Imagenette", "CIFAR-10", or that of the source.
        classes: identifier -> name, in the order of the labels.
        splits: the images by split, sorted by class and name, or as `in_turn` does; those without images are
            left out.
        remarks: sentences that the user should read.
    """

    name: str
    classes: dict[str, str]
    splits: dict[str, list[Item]]
    remarks: list[str]

    @property
    def num_images(self) -> int:
        """How many there are in all splits."""
        return sum(map(len, self.splits.values()))

    def digest(self) -> str:
        """Return 16 hexadecimal digits that name the images by split, label and name."""
        digest = hashlib.sha256()
        for split, items in self.splits.items():
            digest.update(f"{split}\n".encode())
            digest.update("".join(f"{item.label} {item.name}\n" for item in items).encode())
        return digest.hexdigest()[:16]


def make_plan(
    kind: str,
    sources: Sequence[Path],
    scratch: Path,
    *,
    val_share: float = 0.0,
    class_level: Level | None = None,
    missing_classes: bool = False,
    progress: bool = True,
) -> Plan:
    """Look through the sources and say what the set will hold.

    Args:
        kind: one of ``KINDS``.
        sources: folders, archives and files that together hold the set.
        scratch: folder for decompressed archives.
        val_share: of each class, how much of the training images becomes the validation split.
        class_level: of a "folder" set, the level of folders that is the class (see
            `alexnet.data.prepare.levels`); None: the only one that can be.
        missing_classes: whether the validation images may lack classes that the training images have.
        progress: show how many files were found so far.
    Raises:
        FileNotFoundError: a source is not there.
        ValueError: a source is damaged, they do not hold such a set, or it can be read in two ways.
    """
    left_out = LeftOut()
    looking = {"batches": kind in KNOWN_SETS, "strict": kind == "imagenet", "progress": progress}
    files, labels = find(sources, scratch, left_out, **looking)
    images, remarks = placed(kind, files, labels, class_level, left_out)
    if not images:
        raise ValueError(
            "; ".join(
                [f"there are no images of a class in {' '.join(map(str, sources))}", *left_out.sentences()]
            )
        )
    images = with_val_share(images, val_share, said := [])
    by_split: dict[str, set[str]] = defaultdict(set)
    for place, _ in images:
        by_split[place.split].add(place.class_id)
    found = set().union(*by_split.values())
    name, classes = name_and_classes(kind, sources, found, labels.kit)
    check_names(found)
    remarks += check_splits(by_split, missing_classes=missing_classes) + said
    if "train" not in by_split:
        remarks.append("there are no training images: the set is for evaluation alone")
    splits = (in_turn if kind in KNOWN_SETS else sorted_splits)(images, list(classes))
    if kind == "imagenet":
        official = ilsvrc.COUNTS[name.removeprefix("ILSVRC-")]
        for split, items in splits.items():
            if len(items) != official.get(split):
                remarks.append(f"{split}: {len(items):,} images; officially {official.get(split, 0):,}")
    return Plan(name, classes, splits, remarks + left_out.sentences())


def placed(
    kind: str, files: list[File], labels: Labels, class_level: Level | None, left_out: LeftOut
) -> tuple[Images, list[str]]:
    """Return the images with their locations, and sentences on how these were found."""
    if kind == "folder":
        return places_in_folders(files, labels, class_level, left_out)
    if kind in KNOWN_SETS:
        return places_of_known(KNOWN_SETS[kind], files, left_out), []
    images, remarks = places_of_imagenet(files, labels, left_out), []
    if kind == "imagenet":
        images, num_patched = ilsvrc.patched(images)
        if num_patched:
            remarks.append(f"{num_patched:,} blank images are replaced by those of patch_images")
    return images, remarks


def name_and_classes(
    kind: str, sources: Sequence[Path], found: set[str], kit: ilsvrc.Kit
) -> tuple[str, dict[str, str]]:
    """Return the name of the set, and its classes in the order of the labels, each with its name."""
    if kind == "imagenet":
        year, classes = ilsvrc.identify_classes(found, kit)
        return f"ILSVRC-{year}", classes
    if kind == "imagenette":
        if found - set(IMAGENETTE):
            raise ValueError(
                f"{min(found - set(IMAGENETTE))!r} is no class of Imagenette; for another set use `folder`"
            )
        return "Imagenette", named(IMAGENETTE)
    if kind in KNOWN_SETS:
        return KNOWN_SETS[kind].title, named(KNOWN_SETS[kind].classes)
    return printable(stem(as_named(sources[0]).name)), named(sorted(found))


def named(classes: Iterable[str]) -> dict[str, str]:
    """Return a name for each class: of ILSVRC-2012 the usual one, of others the identifier itself."""
    classes = list(classes)
    # The usual names come from torchvision, which takes seconds to import.
    names = ilsvrc.names_of_2012() if set(classes) & set(ilsvrc.wnids_of_2012()) else {}
    return {class_id: names.get(class_id, class_id) for class_id in classes}


def with_val_share(images: Images, share: float, remarks: list[str]) -> Images:
    """Make validation images of a fraction of the training images.

    Raises:
        ValueError: there are validation images already, or no training image would be left.
    """
    splits = {place.split for place, _ in images}
    if not share:
        if splits == {"train"}:
            remarks.append("there are no validation images; --val-share 0.1 would keep a tenth for that")
        return images
    if "val" in splits:
        raise ValueError("--val-share is for sets without validation images, and these have some")
    kept = images_to_keep(images, share)
    if not kept or len(kept) == sum(place.split == "train" for place, _ in images):
        raise ValueError(f"--val-share {share} leaves no images on one side")
    remarks.append(f"{len(kept):,} training images are kept for validation")
    return [(place._replace(split="val") if file in kept else place, file) for place, file in images]


def sorted_splits(images: Images, classes: list[str]) -> dict[str, list[Item]]:
    """Return the images of each split, sorted by label and name.

    Raises:
        ValueError: two images have the same split, class and name.
    """
    label_of = {wnid: label for label, wnid in enumerate(classes)}
    splits: dict[str, list[Item]] = {"train": [], "val": [], "test": []}
    before, taken = None, set()
    for place, file in sorted(images, key=lambda image: (image[0], image[1].name)):
        if before and place == before[0]:
            raise ValueError(
                f"two images are {'/'.join(place)}: {before[1].name} in {before[1].path} and "
                f"{file.name} in {file.path}; give each image once"
            )
        if not before or place[:2] != before[0][:2]:
            taken = set()
        before = place, file
        name = free_name(place.name, taken)
        taken.add(name)
        splits[place.split].append(Item(label_of[place.class_id], f"{place.class_id}/{name}", file))
    for items in splits.values():
        items.sort(key=lambda item: item[:2])
    return {split: items for split, items in splits.items() if items}


def free_name(name: str, taken: set[str]) -> str:
    """Return the name to store an image under: ".jpg" in place of its suffix, after it if that is taken."""
    folder, slash, base = name.rpartition("/")
    free = f"{folder}{slash}{base.rsplit('.', 1)[0]}.jpg"
    while free in taken:
        name = free = f"{name}.jpg"
    return free

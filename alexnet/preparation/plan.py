"""What a prepared set is to hold: every picture with its split, label and name, in an order of its own.

The plan depends on what the sources hold, not on how they are laid out or in which order they are read.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from alexnet.preparation import ilsvrc
from alexnet.preparation.layout import Place, is_picture, pictures_to_keep, place_of, stem
from alexnet.preparation.shard import Item
from alexnet.preparation.sources import File, Reader, files_of

KINDS = ("imagenet", "imagenette", "folder")
# The ten easy classes of ILSVRC-2012 that make up Imagenette.
IMAGENETTE = (
    "n01440764", "n02102040", "n02979186", "n03000684", "n03028079",
    "n03394916", "n03417042", "n03425413", "n03445777", "n03888257",
)  # fmt: skip

Pictures = list[tuple[Place, File]]


@dataclass(frozen=True)
class Plan:
    """What is to be prepared.

    Attributes:
        name: of the set: "ILSVRC-2012", "Imagenette", or that of the source.
        classes: identifier -> name, in the order of the labels.
        splits: the pictures by split, sorted by class and name; those without pictures are left out.
        remarks: sentences that the user should read.
    """

    name: str
    classes: dict[str, str]
    splits: dict[str, list[Item]]
    remarks: list[str]

    @property
    def num_pictures(self) -> int:
        """How many there are in all splits."""
        return sum(map(len, self.splits.values()))

    def digest(self) -> str:
        """Return 16 hexadecimal digits that name the pictures by split, label and name."""
        digest = hashlib.sha256()
        for split, items in self.splits.items():
            digest.update(f"{split}\n".encode())
            digest.update("".join(f"{item.label} {item.name}\n" for item in items).encode())
        return digest.hexdigest()[:16]


def make_plan(
    kind: str, sources: Sequence[Path], scratch: Path, *, val_share: float = 0.0, progress: bool = True
) -> Plan:
    """Look through the sources and say what the set will hold.

    Args:
        kind: one of ``KINDS``.
        sources: folders, archives and files that together hold the set.
        scratch: folder for decompressed archives.
        val_share: of each class, how much of the training pictures becomes the validation split.
        progress: show how many files were found so far.
    Raises:
        FileNotFoundError: a source is not there.
        ValueError: a source is damaged, or they do not hold such a set.
    """
    pictures, kit = find(sources, scratch, progress=progress)
    remarks: list[str] = []
    if kind == "imagenet":
        pictures, num_patched = ilsvrc.patched(pictures)
        if num_patched:
            remarks.append(f"{num_patched:,} blank pictures are replaced by those of patch_images")
    pictures = with_classes(pictures, kit, remarks)
    if not pictures:
        raise ValueError(f"there are no pictures of a class in {' '.join(map(str, sources))}")
    found = {place.class_id for place, _ in pictures}
    name, classes = name_and_classes(kind, sources, found, kit)
    pictures = with_val_share(pictures, val_share, remarks)
    splits = sorted_splits(pictures, list(classes))
    if kind == "imagenet":
        official = ilsvrc.COUNTS[name.removeprefix("ILSVRC-")]
        for split, items in splits.items():
            if len(items) != official.get(split):
                remarks.append(f"{split}: {len(items):,} pictures; officially {official.get(split, 0):,}")
    return Plan(name, classes, splits, remarks)


def find(sources: Iterable[Path], scratch: Path, *, progress: bool) -> tuple[Pictures, ilsvrc.Kit]:
    """Return every picture of the sources with its place, and what there is of a development kit."""
    pictures, kit = [], ilsvrc.Kit()
    with tqdm(desc="looking for pictures", unit=" files", disable=not progress) as bar, Reader() as reader:
        for source in sources:
            for file in files_of(source, scratch):
                bar.update()
                if is_picture(file.name):
                    pictures.append((place_of(file.name), file))
                else:
                    kit.take(file, reader)
    return pictures, kit


def with_classes(pictures: Pictures, kit: ilsvrc.Kit, remarks: list[str]) -> Pictures:
    """Let the ground truth tell the class where no folder does; leave out test pictures that have none."""
    known, num_unlabelled = [], 0
    for place, file in pictures:
        if place.class_id is None:
            if place.split == "test" and not kit.knows(place.name):
                num_unlabelled += 1
                continue
            place = place._replace(class_id=kit.class_of(place.name))
        known.append((place, file))
    if num_unlabelled:
        remarks.append(f"{num_unlabelled:,} test pictures are left out, as there is no ground truth for them")
    return known


def name_and_classes(
    kind: str, sources: Sequence[Path], found: set[str], kit: ilsvrc.Kit
) -> tuple[str, dict[str, str]]:
    """Return the name of the set, and its classes in the order of the labels, each with its name."""
    if kind == "imagenet":
        year, classes = ilsvrc.classes_of(found, kit)
        return f"ILSVRC-{year}", classes
    if kind == "imagenette":
        if found - set(IMAGENETTE):
            raise ValueError(
                f"{min(found - set(IMAGENETTE))!r} is no class of Imagenette; for another set use `folder`"
            )
        return "Imagenette", named(IMAGENETTE)
    return stem(sources[0].resolve().name), named(sorted(found))


def named(classes: Iterable[str]) -> dict[str, str]:
    """Return a name for each class: of ILSVRC-2012 the usual one, of others the identifier itself."""
    classes = list(classes)
    # The usual names come from torchvision, which takes seconds to import.
    names = ilsvrc.names_of_2012() if set(classes) & set(ilsvrc.wnids_of_2012()) else {}
    return {class_id: names.get(class_id, class_id) for class_id in classes}


def with_val_share(pictures: Pictures, share: float, remarks: list[str]) -> Pictures:
    """Make validation pictures of a share of the training pictures.

    Raises:
        ValueError: there are validation pictures already, or no training picture would be left.
    """
    splits = {place.split for place, _ in pictures}
    if not share:
        if splits == {"train"}:
            remarks.append("there are no validation pictures; --val-share 0.1 would keep a tenth for that")
        return pictures
    if "val" in splits:
        raise ValueError("--val-share is for sets without validation pictures, and these have some")
    kept = pictures_to_keep(pictures, share)
    if not kept or len(kept) == sum(place.split == "train" for place, _ in pictures):
        raise ValueError(f"--val-share {share} leaves no pictures on one side")
    remarks.append(f"{len(kept):,} training pictures are kept for validation")
    return [(place._replace(split="val") if file in kept else place, file) for place, file in pictures]


def sorted_splits(pictures: Pictures, classes: list[str]) -> dict[str, list[Item]]:
    """Return the pictures of each split, sorted by label and name.

    Raises:
        ValueError: two pictures have the same split, class and name.
    """
    label_of = {wnid: label for label, wnid in enumerate(classes)}
    splits: dict[str, list[Item]] = {"train": [], "val": [], "test": []}
    for place, file in pictures:
        name = f"{place.class_id}/{place.name.rsplit('.', 1)[0]}.jpg"
        splits[place.split].append(Item(label_of[place.class_id], name, file))
    for split, items in splits.items():
        items.sort(key=lambda item: item[:2])
        for one, other in zip(items, items[1:], strict=False):
            if one.name == other.name:
                raise ValueError(
                    f"two pictures are {split}/{one.name}: {one.file.name} in {one.file.path} and "
                    f"{other.file.name} in {other.file.path}; give each picture once"
                )
    return {split: items for split, items in splits.items() if items}

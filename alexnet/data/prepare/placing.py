"""The split, the class and the name of every image that was found."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from alexnet.data.prepare.finding import LeftOut
from alexnet.data.prepare.labels import Labels
from alexnet.data.prepare.levels import (
    PATH,
    Group,
    Level,
    beside_splits,
    class_levels,
    folder_within,
    group_by_folder,
    level_of_classes,
    names_at,
    shortened,
)
from alexnet.data.prepare.paths import Place, parse_place, stem
from alexnet.data.prepare.sources import File

Images = list[tuple[Place, File]]
UNLABELLED_TEST = "a test image whose class no file tells"


def places_of_imagenet(files: Sequence[File], labels: Labels, left_out: LeftOut) -> Images:
    """Place the images of ImageNet: the ground truth tells the class where no folder does.

    Raises:
        ValueError: it does not.
    """
    placed = []
    for file in files:
        split, class_id, name = parse_place(file.name)
        if class_id is None:
            if split == "test" and not labels.kit.knows(name):
                left_out.add(UNLABELLED_TEST, file.name)
                continue
            class_id = labels.kit.find_class(name)
        placed.append((Place(split, class_id, name), file))
    return placed


def places_in_folders(
    files: Sequence[File], labels: Labels, class_level: Level | None, left_out: LeftOut
) -> tuple[Images, list[str]]:
    """Place the images of any set by their folders, and where these tell no class by files with labels.

    Args:
        files: the images.
        labels: what files with labels tell.
        class_level: the level of folders that is the class; None: the only one that can be.
        left_out: images that belong to no split or class are counted there.
    Returns:
        the images, and sentences on how their paths were read.
    Raises:
        ValueError: the folders tell no class, or can be read in two ways.
    """
    groups = group_by_folder(files)
    for file in (file for group in beside_splits(groups) for file in group.files):
        left_out.add("beside the folders of splits", file.name)
    groups = [group for group in groups if group.split] or groups
    level = level_of_classes(groups, class_level)
    levels, said = class_levels(groups), how_read(groups, level)
    placed, told, unlabelled = [], Counter(), defaultdict(list)
    for group in groups:
        split, folder = group.split or "train", class_in(group, level)
        within = folder_within(group, level, levels) if folder and level is not None else ""
        for file in group.files:
            base = file.name.rpartition("/")[2]
            class_id = folder or labels.find_class(base)
            if class_id is None:
                unlabelled[split].append(file)
                continue
            told[split] += folder is None
            placed.append((Place(split, class_id, within + base), file))
    leave_out_unlabelled(unlabelled, {place.split for place, _ in placed}, labels, left_out)
    said += [
        f"{count:,} {split} images have their class from a file with labels"
        for split, count in told.items()
        if count
    ]
    return placed, said


def class_in(group: Group, level: Level | None) -> str | None:
    """Return the class that the path of a group tells, None if it tells none."""
    if level == PATH:
        return "/".join(map(stem, group.below)) or None
    name = None if level is None else group.level(level)
    return None if name is None else stem(name)


def leave_out_unlabelled(
    unlabelled: dict[str, list[File]], splits: set[str], labels: Labels, left_out: LeftOut
) -> None:
    """Count images without a class as left out.

    Raises:
        ValueError: they are all the training or validation images that there are.
    """
    for split, files in unlabelled.items():
        if split != "test" and split not in splits:
            raise ValueError(
                f"{min(file.name for file in files)} lies in no class's folder, and no known file tells "
                f"its class{labels.why_not()}; put the images of each class into a folder named after it"
            )
        for file in files:
            left_out.add(UNLABELLED_TEST if split == "test" else "in no class's folder", file.name)


def how_read(groups: Sequence[Group], level: Level | None) -> list[str]:
    """Describe how the folders were interpreted."""
    told_by = defaultdict(set)
    for group in groups:
        if group.split:
            told_by[group.split].add(group.told_by)
    said = [
        f"{of} images: those in {shortened(told_by[of])}" for of in ("train", "val", "test") if of in told_by
    ]
    if not told_by:
        said = ["train images: all, as no folder is named as a split"]
    if level == PATH:
        said.append("classes: the whole paths of folders")
    elif level is not None:
        said.append(f"classes: the folders of level {level}, {shortened(names_at(groups, level))}")
    return said

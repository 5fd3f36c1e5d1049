"""Which folders of any set of images are its splits, and which level of folders tells the class?

Levels are counted below the folder of a split, or below the source where there is none: in
``photos/train/cat/a.jpg`` and in ``photos/cat/a.jpg`` "cat" is level 1, and level 0 is "photos". A folder
"images" that is alone in its folder is not counted. A level whose folders all have one name tells no classes;
where more than one level is left, the paths can be read in two ways, and the user must say.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from alexnet.data.prepare.paths import is_archive, parse_archive_split, parse_split, stem
from alexnet.data.prepare.sources import File

PATH: Final = "path"  # as a level: all folders together are the class, as in "a/abbey"
CONTAINERS = ("images", "image", "imgs", "img", "jpegimages")
ANNOTATIONS = ("annotations", "masks", "mask", "labels", "segmentationclass", "gt")
Folders = tuple[str, ...]
Level = int | Literal["path"]


@dataclass
class Group:
    """The images of one folder, and what its path says.

    Attributes:
        folders: the path, from the source on.
        split: None if no folder is named as one.
        told_by: the folder that tells the split.
        above: what is level 0.
        is_part: whether that is a source or an archive with splits in it, perhaps one of several.
        below: the levels from 1 on.
    """

    folders: Folders
    files: list[File] = field(default_factory=list)
    split: str | None = None
    told_by: str = ""
    above: str | None = None
    is_part: bool = False
    below: Folders = ()

    def level(self, number: int) -> str | None:
        """Return the folder of a level, None where there is none."""
        levels = (self.above, *self.below)
        return levels[number] if number < len(levels) else None


def group_by_folder(files: Iterable[File]) -> list[Group]:
    """Group images by folder and find the folders of splits.

    Raises:
        ValueError: folders can be read as splits or as classes, or as two splits.
    """
    by_folder: dict[str, list[File]] = defaultdict(list)
    for file in files:
        by_folder[file.name.rpartition("/")[0]].append(file)
    groups = [Group(tuple(filter(None, name.split("/"))), held) for name, held in sorted(by_folder.items())]
    children: dict[Folders, set[str]] = defaultdict(set)
    for group in groups:
        for depth, folder in enumerate(group.folders):
            children[group.folders[:depth]].add(folder)
    for group in groups:
        read_path(group, children)
    return groups


def read_path(group: Group, children: dict[Folders, set[str]]) -> None:
    """Find in the path of a group the split and the levels."""
    folders, found, at = group.folders, positions_of_split(group.folders, children), 0
    if found:
        first, at = found[0], found[-1]
        group.told_by, group.split = folders[at], split_in(folders[at])
        group.above = folders[first - 1] if first else None
        group.is_part = first < 2 or is_archive(folders[first - 1])
    elif folders:
        group.above = folders[0]
    group.below = tuple(
        folder
        for depth, folder in enumerate(folders)
        if depth > at and not (folder.lower() in CONTAINERS and len(children[folders[:depth]]) == 1)
    )


def positions_of_split(folders: Folders, children: dict[Folders, set[str]]) -> list[int]:
    """Return which of the folders tell the split: one, none, or two as in seg_train/seg_train.

    A folder does if all beside it are named as splits too. The source's own name counts only where no folder
    in it does.

    Args:
        folders: the path.
        children: the folders with images in every folder.
    Raises:
        ValueError: there are others beside it, or it lies in a folder of another split.
    """
    named = [i for i, folder in enumerate(folders) if parse_split(folder) and not is_archive(folder)]
    named = named or [i for i, folder in enumerate(folders) if parse_archive_split(folder)]
    sure = [i for i in named if not i or all(map(split_in, children[folders[:i]]))]
    if named and not sure:
        others = [folder for folder in sorted(children[folders[: named[0]]]) if not split_in(folder)]
        raise ValueError(
            f"{'/'.join(folders[: named[0] + 1])} can be a split or a class, as beside it are folders that "
            f"are no splits ({shortened(others)}); rename it if it is a class, else give the splits alone"
        )
    for i in sure:
        check_one_of_a_split(folders[: i + 1], children)
    inner = sure[1:] if len(sure) > 1 and sure[0] == 0 else sure
    if len({split_in(folders[i]) for i in inner}) > 1:
        raise ValueError(
            f"{'/'.join(folders)} lies in folders of two splits, {folders[inner[0]]} and "
            f"{folders[inner[1]]}; give the folders of splits alone"
        )
    return inner


def check_one_of_a_split(folders: Folders, children: dict[Folders, set[str]]) -> None:
    """Raise ValueError if beside a folder another one means the same split, as "eval" beside "dev"."""
    *above, name = folders
    same = [other for other in sorted(children[tuple(above)]) if parse_split(other) == parse_split(name)]
    if above and not is_archive(name) and len(same) > 1:
        raise ValueError(
            f"{' and '.join('/'.join([*above, other]) for other in same)} can both be the "
            f"{parse_split(name)} images; rename one of them, or give only those that belong together"
        )


def split_in(name: str) -> str | None:
    """Return the split that the name of a folder or of an archive means."""
    return parse_split(name) or parse_archive_split(name)


def beside_splits(groups: list[Group]) -> list[Group]:
    """Return the groups that lie beside or above the folders of splits and so belong to none.

    Raises:
        ValueError: others lie elsewhere, where they might be meant to be of the set.
    """
    splits = [group for group in groups if group.split]
    if not splits:
        return []
    parents = {group.folders[:depth] for group in splits for depth in range(len(group.folders))}
    outside = [group for group in groups if not group.split]
    for group in outside:
        if group.folders not in parents:
            raise ValueError(
                f"{group.files[0].name} lies in no folder of a split, and {splits[0].files[0].name} lies in "
                f"{splits[0].told_by}; give the folders of splits alone, or move the others into one of them"
            )
    return outside


def class_levels(groups: list[Group]) -> list[int]:
    """Return the levels that might tell the class: those whose folders have different names.

    Where all levels have one name only, there is one class, which the last level names.
    """
    depth = max((len(group.below) for group in groups), default=0)
    levels = [n for n in range(1, depth + 1) if len(names_at(groups, n)) > 1]
    # Several sources or archives with splits in them are parts of one set.
    whole = [group for group in groups if not (depth and group.is_part)]
    if len(names_at(whole, 0)) > 1:
        levels.insert(0, 0)
    return levels or ([depth] if depth else [])


def names_at(groups: Iterable[Group], level: int) -> set[str]:
    """Return the names of a level."""
    return {stem(name) for group in groups if (name := group.level(level)) is not None}


def level_of_classes(groups: list[Group], asked: Level | None) -> Level | None:
    """Return the level that tells the class, None if none does.

    Args:
        groups: all of them.
        asked: what the user says: a level, ``PATH``, or None for the only one possible.
    Raises:
        ValueError: there are several, or not the one that the user says.
    """
    levels = class_levels(groups)
    for level in levels:
        check_no_annotations(groups, level)
    if asked == PATH:
        return asked
    if asked is not None:
        if not names_at(groups, asked):
            raise ValueError(f"--class-level {asked}: no path of an image has so many folders")
        return asked
    if len(levels) > 1:
        example = max(groups, key=lambda group: len(group.below)).files[0].name
        readings = [f"level {n} ({shortened(names_at(groups, n))})" for n in levels]
        options = [f"--class-level {n}" for n in levels]
        if all(
            len(g.below) > 1 and len(g.below[0]) == 1 and g.below[1][0] == g.below[0]
            for g in groups
            if g.below
        ):
            readings.append("all together, as in Places and SUN")
            options.append(f"--class-level {PATH}")
        raise ValueError(
            f"more than one level of folders might tell the class of an image, as in {example}: "
            f"{' or '.join(readings)}; say which by {' or '.join(options)}"
        )
    return levels[0] if levels else None


def check_no_annotations(groups: list[Group], level: int) -> None:
    """Raise ValueError if the folders of a level are images and their annotations, which are images too."""
    names = names_at(groups, level)
    images = sorted(name for name in names if name.lower() in CONTAINERS)
    others = sorted(name for name in names if name.lower() in ANNOTATIONS)
    if images and others:
        raise ValueError(
            f"the folders {images[0]} and {others[0]} are images and their annotations, as in VOC, and no "
            "classes; put the images of each class into a folder named after it"
        )


def folder_within(group: Group, level: Level, levels: list[int]) -> str:
    """Return what the names of a group's images in their class begin with: the folders that tell them apart.

    Args:
        group: the images.
        level: that of the class.
        levels: all those that might have been, so that their names count.
    """
    if level == PATH:
        return ""
    others = [n for n in range(len(group.below) + 1) if n > level or (n in levels and n != level)]
    return "".join(f"{name}/" for n in others if (name := group.level(n)) is not None)


def shortened(names: Iterable[str], limit: int = 6) -> str:
    """Return names as a list for a message, sorted; of many only the first ones and how many there are."""
    names = sorted(names)
    more = f", ... {len(names):,} in all" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more

"""The classes of a set: the same in every split, and no two that are one by mistake."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from alexnet.data.prepare.levels import shortened
from alexnet.shown import visible


def check_names(classes: Iterable[str]) -> None:
    """Raise ValueError if two classes differ only by case, spaces, Unicode form, or invisible characters."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(classes):
        plain = unicodedata.normalize("NFC", visible(name)).casefold()
        alike[" ".join(plain.split())].append(name)
    for names in alike.values():
        if len(names) > 1:
            # Letters that look alike are shown by their numbers.
            same = len({unicodedata.normalize("NFC", visible(name)) for name in names}) < len(names)
            as_ascii = [name.encode("ascii", "backslashreplace").decode() for name in names]
            shown = [f"'{name}'" for name in (as_ascii if same else names)]
            raise ValueError(
                f"the classes {' and '.join(shown)} differ only by case, spaces, Unicode form or what is "
                "not visible; give their folders one name, or clearly different ones"
            )


def check_splits(classes: Mapping[str, set[str]], *, missing_classes: bool = False) -> list[str]:
    """Check that the splits have the same classes, as far as there are training images.

    No split may have a class that the training images lack. A test split may lack some, since a part of a set
    can be tested; validation images may only if the user says so. Both are told.

    Args:
        classes: those of each split.
        missing_classes: whether the validation images may lack some.
    Returns:
        sentences for the user.
    Raises:
        ValueError: they have not.
    """
    train, said = classes.get("train", set()), []
    for split in ("val", "test") if train else ():
        of = classes.get(split) or train
        more, fewer = of - train, train - of
        if more or (fewer and split == "val" and not missing_classes):
            parts = [f"only in {split}: {shortened(more)}"] if more else []
            parts += [f"only in train: {shortened(fewer)}"] if fewer else []
            way_out = "" if more else "; add images of them, or allow it by --missing-classes"
            sizes = f"train has {len(train):,}: {shortened(train)}; {split} has {len(of):,}: {shortened(of)}"
            raise ValueError(
                f"train and {split} do not have the same classes, {'; '.join(parts)} ({sizes}){way_out}"
            )
        if fewer:
            said.append(
                f"{split} has no images of {len(fewer):,} of {len(train):,} classes: {shortened(fewer)}"
            )
    return said


def counts_in_words(names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> list[str]:
    """Describe for each split how many images its classes have.

    Args:
        names: of the classes, in the order of the labels.
        counts: images of each class, by split.
    """
    said = []
    for split, of in counts.items():
        total = f"{split}: {sum(of):,} images of {len(of):,} {'classes' if len(of) > 1 else 'class'}"
        fewest, most = min(of), max(of)
        few, many = names[of.index(fewest)], names[of.index(most)]
        each = f"{fewest:,} in each" if fewest == most else f"from {fewest:,} ({few}) to {most:,} ({many})"
        said.append(f"{total}, {each}")
    return said

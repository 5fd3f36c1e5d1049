"""Sets of which every image is known, such as CIFAR-10: all of them or no set, at their own size."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from alexnet.data.catalogue import SPLITS, KnownSet
from alexnet.data.download import hash_file
from alexnet.data.fingerprint import compute_fingerprint
from alexnet.data.prepare.batches import strip_folders
from alexnet.data.prepare.finding import LeftOut
from alexnet.data.prepare.paths import Place
from alexnet.data.prepare.placing import Images
from alexnet.data.prepare.shards import BATCH, Item
from alexnet.data.prepare.sources import File


def places_of_known(known: KnownSet, files: Sequence[File], left_out: LeftOut) -> Images:
    """Place the images at .../train/<class>/<file> and .../test/<class>/<file>, and those of batches.

    Raises:
        ValueError: an image lies elsewhere, or a class is missing, or has too few or too many images.
    """
    images = [(find_place(known, file), file) for file in files]
    counts = Counter(place[:2] for place, _ in images)
    for split in SPLITS:
        wanted, found = known.per_class(split), {name: counts[split, name] for name in known.classes}
        odd = [name for name, count in found.items() if count != wanted]
        odd.sort(key=found.__getitem__)  # those that are missing first
        if not odd:
            continue
        if not any(found.values()):
            said = f"there are no images of {split}/ in what was given; {wanted:,} of each class are needed"
        elif not found[odd[0]]:
            said = f"the class {odd[0]!r} is missing from {split}/; {wanted:,} images of it are needed"
        else:
            said = f"{split}/{odd[0]} has {found[odd[0]]:,} images, not {wanted:,}"
        raise ValueError("; ".join([said, *left_out.sentences()]))
    return images


def find_place(known: KnownSet, file: File) -> Place:
    """Return where an image belongs by the last folders of its path; a batch has its class for a folder."""
    folder, label, base = ("", "", *file.name.split("/"))[-3:]
    if file.is_pixels:
        return Place("test" if folder == "test_batch" else "train", label, f"{folder}/{base}")
    if folder not in SPLITS:
        raise ValueError(f"{file.name} lies neither in train/<class>/ nor in test/<class>/")
    if label not in known.classes:
        raise ValueError(
            f"{file.name} is of the class {label!r}, which {known.title} does not have; it has "
            + ", ".join(known.classes)
        )
    return Place(folder, label, base)


def in_turn(images: Images, classes: Sequence[str]) -> dict[str, list[Item]]:
    """Return the images of each split: one of each class in turn, by file name; batches in their own order.

    Classes take turns so that the first images of a set are a fair sample of it.
    """
    label_of = {name: label for label, name in enumerate(classes)}
    turns: Counter = Counter()
    splits: dict[str, list[tuple]] = {"train": [], "val": [], "test": []}
    for position, (place, file) in sorted(enumerate(images), key=lambda entry: entry[1][0]):
        label, group = label_of[place.class_id], place[:2]
        if not file.is_pixels:
            order = (turns[group], label, "", position)
            turns[group] += 1
        else:
            order = (-1, 0, place.name.partition("/")[0], position)
        splits[place.split].append((order, Item(label, f"{place.class_id}/{strip_folders(file)}", file)))
    return {
        split: [item for _, item in sorted(items, key=lambda entry: entry[0])]
        for split, items in splits.items()
        if items
    }


def describe_input(source: Path) -> dict[str, str]:
    """Describe a source: an archive by its name and checksum, a folder only as one."""
    if source.is_dir():
        return {"kind": "folder"}
    return {"kind": "archive", "name": source.name, "sha256": hash_file(source)}


def about_known(
    known: KnownSet, inputs: Sequence[dict[str, str]], indices: dict[str, list[dict]], folder: Path
) -> dict:
    """Return the entries in which the set.json of a known set differs from that of other sets.

    Args:
        known: the set.
        inputs: what `describe_input` returns for each source.
        indices: the index of each shard, by split.
        folder: that has the shards.
    """
    formats: Counter = Counter()
    for index in (index for split in indices.values() for index in split):
        formats.update(json.loads(str(index["formats"])))
    images_and_labels = (
        (
            np.concatenate([np.load(folder / f"{split}-{i:05}.npy") for i in range(len(of))]),
            np.concatenate([index["labels"] for index in of]),
        )
        for split, of in indices.items()
    )
    return {
        "source": describe_origin(known, inputs, formats),
        "formats": dict(formats),
        "fingerprint": compute_fingerprint(images_and_labels),
        "filter": None,
    }


def describe_origin(known: KnownSet, inputs: Sequence[dict[str, str]], formats: Iterable[str]) -> str:
    """Describe the images and their origin in one phrase: `about_known` has the arguments."""
    counts = " + ".join(f"{known.num_images(split):,}" for split in SPLITS)
    if [given.get("sha256") for given in inputs] == [known.archive.sha256]:
        return f"{known.title} ({counts} images, from the official archive)"
    what = "/".join(kind for kind in sorted(formats) if kind != BATCH)
    kinds = sorted({given["kind"] for given in inputs})
    places = " and ".join(f"an {kind}" if kind == "archive" else f"a {kind}" for kind in kinds)
    content = f"{what} images" if what else "batches"
    return f"{known.title} ({counts} images, imported from {places} of {content})"

"""Where data sets lie, and the one in memory that chapters and experiments use.

A set that the package knows by name is a prepared one of raw pixels (see `alexnet.data.prepared`) in a folder
of that name.
"""

import os
from pathlib import Path

import platformdirs
import torch

import alexnet
from alexnet.data.catalogue import SPLITS, known_set
from alexnet.data.generated import synthetic
from alexnet.data.imageset import ImageSet
from alexnet.data.prepare.description import DESCRIPTION
from alexnet.data.splits import damaged
from alexnet.data.stored import describe_stored, read_split
from alexnet.storage.files import NewerFormat, home


def root() -> Path:
    """Return the folder of the data sets, which need not exist yet.

    It is $ALEXNET_DATA where that is set; else ``data/`` in a clone of the project that can be written to;
    else a folder in the user's cache.
    """
    chosen = os.environ.get("ALEXNET_DATA")
    if chosen:
        return home(chosen)
    clone = Path(alexnet.__file__).resolve().parent.parent
    if (clone / "pyproject.toml").is_file() and os.access(clone, os.W_OK):
        return clone / "data"
    return platformdirs.user_cache_path("alexnet", appauthor=False)


def locate(name: str) -> Path:
    """Return the folder in which the data set is stored, whether it is there or not.

    Raises:
        ValueError: there is no data set of that name.
    """
    return root() / known_set(name).name


def load(name: str) -> ImageSet:
    """Open a stored data set.

    Args:
        name: "cifar10".
    Raises:
        FileNotFoundError: it is not there; the message names the commands that get it.
        ValueError: there is no such data set, or it is damaged, or was written by an older or newer version,
            or something else lies in its place.
    """
    known, path = known_set(name), locate(name)
    again = f"`alexnet data get {name}` or `alexnet data import {name} PATH`"
    check_own(path)
    if not (path / DESCRIPTION).exists():
        if former(path).exists():
            raise ValueError(
                f"{former(path)} is of an earlier version and is read no more; make the set again "
                f"with {again}, then delete that file"
            )
        raise FileNotFoundError(
            f"{known.title} is not in {path.parent}; `alexnet data get {name}` downloads it and "
            f"`alexnet data import {name} PATH` makes it from an archive or a folder of images"
        )
    try:
        stored = describe_stored(path)
        counts = {split: sum(shard.count for shard in of) for split, of in stored.shards.items()}
        shapes = {shard.image_shape for of in stored.shards.values() for shard in of}
        wanted = {split: known.num_images(split) for split in SPLITS}, {(3, known.height, known.width)}
        if stored.classes != known.classes or (counts, shapes) != wanted:
            raise damaged(path / DESCRIPTION, f"it is not that of {known.title}")
        train, test = ([torch.from_numpy(array) for array in read_split(stored.shards[s])] for s in SPLITS)
    except NewerFormat:
        raise
    except ValueError as error:
        what = str(error).rpartition("; ")[0]  # what follows is for sets that `alexnet data prepare` made
        raise ValueError(f"{what}; make the set again with {again}") from error
    return ImageSet(
        name=name,
        source=stored.source,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        classes=known.classes,
        fingerprint=stored.fingerprint,
    )


def check_own(path: Path) -> None:
    """Raise ValueError if something lies where a set is stored that is none, such as a folder of images.

    A damaged set may be replaced, and an empty folder.
    """
    empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty and not (path / DESCRIPTION).is_file():
        raise ValueError(
            f"{path} is there already and is no stored data set; rename it, or name another folder for the "
            "data sets in the environment variable ALEXNET_DATA"
        )


def load_or_default(name: str) -> ImageSet:
    """Open a stored data set or, where it is not there, make the generated default set.

    Raises:
        ValueError: it is there but damaged or of an earlier version, or something else lies in its place:
            that is never passed over in silence.
    """
    path = locate(name)
    check_own(path)  # which an empty folder passes, and a folder that is no set does not
    return load(name) if (path / DESCRIPTION).exists() or former(path).exists() else synthetic()


def former(path: Path) -> Path:
    """Return where earlier versions stored a set that is now in a folder."""
    return path.with_suffix(".npz")

"""What a prepared set says of itself: ``set.json`` and ``manifest.csv``."""

import csv
import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import PIL
import PIL.features

import alexnet
from alexnet.data.images import FILTER, QUALITY, in_brief
from alexnet.data.prepare.shards import LEFT_OUT, hash_index
from alexnet.storage.files import NewerFormat, check_format, written_whole

FORMAT = 1  # of a prepared set as a whole, indices included; a reader refuses others
DESCRIPTION, MANIFEST = "set.json", "manifest.csv"


def describe(name: str, classes: dict[str, str], indices: dict[str, list[dict]], request: dict) -> dict:
    """Return the content of set.json for a finished set.

    Args:
        name: of the set.
        classes: identifier -> name, in the order of the labels.
        indices: the index of each shard, by split.
        request: what ``prepare`` was asked for.
    """
    shards = [index for split in indices.values() for index in split]
    labels = {split: np.concatenate([index["labels"] for index in of]) for split, of in indices.items()}
    notes = [note for index in shards for note in json.loads(str(index["notes"]))]
    enlarged = sum(int(index["enlarged"]) for index in shards)
    return {
        "format": FORMAT,
        "finished": True,
        "name": name,
        "source": source_phrase(name, labels, enlarged, request["size"]),
        "size": request["size"],
        "form": request["form"],
        "splits": {split: [len(index["labels"]) for index in of] for split, of in indices.items()},
        "indices": {split: [hash_index(index) for index in of] for split, of in indices.items()},
        "fingerprint": fingerprint(indices),
        "left_out": sum(status == LEFT_OUT for _, status, _ in notes),
        "why_left_out": reasons(notes),
        "converted": dict(Counter(why for _, status, why in notes if status == "converted").most_common()),
        "enlarged": enlarged,
        "filter": f"Pillow {FILTER.name.lower()}, antialiased; shorter side to {request['size']}, centre cut",
        "jpeg": {"quality": QUALITY, "subsampling": "4:2:0"} if request["form"] == "jpeg" else None,
        "request": request,
        "versions": versions(),
        "classes": list(classes),
        "names": list(classes.values()),
        "counts": {split: np.bincount(of, minlength=len(classes)).tolist() for split, of in labels.items()},
    }


def read_description(folder: Path) -> dict:
    """Read the set.json of a set, finished or not.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or was written by a newer version.
    """
    file = folder / DESCRIPTION
    text = file.read_bytes()
    try:
        about = json.loads(text)
        check_format(file, about["format"], FORMAT)
        if not isinstance(about["finished"], bool):
            raise ValueError("it does not tell whether the set is finished")
    except NewerFormat:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged_description(file, error) from error
    return about


def damaged_description(file: Path, error: Exception) -> ValueError:
    """Return the error for a set.json that cannot be made sense of."""
    return ValueError(
        f"{file} is damaged ({type(error).__name__}: {error}); delete the folder and run the "
        "`alexnet data prepare` command of the set again"
    )


def reasons(notes: list[list[str]]) -> dict[str, tuple[int, str]]:
    """Return why images were left out, the most common reason first: how many, and the first name of each."""
    names: dict[str, list[str]] = {}
    for name, status, why in sorted(notes):
        if status == LEFT_OUT:
            names.setdefault(in_brief(why), []).append(name)
    return {why: (len(of), of[0]) for why, of in sorted(names.items(), key=lambda entry: -len(entry[1]))}


def source_phrase(name: str, labels: dict[str, np.ndarray], enlarged: int, size: int) -> str:
    """Describe the images in one phrase, suitable for a caption."""
    counts = " + ".join(f"{len(of):,} {split}" for split, of in labels.items())
    whence = ", enlarged" if 2 * enlarged > sum(map(len, labels.values())) else ""
    return f"{name} ({counts} images of {size}x{size} pixels{whence})"


def fingerprint(indices: dict[str, list[dict]]) -> str:
    """Return 16 hexadecimal digits that name the stored images with their labels, whatever their order."""
    digest = hashlib.sha256()
    for split, shards in sorted(indices.items()):
        rows = sorted(row.tobytes() for index in shards for row in index["digests"])
        digest.update(f"{split} {len(rows)} ".encode() + b"".join(rows))
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of what made the images."""
    return {
        "alexnet": alexnet.__version__,
        "pillow": PIL.__version__,
        "libjpeg": str(PIL.features.version("libjpeg_turbo") or PIL.features.version("jpg")),
        "numpy": np.__version__,
    }


def write_manifest(target: Path, indices: dict[str, list[dict]]) -> None:
    """Write which images were converted or left out, and why."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["split", "file", "status", "why"])
    for split, shards in indices.items():
        for index in shards:
            table.writerows([split, *note] for note in json.loads(str(index["notes"])))
    with written_whole(target / MANIFEST) as file:
        file.write(text.getvalue().encode())

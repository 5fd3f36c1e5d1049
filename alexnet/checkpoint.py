"""Checkpoints: everything that a training needs to go on, in one file, whole or not at all.

There is one form, that of the net on one device: a training on several devices gathers its parts before it
saves and cuts them again after it has loaded, so a run may change its devices. A file holds tensors and plain
values only, and is read without running code from it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, get_origin, get_type_hints

import torch
from torch import Tensor

from alexnet import tensorfile

CHECKPOINT = "alexnet checkpoint"
WEIGHTS = "alexnet weights"
VERSION = 1  # of both formats
NAME = re.compile(r"step-(\d+)\.pt")


class Validation(NamedTuple):
    """The top-1 error, a fraction, of the weights after so many steps."""

    step: int
    error: float


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What prediction needs.

    Attributes:
        weights: the ``state_dict`` of the net on one device, name -> tensor.
        statistics: what was computed of the training pictures, such as the mean image, name -> tensor.
        recipe: as JSON text.
        classes: the data set's identifiers of them, in the order of the net's outputs.
        names: the same for people; empty where the identifiers are that already.
        fingerprint: of the data set that it was trained on.
        environment: versions and device of the training (see ``alexnet.records.environment``).
    """

    weights: dict[str, Tensor]
    statistics: dict[str, Tensor] = field(default_factory=dict)
    recipe: str
    classes: list[str]
    names: list[str] = field(default_factory=list)
    fingerprint: str
    environment: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Weights):
    """What training needs besides, to go on as if it had not been interrupted.

    Attributes:
        velocities: one for each parameter, under its name.
        epoch: passes through the training set that are complete.
        step: updates done.
        images_seen: training pictures used, all devices together.
        validations: all so far, the first one first; a schedule has no other state.
        seed: of every random draw; each depends on it and on the position alone.
    """

    velocities: dict[str, Tensor]
    epoch: int
    step: int
    images_seen: int
    validations: list[Validation]
    seed: int


def path_of(folder: Path, step: int) -> Path:
    """Return where the checkpoint after so many steps lies: ``step-00012000.pt``."""
    return folder / f"step-{step:08d}.pt"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all: a file that was there stays until the new one is safe.

    Tensors are written one by one from where they are; there is never a second copy of all of them.

    Raises:
        OSError: it cannot be written, for example because the disk is full; nothing of it remains.
        ValueError: it holds something that is neither a tensor nor a plain value.
    """
    tensorfile.write(path, as_dict(CHECKPOINT, checkpoint, Checkpoint))


def save_weights(path: Path, weights: Weights) -> None:
    """Write what prediction needs, for example of a checkpoint: half its size.

    Raises:
        OSError, ValueError: as for ``save``.
    """
    tensorfile.write(path, as_dict(WEIGHTS, weights, Weights))


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: of the file.
        device: where its tensors are put.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no checkpoint, or of a format that this version does not know.
    """
    content = read(path, device)
    if content["format"] == WEIGHTS:
        raise ValueError(f"{path} has weights without a training's state, so no training can go on from it")
    parts = members(path, content, Checkpoint)
    parts["validations"] = [Validation(*values) for values in parts["validations"]]
    return Checkpoint(**parts)


def load_weights(path: Path, device: torch.device | str = "cpu") -> Weights:
    """Read what prediction needs, of a file of weights or of a checkpoint.

    Args and Raises as for ``load``.
    """
    return Weights(**members(path, read(path, device), Weights))


def check_fits(
    checkpoint: Weights, recipe: str, classes: Sequence[str], fingerprint: str | None = None
) -> None:
    """Raise ValueError unless a training by this recipe on this data may go on from the checkpoint.

    Args:
        checkpoint: that was loaded.
        recipe: JSON text.
        classes: names in order.
        fingerprint: of the training data; None where it is not the same data, as in evaluation.
    """
    theirs, ours = list(checkpoint.classes), list(classes)
    if len(theirs) != len(ours):
        raise ValueError(f"the checkpoint knows {len(theirs)} classes, the data have {len(ours)}")
    for number, (their, our) in enumerate(zip(theirs, ours, strict=True)):
        if their != our:
            raise ValueError(f"class {number} is {their!r} in the checkpoint, {our!r} in the data")
    different = list(differences(json.loads(checkpoint.recipe), json.loads(recipe)))
    if different:
        raise ValueError("the checkpoint was trained by another recipe: " + "; ".join(different))
    if fingerprint not in (None, checkpoint.fingerprint):
        raise ValueError(
            f"the checkpoint was trained on other data: their fingerprint is {checkpoint.fingerprint}, "
            f"that of these is {fingerprint}"
        )


def differences(theirs: Any, ours: Any, name: str = "") -> Iterator[str]:
    """Yield "field is this there, that here" for each field in which two JSON values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in dict.fromkeys((*theirs, *ours)):
            yield from differences(theirs.get(key), ours.get(key), f"{name}.{key}".lstrip("."))
    elif theirs != ours:
        yield f"{name} is {theirs!r} there, {ours!r} here"


def latest(folder: Path) -> Path | None:
    """Return the checkpoint with the most steps in a folder, None where there is none."""
    paths = [path for path in folder.glob("*") if NAME.fullmatch(path.name)]
    return max(paths, key=lambda path: int(NAME.fullmatch(path.name)[1]), default=None)


def retain_last_and_best(folder: Path, validations: Sequence[Validation]) -> None:
    """Delete every checkpoint but the latest and that with the lowest validation error.

    What a run that was killed left half-written goes as well; so only one run may write into a folder.
    """
    validated = [v for v in validations if path_of(folder, v.step).is_file()]
    best = min(validated, key=lambda v: v.error, default=None)
    keep = {latest(folder), best and path_of(folder, best.step)}
    for path in list(folder.iterdir()):
        old = NAME.fullmatch(path.name) and path not in keep
        if old or path.name.endswith(tensorfile.PART):
            path.unlink(missing_ok=True)


def as_dict(form: str, content: Weights, kind: type[Weights]) -> dict[str, Any]:
    """Return the fields of one kind as a file holds them, with the format's name and version."""
    return {"format": form, "version": VERSION} | {f.name: getattr(content, f.name) for f in fields(kind)}


def read(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Read a file of one of the two formats; errors as for ``load``."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; `alexnet train` writes them")
    content = tensorfile.read(path, device)
    if content.get("format") not in (CHECKPOINT, WEIGHTS):
        raise ValueError(f"{path} is no checkpoint of this package")
    if content.get("version") != VERSION:
        raise ValueError(
            f"{path} has version {content.get('version')!r} of the format, and this package reads {VERSION}; "
            "use the package that wrote it"
        )
    return content


def members(path: Path, content: dict[str, Any], kind: type[Weights]) -> dict[str, Any]:
    """Return the fields of one kind from a file's content.

    Raises:
        ValueError: one is missing or of another type.
    """
    for name, hint in get_type_hints(kind).items():
        wanted = get_origin(hint) or hint
        if name not in content:
            raise ValueError(f"{path} has no {name!r}, so it is no whole checkpoint")
        if not isinstance(content[name], wanted):
            found = type(content[name]).__name__
            raise ValueError(
                f"{path} is no checkpoint: its {name!r} is of type {found}, not {wanted.__name__}"
            )
    return {f.name: content[f.name] for f in fields(kind)}

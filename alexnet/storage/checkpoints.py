"""Checkpoints: everything that a training run needs to resume, in one file that is written atomically.

There is one form, that of the network on one device: a training on several devices gathers its parts before
it saves and divides them again after loading, so a run may change its devices. A file holds tensors and plain
values only, and is read without running code from it.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from alexnet.storage import safe, tensorfile
from alexnet.storage.files import PART, NewerFormat, check_format, reason
from alexnet.storage.run_files import CHECKPOINTS
from alexnet.storage.run_files import WEIGHTS as WEIGHTS_FILE
from alexnet.storage.tensorfile import Damaged

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
        weights: the ``state_dict`` of the network on one device, name -> tensor.
        statistics: what was computed of the training images, such as the mean image, name -> tensor.
        recipe: as JSON text.
        classes: the data set's identifiers of them, in the order of the network's outputs.
        names: the same for people; empty where the identifiers are that already.
        fingerprint: of the data set that it was trained on.
        environment: versions and device of the training (see `alexnet.storage.records.environment`).
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
    """The rest of the state that training needs to resume bit for bit.

    Attributes:
        velocities: one for each parameter, under its name.
        epoch: passes through the training set that are complete.
        step: updates done.
        images_seen: training images used, all devices together.
        validations: all so far, the first one first; a schedule has no other state.
        seed: of every random draw; each depends on it and on the position alone.
    """

    velocities: dict[str, Tensor]
    epoch: int
    step: int
    images_seen: int
    validations: list[Validation]
    seed: int


def locate(folder: Path, step: int) -> Path:
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

    Args:
        path: of the file; a name that ends on ".safetensors" makes one of these.
        weights: what to write.
    Raises:
        OSError: as for `save`.
        ValueError: as for `save`.
    """
    if path.suffix == safe.SUFFIX:
        rest = as_dict(WEIGHTS, weights, Weights)
        safe.write(path, rest.pop("weights"), rest.pop("statistics"), rest)
        return
    tensorfile.write(path, as_dict(WEIGHTS, weights, Weights))


def in_half(weights: Weights) -> Weights:
    """Return weights with the parameters as float16; from a file of safetensors they come back as float32."""
    return replace(weights, weights={name: tensor.half() for name, tensor in weights.weights.items()})


def load(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: of the file.
        device: where its tensors are put.
    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is not whole, or no checkpoint; the sentence names another one beside it.
        ValueError: it is of a format that this version does not know, or would run code.
        OSError: it cannot be read.
    """
    content = read(path, device)
    if content["format"] == WEIGHTS:
        raise ValueError(f"{path} has weights without a training's state, so no training can resume from it")
    parts = members(path, content, Checkpoint)
    parts["validations"] = [Validation(*values) for values in parts["validations"]]
    return Checkpoint(**parts)


def load_weights(path: Path, device: torch.device | str = "cpu") -> Weights:
    """Read what prediction needs, of a file of weights or of a checkpoint.

    Args and Raises as for `load`.
    """
    return Weights(**members(path, read(path, device), Weights))


def check_fits(
    checkpoint: Weights, recipe: str, classes: Sequence[str], fingerprint: str | None = None
) -> None:
    """Raise ValueError unless a training run by this recipe on this data may resume from the checkpoint.

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
    different = list(differences(unordered(checkpoint.recipe), unordered(recipe)))
    if different:
        raise ValueError("the checkpoint was trained by another recipe: " + "; ".join(different))
    if fingerprint not in (None, checkpoint.fingerprint):
        raise ValueError(
            f"the checkpoint was trained on other data: their fingerprint is {checkpoint.fingerprint}, "
            f"that of these is {fingerprint}"
        )


def unordered(recipe: str) -> Any:
    """Return what stands in a recipe, with the rate factors by layer: their order does not count."""
    content = json.loads(recipe)
    learning = content.get("learning", {})
    if "rate_factors" in learning:
        learning["rate_factors"] = dict(learning["rate_factors"])
    return content


def differences(theirs: Any, ours: Any, name: str = "") -> Iterator[str]:
    """Yield "field is this there, that here" for each field in which two JSON values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in dict.fromkeys((*theirs, *ours)):
            yield from differences(theirs.get(key), ours.get(key), f"{name}.{key}".lstrip("."))
    elif theirs != ours:
        yield f"{name} is {theirs!r} there, {ours!r} here"


def step_in(path: Path) -> int:
    """Return the number of steps in a checkpoint's name, -1 where it has none."""
    found = NAME.fullmatch(path.name)
    return int(found[1]) if found else -1


def newest_first(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, those with the most steps first; none where there is no folder.

    Raises:
        OSError: the folder cannot be read, or is a link to one that is not there.
    """
    try:
        paths = [folder / name for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_symlink():  # such as to a disk: a training that began anew would delete the log
            raise FileNotFoundError(
                f"{folder} is a link to a folder that is not there; mount its disk, or delete the link"
            ) from error
        return []
    except OSError as error:
        raise OSError(f"cannot read {folder}: {reason(error)}") from error
    return sorted((path for path in paths if step_in(path) >= 0), key=step_in, reverse=True)


def latest(folder: Path) -> Path | None:
    """Return the checkpoint with the most steps in a folder, None where there is none."""
    return next(iter(newest_first(folder)), None)


def retain_last_and_best(folder: Path, step: int, validations: Sequence[Validation]) -> None:
    """Delete the checkpoints that another one replaces.

    There stay the one just written; the one before it, in case the disk damages that; the one with the lowest
    validation error; and whatever has more steps, which was not written by this run. What a run that was
    killed left half-written goes; so only one run may write into a folder.

    Args:
        folder: of the checkpoints.
        step: of the one just written.
        validations: all so far.
    """
    validated = [v for v in validations if locate(folder, v.step).is_file()]
    best = min(validated, key=lambda v: v.error, default=None)
    replaced = [path for path in newest_first(folder) if step_in(path) < step][1:]
    for path in [*replaced, *folder.glob("*" + PART)]:
        if best is None or step_in(path) != best.step:
            with contextlib.suppress(OSError):  # the next save tries again
                path.unlink()


def weights_file(path: Path) -> Path:
    """Return the file that a path means: in a run's folder the weights, else the last checkpoint."""
    if not path.is_dir():
        return path
    if (path / WEIGHTS_FILE).is_file():
        return path / WEIGHTS_FILE
    newest = latest(path / CHECKPOINTS) or latest(path)
    if newest is None or not newest.is_file():
        raise FileNotFoundError(f"there is no checkpoint in the folder {path}; `alexnet train` writes them")
    return newest


def as_dict(form: str, content: Weights, kind: type[Weights]) -> dict[str, Any]:
    """Return the fields of one kind as a file holds them, with the format's name and version."""
    return {"format": form, "version": VERSION} | {f.name: getattr(content, f.name) for f in fields(kind)}


def read(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Read a file of one of the two formats; errors as for `load`."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; `alexnet train` writes them")
    try:
        content = (
            from_safetensors(path, device) if path.suffix == safe.SUFFIX else tensorfile.read(path, device)
        )
    except Damaged as error:
        raise Damaged(f"{error}; {suggest_instead(path)}") from error
    if content.get("format") not in (CHECKPOINT, WEIGHTS):
        raise Damaged(f"{path} is no checkpoint of this package; {suggest_instead(path)}")
    try:
        check_format(path, content.get("version"), VERSION)
    except NewerFormat:
        raise
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error}); {suggest_instead(path)}") from error
    return content


def from_safetensors(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Return what `save_weights` wrote as safetensors, as the other form holds it."""
    tensors, rest = safe.read(path, device)
    statistics = {name for name in tensors if name.startswith(safe.STATISTICS)}
    return (rest or {}) | {
        "weights": {name: tensor.float() for name, tensor in tensors.items() if name not in statistics},
        "statistics": {name.removeprefix(safe.STATISTICS): tensors[name] for name in statistics},
    }


def suggest_instead(path: Path) -> str:
    """Describe what can be used instead of a damaged checkpoint."""
    folders = path.parent, path.parent / CHECKPOINTS
    others = [other for folder in folders for other in newest_first(folder) if other != path]
    if not others:
        return "there is no other checkpoint beside it; copy it anew, or train again"
    return f"name {max(others, key=step_in)} in its place"


def members(path: Path, content: dict[str, Any], kind: type[Weights]) -> dict[str, Any]:
    """Return the fields of one kind from a file's content.

    Raises:
        Damaged: one is missing or of another type.
    """
    for name, hint in get_type_hints(kind).items():
        if name not in content:
            raise Damaged(f"{path} has no {name!r}, so it is no whole checkpoint; {suggest_instead(path)}")
        if not has_type(content[name], hint):
            raise Damaged(
                f"{path} is no checkpoint: its {name!r} is no {words(hint)}; {suggest_instead(path)}"
            )
    return {f.name: content[f.name] for f in fields(kind)}


def has_type(value: Any, hint: Any) -> bool:
    """Whether a value that was read from a file has the type of a field, down to the parts of its parts."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if hint is Any:
        return True
    if hint is Validation:
        numbers = isinstance(value, list) and len(value) == 2
        return numbers and isinstance(value[0], int) and isinstance(value[1], float)
    if not isinstance(value, kind):
        return False
    inside = value.values() if kind is dict else value if kind is list else ()
    return all(has_type(part, parts[-1]) for part in inside)


def words(hint: Any) -> str:
    """Return a type as a person writes it."""
    return str(hint).replace("typing.", "") if get_args(hint) else hint.__name__

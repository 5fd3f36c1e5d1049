"""The parameters of AlexNets with torchvision's layers in other programs' files; trained networks by name."""

import functools
import os.path
import pickle
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet.checks import near_miss
from alexnet.models.alexnet import AlexNet
from alexnet.models.torchvision import from_torchvision
from alexnet.recipes import net_config
from alexnet.storage import checkpoints, safe, shipped
from alexnet.storage.files import home

NAME = "torchvision"  # by which it is asked for
STATES = ("state_dict", "model_state_dict", "model", "net")  # what checkpoints call the parameters in them
WRAPPERS = ("module", "_orig_mod")  # of DataParallel, around the network or a part of it; of torch.compile


def find_weights(source: str | Path) -> Path:
    """Return the file of weights that a name or a path means.

    Args:
        source: a network that comes with the package, such as "imagenette"; "torchvision"; a run's folder; a
            file.
    Raises:
        FileNotFoundError: it is not there.
    """
    text, path = str(source), home(source)
    if text == NAME:
        return cached_file()
    if text in shipped.names():
        return shipped.path(text)
    if re.fullmatch(r"[\w-]+", text) and not path.exists():
        known = (*shipped.names(), NAME)
        raise FileNotFoundError(
            f"there is no checkpoint {text}, and no trained network of that name, only "
            f"{', '.join(known)}{near_miss(text, known)}"
        )
    return checkpoints.weights_file(path)


def cached_file() -> Path:
    """Return the path of torchvision's weights in torch's cache.

    Raises:
        FileNotFoundError: they are not there.
    """
    from torchvision.models import AlexNet_Weights

    url = AlexNet_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise FileNotFoundError(
            f"torchvision's weights are not in torch's cache; save {url} as {path}, or give the file's path"
        )
    return path


@dataclass(frozen=True)
class Found:
    """What a file of other programs holds.

    Attributes:
        parameters: under our names.
        classes: in the order of the network's outputs; None if the file does not tell them.
    """

    parameters: dict[str, Tensor]
    classes: tuple[str, ...] | None


def read(path: Path, device: torch.device | str) -> Found | None:
    """Return the parameters of an AlexNet in a file that another program wrote; None if it holds none at all.

    Args:
        path: a ``state_dict``, or a checkpoint with one in it, as pytorch/examples, DataParallel, Lightning
            and others write them.
        device: where the tensors are put.
    Raises:
        ValueError: the parameters are those of another network, or reading the file could run code.
    """
    try:
        if path.suffix == safe.SUFFIX:
            content, ours_told = safe.read(path, device)
            if ours_told is not None:  # a file of this package, with which something else is wrong
                return None
        else:
            with warnings.catch_warnings(action="ignore"):  # about files of other kinds
                content = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked is None:
            return None
        raise ValueError(
            f"{path} was refused, and nothing of it run: it asks for {asked[1]}, where weights are tensors "
            "and plain values only; save the model's state_dict() by itself"
        ) from error
    except Exception:  # torch.load raises many kinds of errors for files of other kinds
        return None
    state = state_in(content)
    if state is None:
        return None
    try:
        parameters = state if state.keys() == ours().keys() else from_torchvision(state)
    except ValueError as error:
        raise ValueError(
            f"{path} has the parameters of another network, {difference_in(state)}; of the networks of other "
            "programs only AlexNet with torchvision's layers is read"
        ) from error
    shapes = {name: (tensor.ndim, *tensor.shape[1:]) for name, tensor in parameters.items()}
    wanted = {name: (len(shape), *shape[1:]) for name, shape in ours().items()}  # of any number of classes
    if shapes != wanted:
        different = next(name for name, shape in wanted.items() if shapes[name] != shape)
        raise ValueError(
            f"{path} has parameters of an AlexNet that is not torchvision's ({different} is "
            f"{tuple(parameters[different].shape)}), and neither its recipe nor its mean image; "
            "give the file that `alexnet train` wrote"
        )
    return Found(parameters, classes_in(content, len(parameters["fc8.bias"])))


@functools.cache
def ours() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the parameters of the network "torchvision"."""
    with torch.device("meta"):
        state = AlexNet(net_config(NAME)).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@functools.cache
def theirs() -> frozenset[str]:
    """Return the names of the parameters of torchvision's AlexNet."""
    from torchvision.models import alexnet

    with torch.device("meta"):
        return frozenset(alexnet().state_dict())


def difference_in(state: dict[str, Tensor]) -> str:
    """Describe how the names of parameters differ from those of torchvision's AlexNet."""
    more, fewer = state.keys() - theirs(), theirs() - state.keys()
    return f"such as {min(more)}" if more else f"as {min(fewer)} is missing"


def is_plain(tensor: Any) -> bool:
    """Return whether a value is a tensor of real numbers that has values, in dense storage."""
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and not tensor.is_meta
        and not tensor.is_complex()
    )


def state_in(content: Any) -> dict[str, Tensor] | None:
    """Return the parameters in what was loaded, by the names of their layers; None if there are none."""
    for key in STATES:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        return None
    if not all(isinstance(name, str) and is_plain(tensor) for name, tensor in content.items()):
        return None
    state = {plain_name(name): tensor.detach().float() for name, tensor in content.items()}
    return without_prefix(state) if len(state) == len(content) else None


def plain_name(name: str) -> str:
    """Return a parameter's name without what programs wrap around networks or parts of them."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return parameters without what all their names begin with, if that leaves the names of an AlexNet.

    A module that holds the network as its attribute, as those of Lightning do, puts its name in front.
    """
    names = [name.split(".") for name in state]
    common = len(os.path.commonprefix(names))
    plain = {".".join(name[common:]): tensor for name, tensor in zip(names, state.values(), strict=True)}
    return plain if plain.keys() in (theirs(), ours().keys()) else state


def classes_in(content: dict[str, Any], count: int) -> tuple[str, ...] | None:
    """Return the classes that a checkpoint names as "classes" or "class_to_idx"; None if it names none."""
    names = content.get("classes")
    numbers = content.get("class_to_idx")
    integers = isinstance(numbers, dict) and all(isinstance(number, int) for number in numbers.values())
    if integers and sorted(numbers.values()) == list(range(count)):
        names = sorted(numbers, key=numbers.__getitem__)
    if isinstance(names, list | tuple) and len(names) == count and len({*map(str, names)}) == count:
        return tuple(map(str, names))
    return None

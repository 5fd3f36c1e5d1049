"""Networks by name, with weights of any origin, as users of torchvision and timm expect them."""

import fnmatch
import json
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet import config
from alexnet.config import NetConfig
from alexnet.models import pretrained
from alexnet.models.alexnet import AlexNet
from alexnet.recipes import NETS, change_net, net_config
from alexnet.storage import checkpoints

Weights = str | Path | Mapping[str, Tensor]
HEAD_PARAMETERS = ("fc8.weight", "fc8.bias")
#: Fields of `NetConfig` in which a network may differ from the one that the weights are of.
NOT_IN_WEIGHTS = {"name", "num_classes", "weight_std", "conv3_5_weight_std", "std_by_fan_in", "bias_one"}
#: Fields that say nothing where there is no response normalisation (without it pooling and ReLU commute).
OF_LRN = {"lrn_n", "lrn_k", "lrn_alpha", "lrn_beta", "lrn_divide_alpha", "lrn_per_tower", "norm1_before_relu"}


def list_models(pattern: str = "*") -> list[str]:
    """Return the names that `create_model` knows.

    Args:
        pattern: as of file names: ``"without-*"``.
    """
    return [name for name in NETS if fnmatch.fnmatch(name, pattern)]


def create_model(
    name: str | None = None,
    *,
    num_classes: int | None = None,
    weights: Weights | None = None,
    generator: torch.Generator | None = None,
    **changes: Any,
) -> AlexNet:
    """Build a network by its name, with initial or given weights.

    Args:
        name: one of `list_models`; None for that of the weights, "paper" without any. Weights that tell their
            network must be of this one.
        num_classes: outputs; None for as many as the weights have, 1000 without any. Where the weights have
            another number, fc8 keeps its initial weights, to be trained on other classes.
        weights: None for the initial weights of the paper (section 5); "imagenette", which come with the
            package; a run's folder, or a file that ``alexnet train`` or ``alexnet export`` wrote; a file of
            the weights of ``torchvision.models.alexnet``, by themselves or in a checkpoint such as
            pytorch/examples writes; "torchvision", which takes these from torch's cache and downloads
            nothing; or a state dict.
        generator: draws the initial weights (CPU); torch's global one if None.
        **changes: fields of `NetConfig` to set, for example ``input_size=128``; beside a name
            ``base="code2012"`` departs from the authors' code instead of the text.
    Returns:
        the network, in training mode. The paper's and ``alexnet train``'s read images of 0 to 255 less the
        mean image, torchvision's weights what ``AlexNet_Weights.IMAGENET1K_V1.transforms()`` makes;
        ``load_classifier`` brings what its images need along.
    Raises:
        FileNotFoundError: the weights are not there.
        ValueError: there is no network or field of that name, the file is damaged or of another kind, or the
            weights are those of another network.
    """
    if weights is None:
        options = changes if num_classes is None else changes | {"num_classes": num_classes}
        return AlexNet(net_config("paper" if name is None else name, **options), generator=generator)
    state, told = read_parameters(weights)
    if name is not None:
        found = net_config(name, **changes)
    elif told is not None:
        found = change_net(told, changes)
    else:
        raise ValueError("a state dict does not tell its network; give its name, one of list_models()")
    biases = state.get("fc8.bias")
    outputs = found.num_classes if biases is None or biases.ndim != 1 else len(biases)
    wanted = outputs if num_classes is None else num_classes
    net = AlexNet(replace(found, num_classes=wanted), generator=generator)
    if net.config.num_classes != outputs:
        own = net.state_dict()
        state = dict(state) | {key: own[key] for key in HEAD_PARAMETERS}
    given = "the state dict" if isinstance(weights, Mapping) else str(weights)
    check_shapes(net, state, name=given)
    if told is not None:
        check_same(net.config, told, asked=changes.keys(), name=given)
    net.load_state_dict(state)
    return net


def read_parameters(weights: Weights) -> tuple[Mapping[str, Tensor], NetConfig | None]:
    """Return parameters under our names, and the network that they are of, if that is told.

    Errors as of `create_model`.
    """
    if isinstance(weights, Mapping):
        state = pretrained.state_in(dict(weights))
        if state is None:
            raise ValueError("a state dict holds tensors under the names of parameters, and nothing else")
        if state.keys() == pretrained.theirs():
            return pretrained.from_torchvision(state), net_config(pretrained.NAME)
        return state, None
    path = pretrained.find_weights(weights)
    try:
        content = checkpoints.load_weights(path)
    except ValueError:
        found = pretrained.read(path, "cpu")
        if found is None:
            raise
        return found.parameters, net_config(pretrained.NAME)
    return content.weights, config.from_dict(json.loads(content.recipe)).net


def check_same(net: NetConfig, told: NetConfig, *, asked: Collection[str], name: str) -> None:
    """Raise ValueError if a network would not compute from its weights what the network did that they are of.

    Args:
        net: the network.
        told: the network that the weights are of.
        asked: fields that were asked for by name, and may differ.
        name: of what holds the weights, for people.
    """
    unused = set() if net.lrn or told.lrn else OF_LRN
    for field in fields(NetConfig):
        ours, theirs = (getattr(one, field.name) for one in (net, told))
        if ours != theirs and field.name not in NOT_IN_WEIGHTS | unused | {*asked}:
            raise ValueError(
                f"{name} has the weights of the network {told.name!r}, whose {field.name} is {theirs!r}, and "
                f"that of {net.name!r} is {ours!r}; leave the name out, or give {field.name} beside it"
            )


def check_shapes(net: AlexNet, tensors: Mapping[str, Tensor], *, name: str) -> None:
    """Raise ValueError unless there is a tensor for each parameter of a network, of its shape, and no other.

    Args:
        net: the network.
        tensors: under the names of its parameters.
        name: of what holds them, for people.
    """
    shapes = {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}
    given = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    for key in sorted({*shapes, *given}):
        if shapes.get(key) != given.get(key):
            raise ValueError(
                f"{name} does not fit the network {net.config.name!r}: {key} is "
                f"{given.get(key, 'missing')}, and should be {shapes.get(key, 'missing')}"
            )

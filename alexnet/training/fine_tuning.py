"""Fine-tuning: training from the weights of a trained network, with learning rates by layer (paper 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from alexnet.config import NetConfig
from alexnet.data.prepared import PreparedSet
from alexnet.evaluation.prediction import load_classifier
from alexnet.models import pretrained
from alexnet.models.alexnet import AlexNet
from alexnet.models.create import HEAD_PARAMETERS, check_shapes
from alexnet.storage import shipped
from alexnet.storage.files import home

RateFactors = tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Initial:
    """The trained network that a training run starts from.

    Attributes:
        source: its name or path, as the user gave it.
        net: of the trained network.
        classes: of the images that it was trained on, in the order of its outputs.
        weights: by parameter, on the CPU.
    """

    source: str
    net: NetConfig
    classes: tuple[str, ...]
    weights: Mapping[str, Tensor]


def read_initial(source: str) -> Initial:
    """Read the network that a training run starts from.

    Args:
        source: all that `load_classifier` takes.
    Raises:
        FileNotFoundError: it does not exist.
        ValueError: the file is damaged, or is no network.
    """
    trained = load_classifier(source)
    return Initial(
        source=source, net=trained.net.config, classes=trained.classes, weights=trained.net.state_dict()
    )


def fitted(initial: Initial, net: NetConfig, dataset: PreparedSet) -> Initial:
    """Leave the weights of the last layer out where a data set has other classes, and check the others.

    Args:
        initial: of `read_initial`.
        net: to be trained.
        dataset: to train on.
    Raises:
        ValueError: a layer other than that is missing, or of another shape.
    """
    weights = initial.weights
    if initial.classes != tuple(dataset.classes):
        weights = {name: tensor for name, tensor in weights.items() if name not in HEAD_PARAMETERS}
    with torch.device("meta"):  # nothing but names and shapes
        whole = AlexNet(net)
    try:
        check_shapes(whole, {**whole.state_dict(), **weights}, name=initial.source)
    except ValueError as error:
        raise ValueError(
            f"{error}; these weights belong to the network {initial.net.name!r}, so train that one"
        ) from error
    return replace(initial, weights=weights)


def initial_in_words(initial: Initial, net: NetConfig) -> str:
    """Describe where the initial weights come from, and whether the last layer is new."""
    where = (
        f"weights: from {initial.source}, a network {initial.net.name!r} of {len(initial.classes)} classes"
    )
    if HEAD_PARAMETERS[0] in initial.weights:
        return f"{where}, with its last layer, as the data have the same classes"
    return (
        f"{where}; the data have other ones, so the last layer, fc8, is new, with {net.num_classes} outputs"
    )


def factors_in_words(factors: RateFactors) -> str:
    """Describe which layers are frozen, and which have a learning rate of their own."""
    frozen = [layer for layer, factor in factors if factor == 0]
    others = [f"{layer} at {factor:g} of the learning rate" for layer, factor in factors if factor != 0]
    return "layers: " + ", ".join([*([f"{' '.join(frozen)} frozen"] if frozen else []), *others])


def is_name(source: str) -> bool:
    """Whether this is the name of a trained network, on every machine."""
    return source in (*shipped.names(), pretrained.NAME)


def origin(source: str) -> str:
    """Return the name of a trained network, or the absolute path of its file or folder."""
    return source if is_name(source) else str(home(source).absolute())


def read_factors(freeze: str | None, layer_rates: str | None) -> RateFactors:
    """Read the values of ``--freeze`` and ``--layer-rates``.

    Args:
        freeze: such as "conv1,conv2".
        layer_rates: such as "conv3=0.1,fc8=10".
    Returns:
        as in `LearningConfig`, the frozen layers with a factor of 0.
    Raises:
        ValueError: a text has another form, or both name the same layer. Layers are not checked here.
    """
    found = {layer.strip(): 0.0 for layer in (freeze or "").split(",") if layer.strip()}
    for part in (layer_rates or "").split(","):
        layer, _, value = (text.strip() for text in part.partition("="))
        if not part.strip():
            continue
        if layer in found:
            raise ValueError(f"layer_rates: {layer} is named twice; freeze it or give it one factor")
        try:
            found[layer] = float(value)
        except ValueError as error:
            raise ValueError(
                f"layer_rates must be layers with a number, such as conv1=0.1,conv2=0.1; got {part!r}"
            ) from error
    return tuple(found.items())

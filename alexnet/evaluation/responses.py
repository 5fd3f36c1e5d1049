"""Activations of a trained network: feature maps of every layer, receptive fields, strongest activations.

Letters in shapes: C feature maps or units, H and W height and width in positions or pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from alexnet.config import NetConfig
from alexnet.evaluation.classifier import Classifier
from alexnet.functional.geometry import ReceptiveField, receptive_field
from alexnet.models.alexnet import AlexNet
from alexnet.models.architecture import list_layers
from alexnet.models.stages import child_names


class Place(NamedTuple):
    """A unit with its activation on a photograph.

    Attributes:
        photograph: its index among the photographs.
        row: of the unit in its feature map.
        column: of the unit in its feature map.
        value: its activation.
    """

    photograph: int
    row: int
    column: int
    value: float


def layer_names(config: NetConfig) -> list[str]:
    """Return the names of all layers except normalisations, which only rescale their input."""
    return [layer.name for layer in list_layers(config) if layer.kind != "norm"]


@torch.no_grad()
def responses(net: AlexNet, image: Tensor) -> dict[str, Tensor]:
    """Compute the activations of every layer for an image, after the ReLU, even if conv1 has it later.

    Args:
        net: in evaluation mode.
        image: (3, height, width), ready for the network. An image larger than the network's gives larger maps
            and no dense layers.
    Returns:
        {layer: (C, H, W)}, from conv1 on; (C, 1, 1) for dense layers; fc8 has no ReLU.
    """
    whole = tuple(image.shape[1:]) == (net.config.input_size,) * 2
    found, x = {}, image[None]
    for layer, modules in child_names(net.config):
        if layer.kind == "dense" and not whole:
            break
        for module in modules:
            x = net.get_submodule(module)(x)
        # The normalisation between conv1 and its ReLU changes no sign, so these are the active units.
        shown = x.relu() if layer.name == "conv1" else x
        found[layer.name] = shown[0].reshape(layer.out_channels, *(shown.shape[2:] or (1, 1)))
    return {name: found[name] for name in layer_names(net.config) if name in found}


def fields(config: NetConfig) -> dict[str, ReceptiveField]:
    """Return the receptive field of the units of each layer along one axis, in pixels.

    Normalisation over neighbouring positions, which the 2012 code has in layer 2, is left out: through it a
    unit also depends on its neighbours' receptive fields, but only weakly. A dense unit sees the whole image.
    """
    windows = [layer for layer in list_layers(config) if layer.kind in ("conv", "pool")]
    steps = [
        (layer.kernel_size, layer.stride, layer.padding[0] if layer.kind == "conv" else 0)
        for layer in windows
    ]
    seen = dict(zip([layer.name for layer in windows], receptive_field(steps), strict=True))
    whole = ReceptiveField(config.input_size, config.input_size, 0)
    return {name: seen.get(name, whole) for name in layer_names(config)}


def window(field: ReceptiveField, row: int, column: int, height: int, width: int) -> tuple[int, ...]:
    """Return the part of an image in a unit's receptive field: (top, left, height, width), in pixels.

    Args:
        field: of its layer.
        row: from 0.
        column: from 0.
        height: of the image, in pixels.
        width: of the image, in pixels.
    """
    edges = []
    for place, end in ((row, height), (column, width)):
        first = field.start + place * field.stride
        near, far = max(first, 0), min(first + field.size, end)
        edges.append((near, max(far - near, 0)))
    (top, tall), (left, wide) = edges
    return top, left, tall, wide


@torch.no_grad()
def strongest(classifier: Classifier, photographs: Sequence[Tensor], k: int) -> dict[str, list[list[Place]]]:
    """Find the photographs with the largest activation of each feature map, and its position in each.

    Layers with spatial positions read the whole photograph as it is; dense layers read its centre, scaled to
    the size that the network reads.

    Args:
        classifier: with the network.
        photographs: (3, height, width) uint8, no smaller than what the network reads.
        k: how many photographs for each feature map.
    Returns:
        {layer: [the k largest activations of each feature map]}, the largest first.
    Raises:
        ValueError: k is not from 1 to the number of photographs.
    """
    if not 1 <= k <= len(photographs):
        raise ValueError(f"k must be from 1 to the {len(photographs)} photographs, got {k}")
    colour = classifier.statistics.mean_image.mean((1, 2), keepdim=True)
    dense = [layer.name for layer in list_layers(classifier.net.config) if layer.kind == "dense"]
    answers = []
    for photograph in photographs:
        centre = responses(classifier.net, classifier.transforms(photograph))
        maps = responses(classifier.net, photograph.to(classifier.device) - colour)
        answers.append(maps | {name: centre[name] for name in dense})
    return {
        layer: peaks([answer[layer] for answer in answers], k) for layer in layer_names(classifier.net.config)
    }


def peaks(maps: Sequence[Tensor], k: int) -> list[list[Place]]:
    """Return the k photographs with the largest activation of each feature map, and its position.

    Args:
        maps: (C, H, W) of each photograph, of any H and W.
        k: how many for each of the C feature maps.
    """
    largest = [answer.flatten(1).max(1) for answer in maps]
    values = torch.stack([found.values for found in largest])  # (photographs, C)
    order = values.argsort(dim=0, descending=True, stable=True)[:k]
    found = []
    for unit in range(values.shape[1]):
        places = []
        for which in order[:, unit].tolist():
            row, column = divmod(int(largest[which].indices[unit]), maps[which].shape[2])
            places.append(Place(which, row, column, values[which, unit].item()))
        found.append(places)
    return found

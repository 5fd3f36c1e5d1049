"""The layers of figure 2 as modules in their order, and where something crosses between towers (paper 3.2).

A network of towers is a chain of stages. Between two stages something crosses from tower to tower, and
nothing else ever does:

* "edges": a normalisation over all feature maps needs the first or last maps of the neighbouring tower;
* "gather": conv3, fc6 and fc7 read the maps or activations of all towers;
* "sum": the logits are the sum of what every tower's half of fc8 makes of its own activations.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn

from alexnet.config import NetConfig
from alexnet.models.architecture import Layer, list_layers
from alexnet.models.layers import (
    Conv2d,
    Dropout,
    LocalResponseNorm,
    PartOfLinear,
    SpatialResponseNorm,
)

DROPOUT = "dropout_"  # begins the name of a dropout; the layer that reads what it leaves ends it


class Stage(NamedTuple):
    """Layers that run without any exchange between towers.

    Attributes:
        crossing: what the towers exchange before it: "", "edges", "gather" or "sum".
        layers: what it computes; none in the stage that adds the biases of the output layer.
        children: the names of the modules that compute it, in their order.
    """

    crossing: str
    layers: tuple[Layer, ...]
    children: tuple[str, ...]


def child_names(config: NetConfig) -> Iterator[tuple[Layer, tuple[str, ...]]]:
    """Yield each layer of the table with the names of the modules that compute it.

    A ReLU belongs to the layer before it: in layer 1 of the 2012 code that is the pooling.
    """
    flat = False
    for layer in list_layers(config):
        before, after = [], []
        if layer.kind == "dense":
            before += [] if flat else ["flatten"]
            before += [DROPOUT + layer.name] if layer.name in dropout_inputs(config) else []
            flat = True
        waits = layer.name == "conv1" and config.norm1_before_relu
        if (layer.has_parameters and layer.name != "fc8" and not waits) or (
            layer.name == "pool1" and config.norm1_before_relu
        ):
            after = ["relu_conv6" if layer.name == "conv6" else "relu" + layer.name[-1]]
        yield layer, (*before, layer.name, *after)


def make_children(config: NetConfig, num_parts: int = 1) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules of a network with their names, in the order of computation, without values.

    Args:
        config: the network.
        num_parts: 1 for the whole layer, the number of towers for the part of one.
    """
    with torch.device("meta"):  # so that no layer draws initial values of torch's choice
        for layer, names in child_names(config):
            for name in names:
                yield name, build(name, layer, config, num_parts)


def build(name: str, layer: Layer, config: NetConfig, num_parts: int) -> nn.Module:
    """Build one module of a layer, or the part of it that one of `num_parts` towers has."""
    if name == layer.name:
        return build_layer(layer, config, num_parts)
    if name.startswith(DROPOUT):
        return Dropout(config.dropout, inverted=config.dropout_inverted)
    return nn.Flatten() if name == "flatten" else nn.ReLU()


def build_layer(layer: Layer, config: NetConfig, num_parts: int) -> nn.Module:
    """Build a layer, or the part of it that one of `num_parts` towers has.

    Where towers are groups, a tower reads its own maps; a layer that crosses reads all. fc8 is the other way
    round: a tower reads its own activations alone, and makes a part of every logit.
    """
    if layer.kind == "conv":
        all_read = layer.groups == 1
        return Conv2d(
            layer.in_channels if all_read else layer.in_channels // num_parts,
            layer.out_channels // num_parts,
            layer.kernel_size,
            layer.stride,
            sides=layer.padding,
            groups=1 if all_read else layer.groups // num_parts,
        )
    if layer.kind == "dense":
        if layer.name == "fc8" and num_parts > 1:
            return PartOfLinear(layer.in_channels // num_parts, layer.out_channels)
        return nn.Linear(layer.in_channels, layer.out_channels // num_parts)
    if layer.kind == "pool":
        return nn.MaxPool2d(layer.kernel_size, layer.stride, ceil_mode=config.rounding == "ceil")
    if layer.name == "spatial_norm2":
        return SpatialResponseNorm()
    return LocalResponseNorm(
        n=config.lrn_n,
        k=config.lrn_k,
        alpha=config.lrn_alpha,
        beta=config.lrn_beta,
        divide_alpha=config.lrn_divide_alpha,
        groups=config.towers // num_parts if config.lrn_per_tower else 1,
    )


def make_stages(config: NetConfig) -> tuple[Stage, ...]:
    """Split the layers into stages at every exchange between towers.

    The output layer and the addition of its biases are stages of their own also where nothing crosses.
    """
    stages: list[Stage] = [Stage("", (), ())]
    for layer, names in child_names(config):
        crossing = ""
        if layer.kind == "norm" and layer.name != "spatial_norm2" and config.towers > 1:
            crossing = "" if config.lrn_per_tower else "edges"
        elif layer.crosses and layer.name != "fc8":
            crossing = "gather"
        if crossing or layer.name == "fc8":
            stages.append(Stage(crossing, (layer,), names))
        else:
            last = stages[-1]
            stages[-1] = Stage(last.crossing, (*last.layers, layer), (*last.children, *names))
    return (*stages, Stage("sum", (), ()))


def dropout_inputs(config: NetConfig) -> dict[str, int]:
    """Return the dense layers whose input dropout acts on, with the number of inputs, all towers together."""
    dense = [layer for layer in list_layers(config) if layer.kind == "dense"]
    chosen = dense[:-1] if config.dropout_before else dense[1:]
    return {layer.name: layer.in_channels for layer in chosen} if config.dropout else {}

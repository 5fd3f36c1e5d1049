"""A network's layers as a table: what each reads, computes and puts out (paper 3.5, figure 2).

The model is built from this table, and the summary is printed from it. Channels and units count all towers
together; sizes are height = width in pixels.
"""

import math
from dataclasses import dataclass

from alexnet import paper
from alexnet.config import CONV_LAYERS, NetConfig
from alexnet.functional.geometry import (
    ceil_padding,
    conv_num_multiply_adds,
    conv_num_parameters,
    dense_num_multiply_adds,
    dense_num_parameters,
    output_size,
)

PAPER_FAN_IN = {  # inputs of one unit of the paper's network: kernel height x width x depth, or units read
    **{layer.name: math.prod(layer.kernel_shape) for layer in paper.LAYERS if layer.kernel_shape},
    "conv6": 3 * 3 * 256,
    "fc6": 6 * 6 * 256,
    "fc7": 4096,
    "fc8": 4096,
}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: conv1 to conv6, norm1, norm2, spatial_norm2, pool1, pool2, pool5, fc6 to fc8.
        kind: "conv", "norm", "pool" or "dense".
        in_channels: channels, or units of a dense layer, which after a convolution reads every pixel of every
            channel as a unit.
        out_channels: channels, or units of a dense layer.
        in_size: height and width of what it reads, in pixels; 1 for a dense layer.
        out_size: height and width of what it puts out, in pixels; 1 for a dense layer.
        kernel_size: pixels of a window; 1 for a dense layer and for a norm.
        stride: pixels from one window to the next; 1 for a dense layer and for a norm.
        padding: zeros on the (left, right, top, bottom); of conv layers alone.
        groups: G of a grouped convolution, one for each tower; 1 if it reads all feature maps.
        crosses: whether it reads the feature maps or units of all towers.
        weight_std: standard deviation of the initial weights; 0 where there are none.
        bias: value of the initial biases; 0 where there are none.
    """

    name: str
    kind: str
    in_channels: int
    out_channels: int
    in_size: int = 1
    out_size: int = 1
    kernel_size: int = 1
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    crosses: bool = False
    weight_std: float = 0.0
    bias: float = 0.0

    @property
    def num_neurons(self) -> int:
        """Outputs on one image."""
        return self.out_channels * self.out_size**2

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        if self.kind == "conv":
            return conv_num_parameters(
                self.in_channels, self.out_channels, self.kernel_size, groups=self.groups
            )
        return dense_num_parameters(self.in_channels, self.out_channels) if self.kind == "dense" else 0

    @property
    def num_multiply_adds(self) -> int:
        """Multiplications, each with its addition, of convolutions and dense layers on one image."""
        if self.kind == "conv":
            return conv_num_multiply_adds(
                self.in_channels, self.out_channels, self.kernel_size, self.out_size, groups=self.groups
            )
        return dense_num_multiply_adds(self.in_channels, self.out_channels) if self.kind == "dense" else 0

    @property
    def has_parameters(self) -> bool:
        """Whether the layer learns."""
        return self.kind in ("conv", "dense")


def list_layers(config: NetConfig) -> tuple[Layer, ...]:
    """Return a network's layers in the order of computation.

    Raises:
        ValueError: the images are too small for the windows, a window of a pooling layer has no pixel, or
            kernels cannot be split among the towers.
    """
    layers: list[Layer] = []
    channels, size = config.input_channels, config.input_size
    for index, name in enumerate(CONV_LAYERS):
        if name not in config.removed:
            conv = conv_layer(config, name, channels, size)
            layers.append(conv)
            channels, size = conv.out_channels, conv.out_size
            layers += norm_layers(config, index + 1, channels, size)
        if name in ("conv1", "conv2", "conv5"):
            pool = pool_layer(config, f"pool{index + 1}", channels, size)
            layers.append(pool)
            size = pool.out_size
    if len(config.conv_channels) == 6:
        conv = conv_layer(config, "conv6", channels, size)
        layers.append(conv)
        channels = conv.out_channels
    return (*layers, *dense_layers(config, channels * size**2))


def conv_layer(config: NetConfig, name: str, in_channels: int, in_size: int) -> Layer:
    """Return a convolutional layer; conv6 is 3x3 with padding 1, as in the 2012 code."""
    index = int(name[-1]) - 1
    kernel_size, padding = (3, 1) if index == 5 else (config.kernel_sizes[index], config.paddings[index])
    stride = config.conv1_stride if name == "conv1" else 1
    crosses = name in config.crossing and config.towers > 1
    sides = (padding, padding, padding, padding)
    if config.rounding == "ceil":
        sides = ceil_padding(in_size, in_size, kernel_size, stride, padding)
    reads_all = crosses or name == "conv1"
    weight_std, bias = initial_values(config, name, kernel_size**2 * in_channels, reads_all)
    return Layer(
        name=name,
        kind="conv",
        in_channels=in_channels,
        out_channels=config.conv_channels[index],
        in_size=in_size,
        out_size=output_size(in_size, kernel_size, stride, padding, rounding=config.rounding),
        kernel_size=kernel_size,
        stride=stride,
        padding=sides,
        groups=1 if reads_all else config.towers,
        crosses=crosses,
        weight_std=weight_std,
        bias=bias,
    )


def norm_layers(config: NetConfig, number: int, channels: int, size: int) -> list[Layer]:
    """Return the normalisations after a convolution: one after conv1, one or two after conv2."""
    names = {1: ["norm1"] * config.lrn, 2: ["norm2"] * config.lrn + ["spatial_norm2"] * config.spatial_norm}
    return [
        Layer(
            name=name, kind="norm", in_channels=channels, out_channels=channels, in_size=size, out_size=size
        )
        for name in names.get(number, [])
    ]


def pool_layer(config: NetConfig, name: str, channels: int, in_size: int) -> Layer:
    """Return a pooling layer; ValueError if its last window has no pixel, which torch would leave out."""
    out_size = output_size(in_size, config.pool_size, config.pool_stride, rounding=config.rounding)
    if (out_size - 1) * config.pool_stride >= in_size:
        raise ValueError(
            f"the last window of {name} would begin beyond its {in_size} pixels; pool_stride must be at most "
            f"pool_size, got {config.pool_stride} and {config.pool_size}"
        )
    return Layer(
        name=name,
        kind="pool",
        in_channels=channels,
        out_channels=channels,
        in_size=in_size,
        out_size=out_size,
        kernel_size=config.pool_size,
        stride=config.pool_stride,
    )


def dense_layers(config: NetConfig, num_inputs: int) -> list[Layer]:
    """Return the dense layers that are not removed; every unit reads all units below it, in all towers."""
    layers = []
    for name, units in zip(("fc6", "fc7", "fc8"), (*config.dense_units, config.num_classes), strict=True):
        if name not in config.removed:
            weight_std, bias = initial_values(config, name, num_inputs, True)
            layer = Layer(
                name=name,
                kind="dense",
                in_channels=num_inputs,
                out_channels=units,
                crosses=config.towers > 1,
                weight_std=weight_std,
                bias=bias,
            )
            layers.append(layer)
            num_inputs = units
    return layers


def initial_values(config: NetConfig, name: str, num_inputs: int, reads_all: bool) -> tuple[float, float]:
    """Return the standard deviation of a layer's initial weights and the value of its biases (paper 5)."""
    later_conv = name in ("conv3", "conv4", "conv5", "conv6")
    std = config.conv3_5_weight_std if later_conv else config.weight_std
    if config.std_by_fan_in:
        fan_in = num_inputs if reads_all else num_inputs // config.towers
        std *= (PAPER_FAN_IN[name] / fan_in) ** 0.5
    return std, float(name in config.bias_one)

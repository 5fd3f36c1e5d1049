"""The small CIFAR-10 networks of the 2012 code, for the experiments at CIFAR-10 scale.

Letters in shapes: N images, C channels, H height, W width.

The paper's figure 1 compares activation functions in a convolutional network of four layers, which it does
not describe further. The 2012 code holds no definition of it either, but it has CIFAR-10 networks of the
right size, and there are two ways to count to four:

* ``layers-19pct``: three convolutions and the output layer, four layers with weights (counted as the
  paper counts the eight layers of AlexNet);
* ``layers-80sec``: the same with a dense layer of 64 units before the output layer, four hidden layers.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.functional.activations import unit_by_name
from alexnet.functional.contrast import local_contrast_norm

#: The standard deviations of the initial weights in the 2012 layer files, from the first layer to the last.
STDS_2012 = {"conv1": 1e-4, "conv2": 1e-2, "conv3": 1e-2, "output": 1e-2}
STDS_2012_DENSE = {**STDS_2012, "dense": 0.1, "output": 0.1}
#: The same for layers-conv-local-13pct and -11pct.
STDS_LOCAL = {"conv1": 1e-4, "conv2": 1e-2, "local3": 0.04, "local4": 0.04, "fc10": 1e-2}
LOCAL_INPUT_SIZE = 24  # pixels of the crops that the two networks read
FIRST_POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
INITIALISATIONS = ("2012", "scaled", "equal")


class Activation(nn.Module):
    """A named activation function as a layer; has no parameters."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.function: Callable[[Tensor], Tensor] = unit_by_name(name)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def extra_repr(self) -> str:
        return self.name


class LocalContrastNorm(nn.Module):
    """`alexnet.functional.local_contrast_norm` as a layer; has no parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return local_contrast_norm(x)


def four_layer_net(
    unit: str,
    *,
    initialisation: str,
    generator: torch.Generator,
    channels: Sequence[int] = (32, 32, 64),
    dense: int = 0,
    first_pool: str = "max",
    num_classes: int = 10,
) -> nn.Sequential:
    """Build the four-layer network for 32x32 colour images (paper 3.1, figure 1).

    5x5 convolutions with padding 2, each followed by the activation function and by overlapping pooling (z =
    3, s = 2; maximum, then average, then average) that rounds sizes up, as the 2012 code does: 32 -> 16 -> 8
    -> 4.

    Args:
        unit: the activation function, a name in ``alexnet.functional.UNITS``.
        initialisation: "2012" for the normal distributions of the 2012 layer files, which want images of
            0..255 with the mean subtracted; "scaled" for widths chosen from the fan-in (He et al. for ReLU,
            Glorot & Bengio for the others), which want images of unit variance; "equal" for the widths of
            He et al. with any activation function. Biases are 0 in all.
        generator: source of all random numbers.
        channels: output channels of the three convolutions.
        dense: units of a dense layer before the output; 0 for none.
        first_pool: "max", or "average" as in the others.
        num_classes: outputs.
    Returns:
        a network from (N, 3, 32, 32) to logits (N, num_classes), its layers named conv1, unit1, ..., output.
    Raises:
        ValueError: an unknown activation function or initialisation.
    """
    if initialisation not in INITIALISATIONS:
        raise ValueError(
            f"there is no initialisation {initialisation!r}; there are {', '.join(INITIALISATIONS)}"
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    pools = (FIRST_POOLS[first_pool], nn.AvgPool2d, nn.AvgPool2d)
    for i, (c_in, c_out, pool) in enumerate(zip((3, *channels), channels, pools, strict=False), start=1):
        layers[f"conv{i}"] = nn.Conv2d(c_in, c_out, 5, padding=2)
        layers[f"unit{i}"] = Activation(unit)
        layers[f"pool{i}"] = pool(3, stride=2, ceil_mode=True)
    layers["flatten"] = nn.Flatten()
    features = channels[-1] * 4 * 4
    if dense:
        layers["dense"] = nn.Linear(features, dense)
        layers["unit4"] = Activation(unit)
    layers["output"] = nn.Linear(dense or features, num_classes)
    net = nn.Sequential(layers)
    if initialisation == "2012":
        initialise_2012(net, generator)
    else:
        initialise_scaled(net, "relu" if initialisation == "equal" else unit, generator)
    return net


class LocallyConnected2d(nn.Module):
    """A locally connected layer, with separate kernels at every position: "local" in the 2012 layer files.

    Attributes:
        weight: (H * W, C * K * K, C_out), for each position, row by row, what an inner product is taken with.
        bias: (C_out, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, size: int, padding: int):
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.side = size + 2 * padding - kernel_size + 1
        inputs = in_channels * kernel_size**2
        self.weight = nn.Parameter(torch.randn(self.side**2, inputs, out_channels) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(out_channels, self.side, self.side))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C_out, H, W) of x (N, C, size, size)."""
        patches = F.unfold(x, self.kernel_size, padding=self.padding).permute(
            2, 0, 1
        )  # (H * W, N, C * K * K)
        maps = torch.bmm(patches, self.weight).permute(1, 2, 0)
        return maps.unflatten(2, (self.side, self.side)) + self.bias

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, kernel_size={self.kernel_size}, padding={self.padding}"


def conv_local_net(
    *, generator: torch.Generator, local3: int = 32, he_weights: bool = False, num_classes: int = 10
) -> nn.Sequential:
    """Build the network of layers-conv-local-13pct, for crops of 24x24 pixels (paper 3.3).

    Two convolutions of 64 kernels of 5x5, each followed by ReLU and overlapping maximum pooling that rounds
    sizes up (24 -> 12 -> 6), two locally connected layers of 3x3 with ReLU, and the output layer. Weights are
    normal with the standard deviations of the file, which want images of 0..255 with the mean subtracted.

    Args:
        generator: source of all random numbers.
        local3: feature maps of the first locally connected layer; 64 in the public file of the 11% network.
        he_weights: draw weights with variance 2 / fan_in instead (He et al. 2015).
        num_classes: outputs.
    Returns:
        a network from (N, 3, 24, 24) to logits (N, num_classes), its layers named conv1, unit1, ..., fc10.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, c_in in enumerate((3, 64), start=1):
        layers[f"conv{i}"] = nn.Conv2d(c_in, 64, 5, padding=2)
        layers[f"unit{i}"] = Activation("relu")
        layers[f"pool{i}"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    for i, (c_in, c_out) in enumerate(((64, local3), (local3, 32)), start=3):
        layers[f"local{i}"] = LocallyConnected2d(c_in, c_out, 3, size=LOCAL_INPUT_SIZE // 4, padding=1)
        layers[f"unit{i}"] = Activation("relu")
    layers["flatten"] = nn.Flatten()
    features = 32 * (LOCAL_INPUT_SIZE // 4) ** 2
    layers["fc10"] = nn.Linear(features, num_classes)
    net = nn.Sequential(layers)
    fan_ins = {"conv1": 3 * 25, "conv2": 64 * 25, "local3": 64 * 9, "local4": local3 * 9, "fc10": features}
    he_stds = {name: math.sqrt(2 / fan_in) for name, fan_in in fan_ins.items()}
    draw_weights(net, he_stds if he_weights else STDS_LOCAL, generator)
    return net


def dense_stack(
    unit: str,
    *,
    depth: int,
    generator: torch.Generator,
    gain: float = 1.0,
    width: int = 128,
    num_inputs: int = 3 * 32 * 32,
    num_classes: int = 10,
) -> nn.Sequential:
    """Build ``depth`` dense layers in a row, each followed by the activation function, and an output layer.

    Weights are drawn from N(0, gain^2 / fan_in), biases are 0: with gain 1 and no activation functions every
    layer would pass on the size of its input unchanged.

    Returns:
        a network from images (N, C, H, W) of num_inputs numbers each to logits (N, num_classes); its layers
        are named dense1, unit1, dense2, ..., output.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for i in range(1, depth + 1):
        layers[f"dense{i}"] = nn.Linear(num_inputs if i == 1 else width, width)
        layers[f"unit{i}"] = Activation(unit)
    layers["output"] = nn.Linear(width, num_classes)
    for layer in layers.values():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5, generator=generator)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(layers)


def initialise_2012(net: nn.Sequential, generator: torch.Generator) -> None:
    """Draw every weight from N(0, std^2) with the std of the 2012 layer files; set biases to 0."""
    draw_weights(net, STDS_2012_DENSE if "dense" in dict(net.named_children()) else STDS_2012, generator)


def draw_weights(net: nn.Sequential, stds: dict[str, float], generator: torch.Generator) -> None:
    """Draw every weight from N(0, std^2) with the std of its layer; set biases to 0."""
    for name, std in stds.items():
        nn.init.normal_(net.get_parameter(f"{name}.weight"), std=std, generator=generator)
        nn.init.zeros_(net.get_parameter(f"{name}.bias"))


def initialise_scaled(net: nn.Sequential, unit: str, generator: torch.Generator) -> None:
    """Draw weights so that the variance of signals is kept from layer to layer; set biases to 0.

    Variance 2 / fan_in for ReLU (He et al. 2015), 2 / (fan_in + fan_out) for the others
    (Glorot & Bengio 2010).
    """
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif unit == "relu":
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:
            nn.init.xavier_normal_(parameter, generator=generator)

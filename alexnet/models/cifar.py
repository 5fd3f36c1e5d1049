"""The small CIFAR-10 networks of the 2012 code, for the experiments at CIFAR-10 scale.

Letters in shapes: N images, C channels, H height, W width.

The paper's figure 1 compares units in a convolutional network of four layers and says no more of it. The 2012
code holds no definition of it either, but it has CIFAR-10 networks of the right size, and there are two
ways to count to four:

* ``layers-19pct``: three convolutions and the output layer, four layers with weights (counted as the
  paper counts the eight layers of AlexNet);
* ``layers-80sec``: the same with a dense layer of 64 units before the output layer, four hidden layers.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from alexnet.functional.activations import unit_by_name

#: The standard deviations of the initial weights in the 2012 layer files, from the first layer to the last.
STDS_2012 = {"conv1": 1e-4, "conv2": 1e-2, "conv3": 1e-2, "output": 1e-2}
STDS_2012_DENSE = {**STDS_2012, "dense": 0.1, "output": 0.1}
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


def four_layer_net(
    unit: str,
    *,
    initialisation: str,
    generator: torch.Generator,
    channels: Sequence[int] = (32, 32, 64),
    dense: int = 0,
    num_classes: int = 10,
) -> nn.Sequential:
    """Build the four-layer network for 32x32 colour images (paper 3.1, figure 1).

    5x5 convolutions with padding 2, each followed by the unit and by overlapping pooling (z = 3, s = 2;
    maximum, then average, then average) that rounds sizes up, as the 2012 code does: 32 -> 16 -> 8 -> 4.

    Args:
        unit: a name in ``alexnet.functional.UNITS``.
        initialisation: "2012" for the normal distributions of the 2012 layer files, which want images of
            0..255 with the mean subtracted; "scaled" for widths chosen from the fan-in (He et al. for ReLU,
            Glorot & Bengio for the others), which want images of unit variance; "equal" for the widths of
            He et al. with any unit. Biases are 0 in all.
        generator: source of all random numbers.
        channels: output channels of the three convolutions.
        dense: units of a dense layer before the output; 0 for none.
        num_classes: outputs.
    Returns:
        a network from (N, 3, 32, 32) to logits (N, num_classes), its layers named conv1, unit1, ..., output.
    Raises:
        ValueError: an unknown unit or initialisation.
    """
    if initialisation not in INITIALISATIONS:
        raise ValueError(
            f"there is no initialisation {initialisation!r}; there are {', '.join(INITIALISATIONS)}"
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    pools = (nn.MaxPool2d, nn.AvgPool2d, nn.AvgPool2d)
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
    """Build ``depth`` dense layers in a row, each followed by the unit, and an output layer.

    Weights are drawn from N(0, gain^2 / fan_in), biases are 0: with gain 1 and linear units every layer would
    pass on the size of its input unchanged.

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
    stds = STDS_2012_DENSE if "dense" in dict(net.named_children()) else STDS_2012
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

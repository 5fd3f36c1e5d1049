"""The arms of an experiment: networks with their inputs and their training settings.

An arm is identified by the fields in which it differs from the defaults. A field that is added later,
with a default that changes nothing, therefore leaves the names of finished trials as they are.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.config import AugmentConfig, LearningConfig, NetConfig
from alexnet.data.statistics import Statistics
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.cifar import LOCAL_INPUT_SIZE, LocalContrastNorm, conv_local_net, four_layer_net
from alexnet.models.layers import LocalResponseNorm
from alexnet.optim.sgd import param_groups
from alexnet.transforms.ten_crop import prepare_centre
from alexnet.transforms.training import prepare_training

# The constants of layers-conv-local-11pct: scale 0.001, which the code divides by the size, and a 1 for k.
CODE_CONSTANTS: dict[str, Any] = {"n": 5, "k": 1.0, "alpha": 1e-3, "beta": 0.75, "divide_alpha": True}
#: Kinds of normalisation behind the first two convolutions. LRN stands behind the activation function, as in
#: paper and code; batch normalisation before it, as by its authors (Ioffe & Szegedy 2015).
#:
#: :meta hide-value:
NORMALISATIONS: dict[str, tuple[str, Callable[[int], nn.Module]] | None] = {
    "none": None,
    "constant": ("unit", lambda channels: LocalResponseNorm(alpha=0.0)),
    "lrn": ("unit", lambda channels: LocalResponseNorm()),
    "lrn-11pct": ("unit", lambda channels: LocalResponseNorm(**CODE_CONSTANTS)),
    "batch": ("conv", nn.BatchNorm2d),
    "contrast": ("unit", lambda channels: LocalContrastNorm()),
}
#: Ways to halve the size of an image: the filter, and whether it averages over all pixels ("antialiased").
SHRINKING = {
    "nearest": ("nearest", False),
    "area": ("nearest", True),
    "bilinear": ("bilinear", True),
    "lanczos": ("lanczos", True),
}
SHRUNK_AT_A_TIME = 1000
# The public file of the 11% network has wider windows, and the first of them behind the pool.
PUBLIC_CONSTANTS = CODE_CONSTANTS | {"n": 9}
NORMALISED = ("1", "2")  # the layers that get it


@dataclass(frozen=True, kw_only=True)
class FourLayerConfig:
    """A network of four layers for 32x32 images, see `alexnet.models.cifar.four_layer_net` (3.1, 3.3).

    Attributes:
        unit: the activation function, a name in ``alexnet.functional.UNITS``.
        initialisation: of the weights, by name.
        channels: output channels of the three convolutions.
        dense: units of a dense layer before the output; 0 for none.
        normalisation: a name in ``NORMALISATIONS``.
        first_pool: "max" or "average".
    """

    unit: str = "relu"
    initialisation: str = "scaled"
    channels: tuple[int, ...] = (32, 32, 64)
    dense: int = 0
    normalisation: str = "none"
    first_pool: str = "max"


@dataclass(frozen=True, kw_only=True)
class ConvLocalConfig:
    """A network of the authors' files for CIFAR-10, see `alexnet.models.cifar.conv_local_net` (3.3).

    Attributes:
        local3: feature maps of the first locally connected layer.
        normalisation: a name in ``NORMALISATIONS``, or "lrn-public".
        he_weights: initial weights of He et al. (2015) instead of the file's.
        input_size: height and width of the images, in pixels.
    """

    local3: int = 32
    normalisation: str = "none"
    he_weights: bool = False
    input_size: int = LOCAL_INPUT_SIZE


Network = NetConfig | FourLayerConfig | ConvLocalConfig


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One of the ways of training that an experiment compares.

    Attributes:
        about: what it is, in a few words.
        net: the network.
        learning: of the training; the search for the best learning rate starts at its learning rate.
        augment: the data augmentation; None: training images are read like test images.
        unit_variance: pixel values minus their mean image are divided by their standard deviation.
        conv1_rate_factor: the learning rate of conv1's weights as a multiple of that of the others.
        drops: after which parts of the epochs the learning rate is divided by ten.
        weight_decays: (layer, decay of its weights) where it is not that of the learning.
        moved: (layer, the layer that it follows) where they do not follow each other in the paper's network.
        shrunk: images are shrunk to half their height and width by this filter, a name in ``SHRINKING``.
        part: the fraction of the experiment's training images that it has, the first ones.
    """

    about: str
    net: Network
    learning: LearningConfig
    augment: AugmentConfig | None = None
    unit_variance: bool = False
    conv1_rate_factor: float = 1.0
    drops: tuple[float, ...] = ()
    weight_decays: tuple[tuple[str, float], ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    shrunk: str = ""
    part: float = 1.0

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that tell the arm from others, without its text and where its search starts."""
        settings = departures(self)
        del settings["about"]
        settings["net"].pop("name", None)
        settings["learning"].pop("rate", None)
        return settings

    def build(self, generator: torch.Generator, *, num_classes: int) -> nn.Module:
        """Make the network with its initial weights."""
        if isinstance(self.net, NetConfig):
            return rearranged(AlexNet(self.net, generator=generator), self.moved)
        config = self.net
        if isinstance(config, ConvLocalConfig):
            net = conv_local_net(
                generator=generator,
                local3=config.local3,
                he_weights=config.he_weights,
                num_classes=num_classes,
            )
            return normalised(net, config.normalisation)
        net = four_layer_net(
            config.unit,
            initialisation=config.initialisation,
            channels=config.channels,
            dense=config.dense,
            first_pool=config.first_pool,
            num_classes=num_classes,
            generator=generator,
        )
        return normalised(net, config.normalisation)

    def stored(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) uint8 as the arm's data set has them: shrunk, where the arm says so."""
        if not self.shrunk:
            return images
        from alexnet.transforms.resampling import resample  # with scipy, which few arms need

        height, width = images.shape[-2:]
        name, antialias = SHRINKING[self.shrunk]
        parts = images.split(SHRUNK_AT_A_TIME)
        small = [
            resample(part, (height // 2, width // 2), name=name, antialias=antialias).round().clamp(0, 255)
            for part in parts
        ]
        return torch.cat([part.to(torch.uint8) for part in small])

    def draw_masks(self, num_images: int, generator: torch.Generator, device: str) -> dict[str, Any]:
        """Draw what the network's forward pass takes beside a batch: the masks of dropout."""
        if not isinstance(self.net, NetConfig) or self.net.dropout == 0:
            return {}
        masks = draw_masks(self.net, num_images, generator=generator)
        return {"masks": {name: mask.to(device) for name, mask in masks.items()}}

    def rate_groups(self, net: nn.Module, rate: float) -> list[dict[str, Any]]:
        """Return the optimizer's groups of parameters, each with its initial learning rate."""
        groups = param_groups(net, self.learning)
        for group in groups:
            factor = self.learning.bias_rate_factor if group["name"].endswith("bias") else 1.0
            factor = self.conv1_rate_factor if group["name"] == "conv1.weight" else factor
            group["lr"] = rate * factor * group["factor"]
        return self.with_weight_decays(groups, net)

    def with_weight_decays(self, groups: list[dict[str, Any]], net: nn.Module) -> list[dict[str, Any]]:
        """Return the groups with one more for each layer with a weight decay of its own."""
        for layer, decay in self.weight_decays:
            weight = net.get_parameter(f"{layer}.weight")
            (group,) = [group for group in groups if any(weight is one for one in group["params"])]
            group["params"] = [one for one in group["params"] if one is not weight]
            groups.append(group | {"params": [weight], "weight_decay": decay})
        return [group for group in groups if group["params"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """Makes the input of an arm's network from stored images (N, 3, H, W) uint8, on their device.

    Attributes:
        arm: whose network reads them.
        statistics: of the training images.
        factor: of the pixel values minus their mean.
    """

    arm: Arm
    statistics: Statistics
    factor: float

    def training(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Make a training batch: augmented where the arm is."""
        if self.arm.augment is None:
            return self.evaluation(images)
        drawn = prepare_training(
            images,
            config=self.arm.augment,
            statistics=self.statistics,
            generator=generator,
            colour_noise=True,
        )
        return self.scaled(drawn)

    def evaluation(self, images: Tensor) -> Tensor:
        """Make the central crop of each image."""
        size = images.shape[-1] if isinstance(self.arm.net, FourLayerConfig) else self.arm.net.input_size
        return self.scaled(prepare_centre(images, size=size, statistics=self.statistics))

    def scaled(self, x: Tensor) -> Tensor:
        """Multiply by the factor, and convert to channels-last memory format, which is faster."""
        x = x if self.factor == 1 else x * self.factor
        return x.contiguous(memory_format=torch.channels_last)


def rearranged(net: AlexNet, moved: Iterable[tuple[str, str]]) -> AlexNet:
    """Move layers of a network to other places in its chain; see `Arm`."""
    children = list(net.named_children())
    for name, before in moved:
        (child,) = [one for one in children if one[0] == name]
        children.remove(child)
        place = [one for one, _ in children].index(before)
        children.insert(place + 1, child)
    for name, child in children:
        delattr(net, name)
        net.add_module(name, child)
    return net


def normalised(net: nn.Sequential, kind: str) -> nn.Sequential:
    """Put a kind of normalisation into the first two layers of one of the small networks.

    Args:
        net: its layers and weights are taken over.
        kind: a name in ``NORMALISATIONS``, or "lrn-public".
    Raises:
        ValueError: there is no such kind.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if kind == "lrn-public":
        public = {"pool1": "norm1", "unit2": "norm2"}
        for name, layer in net.named_children():
            layers[name] = layer
            if name in public:
                layers[public[name]] = LocalResponseNorm(**PUBLIC_CONSTANTS)
        return nn.Sequential(layers)
    if kind not in NORMALISATIONS:
        raise ValueError(f"there is no normalisation {kind!r}; there are {', '.join(NORMALISATIONS)}")
    chosen = NORMALISATIONS[kind]
    for name, layer in net.named_children():
        layers[name] = layer
        number = name[-1]
        if chosen and number in NORMALISED:
            place, make = chosen
            if name == place + number:
                layers[f"norm{number}"] = make(len(net.get_parameter(f"conv{number}.bias")))
    return nn.Sequential(layers)


def departures(config: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, those of dataclasses in it likewise.

    The kind of a nested dataclass is named where the field allows several.
    """
    found: dict[str, Any] = {}
    for known in fields(config):
        value = getattr(config, known.name)
        if is_dataclass(value):
            found[known.name] = {"kind": type(value).__name__} | departures(value)
        elif known.default is MISSING or value != known.default:
            found[known.name] = list(value) if isinstance(value, tuple) else value
    return found

"""AlexNet on one device, and one tower of it (paper 3).

A net is a chain of stages. Between two stages something crosses from tower to tower, and nothing else ever
does:

* "edges": a normalisation over all maps needs the first or last maps of the neighbouring tower;
* "gather": conv3, fc6 and fc7 read the maps or units of all towers;
* "sum": the logits are the sum of what every tower's half of fc8 makes of its own units.

On one device towers are groups of channels, and nothing has to move. ``alexnet.distributed.two_devices`` and
``alexnet.distributed.parallel`` run the same stages with one tower on each device.

Letters in shapes: N images, C channels, H height, W width.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.config import NetConfig
from alexnet.functional.dropout import dropout_mask
from alexnet.models.architecture import Layer, layers_of
from alexnet.models.layers import Dropout, LocalResponseNorm, SpatialResponseNorm
from alexnet.recipes import PAPER

Masks = dict[str, Tensor]

# What the largest maps of a block of images may take on the CPU, for each thread. With blocks the layers find
# more of what they read in the caches, and use memory again that the system has handed out already.
BLOCK_BYTES = 10_000_000


class Stage(NamedTuple):
    """Layers that run without any exchange between towers.

    Attributes:
        crossing: what has to cross before it: "", "edges", "gather" or "sum".
        layers: what it computes; none in the stage that adds the biases of the output layer.
    """

    crossing: str
    layers: tuple[Layer, ...]


class AlexNet(nn.Module):
    """The network of the paper and its variants.

    Args:
        config: which net; ``alexnet.recipes.net_config(name)`` has them by name.
        generator: draws the initial weights (CPU); torch's global one if None.
        tower_only: build the share of one tower: of conv1 to fc7 its part of the kernels and units, of fc8
            the weights that read its own units, and the biases whole. Its parameters must then be loaded.

    Called with images (N, 3, H, W), it returns logits (N, num_classes). The paper and the 2012 code want
    pictures of 0 to 255 with the mean image subtracted; with pictures scaled otherwise the initial weights
    are wrong.
    """

    def __init__(
        self,
        config: NetConfig = PAPER.net,
        *,
        generator: torch.Generator | None = None,
        tower_only: bool = False,
    ):
        super().__init__()
        self.config = config
        self.num_parts = config.towers if tower_only else 1
        self.layers = layers_of(config)
        self.stages = stages_of(config, self.layers)
        with torch.device("meta"):  # so that no layer draws initial values of torch's choice
            for layer in self.layers:
                self.add_module(layer.name, build_layer(layer, config, self.num_parts))
        self.to_empty(device=torch.empty(0).device)
        self.dropout = Dropout(config.dropout, inverted=config.dropout_inverted)
        self.dropout_inputs = dropout_inputs(config)
        if not tower_only:
            initialise(self, generator)

    def forward(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits.

        Args:
            images: (N, 3, H, W).
            masks: of ``draw_masks``; in training mode, if None, dropout draws from torch's global generator.
        Raises:
            ValueError: the images do not have the shape that the net reads.
        """
        x = self.maps(images)
        for layer in self.dense_layers:
            x = self.run_dense(layer, x, masks)
        return x + self.get_submodule("fc8").bias

    def features(self, images: Tensor) -> Tensor:
        """Compute what the last hidden layer puts out, (N, units), before dropout (paper 6.1)."""
        x = self.maps(images)
        for layer in self.dense_layers[:-1]:
            x = self.run_dense(layer, x, None)
        return x.flatten(1)

    def maps(self, images: Tensor) -> Tensor:
        """Compute what the dense layers read, (N, C, H, W).

        In training on the CPU a few images go through at a time, and a hook on a layer is called for each
        such block; otherwise all go together.
        """
        stage = Stage("", tuple(layer for layer in self.layers if layer.kind != "dense"))
        self.check(images)
        if not self.training or images.device.type != "cpu" or torch.compiler.is_compiling():
            return self.run(stage, images, None)
        blocks = images.split(block_length(images, stage.layers))
        parts = [self.run(stage, block, None) for block in blocks]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    @property
    def dense_layers(self) -> tuple[Layer, ...]:
        """The layers fc6 to fc8, as far as the net has them."""
        return tuple(layer for layer in self.layers if layer.kind == "dense")

    def run(self, stage: Stage, x: Tensor, masks: Masks | None) -> Tensor:
        """Compute one stage of whatever crossed into it."""
        for layer in stage.layers:
            x = getattr(self, "run_" + layer.kind)(layer, x, masks)
        return x + self.get_submodule("fc8").bias if stage.crossing == "sum" else x

    def run_conv(self, layer: Layer, x: Tensor, _masks: Masks | None) -> Tensor:
        """Convolution and ReLU, which in layer 1 of the 2012 code waits until after pooling."""
        module = self.get_submodule(layer.name)
        if not module.padding[0]:
            x = F.pad(x, layer.padding) if any(layer.padding) else x
        x = module(x)
        return x if self.relu_waits(layer) else F.relu(x)

    def run_norm(self, layer: Layer, x: Tensor, _masks: Masks | None) -> Tensor:
        """Response normalisation; maps that came across for it are dropped again."""
        x = self.get_submodule(layer.name)(x)
        own = layer.out_channels // self.num_parts
        return x.narrow(1, (x.shape[1] - own) // 2, own)

    def run_pool(self, layer: Layer, x: Tensor, _masks: Masks | None) -> Tensor:
        """Overlapping pooling."""
        x = self.get_submodule(layer.name)(x)
        return F.relu(x) if layer.name == "pool1" and self.config.norm1_before_relu else x

    def run_dense(self, layer: Layer, x: Tensor, masks: Masks | None) -> Tensor:
        """Dropout of what is read, then the dense layer with ReLU; the output layer without biases as yet."""
        x = x.flatten(1)
        if layer.name in self.dropout_inputs:
            x = self.dropout(x, None if masks is None else masks[layer.name])
        module = self.get_submodule(layer.name)
        return F.linear(x, module.weight) if layer.name == "fc8" else F.relu(module(x))

    def relu_waits(self, layer: Layer) -> bool:
        """Whether a convolution's ReLU comes after its pooling."""
        return layer.name == "conv1" and self.config.norm1_before_relu

    def check(self, images: Tensor) -> Tensor:
        """Return the images if they have the right shape."""
        size, channels = self.config.input_size, self.config.input_channels
        if images.ndim != 4 or images.shape[1:] != (channels, size, size):
            raise ValueError(
                f"the net {self.config.name!r} reads images (N, {channels}, {size}, {size}), "
                f"got {tuple(images.shape)}"
            )
        return images

    def extra_repr(self) -> str:
        return f"{self.config.name!r}, towers={self.config.towers}" + ", one tower" * (self.num_parts > 1)


def block_length(images: Tensor, layers: tuple[Layer, ...]) -> int:
    """Return how many images go through the layers together on the CPU."""
    largest = max(layer.num_neurons for layer in layers)
    return max(1, BLOCK_BYTES * torch.get_num_threads() // (largest * images.itemsize))


def build_layer(layer: Layer, config: NetConfig, num_parts: int) -> nn.Module:
    """Build a layer, or the share of it that one of `num_parts` towers has.

    Where towers are groups, a tower reads its own maps; a layer that crosses reads all. fc8 is the other way
    round: a tower reads its own units alone, and makes a part of every logit.
    """
    if layer.kind == "conv":
        all_read = layer.groups == 1
        symmetric = len(set(layer.padding)) == 1
        return nn.Conv2d(
            layer.in_channels if all_read else layer.in_channels // num_parts,
            layer.out_channels // num_parts,
            layer.kernel_size,
            layer.stride,
            padding=layer.padding[0] if symmetric else 0,
            groups=1 if all_read else layer.groups // num_parts,
        )
    if layer.kind == "dense":
        if layer.name == "fc8":
            return nn.Linear(layer.in_channels // num_parts, layer.out_channels)
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


def stages_of(config: NetConfig, layers: tuple[Layer, ...]) -> tuple[Stage, ...]:
    """Cut the layers where something crosses between towers.

    The last hidden layer and the output layer are stages of their own also where nothing crosses.
    """
    stages: list[Stage] = [Stage("", ())]
    for layer in layers:
        crossing = ""
        if layer.kind == "norm" and layer.name != "spatial_norm2" and config.towers > 1:
            crossing = "" if config.lrn_per_tower else "edges"
        elif layer.crosses and layer.name != "fc8":
            crossing = "gather"
        if crossing or layer.name == "fc8":
            stages.append(Stage(crossing, (layer,)))
        else:
            stages[-1] = Stage(stages[-1].crossing, (*stages[-1].layers, layer))
    return (*stages, Stage("sum", ()))


def dropout_inputs(config: NetConfig) -> dict[str, int]:
    """Return the dense layers whose input dropout acts on, with the number of inputs, all towers together."""
    dense = [layer for layer in layers_of(config) if layer.kind == "dense"]
    chosen = dense[:-1] if config.dropout_before else dense[1:]
    return {layer.name: layer.in_channels for layer in chosen} if config.dropout else {}


def draw_masks(
    config: NetConfig, num_images: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Masks:
    """Draw which units dropout keeps, one draw a unit and image (paper 4.2).

    Args:
        config: the net. num_images: N.
        generator: draws on its own device. device: where the masks are wanted.
    Returns:
        for each layer that reads units under dropout its mask (N, inputs) of ones (kept) and zeros, float32.
    """
    return {
        name: dropout_mask(num_images, inputs, p=config.dropout, generator=generator, device=device)
        for name, inputs in dropout_inputs(config).items()
    }


@torch.no_grad()
def initialise(net: AlexNet, generator: torch.Generator | None) -> None:
    """Draw the weights from N(0, std^2) and set the biases, as the net's configuration says (paper 5)."""
    for layer in net.layers:
        if layer.has_parameters:
            module = net.get_submodule(layer.name)
            module.weight.normal_(0.0, layer.weight_std, generator=generator)
            module.bias.fill_(layer.bias)

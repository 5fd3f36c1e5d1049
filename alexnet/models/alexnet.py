"""AlexNet on one device (paper 3, figure 2).

A network's children have the names of figure 2 and stand in the order of computation: conv1, relu1, norm1,
pool1, ..., fc8. What it computes is their chain. On one device the two towers are groups of channels;
`alexnet.distributed` puts each on a device of its own.

Letters in shapes: N images, C channels, H height, W width.
"""

import itertools
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from alexnet.config import NetConfig
from alexnet.functional.dropout import dropout_mask
from alexnet.models.architecture import list_layers
from alexnet.models.layers import Dropout
from alexnet.models.stages import DROPOUT, dropout_inputs, make_children
from alexnet.recipes import PAPER

Masks = Mapping[str, Tensor]
HEAD = (DROPOUT + "fc8", "fc8")  # the children after the last hidden layer


class AlexNet(nn.Module):
    """The network of the paper and its variants.

    Called with images (N, 3, H, W), it returns logits (N, num_classes). The paper and the 2012 code want
    images of 0 to 255 with the mean image subtracted; with images scaled otherwise the initial weights are
    wrong.

    Attributes:
        config: which network.
        layers: the table of its layers, `alexnet.models.architecture.list_layers`.
    """

    fc8: nn.Linear  # in every network, as any layer that is not in REMOVABLE_LAYERS

    def __init__(self, config: NetConfig = PAPER.net, *, generator: torch.Generator | None = None):
        """Build the network and draw its initial weights.

        Args:
            config: which network; ``alexnet.net_config(name)`` has them by name.
            generator: draws the initial weights (CPU); torch's global one if None.
        """
        super().__init__()
        self.config = config
        self.layers = list_layers(config)
        add_children(self, make_children(config))
        initialise(self, generator)

    def forward(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits.

        Args:
            images: (N, 3, H, W).
            masks: of `draw_masks`; in training mode, if None, dropout draws from torch's global generator.
        Returns:
            (N, num_classes).
        Raises:
            ValueError: the images do not have the shape that the network reads.
        """
        return run(self.children_in_order(), check_images(images, self.config), masks)

    def maps(self, images: Tensor) -> Tensor:
        """Compute what the dense layers read, (N, C, H, W): pool5, or relu_conv6 where there is one."""
        return run(self.parts()[0], check_images(images, self.config))

    def classify(self, maps: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits from ``maps``; masks as in ``forward``."""
        return run(self.parts()[1], maps, masks)

    def features(self, images: Tensor) -> Tensor:
        """Compute the activations of the last hidden layer, (N, units), before dropout (paper 6.1)."""
        maps, dense = self.parts()
        return run(itertools.takewhile(is_hidden, dense), run(maps, check_images(images, self.config)))

    def head(self, features: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits from ``features``; masks as in ``forward``."""
        return run(itertools.dropwhile(is_hidden, self.children_in_order()), features, masks)

    def parts(self) -> tuple[list[tuple[str, nn.Module]], list[tuple[str, nn.Module]]]:
        """Return the children, by name, before and after the step from feature maps to dense layers."""
        children = self.children_in_order()
        cut = [name for name, _ in children].index("flatten")
        return children[:cut], children[cut:]

    def children_in_order(self) -> list[tuple[str, nn.Module]]:
        """Return the children by name; one that stands in several places, for each of them."""
        return [(name, child) for name, child in self._modules.items() if child is not None]

    def extra_repr(self) -> str:
        """Name the network, for ``print``."""
        return f"{self.config.name!r}, towers={self.config.towers}"


def run(children: Iterable[tuple[str, nn.Module]], x: Tensor, masks: Masks | None = None) -> Tensor:
    """Send x through layers in their order; masks as in `AlexNet.forward`."""
    for name, child in children:
        given = [look_up_mask(masks, name.removeprefix(DROPOUT))] if isinstance(child, Dropout) else []
        x = child(x, *given)
    return x


def is_hidden(child: tuple[str, nn.Module]) -> bool:
    """Return whether a layer, given with its name, stands before the last one and its dropout."""
    return child[0] not in HEAD


def look_up_mask(masks: Masks | None, layer: str) -> Tensor | None:
    """Return the mask of what a layer reads, if there are masks."""
    return None if masks is None else masks[layer]


def check_images(images: Tensor, config: NetConfig) -> Tensor:
    """Return the images if they have the shape that a network reads.

    Raises:
        ValueError: they do not have it.
    """
    size, channels = config.input_size, config.input_channels
    if images.ndim != 4 or images.shape[1:] != (channels, size, size):
        raise ValueError(
            f"the network {config.name!r} reads images (N, {channels}, {size}, {size}), "
            f"got {tuple(images.shape)}"
        )
    return images


# torch.fx leaves calls of these two as they are: they look at values that it does not know.
torch.fx.wrap("look_up_mask")
torch.fx.wrap("check_images")


def add_children(module: nn.Module, children: Iterable[tuple[str, nn.Module]]) -> None:
    """Give a module its layers, in their order, with parameters that hold no values yet.

    Args:
        module: has none so far.
        children: names and layers on the device "meta".
    """
    for name, child in children:
        module.add_module(name, child)
    device = torch.empty(0).device
    for layer in module.modules() if device.type != "meta" else []:
        for name, parameter in list(layer.named_parameters(recurse=False)):
            # Module.to_empty does the same, and imports sympy for it: a second of every program's start.
            values = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
            layer.register_parameter(name, nn.Parameter(values))


def draw_masks(
    config: NetConfig, num_images: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Draw which activations dropout keeps, one draw for each activation and image (paper 4.2).

    Args:
        config: the network.
        num_images: N.
        generator: draws on its own device.
        device: where the masks are wanted.
    Returns:
        for each layer that reads activations under dropout its mask (N, inputs) of ones (kept) and zeros,
        float32.
    """
    return {
        name: dropout_mask(num_images, inputs, p=config.dropout, generator=generator, device=device)
        for name, inputs in dropout_inputs(config).items()
    }


@torch.no_grad()
def initialise(net: AlexNet, generator: torch.Generator | None) -> None:
    """Draw the weights from N(0, std^2) and set the biases, as the network's configuration says (paper 5)."""
    for layer in net.layers:
        if layer.has_parameters:
            weight, bias = (net.get_parameter(f"{layer.name}.{kind}") for kind in ("weight", "bias"))
            if weight.is_meta:
                continue  # it has no values, and torch would import its compiler in order to draw none
            weight.normal_(0.0, layer.weight_std, generator=generator)
            bias.fill_(layer.bias)

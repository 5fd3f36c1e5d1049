"""What happens inside a network at one batch: sizes of signals and gradients, layer by layer.

Letters in shapes: N images, C channels, H height, W width.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.functional.activations import slope
from alexnet.models.cifar import Activation


@dataclass(frozen=True, kw_only=True)
class UnitSignals:
    """A layer of units at one batch.

    Attributes:
        name: the layer's name in the network.
        input_size: root mean square of the inputs of the units' activation function.
        slope: mean absolute value of the activation function's derivative there, over all units and images.
        fraction_zero: the fraction of outputs that are exactly 0.
        fraction_dead: the fraction of kernels (of units in a dense layer) whose output is 0 everywhere, for
            all images.
        gradient_size: root mean square of the loss's gradient with respect to the units' input, the loss
            summed over the images, so that the number of images does not matter.
    """

    name: str
    input_size: float
    slope: float
    fraction_zero: float
    fraction_dead: float
    gradient_size: float


def unit_signals(net: nn.Sequential, images: Tensor, labels: Tensor) -> list[UnitSignals]:
    """Send one batch forward and its gradient back, and report on every layer of units in turn.

    Args:
        net: layers in a row, its activation functions as `alexnet.models.cifar.Activation`; its parameters
            and their gradients are left as they are.
        images: (N, C, H, W) as the network wants them.
        labels: (N,) class indices.
    """
    x = images
    inputs, outputs, units = {}, {}, {}
    for name, layer in net.named_children():
        y = layer(x)
        if isinstance(layer, Activation):
            inputs[name], outputs[name], units[name] = x, y, layer
        x = y
    loss = F.cross_entropy(x, labels, reduction="sum")
    gradients = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    return [
        UnitSignals(
            name=name,
            input_size=root_mean_square(inputs[name]),
            slope=slope(units[name].function, inputs[name]).abs().mean().item(),
            fraction_zero=(outputs[name] == 0).double().mean().item(),
            fraction_dead=(outputs[name] == 0).transpose(0, 1).flatten(1).all(1).double().mean().item(),
            gradient_size=0.0 if gradient is None else root_mean_square(gradient),
        )
        for name, gradient in zip(inputs, gradients, strict=True)
    ]


@torch.no_grad()
def fractions_dead(net: nn.Module, batches: Iterable[Tensor]) -> list[float]:
    """Return for every layer of units in turn which fraction of its kernels is dead.

    A kernel (a unit, in a dense layer) is dead if its output is 0 everywhere, for all images.

    Args:
        net: its activation functions as `alexnet.models.cifar.Activation`; one without any has no fractions.
        batches: (N, C, H, W) images as the network wants them.
    """
    layers = [layer for layer in net.modules() if isinstance(layer, Activation)]
    if not layers:
        return []
    alive: dict[nn.Module, Tensor] = {}

    def look(layer: nn.Module, _inputs: object, y: Tensor) -> None:
        now = (y != 0).transpose(0, 1).flatten(1).any(1)
        alive[layer] = now | alive.get(layer, now)

    hooks = [layer.register_forward_hook(look) for layer in layers]
    try:
        for images in batches:
            net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [1 - alive[layer].double().mean().item() for layer in layers]


def root_mean_square(x: Tensor) -> float:
    """Return the square root of the mean of the squares of all entries."""
    return x.detach().double().square().mean().sqrt().item()

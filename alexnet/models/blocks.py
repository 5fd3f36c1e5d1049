"""Logits a few images at a time, for the CPU; in training and in evaluations.

Letters in shapes: N images, H height, W width.
"""

import torch
from torch import Tensor, nn

from alexnet.devices import channels_last_on_cpu
from alexnet.models.alexnet import AlexNet, Masks

# Memory that the largest feature maps of a block of images may take on the CPU, for each thread. With blocks
# the layers find more of what they read in the caches, and use memory again that the system has handed out
# already.
BLOCK_BYTES = 10_000_000


def in_blocks(net: AlexNet, images: Tensor, masks: Masks | None = None) -> Tensor:
    """Compute logits, a few images at a time up to the dense layers; for the CPU.

    Args:
        net: the network.
        images: (N, 3, H, W).
        masks: of `draw_masks`.
    Returns:
        (N, num_classes).
    """
    blocks = images.split(block_length(net, images))
    return net.classify(torch.cat([net.maps(block) for block in blocks]), masks)


def block_length(net: AlexNet, images: Tensor) -> int:
    """Return how many images `in_blocks` computes at a time."""
    largest = max(layer.num_neurons for layer in net.layers if layer.kind != "dense")
    return max(1, BLOCK_BYTES * torch.get_num_threads() // (largest * images.itemsize))


def compute_logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return what a model computes from images (N, 3, H, W), on the CPU in the way that is fast there."""
    images = channels_last_on_cpu(images)
    if isinstance(model, AlexNet) and is_unchanged(model) and images.device.type == "cpu":
        return in_blocks(model, images)
    return model(images)


def is_unchanged(net: AlexNet) -> bool:
    """Whether calling a network does no more and no less than `AlexNet.forward`."""
    has_own_forward = type(net).forward is not AlexNet.forward or "forward" in vars(net)
    # A hook of any layer is called once a batch, and not once a block.
    hooks = any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    return not (has_own_forward or hooks)

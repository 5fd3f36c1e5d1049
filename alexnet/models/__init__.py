"""AlexNet, its layers and their sizes, and the small networks of the experiments (paper 3)."""

from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.architecture import CONV_LAYERS, list_layers
from alexnet.models.cifar import dense_stack, four_layer_net
from alexnet.models.summary import memory, summary, total
from alexnet.models.torchvision import from_torchvision
from alexnet.models.traffic import communication, gradient_traffic

__all__ = [
    "CONV_LAYERS",
    "AlexNet",
    "communication",
    "dense_stack",
    "draw_masks",
    "four_layer_net",
    "from_torchvision",
    "gradient_traffic",
    "list_layers",
    "memory",
    "summary",
    "total",
]

"""Nets of the paper's shape, narrow enough for loops and loud enough that every constant shows."""

from dataclasses import replace

import torch

from alexnet.models.alexnet import AlexNet, run
from alexnet.models.stages import child_names
from alexnet.recipes import RECIPES

# 68 pixels make 16, 8, 4 and 2: three zeros beside the image, as 224 does, and every last pool overhangs.
NARROW = {
    "conv_channels": (8, 12, 16, 20, 24),
    "dense_units": (14, 10),
    "num_classes": 5,
    "input_size": 68,
    "lrn_n": 3,
    "lrn_k": 1.3,
    "lrn_alpha": 2e-3,
    "lrn_beta": 0.6,
}
CONSTANTS = {key: NARROW[f"lrn_{key}"] for key in ("n", "k", "alpha", "beta")}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def narrow(name="paper", **changes):
    return replace(RECIPES[name].net, **(NARROW | changes))


def loud(config, seed=3):
    """Build a float64 net whose signals stay large enough that every constant shows in every layer."""
    net = AlexNet(config).double().eval()
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            spread = 2.5 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 1.0
            parameter.normal_(0, spread, generator=generator)
    return net


def random_images(config, num=2, dtype=torch.float64):
    size = config.input_size
    return 60 * torch.randn(num, config.input_channels, size, size, generator=seeded(11), dtype=dtype)


def run_by_layers(net, x, masks=None):
    """Run a net one layer at a time: the output of each by name."""
    outputs = {}
    for layer, names in child_names(net.config):
        outputs[layer.name] = x = run([(name, net.get_submodule(name)) for name in names], x, masks)
    return outputs

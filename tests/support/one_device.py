"""Narrow nets of two towers, their data, and their training on one device, with which others are compared."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.recipes import net_config, recipe_named
from alexnet.seeds import mask_generator

RECIPES = ("code2012", "paper")
SEED, STEPS, BATCH = 11, 3, 8


def narrow(base, **changes):
    """A net of a few maps; its normalisation is so strong that the maps at the towers' seam matter."""
    sizes = {"conv_channels": (8, 12, 8, 12, 8), "dense_units": (12, 16), "num_classes": 5, "input_size": 16}
    loud = {"lrn_alpha": 0.5, "weight_std": 0.04, "conv3_5_weight_std": 0.04}
    return net_config("small", base=base, **(sizes | loud | changes))


def make_learning(base):
    """Rates and decays under which every term of the update shows after three steps."""
    return replace(recipe_named(base).learning, rate=0.02, weight_decay=0.05)


def data():
    """Images (BATCH, 3, 16, 16) and labels."""
    generator = torch.Generator().manual_seed(3)
    images = 2 * torch.randn(BATCH, 3, 16, 16, generator=generator, dtype=torch.float64)
    return images, torch.randint(5, (BATCH,), generator=generator)


def seeded():
    return torch.Generator().manual_seed(5)


def do_step(net, images, labels, masks, optimizer=None):
    """Do one step, or compute gradients alone; returns the logits."""
    net.zero_grad()
    logits = net(images, masks)
    F.cross_entropy(logits, labels).backward()
    if optimizer is not None:
        optimizer.step()
    return logits.detach()


def draw_step_masks(config, step, data_rank, num_images):
    return draw_masks(config, num_images, generator=mask_generator(SEED, step, data_rank))


class OneDevice:
    """Training on one device, on the whole batch."""

    def __init__(self, base, **changes):
        self.config = narrow(base, **changes)
        self.net = AlexNet(self.config, generator=seeded()).double()
        self.optimizer = PaperSGD(param_groups(self.net, make_learning(base)))
        self.images, self.labels = data()

    def step(self, step, copies=1):
        """Do a step with the masks that so many copies of the net draw; returns (logits, gradients)."""
        logits = do_step(self.net, self.images, self.labels, self.masks(step, copies), self.optimizer)
        return logits, {name: p.grad.clone() for name, p in self.net.named_parameters()}

    def masks(self, step, copies=1):
        """Image i is read by copy i modulo `copies`, as the loader has it."""
        drawn = [draw_step_masks(self.config, step, copy, BATCH // copies) for copy in range(copies)]
        return {name: torch.stack([masks[name] for masks in drawn], dim=1).flatten(0, 1) for name in drawn[0]}


def assert_equal(got, expected, rtol=1e-12):
    """Compare tensors, by name, to a fraction of the largest number of each."""
    assert got.keys() == expected.keys()
    for name in got:
        difference = (got[name].double() - expected[name]).abs().max()
        assert difference <= rtol * expected[name].abs().max(), f"{name} differs by {difference:.1e}"

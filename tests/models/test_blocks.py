"""Blocks of images on the CPU: other sums, the same logits."""

import pytest
import torch
from torch import nn

from alexnet.models import blocks
from alexnet.models.alexnet import AlexNet, draw_masks
from support.narrow import loud, narrow, random_images, seeded


@pytest.mark.parametrize("changes", [{}, {"towers": 1}, {"removed": ("fc6", "conv5")}])
def test_blocks_of_images_change_nothing(monkeypatch, changes):
    net = loud(narrow(**changes)).train()
    x = random_images(net.config, num=5)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 5, generator=seeded(5)).items()}
    expected = net(x, masks)
    weights = list(net.parameters())
    gradients = torch.autograd.grad(expected.square().sum(), weights)
    largest = 8 * 16**2 * x.itemsize  # conv1
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * largest // torch.get_num_threads() + 1)
    sizes = []
    net.conv1.register_forward_hook(lambda _module, _inputs, y: sizes.append(len(y)))
    logits = blocks.in_blocks(net, x, masks)
    assert sizes == [2, 2, 1]
    torch.testing.assert_close(logits, expected, rtol=1e-11, atol=1e-9)
    found = torch.autograd.grad(logits.square().sum(), weights)
    for ours, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11 * float(theirs.abs().max()))
    assert blocks.in_blocks(net.eval(), x[:0], None).shape == (0, 5)


def test_logits_are_computed_in_blocks_with_channels_last_where_that_is_fast(monkeypatch):
    net = loud(narrow()).eval()
    x = random_images(net.config, num=5)
    expected = net(x)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    seen, maps = [], AlexNet.maps
    monkeypatch.setattr(AlexNet, "maps", lambda net, images: seen.append(images) or maps(net, images))
    torch.testing.assert_close(blocks.compute_logits(net, x), expected, rtol=1e-11, atol=1e-9)
    assert [len(block) for block in seen] == [1] * 5
    assert all(block.is_contiguous(memory_format=torch.channels_last) for block in seen)
    seen.clear()
    torch.testing.assert_close(blocks.compute_logits(nn.Sequential(net), x), expected)
    assert not seen  # a model that is not known is called as it is


class Louder(AlexNet):
    """A user's network."""

    def forward(self, images, masks=None):
        return super().forward(50 * images, masks)


def test_a_network_that_somebody_changed_is_called():
    net = loud(narrow()).eval()
    x = random_images(net.config, num=2)
    expected = net(50 * x)
    torch.testing.assert_close(blocks.compute_logits(use_class(net, Louder), x), expected)
    net = use_class(net, AlexNet)
    hook = net.register_forward_pre_hook(lambda _, inputs: (50 * inputs[0],))
    torch.testing.assert_close(blocks.compute_logits(net, x), expected)
    hook.remove()
    net.register_forward_hook(lambda _, __, logits: -logits)
    torch.testing.assert_close(blocks.compute_logits(net, 50 * x), -expected)


def use_class(net, which):
    net.__class__ = which
    return net

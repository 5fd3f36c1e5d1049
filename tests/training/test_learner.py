"""The learner: blocks of images on the CPU; copies that drifted apart are found at a validation."""

from types import SimpleNamespace

import pytest
import torch

from alexnet.distributed.parallel import ParallelAlexNet
from alexnet.models.alexnet import draw_masks
from alexnet.training import learner, validation
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
    monkeypatch.setattr(learner, "BLOCK_BYTES", 2 * largest // torch.get_num_threads() + 1)
    sizes = []
    net.conv1.register_forward_hook(lambda _module, _inputs, y: sizes.append(len(y)))
    logits = learner.in_blocks(net, x, masks)
    assert sizes == [2, 2, 1]
    torch.testing.assert_close(logits, expected, rtol=1e-11, atol=1e-9)
    found = torch.autograd.grad(logits.square().sum(), weights)
    for ours, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11 * float(theirs.abs().max()))
    assert learner.in_blocks(net.eval(), x[:0], None).shape == (0, 5)


def test_a_validation_begins_with_the_copies_of_the_parameters(monkeypatch):
    def drifted(net):
        raise ValueError(f"the copies of a {type(net).__name__} have drifted apart")

    monkeypatch.setattr(validation, "check_replicas", drifted)
    several = SimpleNamespace(net=ParallelAlexNet.__new__(ParallelAlexNet), ranks=None)
    with pytest.raises(ValueError, match="copies of a ParallelAlexNet have drifted apart"):
        validation.validate(several, loader=None)

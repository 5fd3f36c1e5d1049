"""Signals and gradients against back-propagation written out in numpy."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.experiments.probes import fractions_dead, unit_signals
from alexnet.models.cifar import Activation, dense_stack


def stack(unit, **options):
    options = {"depth": 2, "width": 5, "num_inputs": 4, "num_classes": 3, "gain": 1.7} | options
    return dense_stack(unit, generator=torch.Generator().manual_seed(5), **options).double()


def batch(num_images=7):
    rng = np.random.default_rng(1)
    return rng.normal(size=(num_images, 4, 1, 1)), rng.integers(0, 3, num_images)


def by_hand(net, x, labels):
    """Pre-activations and gradients of a tanh stack of depth 2, layer by layer."""
    w1, w2, w3 = (net.get_submodule(n).weight.detach().numpy() for n in ("dense1", "dense2", "output"))
    z1 = x.reshape(len(x), -1) @ w1.T
    z2 = np.tanh(z1) @ w2.T
    logits = np.tanh(z2) @ w3.T
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    d_logits = p - np.eye(3)[labels]
    d2 = d_logits @ w3 * (1 - np.tanh(z2) ** 2)
    d1 = d2 @ w2 * (1 - np.tanh(z1) ** 2)
    return [z1, z2], [d1, d2]


def test_signals_are_those_of_backpropagation_by_hand():
    net, (x, labels) = stack("tanh"), batch()
    inputs, gradients = by_hand(net, x, labels)
    got = unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))
    assert [signals.name for signals in got] == ["unit1", "unit2"]
    for signals, z, d in zip(got, inputs, gradients, strict=True):
        assert signals.input_size == pytest.approx(np.sqrt((z**2).mean()), rel=1e-12)
        assert signals.slope == pytest.approx((1 - np.tanh(z) ** 2).mean(), rel=1e-12)
        assert signals.gradient_size == pytest.approx(np.sqrt((d**2).mean()), rel=1e-12)
        assert signals.fraction_zero == 0


def test_relu_counts_its_zeros():
    net, (x, labels) = stack("relu"), batch()
    z1 = x.reshape(len(x), -1) @ net.get_submodule("dense1").weight.detach().numpy().T
    first = unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))[0]
    assert first.fraction_zero == pytest.approx((z1 <= 0).mean()) and 0 < first.fraction_zero < 1
    assert first.slope == pytest.approx((z1 > 0).mean())


def test_a_kernel_is_dead_that_no_image_activates():
    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 4, 1), unit=Activation("relu"), output=nn.Flatten()))
    with torch.no_grad():
        net.conv.weight[:, 0, 0, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])
        net.conv.bias[:] = torch.tensor([0.0, 0.0, -3.0, 2.0])
    images = torch.tensor([[1.0, 2.0], [1.0, 1.0]]).reshape(2, 1, 1, 2)
    (signals,) = unit_signals(net, images, torch.tensor([0, 1]))
    assert signals.fraction_dead == 0.5  # -x is never positive, x - 3 neither, 2 - x is for one pixel
    assert signals.fraction_zero == (0 + 4 + 4 + 1) / 16


def test_slopes_of_either_sign_do_not_cancel():
    net, (x, labels) = stack("abs_tanh"), batch()
    inputs, _ = by_hand(net, x, labels)  # the first layer's input is that of any unit
    first = unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))[0]
    assert first.slope == pytest.approx((1 - np.tanh(inputs[0]) ** 2).mean(), rel=1e-12)


def test_the_threshold_lets_no_gradient_through():
    net, (x, labels) = stack("threshold"), batch()
    signals = unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))
    assert [s.gradient_size for s in signals] == [0, 0]


def test_the_number_of_images_does_not_change_the_size_of_gradients():
    net, (x, labels) = stack("tanh"), batch()
    once = unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))
    twice = unit_signals(net, torch.from_numpy(x).repeat(2, 1, 1, 1), torch.from_numpy(labels).repeat(2))
    assert once[0].gradient_size == pytest.approx(twice[0].gradient_size)


def test_the_network_is_left_as_it_was():
    net, (x, labels) = stack("relu"), batch()
    unit_signals(net, torch.from_numpy(x), torch.from_numpy(labels))
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_linear_layer_of_gain_one_keeps_the_size():
    net = dense_stack("relu", depth=1, width=4000, num_inputs=900, generator=torch.Generator().manual_seed(0))
    x = torch.randn(20, 900, 1, 1, generator=torch.Generator().manual_seed(1))
    size = unit_signals(net, x, torch.zeros(20, dtype=torch.int64))[0].input_size
    assert size == pytest.approx(1, rel=0.02)


def test_a_unit_below_zero_is_not_dead():
    net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), Activation("tanh"))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([-1.0, 0.0]).view(2, 1, 1, 1))
    assert fractions_dead(net, [torch.ones(1, 1, 2, 2)]) == [0.5]


def test_a_kernel_is_dead_only_if_no_image_of_any_batch_activates_it():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), Activation("relu"), nn.Conv2d(3, 2, 1), Activation("relu"))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1, 1))
        net[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0]))  # the third is dead by its bias
        net[2].weight.copy_(torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]).view(2, 3, 1, 1))
        net[2].bias.zero_()  # the second reads positive numbers through negative weights
    images = torch.zeros(2, 1, 2, 2)
    images[0, 0, 0, 1], images[1, 0, 1, 1] = 1.0, -1.0  # the second image alone activates the second kernel
    assert fractions_dead(net, [images[:1], images[1:]]) == pytest.approx([1 / 3, 1 / 2])
    assert fractions_dead(net, [images[:1]]) == pytest.approx([2 / 3, 1 / 2])
    assert fractions_dead(net[:1], [images]) == []
    assert not net[1]._forward_hooks

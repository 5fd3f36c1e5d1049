"""The small networks for CIFAR-10: what `alexnet.models.cifar` adds to torch's layers."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from alexnet.models.cifar import LocallyConnected2d, conv_local_net, dense_stack, four_layer_net


def test_a_local_layer_is_an_inner_product_at_each_position_with_kernels_of_its_own():
    generator = torch.Generator().manual_seed(5)
    layer = LocallyConnected2d(2, 3, 3, size=4, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    x = torch.randn(2, 2, 4, 4, generator=generator, dtype=torch.float64)
    padded = torch.zeros(2, 2, 6, 6, dtype=torch.float64)
    padded[:, :, 1:5, 1:5] = x
    y = layer(x)
    assert y.shape == (2, 3, 4, 4)
    for image, out, row, column in itertools.product(range(2), range(3), range(4), range(4)):
        kernel = layer.weight[4 * row + column, :, out].reshape(2, 3, 3)
        expected = layer.bias[out, row, column].item()
        for channel, i, j in itertools.product(range(2), range(3), range(3)):
            expected += (padded[image, channel, row + i, column + j] * kernel[channel, i, j]).item()
        assert y[image, out, row, column].item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(layer, (x.requires_grad_(),))


def build_net(unit="relu", **options):
    options = {"initialisation": "scaled", "generator": torch.Generator().manual_seed(3)} | options
    return four_layer_net(unit, **options)


@pytest.mark.parametrize(
    ("dense", "stds"),
    [
        (0, {"conv1": 1e-4, "conv2": 0.01, "conv3": 0.01, "output": 0.01}),
        (64, {"conv1": 1e-4, "conv2": 0.01, "conv3": 0.01, "dense": 0.1, "output": 0.1}),
    ],
)
def test_2012_weights_have_their_std(dense, stds):
    net = build_net(initialisation="2012", dense=dense)
    found = {
        name: layer.weight.std().item() for name, layer in net.named_children() if hasattr(layer, "weight")
    }
    assert found == pytest.approx(stds, rel=0.1)
    assert all(net.get_parameter(f"{name}.bias").eq(0).all() for name in stds)


def test_equal_weights_are_those_of_relu_for_every_unit():
    equal, relu = build_net("tanh", initialisation="equal"), build_net("relu", initialisation="scaled")
    assert all(torch.equal(tensor, relu.state_dict()[name]) for name, tensor in equal.state_dict().items())


def test_a_unit_follows_each_layer_but_the_last():
    names = [name for name, _ in build_net(dense=64).named_children()]
    layers = [f"{kind}{i}" for i in (1, 2, 3) for kind in ("conv", "unit", "pool")]
    assert names == [*layers, "flatten", "dense", "unit4", "output"]


def test_the_13_percent_net_is_what_its_file_says():
    net = conv_local_net(generator=torch.Generator().manual_seed(0))
    stds = {"conv1": 1e-4, "conv2": 0.01, "local3": 0.04, "local4": 0.04, "fc10": 0.01}
    for name, std in stds.items():
        layer = net.get_submodule(name)
        assert layer.weight.std().item() == pytest.approx(std, rel=0.05), name
        assert layer.bias.eq(0).all()
    x = images = 60 * torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    for name in ("conv1", "conv2"):
        x = F.max_pool2d(F.relu(net.get_submodule(name)(x)), 3, 2, ceil_mode=True)
    for name in ("local3", "local4"):
        x = F.relu(net.get_submodule(name)(x))
    torch.testing.assert_close(net(images), net.fc10(x.flatten(1)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_weights_of_a_stack_have_the_gain_over_the_root_of_their_inputs(gain):
    net = dense_stack(
        "tanh", depth=2, gain=gain, width=300, num_inputs=500, generator=torch.Generator().manual_seed(0)
    )
    for name, inputs in (("dense1", 500), ("dense2", 300), ("output", 300)):
        layer = net.get_submodule(name)
        assert layer.weight.std().item() == pytest.approx(gain / inputs**0.5, rel=0.05), name
        assert layer.bias.eq(0).all()

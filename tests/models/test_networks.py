"""The four-layer networks: shapes, counts and first weights of the 2012 layer files."""

import pytest
import torch
from torch import nn

from alexnet.models.cifar import four_layer_net


def build_net(unit="relu", **options):
    options = {"initialisation": "scaled", "generator": torch.Generator().manual_seed(3)} | options
    return four_layer_net(unit, **options)


def shapes(net, x):
    out = {}
    for name, layer in net.named_children():
        x = layer(x)
        out[name] = tuple(x.shape)
    return out


def test_sizes_are_rounded_up_as_in_2012():
    got = shapes(build_net(), torch.zeros(2, 3, 32, 32))
    assert got["pool1"] == (2, 32, 16, 16)
    assert got["pool2"] == (2, 32, 8, 8)
    assert got["pool3"] == (2, 64, 4, 4)
    assert got["output"] == (2, 10)


@pytest.mark.parametrize(("dense", "expected"), [(0, 89_578), (64, 145_578)])
def test_parameters_are_those_of_the_2012_layer_files(dense, expected):
    assert sum(p.numel() for p in build_net(dense=dense).parameters()) == expected


def test_the_pools_are_max_average_average():
    kinds = [type(layer) for name, layer in build_net().named_children() if name.startswith("pool")]
    assert kinds == [nn.MaxPool2d, nn.AvgPool2d, nn.AvgPool2d]


@pytest.mark.parametrize(
    ("dense", "name", "std"),
    [(0, "conv1", 1e-4), (0, "conv3", 0.01), (0, "output", 0.01), (64, "dense", 0.1), (64, "output", 0.1)],
)
def test_2012_weights_have_their_std(dense, name, std):
    layer = build_net(initialisation="2012", dense=dense).get_submodule(name)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.1)
    assert layer.bias.eq(0).all()


@pytest.mark.parametrize(("unit", "variance"), [("relu", 2 / 800), ("tanh", 2 / (800 + 1600))])
def test_scaled_weights_follow_the_fan(unit, variance):
    layer = build_net(unit).get_submodule("conv3")  # 32 * 25 inputs, 64 * 25 outputs
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
    assert layer.bias.eq(0).all()


def test_the_unit_is_the_one_asked_for():
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    after = build_net("abs_tanh")[:2](x)
    assert after.min() >= 0 and after.max() <= 1 and after.max() > 0.5


def test_the_generator_decides_the_weights():
    first, again = build_net()[0].weight, build_net()[0].weight
    other = build_net(generator=torch.Generator().manual_seed(4))[0].weight
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_unknown_initialisation_is_named():
    with pytest.raises(ValueError, match="no initialisation 'magic'; there are 2012, scaled"):
        build_net(initialisation="magic")

"""Every count of the paper: layers, shapes, parameters, neurons and multiply-adds, of each net."""

from dataclasses import replace

import pytest
import torch
import torchvision

from alexnet import paper
from alexnet.models.alexnet import AlexNet
from alexnet.models.architecture import list_layers
from alexnet.recipes import CODE2012, NETS, PAPER, net_config


def table(config):
    return {layer.name: layer for layer in list_layers(config)}


def learning(config):
    return [layer for layer in list_layers(config) if layer.has_parameters]


def totals(config):
    layers = learning(config)
    counts = ("num_parameters", "num_multiply_adds", "num_neurons")
    return tuple(sum(getattr(layer, count) for layer in layers) for count in counts)


# parameters, multiply-adds and neurons of the paper's layers
COUNTS = {
    "conv1": (34_944, 105_415_200, 290_400),
    "conv2": (307_456, 223_948_800, 186_624),
    "conv3": (885_120, 149_520_384, 64_896),
    "conv4": (663_936, 112_140_288, 64_896),
    "conv5": (442_624, 74_760_192, 43_264),
    "fc6": (37_752_832, 37_748_736, 4096),
    "fc7": (16_781_312, 16_777_216, 4096),
    "fc8": (4_097_000, 4_096_000, 1000),
}
TOTALS = {
    "paper": (60_965_224, 724_406_816, 659_272),
    "code2012": (60_965_224, 724_406_816, 659_272),
    "merged": (62_378_344, 1_135_256_096, 659_272),
    "half": (59_798_312, 391_514_384, 355_864),
    # conv6: 3x3 over 256 maps, 256 kernels, on 6x6 pixels
    "sixth-conv": (61_555_304, 724_406_816 + 36 * 9 * 256 * 256, 659_272 + 36 * 256),
    "literal-224": (49_430_888, 643_026_048, 609_640),
    "torchvision": (61_100_840, 714_188_480, 494_184),
    "no-lrn": (60_965_224, 724_406_816, 659_272),
}


@pytest.mark.parametrize("recipe", [PAPER, CODE2012], ids=["paper", "code2012"])
def test_counts_of_each_layer(recipe):
    counts = {
        layer.name: (layer.num_parameters, layer.num_multiply_adds, layer.num_neurons)
        for layer in learning(recipe.net)
    }
    assert counts == COUNTS


@pytest.mark.parametrize("name", TOTALS)
def test_counts_of_each_net(name):
    assert totals(net_config(name)) == TOTALS[name]


# What the layer above the missing one reads instead, by hand: depth of its kernels, or its inputs.
WITHOUT = {
    "conv2": {"conv3": (3 * 3 * 96 * 384, 384)},
    "conv3": {"conv4": (3 * 3 * 256 * 384, 384)},  # it reads both towers in place of conv3
    "conv4": {},  # conv5 reads as many maps of conv3
    "conv5": {"fc6": (36 * 384 * 4096, 4096)},
    "fc6": {"fc7": (36 * 256 * 4096, 4096)},
    "fc7": {},  # fc8 reads as many units of fc6
}


@pytest.mark.parametrize("removed", WITHOUT)
def test_counts_without_a_layer(removed):
    wanted = {name: counts for name, counts in COUNTS.items() if name != removed}
    for name, (weights, biases) in WITHOUT[removed].items():
        positions = 169 if name.startswith("conv") else 1
        wanted[name] = (weights + biases, weights * positions, COUNTS[name][2])
    sums = tuple(sum(column) for column in zip(*wanted.values(), strict=True))
    config = net_config(f"without-{removed}")
    assert totals(config) == sums
    assert removed not in table(config)
    # Taking conv5 away leaves fc6 more to read: the net grows.
    assert (sums[0] > TOTALS["paper"][0]) == (removed == "conv5")


def test_the_layers_are_those_of_the_paper():
    layers = {layer.name: layer for layer in learning(PAPER.net)}
    assert list(layers) == [printed.name for printed in paper.LAYERS]
    for printed in paper.LAYERS:
        layer = layers[printed.name]
        assert layer.out_channels == printed.num_kernels
        if printed.name != "conv1":  # where every GPU reads the image, and nothing crosses
            assert layer.crosses == printed.reads_both_gpus
        if printed.kernel_shape:
            depth = layer.in_channels // layer.groups
            assert (layer.kernel_size, layer.kernel_size, depth) == printed.kernel_shape
            assert (layer.stride, layer.kind) == (printed.stride, "conv")
        else:
            assert layer.kind == "dense"


# channels and pixels of each output, padding of the convolutions on the left, right, top and bottom
SHAPES = {
    "paper": {
        "conv1": (96, 55),
        "norm1": (96, 55),
        "pool1": (96, 27),
        "conv2": (256, 27),
        "norm2": (256, 27),
        "pool2": (256, 13),
        "conv3": (384, 13),
        "conv4": (384, 13),
        "conv5": (256, 13),
        "pool5": (256, 6),
        "fc6": (4096, 1),
        "fc7": (4096, 1),
        "fc8": (1000, 1),
    },
    # The 2012 definition of the net with pools of 2x2: 28, 26, 13 and 11 pixels on the way to the same 6.
    "no-overlap": {"conv1": (96, 55), "pool1": (96, 28), "conv2": (256, 26), "pool2": (256, 13)}
    | {"conv4": (384, 13), "conv5": (256, 11), "pool5": (256, 6)},
    "literal-224": {"conv1": (96, 54), "pool1": (96, 26), "conv2": (256, 26), "pool2": (256, 12)}
    | {"conv5": (256, 12), "pool5": (256, 5)},
    "half": {"conv1": (48, 55), "conv2": (128, 27), "conv4": (192, 13), "conv5": (256, 13), "fc6": (4096, 1)},
    "sixth-conv": {"pool5": (256, 6), "conv6": (256, 6), "fc6": (4096, 1)},
    "torchvision": {"conv1": (64, 55), "pool1": (64, 27), "conv2": (192, 27), "conv3": (384, 13)}
    | {"conv4": (256, 13), "conv5": (256, 13), "pool5": (256, 6)},
    # ceil: 28 -> 14 -> 7 -> 3, where today's floor would give 28 -> 13 -> 6 -> 2
    "small": {"conv1": (32, 28), "pool1": (32, 14), "pool2": (64, 7), "pool5": (64, 3), "fc6": (256, 1)},
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    layers = table(net_config(name))
    assert {key: (layers[key].out_channels, layers[key].out_size) for key in SHAPES[name]} == SHAPES[name]
    if name == "paper":
        assert list(layers) == list(SHAPES[name])


@pytest.mark.parametrize("name", NETS)
def test_layers_follow_one_another(name):
    layers = list_layers(net_config(name))
    assert (layers[0].in_channels, layers[0].in_size) == (3, 28 if name == "small" else 224)
    for below, above in zip(layers, layers[1:], strict=False):
        if above.kind == "dense":
            assert above.in_channels == below.out_channels * below.out_size**2
        else:
            assert (above.in_channels, above.in_size) == (below.out_channels, below.out_size)


def test_three_zeros_on_the_right_and_at_the_bottom_make_55_of_224():
    for recipe in (PAPER, CODE2012):
        assert table(recipe.net)["conv1"].padding == (0, 3, 0, 3)
    assert table(net_config("literal-224"))["conv1"].padding == (0, 0, 0, 0)
    assert table(net_config("torchvision"))["conv1"].padding == (2, 2, 2, 2)
    paddings = [table(PAPER.net)[f"conv{number}"].padding for number in (2, 3, 4, 5)]
    assert paddings == [(2, 2, 2, 2), (1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)]


def test_who_reads_whom():
    layers = table(PAPER.net)
    assert {name: layer.groups for name, layer in layers.items() if layer.kind == "conv"} == {
        "conv1": 1,
        "conv2": 2,
        "conv3": 1,
        "conv4": 2,
        "conv5": 2,
    }
    assert {name for name, layer in layers.items() if layer.crosses} == {"conv3", "fc6", "fc7", "fc8"}
    assert table(net_config("sixth-conv"))["conv6"].crosses
    for name in ("merged", "half", "torchvision"):
        assert not any(layer.crosses or layer.groups > 1 for layer in list_layers(net_config(name)))


def test_normalisations_stand_behind_the_first_two_layers():
    order = ["conv1", "norm1", "pool1", "conv2", "norm2", "spatial_norm2", "pool2", "conv3", "conv4"]
    order += ["conv5", "pool5", "fc6", "fc7", "fc8"]
    assert list(table(CODE2012.net)) == order
    plain = [name for name in order if "norm" not in name]
    for base in ("paper", "code2012"):
        assert list(table(net_config("no-lrn", base=base))) == plain
        assert list(table(net_config("torchvision", base=base))) == plain
    assert [n for n in table(net_config("without-conv2", base="code2012")) if "norm" in n] == ["norm1"]


# What the paper says about its counts


def test_sixty_million_parameters_needs_two_gpus_and_55_pixels():
    def millions(name):
        return totals(net_config(name))[0] / 1e6

    assert abs(millions("paper") - paper.NUM_PARAMETERS / 1e6) < 1
    assert millions("merged") > 62 and millions("literal-224") < 50


def test_650000_neurons_are_the_true_ones_and_not_those_printed_in_the_figure():
    true = sum(layer.num_neurons for layer in learning(PAPER.net))
    printed = sum(layer.num_neurons for layer in paper.LAYERS)
    assert (true, printed) == (659_272, 622_312)
    assert abs(true / paper.NUM_NEURONS - 1) < 0.015
    assert abs(printed / paper.NUM_NEURONS - 1) > 0.04


def test_printed_neurons_are_right_but_for_conv1():
    true = {layer.name: layer.num_neurons for layer in learning(PAPER.net)}
    wrong = {layer.name: layer.num_neurons for layer in paper.LAYERS if layer.num_neurons != true[layer.name]}
    assert wrong == {"conv1": 253_440}
    assert true["conv1"] == 55 * 55 * 96 and wrong["conv1"] == 55 * 48 * 96
    assert PAPER.net.input_channels * PAPER.net.input_size**2 == paper.NUM_INPUTS == 150_528


def test_convolutions_hold_few_parameters_though_two_hold_more_than_one_percent():
    convs = [layer for layer in learning(PAPER.net) if layer.kind == "conv"]
    shares = {layer.name: layer.num_parameters / 60_965_224 for layer in convs}
    within = {name for name, share in shares.items() if share <= paper.CONV_LAYER_PARAMETER_SHARE}
    assert within == {"conv1", "conv2", "conv5"}
    assert shares["conv3"] == pytest.approx(0.0145, abs=5e-5)
    assert shares["conv4"] == pytest.approx(0.0109, abs=5e-5)
    assert sum(shares.values()) == pytest.approx(0.038, abs=5e-4)
    work = sum(layer.num_multiply_adds for layer in convs) / 724_406_816
    assert work == pytest.approx(0.919, abs=5e-4)


def test_torchvisions_net_has_as_many_parameters():
    with torch.device("meta"):
        theirs = torchvision.models.alexnet(weights=None)
    assert sum(p.numel() for p in theirs.parameters()) == TOTALS["torchvision"][0]


# Initial values


@pytest.mark.parametrize("recipe", [PAPER, CODE2012], ids=["paper", "code2012"])
def test_initial_values(recipe):
    layers = {layer.name: layer for layer in learning(net_config("sixth-conv", base=recipe.name))}
    later = 0.03 if recipe is CODE2012 else 0.01
    stds = {name: later if name in ("conv3", "conv4", "conv5", "conv6") else 0.01 for name in layers}
    assert {name: layer.weight_std for name, layer in layers.items()} == stds
    ones = {name for name, layer in layers.items() if layer.bias == 1}
    assert ones == {"conv2", "conv4", "conv5", "conv6", "fc6", "fc7"}
    assert {name for name, layer in layers.items() if layer.bias == 0} == {"conv1", "conv3", "fc8"}


def test_a_smaller_net_starts_with_signals_of_the_same_size():
    """Where std_by_fan_in is set, std times the root of a unit's inputs is that of the paper's unit."""
    inputs = {"conv1": 363, "conv2": 1200, "conv3": 2304, "conv4": 1728, "conv5": 1728}
    inputs |= {"fc6": 9216, "fc7": 4096, "fc8": 4096}
    small = {"conv1": 75, "conv2": 25 * 16, "conv3": 9 * 64, "conv4": 9 * 48, "conv5": 9 * 48}
    small |= {"fc6": 9 * 64, "fc7": 256, "fc8": 256}
    for base in ("paper", "code2012"):
        reference = {layer.name: layer.weight_std for layer in learning(net_config(base))}
        for layer in learning(net_config("small", base=base)):
            wanted = reference[layer.name] * (inputs[layer.name] / small[layer.name]) ** 0.5
            assert layer.weight_std == pytest.approx(wanted, rel=1e-12)
    full = replace(net_config("sixth-conv"), std_by_fan_in=True)
    assert all(layer.weight_std == 0.01 for layer in learning(full))


def test_images_too_small_for_the_windows_are_refused():
    with pytest.raises(ValueError, match="no window of 11 pixels fits into 6 pixels with padding 1 at each"):
        list_layers(replace(PAPER.net, input_size=6, rounding="floor", paddings=(1, 2, 1, 1, 1)))


def test_a_pool_whose_last_window_has_no_pixel_is_refused():
    """torch leaves such a window out, so that the dense layers would not fit what they get."""
    with pytest.raises(
        ValueError, match="last window of pool5 would begin beyond its 8 pixels.* got 2 and 1"
    ):
        list_layers(net_config("small", pool_size=1, input_size=29))
    apart = net_config("small", pool_size=2, pool_stride=3, input_size=29)  # every window has one
    assert AlexNet(apart)(torch.zeros(1, 3, 29, 29)).shape == (1, apart.num_classes)

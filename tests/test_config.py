"""The recipes: their defaults are the paper's numbers, they differ as listed, and they survive JSON."""

import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from alexnet import paper
from alexnet.config import (
    CONV_LAYERS,
    REMOVABLE_LAYERS,
    AugmentConfig,
    LearningConfig,
    NetConfig,
    Recipe,
    from_dict,
    to_dict,
)
from alexnet.optim.schedule import LOGGED
from alexnet.recipes import (
    CODE2012,
    DIFFERENCES,
    NETS,
    PAPER,
    RECIPES,
    VARIANTS,
    fit,
    net_config,
    recipe_named,
)

PARTS = ("net", "augment", "learning")


def test_the_layers_of_the_paper_are_the_defaults():
    convs, dense = paper.LAYERS[:5], paper.LAYERS[5:]
    assert tuple(layer.name for layer in convs) == CONV_LAYERS
    assert PAPER.net.conv_channels == tuple(layer.num_kernels for layer in convs)
    assert PAPER.net.kernel_sizes == tuple(layer.kernel_shape[0] for layer in convs)
    assert [layer.stride for layer in convs] == [PAPER.net.conv1_stride, 1, 1, 1, 1]
    assert (*PAPER.net.dense_units, PAPER.net.num_classes) == tuple(layer.num_kernels for layer in dense)
    both = {layer.name for layer in convs if layer.reads_both_gpus} - {"conv1"}
    assert set(PAPER.net.crossing) - {"conv6"} == both
    assert all(layer.reads_both_gpus for layer in dense)  # in every net, without a field


def test_the_numbers_of_the_paper_are_the_defaults():
    net, augment, learning = PAPER.net, PAPER.augment, PAPER.learning
    assert (net.towers, net.input_size, net.input_channels) == (2, 224, 3)
    assert (net.lrn_n, net.lrn_k, net.lrn_alpha, net.lrn_beta) == (5, 2, 1e-4, 0.75)
    assert (net.pool_size, net.pool_stride, net.dropout) == (3, 2, 0.5)
    assert (net.weight_std, net.conv3_5_weight_std) == (0.01, 0.01)
    assert net.bias_one == ("conv2", "conv4", "conv5", "fc6", "fc7")
    assert (augment.size, augment.colour_noise_std, augment.flip) == (224, 0.1, True)
    assert 2 * augment.num_offsets**2 == paper.AUGMENTATION_FACTOR
    assert (learning.batch_size, learning.momentum, learning.weight_decay) == (128, 0.9, 0.0005)
    assert (learning.rate, learning.epochs) == (0.01, 90)


def test_the_recipes_differ_in_the_listed_fields_and_no_other():
    listed = {(d.part, d.field): d.code for d in DIFFERENCES}
    assert len(listed) == len(DIFFERENCES)
    for part in PARTS:
        ours, theirs = getattr(PAPER, part), getattr(CODE2012, part)
        for f in fields(ours):
            if f.name in ("name", "epochs"):
                continue
            text, code = getattr(ours, f.name), getattr(theirs, f.name)
            if (part, f.name) in listed:
                assert code == listed[part, f.name] and code != text, f.name
            else:
                assert code == text, f.name


def test_the_code_runs_as_long_as_its_logged_schedule():
    assert CODE2012.learning.epochs == LOGGED[CODE2012.learning.schedule].num_epochs == 91


def test_the_differences_are_numbered_in_order():
    assert [d.id for d in DIFFERENCES] == [f"D{number}" for number in range(1, len(DIFFERENCES) + 1)]


def test_the_code_had_more_positions_than_the_paper_counts():
    assert 2 * CODE2012.augment.num_offsets**2 == 2178  # 33 positions along each axis, two reflections
    assert CODE2012.augment.num_offsets == paper.IMAGE_SIZE - paper.INPUT_SIZE + 1


def test_the_paper_is_the_default_everywhere():
    assert Recipe() == PAPER and NetConfig() == PAPER.net
    assert AugmentConfig() == PAPER.augment and LearningConfig() == PAPER.learning


def test_nets_have_names():
    for base in RECIPES:
        assert net_config("paper", base=base) == PAPER.net
        assert net_config("code2012", base=base) == CODE2012.net
    assert set(NETS) == {"paper", "code2012", *VARIANTS}
    for name in NETS:
        assert net_config(name).name == name
    assert {f"without-{name}" for name in REMOVABLE_LAYERS} <= set(NETS)


def test_a_variant_is_its_difference_from_the_base():
    for name, variant in VARIANTS.items():
        for base in RECIPES:
            net = net_config(name, base=base)
            wanted = {f.name: getattr(RECIPES[base].net, f.name) for f in fields(NetConfig)} | variant
            wanted["name"] = name if base == "paper" else f"{name}-code2012"
            assert {f.name: getattr(net, f.name) for f in fields(NetConfig)} == wanted


def test_changes_come_on_top_of_the_variant():
    net = net_config("half", num_classes=10, towers=2)
    assert (net.num_classes, net.towers, net.conv_channels) == (10, 2, (48, 128, 192, 192, 256))


def test_fit_keeps_the_relation_of_positions_to_room():
    small = net_config("small")
    for recipe, spare in ((PAPER, 0), (CODE2012, 1)):
        assert fit(recipe, recipe.net, picture_size=256) == recipe
        fitted = fit(recipe, small, picture_size=40)
        assert (fitted.net, fitted.learning) == (small, recipe.learning)
        assert (fitted.augment.size, fitted.augment.num_offsets) == (28, 12 + spare)
        assert fitted.augment.crop_group == recipe.augment.crop_group
        assert fit(recipe, small, picture_size=28).augment.num_offsets == 1


def test_a_recipe_survives_json():
    for recipe in RECIPES.values():
        for name in NETS:
            net = net_config(name, base=recipe.name, num_classes=7)
            before = fit(replace(recipe, name="mine"), net, picture_size=256)
            after = from_dict(json.loads(json.dumps(to_dict(before))))
            assert after == before and hash(after) == hash(before)


def test_recipes_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        PAPER.net.towers = 1
    with pytest.raises(FrozenInstanceError):
        PAPER.name = "mine"


def without(part, key):
    values = to_dict(PAPER)
    (values[part] if part else values).pop(key)
    return values


def with_extra(part, key):
    values = to_dict(PAPER)
    (values[part] if part else values)[key] = 1
    return values


MISTAKES = {
    "net must be one of paper, code2012, merged.*; got 'vgg'": lambda: net_config("vgg"),
    "base must be one of paper, code2012; got 'keras'": lambda: net_config("half", base="keras"),
    "base must be one of .*; got 'half'": lambda: net_config("paper", base="half"),
    "recipe must be one of paper, code2012; got 'merged'": lambda: recipe_named("merged"),
    "a net has no field 'classes'": lambda: net_config("paper", classes=10),
    "rounding must be one of ceil, floor; got 'up'": lambda: NetConfig(rounding="up"),
    r"conv_channels must have 5 or 6 numbers, got \(8, 8\)": lambda: NetConfig(conv_channels=(8, 8)),
    "kernel_sizes and paddings must have 5": lambda: NetConfig(kernel_sizes=(3,)),
    "paddings must have 5 numbers each": lambda: NetConfig(paddings=(3,)),
    "at least 2 classes, got num_classes=1": lambda: NetConfig(num_classes=1),
    "dropout must be at least 0 and below 1, got 1": lambda: NetConfig(dropout=1.0),
    "removed must be one of .*; got 'conv1'": lambda: NetConfig(removed=("conv1",)),
    "crossing must be one of .*; got 'conv7'": lambda: NetConfig(crossing=("conv7",)),
    "bias_one must be one of .*; got 'fc9'": lambda: NetConfig(bias_one=("fc9",)),
    "96 kernels or units cannot be split into 5 equal towers": lambda: NetConfig(towers=5),
    "cannot be split into 0 equal towers": lambda: NetConfig(towers=0),
    "crossing must be one of .*; got 'conv1'": lambda: NetConfig(crossing=("conv1",)),
    "crossing must be one of .*; got 'fc6'": lambda: NetConfig(crossing=("fc6",)),
    "colour_noise must be one of none, std, .*; got 'loud'": lambda: AugmentConfig(colour_noise="loud"),
    "mean must be one of under-crop, centre; got 'mode'": lambda: AugmentConfig(mean="mode"),
    "num_offsets and crop_group must be at least 1": lambda: AugmentConfig(num_offsets=0),
    "schedule must be one of .*; got 'cosine'": lambda: LearningConfig(schedule="cosine"),
    "order must be one of shuffled, fixed; got 'sorted'": lambda: LearningConfig(order="sorted"),
    "batch_size must be at least 1": lambda: LearningConfig(batch_size=0),
    "epochs positive": lambda: LearningConfig(epochs=0),
    "epochs positive and at most 1,000,000": lambda: LearningConfig(epochs=1e300),
    "epochs must be finite, got inf": lambda: LearningConfig(epochs=float("inf")),
    "momentum must be finite, got nan": lambda: LearningConfig(momentum=float("nan")),
    "lrn_k must be finite, got inf": lambda: NetConfig(lrn_k=float("inf")),
    "colour_divisor must be finite, got -inf": lambda: AugmentConfig(colour_divisor=float("-inf")),
    "rate not negative": lambda: LearningConfig(rate=-0.1),
    "crops of 224 pixels do not fit the 28": lambda: Recipe(net=net_config("small")),
    "pictures of 27 pixels are smaller than the 28 that the net 'small' reads; prepare larger": lambda: fit(
        PAPER, net_config("small"), picture_size=27
    ),
    "a recipe has the parts name, net, augment, learning; got name, net, augment$": lambda: from_dict(
        without("", "learning")
    ),
    "got name, net, augment, learning, optimiser$": lambda: from_dict(with_extra("", "optimiser")),
    "the fields of NetConfig do not match: lrn_n": lambda: from_dict(without("net", "lrn_n")),
    "the fields of AugmentConfig do not match: zoom": lambda: from_dict(with_extra("augment", "zoom")),
    "the fields of LearningConfig do not match: rate": lambda: from_dict(without("learning", "rate")),
    "the fields of NetConfig must be a dictionary, got 'paper'": lambda: from_dict(
        to_dict(PAPER) | {"net": "paper"}
    ),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)

"""The recipes: their defaults are the paper's numbers, they differ as listed, and they survive JSON."""

import json
import subprocess
import sys
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
    adapt_to_images,
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


def test_adapting_keeps_the_relation_of_positions_to_room():
    small = net_config("small")
    for recipe, spare in ((PAPER, 0), (CODE2012, 1)):
        assert adapt_to_images(recipe, recipe.net, image_size=256) == recipe
        fitted = adapt_to_images(recipe, small, image_size=40)
        assert (fitted.net, fitted.learning) == (small, recipe.learning)
        assert (fitted.augment.size, fitted.augment.num_offsets) == (28, 12 + spare)
        assert fitted.augment.crop_group == recipe.augment.crop_group
        assert adapt_to_images(recipe, small, image_size=28).augment.num_offsets == 1


def test_a_recipe_survives_json():
    for recipe in RECIPES.values():
        for name in NETS:
            net = net_config(name, base=recipe.name, num_classes=7)
            before = adapt_to_images(replace(recipe, name="mine"), net, image_size=256)
            after = from_dict(json.loads(json.dumps(to_dict(before))))
            assert after == before and hash(after) == hash(before)


def test_a_recipe_of_before_layers_had_rates_is_read_and_written_as_it_was():
    assert "rate_factors" not in to_dict(PAPER)["learning"]
    factors = (("conv1", 0.0), ("fc8", 10.0))
    tuned = replace(PAPER, learning=replace(PAPER.learning, rate_factors=factors))
    after = from_dict(json.loads(json.dumps(to_dict(tuned))))
    assert after == tuned and hash(after) == hash(tuned)


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


def with_value(part, key, value):
    """A recipe, as a file has it, with another value in one field."""
    values = to_dict(PAPER)
    values[part][key] = value
    return json.loads(json.dumps(values))


MISTAKES = {
    "net must be one of paper, code2012, merged.*; got 'vgg'": lambda: net_config("vgg"),
    "base must be one of paper, code2012; got 'keras'": lambda: net_config("half", base="keras"),
    "base must be one of .*; got 'half'": lambda: net_config("paper", base="half"),
    "recipe must be one of paper, code2012; got 'merged'": lambda: recipe_named("merged"),
    "a network has no field 'classes'": lambda: net_config("paper", classes=10),
    "rounding must be one of ceil, floor; got 'up'": lambda: NetConfig(rounding="up"),
    r"conv_channels must have 5 or 6 numbers, got \(8, 8\)": lambda: NetConfig(conv_channels=(8, 8)),
    r"kernel_sizes must have 5 numbers, got \(3,\)": lambda: NetConfig(kernel_sizes=(3,)),
    r"paddings must have 5 numbers, got \(3,\)": lambda: NetConfig(paddings=(3,)),
    "num_classes must be a whole number from 2 to 1,000,000, got 1": lambda: NetConfig(num_classes=1),
    "dropout must be a finite number of at least 0 and below 1, got 1": lambda: NetConfig(dropout=1.0),
    "removed must be one of .*; got 'conv1'": lambda: NetConfig(removed=("conv1",)),
    "crossing must be one of .*; got 'conv7'": lambda: NetConfig(crossing=("conv7",)),
    "bias_one must be one of .*; got 'fc9'": lambda: NetConfig(bias_one=("fc9",)),
    "96 kernels or units cannot be split into 5 equal towers": lambda: NetConfig(towers=5),
    "towers must be a whole number from 1 to 1,000,000, got 0": lambda: NetConfig(towers=0),
    "crossing must be one of .*; got 'conv1'": lambda: NetConfig(crossing=("conv1",)),
    "crossing must be one of .*; got 'fc6'": lambda: NetConfig(crossing=("fc6",)),
    "colour_noise must be one of none, std, .*; got 'loud'": lambda: AugmentConfig(colour_noise="loud"),
    "mean must be one of under-crop, centre; got 'mode'": lambda: AugmentConfig(mean="mode"),
    "num_offsets must be a whole number from 1 to 1,000,000, got 0": lambda: AugmentConfig(num_offsets=0),
    "schedule must be one of .*; got 'cosine'": lambda: LearningConfig(schedule="cosine"),
    "order must be one of shuffled, fixed; got 'sorted'": lambda: LearningConfig(order="sorted"),
    "batch_size must be a whole number from 1 to .*, got 0": lambda: LearningConfig(batch_size=0),
    "batch_size must be a whole number from 1 to .*, got True": lambda: LearningConfig(batch_size=True),
    "epochs must be a finite number above 0 and at most 1,000,000, got 0": lambda: LearningConfig(epochs=0),
    r"epochs must be .* at most 1,000,000, got 1e\+300": lambda: LearningConfig(epochs=1e300),
    "epochs must be a finite number above 0 .*, got inf": lambda: LearningConfig(epochs=float("inf")),
    "momentum must be .* and below 1, got nan": lambda: LearningConfig(momentum=float("nan")),
    "lrn_k must be a finite number of at least 0, got inf": lambda: NetConfig(lrn_k=float("inf")),
    "colour_divisor must be a finite number above 0, got 0": lambda: AugmentConfig(colour_divisor=0),
    "rate must be a finite number of at least 0, got -0.1": lambda: LearningConfig(rate=-0.1),
    "net must be one of .*; got 'smal'; did you mean 'small'?": lambda: net_config("smal"),
    "crops of 224 pixels do not fit the 28": lambda: Recipe(net=net_config("small")),
    "images of 27 pixels are smaller than the 28 that the network 'small' reads; prepare larger": (
        lambda: adapt_to_images(PAPER, net_config("small"), image_size=27)
    ),
    "^learning is missing": lambda: from_dict(without("", "learning")),
    "^name, net, augment, learning are missing": lambda: from_dict({}),
    "^there is no field 'optimiser'$": lambda: from_dict(with_extra("", "optimiser")),
    "^net: towers, conv_channels, kernel_sizes, paddings and 26 more are missing$": lambda: from_dict(
        to_dict(PAPER) | {"net": {"name": "mine"}}
    ),
    "^net: lrn_n is missing$": lambda: from_dict(without("net", "lrn_n")),
    "^augment: there is no field 'zoom'$": lambda: from_dict(with_extra("augment", "zoom")),
    "^net: there is no field 'lrn_alfa'; did you mean 'lrn_alpha'?": lambda: from_dict(
        with_extra("net", "lrn_alfa")
    ),
    "^net must be fields in braces, got 'paper'$": lambda: from_dict(to_dict(PAPER) | {"net": "paper"}),
    "^it must be fields in braces, got \\[\\]$": lambda: from_dict([]),
    "^net: rounding must be one of ceil, floor; got 'up'$": lambda: from_dict(
        with_value("net", "rounding", "up")
    ),
    r"rate_factors must name a layer once, got \(\('conv1', 1\), \('conv1', 0\)\)": lambda: LearningConfig(
        rate_factors=(("conv1", 1), ("conv1", 0))
    ),
    "there is no fc7 in the network 'without-fc7' to freeze": lambda: replace(
        PAPER, net=net_config("without-fc7"), learning=LearningConfig(rate_factors=(("fc7", 0.1),))
    ),
    "^crops of 28 pixels do not fit the 224": lambda: from_dict(with_value("augment", "size", 28)),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)


HUGE = 10**30
WRONG = {  # by the kind of a field: values of other kinds, and values of that kind that make no sense
    int: ("five", "5", 5.0, 1.5, True, None, [5], -1, HUGE),
    float: ("five", True, None, [0.5], float("nan"), float("inf"), -0.5),
    bool: ("no", "true", 0, 1, None, []),
    str: (5, True, None, ["paper"]),
    tuple: ("conv3", 3, None, {}, [None], [[]], ["conv9"], [0.5, 0.5], [-1] * 5, [HUGE] * 5),
}


def refusal(part, key, value):
    """The sentence with which a recipe is refused that has another value in one field; empty if it is not."""
    try:
        from_dict(with_value(part, key, value))
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("part", PARTS)
def test_every_field_of_a_file_refuses_what_makes_no_sense(part):
    for f in fields(getattr(PAPER, part)):
        kind = getattr(f.type, "__origin__", f.type)
        for value in WRONG[kind]:
            sentence = refusal(part, f.name, value)
            assert sentence.startswith(f"{part}: {f.name}"), (f.name, value, sentence)
            assert "\n" not in sentence and len(sentence) < 300


def test_texts_that_are_one_of_a_few_are_none_else():
    choices = ("rounding", "colour_noise", "mean", "schedule", "order")
    known = [(part, f.name) for part in PARTS for f in fields(getattr(PAPER, part)) if f.name in choices]
    assert len(known) == len(choices)
    for part, name in known:
        assert refusal(part, name, "ceiling").startswith(f"{part}: {name} must be one of")


SAID = (
    (("net", "lrn_n", "five"), "net: lrn_n must be a whole number, got 'five'"),
    (("augment", "flip", "no"), "augment: flip must be true or false, got 'no'"),
    (("net", "pool_size", 0), "net: pool_size must be a whole number from 1 to 1,000,000, got 0"),
    (("net", "paddings", [0, 2, "x", 1, 1]), "net: paddings[2] must be a whole number, got 'x'"),
    (
        ("net", "kernel_sizes", [5] * 4 + [0]),
        "net: kernel_sizes must be a whole number from 1 to 1,000,000, got 0",
    ),
    (("net", "dense_units", [4096]), "net: dense_units must be a list of length 2, got [4096]"),
    (("net", "dropout", None), "net: dropout must be a number, got None"),
    (("learning", "rate", float("nan")), "learning: rate must be a finite number of at least 0, got nan"),
)


@pytest.mark.parametrize(("mistake", "sentence"), SAID)
def test_the_sentence_names_the_field_what_it_holds_and_what_is_allowed(mistake, sentence):
    assert refusal(*mistake) == sentence


def test_a_whole_number_will_do_for_one_with_a_fraction():
    assert from_dict(with_value("net", "dropout", 0)).net.dropout == 0


def test_recipes_and_their_checks_start_without_the_reader_of_files():
    slow = {"torch", "numpy", "msgspec", "difflib"}
    code = f"import sys, alexnet.recipes; assert not {slow} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

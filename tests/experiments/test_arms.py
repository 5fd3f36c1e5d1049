"""What an arm is: its network, its inputs, and the settings by which its trials are known."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from alexnet import paper
from alexnet.config import LearningConfig, NetConfig
from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.arms import NORMALISATIONS, SHRINKING, Arm, FourLayerConfig, departures, normalised
from alexnet.experiments.parts import ARMS
from alexnet.experiments.trial import Trial, make_inputs
from alexnet.functional import local_response_norm
from alexnet.models import summary, total
from alexnet.models.alexnet import AlexNet
from alexnet.models.cifar import four_layer_net
from alexnet.optim.schedule import LOGGED
from alexnet.recipes import CODE2012, PAPER
from alexnet.transforms.ten_crop import prepare_centre


def build_net(kind):
    arm = Arm(
        about="",
        net=FourLayerConfig(initialisation="2012", channels=(4, 4, 4), normalisation=kind),
        learning=LearningConfig(),
    )
    return arm.build(torch.Generator().manual_seed(3), num_classes=10)


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("none", ["conv1", "unit1", "pool1", "conv2", "unit2", "pool2", "conv3"]),
        ("lrn", ["conv1", "unit1", "norm1", "pool1", "conv2", "unit2", "norm2", "pool2", "conv3"]),
        ("batch", ["conv1", "norm1", "unit1", "pool1", "conv2", "norm2", "unit2", "pool2", "conv3"]),
    ],
)
def test_the_first_two_layers_are_normalised(kind, layers):
    names = [name for name, _ in build_net(kind).named_children()]
    assert names == [*layers, "unit3", "pool3", "flatten", "output"]


def test_a_seed_gives_every_kind_the_same_initial_weights():
    plain = four_layer_net(
        "relu", initialisation="2012", channels=(4, 4, 4), generator=torch.Generator().manual_seed(3)
    )
    for kind in NORMALISATIONS:
        for name in ("conv1", "conv2", "conv3", "output"):
            assert torch.equal(build_net(kind).get_submodule(name).weight, plain.get_submodule(name).weight)


def test_each_kind_computes_what_it_is_called():
    x = 200 * torch.rand(2, 6, 3, 3, generator=torch.Generator().manual_seed(1))
    layer = {kind: build_net(kind).norm1 for kind in NORMALISATIONS if kind != "none"}
    torch.testing.assert_close(layer["lrn"](x), local_response_norm(x))
    torch.testing.assert_close(layer["constant"](x), x / 2**0.75)
    expected = local_response_norm(x, n=5, k=1, alpha=0.001 / 5, beta=0.75)
    torch.testing.assert_close(layer["lrn-11pct"](x), expected)
    assert isinstance(layer["batch"], nn.BatchNorm2d) and layer["batch"].num_features == 4


def test_the_authors_networks_for_cifar_are_those_of_their_files():
    """The numbers of parameters were worked out by hand from the files."""
    arms = EXPERIMENTS["conv-local"].arms
    nets = {name: arm.build(torch.Generator().manual_seed(0), num_classes=10) for name, arm in arms.items()}
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counts["13pct"] == counts["11pct"] == counts["constant"] == 1_116_490
    assert counts["11pct-public"] == 1_116_490 + 36 * (577 * 32 + 9 * 32 * 32)
    assert nets["13pct"](torch.zeros(2, 3, 24, 24)).shape == (2, 10)
    names = {name: " ".join(child for child, _ in net.named_children()) for name, net in nets.items()}
    assert names["11pct"].startswith("conv1 unit1 norm1 pool1 conv2 unit2 norm2 pool2 local3 unit3 local4")
    assert names["11pct-public"].startswith("conv1 unit1 pool1 norm1 conv2 unit2 norm2 pool2 local3")
    x = 200 * torch.rand(2, 64, 3, 3, generator=torch.Generator().manual_seed(1))
    for name, n in (("11pct", 5), ("11pct-public", 9)):
        expected = local_response_norm(x, n=n, k=1, alpha=0.001 / n, beta=0.75)
        torch.testing.assert_close(nets[name].norm1(x), expected)


def test_layers_decay_as_their_files_say():
    arm = EXPERIMENTS["conv-local"].arms["11pct-public"]
    net = arm.build(torch.Generator().manual_seed(0), num_classes=10)
    groups = arm.rate_groups(net, 0.001)
    names = {parameter: name for name, parameter in net.named_parameters()}
    found = {names[one]: (group["lr"], group["weight_decay"]) for group in groups for one in group["params"]}
    assert found.keys() == set(names.values())
    for name, (rate, decay) in found.items():
        layer, kind = name.split(".")
        decays = {"local3": 0.004, "local4": 0.004, "fc10": 0.01} if kind == "weight" else {}
        assert (rate, decay) == (0.002 if kind == "bias" else 0.001, decays.get(layer, 0.0)), name


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="no normalisation 'layer'; there are none, constant, lrn"):
        normalised(nn.Sequential(), "layer")


def measure_maps(arm):
    """Sizes of the maps after conv1 and after each pool."""
    net = AlexNet(arm.net, generator=torch.Generator().manual_seed(0)).eval()
    sizes = []
    for layer in net.layers:
        if layer.name == "conv1" or layer.kind == "pool":
            net.get_submodule(layer.name).register_forward_hook(lambda *call: sizes.append(call[2].shape[-1]))
    net(torch.zeros(1, 3, 28, 28))
    return sizes


def test_both_kinds_of_pool_give_maps_of_the_same_sizes():
    assert measure_maps(ARMS["base"]) == measure_maps(ARMS["no-overlap"]) == [28, 14, 7, 3]


def test_most_parameters_are_dense_and_one_tower_has_as_many_as_two():
    counts = {}
    for name in ("base", "one-tower"):
        rows = summary(ARMS[name].net).rows
        counts[name] = total(rows, "num_parameters")
        dense = sum(row.num_parameters for row in rows if row.layer.startswith("fc"))
        assert dense > 0.9 * counts[name]
    assert counts["one-tower"] == pytest.approx(counts["base"], rel=0.01)


def differences(one, other, path=""):
    """The fields in which two arms' settings differ."""
    found = set()
    for name in one.keys() | other.keys():
        a, b = one.get(name), other.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found |= differences(a, b, f"{path}{name}.")
        elif a != b:
            found.add(path + name)
    return found


@pytest.mark.parametrize(
    ("arm", "fields"),
    [
        ("half", {"net.towers", "net.conv_channels"}),
        ("one-tower", {"net.towers", "net.conv_channels"}),
        ("no-lrn", {"net.lrn"}),
        ("constant", {"net.lrn_alpha"}),
        ("no-overlap", {"net.pool_size", "net.rounding"}),
        ("no-weight-decay", {"learning.weight_decay"}),
        ("total-decay", {"learning.weight_decay"}),
        ("biases-0", {"net.bias_one"}),
        ("weights-0.01", {"net.std_by_fan_in"}),
        ("without-conv2", {"net.removed"}),
        ("without-fc6", {"net.removed"}),
        ("without-conv3", {"net.removed", "net.crossing"}),
        ("without-conv4", {"net.removed"}),
        ("without-conv5", {"net.removed"}),
        ("without-fc7", {"net.removed"}),
        ("long", {"learning.epochs"}),
        ("crops", {"augment", "learning.epochs"}),
        ("dropout", {"net.dropout", "learning.epochs"}),
        ("pools-early", {"moved"}),
        ("pools-late", {"moved"}),
        ("shrunk-area", {"shrunk", "net.input_size"}),
    ],
)
def test_one_part_is_changed_and_nothing_else(arm, fields):
    assert differences(ARMS["base"].settings, ARMS[arm].settings) == fields


def test_the_colour_shifts_are_all_that_is_added_to_the_crops():
    assert differences(ARMS["crops"].settings, ARMS["colour"].settings) == {"augment.colour_noise"}
    assert ARMS["colour"].augment.colour_noise == CODE2012.augment.colour_noise  # D8 in DEVIATIONS.md


def test_the_total_decay_is_that_of_the_papers_training():
    """The sum over all steps of learning rate times decay: 1.2 million images, 90 epochs, drops as logged."""

    def total(learning, num_images, rates):
        steps = num_images / learning.batch_size
        return sum(steps * num_epochs * rate for num_epochs, rate in rates) * learning.weight_decay

    logged = LOGGED["logged-2012"]
    starts = [stage.epoch for stage in logged.stages] + [logged.num_epochs]
    lengths = [after - before for before, after in zip(starts, starts[1:], strict=False)]
    cuts = [stage.weight_cuts for stage in logged.stages]
    papers = [(n, paper.LEARNING_RATE * 0.1**cut) for n, cut in zip(lengths, cuts, strict=True)]
    ours = [(20, 0.01), (30 * (8 / 9 - 2 / 3), 0.001), (30 / 9, 0.0001)]
    expected = total(PAPER.learning, 1_200_000, papers)
    assert 1.2 < expected < 1.4
    assert total(ARMS["total-decay"].learning, 10_000, ours) == pytest.approx(expected, rel=0.05)


def test_settings_are_what_departs_from_the_defaults_without_texts_names_and_first_rates():
    arm = Arm(
        about="x", net=NetConfig(name="mine", towers=1), learning=LearningConfig(rate=0.3, momentum=0.5)
    )
    assert arm.settings == {
        "net": {"kind": "NetConfig", "towers": 1},
        "learning": {"kind": "LearningConfig", "momentum": 0.5},
    }
    assert departures(LearningConfig()) == {}


def test_trials_are_known_by_what_changes_their_outcome(tiny):
    """The digest was written down when the first trials were kept: another one would orphan them all."""
    experiment = tiny("relu", "tanh")
    one = experiment.trial("relu", rate=0.01, seed=0, split="test")
    assert one.digest("data") == "fce08ec500cf"
    others = [
        replace(one, rate=0.02),
        replace(one, seed=1),
        replace(one, split="held-out"),
        replace(one, num_train=99),
        replace(one, stop_error=0.25),
        replace(one, of=experiment.arms["tanh"]),
        replace(one, of=replace(one.of, drops=(0.5,))),
        replace(one, of=replace(one.of, learning=replace(one.of.learning, epochs=2))),
    ]
    digests = {trial.digest("data") for trial in (one, *others)} | {one.digest("other data")}
    assert len(digests) == len(others) + 2
    texts = replace(one, arm="renamed", of=replace(one.of, about="other words"))
    assert texts.digest("data") == one.digest("data")


def test_a_longer_race_is_known_by_the_name_of_the_shorter(tiny):
    one = Trial(arm="relu", of=tiny("relu").arms["relu"], rate=0.1, seed=0, num_train=9, stop_error=0.25)
    longer = replace(one, of=replace(one.of, learning=replace(one.of.learning, epochs=50)))
    assert one.digest("") == longer.digest("")


def test_no_two_arms_of_an_experiment_are_the_same():
    for experiment in EXPERIMENTS.values():
        settings = [repr(arm.settings) for arm in experiment.arms.values()]
        assert len(set(settings)) == len(settings)
        for comparisons in experiment.answers.values():
            assert comparisons and {n for one in comparisons for n in (one.better, one.worse)} <= set(
                experiment.arms
            )


def test_inputs_are_augmented_in_training_alone_and_scaled_where_the_arm_says_so(examples):
    images = examples[0][:20]
    arms = {name: make_inputs(ARMS[name], images) for name in ("base", "crops", "colour")}
    centre = prepare_centre(images, size=28, statistics=arms["base"].statistics)
    made = {}
    for name, inputs in arms.items():
        assert torch.equal(inputs.evaluation(images), centre)
        made[name] = inputs.training(images, torch.Generator().manual_seed(1))
    assert torch.equal(made["base"], centre) and not torch.equal(made["crops"], centre)
    shifts = made["colour"] - made["crops"]  # constant in each channel of each image
    assert shifts.std((2, 3)).max() < 1e-3 and shifts.mean((2, 3)).std() > 0.5
    unit = make_inputs(EXPERIMENTS["relu-speed"].arms["scaled/relu"], images).evaluation(images)
    assert unit.double().var(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert unit.double().mean(0).abs().max() < 1e-5


def test_groups_have_the_rates_of_the_arm():
    arm = EXPERIMENTS["relu-speed"].arms["2012-conv1/tanh"]
    net = arm.build(torch.Generator().manual_seed(0), num_classes=10)
    rates = {group["name"]: group["lr"] for group in arm.rate_groups(net, 0.1)}
    others = {"conv1.bias": 0.1, "weight": 0.1, "bias": 0.1}
    assert rates == {"conv1.weight": pytest.approx(0.1 / 64**2)} | others
    twice = replace(arm, learning=replace(arm.learning, bias_rate_factor=2.0))
    assert {group["name"]: group["lr"] for group in twice.rate_groups(net, 0.1)}["bias"] == 0.2
    frozen = replace(arm, learning=replace(arm.learning, rate_factors=(("conv1", 0.0),)))
    assert [group["lr"] for group in frozen.rate_groups(net, 0.1) if group["factor"] == 0] == [0, 0]


@pytest.mark.parametrize(
    ("arm", "order", "sizes"),
    [
        ("base", "pool1 conv2 pool2 conv3 conv4 conv5 pool5", [28, 14, 7, 3]),
        ("pools-early", "pool1 conv2 pool2 conv3 pool5 conv4 conv5", [28, 14, 7, 3]),
        ("pools-late", "pool1 conv2 conv3 pool2 conv4 conv5 pool5", [28, 14, 7, 3]),
    ],
)
def test_a_pool_moves_and_the_weights_stay(arm, order, sizes):
    net = ARMS[arm].build(torch.Generator().manual_seed(0), num_classes=10).eval()
    names = [name for name, _ in net.named_children() if name.startswith(("pool", "conv"))]
    assert names[1:] == order.split()
    seen = []
    for name in names:
        if name.startswith("pool"):
            net.get_submodule(name).register_forward_hook(lambda *call: seen.append(call[2].shape[-1]))
    net(torch.zeros(1, 3, 28, 28))
    assert [28, *seen] == sizes
    base = ARMS["base"].build(torch.Generator().manual_seed(0), num_classes=10)
    assert all(torch.equal(base.state_dict()[name], value) for name, value in net.state_dict().items())


def test_images_are_shrunk_by_the_filter_of_the_arm(examples):
    images = examples[0][:3]
    assert ARMS["base"].stored(images) is images
    found = {name: ARMS[f"shrunk-{name}"].stored(images) for name in SHRINKING}
    assert {(x.shape, x.dtype) for x in found.values()} == {((3, 3, 16, 16), torch.uint8)}
    means = images.double().unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5))
    assert torch.equal(found["area"].double(), means.round())
    pixels = {tuple(images[..., i::2, j::2].flatten().tolist()) for i in (0, 1) for j in (0, 1)}
    assert tuple(found["nearest"].flatten().tolist()) in pixels
    assert len({tuple(x.flatten().tolist()) for x in found.values()}) == len(SHRINKING)


def test_the_order_of_jarrett_is_activation_contrast_normalisation_average():
    net = (
        EXPERIMENTS["four-layer-lrn"]
        .arms["contrast/abs_tanh"]
        .build(torch.Generator().manual_seed(0), num_classes=10)
    )
    assert [type(layer).__name__ for layer in net[:4]] == [
        "Conv2d",
        "Activation",
        "LocalContrastNorm",
        "AvgPool2d",
    ]


def test_the_order_of_jarrett_stands_beside_the_same_without_the_normalisation():
    arms = EXPERIMENTS["four-layer-lrn"].arms
    whole, control = (arms[f"{name}/abs_tanh"] for name in ("contrast", "average"))
    assert replace(control, about=whole.about, net=replace(control.net, normalisation="contrast")) == whole


def test_batch_normalisation_of_the_authors_network_also_gets_weights_of_its_own():
    arms = EXPERIMENTS["conv-local"].arms
    assert replace(arms["batch-he"].net, he_weights=False) == arms["batch"].net
    net = arms["batch-he"].build(torch.Generator().manual_seed(0), num_classes=10)
    for name, fan_in in {"conv1": 75, "conv2": 1600, "local3": 576, "local4": 288, "fc10": 1152}.items():
        assert net.get_parameter(f"{name}.weight").std().item() == pytest.approx(
            (2 / fan_in) ** 0.5, rel=0.05
        )
        assert not net.get_parameter(f"{name}.bias").any()


def test_the_protocol_of_the_authors_networks_for_cifar():
    for name, arm in EXPERIMENTS["conv-local"].arms.items():
        augment, learning = arm.augment, arm.learning
        assert (augment.size, augment.num_offsets, augment.flip, augment.mean) == (24, 9, True, "centre")
        assert augment.colour_noise == "none" and arm.drops == (0.94, 0.97)
        assert (learning.momentum, learning.bias_rate_factor, learning.decay_biases) == (0.9, 2.0, False)
        last = 0.01 if name == "11pct-public" else 0.004
        assert dict(arm.weight_decays) == {"local3": 0.004, "local4": 0.004, "fc10": last}, name


def test_both_networks_of_the_race_with_dropout_keep_their_learning_rate():
    arms = EXPERIMENTS["dropout-speed"].arms
    for arm in arms.values():
        assert arm.drops == () and arm.learning.schedule == "constant" and arm.learning.epochs == 120
        assert arm.augment is None
    assert {name: arm.net.dropout for name, arm in arms.items()} == {"without": 0.0, "with": 0.5}


def test_contrast_is_normalised_in_inputs_of_unit_variance():
    arms = EXPERIMENTS["four-layer-lrn"].arms
    assert {name for name, arm in arms.items() if arm.unit_variance} == {
        "contrast/abs_tanh",
        "contrast/tanh",
        "contrast/relu",
        "average/abs_tanh",
    }


def test_the_setups_of_the_race_are_those_of_its_description():
    arms = EXPERIMENTS["relu-speed"].arms
    found = {}
    for name, arm in arms.items():
        setup, unit = name.split("/")
        assert arm.net.unit == unit and arm.learning.weight_decay == 0 and not arm.drops and not arm.augment
        found[setup] = (arm.net.initialisation, arm.unit_variance, arm.conv1_rate_factor, arm.net.dense)
    assert found == {
        "scaled": ("scaled", True, 1, 0),
        "2012": ("2012", False, 1, 0),
        "2012-unit": ("2012", True, 1, 0),
        "scaled-grey": ("scaled", False, 1, 0),
        "2012-conv1": ("2012", False, 1 / 64**2, 0),
        "equal": ("equal", True, 1, 0),
        "four-hidden": ("scaled", True, 1, 64),
    }

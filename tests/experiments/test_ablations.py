"""The experiment that takes parts away: what each variant is, what is the same for all, what a trial does."""

import argparse
import json

import pytest
import torch

from alexnet.cli.experiment import add_options
from alexnet.data import synthetic
from alexnet.data.statistics import compute_statistics
from alexnet.experiments import ablations as experiment
from alexnet.experiments.ablations import PARTS, Outcome, Trial, make_trial, run_trial
from alexnet.models.alexnet import AlexNet
from alexnet.recipes import CODE2012, DIFFERENCES
from alexnet.storage import records
from alexnet.transforms.ten_crop import prepare_centre

OTHERS = {"seed": 0, "num_train": 300}


def trial(variant, **changes) -> Trial:
    return make_trial(variant, **({"rate": 0.003, "epochs": 2, "num_classes": 10} | OTHERS | changes))


@pytest.fixture(scope="module")
def examples():
    """Images that are easy to tell apart: each class has a colour of its own under noise."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.randint(0, 10, (400,), generator=generator)
    colours = torch.randint(0, 256, (10, 3, 1, 1), generator=generator)
    noise = torch.randint(-40, 41, (400, 3, 32, 32), generator=generator)
    return (colours[labels] + noise).clamp(0, 255).to(torch.uint8), labels


def maps_of(variant):
    """Sizes of the maps after conv1 and after each pool."""
    net = AlexNet(trial(variant).recipe.net, generator=torch.Generator().manual_seed(0)).eval()
    sizes = []
    names = [layer.name for layer in net.layers if layer.name == "conv1" or layer.kind == "pool"]
    for name in names:
        net.get_submodule(name).register_forward_hook(lambda *call: sizes.append(call[2].shape[-1]))
    net(torch.zeros(1, 3, 29, 29))
    return sizes


def test_maps_are_odd_and_both_kinds_of_pool_give_the_same_sizes():
    assert maps_of("base") == maps_of("no-overlap") == [15, 7, 3, 1]


def test_the_base_is_the_recipe_of_the_code_but_for_what_is_said():
    recipe = trial("base").recipe
    for difference in DIFFERENCES:
        code = getattr(getattr(CODE2012, difference.part), difference.field)
        changed = {"crop_group": 1, "num_offsets": 4, "schedule": "constant"}
        here = getattr(getattr(recipe, difference.part), difference.field)
        assert here == changed.get(difference.field, code), difference
    assert recipe.net.towers == 2 and recipe.net.dropout == 0.5 and recipe.learning.weight_decay == 0.0005


def fields_that_differ(variant):
    base, other = trial("base"), trial(variant)
    found = {
        f"{part}.{name}"
        for part in ("net", "augment", "learning")
        for name, value in vars(getattr(other.recipe, part)).items()
        if value != getattr(getattr(base.recipe, part), name)
    }
    return found | {name for name in ("augmented", "colour_noise") if getattr(other, name) is False}


@pytest.mark.parametrize(
    ("variant", "fields"),
    [
        ("base", set()),
        ("one-tower", {"net.towers"}),
        ("half", {"net.towers", "net.conv_channels"}),
        ("no-lrn", {"net.lrn", "net.spatial_norm"}),
        ("no-overlap", {"net.pool_size"}),
        ("no-augmentation", {"augmented"}),
        ("no-colour-noise", {"colour_noise"}),
        ("no-dropout", {"net.dropout"}),
        ("long", {"learning.epochs"}),
        ("no-dropout-long", {"learning.epochs", "net.dropout"}),
        ("no-weight-decay", {"learning.weight_decay"}),
        ("more-weight-decay", {"learning.weight_decay"}),
        ("strong-weight-decay", {"learning.weight_decay"}),
        ("biases-0", {"net.bias_one"}),
        ("text-weights", {"net.conv3_5_weight_std"}),
        ("without-conv3", {"net.removed", "net.crossing"}),
        ("without-conv4", {"net.removed"}),
        ("without-conv5", {"net.removed"}),
        ("without-fc7", {"net.removed"}),
    ],
)
def test_a_variant_differs_in_what_it_is_called_after_alone(variant, fields):
    assert fields_that_differ(variant) == fields


def test_half_keeps_the_last_layer_and_long_doubles_the_epochs():
    assert trial("half").recipe.net.conv_channels == (16, 16, 32, 32, 32)
    assert trial("base").recipe.net.conv_channels == (32, 32, 64, 64, 32)
    assert trial("long").epochs == 4 and trial("no-dropout-long").epochs == 4


def test_images_are_augmented_only_where_the_trial_says_so(examples):
    images = examples[0][:20]
    statistics = compute_statistics([images])

    def made(variant):
        generator = torch.Generator().manual_seed(1)
        return experiment.prepared(trial(variant), images, statistics, generator)

    centre = prepare_centre(images, size=29, statistics=statistics)
    assert torch.equal(made("no-augmentation"), centre)
    crops, noisy = made("no-colour-noise"), made("base")
    assert not torch.equal(crops, centre)
    shifts = noisy * CODE2012.augment.colour_divisor - crops  # constant in each channel of each image
    assert shifts.std((2, 3)).max() < 1e-3 and shifts.mean((2, 3)).std() > 0.5


def test_a_trial_learns_is_tested_and_repeats(examples):
    images, labels = examples
    learning = trial("no-dropout", epochs=5)
    outcome, net = run_trial(learning, examples, (images[300:], labels[300:]))
    assert outcome.test_error < 0.5 and outcome.errors[-1] < outcome.errors[0] - 0.2, outcome
    assert len(outcome.errors) == len(outcome.losses) == 5 and not net.training
    wrong = (images[300:], (labels[300:] + 1) % 10)
    again, _ = run_trial(learning, examples, wrong)
    assert (again.losses, again.train_error) == (outcome.losses, outcome.train_error)
    assert again.test_error > outcome.test_error + 0.2 and again.test_loss > outcome.test_loss
    one, other = (run_trial(trial("no-dropout", epochs=1, seed=n), examples, wrong)[0] for n in (0, 1))
    assert one.losses != other.losses


def test_the_rate_drops_for_the_last_quarter(examples, monkeypatch):
    rates = []
    step = experiment.train_step

    def watched(net, optimizer, x, y):
        rates.append([group["lr"] for group in optimizer.param_groups])
        return step(net, optimizer, x, y)

    monkeypatch.setattr(experiment, "train_step", watched)
    run_trial(trial("base", epochs=4, num_train=32, rate=0.01), examples, examples)
    assert rates == [pytest.approx([0.01, 0.01, 0.02])] * 3 + [pytest.approx([0.001, 0.001, 0.002])]


def test_a_diverging_trial_ends_and_its_record_is_json(examples):
    outcome, _ = run_trial(trial("no-dropout", rate=1e9, epochs=9), examples, examples)
    assert len(outcome.errors) < 9 and outcome.test_error == 1
    short = experiment.rounded(vars(outcome))
    assert short["test_loss"] is None and json.dumps(short, allow_nan=False)


def test_held_out_images_choose_the_rate_and_every_variant_gets_it():
    asked = []

    def laboratory(one):
        asked.append((one.variant, one.rate, one.seed, one.held_out))
        error = {0.1: 0.4, 0.2: 0.3, 0.4: 0.35}[one.rate]
        numbers = {"train_error": error, "train_loss": 1.0, "test_error": error, "test_loss": 1.0}
        return Outcome(errors=[0.5], losses=[1.0], seconds=1.0, **numbers)

    def make(variant, **changes):
        return trial(variant, **changes)

    found = experiment.measure(laboratory, make, ["base", "half"], [0.1, 0.2, 0.4], [5, 6])
    assert found["rate"] == 0.2 and found["search"] == [[0.1, 0.4], [0.2, 0.3], [0.4, 0.35]]
    assert asked[:3] == [("base", rate, experiment.SEARCH_SEED, True) for rate in (0.1, 0.2, 0.4)]
    runs = [(variant, 0.2, seed, False) for variant in ("base", "half") for seed in (5, 6)]
    assert asked[3:] == runs
    assert [run["seed"] for run in found["variants"]["half"]["runs"]] == [5, 6]
    alone = experiment.measure(laboratory, make, ["base"], [0.4], [5])
    assert alone["search"] == [] and alone["rate"] == 0.4


@pytest.fixture
def arguments(tmp_path):
    parser = argparse.ArgumentParser()
    add_options(parser, experiment)
    words = ["--variants", "base", "no-dropout", "--seeds", "0", "1", "--epochs", "1", "--train-size", "100"]
    words += ["--rates", "0.001", "0.003", "--device", "cpu"]
    return parser.parse_args(
        [*words, "--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "record.json")]
    )


def test_the_command_writes_a_record_and_goes_on_where_it_stopped(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        experiment.data, "load_or_default", lambda name: synthetic(num_train=120, num_test=20, seed=2)
    )
    assert experiment.run(arguments) == 0
    record = records.load(tmp_path / "record.json")
    assert record.scale.startswith("100 training and 20 test images of ")
    assert record.scale.endswith("1 epochs, 2 seeds") and record.config["num_train"] == 100
    assert record.config["base"]["learning"]["rate"] == record.results["rate"] in (0.001, 0.003)
    printed = capsys.readouterr().out
    assert "no-dropout           training " in printed and "test" in printed

    monkeypatch.setattr(experiment, "run_trial", lambda *_: pytest.fail("a finished run was repeated"))
    assert experiment.run(arguments) == 0
    assert records.load(tmp_path / "record.json") == record


def test_the_table_shows_spreads_and_what_the_seeds_say():
    def runs(*errors):
        return {
            "runs": [
                {"seed": seed, "train_error": error / 2, "test_error": error}
                for seed, error in enumerate(errors)
            ]
        }

    found = {"base": runs(0.30, 0.32), "half": runs(0.33, 0.34)}
    record = records.Record(
        experiment="ablations", scale="9 images", data={}, config={}, seeds=[0, 1], seconds=5400.0,
        environment={"device": "cpu: slow"}, results={"rate": 0.003, "variants": found},
    )  # fmt: skip
    lines = experiment.comparison(record, ["base", "half"]).split("\n")
    assert lines[2] == "| *base*: all parts | 15.0% to 16.0% | 30.0% to 32.0% |  |"
    assert lines[3].endswith("| 33.0% to 34.0% | inconclusive: higher by 2.5 points [-3.9, +8.9] |")
    assert lines[4:] == ["", "9 images, rate 0.003. All 2 variants: 1.5 hours on cpu: slow."]
    turned = experiment.comparison(record, ["base"], over="half").split("\n")
    assert turned[2].endswith("| inconclusive: lower by 2.5 points [-3.9, +8.9] |")


def test_every_part_has_a_section_and_words():
    for name, part in PARTS.items():
        assert part.about and (part.section or name == "base")

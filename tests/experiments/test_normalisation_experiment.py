"""The experiment on normalisation: where the layers go, what trains and tests, what the seeds show."""

import argparse
import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from alexnet.cli.experiment import add_options
from alexnet.data import synthetic
from alexnet.experiments import lrn as experiment
from alexnet.experiments import trials
from alexnet.experiments.trials import Trial, run_trial
from alexnet.functional import local_response_norm
from alexnet.models.cifar import four_layer_net

TINY = Trial(variant="none", rate=0.003, seed=0, num_train=300, epochs=4, batch_size=15, channels=(4, 4, 4))


@pytest.fixture(scope="module")
def examples():
    """Images that are easy to tell apart: each class has a colour of its own under noise."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.randint(0, 10, (400,), generator=generator)
    colours = torch.randint(0, 256, (10, 3, 1, 1), generator=generator)
    noise = torch.randint(-40, 41, (400, 3, 32, 32), generator=generator)
    return (colours[labels] + noise).clamp(0, 255).to(torch.uint8), labels


def net_of(kind):
    return experiment.build(replace(TINY, variant=kind), torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("none", ["conv1", "unit1", "pool1", "conv2", "unit2", "pool2", "conv3"]),
        ("lrn", ["conv1", "unit1", "norm1", "pool1", "conv2", "unit2", "norm2", "pool2", "conv3"]),
        ("batch", ["conv1", "norm1", "unit1", "pool1", "conv2", "norm2", "unit2", "pool2", "conv3"]),
    ],
)
def test_the_first_two_layers_are_normalised(kind, layers):
    names = [name for name, _ in net_of(kind).named_children()]
    assert names == [*layers, "unit3", "pool3", "flatten", "output"]


def test_a_seed_gives_every_kind_the_same_first_weights():
    plain = four_layer_net(
        "relu", initialisation="2012", channels=(4, 4, 4), generator=torch.Generator().manual_seed(3)
    )
    for kind in experiment.KINDS:
        for name in ("conv1", "conv2", "conv3", "output"):
            assert torch.equal(net_of(kind).get_submodule(name).weight, plain.get_submodule(name).weight)


def test_each_kind_computes_what_it_is_called():
    x = 200 * torch.rand(2, 6, 3, 3, generator=torch.Generator().manual_seed(1))
    layer = {kind: net_of(kind).norm1 for kind in experiment.KINDS if kind != "none"}
    torch.testing.assert_close(layer["lrn"](x), local_response_norm(x))
    torch.testing.assert_close(layer["constant"](x), x / 2**0.75)
    expected = local_response_norm(x, n=5, k=1, alpha=0.001 / 5, beta=0.75)
    torch.testing.assert_close(layer["lrn-11pct"](x), expected)
    assert isinstance(layer["batch"], nn.BatchNorm2d) and layer["batch"].num_features == 4


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="no normalisation 'layer'; there are none, constant, lrn"):
        net_of("layer")


def test_a_trial_learns_is_tested_on_the_test_images_and_repeats(examples):
    images, labels = examples
    # The kind that learns soonest, and with a rate and a width at which every seed learns.
    trial = replace(TINY, variant="batch", epochs=5, rate=0.01, channels=(8, 8, 8))
    outcome, net = run_trial(trial, experiment.build, examples, (images[300:], labels[300:]))
    assert outcome.train_errors[-1] < outcome.train_errors[0], outcome
    assert len(outcome.train_errors) == 5 and not net.training
    wrong = (images[300:], (labels[300:] + 1) % 10)
    again, _ = run_trial(trial, experiment.build, examples, wrong)
    assert again.train_errors == outcome.train_errors
    assert again.test_error > outcome.test_error + 0.1, (again, outcome)  # by what it learned


def test_bfloat16_trains_on_the_weights_of_each_step(examples):
    images, labels = examples
    trial = replace(TINY, variant="batch", epochs=2, precision="bfloat16")
    errors = run_trial(trial, experiment.build, examples, (images[300:], labels[300:]))[0].train_errors
    exact = run_trial(replace(trial, precision="float32"), experiment.build, examples, examples)[0]
    assert errors == pytest.approx(exact.train_errors, abs=0.1)


def test_held_out_images_are_not_trained_on(examples):
    images, labels = examples
    unused = images[:0], labels[:0]
    trained, (tested, truth) = trials.parts(examples, unused, num_train=305, held_out=True)
    got_images, got_labels = trained
    assert torch.equal(got_images, images[:275]) and torch.equal(got_labels, labels[:275])
    assert torch.equal(tested, images[275:305]) and torch.equal(truth, labels[275:305])
    with pytest.raises(ValueError, match="401 training images were asked for, there are 400"):
        trials.parts(examples, examples, num_train=401, held_out=False)


def test_the_rate_drops_for_the_last_quarter():
    rates = [trials.rate_in(epoch, rate=1.0, epochs=8) for epoch in range(8)]
    assert rates == [1.0] * 6 + [0.1] * 2


def test_a_diverging_trial_ends_and_gets_nothing_right(examples):
    outcome, _ = run_trial(replace(TINY, rate=1e9), experiment.build, examples, examples)
    assert len(outcome.train_errors) < TINY.epochs and outcome.test_error == 1


class Bench:
    """Outcomes looked up by rate; notes what was asked."""

    def __init__(self, errors):
        self.errors, self.asked = errors, []

    def __call__(self, trial):
        self.asked.append((trial.rate, trial.seed, trial.held_out))
        return trials.Outcome(train_errors=[0.5], test_error=self.errors[trial.rate], seconds=1.0)


def test_the_rate_is_chosen_on_held_out_images():
    bench = Bench({0.1: 0.4, 0.2: 0.3, 0.4: 0.35})
    entry = experiment.measure(bench, TINY, [0.1, 0.2, 0.4], [5, 6])
    assert entry["rate"] == 0.2 and entry["search"] == [[0.1, 0.4], [0.2, 0.3], [0.4, 0.35]]
    searched = [(rate, experiment.SEARCH_SEED, True) for rate in (0.1, 0.2, 0.4)]
    assert bench.asked == [*searched, (0.2, 5, False), (0.2, 6, False)]
    assert [run["seed"] for run in entry["runs"]] == [5, 6]


def test_a_single_rate_is_taken_without_a_search():
    bench = Bench({0.1: 0.4})
    entry = experiment.measure(bench, TINY, [0.1], [5])
    assert entry["search"] == [] and bench.asked == [(0.1, 5, False)]


def make_results(**errors):
    return {
        kind: {"runs": [{"seed": seed, "test_error": error} for seed, error in enumerate(values)]}
        for kind, values in errors.items()
    }


def test_only_what_the_results_hold_is_compared():
    results = make_results(constant=[0.30, 0.32], lrn=[0.29, 0.33])
    assert experiment.comparisons(results) == [
        ("lrn", "constant", "inconclusive: lower by 0.0 points [-12.7, +12.7]")
    ]
    results |= make_results(none=[0.31, 0.35])
    pairs = [(kind, over) for kind, over, _ in experiment.comparisons(results)]
    assert pairs == [("constant", "none"), ("lrn", "none"), ("lrn", "constant")]
    assert {name for pair in experiment.COMPARED for name in pair} == experiment.KINDS.keys()


@pytest.fixture
def arguments(tmp_path):
    parser = argparse.ArgumentParser()
    add_options(parser, experiment)
    words = ["--kinds", "none", "lrn", "--seeds", "0", "1", "--epochs", "1", "--train-size", "100"]
    words += ["--rates", "0.001", "0.003", "--device", "cpu"]
    return parser.parse_args(
        [*words, "--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "record.json")]
    )


def test_the_command_writes_a_record_and_goes_on_where_it_stopped(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        experiment.data, "load_or_default", lambda name: synthetic(num_train=120, num_test=20, seed=2)
    )
    assert experiment.run(arguments) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["scale"].startswith("100 training and 20 test images of ")
    assert record["scale"].endswith("1 epochs, 2 seeds, each kind at its best rate of 0.001, 0.003")
    for entry in record["results"].values():
        assert len(entry["runs"]) == len(entry["search"]) == 2
    assert record["config"]["num_train"] == 100 and record["seeds"] == [0, 1]
    printed = capsys.readouterr().out
    assert "lrn        rate 0.00" in printed and "lrn against none: " in printed

    monkeypatch.setattr(experiment, "run_trial", lambda *_: pytest.fail("a finished run was repeated"))
    assert experiment.run(arguments) == 0
    assert json.loads((tmp_path / "record.json").read_text()) == record

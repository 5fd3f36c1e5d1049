"""The experiment's arithmetic, its search, and that finished runs are kept."""

import argparse
import json
import math
from dataclasses import replace

import pytest
import torch

from alexnet.cli.experiment import add_options
from alexnet.data import synthetic
from alexnet.experiments import learning_curves, runs
from alexnet.experiments import relu_vs_tanh as experiment
from alexnet.experiments.learning_curves import (
    WINDOWS_PER_EPOCH,
    Run,
    RunConfig,
    epochs_to,
    prepare,
    run_once,
)

TINY = RunConfig(
    unit="relu", setup=experiment.SETUPS["scaled"], rate=0.01, seed=0, max_epochs=2, channels=(4, 4, 4)
)


@pytest.fixture(scope="module")
def examples():
    """Images that are easy to tell apart: each class has a colour of its own under noise."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.randint(0, 10, (640,), generator=generator)
    colours = torch.randint(0, 256, (10, 3, 1, 1), generator=generator)
    noise = torch.randint(-40, 41, (640, 3, 32, 32), generator=generator)
    return (colours[labels] + noise).clamp(0, 255).to(torch.uint8), labels


def run_of(errors, width=0.25):
    epochs = [width * (i + 0.5) for i in range(len(errors))]
    return Run(epochs=epochs, errors=errors, diverged=False, seconds=1.0)


def test_the_crossing_lies_on_the_straight_line_between_windows():
    run = run_of([0.8, 0.5, 0.3, 0.2])  # windows at 0.125, 0.375, 0.625, 0.875
    assert epochs_to(run, 0.25) == pytest.approx(0.75)
    assert epochs_to(run, 0.3) == pytest.approx(0.625)
    assert epochs_to(run, 0.35) == pytest.approx(0.375 + 0.25 * 0.75)


def test_errors_are_averaged_over_windows_first():
    # Means of two: 0.7 at 0.25, 0.5 at 0.5, 0.3 at 0.75.
    assert epochs_to(run_of([0.8, 0.6, 0.4, 0.2]), 0.4, windows=2) == pytest.approx(0.625)
    assert epochs_to(run_of([0.8, 0.2]), 0.4, windows=4) == math.inf


def test_the_first_crossing_counts_and_none_is_infinite():
    assert epochs_to(run_of([0.8, 0.2, 0.6, 0.2]), 0.5) == pytest.approx(0.25)
    assert epochs_to(run_of([0.8, 0.7]), 0.25) == math.inf
    assert epochs_to(run_of([]), 0.25) == math.inf
    assert epochs_to(run_of([0.1]), 0.25) == 0.125


def test_prepared_images_have_mean_zero_and_unit_variance(examples):
    images, _ = examples
    mean, factor = prepare(images, "unit")
    scaled = (images.double() - mean) * factor
    assert scaled.mean().item() == pytest.approx(0, abs=1e-5)
    assert scaled.var(correction=0).item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(mean.double(), images.double().mean(0), rtol=1e-6, atol=1e-4)
    assert prepare(images, "raw")[1] == 1.0


def test_a_run_learns_and_its_windows_are_quarter_epochs(examples):
    run = run_once(replace(TINY, channels=(8, 8, 8), batch_size=15, max_epochs=4), *examples)[0]
    # 43 batches an epoch make windows of 11: their middles lie 11/43 of an epoch apart.
    assert run.epochs[:3] == pytest.approx([5.5 / 43, 16.5 / 43, 27.5 / 43])
    assert min(run.errors) < run.errors[0] - 0.2, run.errors  # far less than any seed gains
    assert all(0 <= error <= 1 for error in run.errors) and not run.diverged


def test_the_same_seed_gives_the_same_run_and_another_seed_another(examples):
    first, again, other = (run_once(replace(TINY, seed=seed), *examples)[0].errors for seed in (0, 0, 1))
    assert first == again != other


def test_a_run_stops_at_its_error_and_a_diverging_one_at_once(examples):
    assert len(run_once(replace(TINY, stop_error=1.0), *examples)[0].errors) == 1
    hot = run_once(replace(TINY, rate=1e6, max_epochs=50), *examples)[0]
    assert hot.diverged and len(hot.errors) < 10


def test_a_hopeless_run_is_given_up():
    config = replace(TINY, hopeless_epoch=3, hopeless_error=0.6)
    assert learning_curves.is_over(config, 3.1, 0.61) and not learning_curves.is_over(config, 2.9, 0.61)
    assert not learning_curves.is_over(config, 3.1, 0.59) and learning_curves.is_over(config, 1, 0.25)


def test_rates_lie_on_one_grid_wherever_the_search_begins():
    assert [runs.rate_at(0.01, k) for k in (-1, 0, 1, 2)] == [0.00316, 0.01, 0.0316, 0.1]
    assert [runs.rate_at(0.00316, k) for k in (0, 1)] == [0.00316, 0.01]


class Landscape(runs.Laboratory):
    """Runs that are looked up in a table, rate to (epochs to 25%, error at the end), and counted."""

    def __init__(self, table, max_epochs=60):
        super().__init__(None, None, None, replace(TINY, max_epochs=max_epochs))
        self.table, self.asked = table, []

    def run(self, *, rate, max_epochs, **_):
        self.asked.append((rate, max_epochs))
        epochs, error = self.table.get(rate, (math.inf, 0.9))
        if epochs > max_epochs:
            return run_of([error])
        return Run(epochs=[epochs], errors=[0.25], diverged=False, seconds=1.0)

    def search(self):
        return self.search_rate("tanh", experiment.SETUPS["scaled"], 0.01, 0.25)


def test_the_search_climbs_to_the_best_rate_and_caps_the_others():
    epochs = {0.00316: 50, 0.01: 20, 0.0316: 12, 0.1: 9, 0.316: 30}
    bench = Landscape({rate: (e, 0.4) for rate, e in epochs.items()})
    found = bench.search()
    assert min(found, key=found.__getitem__) == 0.1
    assert found[0.1] == (9, 0.25) and found[0.316] == (math.inf, 0.4)
    assert list(found) == sorted(found)
    assert bench.asked == [(0.01, 60), (0.0316, 20), (0.1, 12), (0.316, 9)]


def test_the_search_looks_at_both_neighbours_of_the_best():
    bench = Landscape({0.01: (10, 0.4), 0.0316: (12, 0.4), 0.00316: (11, 0.4)})
    assert set(bench.search()) == {0.00316, 0.01, 0.0316}


def test_without_success_the_lowest_error_leads():
    bench = Landscape({0.01: (math.inf, 0.45), 0.0316: (math.inf, 0.4), 0.1: (math.inf, 0.5)}, max_epochs=5)
    found = bench.search()
    assert min(found, key=found.__getitem__) == 0.0316 and set(found) == {0.01, 0.0316, 0.1}


def test_hopeless_rates_do_not_lead_the_search_away():
    bench = Landscape({0.01: (math.inf, 0.91), 0.0316: (math.inf, 0.90), 0.00316: (math.inf, 0.4)})
    assert min(bench.search().items(), key=lambda item: item[1])[0] == 0.00316


def test_rates_that_learn_slowly_lead_on_to_a_better_one():
    slow = {
        0.01: (math.inf, 0.9),
        0.00316: (math.inf, 0.66),
        0.001: (math.inf, 0.59),
        0.000316: (math.inf, 0.7),
    }
    found = Landscape(slow, max_epochs=10).search()
    assert min(found, key=found.__getitem__) == 0.001 and min(found) == 0.000316


def test_the_search_goes_on_past_rates_that_fail():
    bench = Landscape({0.01: (math.inf, 0.8), 0.0316: (math.inf, 0.45), 0.1: (8, 0.4)})
    found = bench.search()
    assert min(found, key=found.__getitem__) == 0.1 and 0.316 in found


def recorded(*crossings):
    """Runs whose errors fall by 0.1 an epoch, averaged over an epoch, through 0.25 at the given epochs."""
    width = 1 / WINDOWS_PER_EPOCH
    epochs = [width * (i + 0.5) for i in range(60)]
    return [
        {"epochs": epochs, "errors": [0.25 - 0.1 * (e - crossing) for e in epochs], "seconds": 1.0}
        for crossing in crossings
    ]


RESULTS = {
    "scaled": {
        "relu": {"rate": 0.01, "runs": recorded(4.0, 6.0)},
        "tanh": {"rate": 0.01, "runs": recorded(9.0, 12.0)},
        "sigmoid": {"rate": 0.01, "runs": []},
    }
}


def test_the_ratio_is_of_the_means_with_its_extremes():
    got = experiment.ratio(RESULTS, "scaled")
    assert got == pytest.approx({"mean": 10.5 / 5, "low": 9 / 6, "high": 12 / 4})
    later = experiment.ratio(RESULTS, "scaled", target=0.15)  # one epoch after
    assert later == pytest.approx({"mean": 11.5 / 6, "low": 10 / 7, "high": 13 / 5})


def test_ratios_by_target_leave_out_what_was_not_reached():
    got = experiment.ratios_by_target(RESULTS, "scaled", [0.25, 0.15, -99.0])
    assert [target for target, _ in got] == [0.25, 0.15]
    assert got[0][1] == experiment.ratio(RESULTS, "scaled")


def test_a_unit_that_did_not_arrive_has_no_ratio():
    with pytest.raises(ValueError, match="sigmoid did not reach 25% in every run"):
        experiment.ratio(RESULTS, "scaled", slow="sigmoid")


@pytest.fixture
def arguments(tmp_path):
    parser = argparse.ArgumentParser()
    add_options(parser, experiment)
    words = [
        "--setups",
        "scaled",
        "--units",
        "relu",
        "tanh",
        "--seeds",
        "0",
        "1",
        "--max-epochs",
        "1",
        "--device",
        "cpu",
    ]
    return parser.parse_args(
        [*words, "--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "record.json")]
    )


def test_the_command_writes_a_record_and_goes_on_where_it_stopped(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        experiment.data, "load_or_default", lambda name: synthetic(num_train=128, num_test=10, seed=2)
    )
    monkeypatch.setattr(experiment, "TARGET", 0.95)
    assert experiment.run(arguments) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    assert "default" in record["scale"] and record["seeds"] == [0, 1]
    assert {unit: len(entry["runs"]) for unit, entry in record["results"]["scaled"].items()} == {
        "relu": 2,
        "tanh": 2,
    }
    assert "tanh / ReLU" in capsys.readouterr().out

    monkeypatch.setattr(runs, "run_once", lambda *_: pytest.fail("a finished run was repeated"))
    assert experiment.run(arguments) == 0
    assert json.loads((tmp_path / "record.json").read_text()) == record

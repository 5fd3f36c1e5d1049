"""The chapters' tables of an experiment's arms."""

import math
from dataclasses import replace

import pytest

from alexnet.experiments import EXPERIMENTS, arm_tables
from alexnet.experiments.finished import Finished
from alexnet.experiments.search import SEARCH_SEED, Found
from alexnet.experiments.trial import Outcome


def make_found(*errors, rate=0.01, settled=True):
    runs = {}
    for seed, error in enumerate(errors):
        numbers = {"train_error": error / 2, "train_loss": 0.5, "error": error, "loss": 1.0, "seconds": 120.0}
        runs[seed] = Outcome(errors=[0.5], losses=[2 + error] * 2, epochs=1.0, **numbers)
    return Found(scores={rate: (0.3, 1.0)}, settled=settled, rate=rate, runs=runs)


def tabulate(tiny, found, arms, **changes):
    options = {"over": "relu", "measures": ("train_error", "error")} | changes
    return arm_tables.tabulate_found(tiny("relu", "tanh"), found, arms, **options).split("\n")


def test_a_row_has_ranges_and_the_difference_over_seeds(tiny):
    found = {"relu": make_found(0.30, 0.32), "tanh": make_found(0.33, 0.34, 0.9, rate=0.0316)}
    lines = tabulate(tiny, found, ["relu", "tanh"])
    assert lines[0] == "| arm | learning rate | training error | test error | test error against *relu* |"
    assert lines[1].count("---") == lines[0].count("|") - 1
    assert lines[2] == "| *relu*: the arm relu | 0.01 | 15.0% to 16.0% | 30.0% to 32.0% |  |"
    start = "| *tanh*: the arm tanh | 0.0316 | 16.5% to 45.0% | 33.0% to 90.0% | "
    assert lines[3] == start + "higher by 2.5 points [-3.9, +8.9] (2 seeds) |"  # of two seeds, not three
    scale = "100 images of CIFAR-10, 1 epochs, 2 to 3 seeds, every arm at its own learning rate; "
    assert lines[4] == "" and lines[5].startswith(
        scale + "2 minutes a training on one core. Each 95% interval "
    )


def test_the_note_says_where_fitting_the_images_leaves_no_choice_of_the_learning_rate(tiny):
    at = {rate: (score, 1.0) for rate, score in ((0.01, 0.3), (0.0316, math.inf))}
    scores = {"relu": at, "tanh": dict.fromkeys(at, (math.inf, 1.0)), "both": dict.fromkeys(at, (0.3, 1.0))}
    found = {arm: replace(make_found(0.3, 0.4), scores=tried) for arm, tried in scores.items()}
    experiment = replace(tiny(*scores), fit=0.1)
    options = {"over": "relu", "measures": ("error",)}

    def note(*arms):
        return arm_tables.tabulate_found(experiment, found, arms, **options).split("\n")[-1]

    one = "the only one tried at which it fits its images"
    none = "fitting its images at none of those tried, the one of the lowest training loss"
    assert f"every arm at its own learning rate ({one}: *relu*; {none}: *tanh*); 2 minutes" in note(*scores)
    assert f"learning rate ({one}); 2" in note("relu") and "own learning rate; 2 minutes" in note("both")
    assert "fits" not in tabulate(tiny, found, ["relu", "tanh"])[-1]  # any network counts there


def test_the_seeds_that_count_for_the_claims_stand_in_a_row(tiny):
    odd = [0.30, 0.31, 0.30, 0.32, 0.31, 0.9]  # the sixth seed is not yet looked at
    found = {"relu": make_found(*odd), "tanh": make_found(*odd[::-1], rate=0.0316)}
    lines = tabulate(tiny, found, ["relu", "tanh"])
    assert "| 30.0% to 32.0% |  |" in lines[2]
    assert "| 30.0% to 90.0% | higher by 12.0 points" in lines[3]  # (0.9 - 0.3 + 0) / 5
    assert "1 epochs, 5 seeds, every" in lines[-1]


@pytest.mark.parametrize(
    ("measure", "cells"),
    [
        ("gap", "| 16.5% to 17.0% | higher by 1.5 points"),
        ("course_loss", "| 2.330 to 2.340 | higher by 0.025 nats"),
    ],
)
def test_the_last_measure_is_compared(tiny, measure, cells):
    found = {"relu": make_found(0.30, 0.31), "tanh": make_found(0.33, 0.34)}
    if measure == "course_loss":
        found["relu"] = make_found(0.30, 0.32)
    assert cells in tabulate(tiny, found, ["tanh"], measures=("error", measure))[2]


@pytest.mark.parametrize(
    "lacking", [{}, {"tanh": make_found(0.3)}, {"tanh": make_found(0.3, 0.3, settled=False)}]
)
def test_arms_that_are_not_trained_are_named_with_the_command(tiny, lacking):
    lines = tabulate(tiny, {"relu": make_found(0.30, 0.32)} | lacking, ["tanh", "relu"])
    assert len(lines) == 5 and lines[2].startswith("| *relu*")
    said = "Not trained yet: *{}*. `alexnet experiment tiny --arms {}` does so."
    assert lines[-1].endswith(" " + said.format("tanh", "relu tanh"))
    assert tabulate(tiny, {}, ["relu"])[2:] == ["", said.format("relu", "relu")]


def test_the_packages_trials_are_tabulated():
    table = arm_tables.tabulate("parts", ["base", "long"])
    base = EXPERIMENTS["parts"].arms["base"]
    assert f"| *base*: {base.about} | 0.01 |" in table


def test_the_searches_of_the_packages_arms_are_tabulated():
    found = arm_tables.package_arms("parts")["base"]
    lines = arm_tables.tabulate_search("parts", ["base"]).split("\n")
    assert len(lines) == 2 + len(found.scores)
    (best,) = [line for line in lines if f"| {found.rate:g} |" in line]
    assert best.endswith(f" {found.scores[found.rate][0]:.1%} |")  # the error that the search compares
    search = EXPERIMENTS["parts"].trial("base", rate=found.rate, seed=SEARCH_SEED, split="held-out")
    trained = Finished.of_package("parts").find(search).train_error
    assert best.split(" | ")[2] == f"{trained:.1%}" != best.split(" | ")[3].rstrip(" |")


def test_the_minutes_are_those_of_a_training_in_the_mean(tiny):
    found = {"relu": make_found(0.30, 0.32), "tanh": make_found(0.33, 0.34, 0.35)}
    for seed, seconds in enumerate((60.0, 90.0, 75.0)):
        found["tanh"].runs[seed] = replace(found["tanh"].runs[seed], seconds=seconds)
    assert "; 2 minutes a training" in tabulate(tiny, found, ["relu", "tanh"])[-1]  # 93 seconds
    assert "; 1 minute a training" in tabulate(tiny, found, ["tanh"])[-1]


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [  # Student's t for 95%: 12.706 with two values, 4.303 with three, 2.776 with five
        ([0.022, 0.020], "lower by 2.1 points [+0.8, +3.4] (2 seeds)"),
        ([-0.022, -0.020], "higher by 2.1 points [+0.8, +3.4] (2 seeds)"),
        ([0.02, -0.01, -0.04], "higher by 1.0 points [-6.5, +8.5] (3 seeds)"),
        ([0.01, 0.02, 0.03, 0.04, 0.05], "lower by 3.0 points [+1.0, +5.0]"),
        ([0.0, 0.0, 0.0001, 0.0, 0.0], "0.0 points apart [-0.0, +0.0]"),
        ([0.05], "fewer than two seeds"),
        ([], "fewer than two seeds"),
    ],
)
def test_an_effect_is_told_with_its_interval_and_too_few_seeds_are_named(effects, sentence):
    assert arm_tables.describe_effect(effects, "error") == sentence


def test_effects_in_a_loss_are_in_nats():
    assert (
        arm_tables.describe_effect([0.022, 0.020], "loss") == "lower by 0.021 nats [+0.008, +0.034] (2 seeds)"
    )


@pytest.mark.parametrize(("name", "arm"), [("relu-speed", "scaled/tanh"), ("dropout-speed", "with")])
def test_the_epochs_to_a_races_own_target_are_its_measure_and_easier_targets_come_sooner(name, arm):
    race, runs = EXPERIMENTS[name], arm_tables.package_arms(name)[arm].runs
    assert race.stop_error is not None
    at_the_end = arm_tables.epochs_to_target(name, arm, race.stop_error)
    assert at_the_end == [race.measure(runs[seed], "epochs") for seed in range(5)]
    sooner = arm_tables.epochs_to_target(name, arm, 0.5)
    assert all(0.5 < half < 0.7 * whole for half, whole in zip(sooner, at_the_end, strict=True))
    assert arm_tables.epochs_to_target(name, arm, 0.1) == [float("inf")] * 5


def test_the_epochs_to_a_target_are_of_the_seeds_that_count(monkeypatch):
    monkeypatch.setattr(arm_tables, "package_arms", lambda name: {"with": make_found(*[0.3] * 6)})
    assert len(arm_tables.epochs_to_target("dropout-speed", "with", 0.5)) == 5

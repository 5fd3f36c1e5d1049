"""The verdicts of races, and what a race is scored by."""

import math
from dataclasses import replace

import pytest

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.answers import answer, corrected, experiments_for
from alexnet.experiments.experiment import Comparison
from alexnet.experiments.search import Found


def arrived(outcome, *epochs):
    """What a race found: runs whose training error passes 25% after so many epochs, at every seed."""
    runs = {}
    for seed, end in enumerate(epochs):
        # Windows of one epoch, in whose middles the error falls by 0.01 an epoch.
        errors = [0.25 + 0.01 * (end - 0.5 - epoch) for epoch in range(60)]
        runs[seed] = outcome(errors=errors, epochs=60.0)
    return Found(scores={0.01: (10.0, 0.1)}, settled=True, rate=0.01, runs=runs)


@pytest.mark.parametrize(
    ("slow", "verdict"),
    [
        ([20.0, 22.0, 19.0, 21.0, 20.5], "supported"),
        ([4.0, 30.0, 7.0, 15.0, 9.9], "inconclusive"),  # as often faster as slower
        ([5.0, 5.5, 4.8, 5.2, 5.1], "contradicted"),
    ],
)
def test_a_race_is_judged_by_its_ratios_against_one(tiny, outcome, slow, verdict):
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = tiny("relu", "tanh", answers={"relu-speed": (asked,)}, num_train=10_000, stop_error=0.25)
    fast = [10.0, 10.4, 9.7, 10.1, 9.9]
    arms = {"relu": arrived(outcome, *fast), "tanh": arrived(outcome, *slow)}
    told = answer(race, arms, "relu-speed")
    mean = math.exp(sum(math.log(a / b) for a, b in zip(slow, fast, strict=True)) / 5)
    assert told is not None and told.verdict == verdict
    assert told.shown.startswith(f"{mean:.2f} [") and "times as many epochs" in told.shown
    assert (corrected(race, arms)[asked] < 0.05) == (verdict != "inconclusive")


@pytest.mark.parametrize(
    ("slow", "verdict"),
    [
        ([30.0, 33.0, 28.5, 31.5, 30.7], "supported"),
        ([20.0, 20.6, 19.6, 20.1, 19.7], "inconclusive"),
        ([14.0, 14.6, 13.6, 14.1, 13.9], "contradicted"),  # slower, and less than twice
    ],
)
def test_a_claim_of_several_times_is_judged_against_two(tiny, outcome, slow, verdict):
    asked = Comparison(better="relu", worse="tanh", measure="epochs", factor=2.0)
    race = tiny("relu", "tanh", answers={"relu-several": (asked,)}, num_train=10_000, stop_error=0.25)
    arms = {"relu": arrived(outcome, 10.0, 10.4, 9.7, 10.1, 9.9), "tanh": arrived(outcome, *slow)}
    told = answer(race, arms, "relu-several")
    assert told is not None and told.verdict == verdict
    assert (corrected(race, arms)[asked] < 0.019) == (verdict != "inconclusive")


def test_a_factor_is_not_judged_before_the_grid_is_fine(tiny, outcome):
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = tiny("relu", "tanh", answers={"relu-speed": (asked,)}, num_train=10_000, stop_error=0.25)
    slow = arrived(outcome, 20.0, 22.0, 19.0, 21.0, 20.5)
    arms = {"relu": arrived(outcome, 10.0, 10.4, 9.7, 10.1, 9.9), "tanh": replace(slow, refined=False)}
    told = answer(race, arms, "relu-speed")
    assert told is not None and told.verdict == "inconclusive"
    assert told.lacking == ["a finer grid of learning rates for tanh"]
    assert all(EXPERIMENTS[f"{name}-speed"].fine for name in ("relu", "dropout"))


def test_several_times_is_judged_by_other_setups_than_those_it_was_chosen_by():
    answers = EXPERIMENTS["relu-speed"].answers
    setups = [
        [asked.better.partition("/")[0] for asked in answers[f"relu-{id}"]] for id in ("speed", "several")
    ]
    assert setups == [["2012", "scaled"], ["2012-unit", "2012-conv1"]]
    assert {asked.factor for asked in answers["relu-several"]} == {2.0}


def test_a_search_by_the_course_of_the_loss_prefers_what_learns_first(tiny, outcome):
    slow = outcome(error=0.3, losses=[2.2, 1.2, 0.2])
    fast = outcome(error=0.5, losses=[1.5, 1.0, 0.8])
    assert tiny("relu").measure(fast, "course_loss") == pytest.approx(1.1)
    by = {name: tiny("relu", tuned_by=name) for name in ("error", "course_loss")}
    assert by["error"].score(slow) < by["error"].score(fast)
    assert by["course_loss"].score(fast) < by["course_loss"].score(slow)
    assert by["course_loss"].score(outcome(error=0.9, losses=[0.1]))[0] == math.inf  # learned nothing


def test_early_learning_is_the_base_for_a_tenth_of_its_epochs():
    known, parts = EXPERIMENTS["early-learning"], EXPERIMENTS["parts"]
    for name, of in (("biases-1", "base"), ("biases-0", "biases-0")):
        arm, long = known.arms[name], parts.arms[of]
        assert arm.net == long.net and (arm.learning.epochs, long.learning.epochs) == (3, 30)
        assert not arm.drops and long.drops[0] * long.learning.epochs > arm.learning.epochs
    assert known.tuned_by == known.answers["init"][0].measure == "course_loss"


def test_a_race_that_is_lost_is_scored_by_its_last_epoch(tiny, outcome):
    race = tiny("relu", windows=2, stop_error=0.25)
    assert race.score(outcome(errors=[0.9, 0.7, 0.5, 0.4])) == (math.inf, pytest.approx(0.45))
    assert race.score(outcome(errors=[0.9, 0.88, 0.86, 0.86])) == (math.inf, math.inf)
    assert race.score(outcome(errors=[0.5, 0.4, 0.2, 0.2]))[0] == pytest.approx(1.25)


def test_dropout_converges_within_epochs_around_twice_those_of_the_base():
    known, parts = EXPERIMENTS["dropout-convergence"], EXPERIMENTS["parts"]
    assert known.arms["without"].settings == parts.arms["base"].settings
    for prefix, length in (("", 30), ("long-", 60)):
        assert known.arms[f"{prefix}without"].learning.epochs == length
        for name, times in ((f"{prefix}with-1.5", 1.5), (f"{prefix}with-2.5", 2.5)):
            arm = known.arms[name]
            assert arm.learning.epochs == times * length
            assert arm.drops == parts.arms["base"].drops and arm.net == parts.arms["dropout"].net
    pairs = [(asked.better, asked.worse) for asked in known.answers["dropout-iterations"]]
    assert pairs == [
        ("without", "with-1.5"),
        ("with-2.5", "without"),
        ("long-without", "long-with-1.5"),
        ("long-with-2.5", "long-without"),
    ]
    measures = {asked.measure for asked in known.answers["dropout-iterations"]}
    assert measures == {known.tuned_by} == {"train_error"}
    order = [experiment.name for experiment in experiments_for("dropout-iterations")]
    assert order == ["dropout-convergence", "dropout-speed"]


def test_an_arm_with_a_part_of_the_images_takes_the_first_ones_for_as_many_steps():
    known = EXPERIMENTS["parts"]
    trials = [known.trial(name, rate=0.01, seed=0, split="test") for name in ("base", "half-images")]
    assert [trial.num_train for trial in trials] == [10_000, 5_000]
    assert [trial.num_train * trial.epochs for trial in trials] == [300_000, 300_000]
    assert (
        replace(known, num_train=300).trial("half-images", rate=0.01, seed=0, split="test").num_train == 150
    )

"""Schedules: the two logged ones against the notes, the plateau against its rule, and their names."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from alexnet import paper
from alexnet.config import SCHEDULES, LearningConfig
from alexnet.optim.schedule import (
    LATE,
    LOGGED,
    PlateauSchedule,
    Rates,
    apply_rates,
    constant,
    logged,
    num_stalls,
    schedule_for,
    stretched,
)
from alexnet.optim.sgd import GROUPS, PaperSGD, param_groups
from alexnet.recipes import CODE2012, PAPER
from references import optim as references_optim

# The notes of the two runs, in their own numbers: from which epoch on which rate held.
NOTES = {
    "logged-2012": {
        "weight_rate": [(0, 0.01), (25, 1e-3), (51, 1e-4), (79, 1e-5)],
        "conv1_rate": [(0, 0.01), (25, 1e-3), (51, 1e-4), (67, 1e-5), (72, 0.0)],
        "bias_rate": [(0, 0.02)],
        "colour_noise": [(0, True), (67, False)],
        "finished": [(0, False), (91, True)],
    },
    "logged-2010": {
        "weight_rate": [(0, 0.01), (23, 1e-3), (51, 1e-4), (78, 1e-5)],
        "conv1_rate": [(0, 0.01), (23, 1e-3), (51, 1e-4), (68, 1e-5), (72, 0.0)],
        "bias_rate": [(0, 0.02), (23, 0.002)],
        "colour_noise": [(0, True), (68, False)],
        "finished": [(0, False), (93, True)],
    },
}


SHORT = LOGGED | {"late": LATE}


def noted(name, epoch):
    return {
        what: [value for begin, value in values if begin <= epoch][-1] for what, values in NOTES[name].items()
    }


def check(rates, want):
    names = ("conv1_rate", "weight_rate", "bias_rate")
    assert [getattr(rates, n) for n in names] == pytest.approx([want[n] for n in names], rel=1e-12, abs=0)
    assert (rates.colour_noise, rates.finished) == (want["colour_noise"], want["finished"])


@pytest.mark.parametrize("name", NOTES)
def test_the_logged_schedules_are_those_of_the_notes(name):
    schedule = logged(name, rate=0.01, bias_rate=0.02)
    for epoch in (*range(100), *(n - 1e-6 for n in range(1, 100)), *(n + 0.5 for n in range(100))):
        check(schedule.rates(epoch), noted(name, epoch))


@pytest.mark.parametrize("name", NOTES)
def test_the_weights_are_cut_as_often_as_the_paper_says(name):
    rates = sorted({stage.weight_cuts for stage in LOGGED[name].stages})
    assert rates == list(range(paper.LEARNING_RATE_DROPS + 1))
    assert LOGGED[name].num_epochs == pytest.approx(paper.NUM_EPOCHS, abs=3)


@pytest.mark.parametrize("num_epochs", [0.7, 9.3, 91, 400])
def test_a_stretched_schedule_does_the_same_at_the_same_share_of_its_length(num_epochs):
    whole = logged("logged-2012", rate=0.3, bias_rate=0.7)
    other = stretched(whole, num_epochs)
    for epoch in np.arange(0, 100, 0.37):
        assert other.rates(epoch * num_epochs / 91) == whole.rates(epoch)
    assert other.rates(num_epochs).finished and not other.rates(num_epochs * 0.999).finished


@pytest.mark.parametrize("name", SHORT)
def test_a_stretched_schedule_changes_at_the_first_step_that_is_far_enough(name):
    schedule = SHORT[name]
    for num_epochs, steps_per_epoch in [(4, 91), (45, 31), (70, 13), (93, 5), (100, 455)]:
        stages = stretched(schedule, num_epochs).stages
        for stage, other in zip(schedule.stages, stages, strict=True):
            first = math.ceil(Fraction(stage.epoch * num_epochs * steps_per_epoch, schedule.num_epochs))
            assert (first - 1) / steps_per_epoch < other.epoch <= first / steps_per_epoch


def test_a_schedule_stretched_to_its_own_length_is_the_same():
    for schedule in LOGGED.values():
        assert stretched(schedule, schedule.num_epochs) == schedule


def test_a_constant_schedule_changes_nothing_until_the_end():
    schedule = constant(rate=0.3, bias_rate=0.6, num_epochs=2.5)
    always = Rates(conv1_rate=0.3, weight_rate=0.3, bias_rate=0.6)
    assert schedule.rates(0) == schedule.rates(2.49, [0.5] * 99) == always
    assert schedule.rates(2.5).finished


def test_the_plateau_by_hand():
    schedule = PlateauSchedule(patience=2, threshold=0.01, num_epochs=90, rate=0.01, bias_rate=0.02)
    steps = [  # validation error, then the rate of weights divided by
        (0.9, 1),
        (0.8, 1),
        (0.795, 1),  # gains less than the threshold
        (0.791, 10),  # and again: stalled
        (0.793, 10),
        (0.78, 10),  # a new lowest
        (0.79, 10),
        (0.79, 100),
        (0.80, 100),
        (0.81, 1000),
        (0.70, 1000),
        (0.71, 1000),
        (0.72, None),  # the fourth stall ends it
    ]
    for count, (_, divisor) in enumerate(steps, start=1):
        rates = schedule.rates(count, [error for error, _ in steps[:count]])
        assert rates.finished == (divisor is None)
        divisor = divisor or 1000
        assert rates.weight_rate == rates.conv1_rate == pytest.approx(0.01 / divisor, rel=1e-12)
        assert rates.bias_rate == pytest.approx(0.02 / divisor, rel=1e-12)
        assert rates.colour_noise
    assert schedule.rates(0, []) == Rates(conv1_rate=0.01, weight_rate=0.01, bias_rate=0.02)


@pytest.mark.parametrize("threshold", [0.0, 2 / 64])
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_stalls_are_those_of_the_rule(patience, threshold):
    for seed in range(30):
        random = np.random.default_rng(seed)
        # Falling to a floor, noisy, in steps of 1 / 64, so that many gains are the threshold itself.
        errors = (np.maximum(55 * 0.9 ** np.arange(60), 9) + random.integers(0, 8, 60)) // 1 / 64
        stalls = references_optim.stalls_by_the_rule(errors.tolist(), patience, threshold)
        assert stalls
        for count in range(61):
            want = sum(number < count for number in stalls)
            assert num_stalls(errors[:count], patience=patience, threshold=threshold) == want


def test_the_plateau_ends_at_its_limit():
    schedule = PlateauSchedule(patience=2, num_epochs=3)
    falling = [0.9, 0.8, 0.7]
    assert not schedule.rates(2.99, falling).finished and schedule.rates(3, falling).finished


def test_an_error_that_is_no_number_is_no_gain():
    nan = float("nan")
    assert num_stalls([0.5, nan, nan], patience=2, threshold=0.0) == 1
    assert num_stalls([nan, 0.5, 0.6], patience=2, threshold=0.0) == 0


def test_every_name_of_a_recipe_has_its_schedule():
    for name in SCHEDULES:
        learning = LearningConfig(
            schedule=name, rate=0.3, bias_rate_factor=2.0, epochs=4.0, plateau_patience=3
        )
        schedule = schedule_for(learning)
        assert schedule.rates(0) == Rates(conv1_rate=0.3, weight_rate=0.3, bias_rate=0.6)
        assert schedule.num_epochs == 4.0 and schedule.rates(4).finished
    assert schedule_for(LearningConfig(schedule="plateau", plateau_patience=3)).patience == 3


def test_the_late_schedule_cuts_all_rates_at_60_80_and_93_percent():
    schedule = schedule_for(LearningConfig(schedule="late", rate=0.01, bias_rate_factor=2.0, epochs=50))
    for epoch, divisor in [(0, 1), (29.9, 1), (30, 10), (39.9, 10), (40, 100), (46.4, 100), (46.6, 1000)]:
        rates = schedule.rates(epoch)
        assert (rates.weight_rate, rates.conv1_rate) == pytest.approx((0.01 / divisor,) * 2, rel=1e-12)
        assert rates.bias_rate == pytest.approx(0.02 / divisor, rel=1e-12) and rates.colour_noise
    assert not schedule.rates(49.9).finished and schedule.rates(50).finished


def test_the_recipes_schedules():
    assert isinstance(schedule_for(PAPER.learning), PlateauSchedule)
    schedule = schedule_for(CODE2012.learning)
    assert schedule == stretched(logged("logged-2012", rate=0.01, bias_rate=0.02), CODE2012.learning.epochs)
    assert schedule.rates(89).weight_rate == pytest.approx(1e-5) and schedule.rates(89).bias_rate == 0.02


def test_rates_reach_the_groups_of_an_optimizer():
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(1, 1, 1))
    net.add_module("fc8", nn.Linear(1, 1))
    optimizer = PaperSGD(param_groups(net, PAPER.learning))
    apply_rates(optimizer, Rates(conv1_rate=0.1, weight_rate=0.2, bias_rate=0.3))
    assert {g["name"]: g["lr"] for g in optimizer.param_groups} == dict(
        zip(GROUPS, (0.1, 0.3, 0.2, 0.3), strict=True)
    )
    apply_rates(optimizer, Rates(conv1_rate=0.0, weight_rate=0.2, bias_rate=0.3))  # frozen, biases and all
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0, 0.2, 0.3]
    unnamed = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="must be one of conv1.weight, conv1.bias, weight, bias; got None"):
        apply_rates(unnamed, schedule_for(PAPER.learning).rates(0))


MISTAKES = {
    "num_epochs must be positive, got 0": lambda: stretched(LOGGED["logged-2012"], 0),
    "num_epochs must be positive, got nan": lambda: stretched(LOGGED["logged-2012"], float("nan")),
    "patience must be at least 1 validation, got 0": lambda: PlateauSchedule(patience=0, num_epochs=9),
    "threshold must not be negative, got -0.1": lambda: PlateauSchedule(
        patience=1, num_epochs=9, threshold=-0.1
    ),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        MISTAKES[sentence]()


def test_a_gain_of_a_thousandth_is_none_where_no_threshold_is_named():
    schedule = PlateauSchedule(patience=1, num_epochs=90, rate=0.01)
    rates = {error: schedule.rates(2, [0.5, error]).weight_rate for error in (0.4985, 0.4995)}
    assert rates == {0.4985: 0.01, 0.4995: pytest.approx(0.001)}

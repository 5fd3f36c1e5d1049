"""One trial: what it trains on, how it ends, what it measures."""

import math
from dataclasses import replace

import pytest
import torch

from alexnet.config import LearningConfig
from alexnet.experiments import trial as module
from alexnet.experiments.arms import Arm, FourLayerConfig
from alexnet.experiments.parts import ARMS
from alexnet.experiments.trial import Curve, Trial, epochs_to, parts, run_trial
from alexnet.optim.step import StepResult

ARM = Arm(
    about="",
    net=FourLayerConfig(initialisation="2012", channels=(8, 8, 8), normalisation="batch"),
    learning=LearningConfig(schedule="constant", epochs=5, batch_size=15, weight_decay=0.0),
)
ONE = Trial(arm="one", of=ARM, rate=0.01, seed=0, num_train=300)


def with_learning(trial, **changes):
    return replace(trial, of=replace(trial.of, learning=replace(trial.of.learning, **changes)))


def test_the_crossing_lies_on_the_straight_line_between_windows():
    errors = [0.8, 0.5, 0.3, 0.2]  # of one epoch each, in their middles
    assert epochs_to(errors, 0.25, windows=1) == pytest.approx(3.0)
    assert epochs_to(errors, 0.3, windows=1) == pytest.approx(2.5)
    assert epochs_to(errors, 0.35, windows=1) == pytest.approx(1.5 + 0.75)


def test_errors_are_averaged_over_an_epoch_first():
    # Means of two windows, half an epoch apart: 0.7 at 0.5, 0.5 at 1, 0.3 at 1.5.
    assert epochs_to([0.8, 0.6, 0.4, 0.2], 0.4, windows=2) == pytest.approx(1.25)
    assert epochs_to([0.8, 0.2], 0.4, windows=4) == math.inf


def test_the_first_crossing_counts_and_none_is_infinite():
    assert epochs_to([0.8, 0.2, 0.6, 0.2], 0.5, windows=1) == pytest.approx(1.0)
    assert epochs_to([0.8, 0.7], 0.25, windows=1) == epochs_to([], 0.25, windows=1) == math.inf
    assert epochs_to([0.1], 0.25, windows=1) == 0.5


@pytest.mark.slow
def test_a_trial_learns_is_judged_by_the_test_images_and_repeats(examples):
    images, labels = examples
    outcome, net = run_trial(ONE, examples, (images[300:], labels[300:]))
    assert outcome.errors[-1] < outcome.errors[0] and outcome.error < 0.5, outcome
    assert len(outcome.errors) == len(outcome.losses) == 5 == outcome.epochs and not net.training
    wrong = (images[300:], (labels[300:] + 1) % 10)
    again, _ = run_trial(ONE, examples, wrong)
    assert (again.errors, again.losses, again.train_error, again.train_loss) == (
        outcome.errors,
        outcome.losses,
        outcome.train_error,
        outcome.train_loss,
    )
    assert again.error > outcome.error + 0.1 and again.loss > outcome.loss
    short = with_learning(ONE, epochs=1)
    one, other = (run_trial(replace(short, seed=n), examples, wrong)[0] for n in (0, 1))
    assert one.losses != other.losses


def test_arms_of_a_seed_see_the_same_images_in_the_same_order(examples, monkeypatch):
    seen = []
    step = module.train_step
    monkeypatch.setattr(module, "train_step", lambda net, opt, x, y: seen.append(y) or step(net, opt, x, y))
    for name, seed in (("base", 3), ("half", 3), ("colour", 3), ("base", 4)):  # colour draws crops and shifts
        arm = replace(ARMS[name], learning=replace(ARMS[name].learning, epochs=2, batch_size=30))
        run_trial(Trial(arm=name, of=arm, rate=0.001, seed=seed, num_train=60), examples, examples)
    base, half, colour, other = (torch.cat(seen[start : start + 4]) for start in range(0, 16, 4))
    assert len(seen) == 16 and torch.equal(base, half) and torch.equal(base, colour)
    assert not torch.equal(base, other)


def test_masks_are_those_of_the_seed(examples, monkeypatch):
    seen, draw = [], Arm.draw_masks

    def drawn(*args):
        masks = draw(*args)
        seen.append(torch.cat([mask.flatten() for mask in masks["masks"].values()]))
        return masks

    monkeypatch.setattr(Arm, "draw_masks", drawn)
    arm = replace(ARMS["dropout"], learning=replace(ARMS["dropout"].learning, epochs=1, batch_size=20))
    for seed in (3, 3, 4):
        trial = Trial(arm="dropout", of=arm, rate=0.001, seed=seed, num_train=20)
        run_trial(trial, examples, examples)
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])


def test_images_beyond_those_of_the_trial_change_nothing(examples):
    """Neither the statistics by which images become inputs, nor what is measured of the training images."""
    images, labels = examples
    others = torch.cat([images[:60], 255 - images[60:]])
    short, test = replace(with_learning(ONE, epochs=1), num_train=60), (images[60:120], labels[60:120])
    one, same = (run_trial(short, (some, labels), test)[0] for some in (images, others))
    assert replace(one, seconds=0.0) == replace(same, seconds=0.0)


def test_the_first_training_images_are_measured_with_the_dead_kernels_and_all_that_judge(
    examples, monkeypatch
):
    images, labels = examples
    measured, count = [], module.count
    monkeypatch.setattr(module, "MOST_HELD_OUT", 40)
    monkeypatch.setattr(module, "count", lambda *args: measured.append(args[2]) or count(*args))
    monkeypatch.setattr(module, "fractions_dead", lambda net, batches: measured.append(torch.cat([*batches])))
    short = replace(with_learning(ONE, epochs=1), num_train=60)
    run_trial(short, examples, (images[100:150], labels[100:150]))
    of_training, of_test, for_dead = measured
    assert torch.equal(of_training, images[:40]) and torch.equal(of_test, images[100:150])
    assert torch.equal(for_dead, module.make_inputs(ARM, images[:60]).evaluation(images[:40]))


def test_a_window_weighs_its_batches_by_their_images_and_a_part_of_an_epoch_ends_after_the_step_begun():
    curve = module.Curve(with_learning(ONE, epochs=0.5, batch_size=10), 30)  # a step and a half
    for images, loss in ((10, 1.0), (5, 4.0)):
        assert not curve.ended
        curve.add(StepResult(torch.tensor(loss), torch.tensor(3), images))
    assert curve.ended and curve.losses == [(10 * 1.0 + 5 * 4.0) / 15] and curve.errors == [6 / 15]


def test_the_rate_drops_after_the_parts_that_the_arm_names(examples, monkeypatch):
    rates = []
    step = module.train_step

    def watched(net, optimizer, x, y):
        rates.append({group["name"]: group["lr"] for group in optimizer.param_groups})
        return step(net, optimizer, x, y)

    monkeypatch.setattr(module, "train_step", watched)
    arm = replace(ARM, drops=(0.5, 0.75), learning=replace(ARM.learning, epochs=4, bias_rate_factor=2.0))
    run_trial(replace(ONE, of=arm, num_train=30), examples, examples)
    assert [r["weight"] for r in rates] == pytest.approx([0.01] * 4 + [0.001] * 2 + [0.0001] * 2)
    assert all(r["bias"] == pytest.approx(2 * r["weight"]) for r in rates)


@pytest.mark.slow
def test_windows_divide_every_epoch_also_where_its_steps_do_not(examples):
    trial = replace(with_learning(ONE, epochs=2, batch_size=15), windows=4)
    seen = []
    outcome, _ = run_trial(trial, examples, examples, on_step=seen.append)
    assert len(outcome.errors) == 8  # 20 steps an epoch: five a window
    assert seen == pytest.approx([i / 20 for i in range(1, 41)])
    odd, _ = run_trial(replace(trial, num_train=255), examples, examples)  # 17 steps: 5, 4, 4, 4
    assert len(odd.errors) == 8


def test_few_steps_have_as_many_windows_or_are_refused():
    trial = replace(with_learning(ONE, epochs=2, batch_size=10), windows=4)
    for steps, ends in ((9, [3, 5, 7, 9]), (6, [2, 3, 5, 6]), (5, [2, 3, 4, 5]), (4, [1, 2, 3, 4])):
        curve, seen = module.Curve(trial, 10 * steps), []
        for _ in range(steps):
            curve.add(StepResult(torch.tensor(1.0), torch.tensor(5), 10))
            seen.append(len(curve.errors))
        assert [seen.index(n) + 1 for n in range(1, 5)] == ends and curve.errors == [0.5] * 4
    with pytest.raises(ValueError, match="30 training images make 3 steps of 10 an epoch, in which 4 errors"):
        module.Curve(trial, 30)


@pytest.mark.slow
def test_a_race_ends_where_it_arrives_and_where_it_never_will(examples, monkeypatch):
    race = replace(ONE, windows=2, stop_error=0.99)
    assert run_trial(race, examples, examples)[0].epochs == 1  # the first mean over an epoch
    monkeypatch.setattr(module, "HOPELESS_EPOCH", 1)
    monkeypatch.setattr(module, "HOPELESS_ERROR", 0.0)
    assert run_trial(replace(race, stop_error=0.0), examples, examples)[0].epochs == 1.5


def test_dead_kernels_are_counted_at_the_end(examples):
    outcome, _ = run_trial(with_learning(ONE, epochs=1), examples, examples)
    assert len(outcome.dead) == 3 and all(0 <= dead < 0.5 for dead in outcome.dead)
    wild = replace(with_learning(ONE, epochs=3), rate=1.0)
    net = FourLayerConfig(initialisation="scaled", channels=(8, 8, 8))
    wild = replace(wild, of=replace(wild.of, net=net, unit_variance=True))
    assert max(run_trial(wild, examples, examples)[0].dead) > 0.5


def test_a_diverging_trial_ends_and_gets_nothing_right(examples):
    plain = replace(ARM, net=replace(ARM.net, normalisation="none"))
    outcome, _ = run_trial(replace(ONE, of=plain, rate=1e9), examples, examples)
    assert outcome.epochs < 5 and outcome.error == 1


def test_held_out_images_come_after_those_that_are_trained_on(examples):
    images, labels = examples
    trial = replace(ONE, split="held-out")
    (trained, truth), (held, held_truth) = parts(trial, examples, (images[:0], labels[:0]))
    assert torch.equal(trained, images[:300]) and torch.equal(truth, labels[:300])
    assert torch.equal(held, images[300:]) and torch.equal(held_truth, labels[300:])
    assert torch.equal(parts(ONE, examples, (images[:7], labels[:7]))[1][0], images[:7])


def test_many_held_out_images_are_the_last_ones(examples, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD_OUT", 60)
    assert torch.equal(parts(replace(ONE, split="held-out"), examples, examples)[1][0], examples[0][340:])


@pytest.mark.parametrize(
    ("num_train", "split", "sentence"),
    [
        (401, "test", "401 training images are asked for, there are 400; .*`--train-size 400`"),
        (380, "held-out", "380 training images are asked for, with 38 more to .*, there are 400; .* 360`"),
    ],
)
def test_too_many_images_are_refused(examples, num_train, split, sentence):
    with pytest.raises(ValueError, match=sentence):
        parts(replace(ONE, num_train=num_train, split=split), examples, examples)


def test_a_trial_may_take_every_image_that_there_is(examples):
    images, _ = examples
    assert len(parts(replace(ONE, num_train=400), examples, examples)[0][0]) == 400
    (trained, _), (held, _) = parts(replace(ONE, num_train=364, split="held-out"), examples, examples)
    assert torch.equal(torch.cat([trained, held]), images)  # a tenth more is 36


def test_images_that_are_all_alike_are_refused_where_their_variance_divides_them(examples):
    images, labels = examples
    one = replace(ONE, of=replace(ARM, unit_variance=True), num_train=1)
    with pytest.raises(ValueError, match="training images are all alike, .* take more of them with `--train"):
        run_trial(one, (images, labels), (images, labels))


def test_a_race_counts_its_errors_without_dropout_and_other_trials_with_it(examples, monkeypatch):
    arm = replace(ARMS["dropout"], learning=replace(ARMS["dropout"].learning, epochs=1, batch_size=30))
    trial = Trial(arm="dropout", of=arm, rate=0.01, seed=0, num_train=60)
    counted = []

    def all_wrong(net, x, labels):
        counted.append((net.training, len(x)))
        return torch.tensor(len(x))

    monkeypatch.setattr(module, "count_wrong", all_wrong)
    plain = run_trial(trial, examples, examples)[0]
    assert not counted and plain.errors != [1.0]
    race = run_trial(replace(trial, stop_error=0.25), examples, examples)[0]
    assert counted == [(True, 30)] * 2 and race.errors == [1.0]
    assert race.losses == plain.losses  # the training itself is the same
    without = replace(trial, of=replace(arm, net=ARMS["base"].net), stop_error=0.25)
    run_trial(without, examples, examples)
    assert len(counted) == 2


def test_wrong_answers_are_counted_as_in_an_evaluation(examples):
    images, labels = examples[0][:40], examples[1][:40]
    net = ARMS["dropout"].build(torch.Generator().manual_seed(1), num_classes=10).train()
    x = module.make_inputs(ARMS["dropout"], images).evaluation(images)
    state = torch.random.get_rng_state()
    found = module.count_wrong(net, x, labels)
    assert net.training and torch.equal(torch.random.get_rng_state(), state)
    assert int(found) == int((net.eval()(x).argmax(1) != labels).sum()) > 0


def test_a_race_is_given_up_after_ten_epochs_above_60_percent(tiny):
    def epochs(num_wrong):
        trial = replace(tiny("relu").trial("relu", rate=0.1, seed=0, split="test"), stop_error=0.25)
        long = replace(trial.of.learning, epochs=15, batch_size=100)
        curve = Curve(replace(trial, of=replace(trial.of, learning=long)), 100)
        while not curve.ended:
            curve.add(StepResult(torch.tensor(1.0), torch.tensor(num_wrong), 100))
        return curve.epoch

    assert [epochs(num_wrong) for num_wrong in (61, 60, 26, 25)] == [11, 15, 15, 1]

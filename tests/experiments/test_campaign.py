"""Whole campaigns of tiny trials: run, stopped, gone on with, recorded."""

import argparse
import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest
import torch

from alexnet import data
from alexnet.cli import experiment as command
from alexnet.cli.main import main
from alexnet.experiments import EXPERIMENTS, campaign, execution
from alexnet.experiments import trial as trials
from alexnet.experiments.execution import Execution, execute, fits
from alexnet.experiments.experiment import Comparison
from alexnet.experiments.finished import Finished
from alexnet.experiments.search import find_arms, pending
from alexnet.experiments.trial import check_size
from alexnet.storage import records


@pytest.fixture
def small(tiny):
    return tiny("relu", "tanh", answers={"relu-speed": (Comparison(better="relu", worse="tanh"),)})


@pytest.mark.slow
@pytest.mark.usefixtures("guesses_count")
def test_a_campaign_runs_what_is_missing_and_says_what_is_left(small, tiny_set, tmp_path, capsys):
    path = tmp_path / "lines.jsonl"
    kept = Finished(tiny_set.fingerprint, [path], path)
    assert campaign.run_campaign(small, tiny_set, kept, Execution(), seeds=(0, 1))
    printed = capsys.readouterr().out
    assert printed.startswith("10 trials are left\n") and printed.endswith("s; no trial is left\n")
    assert "relu, learning rate 0.01, seed 100 (search): held-out error " in printed
    assert re.search(r"1 trial is left, about [\d.]+ s of a core\n", printed)
    count = len(kept.lines)
    assert count == len(path.read_text().splitlines()) >= 10
    again = Finished(tiny_set.fingerprint, [path], path)
    assert campaign.run_campaign(small, tiny_set, again, Execution(), seeds=(0, 1))
    assert len(again.lines) == count  # nothing was computed twice


@pytest.mark.slow
@pytest.mark.usefixtures("guesses_count")
def test_the_record_has_arms_rates_seeds_and_answers(small, tiny_set, outcome, tmp_path):
    path = tmp_path / "lines.jsonl"
    kept = Finished(tiny_set.fingerprint, [path], path)
    execute(lambda: pending(small, kept, (0, 1)), kept, tiny_set, Execution(), lambda *_: None)
    seconds = sum(line["outcome"]["seconds"] for line in kept.lines)
    other = replace(small, num_train=90).trial("relu", rate=0.01, seed=0, split="test")
    kept.add(other, outcome(seconds=1000.0), {"device": "cpu"})  # in the file, and not of this record
    record = campaign.compose_record(small, tiny_set, kept, "cpu")
    assert record.seconds == pytest.approx(seconds, abs=0.06)
    record.save(tmp_path / "record.json")
    read = records.load(tmp_path / "record.json")
    assert read.seeds == [0, 1] and read.config["num_train"] == 100
    assert "100 training images of " in read.scale and "; 2 seeds at" in read.scale
    for arm in read.results["arms"].values():
        rates = [rate for rate, *_ in arm["search"]]
        assert arm["settled"] and min(rates) < arm["rate"] < max(rates) and len(arm["runs"]) == 2
    runs = {name: [run["error"] for run in arm["runs"]] for name, arm in read.results["arms"].items()}
    (answer,) = read.results["answers"]["relu-speed"]
    mean = sum(runs["tanh"]) / 2 - sum(runs["relu"]) / 2
    assert answer["mean"] == pytest.approx(mean, abs=2e-5) and answer["num_values"] == 2


def test_an_arm_that_learns_at_no_rate_has_no_rate_so_far(small, tiny_set, outcome, capsys, tmp_path):
    kept = Finished(tiny_set.fingerprint, [], tmp_path / "lines.jsonl")
    while todo := pending(small, kept, (0,), ["relu"]):
        for trial in todo:
            kept.add(trial, outcome(0.9, train_error=0.9), {"device": "cpu"})
    record = campaign.compose_record(small, tiny_set, kept, "cpu")
    assert record.results["arms"]["relu"]["failed"] and not record.results["arms"]["relu"]["settled"]
    campaign.print_summary(record)
    count = len(record.results["arms"]["relu"]["search"])
    assert f"learns at none of {count} learning rates" in capsys.readouterr().out and count > 3


def test_no_trial_begins_that_would_end_after_the_budget(small, tiny_set, outcome, tmp_path, monkeypatch):
    path = tmp_path / "lines.jsonl"
    kept = Finished(tiny_set.fingerprint, [], path)
    first, second = pending(small, kept, (0,))
    for seed, (seconds, device) in enumerate(
        [(50, "cpu: A"), (49, "cpu: B"), (900, "cpu: B"), (3, "cuda: C")]
    ):
        kept.add(
            replace(first, seed=seed), outcome(seconds=float(seconds)), {"device": device}
        )  # an epoch each

    def fit(trial, end, device="cpu"):
        return fits(trial, kept, end, device)

    monkeypatch.setattr(execution.time, "monotonic", lambda: 0.0)
    assert fit(first, 51) and not fit(first, 49)  # the median: one machine stood still for a while
    assert fit(first, 4, "cuda:1") and not fit(first, 2, "cuda:1")
    assert fit(second, 51) and not fit(second, 49)  # of this arm nothing is known: all others count
    assert fit(second, 1, "mps") and not fit(second, 0, "mps")  # of this kind of device nothing
    longer = replace(first, num_train=300)
    assert not fit(longer, 149) and fit(longer, 151)
    epochs = replace(first.of, learning=replace(first.of.learning, epochs=60))
    assert not fit(replace(first, of=epochs), 51)
    assert fit(replace(first, of=epochs, stop_error=0.25), 51)  # a race ends on arrival
    unbounded = execute(
        lambda: [first], kept, tiny_set, Execution(budget=40), lambda *_: pytest.fail("it was begun")
    )
    assert not unbounded


def test_a_trial_takes_as_long_as_the_others_of_its_arm(small, outcome, tmp_path):
    kept = Finished("", [], tmp_path / "lines.jsonl")
    trials = pending(small, kept, (0,))
    for trial, seconds in zip(trials, (10.0, 100.0), strict=True):
        kept.add(replace(trial, seed=7), outcome(seconds=seconds), {"device": "cpu"})
    assert [trial.arm for trial in trials] == ["relu", "tanh"]
    assert [execution.expected_seconds(trial, kept, "cpu") for trial in trials] == [10, 100]


def test_a_trial_is_given_up_by_its_speed_since_the_first_step(tiny, tiny_set, outcome, monkeypatch):
    clock = [0.0]

    def hundred_steps(trial, train, test, *, device, on_step):
        for step in range(100):
            clock[0] += 1.0 if step else 10.0
            on_step((step + 1) / 100)
        return outcome(), None

    monkeypatch.setattr(execution.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(execution, "run_trial", hundred_steps)
    trial = tiny("relu").trial("relu", rate=0.01, seed=0, split="test")
    assert execution.run_on(tiny_set, trial, "cpu", 109.5)[0] == outcome() and clock[0] == 109
    clock[0] = 0.0
    with pytest.raises(execution.TooLongError):
        execution.run_on(tiny_set, trial, "cpu", 108.5)
    assert clock[0] < 15


def test_a_trial_is_run_on_the_images_of_the_set_and_judged_by_those_of_its_test(
    tiny, tiny_set, outcome, monkeypatch
):
    given = []
    monkeypatch.setattr(
        execution, "run_trial", lambda *args, **_: given.extend(args[1:]) or (outcome(), None)
    )
    trial = tiny("relu").trial("relu", rate=0.01, seed=0, split="test")
    execution.run_on(tiny_set, trial, "cpu", math.inf)
    parts = [
        (tiny_set.train_images, tiny_set.train_labels),
        (tiny_set.test_images, tiny_set.test_labels),
    ]
    for got, expected in zip(given, parts, strict=True):
        assert all(map(torch.equal, got, expected))


def test_a_trial_whose_time_is_known_is_not_given_up(tiny, outcome, tmp_path, monkeypatch):
    """It begins where it would end in time; if it lasts longer, its work is not thrown away."""
    had = []

    @contextlib.contextmanager
    def workers(how, dataset):
        yield lambda trial, seconds: execution.done(
            lambda: had.append(seconds) or (outcome(), {"device": "cpu"})
        )

    monkeypatch.setattr(execution, "workers", workers)
    monkeypatch.setattr(execution.time, "monotonic", lambda: 0.0)
    kept = Finished("", [], tmp_path / "lines.jsonl")
    trials = [tiny("relu").trial("relu", rate=0.01, seed=seed, split="test") for seed in range(2)]
    execute(
        lambda: [trial for trial in trials if kept.find(trial) is None],
        kept,
        None,
        Execution(budget=60),
        lambda *_: None,
    )
    assert had == [60, math.inf]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5 min", 90), ("2h", 7200), (".5h", 1800)]
)
def test_times_are_read(text, seconds):
    assert command.parse_seconds(text) == seconds


@pytest.mark.slow
@pytest.mark.usefixtures("guesses_count")
def test_the_command_goes_on_where_it_stopped(tiny_set, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "load_or_default", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    words = [
        "experiment",
        "four-layer-lrn",
        "--arms",
        "none",
        "--seeds",
        "3",
        "--train-size",
        "100",
        "--epochs",
        "0.5",
    ]
    words += ["--jobs", "1", "--device", "cpu", "--trials", str(tmp_path)]
    words += ["--record", str(tmp_path / "r.json")]
    assert main([*words, "--budget", "0s"]) == 0
    assert "the budget is used up" in capsys.readouterr().out
    assert records.load(tmp_path / "r.json").results["arms"] == {}
    with monkeypatch.context() as patched:
        patched.setattr(execution, "fits", lambda *_: False)  # a trial takes longer than the budget
        assert main([*words, "--budget", "1h"]) == 0
    assert capsys.readouterr().out.endswith("; what is left would end after the budget\n")
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "no trial is left" in printed and "none                 learning rate" in printed
    record = (tmp_path / "r.json").read_text()
    assert json.loads(record)["seeds"] == [3]
    monkeypatch.setattr(execution, "run_trial", lambda *_: pytest.fail("a finished trial was repeated"))
    assert main(words) == 0
    assert (tmp_path / "r.json").read_text() == record


def test_an_experiment_of_ones_own_begins_without_the_trials_of_the_package(tiny_set, tmp_path, monkeypatch):
    opened, open_finished = [], campaign.open_finished

    def open_it(*args, **options):
        opened.append(options)
        return open_finished(*args, **options)

    monkeypatch.setattr(data, "load_or_default", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(campaign, "run_campaign", lambda *_, **__: True)
    monkeypatch.setattr(campaign, "open_finished", open_it)
    files = ["--trials", str(tmp_path), "--record", str(tmp_path / "r.json"), "--device", "cpu"]
    assert main(["experiment", "parts", *files]) == 0
    assert opened == [{"with_shipped": False}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--train-size", "0"], "--train-size must be a whole number"),
        (["--epochs", "0"], "--epochs must be a finite number above 0"),
        (["--seeds", "-1"], "--seeds must be a whole number"),
        (["--seeds", "100"], "--seeds 100: the search for the learning rate has that seed"),
        (["--seeds", "3", "4", "3"], "--seeds: a seed stands there twice"),
        (["--arms", "base", "half", "base"], "--arms: an arm stands there twice"),
        (["--jobs", "0"], "--jobs must be a whole number"),
    ],
)
def test_numbers_that_no_trial_can_have_are_refused(words, sentence, capsys):
    assert main(["experiment", "parts", *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "asked", "fewer"),
    [
        ("relu-speed", "50,000 training images are asked for", "--train-size 140"),
        (
            "four-layer-lrn",
            "10,000 training images are asked for, with 1,000 more to choose learning rates by",
            "--train-size 126",
        ),
    ],
)
def test_without_enough_images_no_trial_begins(words, asked, fewer, tiny_set, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "load_or_default", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    files = ["--trials", str(tmp_path), "--record", str(tmp_path / "r.json")]
    assert main(["experiment", words, *files]) == 2
    printed = capsys.readouterr()
    assert "begins" not in printed.out
    assert printed.err == (
        f"alexnet: {asked}, there are 140; `alexnet data get cifar10` gets 50,000, and `alexnet experiment` "
        f"takes fewer with `{fewer}`\n"
    )


def test_where_cifar10_is_there_nobody_is_told_to_get_it(tiny):
    whole = tiny("relu").trial("relu", rate=0.1, seed=0, split="test")
    with pytest.raises(ValueError, match="there are 50,000; `alexnet experiment` takes fewer with"):
        check_size(replace(whole, num_train=60_000), 50_000)
    with pytest.raises(
        ValueError, match="trains on a part of the images, of which none is left; .*--train-size"
    ):
        check_size(replace(whole, num_train=0), 50_000)


SCRIPT = """
import argparse, json, time
from dataclasses import replace
from multiprocessing import active_children
from alexnet.cli import experiment as command
from alexnet.data import synthetic
from alexnet.experiments import EXPERIMENTS, execution
how = command.execution(argparse.Namespace(jobs=2, device="cpu", budget=None))
trial = replace(EXPERIMENTS["four-layer-lrn"].trial("none", rate=0.001, seed=0, split="test"), num_train=128)
learning = replace(trial.of.learning, epochs=2)
trial = replace(trial, of=replace(trial.of, learning=learning))
images = synthetic(num_train=140, num_test=20, seed=2)
if __name__ == "__main__":
    with execution.workers(how, images) as submit:
        outcome, _ = submit(trial, 1e9).result()
        print(json.dumps([outcome.losses, *[child.pid for child in active_children()]]), flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize(("kind", "status"), [("SIGTERM", 143), ("SIGKILL", -9)])
def test_processes_give_what_one_gives_and_end_with_the_command(tiny_set, tmp_path, kind, status):
    """A campaign that is told to end, or killed, leaves no process behind."""
    script = tmp_path / "campaign.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        losses, *pids = json.loads(process.stdout.readline())
        assert pids
        process.send_signal(getattr(signal, kind))
        assert process.wait(timeout=60) == status
    end = time.monotonic() + 60
    while time.monotonic() < end and any(map(is_running, pids)):
        time.sleep(0.05)
    assert not any(map(is_running, pids))

    trial = EXPERIMENTS["four-layer-lrn"].trial("none", rate=0.001, seed=0, split="test")
    learning = replace(trial.of.learning, epochs=2)
    trial = replace(trial, num_train=128, of=replace(trial.of, learning=learning))
    execution.prepare_process()
    assert execution.run_on(tiny_set, trial, "cpu", math.inf)[0].losses == losses


def test_a_process_that_was_killed_is_told_in_one_sentence(tiny_set):
    sentence = "a process that ran a trial was ended, perhaps for lack of memory; choose fewer `--jobs`"
    with pytest.raises(ValueError, match=sentence), execution.workers(Execution(jobs=2), tiny_set):
        raise BrokenProcessPool  # as the result of a trial does


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_at_another_length_the_arms_keep_their_proportions():
    known = EXPERIMENTS["parts"]
    shorter = command.scaled(known, argparse.Namespace(epochs=6.0, train_size=500))
    epochs = {name: arm.learning.epochs for name, arm in shorter.arms.items()}
    assert (epochs["base"], epochs["half"], epochs["long"], epochs["crops"]) == (6, 6, 18, 18)
    for asked in (31.0, 33.0, 62.0, 124.0):
        arms = command.scaled(known, argparse.Namespace(epochs=asked, train_size=500)).arms
        assert (arms["base"].learning.epochs, arms["long"].learning.epochs) == (asked, 3 * asked)
    same = command.scaled(known, argparse.Namespace(epochs=30.0, train_size=known.num_train))
    for name in known.arms:
        a, b = (one.trial(name, rate=0.1, seed=0, split="test").digest("") for one in (known, same))
        assert a == b


def test_every_experiment_has_enough_seeds_and_images():
    for experiment in EXPERIMENTS.values():
        assert len(experiment.seeds) >= 5 and experiment.num_train >= 10_000


def test_the_time_of_trials_is_estimated_by_their_epochs(small):
    tanh = small.arms["tanh"]
    longer = replace(
        small, arms=small.arms | {"tanh": replace(tanh, learning=replace(tanh.learning, epochs=3))}
    )
    kept = Finished("", [])
    counts = {"relu": 2, "tanh": 1}
    assert campaign.estimate_seconds(longer, kept, counts) == math.inf
    count = small.num_train
    kept.lines = [
        {"num_train": count, "outcome": {"seconds": s, "epochs": e}} for s, e in ((10.0, 1.0), (50.0, 3.0))
    ]
    assert campaign.estimate_seconds(longer, kept, counts) == 15 * (2 * 1 + 1 * 3)
    halved = replace(longer, arms=longer.arms | {"tanh": replace(longer.arms["tanh"], part=0.5)})
    assert campaign.estimate_seconds(halved, kept, counts) == 15 * (2 * 1 + 1 * 1.5)
    race = replace(longer, stop_error=0.25)  # how long it takes has little to do with its limit
    assert campaign.estimate_seconds(race, kept, counts) == 30 * 3


def test_seeds_count_also_where_the_arm_had_another_name(small, outcome, tmp_path):
    kept = Finished("", [], tmp_path / "lines.jsonl")
    while todo := pending(small, kept, (0, 1)):
        kept.add(replace(todo[0], arm=f"old-{todo[0].arm}"), outcome(0.3), {})
    assert campaign.left(small, kept, (), (0, 1)) == "no trial is left"
    assert list(find_arms(small, kept)["tanh"].runs) == [0, 1]


def test_an_arm_without_a_learning_rate_is_named_where_no_trial_is_left(small, outcome, tmp_path):
    kept = Finished("", [], tmp_path / "lines.jsonl")
    while todo := pending(small, kept, (0, 1)):
        kept.add(todo[0], outcome(0.3 if todo[0].arm == "relu" else 0.9), {})
    lacking = "no trial is left, but a learning rate at which tanh learns anything was not found"
    assert campaign.left(small, kept, (), (0, 1)) == lacking


def test_no_more_trials_run_at_a_time_than_there_are_jobs(tiny, outcome, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def workers(how, dataset):
        yield lambda trial, seconds: execution.done(lambda: (outcome(), {}))

    monkeypatch.setattr(execution, "workers", workers)
    kept, seen = Finished("", [], tmp_path / "lines.jsonl"), []
    trials = [tiny("relu").trial("relu", rate=0.01, seed=seed, split="test") for seed in range(3)]
    execute(
        lambda: [trial for trial in trials if kept.find(trial) is None],
        kept,
        None,
        Execution(jobs=2),
        lambda *_: seen.append("end"),
        lambda _: seen.append("begin"),
    )
    assert seen == ["begin", "begin", "end", "end", "begin", "end"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trial_of_which_nothing_is_known_is_given_up_once_it_proves_too_long(
    tiny, tiny_set, tmp_path, jobs
):
    """At once and not when the time is over, and none that is as long is begun; a shorter one still is."""
    kept, seen = Finished("", [], tmp_path / "lines.jsonl"), []

    def lasting(epochs, seed):
        trial = tiny("relu").trial("relu", rate=0.01, seed=seed, split="test")
        learning = replace(trial.of.learning, epochs=epochs)
        return replace(trial, of=replace(trial.of, learning=learning))

    endless, as_long, short = lasting(1_000_000, 0), lasting(1_000_000, 1), lasting(1, 2)
    trials = [endless, short] if jobs == 2 else [endless, as_long, short]
    start = time.monotonic()
    complete = execute(
        lambda: [trial for trial in trials if kept.find(trial) is None],
        kept,
        tiny_set,
        Execution(budget=600, jobs=jobs),
        lambda trial, _: seen.append(("ended", trial.seed)),
        lambda trial: seen.append(("begins", trial.seed)),
        lambda trial: seen.append(("given up", trial.seed)),
    )
    assert time.monotonic() - start < 120
    assert not complete and len(kept.lines) == 1
    assert sorted(seen) == [("begins", 0), ("begins", 2), ("ended", 2), ("given up", 0)]


def test_a_trial_is_given_up_in_the_midst_of_an_epoch(tiny, tiny_set, monkeypatch):
    """A window of the authors' networks is an epoch of minutes."""
    steps, step = [], trials.train_step

    def slow(*args):
        steps.append(args)
        time.sleep(0.2)
        return step(*args)

    monkeypatch.setattr(trials, "train_step", slow)
    arm = tiny("relu").arms["relu"]
    trial = tiny("relu").trial("relu", rate=0.01, seed=0, split="test")
    learning = replace(arm.learning, batch_size=1, epochs=1)
    trial = replace(trial, of=replace(arm, learning=learning), windows=1)
    for sure_after, seconds in ((math.inf, 1.0), (0.5, 3.0)):
        steps.clear()
        monkeypatch.setattr(execution, "SURE_AFTER", sure_after)
        with pytest.raises(execution.TooLongError):
            execution.run_on(tiny_set, trial, "cpu", seconds)
        assert 2 <= len(steps) <= 8 < trial.num_train

"""The lines of finished trials: kept at once, read by other versions, never taken for what they are not."""

import json
import math
from dataclasses import replace

import pytest

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.finished import (
    Finished,
    read_lines,
    read_outcome,
    rounded,
    shipped,
    this_environment,
)

ENVIRONMENT = {"device": "cpu"}


@pytest.fixture
def trial(tiny):
    return tiny("relu").trial("relu", rate=0.01, seed=4, split="test")


def test_a_trial_is_kept_and_found_again_on_its_data_alone(trial, outcome, tmp_path):
    path = tmp_path / "folder" / "tiny.jsonl"
    first = Finished("data", [path], path)
    assert first.find(trial) is None
    first.add(trial, outcome(0.123456789), ENVIRONMENT)
    for kept in (first, Finished("data", [path])):
        found = kept.find(trial)
        assert found is not None and found.error == 0.12346 and kept.seeds() == [4]
        assert kept.find(replace(trial, seed=5)) is None
    assert Finished("other", [path]).find(trial) is None
    assert len(Finished("data", [path, path]).lines) == 1
    (line,) = path.read_text().splitlines()
    told = json.loads(line)
    assert told["arm"] == "relu" and told["rate"] == 0.01 and told["environment"] == ENVIRONMENT
    assert told["settings"]["net"] == {"kind": "FourLayerConfig", "channels": [4, 4, 4]}


def test_numbers_that_are_none_become_null_and_infinite_again(outcome):
    short = rounded(vars(outcome(loss=math.nan, losses=[1.0, math.inf])))
    assert short["loss"] is None and short["losses"] == [1.0, None]
    assert json.loads(json.dumps(short, allow_nan=False)) == short
    assert read_outcome(short | {"later": 1}) == read_outcome(short)
    assert read_outcome(short).loss == math.inf and read_outcome(short).losses == [1.0, math.inf]


def test_a_race_that_was_given_up_is_run_again_where_more_is_asked(trial, outcome, tmp_path):
    def lasting(epochs):
        return replace(
            trial, stop_error=0.25, of=replace(trial.of, learning=replace(trial.of.learning, epochs=epochs))
        )

    path = tmp_path / "lines.jsonl"
    kept = Finished("", [], path)
    kept.add(lasting(5), outcome(epochs=5.0), ENVIRONMENT)  # at its limit, not there
    assert kept.find(lasting(5)) and kept.find(lasting(3)) and not kept.find(lasting(6))
    kept.add(lasting(6), outcome(epochs=5.5), ENVIRONMENT)  # there before its limit
    assert kept.find(lasting(6)) and kept.find(lasting(99))
    kept = Finished("", [], path)
    kept.add(lasting(1 / 64), outcome(epochs=1 / 64), ENVIRONMENT)  # rounded when it is kept
    assert kept.find(lasting(1 / 64)) and not kept.find(lasting(1 / 32))


def test_an_end_that_was_cut_off_is_passed_over_and_removed(trial, outcome, tmp_path):
    path = tmp_path / "lines.jsonl"
    Finished("", [], path).add(trial, outcome(), ENVIRONMENT)
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    assert len(list(read_lines(path))) == 1
    Finished("", [], path).add(replace(trial, seed=9), outcome(), ENVIRONMENT)
    assert [line["seed"] for line in read_lines(path)] == [4, 9]


def without(line, *names):
    return json.dumps({name: value for name, value in line.items() if name not in names}).encode()


def with_outcome(line, **changes):
    return json.dumps(line | {"outcome": line["outcome"] | changes}).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b"not json",
        lambda line: b"[1]",
        lambda line: b'{"trial": "\xff"}',
        lambda line: without(line, "seed"),
        lambda line: without(line, "arm", "num_train"),
        lambda line: without(line, "outcome"),
        lambda line: json.dumps(line | {"outcome": None}).encode(),
        lambda line: json.dumps(line | {"outcome": {"error": 0.5}}).encode(),
        lambda line: with_outcome(line, errors=[]),
        lambda line: with_outcome(line, seconds=None),
        lambda line: with_outcome(line, epochs="3"),
    ],
)
def test_a_damaged_line_is_named(damage, trial, outcome, tmp_path):
    path = tmp_path / "lines.jsonl"
    Finished("", [], path).add(trial, outcome(), ENVIRONMENT)
    whole = path.read_bytes()
    path.write_bytes(whole + damage(json.loads(whole)) + b"\n")
    with pytest.raises(
        ValueError, match=r"line 2 of .*lines\.jsonl is not of a finished trial.*delete that line"
    ):
        Finished("", [path])


def test_the_environment_tells_what_the_digits_depend_on():
    assert this_environment("cpu").keys() == {"commit", "torch", "device", "instructions", "threads"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_packages_lines_are_of_trials_that_their_experiment_still_has(name):
    """An arm that is changed orphans its trials: then they go, or the change was a mistake."""
    experiment, kept = EXPERIMENTS[name], Finished.of_package(name)
    assert len({line["trial"] for line in kept.lines if not line["gave_up"]}) == sum(
        not line["gave_up"] for line in kept.lines
    )
    for line in kept.lines:
        assert line["arm"] in experiment.arms, f"{shipped(name)}: {line['arm']}"
        trial = experiment.trial(line["arm"], rate=line["rate"], seed=line["seed"], split=line["split"])
        assert trial.digest(line["data"]) == line["trial"]

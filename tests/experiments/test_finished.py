"""The lines of finished trials: kept at once, read by other versions, never taken for what they are not."""

import errno
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from alexnet.experiments import EXPERIMENTS, finished
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
    assert told["outcome"]["epochs"] == trial.epochs and told["gave_up"] is False  # it is no race


def test_a_race_that_arrives_with_its_last_step_has_not_been_given_up(trial, outcome, tmp_path):
    race = replace(trial, stop_error=0.25, windows=4)
    for error, given_up in ((0.25, False), (0.26, True)):
        path = tmp_path / f"{error}.jsonl"
        kept = Finished("data", [path], path)
        kept.add(race, outcome(errors=[0.5, error, error, error, error], epochs=trial.epochs), ENVIRONMENT)
        assert json.loads(path.read_text())["gave_up"] is given_up
        longer = replace(
            race, of=replace(race.of, learning=replace(race.of.learning, epochs=trial.epochs + 1))
        )
        assert (kept.find(longer) is None) is given_up


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


def test_a_whole_last_line_without_its_line_break_counts_and_stays(trial, outcome, tmp_path):
    """An editor may leave it so, with which somebody deletes a damaged line."""
    path = tmp_path / "lines.jsonl"
    Finished("", [], path).add(trial, outcome(), ENVIRONMENT)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    kept = Finished("", [path], path)
    assert kept.find(trial) is not None
    kept.add(replace(trial, seed=9), outcome(), ENVIRONMENT)
    assert [line["seed"] for line in read_lines(path)] == [4, 9]


def test_a_line_that_cannot_be_written_whole_is_not_written_at_all(trial, outcome, tmp_path, monkeypatch):
    path = tmp_path / "lines.jsonl"
    Finished("", [], path).add(trial, outcome(), ENVIRONMENT)
    before = path.read_bytes()

    def full(file, content):
        file.write(content[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(finished, "write_all", full)
    with pytest.raises(
        OSError, match=r"cannot write .*lines\.jsonl: the disk is full; once it can be .* same command"
    ):
        Finished("", [path], path).add(replace(trial, seed=9), outcome(), ENVIRONMENT)
    assert path.read_bytes() == before


def test_a_lock_that_cannot_be_made_is_told_as_the_file(tmp_path):
    (tmp_path / ".lines.jsonl.lock").mkdir()
    with pytest.raises(OSError, match=r"cannot write .*[/\\]lines\.jsonl: .*; once it can be written"):
        finished.append_line(tmp_path / "lines.jsonl", {})


def test_several_writers_lose_no_line(tmp_path):
    """One that is half written is not the truncated end that a crash leaves."""
    path, each = tmp_path / "lines.jsonl", 60
    path.write_bytes(b'{"half": ')

    def write(writer):
        for number in range(each):
            finished.append_line(path, {"writer": writer, "number": number, "long": "x" * 9000})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((line["writer"], line["number"]) for line in lines) == [
        (writer, number) for writer in range(4) for number in range(each)
    ]


def without(line, *names):
    return json.dumps({name: value for name, value in line.items() if name not in names}).encode()


def with_field(line, **changes):
    return json.dumps(line | changes).encode()


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
        lambda line: with_outcome(line, epochs=0.0),
        lambda line: with_outcome(line, epochs="3"),
        lambda line: with_outcome(line, error="x"),
        lambda line: with_outcome(line, errors="x"),
        lambda line: with_outcome(line, errors=["a"]),
        lambda line: with_outcome(line, losses=-1),
        lambda line: with_field(line, trial=[1]),
        lambda line: with_field(line, seed=None),
        lambda line: with_field(line, num_train=0),
        lambda line: with_field(line, num_train="100"),
        lambda line: with_field(line, environment=[]),
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

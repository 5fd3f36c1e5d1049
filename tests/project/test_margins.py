"""The measuring of margins: assertions note their slack and stop nothing, seeds move, what is done stays."""

import json
import math

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from tools import machines, margins

DRAWS = """import numpy as np
x = np.random.default_rng(0).random(1000).mean()
assert x < 0.5  # a coin toss
assert 0 < x < 1, x
assert len([x]) == 1
"""


def seen_in(source, offset=0, **names):
    """Run a cell as the tool does, without a kernel; returns what its assertions noted and its names."""
    names |= {"margin": margins.margin, "margin_offset": offset}
    margins.margin_seen = {}
    try:
        exec(margins.rewritten(source, "cell"), names)
        return list(margins.margin_seen.values()), names
    finally:
        del margins.margin_seen


SLACKS = {
    "assert 1 < 3.5": ([2.5], True),
    "assert 3 >= 5, 'said'": ([-2], False),
    "assert 2 <= 2": ([0], True),
    "assert 2 < 2": ([0], False),
    "assert 0 < 7 < 8": ([1], True),
    "assert abs(-3) < 2": ([-1], False),
    "for x in (4, 1, 2):\n    assert x > 1.5": ([-0.5], False),
    "assert all(x > 1 for x in (3, 5))": ([2], True),
    "assert (torch.tensor([2.0, 5.0]) > 1).all()": ([1], True),
    "assert torch.tensor(2.0, requires_grad=True) > 1": ([1], True),
    "assert 3 == 3": ([], True),
    "assert not 1 < 2": ([], False),
}


@pytest.mark.parametrize("source", SLACKS)
def test_slack_of_an_assertion(source):
    (seen,), _ = seen_in(source, torch=torch)
    assert (seen["slacks"], seen["held"]) == SLACKS[source]


def test_parts_of_an_assertion_are_measured_one_by_one():
    seen, _ = seen_in("assert 1 < 2 and 5 > 1 and 0 == 1")
    assert [part["text"] for part in seen] == ["1 < 2", "5 > 1", "0 == 1"]
    assert [part["slacks"] for part in seen] == [[1], [4], []]
    assert [part["held"] for part in seen] == [True, True, False]


def test_every_seed_is_shifted():
    source = """
def train(seed=3, other=4):
    return seed, other
a = Generator().manual_seed(0), train(), train(seed=10), train(other=10)
"""
    generator = type("Generator", (), {"manual_seed": staticmethod(lambda seed: seed)})
    for offset, wanted in ((0, (0, (3, 4), (10, 4), (3, 10))), (7, (7, (10, 4), (17, 4), (10, 10)))):
        assert seen_in(source, offset, Generator=generator)[1]["a"] == wanted


def test_what_is_no_python_stays():
    assert margins.rewritten("%time x = 1", "cell") == "%time x = 1"


@pytest.fixture
def settings(monkeypatch):
    """One setting, so that few kernels start."""
    one = {"SSE, 1 thread": machines.SETTINGS["SSE, 1 thread"]}
    monkeypatch.setattr(margins, "SETTINGS", one)
    return one


@pytest.mark.slow
def test_trials_of_a_notebook_differ_and_are_kept(tmp_path, settings, monkeypatch):
    cells = [new_code_cell(DRAWS), new_code_cell("import os\nassert os.environ['OMP_NUM_THREADS'] == '1'")]
    path, store = tmp_path / "01-toy.ipynb", tmp_path / "runs" / "margins.jsonl"
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("1 / 0", id="divides")]), path)
    before = path.read_bytes()
    found = list(margins.trials([path], 2, store))
    assert path.read_bytes() == before
    first, second = (list(trial["seen"].values()) for trial in found)
    assert [seen["text"] for seen in first][:2] == ["x < 0.5", "0 < x < 1"]
    assert [seen["held"] for seen in first[1:]] == [True] * 3  # the last: the setting has come to the kernel
    assert first[0]["slacks"] != second[0]["slacks"]
    assert [trial["errors"] for trial in found] == [["divides: ZeroDivisionError: division by zero"]] * 2

    lines = store.read_text(encoding="utf-8").strip().splitlines()
    assert [json.loads(line)["seen"] for line in lines] == [trial["seen"] for trial in found]
    store.write_text("\n" + lines[0] + "\n" + lines[1][:40], encoding="utf-8")  # the second was interrupted
    measured = []
    instant = {"seconds": 1, "errors": [], "seen": {}}
    monkeypatch.setattr(margins, "measure", lambda *which: measured.append(which) or [instant])
    for _ in range(2):  # what was torn is in the way of nothing
        first, second = margins.trials([path], 2, store)
        assert (first["seen"], second["seen"]) == (found[0]["seen"], {})
        assert measured == [(path, "SSE, 1 thread", [1])]


def trial(slack, held=True, errors=(), number=0):
    seen = {"k": {"text": "a < b", "slacks": [] if slack is None else [slack], "held": held}}
    return {"key": ["07-toy.ipynb", "digest", "a setting", number], "seen": seen, "errors": list(errors)}


REPORTS = {
    "wide": ([trial(1.0), trial(1.1)], True, 0),
    "fixed": ([trial(1e-9), trial(1e-9)], True, 0),
    "narrow": ([trial(0.1), trial(1.0)], False, 1),
    "near": ([trial(1.0), trial(1.4)], True, 1),
    "failed": ([trial(1.0), trial(1.0, held=False)], False, 1),
    "untrue": ([trial(None), trial(None, held=False)], False, 1),
    "broken": ([trial(1.0), trial(1.0, errors=["boom"])], False, 1),
    "drawn": ([trial(0.1), trial(0.1), trial(1.0, number=1), trial(1.0, number=1)], True, 1),
    "one setting": ([trial(0.1), trial(1.0, number=1)], False, 1),
    "drawn badly": ([trial(-0.1, held=False), trial(-0.1, held=False)], False, 1),
    "without end": ([trial(math.inf), trial(math.inf)], True, 0),
}


@pytest.mark.parametrize("name", REPORTS)
def test_report_names_what_has_no_margin(name):
    found, good, listed = REPORTS[name]
    lines, verdict = margins.report(found)
    assert verdict is good
    assert sum("a < b" in line or "boom" in line for line in lines) == listed


def test_report_has_mean_deviation_margin_minimum_and_failures():
    (line,) = [line for line in margins.report([trial(-1.0, held=False), trial(5.0)])[0] if "a < b" in line]
    assert line.split()[:6] == ["2", "4.243", "0.5", "-1", "1/2", "failed"]


def test_table_of_machines():
    found = {("one", "01"): (True, 3.2), ("one", "02"): (False, 9.0), ("two", "01"): (True, 4.0)}
    found["two", "02"] = (True, 5.0)
    lines = [line.split() for line in machines.table(found).splitlines()]
    assert lines == [["seconds", "01", "02"], ["one", "3", "FAILED"], ["two", "4", "5"]]


def test_every_setting_runs_the_unit_tests_and_each_notebook(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(
        machines, "check", lambda words, setting: (ran.append((setting, words)), (True, 1.0))[1]
    )
    monkeypatch.setattr(machines.sys, "argv", ["machines"])
    assert machines.main() == 0
    for setting in machines.SETTINGS:
        (units, pages, *notebooks) = [words for known, words in ran if known == setting]
        assert units[0] == "tests" and pages == ["tests/pages"]
        assert len(notebooks) == len(list((machines.ROOT / "book").glob("*.ipynb"))) > 10
        assert all(words[0] == "--nbval" for words in notebooks)
    assert capsys.readouterr().out.count("\n") > 4


def test_settings_limit_what_they_say():
    assert len({json.dumps(setting) for setting in machines.SETTINGS.values()}) == 4
    threads = [setting["OMP_NUM_THREADS"] for setting in machines.SETTINGS.values()]
    assert sorted(threads) == ["1", "2", "2", "3"]

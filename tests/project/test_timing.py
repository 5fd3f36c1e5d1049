"""The clock of the benchmarks, and a network that only they build."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import augmentation
import pytest
import startup
import timing
import torch
import trials
import two_ranks
from timing import Rounds, compared, interleaved, ratios, summary

from alexnet.data import synthetic
from alexnet.recipes import net_config

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks/results"


def test_functions_take_turns_and_the_first_round_does_not_count():
    calls = []
    functions = {"a": lambda: calls.append("a"), "b": lambda: (calls.append("b"), time.sleep(0.01))}
    seconds = interleaved(functions, repeats=3)
    assert calls == ["a", "b"] * 4
    assert [len(times) for name in ("a", "b") for times in seconds[name]] == [3, 3, 3, 3]
    assert min(seconds["b"].wall) >= 0.01 > min(seconds["a"].wall) > 0
    assert min(seconds["b"].cpu) < 0.01


@pytest.mark.skipif(timing.resource is None, reason="this system does not count what child processes take")
def test_child_processes_count_where_they_have_ended():
    busy = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    before = timing.processor_time()
    subprocess.run([sys.executable, "-S", "-c", busy], check=True)
    assert timing.processor_time() - before >= 0.2


def test_what_is_compared_is_the_reference_over_the_call():
    found = compared(Rounds([2.0, 2.0], [1.0, 1.0]), Rounds([6.0, 6.0], [4.0, 4.0]))
    assert {name: each["median"] for name, each in found.items()} == {
        "seconds": 2,
        "times_as_fast": 3,
        "cpu_seconds": 1,
        "times_as_fast_by_cpu": 4,
    }


def test_a_summary_by_hand():
    expected = {"median": 3.0, "quartile_1": 2.0, "quartile_3": 8.0, "min": 1.0, "max": 9.0}
    assert summary([9.0, 1.0, 3.0, 8.0, 2.0]) == expected
    assert set(summary([5.0]).values()) == {5.0}
    assert ratios([2.0, 12.0, 6.0], [1.0, 3.0, 2.0])["median"] == 3.0
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_no_round_is_a_mistake():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        interleaved({}, repeats=0)


def test_the_half_network_is_the_one_by_its_name():
    assert replace(two_ranks.halve_net(net_config("paper")), name="half") == net_config("half")


@pytest.mark.slow
def test_the_book_of_one_page_is_built(tmp_path):
    pytest.importorskip("jupyter_book")
    startup.books(tmp_path)[startup.ONE_PAGE]()
    assert (tmp_path / "one" / "_build" / "html" / "index.html").is_file()


@pytest.mark.parametrize("folder", ["", "avx2"])
def test_all_that_a_trials_benchmark_times_is_in_its_results(folder):
    found = synthetic(num_train=128, num_test=10, seed=0)
    results = json.loads((RESULTS / folder / "trials.json").read_bytes())["results"]
    bases = trials.make_bases()
    assert list(results) == list(bases)
    for name, base in bases.items():
        assert list(results[name]) == list(
            trials.make_functions(base, found.train_images, found.train_labels)
        )


def test_augmentation_is_timed_a_batch_ahead_of_the_step():
    made = []
    ahead = augmentation.Ahead(lambda: made.append(len(made)) or len(made))
    assert [ahead.next(), ahead.next()] == [1, 2]
    ahead.coming.result()
    assert made == [0, 1, 2]  # one more than was asked for
    seconds = augmentation.measure(2, 1, torch.device("cpu"))
    assert list(seconds) == ["with augmentation", "without"]
    assert all(len(rounds) == 1 and rounds[0] > 0 for rounds in seconds.values())

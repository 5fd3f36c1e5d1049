"""Which trials an experiment needs: the search that never ends at an edge, the seeds, the comparisons."""

import math
import random
from dataclasses import replace

import pytest

from alexnet.experiments.experiment import Comparison
from alexnet.experiments.finished import Finished
from alexnet.experiments.search import (
    FARTHEST,
    SEARCH_SEED,
    Found,
    best_place,
    count_missing,
    find_arms,
    judged,
    pending,
    rate_at,
    search_trial,
    searched,
    wanted,
)


def test_trainings_that_only_guess_are_all_alike_and_the_search_goes_on(tiny, outcome):
    scores = [tiny("relu").score(replace(outcome(0.9), loss=loss)) for loss in (2.3026, 2.3027, 2.3030)]
    assert wanted(dict(zip((0, -1, 1), scores, strict=True))) == [-2, 2]


def test_rates_lie_on_one_grid_wherever_the_search_begins():
    assert [rate_at(0.01, k) for k in (-1, 0, 1, 2)] == [0.00316, 0.01, 0.0316, 0.1]
    assert [rate_at(0.00316, k) for k in (0, 1)] == [0.00316, 0.01]
    assert [rate_at(0.01, k) for k in (-0.5, 0.5)] == [0.00562, 0.0178]


@pytest.mark.parametrize(
    ("found", "next_places"),
    [
        ({}, [0]),
        ({0: (0.3, 1.0)}, [-1, 1]),
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.35, 1.0)}, []),
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.2, 1.0)}, [2]),  # the best is at the edge
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.3, 1.0)}, []),  # of equals the nearer one
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.3, 0.9)}, [2]),  # equal errors, a smaller loss
        ({0: (math.inf, math.inf)}, [-1, 1]),
        (dict.fromkeys((-1, 0, 1), (math.inf, math.inf)), [-2, 2]),
        (dict.fromkeys((-1, 0), (math.inf, math.inf)), [1, -2]),  # the nearer one first
        (dict.fromkeys(range(-FARTHEST, FARTHEST + 1), (math.inf, math.inf)), []),
        ({-1: (math.inf, 0.6), 0: (math.inf, 0.7), 1: (math.inf, 0.8)}, [-2]),  # nobody arrived
    ],
)
def test_the_best_rate_has_both_its_neighbours_or_the_search_goes_on(found, next_places):
    assert wanted(found) == next_places


@pytest.mark.parametrize(
    ("found", "next_places"),
    [
        ({}, [0]),
        ({0: (0.3, 1.0), 1: (0.4, 1.0)}, [-1]),  # the neighbours first
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.4, 1.0)}, [-0.5, 0.5]),
        ({-1: (0.4, 1.0), -0.5: (0.2, 1.0), 0: (0.3, 1.0), 1: (0.4, 1.0)}, []),  # it has 0 and -1
        ({-1: (0.4, 1.0), -0.5: (0.5, 1.0), 0: (0.3, 1.0), 1: (0.4, 1.0)}, [0.5]),
        ({-1: (0.4, 1.0), -0.5: (0.5, 1.0), 0: (0.3, 1.0), 0.5: (0.35, 1.0), 1: (0.4, 1.0)}, []),
        ({-1: (0.4, 1.0), 0: (0.3, 1.0), 1: (0.2, 1.0)}, [2]),
    ],
)
def test_a_fine_search_ends_half_way_to_the_neighbours(found, next_places):
    assert wanted(found, fine=True) == next_places


def test_a_fine_search_goes_on_from_the_trials_of_a_coarse_one(tiny, outcome):
    arrives = {0.00316: 50, 0.00562: 30, 0.01: 20, 0.0178: 12, 0.0316: 25}
    bench = Landscape(lambda trial: at_epoch(arrives[trial.rate], outcome, int(trial.epochs)))
    bench.run_all(race(tiny), seeds=(0,))
    fine = replace(race(tiny), fine=True)
    found = find_arms(fine, bench)["relu"]
    assert found.settled and not found.refined and found.rate == 0.01 and list(found.runs) == [0]
    assert count_missing(found, (0,), fine=True) == 2 and count_missing(found, (0, 1), fine=True) == 3
    assert count_missing(None, (0,), fine=True) == 6
    one_half = replace(found, scores=found.scores | {0.00562: (29.5, 0.25)})
    assert count_missing(one_half, (0,), fine=True) == 1
    begun = replace(found, settled=False, scores={0.01: (19.5, 0.25)})
    assert count_missing(begun, (0,), fine=True) == 4
    asked = bench.run_all(fine, seeds=(0,))
    assert [rate for rate, *_ in asked] == [0.00562, 0.0178, 0.0178]
    found = find_arms(fine, bench)["relu"]
    assert found.settled and found.refined and found.rate == 0.0178
    assert count_missing(found, (0,)) == 0


class Landscape(Finished):
    """Trials whose outcomes are looked up by their rate; those that were asked for are kept in order."""

    def __init__(self, table):
        super().__init__("", [])
        self.table, self.run = table, {}

    def find(self, trial):
        return self.run.get((trial.rate, trial.seed, trial.arm))

    def seeds(self):
        return sorted({seed for _, seed, _ in self.run})

    def run_all(self, experiment, seeds=(0, 1)):
        asked = []
        while todo := pending(experiment, self, seeds):
            trial = todo[0]
            asked.append((trial.rate, trial.seed, trial.split, trial.epochs))
            self.run[trial.rate, trial.seed, trial.arm] = self.table(trial)
        return asked


def test_the_search_climbs_past_its_first_edge_and_the_seeds_run_at_the_best_rate(tiny, outcome):
    errors = {0.00316: 0.5, 0.01: 0.4, 0.0316: 0.35, 0.1: 0.3, 0.316: 0.45}
    bench = Landscape(lambda trial: outcome(errors[trial.rate]))
    asked = bench.run_all(tiny("relu"))
    searching = [(rate, SEARCH_SEED, "held-out", 1) for rate in (0.01, 0.00316, 0.0316, 0.1, 0.316)]
    assert asked == [*searching, (0.1, 0, "test", 1), (0.1, 1, "test", 1)]
    found = find_arms(tiny("relu"), bench)["relu"]
    assert found.rate == 0.1 and found.settled and list(found.runs) == [0, 1]
    assert list(found.scores) == sorted(errors) and found.scores[0.1] == (0.3, 1.0)


def run_in_parallel(bench, experiment, jobs, generator):
    """Run the trials, up to ``jobs`` at a time, of which any may be the next to finish."""
    running = []
    while True:
        todo = [trial for trial in pending(experiment, bench, (0, 1)) if trial not in running]
        running += todo[: jobs - len(running)]
        if not running:
            return
        trial = running.pop(generator.randrange(len(running)))
        bench.run[trial.rate, trial.seed, trial.arm] = bench.table(trial)


@pytest.mark.parametrize(
    ("errors", "rate"),
    [
        ({-2: 0.27, -1: 0.25, 0: 0.30, 1: 0.10, 2: 0.2, 3: 0.5}, 0.00316),  # two valleys
        ({-3: 0.9, -2: 0.9, -1: 0.9, 0: 0.9, 1: 0.9, 2: 0.3, 3: 0.4}, 0.1),
    ],
)
def test_a_search_finds_the_same_rate_with_every_number_of_jobs(tiny, outcome, errors, rate):
    errors = {rate_at(0.01, k): error for k, error in errors.items()}
    results = []
    for jobs in (1, 2, 3):
        for seed in range(5):
            bench = Landscape(lambda trial: outcome(errors[trial.rate]))
            run_in_parallel(bench, tiny("relu"), jobs, random.Random(seed))
            results.append(find_arms(tiny("relu"), bench)["relu"])
    assert results[0].rate == rate and results[0].settled and list(results[0].runs) == [0, 1]
    assert all(result == results[0] for result in results)


def test_rates_at_which_nothing_is_learned_do_not_lead_the_search_away(tiny, outcome):
    errors = {0.01: 0.91, 0.0316: 0.86, 0.00316: 0.4, 0.001: 0.5}
    bench = Landscape(lambda trial: outcome(errors[trial.rate]))
    bench.run_all(tiny("relu"))
    assert find_arms(tiny("relu"), bench)["relu"].rate == 0.00316


def test_an_arm_that_learns_nothing_at_any_rate_has_none_and_runs_no_seeds(tiny, outcome):
    bench = Landscape(lambda trial: outcome(0.89 + trial.rate / 1000))
    asked = bench.run_all(tiny("relu"))
    assert len(asked) == 2 * FARTHEST + 1 and {seed for _, seed, *_ in asked} == {SEARCH_SEED}
    found = find_arms(tiny("relu"), bench)["relu"]
    assert found.failed and not found.settled and found.runs == {}
    del bench.run[rate_at(0.01, FARTHEST), SEARCH_SEED, "relu"]  # one learning rate is left to try
    assert not find_arms(tiny("relu"), bench)["relu"].failed


def test_a_rate_that_leaves_the_images_half_learned_is_no_best_one(tiny, outcome):
    """At 0.00316 the error is lowest, as that of a training that is stopped early."""
    ends = {
        0.001: (0.5, 0.4, 1.2),
        0.00316: (0.35, 0.23, 0.7),
        0.01: (0.4, 0.05, 0.2),
        0.0316: (0.42, 0.04, 0.1),
    }

    def run(trial):
        error, train_error, train_loss = ends[trial.rate]
        return outcome(error, train_error=train_error, train_loss=train_loss)

    fitted = tiny("relu", fit=0.1)
    bench = Landscape(run)
    bench.run_all(fitted)
    found = find_arms(fitted, bench)["relu"]
    assert found.rate == 0.01 and found.settled and list(found.scores) == [0.00316, 0.01, 0.0316]
    assert found.scores[0.00316] == (math.inf, 0.7) and found.lower_unfitted == 0.00316
    plain = Landscape(run)
    plain.run_all(tiny("relu"))
    best = find_arms(tiny("relu"), plain)["relu"]
    assert best.rate == 0.00316 and best.lower_unfitted is None
    unfitted = Landscape(run)
    unfitted.run_all(tiny("relu", fit=0.3))
    assert find_arms(tiny("relu", fit=0.3), unfitted)["relu"].rate == 0.01  # 0.23 is too near to 0.3
    far = lambda trial: abs(math.log10(trial.rate) + 2)  # noqa: E731
    nobody = Landscape(lambda trial: outcome(0.4, train_error=0.5, train_loss=1 + far(trial)))
    nobody.run_all(fitted)
    lost = find_arms(fitted, nobody)["relu"]
    assert lost.rate == 0.01 and lost.lower_unfitted is None
    loose = Landscape(run)
    loose.run_all(tiny("relu", fit=0.4))
    assert find_arms(tiny("relu", fit=0.4), loose)["relu"].rate == 0.00316


def race(tiny, limit=60):
    experiment = tiny("relu", windows=1, stop_error=0.25)
    arm = experiment.arms["relu"]
    return replace(experiment, arms={"relu": replace(arm, learning=replace(arm.learning, epochs=limit))})


def at_epoch(epochs, outcome, limit):
    """The outcome of a race that arrives in the middle of an epoch, or is given up."""
    errors = [0.5] * limit if epochs > limit else [0.5] * (epochs - 1) + [0.25]
    return outcome(errors=errors, epochs=float(len(errors)))


def test_a_race_is_given_up_where_it_can_no_longer_be_the_fastest(tiny, outcome):
    arrives = {0.00316: 50, 0.01: 20, 0.0316: 12, 0.1: 9, 0.316: 30}
    bench = Landscape(lambda trial: at_epoch(arrives[trial.rate], outcome, int(trial.epochs)))
    asked = bench.run_all(race(tiny), seeds=(0,))
    assert [(rate, limit) for rate, _, _, limit in asked] == [
        (0.01, 60),
        (0.00316, 20),
        (0.0316, 20),
        (0.1, 12),
        (0.316, 9),
        (0.1, 60),
    ]
    assert all(split == "test" for _, _, split, _ in asked)  # judged by its training error alone
    assert best_place(searched(race(tiny), "relu", bench)) == 2


def test_a_race_may_last_until_it_is_behind_the_fastest(tiny):
    """Which is known half an epoch later: the error that counts is the mean over an epoch."""
    for fastest, limit in ((10.4, 11), (10.5, 11), (10.7, 12)):
        assert search_trial(race(tiny), "relu", 1, {0: (fastest, 0.0)}).epochs == limit


def test_the_arms_that_are_asked_for_are_run_in_their_order(tiny, outcome):
    experiment = tiny("relu", "tanh", "sigmoid")
    bench = Landscape(lambda trial: outcome())
    assert [trial.arm for trial in pending(experiment, bench, (0,))] == ["relu", "tanh", "sigmoid"]
    assert [trial.arm for trial in pending(experiment, bench, (0,), ["tanh"])] == ["tanh"]


def test_the_trials_that_are_left_are_those_of_the_search_and_the_seeds(outcome):
    few = {0.01: (0.3, 1.0)}
    begun = Found(scores=few, settled=False, rate=0.01, runs={})
    longer = Found(scores=few | {0.0316: (0.2, 1.0), 0.1: (0.1, 1.0)}, settled=False, rate=0.1, runs={})
    ended = Found(scores=longer.scores, settled=True, rate=0.0316, runs={0: outcome(), 7: outcome()})
    failed = replace(longer, failed=True)
    counts = [count_missing(found, (0, 1)) for found in (None, begun, longer, ended, failed)]
    assert counts == [3 + 2, 2 + 2, 1 + 2, 1, 0]


def test_comparisons_are_made_seed_by_seed(tiny, outcome):
    experiment = tiny("relu", "tanh")
    table = {
        ("relu", 0): outcome(0.30, train_error=0.10),
        ("relu", 1): outcome(0.31, train_error=0.10),
        ("tanh", 0): outcome(0.34, train_error=0.20),
        ("tanh", 2): outcome(0.99),
    }
    bench = Landscape(None)
    for arm in ("relu", "tanh"):
        for k in (-1, 0, 1):
            bench.run[rate_at(0.01, k), SEARCH_SEED, arm] = outcome(0.3 + abs(k) / 10)
    for (arm, seed), found in table.items():
        bench.run[0.01, seed, arm] = found
    arms = find_arms(experiment, bench)
    asked = Comparison(better="relu", worse="tanh")
    assert judged(experiment, asked, arms) == pytest.approx([0.04])
    assert judged(experiment, replace(asked, measure="gap"), arms) == pytest.approx([0.14 - 0.20])
    assert judged(experiment, replace(asked, worse="sigmoid"), arms) == []


def test_races_are_compared_by_ratios_of_those_who_arrived(tiny, outcome):
    experiment = tiny("relu", "tanh", windows=1, stop_error=0.25)
    bench = Landscape(None)
    for arm in ("relu", "tanh"):
        for k in (-1, 0, 1):
            bench.run[rate_at(0.01, k), SEARCH_SEED, arm] = at_epoch(3 + abs(k), outcome, 9)
    for arm, seed, epochs in (("relu", 0, 2), ("tanh", 0, 5), ("relu", 1, 2), ("tanh", 1, 99)):
        bench.run[0.01, seed, arm] = at_epoch(epochs, outcome, 9)
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    assert judged(experiment, asked, find_arms(experiment, bench)) == pytest.approx([4.5 / 1.5])

"""Which trials an experiment needs next: the search for every arm's learning rate, then the seeds.

The next trials follow from the finished ones alone, so an experiment can be stopped and resumed, on
this machine or on another, and no trial runs twice.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from alexnet.experiments.experiment import EPOCHS, Comparison, Experiment, Score
from alexnet.experiments.finished import Finished
from alexnet.experiments.trial import HELD_OUT, TEST, Outcome, Trial

T = TypeVar("T")
SEARCH_SEED = 100
#: The numbers of seeds with which a claim is judged. A rule that looks after every seed, and stops at the
#: first verdict, finds one too often: between these numbers the seeds that came last do not count yet.
LOOKS = (5, 10, 20)
RATE_FACTOR = 10**0.5
FEWEST = 3  # trials of a search: the best learning rate and its neighbours
FARTHEST = 4  # steps from the first learning rate, while no trial has learned anything


def search_trial(experiment: Experiment, arm: str, k: float, found: Mapping[float, Score]) -> Trial:
    """Return the trial at the k-th learning rate above the one where the arm's search starts.

    A race is judged by its training images, and stopped when it can no longer be the fastest.

    Args:
        experiment: of the arm.
        arm: its name.
        k: the index of the learning rate.
        found: the scores at other indices.
    """
    split = HELD_OUT if experiment.stop_error is None else TEST
    rate = rate_at(experiment.arms[arm].learning.rate, k)
    trial = experiment.trial(arm, rate=rate, seed=SEARCH_SEED, split=split)
    fastest = min((score[0] for score in found.values()), default=math.inf)
    if experiment.stop_error is None or fastest == math.inf:
        return trial
    learning = replace(trial.of.learning, epochs=min(trial.epochs, math.ceil(fastest + 0.5)))
    return replace(trial, of=replace(trial.of, learning=learning))


def trials_of(experiment: Experiment, arm: str, found: "Found") -> list[Trial]:
    """Return the trials that the results of an arm are of: those of its search, and its seeds."""
    split = HELD_OUT if experiment.stop_error is None else TEST
    tried = [experiment.trial(arm, rate=rate, seed=SEARCH_SEED, split=split) for rate in found.scores]
    return tried + [experiment.trial(arm, rate=found.rate, seed=seed, split=TEST) for seed in found.runs]


def searched(experiment: Experiment, arm: str, finished: Finished) -> dict[float, Score]:
    """Return the score at every learning rate that the search has tried, by its index above the first one.

    It tries one after the other, the first of those wanted, as if no two trials ran at the same time: the
    result depends neither on their number nor on their order. What was run early counts when its turn comes.
    """
    found: dict[float, Score] = {}
    while places := wanted(found, fine=experiment.fine):
        outcome = finished.find(search_trial(experiment, arm, places[0], found))
        if outcome is None:
            break
        found[places[0]] = experiment.score(outcome)
    return found


def wanted(found: Mapping[float, Score], *, fine: bool = False) -> list[float]:
    """Return the indices needed next, in their order; none if the best learning rate has both its neighbours.

    The first or last learning rate tried is never a result: the search continues beyond it. If no trial
    learned anything at any of them, both ends are extended, as they can be too small or too large, the one
    nearer to the start first.

    Args:
        found: the scores so far.
        fine: whether the neighbours halfway to these are needed too; their indices are halves.
    """
    if not found:
        return [0]
    best = best_place(found)
    if not learned(found[best]):
        ends = sorted((min(found) - 1, max(found) + 1), key=abs)
        return [k for k in ends if abs(k) <= FARTHEST]
    if best % 1:  # between two that are worse
        return []
    places = [k for k in (best - 1, best + 1) if k not in found]
    return places or [k for k in (best - 0.5, best + 0.5) if fine and k not in found]


def learned(score: Score) -> bool:
    """Whether a trial with this score has learned anything."""
    return any(map(math.isfinite, score))


def best_place(found: Mapping[float, Score]) -> float:
    """Return the index of the best learning rate; of equals the one nearer to the start of the search."""
    return min(found, key=lambda k: (found[k], abs(k)))


def rate_at(first_rate: float, k: float) -> float:
    """Return the k-th learning rate above the first on the grid of powers of sqrt(10), to three digits."""
    first_power = round(math.log(first_rate, RATE_FACTOR))
    return float(f"{RATE_FACTOR ** (first_power + k):.3g}")


def pending(
    experiment: Experiment, finished: Finished, seeds: Sequence[int], arms: Iterable[str] = ()
) -> list[Trial]:
    """Return the trials that can be run now, the first ones first.

    Args:
        experiment: what is measured.
        finished: its finished trials.
        seeds: to be run at every arm's best learning rate, where it learns anything.
        arms: those that are asked for; none: all.
    """
    todo = []
    for arm in arms or experiment.arms:
        found = searched(experiment, arm, finished)
        trials = [search_trial(experiment, arm, k, found) for k in wanted(found, fine=experiment.fine)]
        if not trials and learned(found[best_place(found)]):
            rate = rate_at(experiment.arms[arm].learning.rate, best_place(found))
            trials = [experiment.trial(arm, rate=rate, seed=seed, split=TEST) for seed in seeds]
        todo += [trial for trial in trials if finished.find(trial) is None]
    return todo


@dataclass(frozen=True, kw_only=True)
class Found:
    """The results of an arm's finished trials.

    Attributes:
        scores: by the learning rate, rising.
        settled: whether the best learning rate has both its neighbours.
        refined: whether it has those halfway to them too, where the experiment wants them.
        rate: the best learning rate.
        runs: the outcome of every finished seed at that learning rate.
        failed: whether the search has ended without a result, as no trial learned anything.
        lower_unfitted: the learning rate at which a network that fits its images too little for the
            experiment has the lowest measure of all; None where no such network has.
    """

    scores: dict[float, Score]
    settled: bool
    rate: float
    runs: dict[int, Outcome]
    failed: bool = False
    refined: bool = True
    lower_unfitted: float | None = None


def find_arms(experiment: Experiment, finished: Finished) -> dict[str, Found]:
    """Return the results of each arm with a finished trial."""
    found = {}
    for arm, entry in experiment.arms.items():
        scores = searched(experiment, arm, finished)
        if not scores:
            continue
        best, ended = best_place(scores), not wanted(scores)
        rate = rate_at(entry.learning.rate, best)
        runs = {}
        for seed in finished.seeds():
            outcome = finished.find(experiment.trial(arm, rate=rate, seed=seed, split=TEST))
            if outcome is not None and seed != SEARCH_SEED:
                runs[seed] = outcome
        found[arm] = Found(
            scores={rate_at(entry.learning.rate, k): scores[k] for k in sorted(scores)},
            settled=ended and learned(scores[best]),
            rate=rate,
            runs=runs,
            failed=ended and not learned(scores[best]),
            refined=not wanted(scores, fine=experiment.fine),
            lower_unfitted=lower_unfitted(experiment, arm, finished, scores),
        )
    return found


def lower_unfitted(
    experiment: Experiment, arm: str, finished: Finished, scores: Mapping[float, Score]
) -> float | None:
    """Return the learning rate of the lowest measure of a search, where that trial does not fit its images.

    None too where no trial fits: then there is no other to be lower than.
    """
    lowest, at = scores[best_place(scores)][0], None
    if experiment.fit is None or math.isinf(lowest):
        return None
    for k, (score, _) in scores.items():
        outcome = finished.find(search_trial(experiment, arm, k, scores))
        if math.isinf(score) and outcome is not None:
            measure = experiment.measure(outcome, experiment.tuned_by)
            if measure < lowest:
                lowest, at = measure, rate_at(experiment.arms[arm].learning.rate, k)
    return at


def count_missing(found: Found | None, seeds: Sequence[int], *, fine: bool = False) -> int:
    """Return how many trials an arm lacks, at least: those of its search and those of the seeds.

    Args:
        found: what its finished trials show; None: it has none.
        seeds: that it is to have.
        fine: whether its search ends on the finer grid.
    """
    if found is None:
        return FEWEST + 2 * fine + len(seeds)
    if found.failed:
        return 0
    halves = 0 if found.refined else 2 - sum(half_way(rate, found.rate) for rate in found.scores)
    searching = halves if found.settled else max(1, FEWEST - len(found.scores)) + 2 * fine
    return searching + len(set(seeds) - found.runs.keys())


def half_way(rate: float, best: float) -> bool:
    """Whether a learning rate lies halfway between the best one and a neighbour."""
    return round(4 * math.log10(rate / best)) in (-1, 1)


def count_fitting(found: Found) -> int:
    """At how many learning rates of its search an arm fits its images; the others score infinity."""
    return sum(math.isfinite(first) for first, _ in found.scores.values())


def missing_rates(names: Sequence[str], arms: Mapping[str, Found]) -> str:
    """Say of which arms the search has ended without a learning rate; nothing if there are none."""
    failed = [name for name in names if name in arms and arms[name].failed]
    learn = "learn" if len(failed) > 1 else "learns"
    return f"a learning rate at which {' and '.join(failed)} {learn} anything" if failed else ""


def judged(
    experiment: Experiment, asked: Comparison, arms: Mapping[str, Found], *, late: float = 0.0
) -> list[float]:
    """Return by how much the better arm has the smaller measure, seed by seed; of a race the ratios.

    Only the seeds that count are compared, and of these the ones with a number in both arms: a seed that was
    lost is not replaced by another.

    Args:
        experiment: that measures it.
        asked: the comparison.
        arms: what the finished trials show.
        late: the epochs by which a race's errors are dated later than the middle of the epoch that they are
            counted in; half an epoch is its end.
    """
    pairs = [
        tuple(
            experiment.measure(arms[name].runs[seed], asked.measure) for name in (asked.worse, asked.better)
        )
        for seed in counted(shared_seeds(asked, arms))
    ]
    pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
    return [(a + late) / (b + late) if asked.measure == EPOCHS else a - b for a, b in pairs]


def shared_seeds(asked: Comparison, arms: Mapping[str, Found]) -> list[int]:
    """Return the seeds that both arms of a comparison have, rising."""
    better, worse = (arms[name].runs if name in arms else {} for name in (asked.better, asked.worse))
    return sorted(better.keys() & worse.keys())


def counted_runs(found: Found) -> Sequence[Outcome]:
    """Return an arm's training runs by the seeds that count, see `counted`."""
    return counted([run for _, run in sorted(found.runs.items())])


def counted(found: Sequence[T]) -> Sequence[T]:
    """Return the first 5, 10 or 20 of what there is for rising seeds; fewer than 5: all."""
    return found[: max((look for look in LOOKS if look <= len(found)), default=len(found))]

"""The choice of the next claim to measure, and of its number of seeds, for ``alexnet claims run``."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alexnet.experiments.answers import ENOUGH_SEEDS, answer
from alexnet.experiments.campaign import estimate_seconds
from alexnet.experiments.experiment import EPOCHS, Experiment
from alexnet.experiments.finished import Finished
from alexnet.experiments.search import Found, compare, find_arms

MOST_SEEDS = 20
SEARCHING = 3  # trials that a search takes at least
# How many standard errors an effect must be away from none: Student's t for a dozen seeds, and half as much
# again, since the mean will come out otherwise once more.
FAR = 3.3


@dataclass(frozen=True, kw_only=True)
class Step:
    """The trials that would settle a claim or narrow its interval.

    Attributes:
        id: of the claim.
        experiment: that measures it.
        arms: that it rests on.
        seeds: that all of them are to have.
        seconds: that this takes on one core by the trials so far; infinite where there are none.
    """

    id: str
    experiment: Experiment
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    seconds: float


def needed_seeds(effects: Sequence[float], *, race: bool = False) -> int:
    """Return how many seeds would separate an effect of this size from none, by the spread so far.

    Args:
        effects: differences by seed, or for a race ratios.
        race: they are ratios.
    Returns:
        at least 5, at most 20: an effect that needs more is too small to matter here.
    """
    values = [math.log(effect) for effect in effects] if race else list(effects)
    if len(values) < 2:
        return ENOUGH_SEEDS
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    if mean == 0:
        return MOST_SEEDS
    return min(MOST_SEEDS, max(ENOUGH_SEEDS, math.ceil((FAR * deviation / mean) ** 2)))


def next_step(experiment: Experiment, arms: Mapping[str, Found], finished: Finished, id: str) -> Step | None:
    """Return the trials for a claim; None if it is settled, or has all the seeds it is given.

    Their number is decided once, from the first five: a rule that looks again after every seed, and stops at
    the first verdict, finds a verdict too often.
    """
    known = answer(experiment, arms, id)
    if known is not None and known.settled:
        return None
    count = len(experiment.seeds)
    for asked in experiment.answers[id]:
        first = compare(experiment, asked, arms)[:ENOUGH_SEEDS]
        if len(first) == ENOUGH_SEEDS:
            count = max(count, needed_seeds(first, race=asked.measure == EPOCHS))
    seeds = tuple(range(count))
    missing: dict[str, int] = {}
    names = dict.fromkeys(name for asked in experiment.answers[id] for name in (asked.better, asked.worse))
    for name in names:
        found = arms.get(name)
        searching = SEARCHING if found is None or not found.settled else 0
        missing[name] = searching + len(set(seeds) - (found.runs.keys() if found else set()))
    if not any(missing.values()):
        return None
    seconds = estimate_seconds(experiment, finished, missing)
    return Step(id=id, experiment=experiment, arms=tuple(names), seeds=seeds, seconds=seconds)


def steps(experiments: Mapping[str, tuple[Experiment, Finished]], ids: Sequence[str]) -> list[Step]:
    """Return the trials for these claims, the shortest first.

    Args:
        experiments: by name, with their finished trials.
        ids: of the claims; those that no experiment measures are skipped.
    """
    found = []
    for experiment, finished in experiments.values():
        arms = find_arms(experiment, finished)
        for id in experiment.answers:
            if id in ids and (step := next_step(experiment, arms, finished, id)):
                found.append(step)
    return sorted(found, key=lambda step: step.seconds)

"""The choice of the next claim to measure, and of its number of seeds, for ``alexnet claims run``."""

import itertools
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from alexnet.experiments.answers import (
    DATINGS,
    LOOK_LEVEL,
    ROUNDS,
    additive_effects,
    answer,
    compared,
    is_beyond_seeds,
    made_together,
    may_have_factor,
)
from alexnet.experiments.campaign import estimate_seconds
from alexnet.experiments.experiment import EPOCHS, Experiment
from alexnet.experiments.finished import Finished
from alexnet.experiments.intervals import chance_of_decision, p_value
from alexnet.experiments.search import (
    LOOKS,
    Found,
    count_missing,
    counted,
    find_arms,
    missing_rates,
    shared_seeds,
)

EVEN = 0.5  # the chance that a comparison is decided of which nothing is known


@dataclass(frozen=True, kw_only=True)
class Step:
    """The trials that would settle a claim or narrow its interval.

    Attributes:
        id: of the claim.
        experiment: that measures it.
        arms: that it rests on.
        seeds: that all of them are to have.
        seconds: that this takes on one core by the trials so far; infinite where there are none.
        chance: that the claim is settled by it, roughly.
        goal: the number of seeds with which the chance for each second is the highest, that of this step or
            of a later look.
        goal_chance: that the claim is settled by so many.
        worth: that chance for each second; by it claims are put in their order.
    """

    id: str
    experiment: Experiment
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    seconds: float
    chance: float
    goal: int
    goal_chance: float
    worth: float


def next_step(experiment: Experiment, arms: Mapping[str, Found], finished: Finished, id: str) -> Step | None:
    """Return the trials for a claim; None if it is settled, or has all the seeds it is given or can have.

    The number of seeds is the next of `LOOKS`, with which the claim is judged. A claim that the experiment
    cannot decide gets the fewest, which give it an interval; so does one that no seeds can decide any
    more, see `is_beyond_seeds`.
    """
    known = answer(experiment, arms, id)
    names = compared(experiment.answers[id])
    if (known is not None and known.settled) or missing_rates(names, arms):
        return None
    found, undecidable = [], id in experiment.limits or is_beyond_seeds(experiment, arms, id)
    for count in LOOKS[: 1 if undecidable else None]:
        missing = {name: count_missing(arms.get(name), range(count), fine=experiment.fine) for name in names}
        if any(missing.values()):
            seconds = estimate_seconds(experiment, finished, missing)
            found.append((count, seconds, chance_of_verdict(experiment, arms, id, count)))
    if not found:
        return None
    count, seconds, chance = found[0]
    goal, its_seconds, its_chance = max(found, key=lambda look: look[2] / look[1])
    return Step(
        id=id,
        experiment=experiment,
        arms=names,
        seeds=tuple(range(count)),
        seconds=seconds,
        chance=chance,
        goal=goal,
        goal_chance=its_chance,
        worth=its_chance / its_seconds,
    )


def chance_of_verdict(experiment: Experiment, arms: Mapping[str, Found], id: str, num_seeds: int) -> float:
    """Estimate the chance that a claim is settled by so many seeds, for the order in which claims are run.

    It is that of the comparison which is least clear by the effects so far, and of a race by the dating of
    errors by which it is least clear, at the level that passes the correction for the number of comparisons
    whatever the others give. It is 0 where a seed is lost, since that stays; of a factor where no setup has
    it, since others cannot contradict it; and where the mean effect has another sign by another dating.
    Whether the arms will fit their images is left out.

    Args:
        experiment: of the claim.
        arms: what its finished trials show.
        id: of the claim.
        num_seeds: that every arm of the claim will have.
    """
    beyond = is_beyond_seeds(experiment, arms, id) or not may_have_factor(experiment, arms, id)
    if id in experiment.limits or beyond:
        return 0.0
    figure, level = experiment.figures.get(id), LOOK_LEVEL / len(made_together(experiment))
    chances = []
    for asked, late in itertools.product(experiment.answers[id], DATINGS):
        effects, first = (additive_effects(experiment, asked, arms, late=when) for when in (late, 0.0))
        if len(effects) < len(counted(shared_seeds(asked, arms))) or (sum(effects) > 0) != (sum(first) > 0):
            return 0.0
        if not all(arms[name].refined for name in (asked.better, asked.worse) if name in arms):
            chances.append(EVEN)  # another learning rate may be the best one
            continue
        if asked.measure == EPOCHS and figure is not None and len(effects) > 1:
            effects = from_nearest_end(effects, figure)
        if len(effects) == num_seeds:
            chances.append(float(p_value(effects) < level))
        else:
            chances.append(chance_of_decision(effects, num_seeds, level) if len(effects) > 1 else EVEN)
    return min(chances)


def from_nearest_end(logs: Sequence[float], figure: float) -> list[float]:
    """Return logarithms of ratios less that of the nearest end of the factors that round to a figure."""
    mean, ends = statistics.fmean(logs), [math.log(figure + side * ROUNDS) for side in (-1, 1)]
    nearest = min(ends, key=lambda end: abs(mean - end))
    return [each - nearest for each in logs]


def steps(experiments: Mapping[str, tuple[Experiment, Finished]], ids: Collection[str]) -> list[Step]:
    """Return the trials for these claims, first those that promise most verdicts for their time.

    Args:
        experiments: by name, with their finished trials; of several that answer a claim the best first. Those
            behind one that has an answer are left alone, since the ledger shows the first answer.
        ids: of the claims; those that no experiment measures are skipped.
    """
    found, answered = [], set()
    for experiment, finished in experiments.values():
        arms = find_arms(experiment, finished)
        for id in experiment.answers:
            if id not in ids or id in answered:
                continue
            if step := next_step(experiment, arms, finished, id):
                found.append(step)
            if answer(experiment, arms, id) is not None:
                answered.add(id)
    return sorted(found, key=lambda step: (-step.worth, not step.chance, step.seconds))

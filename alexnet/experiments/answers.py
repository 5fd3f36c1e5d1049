"""The finding of finished trials on a claim: an effect with its interval, and the verdict."""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.campaign import compute_interval
from alexnet.experiments.experiment import EARLY, EPOCHS, GAP, Comparison, Experiment
from alexnet.experiments.intervals import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Interval,
    holm,
    p_value,
    verdict,
)
from alexnet.experiments.search import Found, compare, missing_rates

ENOUGH_IMAGES = 10_000
#: The numbers of seeds with which a claim is judged. A rule that looks after every seed, and stops at the
#: first verdict, finds one too often: between these numbers the seeds that came last do not count yet.
LOOKS = (5, 10, 20)
ENOUGH_SEEDS = LOOKS[0]
#: The significance level of each of three such looks, so that by chance alone one of them gives a verdict
#: once in twenty times (Pocock, 1977; found here by simulation, as the seeds are few).
LOOK_LEVEL = 0.019
MEASURES = {
    "error": "test error",
    "loss": "test loss",
    "train_error": "training error",
    "train_loss": "training loss",
    GAP: "test less training error",
    EARLY: "training loss at the beginning",
}
FITTED = ("error", "loss", GAP)  # compared between networks that have converged
UNDECIDED = "more seeds, since chance alone may explain the effect"
ONE_OF_MANY = "more seeds, since among as many comparisons as are made together chance may explain the effect"
LOSSES = ("loss", "train_loss", EARLY)  # in nats, not in percentage points


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An experiment's finding on a claim.

    Attributes:
        shown: the effects with their intervals, for people.
        verdict: supported if every comparison supports the claim, contradicted if one contradicts it.
        basis: data, seeds and scale.
        lacking: what is missing for a verdict; empty if nothing is.
    """

    shown: str
    verdict: str
    basis: str
    lacking: list[str]

    @property
    def settled(self) -> bool:
        """Whether the verdict is one."""
        return self.verdict != INCONCLUSIVE


def experiment_for(id: str) -> Experiment | None:
    """Return the experiment that measures a claim, None if there is none."""
    return next((known for known in EXPERIMENTS.values() if id in known.answers), None)


def answer(experiment: Experiment, arms: Mapping[str, Found], id: str) -> Answer | None:
    """Return an experiment's finding on a claim; None before all its arms have two seeds.

    Args:
        experiment: that has the claim among its answers.
        arms: what its finished trials show.
        id: of the claim.
    """
    comparisons = experiment.answers[id]
    effects = [compute_interval(asked.measure, judged(experiment, asked, arms)) for asked in comparisons]
    count = min(effect.num_values for effect in effects)
    if count < 2:
        return None
    p_values = corrected(experiment, arms)
    verdicts = {
        verdict(effect, nothing=choose_null_value(asked), corrected_p=p_values[asked], level=LOOK_LEVEL)
        for asked, effect in zip(comparisons, effects, strict=True)
    }
    lacking = lacks(experiment, comparisons, arms, count)
    given = INCONCLUSIVE if lacking else all_together(verdicts)
    if given == INCONCLUSIVE and not lacking:
        nulls = map(choose_null_value, comparisons)
        clear = not any(effect.contains(null) for effect, null in zip(effects, nulls, strict=True))
        lacking = [ONE_OF_MANY if clear else UNDECIDED]
    pairs = zip(comparisons, effects, strict=True)
    return Answer(
        shown="; ".join(describe_effect(asked, effect) for asked, effect in pairs),
        verdict=given,
        basis=f"{experiment.num_train:,} training images of CIFAR-10, {count} seeds, "
        "every arm at its own learning rate; interval of 95%",
        lacking=lacking,
    )


def judged(experiment: Experiment, asked: Comparison, arms: Mapping[str, Found]) -> Sequence[float]:
    """Return a comparison's effects by the seeds that count: the first 5, 10 or 20 of them."""
    return counted(compare(experiment, asked, arms))


def counted(found: Sequence[float]) -> Sequence[float]:
    """Return the first 5, 10 or 20 numbers of those that there are for rising seeds; fewer than 5: all."""
    return found[: max((look for look in LOOKS if look <= len(found)), default=len(found))]


def all_together(verdicts: Collection[str]) -> str:
    """Return the verdict on a claim that says several things: supported where all are."""
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts else SUPPORTED


def choose_null_value(asked: Comparison) -> float:
    """Return the value of no effect."""
    return 1.0 if asked.measure == EPOCHS else 0.0


def describe_effect(asked: Comparison, effect: Interval) -> str:
    """Describe an effect with its interval and the arms compared."""
    if asked.measure == EPOCHS:
        shown = f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times as many epochs"
    elif asked.measure in LOSSES:
        shown = (
            f"{effect.mean:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}] nats of {MEASURES[asked.measure]}"
        )
    else:
        shown = f"{effect.in_points()} points of {MEASURES[asked.measure]}"
    return f"{shown}, *{asked.worse}* against *{asked.better}*"


def corrected(experiment: Experiment, arms: Mapping[str, Found]) -> Mapping[Comparison, float]:
    """Return the p-values of an experiment's comparisons, corrected for being made together."""
    found = {}
    for asked in dict.fromkeys(one for comparisons in experiment.answers.values() for one in comparisons):
        effects = judged(experiment, asked, arms)
        found[asked] = p_value([math.log(x) for x in effects] if asked.measure == EPOCHS else effects)
    return holm(found)


def lacks(
    experiment: Experiment, comparisons: Sequence[Comparison], arms: Mapping[str, Found], count: int
) -> list[str]:
    """Return what is missing for a verdict.

    Args:
        experiment: that gives it.
        comparisons: that it rests on.
        arms: what the finished trials show.
        count: seeds that all the comparisons have.
    """
    said = []
    if count < ENOUGH_SEEDS:
        said.append(f"{count} seeds of at least {ENOUGH_SEEDS}")
    if experiment.num_train < ENOUGH_IMAGES:
        said.append(f"{experiment.num_train:,} training images of at least {ENOUGH_IMAGES:,}")
    for name in compared([asked for asked in comparisons if asked.measure in FITTED]):
        trained = counted([run.train_error for _, run in sorted(arms[name].runs.items())])
        if experiment.fit is not None and statistics.fmean(trained) > experiment.fit:
            said.append(f"the mean training error of {name} is above {experiment.fit:.0%}")
    for asked in comparisons:
        for name in (asked.better, asked.worse):
            runs = arms[name].runs.values()
            lost = sum(not math.isfinite(experiment.measure(run, asked.measure)) for run in runs)
            if lost:
                ended = "did not reach the target" if asked.measure == EPOCHS else "diverged"
                said.append(f"{lost} seed{'s' * (lost > 1)} of {name} {ended}")
    names = compared(comparisons)
    searching = [name for name in names if not (arms[name].settled or arms[name].failed)]
    if searching:
        said.append(f"the search for the learning rate of {' and '.join(searching)} has not ended")
    if missing := missing_rates(names, arms):
        said.append(missing)
    return said


def compared(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the names of the arms that comparisons rest on, each once."""
    return tuple(dict.fromkeys(name for asked in comparisons for name in (asked.better, asked.worse)))

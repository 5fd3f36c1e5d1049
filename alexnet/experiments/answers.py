"""What the engine's finished trials answer to a claim: an effect with its interval, and a verdict from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.campaign import interval_of
from alexnet.experiments.experiment import EPOCHS, GAP, Comparison, Experiment
from alexnet.experiments.intervals import INCONCLUSIVE, Interval, holm, p_value, verdict
from alexnet.experiments.search import Found, compare

ENOUGH_SEEDS, ENOUGH_IMAGES = 5, 10_000
MEASURES = {
    "error": "test error",
    "loss": "test loss",
    "train_error": "training error",
    "train_loss": "training loss",
    GAP: "test less training error",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an experiment answers to a claim.

    Attributes:
        shown: the effect with its interval, for people.
        verdict: supported, contradicted or inconclusive.
        basis: data, seeds and scale.
        lacking: what must be there before there is a verdict; empty where all is.
        effect: the interval, of a race that of the ratio.
        settled: the verdict is not inconclusive.
    """

    shown: str
    verdict: str
    basis: str
    lacking: list[str]
    effect: Interval

    @property
    def settled(self) -> bool:
        """Whether the verdict is one."""
        return self.verdict != INCONCLUSIVE


def experiment_for(id: str) -> Experiment | None:
    """Return the experiment that answers a claim, None where there is none."""
    return next((known for known in EXPERIMENTS.values() if id in known.answers), None)


def answer(experiment: Experiment, arms: Mapping[str, Found], id: str) -> Answer | None:
    """Return what an experiment answers to a claim; None before both its arms have two seeds.

    Args:
        experiment: that has the claim among its answers.
        arms: what its finished trials show.
        id: of the claim.
    """
    asked = experiment.answers[id]
    effect = interval_of(asked.measure, compare(experiment, asked, arms))
    if effect.num_values < 2:
        return None
    lacking = lacks(experiment, asked, arms, effect)
    race = asked.measure == EPOCHS
    judged = verdict(effect, nothing=1.0 if race else 0.0, corrected_p=corrected(experiment, arms)[id])
    if race:
        shown = f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times as many epochs"
    else:
        shown = f"{effect.in_points()} points of {MEASURES[asked.measure]}"
    return Answer(
        shown=f"{shown}, *{asked.worse}* against *{asked.better}*",
        verdict=INCONCLUSIVE if lacking else judged,
        basis=f"{experiment.num_train:,} training images of CIFAR-10, {effect.num_values} seeds, "
        "every arm at its own learning rate; interval of 95%",
        lacking=lacking,
        effect=effect,
    )


def corrected(experiment: Experiment, arms: Mapping[str, Found]) -> Mapping[str, float]:
    """Return the p-values of an experiment's answers, corrected for being given together."""
    found = {}
    for id, asked in experiment.answers.items():
        effects = compare(experiment, asked, arms)
        found[id] = p_value([math.log(x) for x in effects] if asked.measure == EPOCHS else effects)
    return holm(found)


def lacks(
    experiment: Experiment, asked: Comparison, arms: Mapping[str, Found], effect: Interval
) -> list[str]:
    """Say what an answer lacks to be a verdict."""
    said = []
    if effect.num_values < ENOUGH_SEEDS:
        said.append(f"{effect.num_values} seeds of at least {ENOUGH_SEEDS}")
    if experiment.num_train < ENOUGH_IMAGES:
        said.append(f"{experiment.num_train:,} training images of at least {ENOUGH_IMAGES:,}")
    searching = [name for name in (asked.better, asked.worse) if not arms[name].settled]
    if searching:
        said.append(f"the search for the learning rate of {' and '.join(searching)} goes on")
    return said

"""Learning-rate schedules: decay when the validation error stalls (paper 5), as logged in 2012, or late.

A schedule is a function of the epoch and of the validation errors so far, and has no other state: a training
that is resumed needs the list of errors and nothing more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from alexnet import paper
from alexnet.config import LearningConfig

PLATEAU_THRESHOLD = 0.001  # gains up to this do not count: 50 of the 50,000 validation images


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The learning rates of a schedule, and the settings that change with them.

    Attributes:
        conv1_rate: learning rate of conv1's weights; 0 freezes conv1, its biases as well.
        weight_rate: learning rate of the other layers' weights; 0 freezes.
        bias_rate: learning rate of the biases; 0 freezes.
        colour_noise: whether the training images get it.
        finished: the training is over.
    """

    conv1_rate: float
    weight_rate: float
    bias_rate: float
    colour_noise: bool = True
    finished: bool = False


class Stage(NamedTuple):
    """The state from an epoch on: how often each learning rate has been divided by 10, None for frozen."""

    epoch: float
    conv1_cuts: int | None
    weight_cuts: int | None
    bias_cuts: int | None
    colour_noise: bool


@dataclass(frozen=True, kw_only=True)
class StagedSchedule:
    """A schedule that was fixed beforehand.

    Attributes:
        stages: in the order of their epochs, the first at 0.
        num_epochs: where the training ends.
        rate: learning rate of weights before the first decay step.
        bias_rate: learning rate of biases before the first decay step.
    """

    stages: tuple[Stage, ...]
    num_epochs: float
    rate: float = paper.LEARNING_RATE
    bias_rate: float = paper.LEARNING_RATE

    def rates(self, epoch: float, errors: Sequence[float] = ()) -> Rates:
        """Return what holds at an epoch.

        Args:
            epoch: how often the training set has been passed through, with the fraction of the pass begun.
            errors: not used; the errors decide in `PlateauSchedule`.
        """
        stage = [stage for stage in self.stages if stage.epoch <= epoch][-1]
        return Rates(
            conv1_rate=after_cuts(self.rate, stage.conv1_cuts),
            weight_rate=after_cuts(self.rate, stage.weight_cuts),
            bias_rate=after_cuts(self.bias_rate, stage.bias_cuts),
            colour_noise=stage.colour_noise,
            finished=epoch >= self.num_epochs,
        )


@dataclass(frozen=True, kw_only=True)
class PlateauSchedule:
    """Divide all learning rates by 10 when the validation error has stopped improving (paper 5).

    That happens three times; when the error stalls once more the training ends. The paper's authors judged by
    eye; here the error has stalled when none of `patience` validations in a row is lower by more than
    `threshold` than the last one that was such a gain. The count restarts after a decay step, that error
    remains.

    Attributes:
        patience: validations, at least 1.
        threshold: a fraction of the validation images, as the errors are; how little is no gain.
        num_epochs: where the training ends at the latest.
        rate: learning rate of weights before the first decay step.
        bias_rate: learning rate of biases before the first decay step.
    """

    patience: int
    num_epochs: float
    threshold: float = PLATEAU_THRESHOLD
    rate: float = paper.LEARNING_RATE
    bias_rate: float = paper.LEARNING_RATE

    def __post_init__(self):
        if self.patience < 1:
            raise ValueError(f"patience must be at least 1 validation, got {self.patience}")
        if self.threshold < 0:
            raise ValueError(f"threshold must not be negative, got {self.threshold}")

    def rates(self, epoch: float, errors: Sequence[float] = ()) -> Rates:
        """Return what holds at an epoch after these validation errors, the first one first."""
        stalls = num_stalls(errors, patience=self.patience, threshold=self.threshold)
        cuts = min(stalls, paper.LEARNING_RATE_DROPS)
        rate = after_cuts(self.rate, cuts)
        return Rates(
            conv1_rate=rate,
            weight_rate=rate,
            bias_rate=after_cuts(self.bias_rate, cuts),
            finished=stalls > paper.LEARNING_RATE_DROPS or epoch >= self.num_epochs,
        )


Schedule = StagedSchedule | PlateauSchedule

# Decay steps of the two runs of the paper's network, by the run notes that their authors kept in the files
# layers/layer-params-145.cfg (ILSVRC-2012) and layers/layer-params-145-2010.cfg (ILSVRC-2010) of the 2012
# code as the Computer History Museum released it. See `logged` for what the notes leave open.
LOGGED = {
    "logged-2012": StagedSchedule(
        stages=(
            Stage(0, 0, 0, 0, True),
            Stage(25, 1, 1, 0, True),
            Stage(51, 2, 2, 0, True),
            Stage(67, 3, 2, 0, False),
            Stage(72, None, 2, 0, False),
            Stage(79, None, 3, 0, False),
        ),
        num_epochs=91,
    ),
    "logged-2010": StagedSchedule(
        stages=(
            Stage(0, 0, 0, 0, True),
            Stage(23, 1, 1, 1, True),
            Stage(51, 2, 2, 1, True),
            Stage(68, 3, 2, 1, False),
            Stage(72, None, 2, 1, False),
            Stage(78, None, 3, 1, False),
        ),
        num_epochs=93,
    ),
}

# For short trainings: most of the logged epochs have small learning rates, which need many epochs.
LATE = StagedSchedule(
    stages=(
        Stage(0, 0, 0, 0, True),
        Stage(60, 1, 1, 1, True),
        Stage(80, 2, 2, 2, True),
        Stage(93, 3, 3, 3, True),
    ),
    num_epochs=100,
)


def logged(name: str, *, rate: float, bias_rate: float) -> StagedSchedule:
    """Return the schedule of one of the two runs of the paper's network.

    The run notes give the epochs at which the weights' learning rate was divided by 10 (three times), those
    at which conv1 was decayed a third time and the PCA colour augmentation switched off (at the same epoch)
    and conv1 frozen, and the end. They count epochs from 1 and do not say after which batch; here each change
    comes at the end of that epoch. They say nothing of the biases. Their last saved rate is 0.02 in the run
    on ILSVRC-2012, the initial value, so it was not decayed; in the run on ILSVRC-2010 it is 0.002, so it was
    decayed once. The epoch is our guess: that of the weights' first decay step, as in an earlier network
    whose settings of every stage are kept (layer-params-120-4gpu-auto2 to 6). In both runs the biases of
    conv1 have the rate 0, as its weights: that they were frozen together is the step of auto4 to auto5 there.

    Args:
        name: "logged-2012" or "logged-2010".
        rate: learning rate of weights before the first decay step; 0.01 in both runs.
        bias_rate: learning rate of biases before the first decay step; 0.02 in both runs.
    """
    return replace(LOGGED[name], rate=rate, bias_rate=bias_rate)


def constant(*, rate: float, bias_rate: float, num_epochs: float) -> StagedSchedule:
    """Return the schedule that changes nothing until the training ends."""
    return StagedSchedule(
        stages=(Stage(0, 0, 0, 0, True),), num_epochs=num_epochs, rate=rate, bias_rate=bias_rate
    )


def stretched(schedule: StagedSchedule, num_epochs: float) -> StagedSchedule:
    """Return the same schedule squeezed or stretched to another length; its epochs may then be fractions.

    Args:
        schedule: of any length.
        num_epochs: of the result, positive.
    Raises:
        ValueError: the length is not positive.
    """
    if not num_epochs > 0:
        raise ValueError(f"num_epochs must be positive, got {num_epochs}")
    length = schedule.num_epochs
    # Not times a factor: its rounding would make some changes a step too late.
    stages = tuple(stage._replace(epoch=stage.epoch * num_epochs / length) for stage in schedule.stages)
    return replace(schedule, stages=stages, num_epochs=num_epochs)


def schedule_for(learning: LearningConfig) -> Schedule:
    """Return the schedule of a recipe, with its learning rates and its length.

    Args:
        learning: schedule, rate, bias_rate_factor, epochs, plateau_patience.
    """
    rates = {"rate": learning.rate, "bias_rate": learning.rate * learning.bias_rate_factor}
    if learning.schedule in LOGGED:
        return stretched(logged(learning.schedule, **rates), learning.epochs)
    if learning.schedule == "late":
        return stretched(replace(LATE, **rates), learning.epochs)
    if learning.schedule == "plateau":
        return PlateauSchedule(patience=learning.plateau_patience, num_epochs=learning.epochs, **rates)
    return constant(**rates, num_epochs=learning.epochs)


def apply_rates(optimizer: torch.optim.Optimizer, rates: Rates) -> None:
    """Set the learning rates of an optimizer whose groups have the names of `alexnet.optim.sgd.param_groups`.

    If a group has a "factor", its learning rate is multiplied by it.

    Raises:
        ValueError: a group has another name or none.
    """
    of_group = {
        "conv1.weight": rates.conv1_rate,
        "conv1.bias": 0.0 if rates.conv1_rate == 0 else rates.bias_rate,
        "weight": rates.weight_rate,
        "bias": rates.bias_rate,
    }
    for group in optimizer.param_groups:
        if group.get("name") not in of_group:
            raise ValueError(f"a group must be one of {', '.join(of_group)}; got {group.get('name')!r}")
        group["lr"] = of_group[group["name"]] * group.get("factor", 1.0)


def after_cuts(rate: float, cuts: int | None) -> float:
    """Return the learning rate divided by 10 for each decay step; 0 for None, which is frozen."""
    return 0.0 if cuts is None else rate / paper.LEARNING_RATE_DIVISOR**cuts


def num_stalls(errors: Sequence[float], *, patience: int, threshold: float) -> int:
    """Count how often `patience` errors in a row have not been below the lowest before by `threshold`."""
    lowest, waited, stalls = float("inf"), 0, 0
    for error in errors:
        lowest, waited = (error, 0) if error < lowest - threshold else (lowest, waited + 1)
        if waited == patience:
            stalls, waited = stalls + 1, 0
    return stalls

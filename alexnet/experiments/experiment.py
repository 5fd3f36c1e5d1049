"""Experiments: the arms that they compare, their scale, and the claims on which they give a verdict."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alexnet.experiments.arms import Arm
from alexnet.experiments.trial import GUESSING, Outcome, Trial, epochs_to

Score = tuple[float, float]
ERROR, GAP, COURSE, EPOCHS = "error", "gap", "course_loss", "epochs"
SEARCH_MARGIN = 0.75  # of the training error asked for: what a trial of the search must reach


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A comparison that settles a claim: by how much an arm does better than another.

    Attributes:
        better: the arm that does better if the claim is right.
        worse: the arm that it is compared with.
        measure: "error", "loss", "train_error", "train_loss"; "gap", error less training error;
            "course_loss", the mean of the training losses in the course of the training; or "epochs", those
            to the target of a race, of which the ratio counts.
        factor: of a race, the ratio that the claim says is exceeded.
        control: whether the worse arm is a control, of which the paper gives no figure.
    """

    better: str
    worse: str
    measure: str = ERROR
    factor: float = 1.0
    control: bool = False


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The arms to compare, the scale, and the claims on which the experiment gives a verdict.

    Attributes:
        name: under which ``alexnet experiment`` runs it.
        description: one sentence.
        network: what learns in it, for the basis of a verdict.
        arms: by name, in the order in which they are run.
        num_train: training images, of arms that do not have fewer.
        seeds: of the trials at the best learning rate, at least.
        answers: for each claim, by its id, the comparisons that must all support it, or decide it.
        figures: for a claim on which the paper gives a figure, the effect in the measure of the comparisons.
        limits: for a claim that the experiment measures and cannot decide, what it lacks for that.
        windows: measurements of the training error in an epoch.
        stop_error: of a race to this training error, see `alexnet.experiments.trial.Trial`.
        fine: whether the search also tries the learning rates halfway to the neighbours of the best one, as
            a claim that gives a factor needs.
        tuned_by: the measure that the search for the learning rate minimises; a race has its own.
        fit: the training error of arms that fit their images, at the end, in the mean over seeds; None: any.
    """

    name: str
    description: str
    network: str
    arms: Mapping[str, Arm]
    num_train: int
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    answers: Mapping[str, tuple[Comparison, ...]] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    windows: int = 1
    stop_error: float | None = None
    fine: bool = False
    tuned_by: str = ERROR
    fit: float | None = None

    def trial(self, arm: str, *, rate: float, seed: int, split: str) -> Trial:
        """Return a trial of an arm at this experiment's scale."""
        return Trial(
            arm=arm,
            of=self.arms[arm],
            rate=rate,
            seed=seed,
            num_train=self.num_images(arm),
            split=split,
            windows=self.windows,
            stop_error=self.stop_error,
        )

    def num_images(self, arm: str) -> int:
        """Return how many training images an arm has."""
        return round(self.arms[arm].part * self.num_train)

    def describe_sizes(self, arms: Iterable[str]) -> str:
        """Say how many training images arms have: "5,000 or 10,000"."""
        counts = sorted({self.num_images(arm) for arm in arms}) or [self.num_train]
        return " or ".join(f"{count:,}" for count in counts)

    def score(self, outcome: Outcome) -> Score:
        """Return what the search for the learning rate minimises: the outcome by the measure of the results.

        A training run that has learned nothing scores infinity, as differences among such runs are chance.
        One that does not fit its images scores infinity too: a low learning rate that leaves the images half
        learned often has the lower error, as any training that is stopped early. It must fit them with a
        margin, since the search sees one seed, and the others scatter around it.
        """
        if self.stop_error is None:
            if outcome.error >= GUESSING:
                return math.inf, math.inf
            fits = self.fit is None or outcome.train_error <= SEARCH_MARGIN * self.fit
            if not fits:
                return math.inf, outcome.train_loss
            return self.measure(outcome, self.tuned_by), outcome.loss
        end = statistics.fmean(outcome.errors[-self.windows :])
        epochs = epochs_to(outcome.errors, self.stop_error, windows=self.windows)
        return epochs, end if end < GUESSING else math.inf

    def measure(self, outcome: Outcome, name: str) -> float:
        """Return a measure of a comparison, see `Comparison`."""
        if name == GAP:
            return outcome.error - outcome.train_error
        if name == COURSE:
            return statistics.fmean(outcome.losses)
        if name == EPOCHS:
            assert self.stop_error is not None
            return epochs_to(outcome.errors, self.stop_error, windows=self.windows)
        return getattr(outcome, name)

"""One training run of one arm, with the measurement at its end: the basic step of every experiment.

Letters in shapes: N images, C channels, H height, W width.
"""

import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.data.catalogue import CIFAR10
from alexnet.data.statistics import compute_statistics
from alexnet.evaluation.errors import Counts, evaluate
from alexnet.experiments.arms import Arm, Inputs
from alexnet.experiments.probes import fractions_dead
from alexnet.optim.sgd import PaperSGD
from alexnet.optim.step import StepResult, shuffled_batches, train_step
from alexnet.seeds import AUGMENTATION, DROPOUT, WEIGHTS, make_generator

ORDER = 4  # tells the generator of the order of images from the others of a seed
DROP = 0.1  # factor of the learning rate at a drop
AT_ONCE = 500  # images that are evaluated together
MOST_HELD_OUT = 10_000
HELD_OUT, TEST = "held-out", "test"
HOPELESS_ERROR, HOPELESS_EPOCH = 0.6, 10  # a race that is still above this error after so many epochs ends
GUESSING = 0.85  # among ten classes 90% are guessed wrong; differences up there are chance

Labelled = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run and its measurement.

    Attributes:
        arm: its name in the experiment.
        of: the arm.
        rate: learning rate before the first drop.
        seed: of weights, order, crops and masks; all arms see a seed's images in the same order.
        num_train: training images, the first ones of the set.
        split: what is measured at the end: "held-out" training images, which come after the first num_train
            ones, or the "test" images.
        windows: measurements of the training error in an epoch.
        stop_error: a race: the training ends when the mean training error over an epoch, counted without
            dropout, is this low; None: the arm's epochs are all run.
    """

    arm: str
    of: Arm
    rate: float
    seed: int
    num_train: int
    split: str = TEST
    windows: int = 1
    stop_error: float | None = None

    @property
    def epochs(self) -> float:
        """The length of the training at most, in passes over the training images."""
        return self.of.learning.epochs

    @property
    def size(self) -> float:
        """The number of images that the training takes at most, each as often as it is taken."""
        return self.num_train * self.epochs

    def digest(self, fingerprint: str) -> str:
        """Return 12 hexadecimal digits that name the trial on a data set of this fingerprint.

        The limit of a race is left out: a longer one begins like a shorter one.
        """
        settings: dict[str, Any] = self.of.settings
        if self.stop_error is not None:
            settings["learning"].pop("epochs", None)
        told = [settings, f"{self.rate:.3g}", self.seed, self.num_train, self.split, self.windows]
        told += [self.stop_error, fingerprint]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial gave. Errors are fractions, losses nats; a number that is none is infinite.

    Attributes:
        errors: of the training batches, each before it was trained on; one for each window.
        losses: likewise.
        train_error: after the training, of 10,000 training images at most, without augmentation and dropout.
        train_loss: likewise.
        error: after the training, of the images of the trial's split.
        loss: likewise.
        epochs: how many were run.
        seconds: wall time.
        dead: of every layer with an activation function of its own the fraction of kernels whose output is 0
            everywhere for all images of train_error; empty for other networks, and in older trials.
    """

    errors: list[float]
    losses: list[float]
    train_error: float
    train_loss: float
    error: float
    loss: float
    epochs: float
    seconds: float
    dead: list[float] = field(default_factory=list)


def run_trial(
    trial: Trial,
    train: Labelled,
    test: Labelled,
    *,
    device: str = "cpu",
    on_step: Callable[[float], None] = lambda epoch: None,
) -> tuple[Outcome, nn.Module]:
    """Train a network as its trial says, and measure it once.

    Args:
        trial: what to run.
        train: (N, 3, H, W) uint8 images with (N,) int64 labels.
        test: the same for the test.
        device: of the network.
        on_step: called after each step with the number of epochs so far.
    Returns:
        the outcome, and the network in evaluation mode. Where the loss stops being a number, a training ends.
    Raises:
        ValueError: there are fewer training images than the trial wants, or they are all alike.
    """
    start, arm = time.perf_counter(), trial.of
    (images, labels), judged = (
        (arm.stored(x).to(device), y.to(device)) for x, y in parts(trial, train, test)
    )
    inputs = make_inputs(arm, images)
    weights, order, crops, masks = (
        make_generator(trial.seed, use) for use in (WEIGHTS, ORDER, AUGMENTATION, DROPOUT)
    )
    net = arm.build(weights, num_classes=int(train[1].max()) + 1)
    net = net.to(device).to(memory_format=torch.channels_last).train()
    optimizer = PaperSGD(arm.rate_groups(net, trial.rate))
    rates = [group["lr"] for group in optimizer.param_groups]
    curve = Curve(trial, len(images))
    while not curve.ended:
        for x, y in shuffled_batches(images, labels, batch_size=arm.learning.batch_size, generator=order):
            cut = DROP ** sum(curve.epoch >= part * trial.epochs for part in arm.drops)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * cut
            drawn = arm.draw_masks(len(x), masks, device)
            x = inputs.training(x, crops)
            racing = drawn and trial.stop_error is not None
            num_wrong = count_wrong(net, x, y) if racing else None
            step = train_step(partial(net, **drawn), optimizer, x, y)
            curve.add(step if num_wrong is None else replace(step, num_wrong=num_wrong))
            on_step(curve.epoch)
            if curve.ended:
                break
    net.eval()
    few = images[:MOST_HELD_OUT], labels[:MOST_HELD_OUT]
    on_train, on_judged = (count(net, inputs, *some) for some in (few, judged))
    dead = fractions_dead(net, (inputs.evaluation(some) for some in few[0].split(AT_ONCE)))
    outcome = Outcome(
        errors=curve.errors,
        losses=curve.losses,
        train_error=on_train.error_rates()["top1"],
        train_loss=on_train.mean_loss(),
        error=on_judged.error_rates()["top1"],
        loss=on_judged.mean_loss(),
        epochs=curve.epoch,
        seconds=time.perf_counter() - start,
        dead=dead,
    )
    return outcome, net


class Curve:
    """The course of a training: its windows, and whether it has ended.

    Attributes:
        errors: of each finished window.
        losses: likewise.
        epoch: how far the training is.
        ended: it is over, or has failed, or has arrived.
    """

    def __init__(self, trial: Trial, num_images: int):
        self.trial, self.num_images = trial, num_images
        steps = math.ceil(num_images / trial.of.learning.batch_size)
        if steps < trial.windows:
            raise ValueError(
                f"{num_images} training images make {steps} steps of {trial.of.learning.batch_size} an "
                f"epoch, in which {trial.windows} errors are to be measured; take more with --train-size"
            )
        self.ends = {math.ceil(i * steps / trial.windows) for i in range(1, trial.windows + 1)}
        self.last_step = math.ceil(trial.epochs * steps)
        self.errors: list[float] = []
        self.losses: list[float] = []
        self.window: list[StepResult] = []
        self.steps, self.steps_per_epoch, self.ended = 0, steps, False

    @property
    def epoch(self) -> float:
        """How often the training images have been passed through."""
        return self.steps / self.steps_per_epoch

    def add(self, step: StepResult) -> None:
        """Take a step into account."""
        self.window.append(step)
        self.steps += 1
        last = self.steps >= self.last_step
        if (self.steps - 1) % self.steps_per_epoch + 1 in self.ends or last:
            images = sum(step.num_images for step in self.window)
            self.errors.append(sum(int(step.num_wrong) for step in self.window) / images)
            self.losses.append(sum(float(step.loss) * step.num_images for step in self.window) / images)
            self.window = []
            self.ended = last or not math.isfinite(self.losses[-1]) or self.is_decided()

    def is_decided(self) -> bool:
        """Whether a race has arrived at its target, or never will."""
        if self.trial.stop_error is None or len(self.errors) < self.trial.windows:
            return False
        error = statistics.fmean(self.errors[-self.trial.windows :])
        return error <= self.trial.stop_error or (self.epoch > HOPELESS_EPOCH and error > HOPELESS_ERROR)


def epochs_to(errors: list[float], target: float, *, windows: int) -> float:
    """Return after how many epochs the training error, averaged over an epoch, has fallen to a target.

    The error falls in steps from one epoch to the next, because an image met again is known already; the mean
    over an epoch evens the steps out. Between two of those means a straight line is drawn; each stands for
    the middle of its epoch.

    Args:
        errors: of the windows.
        target: the error as a fraction.
        windows: in an epoch.
    Returns:
        epochs, or infinity if the training never got there.
    """
    means = moving_mean(errors, windows)
    for i, mean in enumerate(means):
        if mean <= target:
            at = 0.5 + i / windows
            if i == 0:
                return at
            return at - (target - mean) / (means[i - 1] - mean) / windows
    return math.inf


def moving_mean(values: list[float], width: int) -> list[float]:
    """Return the mean of every ``width`` values that follow each other; empty if there are fewer."""
    return [statistics.fmean(values[i : i + width]) for i in range(len(values) - width + 1)]


def make_inputs(arm: Arm, images: Tensor) -> Inputs:
    """Return what makes an arm's inputs, after the statistics of its training images.

    Raises:
        ValueError: the arm divides them by their deviation, and they have none.
    """
    found = compute_statistics([images.cpu()])
    factor = 1.0
    if arm.unit_variance:
        mean = found.mean_image
        squares = sum(
            float(((part.cpu() - mean) ** 2).sum(dtype=torch.float64)) for part in images.split(5000)
        )
        if squares == 0:
            raise ValueError(
                "the training images are all alike, and no factor gives them unit variance; take more of "
                "them with `--train-size`"
            )
        factor = math.sqrt(images.numel() / squares)
    return Inputs(arm=arm, statistics=found.to(images.device), factor=factor)


def parts(trial: Trial, train: Labelled, test: Labelled) -> tuple[Labelled, Labelled]:
    """Return the images and labels that a trial trains on, and those on which it is measured."""
    images, labels = train
    count = trial.num_train
    check_size(trial, len(images))
    if trial.split == TEST:
        return (images[:count], labels[:count]), test
    held = slice(max(count, len(images) - MOST_HELD_OUT), None)
    return (images[:count], labels[:count]), (images[held], labels[held])


def check_size(trial: Trial, available: int) -> None:
    """Raise ValueError unless there are the images that a trial takes.

    One that is measured on held-out images takes a tenth more than it trains on.

    Args:
        trial: to be run.
        available: training images of the data set.
    """
    if trial.num_train < 1:
        raise ValueError(
            f"the arm {trial.arm} trains on a part of the images, of which none is left; take more with "
            "`--train-size`"
        )
    asked, most, held_out = f"{trial.num_train:,} training images are asked for", available, 0
    if trial.split == HELD_OUT:
        held_out, most = trial.num_train // 10, available * 9 // 10
        asked += f", with {held_out:,} more to choose learning rates by"
    if trial.num_train + held_out > available:
        whole = CIFAR10.num_images("train")
        getting = f"`alexnet data get cifar10` gets {whole:,}, and " if available < whole else ""
        raise ValueError(
            f"{asked}, there are {available:,}; {getting}`alexnet experiment` takes fewer with "
            f"`--train-size {most}`"
        )


@torch.no_grad()
def count_wrong(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Count the wrong answers to a training batch without dropout, a 0-d tensor."""
    net.eval()
    num_wrong = (net(x).argmax(1) != labels).sum()
    net.train()
    return num_wrong


def count(net: nn.Module, inputs: Inputs, images: Tensor, labels: Tensor) -> Counts:
    """Count a network's errors on the central crops of images, without dropout."""
    batches = zip(images.split(AT_ONCE), labels.split(AT_ONCE), strict=True)
    views: Callable[[Tensor], Iterator[Tensor]] = lambda some: iter((inputs.evaluation(some),))  # noqa: E731
    return evaluate(net, batches, views=views)

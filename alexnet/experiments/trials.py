"""Training runs with a test at their end, for experiments about the test error of a small network.

Letters in shapes: N images, C channels, H height, W width.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alexnet import paper
from alexnet.evaluation.errors import error_rates
from alexnet.experiments.learning_curves import prepare, window_error
from alexnet.optim.step import shuffled_batches, train_step

LAST_PART, RATE_DROP = 0.25, 0.1

Labelled = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run and its test.

    Attributes:
        variant: which of the networks that are compared.
        rate: learning rate, divided by ten for the last quarter of the epochs.
        num_train: training images, the first ones of the set.
        held_out: train on nine tenths of them and test on the last tenth.
        channels: output channels of the convolutions.
        precision: "float32", or "bfloat16" for autocast to it in training; tests are in float32.
    """

    variant: str
    rate: float
    seed: int
    num_train: int
    epochs: int
    held_out: bool = False
    batch_size: int = paper.BATCH_SIZE
    momentum: float = paper.MOMENTUM
    channels: tuple[int, ...] = (32, 32, 64)
    precision: str = "float32"
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial gave.

    Attributes:
        train_errors: for each epoch the share of images got wrong, each before it was trained on.
        test_error: after the last epoch.
        seconds: wall time.
    """

    train_errors: list[float]
    test_error: float
    seconds: float


def run_trial(
    trial: Trial,
    build: Callable[[Trial, torch.Generator], nn.Module],
    train: Labelled,
    test: Labelled,
    on_epoch: Callable[[float, float], None] = lambda epoch, error: None,
) -> tuple[Outcome, nn.Module]:
    """Train a network on grey levels of 0..255 minus the mean image, and test it once.

    Args:
        trial: what to run.
        build: makes the trial's network; the generator draws its weights, and then the order of images.
        train: (N, 3, H, W) uint8 images with (N,) int64 labels; the first num_train count.
        test: the same for the test.
        on_epoch: called with (epoch, training error) after each epoch.
    Returns:
        the outcome, and the network, in evaluation mode. A run whose loss stops being a number ends there.
    Raises:
        ValueError: there are fewer training images than the trial wants.
    """
    start = time.perf_counter()
    (images, labels), test = parts(train, test, num_train=trial.num_train, held_out=trial.held_out)
    generator = torch.Generator().manual_seed(trial.seed)
    net = build(trial, generator).to(trial.device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=trial.rate, momentum=trial.momentum)
    mean = prepare(images, "raw")[0]
    bfloat16 = trial.precision == "bfloat16"
    autocast = torch.autocast(torch.device(trial.device).type, torch.bfloat16, enabled=bfloat16)
    train_errors = []
    for epoch in range(trial.epochs):
        optimizer.param_groups[0]["lr"] = rate_in(epoch, rate=trial.rate, epochs=trial.epochs)
        order = shuffled_batches(images, labels, batch_size=trial.batch_size, generator=generator)
        steps = []
        for x, y in ready(order, mean, trial.device):
            with autocast:  # for one step, because it keeps its copies of the weights until it ends
                steps.append(train_step(net, optimizer, x, y))
        train_errors.append(window_error(steps))
        on_epoch(epoch + 1, train_errors[-1])
        if not math.isfinite(float(steps[-1].loss)):
            break
    net.eval()
    batches = zip(*(tensor.split(500) for tensor in test), strict=True)
    test_error = error_rates(net, ready(batches, mean, trial.device), ks=(1,))["top1"]
    seconds = time.perf_counter() - start
    return Outcome(train_errors=train_errors, test_error=test_error, seconds=seconds), net


def ready(batches: Iterator[Labelled], mean: Tensor, device: str) -> Iterator[Labelled]:
    """Yield batches as the network reads them: floating, minus the mean image (3, H, W), on the device."""
    for images, labels in batches:
        x = (images.to(device).float() - mean.to(device)).contiguous(memory_format=torch.channels_last)
        yield x, labels.to(device)


def parts(train: Labelled, test: Labelled, *, num_train: int, held_out: bool) -> tuple[Labelled, Labelled]:
    """Return the images and labels that a trial trains on, and those that it is tested on."""
    images, labels = train
    if num_train > len(images):
        raise ValueError(f"{num_train} training images were asked for, there are {len(images)}")
    images, labels = images[:num_train], labels[:num_train]
    if not held_out:
        return (images, labels), test
    cut = num_train - num_train // 10
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:])


def rate_in(epoch: int, *, rate: float, epochs: int) -> float:
    """Return the learning rate in an epoch, counted from 0."""
    return rate * (RATE_DROP if epoch >= (1 - LAST_PART) * epochs else 1)

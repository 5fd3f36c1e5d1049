"""Training error against epochs, for one four-layer network on CIFAR-10 (paper 3.1, figure 1).

Letters in shapes: N images, C channels, H height, W width.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alexnet.models.cifar import four_layer_net
from alexnet.optim.sgd import PaperSGD
from alexnet.optim.step import StepResult, shuffled_batches, train_step

WINDOWS_PER_EPOCH = 4


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the paper leaves open: the network, its first weights, and the scale of its input.

    Attributes:
        initialisation: "2012" or "scaled", see `alexnet.models.cifar.four_layer_net`.
        input_scale: "raw" for grey levels of 0..255 minus the mean image, "unit" for the same divided by
            their standard deviation.
        dense: units of a dense hidden layer before the output layer, 0 for none.
    """

    initialisation: str
    input_scale: str
    dense: int = 0


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run: a unit in a setup, at one learning rate, from one seed.

    Attributes:
        stop_error: the run ends when the training error is there,
        max_epochs: or after this many passes over the training set,
        hopeless_error: or when the error is still above this after hopeless_epoch.
        channels: output channels of the three convolutions.
        precision: "float32", or "bfloat16" for autocast to it in convolutions and the dense layers.
    """

    unit: str
    setup: Setup
    rate: float
    seed: int
    stop_error: float = 0.25
    max_epochs: int = 40
    hopeless_error: float = 0.5
    hopeless_epoch: float = 10
    batch_size: int = 128
    momentum: float = 0.9
    channels: tuple[int, ...] = (32, 32, 64)
    precision: str = "float32"
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run's outcome.

    Attributes:
        epochs: where each measuring window has its middle, in passes over the training set.
        errors: the share of images got wrong in that window, each before it was trained on.
        diverged: the loss stopped being a number.
        seconds: wall time.
    """

    epochs: list[float]
    errors: list[float]
    diverged: bool
    seconds: float


def prepare(images: Tensor, input_scale: str) -> tuple[Tensor, float]:
    """Return the mean image (C, H, W), and the factor for images minus it.

    Args:
        images: (N, C, H, W) uint8.
        input_scale: "raw" (factor 1) or "unit" (one over the standard deviation).
    """
    parts = images.split(5000)
    sums = torch.stack([part.sum(0, dtype=torch.int64) for part in parts])
    mean = sums.sum(0).float() / len(images)
    if input_scale == "raw":
        return mean, 1.0
    squares = sum(float(((part.float() - mean) ** 2).sum(dtype=torch.float64)) for part in parts)
    return mean, math.sqrt(images.numel() / squares)


def run_once(
    config: RunConfig,
    images: Tensor,
    labels: Tensor,
    on_window: Callable[[float, float], None] = lambda epoch, error: None,
) -> tuple[Run, nn.Sequential]:
    """Train one network until one of the ends that its configuration names, or until it diverges.

    Args:
        config: what to run.
        images: (N, 3, 32, 32) uint8 training images.
        labels: (N,) int64.
        on_window: called with (epoch, error) after each measuring window, a quarter of an epoch.
    Returns:
        the run, and the network as it was at the end.
    """
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    net = four_layer_net(
        config.unit,
        initialisation=config.setup.initialisation,
        dense=config.setup.dense,
        channels=config.channels,
        generator=generator,
    )
    net = net.to(config.device).to(memory_format=torch.channels_last)
    optimizer = PaperSGD(net.parameters(), lr=config.rate, momentum=config.momentum, weight_decay=0)
    mean, factor = prepare(images, config.setup.input_scale)
    images, labels, mean = (tensor.to(config.device) for tensor in (images, labels, mean))
    device_type = torch.device(config.device).type
    autocast = torch.autocast(device_type, torch.bfloat16, enabled=config.precision == "bfloat16")

    steps_per_epoch = math.ceil(len(images) / config.batch_size)
    steps_per_window = math.ceil(steps_per_epoch / WINDOWS_PER_EPOCH)
    max_steps = math.ceil(config.max_epochs * steps_per_epoch)
    epochs, errors, window = [], [], []
    step, diverged, ended = 0, False, False
    while not ended:
        for batch, truth in shuffled_batches(
            images, labels, batch_size=config.batch_size, generator=generator
        ):
            step += 1
            x = ((batch.float() - mean) * factor).contiguous(memory_format=torch.channels_last)
            with autocast:
                window.append(train_step(net, optimizer, x, truth))
            if len(window) == steps_per_window:
                epochs.append((step - steps_per_window / 2) / steps_per_epoch)
                errors.append(window_error(window))
                diverged = not math.isfinite(float(window[-1].loss))
                window = []
                on_window(epochs[-1], errors[-1])
                ended = diverged or is_over(config, epochs[-1], errors[-1])
            if ended := ended or step >= max_steps:
                break
    seconds = time.perf_counter() - start
    return Run(epochs=epochs, errors=errors, diverged=diverged, seconds=seconds), net


def is_over(config: RunConfig, epoch: float, error: float) -> bool:
    """Say whether a run with this error at this epoch has arrived or is hopeless."""
    hopeless = epoch > config.hopeless_epoch and error > config.hopeless_error
    return error <= config.stop_error or hopeless


def window_error(window: list[StepResult]) -> float:
    """Return the share of the window's images that were classified wrongly."""
    return sum(int(result.num_wrong) for result in window) / sum(result.num_images for result in window)


def moving_mean(values: list[float], width: int) -> list[float]:
    """Return the mean of every ``width`` values that follow each other; empty if there are fewer."""
    return [sum(values[i : i + width]) / width for i in range(len(values) - width + 1)]


def epochs_to(run: Run, target: float, *, windows: int = 1) -> float:
    """Return after how many epochs the error reached the target, between two points by a straight line.

    Args:
        run: a finished run.
        target: the error as a fraction.
        windows: measuring windows over which epochs and errors are averaged first. The error falls in steps
            from one epoch to the next, because an image met again is known already; the mean over an epoch,
            ``WINDOWS_PER_EPOCH``, evens the steps out.
    Returns:
        epochs, or infinity if the run never got there.
    """
    previous_epoch, previous_error = 0.0, None
    for epoch, error in zip(moving_mean(run.epochs, windows), moving_mean(run.errors, windows), strict=True):
        if error <= target:
            if previous_error is None:
                return epoch
            return epoch - (epoch - previous_epoch) * (target - error) / (previous_error - error)
        previous_epoch, previous_error = epoch, error
    return math.inf

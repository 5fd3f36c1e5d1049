"""A chart of a running training."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from alexnet import figures
from alexnet.figures import style
from alexnet.training.log import Line


def losses(axis: Axes, lines: Sequence[Line], num_classes: int, stops: Sequence[int] = ()) -> None:
    """Draw the loss of a run against its steps, with the loss of a uniform prediction.

    Args:
        axis: to draw on.
        lines: of the run's log. A dot is the mean over a window, a square a validation.
        num_classes: of the data; a network that gives all of them equal probability has a loss of
            ln(num_classes).
        stops: steps after which the training was stopped and resumed.
    """
    windows = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    validations = [(line["step"], line["val_loss"]) for line in lines if "val_loss" in line]
    nothing = math.log(num_classes)
    axis.axhline(nothing, **figures.line("reference", label=f"ln {num_classes} = {nothing:.2f}"))
    if windows:
        axis.plot(*zip(*windows, strict=True), marker="o", markersize=3, **figures.line("train"))
    if validations:
        axis.plot(*zip(*validations, strict=True), marker="s", **figures.line("test", label="validation"))
    for number, stop in enumerate(stops):
        axis.axvline(stop, color=style.INK, linewidth=1, label="stopped" if number == 0 else None)
    axis.set(xlabel="step", ylabel="loss, nats")
    axis.legend(frameon=False)

"""Charts of activation functions, signals and records, drawn into axes from `alexnet.figures.style.new`."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from alexnet import figures
from alexnet.experiments.probes import UnitSignals
from alexnet.experiments.readings import WINDOWS
from alexnet.experiments.trial import moving_mean
from alexnet.functional.activations import slope, unit_by_name

UNIT_LABELS = {
    "threshold": "threshold",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "scaled_tanh": "scaled tanh",
    "abs_tanh": "|tanh|",
    "relu": "ReLU",
}
NAMES = {label: name for name, label in UNIT_LABELS.items()}  # of the functions, by what figures call them


def unit_line(name: str, **changes) -> dict:
    """Return the keywords for ``Axes.plot``: colour, dashes and label of an activation function."""
    return figures.line(name, label=UNIT_LABELS[name]) | changes


def unit_and_slope(value_axis: Axes, slope_axis: Axes, name: str, x: Tensor) -> None:
    """Draw an activation function, and beside it its derivative, at the points x (1-d, floating)."""
    unit = unit_by_name(name)
    value_axis.plot(x, unit(x), **unit_line(name))
    slope_axis.plot(x, slope(unit, x), **unit_line(name))
    value_axis.set(title="activation function, f(x)", xlabel="x")
    slope_axis.set(title="its derivative, f′(x)", xlabel="x")


def gradient_sizes(axis: Axes, signals: dict[str, Sequence[UnitSignals]]) -> None:
    """Draw the gradient's size at every layer, a line for each function; a logarithmic axis has no zeros."""
    for name, layers in signals.items():
        sizes = [layer.gradient_size or float("nan") for layer in layers]
        axis.plot(range(1, len(sizes) + 1), sizes, marker="o", markersize=4, **unit_line(name))
    axis.set(yscale="log", xlabel="layer (the loss is to the right)", ylabel="size of the gradient")
    axis.legend(frameon=False)


def learning_curves(axis: Axes, entries: dict[str, dict], target: float) -> None:
    """Draw training error against epochs for the functions of one setup: seeds thin, their mean thick.

    Args:
        axis: to draw into.
        entries: {unit: entry} as the record relu-vs-tanh has them.
        target: drawn as a line.
    """
    for unit, entry in entries.items():
        curves = [smooth_curve(run) for run in entry["runs"]]
        for epochs, errors in curves:
            axis.plot(epochs, errors, **unit_line(unit, label=None, linewidth=0.7, alpha=0.6))
        shared = min(len(epochs) for epochs, _ in curves)
        mean = torch.tensor([errors[:shared] for _, errors in curves]).mean(0)
        axis.plot(curves[0][0][:shared], mean, **unit_line(unit))
    axis.axhline(target, **figures.line("reference", label=f"{target:.0%}"))
    axis.set(xlabel="epochs", ylabel="training error", ylim=(0.15, 0.8), xlim=(0, None))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.legend(frameon=False)


def smooth_curve(run: dict) -> tuple[list[float], list[float]]:
    """Return a recorded run's epochs and errors, averaged over an epoch."""
    return moving_mean(run["epochs"], WINDOWS), moving_mean(run["errors"], WINDOWS)


def ratios_by_target(axis: Axes, curves: dict[str, list[tuple[float, dict[str, float]]]]) -> None:
    """Draw a ratio against the target training error, its interval as a band; errors decrease to the right.

    Args:
        axis: to draw into.
        curves: {name: [(target, ratio)]}, a ratio with its "mean", "low" and "high".
    """
    for name, points in curves.items():
        targets = [target for target, _ in points]
        (line,) = axis.plot(targets, [found["mean"] for _, found in points], linewidth=1.8, label=name)
        low, high = ([found[end] for _, found in points] for end in ("low", "high"))
        axis.fill_between(targets, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axis.invert_xaxis()
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.set(xlabel="target training error", ylabel="epochs of tanh / epochs of ReLU", ylim=(0, None))

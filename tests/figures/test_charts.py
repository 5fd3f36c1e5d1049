"""Charts show what they were given."""

import pytest
import torch

from alexnet import figures
from alexnet.experiments.probes import UnitSignals
from alexnet.figures import activations
from alexnet.functional.activations import UNITS

RUN = {"epochs": [0.125, 0.375, 0.625, 0.875, 1.125], "errors": [0.8, 0.6, 0.4, 0.2, 0.0], "seconds": 1.0}


def collect_lines(axis):
    return {line.get_label(): line for line in axis.lines}


def test_every_unit_has_a_label_and_a_colour():
    assert activations.UNIT_LABELS.keys() == UNITS.keys()
    assert UNITS.keys() <= figures.COLOURS.keys()


def test_a_unit_is_drawn_beside_its_slope():
    _, (left, right) = figures.new(columns=2)
    activations.unit_and_slope(left, right, "relu", torch.tensor([-1.0, 2.0]))
    assert left.lines[0].get_ydata().tolist() == [0, 2]
    assert right.lines[0].get_ydata().tolist() == [0, 1]


def test_gradient_sizes_leave_zeros_out():
    signals = [
        UnitSignals(name="unit1", input_size=1, slope=1, fraction_zero=0, fraction_dead=0, gradient_size=size)
        for size in (0.0, 0.5)
    ]
    _, axis = figures.new()
    activations.gradient_sizes(axis, {"threshold": signals})
    sizes = axis.lines[0].get_ydata()
    assert sizes[0] != sizes[0] and sizes[1] == 0.5  # not a number where there is none


def test_learning_curves_show_seeds_their_mean_and_the_target():
    _, axis = figures.new()
    shorter = {key: RUN[key][:4] for key in ("epochs", "errors")} | {"seconds": 1.0}
    activations.learning_curves(axis, {"relu": {"runs": [RUN, shorter]}}, 0.25)
    mean = collect_lines(axis)["ReLU"]
    assert list(mean.get_xdata()) == [0.5] and mean.get_ydata() == pytest.approx([0.5])
    assert list(collect_lines(axis)["25%"].get_ydata()) == [0.25, 0.25]


def test_ratios_by_target_draw_mean_and_band():
    _, axis = figures.new()
    points = [(0.4, {"mean": 5.0, "low": 4.0, "high": 6.0}), (0.35, {"mean": 6.0, "low": 5.0, "high": 7.0})]
    activations.ratios_by_target(axis, {"2012": points})
    assert list(collect_lines(axis)["2012"].get_ydata()) == [5.0, 6.0]
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 4.0 and band.max() == 7.0
    assert axis.xaxis_inverted()

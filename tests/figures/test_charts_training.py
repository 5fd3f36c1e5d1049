"""Charts of a training show what they were given."""

import math

from alexnet import figures
from alexnet.figures import curves

LINES = [
    {"step": 5, "loss": 2.5},
    {"step": 10, "loss": 2.25, "val_loss": 2.125},
    {"step": 12, "val_loss": 2.0},
]


def test_losses_validations_stops_and_the_loss_of_knowing_nothing():
    _, axis = figures.new()
    curves.losses(axis, LINES, 10, stops=[7, 9])
    drawn = {line.get_label(): line for line in axis.lines}
    assert list(drawn["train"].get_xdata()) == [5, 10] and list(drawn["train"].get_ydata()) == [2.5, 2.25]
    assert list(drawn["validation"].get_xdata()) == [10, 12]
    assert list(drawn["validation"].get_ydata()) == [2.125, 2.0]
    assert list(drawn["ln 10 = 2.30"].get_ydata()) == [math.log(10)] * 2
    assert [line.get_xdata()[0] for line in axis.lines[-2:]] == [7, 9]


def test_a_log_without_lines_is_drawn_too():
    _, axis = figures.new()
    curves.losses(axis, [], 1000)
    assert [line.get_label() for line in axis.lines] == ["ln 1000 = 6.91"]

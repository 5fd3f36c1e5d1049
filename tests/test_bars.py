"""Progress bars are redrawn as often as somebody can see it."""

import io

import pytest

from alexnet import bars
from alexnet.bars import Bar
from alexnet.experiments.runs import bar_updater


class Terminal(io.StringIO):
    def isatty(self):
        return True


def draws(stream, move, **options):
    """How often a bar is drawn until its end, and the text."""
    with Bar(total=50, file=stream, **options) as bar:
        move(bar)
    return stream.getvalue().count("\r"), stream.getvalue()


def one_by_one(bar):
    for _ in range(50):
        bar.update()


def as_experiments_do(bar):
    show = bar_updater(bar)
    for epoch in range(1, 51):
        show(float(epoch), 0.25)


@pytest.mark.parametrize("move", [one_by_one, as_experiments_do])
def test_a_bar_is_drawn_live_in_a_terminal_and_seldom_in_a_file(monkeypatch, move):
    monkeypatch.setattr(bars, "SECONDS_BETWEEN", (0.0, 3600.0))
    assert draws(Terminal(), move)[0] >= 50
    count, text = draws(io.StringIO(), move)
    assert count <= 2 and "100%" in text and text.endswith("\n")


def test_an_experiment_of_no_known_length_moves_its_bar():
    with Bar(file=io.StringIO()) as bar:
        bar_updater(bar)(2.5, 0.25)
        assert bar.n == 2.5


def test_a_notebook_is_live_and_a_process_without_streams_is_not():
    assert bars.is_live(type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})())
    assert not bars.is_live(None) and not bars.is_live(io.StringIO())

"""Progress bars are redrawn as often as somebody can see it."""

import io
import sys

from alexnet import bars
from alexnet.bars import Bar


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


def test_a_bar_is_drawn_live_in_a_terminal_and_seldom_in_a_file(monkeypatch):
    monkeypatch.setattr(bars, "SECONDS_BETWEEN", (0.0, 3600.0))
    assert draws(Terminal(), one_by_one)[0] >= 50
    count, text = draws(io.StringIO(), one_by_one)
    assert count <= 2 and "100%" in text and text.endswith("\n")


def test_a_bar_that_nobody_can_see_hinders_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with Bar(total=50) as bar:
        one_by_one(bar)


def test_a_notebook_is_live_and_a_process_without_streams_is_not():
    assert bars.is_live(type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})())
    assert not bars.is_live(None) and not bars.is_live(io.StringIO())

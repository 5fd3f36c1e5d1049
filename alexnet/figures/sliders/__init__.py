"""Figures with controls that work three ways: live in a kernel, from stored frames, by a script of the page.

`explore` chooses: in Jupyter and Colab the controls call the drawing function in the kernel; a built page,
which has no kernel, switches between frames drawn beforehand or runs the drawing function as JavaScript.
What a notebook stores is the second form: HTML that needs nothing beside it and is the same at every run.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from alexnet.figures.sliders.agreement import first_disagreement
from alexnet.figures.sliders.explorer import Explorer, make_sliders
from alexnet.figures.sliders.javascript import translate_to_javascript
from alexnet.figures.sliders.static import computed, frames
from alexnet.figures.sliders.table import Table

__all__ = ["Table", "explore", "first_disagreement", "translate_to_javascript"]


def explore(
    draw: Callable,
    *,
    alt: str | Callable[..., str],
    in_page: bool = False,
    pointing: tuple[str, ...] = (),
    table: Table | None = None,
    start: dict | None = None,
    caption: str | Callable[..., str] | None = None,
    number: str | None = None,
    labels: dict[str, str] | None = None,
    live: bool | None = None,
    **ranges: Sequence,
):
    """Give a drawing function controls: sliders for numbers, a group of buttons for texts.

    Args:
        draw: takes one keyword for each control; returns a matplotlib figure, an image as in
            `figures.image`, what a function of ``figures`` returns, or a string of HTML.
        alt: what is to be seen, with fields such as "{n}" for the values, or a function of the values.
        in_page: True for a page that computes, for any number of combinations: draw, which returns a string
            of HTML, is turned into JavaScript as `translate_to_javascript` says. The page also speaks what is
            in an element with ``data-said``.
        pointing: with in_page, the sliders of the row and the column that the reader can also point at, or
            move with the arrow keys, in what draw returns, in a notebook as well. Its elements with
            ``data-grid="rows columns"`` are divided into so many parts; the first tells how far the sliders
            go, and there is an element with ``data-said``.
        table: with pointing, numbers that the reader can edit. They stand below the control that chooses with
            which numbers to start.
        start: values shown at first; the first of its range for a slider that is not named.
        caption: text below, like alt.
        number: as in `figures.show`.
        labels: text to write beside a slider instead of its keyword.
        live: True for sliders that compute in the kernel, False for the form that needs none. By default it
            is False with pointing; without it the environment variable ALEXNET_FIGURES decides (``live`` or
            ``static``), else whether there is a notebook to show them.
        **ranges: the values of each control: numbers, which make a slider, or texts, which make buttons.
    Returns:
        An object that displays itself.
    Raises:
        TypeError: a range is no sequence, or draw returns something else.
        ValueError: a range is empty or repeats a value; start, labels or pointing name no slider; table has
            no start for a text of its control, or stands without pointing; alt is empty or does not follow
            the sliders; number is not of the form "6.2"; of frames, more than 30
            combinations or 250,000 bytes; in a page, draw cannot be turned into JavaScript, or disagrees with
            what became of it (compared where mini-racer, a JavaScript engine, is installed).
    """
    sliders = make_sliders(ranges, labels or {})
    explorer = Explorer(draw, sliders, 0, alt, caption, in_page, number, pointing, table)
    explorer = replace(explorer, start=_start(explorer, start or {}))
    _check_pointing(explorer)
    _check_table(explorer)
    _check_texts(explorer)
    if live if live is not None else not pointing and _wants_live():
        from alexnet.figures.sliders.live import Live  # ipywidgets is not needed for the other form

        return Live(explorer)
    if in_page:
        return computed(explorer)
    return frames(explorer)


def _wants_live() -> bool:
    """Follow ALEXNET_FIGURES; without it, be live where a kernel serves a notebook."""
    wish = os.environ.get("ALEXNET_FIGURES", "")
    if wish not in {"", "live", "static"}:
        raise ValueError(f"ALEXNET_FIGURES must be live or static, got {wish!r}")
    if wish or "IPython" not in sys.modules:
        return wish == "live"
    shell = sys.modules["IPython"].get_ipython()
    # By name, for ipykernel may be absent where there is no notebook. Colab's shell derives from this one.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def _check_pointing(explorer: Explorer) -> None:
    """Refuse a row and a column that are not two sliders of a page, the row's before the column's."""
    names = [slider.name for slider in explorer.sliders]
    found = [name for name in names if name in explorer.pointing]
    if explorer.pointing and (not explorer.in_page or len(found) != 2 or found != [*explorer.pointing]):
        wanted = f"two of the sliders {', '.join(names)}, in their order, and in_page=True"
        raise ValueError(f"pointing takes {wanted}, got {explorer.pointing}")


def _check_table(explorer: Explorer) -> None:
    """Refuse a table that the script could not fill."""
    if (table := explorer.table) is None:
        return
    texts = next((list(slider.values) for slider in explorer.sliders if slider.name == table.choice), [])
    if not explorer.pointing or texts != list(table.starts):
        wanted = f"pointing, and the values of {table.choice!r} must be {', '.join(table.starts)}"
        raise ValueError(f"a table needs {wanted}, got {', '.join(map(str, texts)) or 'none'}")


def _start(explorer: Explorer, start: dict) -> int:
    names = [slider.name for slider in explorer.sliders]
    if unknown := start.keys() - set(names):
        raise ValueError(f"start names {min(unknown)!r}; the sliders are {', '.join(names)}")
    positions = []
    for slider in explorer.sliders:
        value = start.get(slider.name, slider.values[0])
        if value not in slider.values:
            first, last = slider.labels[0], slider.labels[-1]
            raise ValueError(
                f"start has {slider.name}={value!r}, which is not in its range, {first} to {last}"
            )
        positions.append(slider.values.index(value))
    return explorer.state(positions)


def _check_texts(explorer: Explorer) -> None:
    """Refuse texts before anything is drawn: empty, with a wrong field, or deaf to the sliders."""
    if explorer.in_page and (callable(explorer.alt) or callable(explorer.caption)):
        raise ValueError("with in_page, alt and caption are strings with fields such as {n}, not functions")
    for kind in ("alt", "caption"):
        explorer.text(kind, explorer.start)
    last = explorer.num_states - 1
    if not callable(explorer.alt) and last and explorer.text("alt", 0) == explorer.text("alt", last):
        name = explorer.sliders[0].name
        raise ValueError(
            f"alt must follow the sliders: give it a field such as {{{name}}} or pass a function"
        )

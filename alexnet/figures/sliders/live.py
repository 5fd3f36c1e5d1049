"""The form of a figure whose controls compute in the kernel: ipywidgets 7.7 (Colab) and later."""

import html
import time
from collections import OrderedDict

import ipywidgets
from IPython.display import display

from alexnet.figures import style
from alexnet.figures.sliders.explorer import Explorer
from alexnet.figures.sliders.table import Rows, Table, name_cell

REMEMBERED = 100  # drawn states kept, so that going back costs nothing
SLOW = 0.3  # seconds; a drawing that takes longer is made when the slider is let go, not on the way


class Live:
    """Controls and one HTML widget, redrawn at each move; displays itself.

    Attributes:
        sliders: one control for each parameter, by keyword: a SelectionSlider, or ToggleButtons for texts.
            Its value is a position in the range.
        view: the HTML widget.
        box: all of them.
    """

    def __init__(self, explorer: Explorer):
        self.explorer = explorer
        self._drawn: OrderedDict[str, str] = OrderedDict()
        began = time.monotonic()
        self.view = ipywidgets.HTML(self._html(explorer.start))
        slow = time.monotonic() - began > SLOW
        widest = max(len(slider.title) for slider in explorer.sliders)
        self.sliders = {}
        for slider, place in zip(explorer.sliders, explorer.positions(explorer.start), strict=True):
            kind = ipywidgets.ToggleButtons if slider.is_choice else ipywidgets.SelectionSlider
            look = (
                {"style": {"button_width": "auto"}} if slider.is_choice else {"continuous_update": not slow}
            )
            self.sliders[slider.name] = kind(
                options=[(label, k) for k, label in enumerate(slider.labels)],
                value=place,
                description=slider.title,
                layout={"width": "auto" if slider.is_choice else "30em", "max_width": "98%"},
                **look,
            )
            self.sliders[slider.name].style.description_width = f"{widest + 1}ch"
            self.sliders[slider.name].observe(self._redraw, names="value")
        self.box = ipywidgets.VBox([*self.sliders.values(), self.view])
        if explorer.table is not None:
            self._add_table(explorer.table)

    def _add_table(self, table: Table) -> None:
        """Put the fields of the numbers below the control that chooses with which to start."""
        self.table = ipywidgets.GridBox()
        choice = self.sliders[table.choice]
        choice.unobserve(self._redraw, names="value")  # the numbers before what is drawn with them
        choice.observe(self._fill, names="value")
        self._fill()
        at = list(self.sliders).index(table.choice) + 1
        self.box.children = [*self.box.children[:at], self.table, *self.box.children[at:]]

    def _fill(self, change=None) -> None:
        """Write the numbers at the start of what is chosen into as many fields."""
        if (table := self.explorer.table) is None:
            return
        rows = table.starts[self.explorer.values(self._state())[table.choice]]
        self.table.layout.grid_template_columns = f"repeat({len(rows[0])}, 4.5em)"
        self.table.children = [
            ipywidgets.BoundedIntText(
                value=number,
                min=table.low,
                max=table.high,
                tooltip=name_cell(i, j),
                layout={"width": "4em"},
            )
            for i, row in enumerate(rows)
            for j, number in enumerate(row)
        ]
        for cell in self.table.children:
            cell.observe(self._redraw, names="value")
        self._redraw()

    def _state(self) -> int:
        return self.explorer.state([slider.value for slider in self.sliders.values()])

    def _rows(self) -> Rows | None:
        """What stands in the table."""
        if self.explorer.table is None:
            return None
        numbers = [cell.value for cell in self.table.children]
        width = len(self.explorer.values(self._state())[self.explorer.table.name][0])
        return [numbers[k : k + width] for k in range(0, len(numbers), width)]

    def _redraw(self, change=None) -> None:
        """Follow the controls; moves do not pile up, for the front end waits until the kernel is idle."""
        state = self._state()
        try:
            self.view.value = self._html(state, self._rows())
        except Exception as error:  # an observer's error is shown nowhere else
            text = f"{type(error).__name__} at {self.explorer.values(state)}: {error}"
            self.view.value = f'<pre role="alert">{html.escape(text)}</pre>'

    def _html(self, state: int, rows: Rows | None = None) -> str:
        key = f"{state} {rows}"
        if key not in self._drawn:
            caption = self.explorer.text("caption", state) or None
            self._drawn[key] = style.framed(self.explorer.view(state, rows), caption, self.explorer.number)
        self._drawn.move_to_end(key)
        if len(self._drawn) > REMEMBERED:
            self._drawn.popitem(last=False)
        return self._drawn[key]

    def __repr__(self) -> str:
        return self.explorer.text("alt", self.explorer.start)

    def _ipython_display_(self) -> None:
        model = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": model}, raw=True)

"""The form of a figure whose controls compute in the kernel: ipywidgets 7.7 (Colab) and later."""

import html
import time
from collections import OrderedDict

import ipywidgets
from IPython.display import display

from alexnet.figures import style
from alexnet.figures.sliders.explorer import Explorer

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
        self._drawn: OrderedDict[int, str] = OrderedDict()
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

    def _redraw(self, change) -> None:
        """Follow the sliders; moves do not pile up, for the front end waits until the kernel is idle."""
        state = self.explorer.state([slider.value for slider in self.sliders.values()])
        try:
            self.view.value = self._html(state)
        except Exception as error:  # an observer's error is shown nowhere else
            text = f"{type(error).__name__} at {self.explorer.values(state)}: {error}"
            self.view.value = f'<pre role="alert">{html.escape(text)}</pre>'

    def _html(self, state: int) -> str:
        if state not in self._drawn:
            caption = self.explorer.text("caption", state) or None
            self._drawn[state] = style.framed(self.explorer.view(state), caption, self.explorer.number)
        self._drawn.move_to_end(state)
        if len(self._drawn) > REMEMBERED:
            self._drawn.popitem(last=False)
        return self._drawn[state]

    def __repr__(self) -> str:
        return self.explorer.text("alt", self.explorer.start)

    def _ipython_display_(self) -> None:
        model = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        display({"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": model}, raw=True)

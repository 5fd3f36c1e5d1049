"""A drawing function with its parameters: every state of it, and the text that goes with the state."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from alexnet.figures import style
from alexnet.figures.encoding import Encoded, encode_drawing, encode_image
from alexnet.figures.sliders.table import Rows, Table

FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Slider:
    """One parameter: its keyword in draw, what the reader sees, its values and their labels."""

    name: str
    title: str
    values: tuple
    labels: tuple[str, ...]

    @property
    def is_choice(self) -> bool:
        """Whether its values are texts, which become buttons."""
        return all(isinstance(value, str) for value in self.values)


def make_sliders(ranges: dict, titles: dict[str, str]) -> tuple[Slider, ...]:
    """Check the ranges of explore and label their values."""
    if not ranges:
        raise ValueError("explore needs the values of at least one keyword of draw, such as n=[1, 2, 3]")
    if unknown := titles.keys() - ranges.keys():
        raise ValueError(f"labels names {min(unknown)!r}; the sliders are {', '.join(ranges)}")
    return tuple(_slider(name, values, titles.get(name, name)) for name, values in ranges.items())


def _slider(name: str, values: Sequence, title: str) -> Slider:
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be a sequence of values, got {values!r}")
    plain = tuple(value.item() if hasattr(value, "item") else value for value in values)
    for value in plain:
        if not isinstance(value, (int, float, str)) or value != value or value in (math.inf, -math.inf):
            raise TypeError(f"the values of {name} must be finite numbers or strings, got {value!r}")
    if not plain:
        raise ValueError(f"{name} has no values")
    labels = tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in plain)
    if len(set(labels)) < len(labels):
        labels = tuple(map(str, plain))
    if len(set(labels)) < len(labels):
        raise ValueError(f"{name} has a value twice: {', '.join(labels)}")
    return Slider(name, title, plain, labels)


@dataclass(frozen=True)
class Explorer:
    """A figure of some parameters, before it takes a form. A state is the index of a combination."""

    draw: Callable
    sliders: tuple[Slider, ...]
    start: int
    alt: str | Callable[..., str]
    caption: str | Callable[..., str] | None
    in_page: bool
    number: str | None = None
    pointing: tuple[str, ...] = ()  # the sliders of row and column, in their order
    table: Table | None = None

    @property
    def num_states(self) -> int:
        return math.prod(len(slider.values) for slider in self.sliders)

    def positions(self, state: int) -> list[int]:
        """The position of each slider; the last slider changes fastest."""
        places = []
        for slider in reversed(self.sliders):
            state, place = divmod(state, len(slider.values))
            places.insert(0, place)
        return places

    def state(self, positions: Sequence[int]) -> int:
        """The inverse of ``positions``."""
        total = 0
        for slider, place in zip(self.sliders, positions, strict=True):
            total = total * len(slider.values) + place
        return total

    def values(self, state: int, rows: Rows | None = None) -> dict:
        """The keywords of draw, with the numbers of the table where there is one: its start, or as edited."""
        values = {s.name: s.values[k] for s, k in zip(self.sliders, self.positions(state), strict=True)}
        if self.table is not None:
            values[self.table.name] = rows or self.table.starts[values[self.table.choice]]
        return values

    def frame(self, state: int, rows: Rows | None = None) -> Encoded | str:
        """Draw one state: an image, or HTML."""
        result = self.draw(**self.values(state, rows))
        if isinstance(result, Figure):
            return encode_drawing(result)
        if isinstance(result, (Encoded, str)):
            return result
        if isinstance(result, style.Shown):
            return result.html
        try:
            return encode_image(result)
        except TypeError:
            kind = type(result).__name__
            raise TypeError(f"draw must return a figure, an image or a string of HTML, got {kind}") from None

    def view(self, state: int, rows: Rows | None = None) -> str:
        """HTML of one state."""
        frame = self.frame(state, rows)
        return frame if isinstance(frame, str) else style.image_tag(frame, alt=self.text("alt", state))

    def text(self, kind: str, state: int) -> str:
        """The alt text or the caption of one state."""
        template, values = getattr(self, kind), self.values(state)
        if template is None:
            return ""
        if callable(template):
            text = template(**values)
        elif not self.in_page:
            text = _formatted(kind, template, values)
        else:  # the page fills in labels, so this does the same
            places = zip(self.sliders, self.positions(state), strict=True)
            text = _filled(kind, template, {s.name: s.labels[k] for s, k in places})
        if kind == "alt":
            style.require_text(text)
        return text


def _formatted(kind: str, template: str, values: dict) -> str:
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"{kind} {template!r} does not fit the sliders {', '.join(values)}: {error}"
        ) from None


def _filled(kind: str, template: str, labels: dict[str, str]) -> str:
    if unknown := set(FIELD.findall(template)) - labels.keys():
        raise ValueError(f"{kind} has the field {min(unknown)!r}; the sliders are {', '.join(labels)}")
    return FIELD.sub(lambda match: labels[match[1]], template)

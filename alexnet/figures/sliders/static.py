"""The form of a figure that needs no kernel and no network: HTML that holds its frames or its script."""

import functools
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from alexnet.figures import style
from alexnet.figures.encoding import Encoded
from alexnet.figures.sliders.agreement import require_agreement
from alexnet.figures.sliders.explorer import Explorer, Slider
from alexnet.figures.sliders.javascript import translate_to_javascript
from alexnet.figures.sliders.table import table_tag

MAX_FRAMES = 30
MAX_BYTES = 250_000  # of one figure, so that a page of several stays light
LABEL_STYLE = "display:flex;flex-wrap:wrap;gap:.2em .5em;align-items:center;margin:.2em 0"
BUTTON_STYLE = "border:1px solid #888;border-radius:4px;padding:.15em .5em;cursor:pointer;font:inherit"
CHOSEN_STYLE, OTHER_STYLE = "background:#0072B2;color:#fff", "background:none;color:inherit"
EXPLORE = ("alexnet.figures.sliders", "explore.js")
RADIOS = ("alexnet.figures.sliders", "radios.js")
POINT = ("alexnet.figures.sliders", "point.js")
TABLE = ("alexnet.figures.sliders", "table.js")
UNSEEN_STYLE = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"


def frames(explorer: Explorer) -> style.Shown:
    """The form that switches between stored frames.

    Raises:
        TypeError: draw returns images and HTML.
        ValueError: too many combinations, or too many bytes.
    """
    count = explorer.num_states
    if count > MAX_FRAMES:
        raise ValueError(
            f"{count} combinations are too many to store, {MAX_FRAMES} at most: "
            "give fewer values, or let the page compute with in_page=True"
        )
    drawn = [explorer.frame(state) for state in range(count)]
    if len({type(frame) for frame in drawn}) > 1:
        raise TypeError("draw returns an image for some values and HTML for others; it must keep to one")
    images = [frame for frame in drawn if isinstance(frame, Encoded)]
    stored: list[str | None] = [frame.uri if isinstance(frame, Encoded) else frame for frame in drawn]
    stored[explorer.start] = None  # it is in the page already
    spec: dict[str, Any] = {"start": explorer.start, "frames": stored}
    spec["alt"] = [explorer.text("alt", state) for state in range(count)]
    if explorer.caption is not None:
        spec["caption"] = [explorer.text("caption", state) for state in range(count)]
    if images:
        spec["widths"] = [frame.width for frame in images]
    shown = _page(explorer, spec)
    if shown.num_bytes > MAX_BYTES:
        raise ValueError(
            f"the figure takes {shown.num_bytes:,} bytes, {MAX_BYTES:,} at most: "
            "give fewer values or draw it smaller"
        )
    return shown


def computed(explorer: Explorer) -> style.Shown:
    """The form that computes in the page.

    Raises:
        TypeError: draw does not return HTML.
        ValueError: draw cannot be turned into JavaScript that stands in a page, or disagrees with it.
    """
    if not isinstance(explorer.draw(**explorer.values(explorer.start)), str):
        raise TypeError("with in_page, draw must return a string of HTML")
    script = translate_to_javascript(explorer.draw)
    for mark in ("</script", "<!--"):
        if mark in script.lower():
            raise ValueError(f"draw contains {mark!r}, which would end its script early")
    require_agreement(explorer, script)
    spec: dict[str, Any] = {"alt": explorer.alt, "caption": explorer.caption}
    if explorer.table is not None:
        first = explorer.values(explorer.start)[explorer.table.choice]
        spec["table"] = {**vars(explorer.table), "first": first}
    return _page(explorer, spec, script)


def _page(explorer: Explorer, spec: dict, script: str | None = None) -> style.Shown:
    """Write the figure at its start, with its controls asleep, and the script that wakes them."""
    start, places = explorer.start, explorer.positions(explorer.start)
    sliders = [{"name": s.name, "values": s.values, "labels": s.labels} for s in explorer.sliders]
    spec = {"sliders": sliders, **spec}
    alt, caption = explorer.text("alt", start), explorer.text("caption", start)
    group = "" if "widths" in spec else f' role="group" aria-label="{html.escape(alt)}"'
    group += ' tabindex="0"' if explorer.pointing else ""
    parts = [
        _control(slider, place, pointed=slider.name in explorer.pointing)
        for slider, place in zip(explorer.sliders, places, strict=True)
    ]
    if explorer.table is not None:
        at = [slider.name for slider in explorer.sliders].index(explorer.table.choice)
        parts.insert(at + 1, table_tag(explorer.table, explorer.sliders[at].values[places[at]]))
    parts.append('<div data-part="hint" style="font-size:.85em">Run this cell to use the controls.</div>')
    parts.append(f'<div data-part="view"{group} style="margin:.4em 0 0">{explorer.view(start)}</div>')
    parts.append(f'<div data-part="spoken" aria-live="polite" style="{UNSEEN_STYLE}"></div>')
    text = f'<span data-part="caption">{html.escape(caption)}</span>'
    parts.append(style.caption_tag("" if explorer.caption is None else text, explorer.number))
    parts.append(f'<script type="application/json" data-part="spec">{in_script(spec)}</script>')
    ident = _identity(spec, script)
    radios = read_script(*RADIOS) if any(slider.is_choice for slider in explorer.sliders) else "null"
    compute = script or "null"
    if explorer.table is not None:
        compute = f'({read_script(*TABLE)})("{ident}", {script})'
    parts.append(f'<script>({read_script(*EXPLORE)})("{ident}", {compute}, {radios});</script>')
    if explorer.pointing or " data-said" in explorer.view(start):
        parts.append(f'<div data-part="result" aria-live="polite" style="{UNSEEN_STYLE}"></div>')
        parts.append(f'<script>({read_script(*POINT)})("{ident}");</script>')
    opening = (
        f'<figure class="alexnet-figure"{style.anchor(explorer.number)} data-explore="{ident}" '
        'data-lm-suppress-shortcuts="true" '
        'style="margin:0 0 1em;position:relative">'
    )
    return style.Shown(opening + "".join(parts) + "</figure>", alt)


def choice(name: str, title: str, labels: Sequence[str], place: int) -> str:
    """Write a group of buttons of which one is chosen, after its title; they sleep until the script runs."""
    buttons = ""
    for k, label in enumerate(labels):
        checked, tab = ("true", 0) if k == place else ("false", -1)
        look = f"{BUTTON_STYLE};{CHOSEN_STYLE if k == place else OTHER_STYLE}"
        state = f'aria-checked="{checked}" tabindex="{tab}" disabled style="{look}"'
        buttons += f'<button type="button" role="radio" {state}>{html.escape(label)}</button>'
    title = html.escape(title)
    return (
        f'<div role="radiogroup" aria-label="{title}" data-control="{name}" style="{LABEL_STYLE}">'
        f'<span aria-hidden="true" style="min-width:7em">{title}</span>{buttons}</div>'
    )


def _control(slider: Slider, place: int, *, pointed: bool) -> str:
    """Write buttons, or one labelled range input, which a pointer may move, too; it sleeps likewise."""
    if slider.is_choice:
        return choice(slider.name, slider.title, slider.labels, place)
    label, mark = html.escape(slider.labels[place]), " data-points" if pointed else ""
    widest = max(3, *map(len, slider.labels))
    return (
        f'<label data-control="{slider.name}" style="{LABEL_STYLE}">'
        f'<span style="min-width:7em">{html.escape(slider.title)}</span>'
        f'<input type="range"{mark} min="0" max="{len(slider.values) - 1}" value="{place}" step="1" disabled '
        f'autocomplete="off" aria-valuetext="{label}" style="flex:1 1 9em;min-width:0;max-width:22em">'
        f'<span aria-hidden="true" style="min-width:{widest}ch">{label}</span></label>'
    )


def _identity(spec: dict, script: str | None) -> str:
    """A name made from the content, less the bytes of images: they change with the drawing library.

    Two figures of one name on a page do no harm, since each holds its own frames.
    """
    kept = {key: value for key, value in spec.items() if key != "frames"}
    return hashlib.sha256(in_script([kept, script, read_script(*EXPLORE)]).encode()).hexdigest()[:12]


def in_script(value) -> str:
    """Return JSON that may stand inside a <script>."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


@functools.cache
def read_script(package: str, file: str) -> str:
    """Return a script that lies in a package without its comments and indents."""
    source = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))

"""A playground: a tiny network that learns in the page, with all numbers of the update rule (paper 5)."""

import hashlib
import html
from typing import Any

from alexnet import paper
from alexnet.figures import style
from alexnet.figures.chapters.tiny_net import MAX_STEPS, advance, forward, fresh, probability
from alexnet.figures.sliders import translate_to_javascript
from alexnet.figures.sliders.static import (
    BUTTON_STYLE,
    LABEL_STYLE,
    OTHER_STYLE,
    RADIOS,
    UNSEEN_STYLE,
    choice,
    in_script,
    read_script,
)

SCRIPT = ("alexnet.figures.chapters", "playground.js")
CHOICES = {"data": ["rings", "spirals"], "activation": ["relu", "tanh"]}
NAMES = {"relu": "ReLU"}
RANGES = {
    "rate": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1],
    "momentum": [0, 0.5, 0.9, 0.99],
    "decay": [0, 0.0005, 0.005, 0.05],
    "batch": [1, 8, 32, 128],
    "std": [0.01, 0.03, 0.1, 0.3, 1, 2],
}
TITLES = {
    "rate": "learning rate",
    "momentum": "momentum",
    "decay": "weight decay",
    "batch": "batch size",
    "std": "initial std",
}
START: dict[str, Any] = {
    "data": "rings",
    "activation": "relu",
    "rate": 0.03,
    "momentum": paper.MOMENTUM,
    "decay": paper.WEIGHT_DECAY,
    "batch": 32,
    "std": 0.3,
}
STEPS = 5  # updates between two drawings of a running training
WARM = 60  # updates before the network is shown first, a multiple of these
GRID, SIDE = 24, 240  # parts of the drawn plane along a side; units of the drawing
LEVELS = 6  # of the probability of a class
COLOURS = ["#0072B2", "#D55E00"]
TOP, LEFT, RIGHT, BOTTOM = 12, 34, 292, 208  # of the axes of the loss
MAX_LOSS = 1.0


def playground(*, number: str | None = None) -> style.Shown:
    """Let the reader train a tiny network in the page.

    Args:
        number: of the figure, as in `figures.show`.
    """
    state = fresh(START)
    for _ in range(WARM // STEPS):
        advance(state, START, STEPS)
    spec = {"choices": CHOICES, "ranges": RANGES, "warm": WARM, "steps": STEPS, "last": MAX_STEPS}
    script, code = read_script(*SCRIPT), translate_to_javascript(play)
    ident = hashlib.sha256((in_script(spec) + script + code).encode()).hexdigest()[:12]
    alt = (
        "A network with two hidden layers of 16 units learns to separate two classes of points in the plane: "
        "the class that it gives to every part of the plane, and its loss over the updates."
    )
    caption = (
        "The update rule at work: the network's class for every point of the plane, and the loss of all 128 "
        "examples. Blue and orange: the two classes, paler where the network is less certain. Grey: the run "
        "before. Initial std: the standard deviation of the initial weights. It, the data and the activation "
        "function begin a new run; the rest acts at once."
    )
    parts = [choice(kind, kind, [NAMES.get(n, n) for n in names], 0) for kind, names in CHOICES.items()]
    parts += [setting(name) for name in RANGES]
    parts += [
        buttons("start", "one step", "reset"),
        '<div data-part="hint" style="font-size:.85em">Run this cell to use the controls.</div>',
        f'<div data-part="view" role="group" aria-label="{html.escape(alt)}">{draw(state, START)}</div>',
        f'<div data-part="spoken" aria-live="polite" style="{UNSEEN_STYLE}"></div>',
        style.caption_tag(html.escape(caption), number),
        f'<script type="application/json" data-part="spec">{in_script(spec)}</script>',
        f'<script>({script})("{ident}", {code}, {read_script(*RADIOS)});</script>',
    ]
    opening = (
        f'<figure class="alexnet-figure"{style.anchor(number)} data-play="{ident}" '
        'data-lm-suppress-shortcuts="true" style="margin:0 0 1em;position:relative">'
    )
    return style.Shown(f"{opening}{''.join(parts)}</figure>", alt)


def setting(name: str) -> str:
    """One labelled range input; it sleeps until the script runs."""
    values = RANGES[name]
    place, label = values.index(START[name]), f"{START[name]:g}"
    return (
        f'<label style="{LABEL_STYLE}"><span style="min-width:7em">{TITLES[name]}</span><input type="range" '
        f'data-setting="{name}" min="0" max="{len(values) - 1}" value="{place}" step="1" disabled '
        f'autocomplete="off" aria-valuetext="{label}" style="flex:1 1 8em;min-width:0;max-width:22em">'
        f'<span aria-hidden="true" style="min-width:4em">{label}</span></label>'
    )


def buttons(*names: str) -> str:
    """A row of buttons that act; they sleep until the script runs."""
    look = f"{BUTTON_STYLE};{OTHER_STYLE};min-width:5em"
    made = [
        f'<button type="button" data-act="{name}" disabled style="{look}">{name}</button>' for name in names
    ]
    return f'<div role="group" aria-label="training" style="{LABEL_STYLE}">{"".join(made)}</div>'


def play(action: str, state: dict, settings: dict, steps: int):
    """Return what the page asks for: a "fresh" state, or after "advance" the same one, or a drawing of it."""
    if action == "fresh":
        return fresh(settings)
    if action == "advance":
        advance(state, settings, steps)
        return state
    return draw(state, settings)


def draw(state: dict, settings: dict) -> str:
    """Draw the plane with the examples, the curve of the loss, and what they say, as HTML."""
    loss, wrong = state["curve"][-1][1], state["curve"][-1][2]
    said = f"After {state['step']} updates"
    if state["diverged"]:
        said += " the training diverges: choose a smaller learning rate, and reset."
    else:
        said += f": loss {loss:.2f} nats, {100 * wrong:.0f}% of the examples misclassified."
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:.4em 1em;align-items:start">'
        f'<svg aria-hidden="true" viewBox="0 0 {SIDE} {SIDE}" style="flex:0 1 280px;min-width:0;'
        f'background:#fff" shape-rendering="crispEdges">{plane(state["weights"], settings["activation"])}'
        f"{dots(state['points'], 0)}{dots(state['points'], 1)}</svg>"
        f'<svg aria-hidden="true" viewBox="0 0 300 {BOTTOM + 20}" font-size="11" font-family="sans-serif" '
        f'fill="currentColor" style="flex:0 1 350px;min-width:0">{axes()}'
        f"{curve(state['before'], '#888')}{curve(state['curve'], COLOURS[0])}</svg></div>"
        f'<p data-said style="margin:.4em 0">{said}</p>'
    )


def plane(weights: list[float], activation: str) -> str:
    """Colour each part of the plane by the class that the network gives to it."""
    drawn, size = "", SIDE // GRID
    for i in range(GRID):
        start, before = 0, -1
        for j in range(GRID + 1):
            level = -2
            if j < GRID:
                point = [2 * (j + 0.5) / GRID - 1, 1 - 2 * (i + 0.5) / GRID]
                logits = forward(weights, point, activation)[-1]
                level = min(LEVELS - 1, int(LEVELS * probability(logits)))
            if level != before:
                if j > 0:  # neighbours of the same level are drawn as one
                    drawn += shaded(size * start, size * i, size * (j - start), size, before)
                start, before = j, level
    return drawn


def shaded(x: int, y: int, width: int, height: int, level: int) -> str:
    """Draw a rectangle in the colour of a class, the paler the nearer its level is to the middle."""
    middle = LEVELS // 2
    colour = COLOURS[0] if level < middle else COLOURS[1]
    strength = middle - level if level < middle else level - middle + 1
    return f'<path d="M{x} {y}h{width}v{height}h-{width}z" fill="{colour}" fill-opacity="{strength * 18}%"/>'


def dots(points: list[list[float]], label: int) -> str:
    """Draw the examples of a class: round for 0, square for 1, each with a white edge."""
    path = ""
    for x, y, own in points:
        if own == label:
            path += f"M{SIDE / 2 * (1 + x):.1f} {SIDE / 2 * (1 - y):.1f}h.01"
    end = "square" if label else "round"
    look = f'stroke-linecap="{end}" shape-rendering="auto"'
    edge = f'<path d="{path}" stroke="#fff" stroke-width="8" {look}/>'
    return f'{edge}<path d="{path}" stroke="{COLOURS[label]}" stroke-width="5.5" {look}/>'


def axes() -> str:
    """Draw the axes of the loss, with the loss of guessing."""
    guessing = TOP + (BOTTOM - TOP) * (1 - 0.6931 / MAX_LOSS)
    return (
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="currentColor"/>'
        f'<path d="M{LEFT} {guessing:.1f}H{RIGHT}" stroke="#888" stroke-dasharray="3"/>'
        f'<text x="{RIGHT}" y="{guessing - 4:.1f}" text-anchor="end">guessing: ln 2 = 0.69</text>'
        f'<text x="{LEFT - 5}" y="{TOP + 4}" text-anchor="end">{MAX_LOSS:.1f}</text>'
        f'<text x="{LEFT - 5}" y="{BOTTOM}" text-anchor="end">0.0</text>'
        f'<text x="{LEFT + 6}" y="{TOP + 4}">loss, nats</text>'
        f'<text x="{LEFT}" y="{BOTTOM + 15}" text-anchor="middle">0</text>'
        f'<text x="{RIGHT}" y="{BOTTOM + 15}" text-anchor="end">{MAX_STEPS:,} updates</text>'
    )


def curve(measured: list[list[float]], colour: str) -> str:
    """Draw the loss against the updates; what is above the axis lies on its end."""
    path = ""
    for step, loss, _ in measured:
        x = LEFT + (RIGHT - LEFT) * step / MAX_STEPS
        y = TOP + (BOTTOM - TOP) * (1 - min(loss, MAX_LOSS) / MAX_LOSS)
        path += f"{'L' if len(path) else 'M'}{x:.1f} {y:.1f}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>' if len(path) else ""

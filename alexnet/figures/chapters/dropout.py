"""A small network as dropout samples it: the units that are kept, and the prediction (paper 4.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.figures.sliders import explore
from alexnet.functional.dropout import dropout, dropout_at_test, dropout_mask

WIDTHS = (4, 5, 5, 3)  # inputs, two hidden layers under dropout, classes
NUM_HIDDEN = sum(WIDTHS[1:-1])
NUM_DRAWS = 12
TEST = "at test"
ACROSS, DOWN, RADIUS = 66, 62, 15  # from unit to unit, from layer to layer, of a circle
KEPT = "#0072B2"


def thinned_networks(*, number: str | None = None):
    """Let the reader present one image again and again, and see which network is drawn each time.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        thinned,
        presentation=[*(str(number) for number in range(1, NUM_DRAWS + 1)), TEST],
        p=[0.2, 0.5],
        start={"p": 0.5},
        labels={"p": "dropout probability"},
        number=number,
        alt=in_words,
        caption="Every presentation of the same image samples a network, and all of them share the same "
        "weights. Bottom: inputs; top: the three classes with their probabilities. Dashed: a dropped unit, "
        "whose connections are removed.",
    )


def thinned(presentation: str, p: float) -> str:
    """Draw the sampled network of one presentation, or the whole network at test, as HTML."""
    kept = select_mask(presentation, p)
    alive = [torch.ones(WIDTHS[0]), *kept.split(WIDTHS[1:-1]), torch.ones(WIDTHS[-1])]
    predicted = probabilities(presentation, p)
    shown = "".join(connections(level, alive[level], alive[level + 1]) for level in range(len(WIDTHS) - 1))
    for level, units in enumerate(alive):
        for index, unit in enumerate(units):
            shown += circle(level, index, bool(unit > 0))
    for index, probability in enumerate(predicted):
        x, y = place(len(WIDTHS) - 1, index)
        shown += f'<text x="{x}" y="{y - RADIUS - 6}">{probability:.2f}</text>'
    return (
        '<svg aria-hidden="true" viewBox="0 0 340 260" font-family="sans-serif" font-size="12.5" '
        'text-anchor="middle" fill="currentColor" style="width:100%;max-width:420px;display:block">'
        f"{shown}</svg><p>{in_words(presentation, p)}</p>"
    )


def select_mask(presentation: str, p: float) -> Tensor:
    """Return which hidden units are kept, (NUM_HIDDEN,) ones and zeros; at test all are."""
    if presentation == TEST:
        return torch.ones(NUM_HIDDEN)
    masks = dropout_mask(NUM_DRAWS, NUM_HIDDEN, p=p, generator=torch.Generator().manual_seed(10))
    return masks[int(presentation) - 1]


def probabilities(presentation: str, p: float) -> Tensor:
    """Return the network's prediction for its one image, (classes,) probabilities."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, WIDTHS[0], generator=generator, dtype=torch.float64)
    masks = select_mask(presentation, p)[None].split(WIDTHS[1:-1], dim=1)
    for level, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
        if level:
            x = torch.relu(x)
            x = dropout_at_test(x, p) if presentation == TEST else dropout(x, masks[level - 1])
        bias = torch.ones(outputs, dtype=x.dtype) if level < len(WIDTHS) - 2 else None  # as in paper 5
        x = F.linear(x, torch.randn(outputs, inputs, generator=generator, dtype=x.dtype), bias)
    return x.softmax(1)[0]


def place(level: int, index: int) -> tuple[int, int]:
    """Return where a unit's circle has its middle; the inputs are at the bottom."""
    left = 170 - ACROSS * (WIDTHS[level] - 1) // 2
    return left + ACROSS * index, 240 - DOWN * level


def connections(level: int, below: Tensor, above: Tensor) -> str:
    """Draw the lines between the kept units of two layers."""
    path = ""
    for i in range(len(below)):
        for j in range(len(above)):
            if below[i] and above[j]:
                (x, y), (there_x, there_y) = place(level, i), place(level + 1, j)
                path += f"M{x} {y - RADIUS}L{there_x} {there_y + RADIUS}"
    return f'<path d="{path}" stroke="#888" stroke-width="1"/>'


def circle(level: int, index: int, kept: bool) -> str:
    """Draw a unit: filled if it is kept, dashed and empty if it was dropped."""
    x, y = place(level, index)
    look = f'fill="{KEPT}" fill-opacity=".55"' if kept else 'fill="none" stroke-dasharray="3 3"'
    return f'<circle cx="{x}" cy="{y}" r="{RADIUS}" stroke="currentColor" {look}/>'


def in_words(presentation: str, p: float) -> str:
    """Describe the network, the number of its units that are kept, and its prediction."""
    prediction = ", ".join(f"{probability:.2f}" for probability in probabilities(presentation, p))
    if presentation == TEST:
        scaled = f"all {NUM_HIDDEN} hidden units, their outputs times {1 - p:g}"
        return f"At test: {scaled}. Prediction: {prediction}."
    bits = [int(unit) for unit in select_mask(presentation, p)]
    number = int("".join(map(str, bits)), 2) + 1
    return (
        f"Presentation {presentation}, p = {p:g}: network {number:,} of {2**NUM_HIDDEN:,}; {sum(bits)} of "
        f"{NUM_HIDDEN} hidden units take part. Prediction: {prediction}."
    )

"""Figure 2 of the paper, redrawn: the two towers, and the inputs of a unit of each layer (paper 3.5)."""

from alexnet.figures.sliders import explore
from alexnet.models.architecture import Layer, list_layers
from alexnet.recipes import PAPER

LAYERS = {layer.name: layer for layer in list_layers(PAPER.net)}
PARTS = tuple(layer for layer in LAYERS.values() if layer.has_parameters)
CENTRES = (92, 268)  # of tower a and tower b in the drawing
WIDTH, BOX, STEP, TOP = 150, 42, 68, 84  # of a box; its height; from one to the next; where conv1 begins
READER, READ = "#D55E00", "#0072B2"


def two_towers(*, number: str | None = None):
    """Let the reader choose a layer and see, in figure 2 redrawn, which boxes a unit of it reads.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        towers,
        layer=[layer.name for layer in PARTS],
        start={"layer": "conv2"},
        number=number,
        alt=towers_in_words,
        caption="The net of the paper, from the image (top) to the outputs (bottom). Sizes are of one "
        "tower: maps × height × width, or units. Orange: the chosen layer; blue: what it reads.",
    )


def towers(layer: str) -> str:
    """Draw the two towers, with what a unit of tower a reads in the layer of that name, as HTML."""
    names = [part.name for part in PARTS]
    chosen = names.index(layer)
    below = reads(PARTS[chosen])
    bottom = TOP + STEP * len(PARTS) - STEP + BOX
    drawn = [f'<text x="{x}" y="14">tower {tower}</text>' for tower, x in zip("ab", CENTRES, strict=True)]
    drawn += lines(chosen)
    image = f"image: {PARTS[0].in_channels} × {PARTS[0].in_size} × {PARTS[0].in_size}"
    drawn.append(box(CENTRES, 24, READ if chosen == 0 else "none", (image,)))
    for index, part in enumerate(PARTS):
        last = index == len(PARTS) - 1
        for tower, x in enumerate(CENTRES[:1] if last else CENTRES):
            colour = READER if index == chosen and tower == 0 else "none"
            colour = READ if index == chosen - 1 and tower in below else colour
            drawn.append(box(CENTRES if last else (x,), TOP + STEP * index, colour, box_text(part)))
    return (
        f'<svg aria-hidden="true" viewBox="0 0 360 {bottom + 4}" font-family="sans-serif" font-size="12.5" '
        'text-anchor="middle" fill="currentColor" style="width:100%;max-width:460px;display:block">'
        f"{''.join(drawn)}</svg><p>{in_words(PARTS[chosen])}</p>"
    )


def reads(layer: Layer) -> tuple[int, ...]:
    """Return the towers whose outputs a unit of tower a reads; 0 for tower a."""
    return (0, 1) if layer.crosses else (0,)


def lines(chosen: int) -> list[str]:
    """Draw the connections into every layer; those of the chosen one, in tower a, thick."""
    drawn = []
    for index, part in enumerate(PARTS):
        bottom, top = TOP + STEP * index - (STEP - BOX), TOP + STEP * index
        last = index == len(PARTS) - 1
        for tower, x in enumerate(CENTRES):
            # Outputs of the last layer stand in one box, which both towers reach straight down.
            for source in (tower,) if last or not part.crosses else (0, 1):
                thick = index == chosen and (tower == 0 or last)
                look = f'stroke="{READ}" stroke-width="3"' if thick else 'stroke="#888" stroke-width="1"'
                drawn.append(f'<path d="M{CENTRES[source]} {bottom}L{x} {top}" {look}/>')
    return drawn


def box(centres: tuple[int, ...], top: int, colour: str, text: tuple[str, ...]) -> str:
    """Draw a box as wide as the towers whose centres are given, with one or two lines of text."""
    left, right = centres[0] - WIDTH // 2, centres[-1] + WIDTH // 2
    height = 34 if top < TOP else BOX
    middle = (left + right) // 2
    first = top + height // 2 + (4 if len(text) == 1 else -4)
    drawn = f'<rect x="{left}" y="{top}" width="{right - left}" height="{height}" rx="4" '
    drawn += f'stroke="currentColor" fill="{colour}" fill-opacity=".35"/>'
    drawn += f'<text x="{middle}" y="{first}">{text[0]}</text>'
    if len(text) == 2:
        drawn += f'<text x="{middle}" y="{first + 16}" font-size="11">{text[1]}</text>'
    return drawn


def box_text(part: Layer) -> tuple[str, ...]:
    """Return the lines in a layer's box: its output in one tower, and that of the pool after it."""
    if part.kind == "dense":
        units = part.out_channels if part.name == "fc8" else part.out_channels // PAPER.net.towers
        return (f"{part.name}: {units:,}",)
    maps = part.out_channels // PAPER.net.towers
    text = (f"{part.name}: {maps} × {part.out_size} × {part.out_size}",)
    number = part.name[-1]
    if pool := LAYERS.get(f"pool{number}"):
        words = "norm, pool" if f"norm{number}" in LAYERS else "pool"
        text += (f"{words}: {maps} × {pool.out_size} × {pool.out_size}",)
    return text


def in_words(part: Layer) -> str:
    """Describe how many numbers a unit of tower a reads, and from which tower."""
    depth, side = part.in_channels // part.groups, part.kernel_size
    window = f"{side} × {side} × {depth} = {side * side * depth:,}" if part.kind == "conv" else f"{depth:,}"
    where = "of both towers" if part.crosses else "of its own tower alone"
    where = "of the image, which both towers have" if part.name == "conv1" else where
    unit = "An output" if part.name == "fc8" else "A unit of tower a"
    return f"{part.name}. {unit} reads {window} numbers {where}."


def towers_in_words(layer: str) -> str:
    """Return the alternative text of the drawing."""
    *crossing, last = [part.name for part in PARTS if part.crosses]
    return (
        "Two columns of boxes, one a tower, from the image above to the outputs below. Lines cross from "
        f"column to column before {', '.join(crossing)} and meet in {last}. {in_words(LAYERS[layer])}"
    )

"""Figure 2 of the paper drawn to scale: two towers, and the inputs of a unit of each layer (paper 3.5)."""

import math
from dataclasses import dataclass

from alexnet.figures.sliders import explore
from alexnet.models.architecture import Layer, list_layers
from alexnet.recipes import PAPER

LAYERS = {layer.name: layer for layer in list_layers(PAPER.net)}
PARTS = tuple(layer for layer in LAYERS.values() if layer.has_parameters)
TOWERS = PAPER.net.towers
SCALE = 0.6  # of the drawing's units to one channel, one row or one column
SLANT = 0.35  # columns go so far to the right, and as far up, of what they would measure
SHEET = {2048: (64, 32), 1000: (40, 25)}  # columns and rows that the units of a dense layer are laid out in
WIDTH, HALF, POOL = 360, 182, 90  # of the drawing; where tower b begins; where a pool stands in its tower
LABEL, GAP, CROSSING = 30, 18, 34  # height of two lines of text; from row to row, and where towers exchange
CHOSEN, READ, SENT = "#D55E00", "#0072B2", "#009E73"


@dataclass(frozen=True)
class Volume:
    """Activations of one tower as a box: channels to the right, rows upwards, columns to the back.

    Attributes:
        name: of the layer, and of the layers between it and the one before that do not change the shape.
        size: in words.
        channels: to the right.
        rows: upwards.
        columns: slanting to the back.
        left: edge of the front, in the drawing's units.
        bottom: its lower edge.
    """

    name: str
    size: str
    channels: int
    rows: int
    columns: int
    left: float
    bottom: float

    @property
    def depth(self) -> float:
        """How far the back is to the right of the front, and as far above it."""
        return SCALE * SLANT * self.columns


@dataclass(frozen=True)
class Row:
    """A layer: its volumes in each tower, the last of which the next layer reads, and its upper edge."""

    top: float
    towers: tuple[tuple[Volume, ...], ...]


def two_towers(*, number: str | None = None):
    """Let the reader choose a layer and see, in figure 2 redrawn, which activations a unit of it reads.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        towers,
        layer=[layer.name for layer in PARTS],
        start={"layer": "conv2"},
        number=number,
        alt=towers_in_words,
        caption="Feature maps shrink from layer to layer, and the towers exchange them only where a green "
        "arrow crosses. The paper's figure 2 drawn to scale, from the image (top) to the outputs (bottom); "
        "sizes: height × width × channels of one tower. Orange: the chosen layer; blue: the activations that "
        "one of its units reads. The units of a dense layer have no positions; they are laid out in rows.",
    )


def towers(layer: str) -> str:
    """Draw the two towers, with what a unit of tower a reads in the layer of that name, as HTML."""
    chosen, rows = [part.name for part in PARTS].index(layer), layout()
    volumes = list(dict.fromkeys(volume for row in rows for tower in row.towers for volume in tower))
    orange = rows[chosen + 1].towers[0][0]
    read = [rows[chosen].towers[tower][-1] for tower in (reads(PARTS[chosen]) if chosen else (0,))]
    drawn = "".join(label(volume) for volume in volumes)
    for tower, x in zip("ab", (HALF // 2, HALF + HALF // 2), strict=True):
        look = 'text-anchor="middle" font-size="13" font-weight="bold"'
        drawn += f'<text x="{x}" y="{rows[1].top - 40:.0f}" {look}>tower {tower}</text>'
    drawn += boxes([whole(volume) for volume in volumes if volume != orange], "currentColor", 0.12)
    drawn += boxes([whole(orange)], CHOSEN, 0.5)
    drawn += boxes([window(PARTS[chosen], volume) for volume in read], READ, 0.75)
    drawn += arrows(rows, chosen)
    bottom = rows[-1].towers[0][0].bottom
    return (
        f'<svg aria-hidden="true" viewBox="0 0 {WIDTH} {bottom + 4:.0f}" font-family="sans-serif" '
        'font-size="11.5" fill="currentColor" style="width:100%;max-width:390px;display:block">'
        f"{drawn}</svg><p>{in_words(PARTS[chosen])}</p>"
    )


def layout() -> list[Row]:
    """Place the image and all layers below each other; the image and the outputs stand in the middle."""
    first = PARTS[0]
    side = first.in_size
    image = [(f"{side} × {side} × {first.in_channels}", first.in_channels, side, side)]
    rows = [place(4, ["image"], image, middle=True)]
    for part in PARTS:
        names, shapes = list_volumes(part)
        above = rows[-1].towers[0][0].bottom
        gap = CROSSING if part.crosses else GAP
        rows.append(place(above + gap, names, shapes, middle=part is PARTS[-1]))
    return rows


def list_volumes(part: Layer) -> tuple[list[str], list[tuple[str, int, int, int]]]:
    """Return names and (size in words, channels, rows, columns) of a layer's output and of the pool after."""
    if part.kind == "dense":
        units = part.out_channels // (1 if part is PARTS[-1] else TOWERS)
        return [part.name], [(f"{units:,} units", *SHEET[units], 1)]
    maps, side, number = part.out_channels // TOWERS, part.out_size, part.name[-1]
    names, sides = [part.name], [side]
    if pool := LAYERS.get(f"pool{number}"):
        norm = f"norm{number}, " if f"norm{number}" in LAYERS else ""
        names, sides = [part.name, f"{norm}pool{number}"], [side, pool.out_size]
    return names, [(f"{n} × {n} × {maps}", maps, n, n) for n in sides]


def place(top: float, names: list[str], shapes: list[tuple[str, int, int, int]], *, middle: bool) -> Row:
    """Put the volumes of a layer into one row: in both towers, or once in the middle of the drawing."""
    height = max(SCALE * (rows + SLANT * columns) for _, _, rows, columns in shapes)
    bottom = top + LABEL + height
    towers = []
    for start in (HALF - 30,) if middle else (2, HALF):
        lefts = [start + POOL * index for index in range(len(shapes))]
        towers.append(
            tuple(
                Volume(name, *shape, left, bottom)
                for name, shape, left in zip(names, shapes, lefts, strict=True)
            )
        )
    return Row(top, tuple(towers) * (TOWERS if middle else 1))


def reads(layer: Layer) -> tuple[int, ...]:
    """Return the towers whose outputs a unit of tower a reads; 0 for tower a."""
    return (0, 1) if layer.crosses else (0,)


def label(volume: Volume) -> str:
    """Write the name and the size of a volume above it."""
    top = volume.bottom - SCALE * volume.rows - volume.depth
    return (
        f'<text x="{volume.left}" y="{top - 18:.0f}"><tspan font-weight="bold">{volume.name}</tspan>'
        f'<tspan x="{volume.left}" dy="13">{volume.size}</tspan></text>'
    )


def boxes(outlines: list[str], colour: str, opacity: float) -> str:
    """Draw boxes of one colour."""
    look = f'fill="{colour}" fill-opacity="{opacity}" stroke="currentColor" stroke-width=".7"'
    return f'<path d="{"".join(outlines)}" {look} stroke-linejoin="round"/>'


def whole(volume: Volume) -> str:
    """Return the outline of a volume."""
    return outline(volume.left, volume.bottom, volume.channels, volume.rows, volume.columns)


def window(part: Layer, volume: Volume) -> str:
    """Return the outline of what a unit in the middle of a layer reads of a volume: a window or all."""
    side = part.kernel_size
    rows, columns = (side, side) if part.kind == "conv" else (volume.rows, volume.columns)
    back = SCALE * SLANT * (volume.columns - columns) / 2
    up = SCALE * (volume.rows - rows) / 2
    return outline(volume.left + back, volume.bottom - up - back, volume.channels, rows, columns)


def outline(left: float, bottom: float, channels: int, rows: int, columns: int) -> str:
    """Return front, top and right side of a box whose front has its lower left corner at (left, bottom)."""
    width, height, back = (f"{SCALE * length:.1f}" for length in (channels, rows, SLANT * columns))
    return (
        f"M{left:.1f} {bottom:.1f}h{width}v-{height}h-{width}z"
        f"m0-{height}l{back}-{back}h{width}l-{back} {back}z"
        f"m{width} {height}l{back}-{back}v-{height}l-{back} {back}z"
    )


def arrows(rows: list[Row], chosen: int) -> str:
    """Draw the connections: green to the other GPU, blue and thick into the chosen layer of tower a."""
    paths = {"#888": "", SENT: "", READ: ""}
    widths = {"#888": 1, SENT: 1.5, READ: 3}
    for index, part in enumerate(PARTS):
        last = index == len(PARTS) - 1
        for tower, volumes in enumerate(rows[index + 1].towers):
            for source in (tower,) if last or not part.crosses else (0, 1):
                # The last layer is on one GPU: the other sends it what its tower puts out.
                crosses = source != tower or (last and source == 1)
                colour = READ if index == chosen and (tower == 0 or last) else SENT if crosses else "#888"
                start = rows[index].towers[source][-1]
                here = (start.left + SCALE * start.channels / 2, start.bottom + 2)
                there = (volumes[0].left + 26 + 16 * source, rows[index + 1].top - 1)
                paths[colour] += arrow(here, there, 3 + widths[colour])
    return "".join(
        f'<path d="{path}" stroke="{colour}" fill="{colour}" stroke-width="{widths[colour]}"/>'
        for colour, path in paths.items()
    )


def arrow(start: tuple[float, float], end: tuple[float, float], head: float) -> str:
    """Return a line with a head of some length."""
    length = math.dist(start, end)
    right, down = ((there - here) / length for here, there in zip(start, end, strict=True))
    x, y = end[0] - head * right, end[1] - head * down
    across, along = head * down / 2, head * right / 2
    return (
        f"M{start[0]:.1f} {start[1]:.1f}L{x:.1f} {y:.1f}"
        f"M{end[0]:.1f} {end[1]:.1f}L{x + across:.1f} {y - along:.1f}L{x - across:.1f} {y + along:.1f}z"
    )


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
        "Two columns of boxes drawn to scale, one a tower, from the image above to the outputs below. Arrows "
        f"cross from column to column before {', '.join(crossing)} and meet in {last}. "
        f"{in_words(LAYERS[layer])}"
    )

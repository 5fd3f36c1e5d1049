"""Convolution by pointing: the window under an output, the products, and their sum (paper 3.5)."""

from functools import partial

import numpy as np
import torch

from alexnet.figures.sliders import Table, explore

# Whole numbers, so that the products can be read, and what their sum is divided by.
KERNELS = {
    "vertical edges": ([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], 1),
    "horizontal edges": ([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], 1),
    "spot": ([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 1),
    "blur": ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 9),
    "Gabor": (
        [[0, 0, -1, -1, 0], [0, -2, -3, 0, 1], [-1, -3, 0, 3, 1], [-1, 0, 3, 2, 0], [0, 1, 1, 0, 0]],
        1,
    ),
}
SMALLEST = 3  # weights along a side of the smallest kernels
MAX_STRIDE, MAX_PADDING = 4, 2
HEAVIEST = 9  # the largest magnitude of a weight that the reader may write
CELL = 24  # units of a drawing to each number
FEWEST = 5  # squares along a side of the output for which there is room


def sliding_kernel(image: torch.Tensor, *, number: str | None = None):
    """Let the reader point at an output of a convolution and see its sum, and edit the weights.

    Args:
        image: (n, n) whole numbers from 0, black, to 9, white.
        number: of the figure, as in `figures.show`.
    Raises:
        ValueError: the image is not square, smaller than 7 x 7, or holds other numbers.
    """
    values = np.asarray(image)
    digits = set(values.flatten().tolist()) <= set(range(10))
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 7 or not digits:
        raise ValueError(f"the image must be square, 7 x 7 or more, of numbers 0 to 9, got {values.shape}")
    positions = range(len(values) + 2 * MAX_PADDING - SMALLEST + 1)
    return explore(
        partial(sliding, values.astype(int).tolist()),
        in_page=True,
        pointing=("row", "column"),
        table=Table(
            "weights", "kernel", {name: one[0] for name, one in KERNELS.items()}, -HEAVIEST, HEAVIEST
        ),
        kernel=list(KERNELS),
        stride=range(1, MAX_STRIDE + 1),
        padding=range(MAX_PADDING + 1),
        row=positions,
        column=positions,
        start={"row": 3, "column": 2},
        number=number,
        alt="The kernel '{kernel}', its weights as in the table, on a greyscale image, with stride {stride} "
        "and padding {padding}: the window of the output in row {row}, column {column}.",
        caption="Every output is one sum: the pixels of its window, each multiplied by the weight on it. "
        "Point at an output, or at the image, or move with the arrow keys. Change a weight and the whole "
        "output follows; choose a kernel again to have its own weights back. Grey: pixel values from 0 "
        "(black) to 9 (white); dashed: zeros of the padding; orange: positive; blue: negative.",
    )


def sliding(
    image: list[list[int]],
    kernel: str,
    weights: list[list[int]],
    stride: int,
    padding: int,
    row: int,
    column: int,
) -> str:
    """Draw image, kernel, products and output, as HTML, with the window of one output in a frame.

    Args:
        image: (n, n) whole numbers from 0 to 9.
        kernel: a key of ``KERNELS``, which tells by what the sum is divided.
        weights: (f, f) whole numbers: those of the kernel, or others.
        stride: pixels from one window to the next.
        padding: rows and columns of zeros on each side of the image.
        row: of the output, from 0; the last one instead of a row that is not there.
        column: of the output, likewise.
    """
    divisor = KERNELS[kernel][1]
    padded = surrounded(image, padding)
    f, size = len(weights), (len(padded) - len(weights)) // stride + 1
    i, j = min(row, size - 1), min(column, size - 1)
    terms = products(padded, weights, stride * i, stride * j)
    sums = [
        [sum(flat(products(padded, weights, stride * a, stride * b))) for b in range(size)]
        for a in range(size)
    ]
    largest = max(1, max([abs(weight) for weight in flat(weights)]))  # weights may all be 0
    limit = max(1, 9 * sum([abs(weight) for weight in flat(weights)]))
    # Pointing at the image means the window whose centre is nearest.
    pixels = squares(padded, 0, 1, padding) + framed(stride * i, stride * j, f)
    pixels += pointed(size, (f - stride) / 2, stride)
    outputs = squares(sums, limit, divisor, 0) + framed(i, j, 1) + pointed(size, 0, 1)
    said = f"The {f * f} products in row {i}, column {j} add up to <b>{sums[i][j]}</b>"
    said += f"; divided by {divisor} that is <b>{sums[i][j] / divisor:.2f}</b>." if divisor > 1 else "."
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:.4em 1em;align-items:start">'
        + panel("image", 260, len(padded), pixels)
        + '<div style="flex:1 1 110px;max-width:260px;display:flex;flex-wrap:wrap;gap:.4em 1em">'
        + panel("kernel", 110, f, squares(weights, largest, 1, 0))
        + panel("products", 110, f, squares(terms, 9 * largest, 1, 0))
        + "</div>"
        + panel(f"output, {size} × {size}", 240, max(size, FEWEST), outputs)
        + f'</div><p data-said style="margin:.4em 0">{said}</p>'
    )


def surrounded(image: list[list[int]], padding: int) -> list[list[int]]:
    """Put rows and columns of zeros around an image."""
    rows, n = range(len(image) + 2 * padding), len(image)
    return [
        [
            image[i - padding][j - padding] if min(i, j) >= padding and max(i, j) < n + padding else 0
            for j in rows
        ]
        for i in rows
    ]


def products(image: list[list[int]], weights: list[list[int]], top: int, left: int) -> list[list[int]]:
    """Multiply a kernel with the image's numbers in the window that begins at (top, left)."""
    places = range(len(weights))
    return [[weights[u][v] * image[top + u][left + v] for v in places] for u in places]


def flat(values: list[list[int]]) -> list[int]:
    """Put rows into one."""
    return [value for line in values for value in line]


def panel(title: str, width: int, side: int, content: str) -> str:
    """Put a title over a drawing of side x side squares, `width` CSS pixels wide where there is room."""
    return (
        f'<div style="flex:0 1 {width}px;min-width:0"><div style="font-size:.85em">{title}</div>'
        f'<svg aria-hidden="true" viewBox="-2 -2 {CELL * side + 4} {CELL * side + 4}" font-size="11" '
        'font-family="sans-serif" text-anchor="middle" stroke-width="0" fill="currentColor" '
        f'style="display:block;width:100%;user-select:none;touch-action:pan-y">{content}</svg></div>'
    )


def squares(values: list[list[int]], limit: int, divisor: int, padding: int) -> str:
    """Draw numbers on squares: pixel values where limit is 0, else coloured by sign and size up to the limit.

    Args:
        values: (rows, columns), whole numbers.
        limit: the magnitude that gets the full colour, or 0.
        divisor: what each number is divided by before it is written.
        padding: how many squares at each side are the zeros around an image.
    """
    drawn, last = "", len(values) - padding
    for i, line in enumerate(values):
        for j, v in enumerate(line):
            level, ink = 120 + 15 * v, ' fill="#000"'
            shade = f'"rgb({level},{level},{level})" stroke="#aaa"'
            if limit:
                colour = "#D55E00" if v > 0 else "#0072B2"
                shade, ink = f'"{colour}" fill-opacity="{70 * abs(v) // limit}%" stroke="#aaa"', ""
            elif min(i, j) < padding or max(i, j) >= last:
                shade, ink = '"none" stroke="#aaa" stroke-dasharray="3"', ""
            x, y = CELL * j, CELL * i
            text = f"{v / divisor:.1f}" if divisor > 1 else f"{v}"
            drawn += f'<path d="M{x} {y}h{CELL}v{CELL}h-{CELL}z" fill={shade} stroke-width="1"/>'
            if len(text) > 4:
                ink += ' font-size="8"'  # so that it stays in its square
            drawn += f'<text x="{x + 12}" y="{y + 16}"{ink}>{text}</text>'
    return drawn


def framed(top: int, left: int, side: int) -> str:
    """Draw a frame around so many squares, black with a white edge, to be seen on either ground."""
    x, y, width = CELL * left, CELL * top, CELL * side
    path = f'<path d="M{x} {y}h{width}v{width}h-{width}z" fill="none" stroke='
    return f'{path}"#fff" stroke-width="5"/>{path}"#000" stroke-width="3"/>'


def pointed(size: int, start: float, step: int) -> str:
    """Lay a grid over a drawing by which the page knows the output that the reader points at.

    Args:
        size: outputs in a row and in a column.
        start: squares before the first of them, along both axes.
        step: squares to each.
    """
    corner, side = CELL * start, CELL * size * step
    return (
        f'<rect data-grid="{size} {size}" x="{corner:.0f}" y="{corner:.0f}" width="{side}" height="{side}" '
        'fill="#fff" fill-opacity="0" style="cursor:crosshair"/>'
    )

"""Two figures that compute: how many windows fit, and what a kernel makes of each (paper 3.5)."""

import math
from functools import partial

import numpy as np
import torch

from alexnet.figures.sliders import explore

KERNELS = {
    "brighter to the right": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "brighter below": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "spot": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "sum of all nine": [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
}


def windows(n: int, f: int, s: int, p: int) -> str:
    """Draw the windows of f pixels, s apart, over n pixels with p of padding at each end, as HTML."""
    room = n + 2 * p - f
    down, up = room // s + 1, math.ceil(room / s) + 1
    rest, over = room % s, (up - 1) * s - room
    rows = math.ceil(f / s)  # windows that overlap are drawn below each other
    bars = "".join(
        f'<rect x="{i * s}" y="{6 + i % rows * 4}" width="{f}" height="3" '
        f'fill="{"#0072B2" if i < down else "#D55E00"}" stroke="#fff" vector-effect="non-scaling-stroke"/>'
        for i in range(up)
    )
    if n < 40:  # wide enough to tell single pixels apart
        marks = (
            f'<path d="M{i} 0v4" stroke="#fff" vector-effect="non-scaling-stroke"/>'
            for i in range(1, n + 2 * p)
        )
        bars += "".join(marks)
    return (
        f"<p>({n} + 2·{p} − {f}) / {s} + 1 = {(n + 2 * p - f) / s + 1:.2f}<br>"
        f"rounded down: <b>{down}</b> (pixels left over: {rest})<br>"
        f"rounded up: <b>{up}</b> (pixels overhanging: {over})</p>"
        f'<svg aria-hidden="true" viewBox="0 0 {n + 2 * p + over} {6 + rows * 4}" preserveAspectRatio="none" '
        f'style="width:100%;height:{24 + rows * 16}px"><rect width="{n + 2 * p}" height="4" fill="#999"/>'
        f'<rect x="{p}" width="{n}" height="4" fill="#009E73"/>{bars}</svg>'
    )


def output_sizes(*, number: str | None = None):
    """Let the reader choose size, window, stride and padding, and see the windows and both roundings.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        windows,
        in_page=True,
        n=[*range(11, 33), 55, 56, 128, 224, 227],
        f=range(1, 12),
        s=range(1, 6),
        p=range(4),
        start={"n": 14, "f": 3, "s": 2},
        labels={"n": "n, pixels", "f": "f, window", "s": "s, stride", "p": "p, padding"},
        number=number,
        alt="Windows of {f} pixels over {n} pixels with padding {p} at each end and stride {s}.",
        caption="Green: the image's pixels; grey: padding; blue: windows that fit; orange: the window that "
        "rounding up adds.",
    )


def sliding_kernel(image: torch.Tensor, *, number: str | None = None):
    """Let the reader slide kernels of 3 x 3 over a small image and see window, products and sum.

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
    places = range(len(values) - 2)
    return explore(
        partial(sliding, values.astype(int).tolist()),
        in_page=True,
        kernel=list(KERNELS),
        row=places,
        column=places,
        start={"row": 1, "column": 1},
        number=number,
        alt="An image of grey levels with a window of 3 by 3 at row {row}, column {column}, the kernel "
        "'{kernel}', the nine products of window and kernel, and the output with their sum at that place.",
        caption="Grey: levels from 0 (black) to 9 (white). Orange: positive; blue: negative.",
    )


def sliding(image: list[list[int]], kernel: str, row: int, column: int) -> str:
    """Draw the image with a window at (row, column), the kernel, the products and the output, as HTML."""
    weights, places = KERNELS[kernel], range(len(image) - 2)
    output = [[sum(flat(products(image, weights, i, j))) for j in places] for i in places]
    largest = max(abs(weight) for weight in flat(weights))
    positive = sum(weight for weight in flat(weights) if weight > 0)
    middle = 24 * len(image) + 26
    right = middle + 94
    return (
        f'<svg aria-hidden="true" viewBox="0 0 {right + 24 * len(output) + 2} {24 * len(image) + 24}" '
        'font-size="12" font-family="sans-serif" style="width:100%;max-width:640px;background:#fff">'
        + squares(image, 2, 20, "image", 0, (row, column, 3))
        + squares(weights, middle, 20, "kernel", largest)
        + squares(products(image, weights, row, column), middle, 116, "products", 9 * largest)
        + squares(output, right, 20, "output", 9 * positive, (row, column, 1))
        + f'<text x="{right}" y="{24 * len(output) + 44}">sum of products: {output[row][column]}</text></svg>'
    )


def products(image: list[list[int]], weights: list[list[int]], row: int, column: int) -> list[list[int]]:
    """Multiply a kernel of 3 x 3 with the image's numbers in the window at (row, column)."""
    return [[weights[i][j] * image[row + i][column + j] for j in range(3)] for i in range(3)]


def flat(values: list[list[int]]) -> list[int]:
    """Put rows into one."""
    return [value for line in values for value in line]


def squares(
    values: list[list[int]],
    left: int,
    top: int,
    title: str,
    limit: int,
    frame: tuple[int, int, int] | None = None,
) -> str:
    """Draw numbers on coloured squares: pixel values where limit is 0, else by sign and size up to the limit.

    Args:
        values: (rows, columns), whole numbers.
        left: left edge of the first square, in units of the drawing, 24 to a square.
        top: its upper edge, likewise.
        title: text above.
        limit: the magnitude that gets the full colour, or 0.
        frame: row, column and side of a frame around some of the squares.
    """
    drawn = f'<text x="{left}" y="{top - 5}">{title}</text>'
    for i, line in enumerate(values):
        for j, v in enumerate(line):
            shade = f'"#000" fill-opacity="{54 - 6 * v}%"'
            if limit:
                colour = "#D55E00" if v > 0 else "#0072B2"
                shade = f'"{colour}" fill-opacity="{60 * abs(v) // limit}%"'
            x, y = left + 24 * j, top + 24 * i
            drawn += f'<rect x="{x}" y="{y}" width="24" height="24" fill={shade} stroke="#aaa"/>'
            drawn += f'<text x="{x + 12}" y="{y + 16}" text-anchor="middle">{v}</text>'
    if frame:
        row, column, side = frame
        drawn += (
            f'<rect x="{left + 24 * column}" y="{top + 24 * row}" width="{24 * side}" '
            f'height="{24 * side}" fill="none" stroke="#000" stroke-width="3"/>'
        )
    return drawn

"""Figures that compute: how many windows fit into a number of pixels (paper 3.4 and 3.5)."""

import math

from alexnet.figures.sliders import explore


def windows(n: int, f: int, s: int, p: int) -> str:
    """Count and draw windows of f pixels, s apart, over n pixels with p of padding at each end, as HTML."""
    room = n + 2 * p - f
    down, up = counts(n, f, s, p)
    rest, over = room % s, (up - 1) * s - room
    return (
        f"<p>({n} + 2·{p} − {f}) / {s} + 1 = {(n + 2 * p - f) / s + 1:.2f}<br>"
        f"rounded down: <b>{down}</b> (pixels left over: {rest})<br>"
        f"rounded up: <b>{up}</b> (pixels overhanging: {over})</p>"
        f"{drawn(n, f, s, p, n + 2 * p + over)}"
    )


def counts(n: int, f: int, s: int, p: int) -> list[int]:
    """Return how many windows there are, with their number rounded down and rounded up."""
    room = n + 2 * p - f
    return [room // s + 1, math.ceil(room / s) + 1]


def pooled(n: int, s: int) -> str:
    """Count and draw windows that touch and windows that overlap by a pixel, over n pixels, as HTML."""
    width = n + s  # no window overhangs by more; both drawings have one scale
    found = []
    for z in [s, s + 1]:
        down, up = counts(n, z, s, 0)
        how = "side by side" if z == s else "overlapping by one pixel"
        found.append(
            f"<p>z = {z}, s = {s}, {how}: <b>{down}</b> rounded down, <b>{up}</b> rounded up</p>"
            f"{drawn(n, z, s, 0, width)}"
        )
    return found[0] + found[1]


def drawn(n: int, f: int, s: int, p: int, width: int) -> str:
    """Draw the windows below the pixels, as SVG of a width in pixels."""
    down, up = counts(n, f, s, p)
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
        f'<svg aria-hidden="true" viewBox="0 0 {width} {6 + rows * 4}" preserveAspectRatio="none" '
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
        caption="Where the stride does not divide n + 2p − f, the two ways of rounding differ by one window. "
        "Green: the image's pixels; grey: padding; blue: windows that fit; orange: the window that rounding "
        "up adds.",
    )


def pooled_sizes(*, number: str | None = None):
    """Let the reader choose size and stride, and see both kinds of pooling window beside each other.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        pooled,
        in_page=True,
        n=range(6, 64),
        s=range(1, 5),
        start={"n": 55, "s": 2},
        labels={"n": "n, pixels", "s": "s, stride"},
        number=number,
        alt="Pooling windows over {n} pixels with stride {s}: side by side, and overlapping by one pixel.",
        caption="Whether z = s and z = s + 1 give outputs of one size depends on n and on the rounding: from "
        "55 pixels z = 2 and z = 3 both give 27 rounded down, but 28 and 27 rounded up. Green: the pixels "
        "along one axis; blue: windows that fit; orange: the window that rounding up adds.",
    )

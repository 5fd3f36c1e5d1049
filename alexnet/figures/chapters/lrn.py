"""A figure that computes: by how much response normalisation divides activations of a size (paper 3.3)."""

import math

from alexnet.figures.sliders import explore

# The frame: a decade is 80 units wide and 60 high. Sizes run from 0.1 to 1000, divisors from 0.3 to 300; ONE
# is the height of the divisor 1.
LEFT, RIGHT, TOP, BOTTOM, ONE = 34, 354, 6, 186, 156
AXES = (
    f'<rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}" fill="none" stroke="#999"/>'
    + "".join(
        f'<path d="M{LEFT + 80 * i} {TOP}V{BOTTOM}" stroke="#888" stroke-opacity=".4"/>'
        f'<text x="{LEFT + 80 * i}" y="{BOTTOM + 13}" text-anchor="middle">{label}</text>'
        for i, label in enumerate(("0.1", "1", "10", "100", "1000"))
    )
    + "".join(
        f'<path d="M{LEFT} {ONE - 60 * i}H{RIGHT}" stroke="#888" stroke-opacity=".4"/>'
        f'<text x="{LEFT - 4}" y="{ONE + 4 - 60 * i}" text-anchor="end">{label}</text>'
        for i, label in enumerate(("1", "10", "100"))
    )
    + f'<text x="{LEFT + 160}" y="{BOTTOM + 28}" text-anchor="middle">size of the activations</text>'
    + f'<text x="{LEFT + 6}" y="{TOP + 14}">divisor</text>'
)
COLOURS = {"paper": "#0072B2", "code": "#D55E00"}
DASHES = {"paper": "none", "code": "6 3"}


def divisors(a: float, n: int, k: float, alpha: float, beta: float) -> str:
    """Draw the divisor against the size of n equal activations, with alpha and with alpha / n, as HTML."""
    drawn, told = AXES, ""
    if k:
        drawn += f'<path d="M{LEFT} {top(k**beta)}H{RIGHT}" stroke="#767676" stroke-dasharray="2 3"/>'
    for name, scale in {"paper": alpha, "code": alpha / n}.items():
        sizes = [10 ** (i / 10 - 1) for i in range(41)]
        points = " ".join(f"{left(size)},{top(energy(size, n, k, scale) ** beta)}" for size in sizes)
        total = energy(a, n, k, scale)
        divisor = total**beta
        drawn += (
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2" '
            f'stroke-dasharray="{DASHES[name]}"/>'
            f'<circle cx="{left(a)}" cy="{top(divisor)}" r="4" fill="{COLOURS[name]}"/>'
        )
        told += (
            f"<br>{name}: {k} + {short(total - k)} = {short(total)}, "
            f"divisor <b>{short(divisor)}</b>, output {short(a / divisor)}"
        )
    return (
        f"<p>{n} activations of {a}, k = {k}: the divisor without them is {short(k**beta)}.{told}</p>"
        '<svg aria-hidden="true" viewBox="0 0 372 218" font-size="11" font-family="sans-serif" '
        f'style="width:100%;max-width:520px" fill="currentColor">{drawn}</svg>'
    )


def energy(size: float, n: int, k: float, scale: float) -> float:
    """Return what is raised to beta: k and the squares of n equal activations."""
    return k + scale * n * size * size


def left(size: float) -> str:
    """Return the position of an activation's size along the axis."""
    return f"{LEFT + 80 * (math.log10(size) + 1):.1f}"


def top(value: float) -> str:
    """Return the height of a divisor, kept within the frame."""
    return f"{min(BOTTOM, max(TOP, ONE - 60 * math.log10(value))):.1f}"


def short(value: float) -> str:
    """Write a number with as many digits as it deserves."""
    digits = 4 if value < 1 else 3 if value < 10 else 1 if value < 1000 else 0
    return f"{value:.{digits}f}"


def divisor_explorer(*, number: str | None = None):
    """Let the reader choose activations and constants, and see what they are divided by.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        divisors,
        in_page=True,
        a=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 90, 100, 200, 500, 1000],
        n=[1, 3, 5, 7, 9],
        k=[0, 1, 2, 4],
        alpha=[1e-5, 1e-4, 1e-3, 1e-2, 1],
        beta=[0.25, 0.5, 0.75, 1],
        start={"a": 1, "n": 5, "k": 2, "alpha": 1e-4, "beta": 0.75},
        labels={"a": "activation size", "n": "n, channels", "alpha": "α", "beta": "β"},
        number=number,
        alt="Divisor against the size of {n} equal activations for k {k}, alpha {alpha} and beta {beta}, "
        "with a mark at size {a}: level for small activations, rising for large ones.",
        caption="Small activations are divided by a constant; only large ones inhibit each other. Blue: α as "
        "printed in the paper. Orange, dashed: α / n, as in the code of 2012. Grey dots: the constant. Both "
        "axes are logarithmic.",
    )

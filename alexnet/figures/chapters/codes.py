"""What binary codes of features find, by their length (paper 6.1)."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from alexnet import figures

LOOKS = {  # by the name in the record of tools/codes.py: label, colour, dashes, marker
    "ITQ": ("ITQ", "#009E73", "-", "D"),
    "auto-encoder": ("auto-encoder", "#0072B2", "-", "o"),
    "projection": ("random projections", "#CC79A7", "--", "s"),
    "auto-encoder of pixels": ("auto-encoder of pixels", "#D55E00", "--", "^"),
}
SHIFTS = (-0.06, -0.02, 0.02, 0.06)  # of the points, which would hide each other


def precision_by_bits(results: Mapping[str, Any]) -> Figure:
    """Draw precision against the bits of a code, with intervals over seeds.

    Args:
        results: of the record of `tools.codes`.
    """
    figure, axis = figures.new(height=3.4)
    for shift, (name, (label, colour, dashes, marker)) in zip(SHIFTS, LOOKS.items(), strict=True):
        found = results["over_seeds"][name]
        middle, low, high = ([100 * each[end] for each in found.values()] for end in ("mean", "low", "high"))
        below, above = ([abs(b - a) for a, b in zip(middle, ends, strict=True)] for ends in (low, high))
        axis.errorbar(
            [place + shift for place in range(len(found))],
            middle,
            yerr=[below, above],
            label=label,
            color=colour,
            linestyle=dashes,
            marker=marker,
            capsize=3,
            markersize=5,
        )
    exact = 100 * sum(run["features"] for run in results["seeds"]) / len(results["seeds"])
    axis.axhline(
        exact, **figures.line("reference", label=f"{results['sizes']['features']} features", linestyle="-")
    )
    axis.axhline(100 * results["pixels"], **figures.line("reference", label="pixels", linestyle="--"))
    axis.axhline(10, **figures.line("reference", label="chance"))
    lengths = list(next(iter(results["over_seeds"].values())))
    axis.set(xticks=range(len(lengths)), xticklabels=lengths, ylim=(0, 100))
    axis.set(xlabel="bits of a code", ylabel=f"precision at {results['k']} (%)")
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.3))
    return figure

"""Figure 3 of the paper with kernels that were trained here, by tower, and what is measured of each."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from alexnet import figures
from alexnet.evaluation.kernels import by_frequency, colourfulness, gratings, principal_components
from alexnet.figures.sliders import explore
from alexnet.storage import shipped

ACROSS = 8  # kernels in a row
LEVELS = 16  # of each colour: more would double the bytes and hardly be seen
REACH = 0.25  # cycles a pixel that the chart shows, along each axis
COMPONENTS = 28  # shown of a patch embedding, as by Dosovitskiy et al. (2021), in rows of 7
BANDS = torch.linspace(0, 0.48, 13)  # cycles a pixel: edges of the bins of a spectrum
SHOWN = (1, 5, 10)  # epochs of the first training, besides the last of every training


def learned(name: str, *, number: str | None = None):
    """Let the reader choose a training and an epoch, and see the kernels of conv1 by tower.

    Args:
        name: of a network that ships.
        number: of the figure, as in `figures.show`.
    """
    states = chosen(shipped.kernels(name))
    return explore(
        lambda training: towers(states[training], training),
        training=list(states),
        start={"training": next(state for state in states if state.endswith(f" {last_epoch(states)}"))},
        number=number,
        alt="The kernels of conv1 by tower, {training}, the least colourful first: noise after one epoch, "
        "edges, gratings and spots of colour at the end.",
        caption="conv1 learns edges, gratings and spots of colour. Within a tower the least colourful "
        "kernels come first; each is stretched to the full range. Shown: {training}.",
    )


def last_epoch(states: Mapping[str, Tensor]) -> int:
    """Return the last epoch that the labels of states name."""
    return max(int(state.rpartition(" ")[2]) for state in states)


def chosen(trained: Mapping[int, Mapping[int, Tensor]]) -> dict[str, Tensor]:
    """Choose what is shown: some epochs of the first training, the last epoch of every one.

    Args:
        trained: seed: epoch: kernels, as `shipped.kernels` has them.
    Returns:
        {"seed 0, epoch 1": kernels, ...}.
    """
    first = next(iter(trained))
    return {
        f"seed {seed}, epoch {epoch}": kernels
        for seed, epochs in trained.items()
        for epoch, kernels in epochs.items()
        if epoch == max(epochs) or (seed == first and epoch in SHOWN)
    }


def towers(kernels: Tensor, training: str) -> figures.Shown:
    """Draw the kernels (K, 3, R, S) of the two towers beside each other."""
    return figures.grid(
        [mosaic(half) for half in kernels.chunk(2)],
        labels=["tower a", "tower b"],
        alt=f"the kernels of conv1, {training}",
        scale=3,
    )


def mosaic(kernels: Tensor) -> np.ndarray:
    """Put kernels (K, 3, R, S) side by side, the least colourful first: (3, height, width) uint8."""
    return tiled(kernels[colourfulness(kernels).argsort(stable=True)], ACROSS)


def tiled(kernels: Tensor, across: int) -> np.ndarray:
    """Put kernels (K, 3, R, S), so many in each row, side by side in order: (3, height, width) uint8."""
    tiles = []
    for kernel in kernels:
        coarse = np.rint(figures.stretched(kernel) / 255 * (LEVELS - 1)) * (255 / (LEVELS - 1))
        tiles.append(np.pad(coarse.astype(np.uint8), ((0, 0), (1, 1), (1, 1)), constant_values=255))
    rows = [np.concatenate(tiles[start : start + across], 2) for start in range(0, len(tiles), across)]
    return np.concatenate(rows, 1)


def beside_conv1(
    conv1: Tensor, embedding: Tensor, *, alt: str, caption: str, number: str | None = None
) -> figures.Shown:
    """Show the principal components of a patch embedding beside the kernels of conv1.

    Args:
        conv1: (K, 3, R, R).
        embedding: (D, 3, P, P).
        alt: what is to be seen.
        caption: below both.
        number: of the figure, as in `figures.show`.
    """
    patterns = principal_components(embedding).patterns[:COMPONENTS]
    return figures.grid(
        [mosaic(conv1), tiled(patterns, COMPONENTS // 4)],
        labels=[f"{len(conv1)} kernels of conv1", f"first {COMPONENTS} components of the patch embedding"],
        alt=alt,
        caption=caption,
        number=number,
        scale=3,
    )


def spectra(layers: Mapping[str, Tensor]) -> Figure:
    """Draw two spectra of first layers: variance by principal component, power by spatial frequency.

    Args:
        layers: kernels (K, 3, R, R) by what they are called.
    """
    figure, (left, right) = figures.new(width=6.4, height=2.8, columns=2)
    middles = (BANDS[1:] + BANDS[:-1]) / 2
    for (name, kernels), dashes in zip(layers.items(), ("-", "--", ":"), strict=False):
        variance = 100 * principal_components(kernels).variance.cumsum(0)
        left.plot(range(1, len(variance) + 1), variance, linestyle=dashes, label=name)
        right.plot(middles, 100 * by_frequency(kernels, BANDS), linestyle=dashes, marker=".", label=name)
    left.set(xlabel="principal components", ylabel="variance, summed (%)", ylim=(0, 102))
    right.set(xlabel="cycles a pixel", ylabel="power (%)", xlim=(0, None), ylim=(0, None))
    left.legend(frameon=False, fontsize=8)
    return figure


def stripes(kernels: Tensor) -> Figure:
    """Draw for each tower the peak of every kernel's spectrum: direction, frequency, colourfulness."""
    found, colour = gratings(kernels), colourfulness(kernels)
    figure, axes = figures.new(width=6.4, height=2.6, columns=2, sharex=True, sharey=True)
    half = len(kernels) // 2
    for axis, tower, part in zip(axes, "ab", (slice(0, half), slice(half, None)), strict=True):
        turn = found.orientation[part] * (math.pi / 180)
        # At the angle of the stripes, as far out as they are fine.
        x, y = found.frequency[part] * turn.cos(), found.frequency[part] * turn.sin()
        look = {"c": colour[part], "s": 10 + 50 * found.selectivity[part], "cmap": "plasma"}
        axis.scatter(x, y, vmin=0, vmax=1, edgecolors="#444444", linewidths=0.4, **look)
        axis.set(title=f"tower {tower}", aspect="equal", xlim=(-REACH, REACH), ylim=(-0.01, REACH))
    axes[0].set(ylabel="cycles a pixel")
    figure.colorbar(axes[0].collections[0], ax=axes, label="colourfulness", shrink=0.8)
    return figure

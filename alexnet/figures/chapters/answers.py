"""Predictions of a trained network: figure 4 with free images, confusion matrix, errors by crops."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from alexnet import figures
from alexnet.data.loading import load_image
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.prediction import predict
from alexnet.figures import style
from alexnet.figures.encoding import encode_image

RIGHT, OTHER = "#D55E00", "#0072B2"
SIDE = 140  # CSS pixels of an image
Named = Sequence[tuple[str, float]]


def figure_4(
    classifier: Classifier,
    images: Mapping[str, Tensor],
    *,
    caption: str,
    number: str | None = None,
) -> style.Shown:
    """Show images with the five most probable classes as bars, in the manner of the paper's figure 4.

    Args:
        classifier: that predicts.
        images: what each shows: (3, height, width) uint8. Where that is one of the network's classes, its bar
            is red; else the network cannot be right.
        caption: below all of them.
        number: of the figure, as in `figures.show`.
    """
    found = predict(classifier, list(images.values()))
    cards, said = [], []
    for (shows, image), answers in zip(images.items(), found, strict=True):
        centre = load_image(image, SIDE)
        drawn = style.image_tag(encode_image(centre), alt=f"image: {shows}")
        title = f"<b>{html.escape(shows)}</b>"
        cards.append(f'<div style="width:{SIDE}px">{drawn}{title}{bars(answers, shows)}</div>')
        said.append(f"{shows}: {answers[0][0]} {answers[0][1]:.0%}")
    alt = f"Images with the five most probable classes as bars. Most probable: {'; '.join(said)}."
    row = f'<div role="group" aria-label="{html.escape(alt)}" style="{style.ROW_STYLE};align-items:start">'
    return style.Shown(style.framed(f"{row}{''.join(cards)}</div>", caption, number), alt)


def bars(answers: Named, right: str) -> str:
    """Draw classes with bars as long as their probabilities, as HTML: the right one red, the others blue."""
    lines = []
    for name, share in answers:
        colour = RIGHT if name == right else OTHER
        lines.append(
            '<div style="font-size:.72em;line-height:1.25">'
            f"{html.escape(name)} {share:.0%}"
            f'<div style="height:5px;background:{colour};width:{max(100 * share, 1):.0f}%"></div></div>'
        )
    return "".join(lines)


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Draw the confusion matrix: predictions for the images of each class, in percent of them.

    Args:
        counts: rows by label, columns by prediction.
        classes: names, in that order.
    """
    shares = 100 * fractions(counts)
    figure, axis = figures.new(width=6.0, height=4.6)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(shares.shape):
        dark = shares[row, column] > 50
        text = f"{shares[row, column]:.0f}" if shares[row, column] >= 0.5 else ""
        axis.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axis.set(xticks=range(len(classes)), yticks=range(len(classes)), ylabel="label")
    axis.set_xticklabels(classes, rotation=45, ha="right")
    axis.set_yticklabels(classes)
    axis.set_xlabel("prediction")
    axis.grid(False)
    return figure


def fractions(counts: Sequence[Sequence[int]]) -> np.ndarray:
    """Return each row of counts as fractions of its sum; zeros where there is nothing."""
    return np.asarray(counts, dtype=float) / np.maximum(np.sum(counts, axis=1, keepdims=True), 1)


def worst_pair(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> tuple[str, str, float]:
    """Return label and prediction of the most frequent error, and its fraction of that label's images."""
    shares = fractions(counts)
    np.fill_diagonal(shares, 0)
    row, column = (int(place) for place in np.unravel_index(shares.argmax(), shares.shape))
    return classes[row], classes[column], float(shares[row, column])


def errors_by_crops(networks: Sequence[Mapping]) -> Figure:
    """Draw the top-1 error against the number of crops averaged, of every network.

    Args:
        networks: the entries of seeds in the record of `tools.answers`.
    """
    figure, axis = figures.new(width=6.0, height=3.0)
    counts = range(1, len(networks[0]["by_views"]) + 1)
    for place, network in enumerate(networks):
        errors = [100 * error for error in network["by_views"]]
        (line,) = axis.plot(counts, errors, marker="o", label=f"seed {network['seed']}")
        label = "centre crop" if place == 0 else None
        centre = 100 * network["centre"]["top1"]
        axis.axhline(centre, color=line.get_color(), linestyle=":", linewidth=1.2, label=label)
    axis.set(xlabel="crops averaged", ylabel="top-1 error (%)", xticks=counts)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # beside: lines cross the axes
    return figure

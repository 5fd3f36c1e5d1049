"""The house style of every figure: one look, alternative text, the same bytes at every run.

An image leaves here as HTML, ``<figure><img alt=...></figure>`` with the image inside its address: it has
its alt text with it in Jupyter, Colab and the built page, and needs no file beside it.
"""

import html
import re
from collections.abc import Sequence

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from alexnet.figures.encoding import Encoded, encode_drawing, encode_image, signed, stretched

__all__ = ["COLOURS", "Shown", "grid", "line", "new", "image", "show", "signed", "stretched"]

# Okabe and Ito's palette, which stays apart for colour-blind readers. One name has one colour in the whole
# book; activation functions differ in dashes as well, so that a grey print can be read.
COLOURS = {
    "relu": "#0072B2",
    "tanh": "#D55E00",
    "scaled_tanh": "#E69F00",
    "abs_tanh": "#CC79A7",
    "sigmoid": "#009E73",
    "threshold": "#56B4E9",
    "train": "#0072B2",
    "test": "#D55E00",
    "paper": "#444444",
    "reference": "#767676",
}
DASHES = {
    "tanh": (0, (5, 2)),
    "scaled_tanh": (0, (5, 2, 1, 2)),
    "abs_tanh": (0, (2, 1.5)),
    "sigmoid": (0, (8, 2)),
    "threshold": (0, (1, 1)),
    "test": (0, (5, 2)),
    "paper": (0, (1, 1)),
    "reference": (0, (1, 1)),
}
CYCLE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444"]
INK, GRID = "#222222", "#dddddd"

# Inline, because a notebook brings no style sheet along. White ground and no filter: the dark theme of the
# book would dim the images. Charts it turns round by their class, so that white becomes the page's ground.
# The caption takes the colour of the text around it.
IMAGE_STYLE = "display:block;max-width:100%;height:auto;background:#fff;filter:none;margin:0"
CAPTION_STYLE = "color:inherit;font-size:.9em;margin:.3em 0 0;padding:0;text-align:left"
ROW_STYLE = "display:flex;flex-wrap:wrap;gap:.6em 1em;align-items:end"
NUMBER = re.compile(r"\d+\.\d+")


def new(*, width: float = 5.0, height: float = 3.0, rows: int = 1, columns: int = 1, **options):
    """Make a figure in the house style, outside pyplot.

    Args:
        width: inches; 5 fills the text column, and its type suits wide screen and phone.
        height: inches.
        rows: of the axes.
        columns: of the axes.
        **options: for ``Figure.subplots``, such as ``sharex=True``.
    Returns:
        (figure, axes), the axes as ``Figure.subplots`` gives them, one or an array.
    """
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
        axes = figure.subplots(rows, columns, **options)
    for axis in np.ravel(axes):
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(INK)
        axis.tick_params(colors=INK, which="both")
        axis.grid(True, color=GRID, linewidth=0.7)
        axis.set_axisbelow(True)
        axis.set_prop_cycle(color=CYCLE)
    return figure, axes


def line(name: str, **changes) -> dict:
    """Keywords that draw the curve of a name of ``COLOURS`` the same way in every figure.

    Args:
        name: such as "relu".
        **changes: keywords that replace or join the usual ones, such as ``label="ReLU"``.
    Returns:
        A dict with color, linestyle, linewidth and label, for ``Axes.plot``.
    Raises:
        ValueError: the name has no colour.
    """
    if name not in COLOURS:
        raise ValueError(f"no colour is set for {name!r}; the names are {', '.join(COLOURS)}")
    usual = {"color": COLOURS[name], "linestyle": DASHES.get(name, "-"), "linewidth": 1.8, "label": name}
    return usual | changes


class Shown:
    """A piece of HTML that displays itself in a notebook, with its alt text as the plain form.

    Attributes:
        html: what is displayed.
        alt: the text in its place.
        num_bytes: size of html.
    """

    def __init__(self, content: str, alt: str):
        self.html, self.alt, self.num_bytes = content, alt, len(content.encode())

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def show(figure: Figure, *, alt: str, caption: str | None = None, number: str | None = None) -> Shown:
    """Turn a matplotlib figure into HTML that carries its alt text.

    Args:
        figure: from `new`, or from pyplot, which then forgets it.
        alt: alternative text, in a sentence or two.
        caption: text below the figure.
        number: of chapter and figure, such as "6.2". It stands before the caption, so that every reader sees
            it, and makes the anchor ``figure-6-2`` for links.
    Raises:
        TypeError: figure is not a matplotlib figure.
        ValueError: alt is empty, or number is of another form.
    """
    if not isinstance(figure, Figure):
        kind = type(figure).__name__
        raise TypeError(f"show takes a matplotlib figure, got {kind}; for pixels there is image()")
    return _shown(encode_drawing(figure), alt, caption, number)


def image(
    image, *, alt: str, caption: str | None = None, number: str | None = None, scale: float = 1
) -> Shown:
    """Show a photograph or any other array of pixels.

    Args:
        image: PIL image; or tensor or array of shape (H, W), (3, H, W) or (H, W, 3), uint8 or float in 0..1.
        alt: as in `show`.
        caption: as in `show`.
        number: as in `show`.
        scale: CSS pixels for each pixel; from 2 on the pixels stay sharp squares, stored without loss.
    Raises:
        TypeError: image is neither array nor image.
        ValueError: its shape or values are out of range, or alt is empty.
    """
    return _shown(encode_image(image, scale=scale), alt, caption, number)


def grid(
    images: Sequence,
    *,
    alt: str,
    labels: Sequence[str] | None = None,
    caption: str | None = None,
    number: str | None = None,
    scale: float = 1,
) -> Shown:
    """Show small images side by side, each with its label; they wrap where the page is narrow.

    Args:
        images: each as in `image`; `signed` and `stretched` make them of kernels and feature maps.
        alt: what the row shows as a whole.
        labels: one for each image, also its alt text.
        caption: as in `image`.
        number: as in `image`.
        scale: as in `image`.
    Raises:
        ValueError: no image, or labels are not as many as the images; and as in `image`.
    """
    require_text(alt)
    names = [f"image {k + 1} of {len(images)}" for k in range(len(images))] if labels is None else labels
    if len(images) == 0 or len(names) != len(images):
        raise ValueError(f"grid got {len(images)} images and {len(names)} labels; it needs one for each")
    cells = []
    for image, name in zip(images, names, strict=True):
        label = "" if labels is None else f'<div style="font-size:.85em">{html.escape(name)}</div>'
        cells.append(f"<div>{image_tag(encode_image(image, scale=scale), alt=name)}{label}</div>")
    row = f'<div role="group" aria-label="{html.escape(alt)}" style="{ROW_STYLE}">{"".join(cells)}</div>'
    return Shown(framed(row, caption, number), alt)


def image_tag(encoded: Encoded, *, alt: str) -> str:
    """Write one <img>."""
    style = IMAGE_STYLE + (";image-rendering:pixelated" if encoded.sharp else "")
    mark = ' class="alexnet-chart"' if encoded.chart else ""
    return f'<img{mark} alt="{html.escape(alt)}" src="{encoded.uri}" width="{encoded.width}" style="{style}">'


def framed(content: str, caption: str | None, number: str | None = None) -> str:
    """Put content, which is HTML, and caption, which is text, into one <figure>."""
    below = caption_tag(html.escape(caption or ""), number)
    return f'<figure class="alexnet-figure"{anchor(number)} style="margin:0 0 1em">{content}{below}</figure>'


def anchor(number: str | None) -> str:
    """The attribute that links to a figure end on; nothing without a number."""
    if number is None:
        return ""
    if not isinstance(number, str) or not NUMBER.fullmatch(number):
        raise ValueError(f"number must be a string of chapter and figure, such as '6.2', got {number!r}")
    return f' id="figure-{number.replace(".", "-")}"'


def caption_tag(content: str, number: str | None) -> str:
    """The <figcaption> of content, which is HTML, after its number; nothing where both are missing."""
    head = "" if number is None else f"<b>Figure {number}.</b>"
    text = " ".join(part for part in (head, content) if part)
    return f'<figcaption style="{CAPTION_STYLE}">{text}</figcaption>' if text else ""


def require_text(alt: str) -> None:
    """Refuse an empty alt text."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty: describe the figure in a sentence, for readers who cannot see it")


def _shown(encoded: Encoded, alt: str, caption: str | None, number: str | None) -> Shown:
    require_text(alt)
    return Shown(framed(image_tag(encoded, alt=alt), caption, number), alt)

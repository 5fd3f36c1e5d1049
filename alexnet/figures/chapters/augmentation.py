"""Two figures of data augmentation: random crops, and PCA colour augmentation (paper 4.1)."""

import hashlib
from functools import partial

import torch
from torch import Tensor

from alexnet import paper
from alexnet.config import COLOUR_NOISE_READINGS
from alexnet.data.statistics import Statistics
from alexnet.figures.encoding import encode_image
from alexnet.figures.sliders import explore
from alexnet.transforms.colour import colour_shifts

SIDE, SIZE = paper.IMAGE_SIZE, paper.INPUT_SIZE
ROOM = SIDE - SIZE
READINGS = COLOUR_NOISE_READINGS[1:]  # the first is no noise at all
DEVIATIONS = range(-3, 4)


def crops(image: Tensor, *, number: str | None = None):
    """Let the reader move the crop over a stored image and flip it.

    Args:
        image: (3, 256, 256) uint8.
        number: of the figure, as in `figures.show`.
    Raises:
        ValueError: the image is of another size.
    """
    if image.shape[-2:] != (SIDE, SIDE):
        raise ValueError(
            f"a stored image has {SIDE} x {SIDE} pixels, got {' x '.join(map(str, image.shape[-2:]))}"
        )
    return explore(
        partial(crop, encode_image(image).uri),
        in_page=True,
        top=range(ROOM + 1),
        left=range(ROOM + 1),
        flipped=["no", "yes"],
        start={"top": ROOM // 2, "left": ROOM // 2},
        labels={"top": "first row", "left": "first column", "flipped": "horizontal flip"},
        number=number,
        alt="Left, the stored image with a frame from row {top} and column {left} on; right, what lies in "
        "the frame. Horizontal flip: {flipped}.",
        caption="Crops overlap almost entirely: the training images that they make are not independent. "
        "Left: the stored image; the frame is the crop. Right: the input of the network.",
    )


def crop(uri: str, top: int, left: int, flipped: str) -> str:
    """Draw the image at an address with the frame of a crop, and the crop beside it, as HTML."""
    flip, place = flipped == "yes", top * (ROOM + 1) + left
    shared = 100 * (SIZE - abs(top - ROOM / 2)) * (SIZE - abs(left - ROOM / 2)) / (SIZE * SIZE)
    counted = "among" if top < ROOM and left < ROOM else "beyond"
    image = f'<image href="{uri}" width="{SIDE}" height="{SIDE}"'
    return (
        f"<p>crop and flip <b>{2 * place + flip + 1}</b> of {2 * (ROOM + 1) ** 2}, "
        f"{counted} the paper's {2 * ROOM**2}<br>"
        f"has {shared:.1f}% of its pixels in common with the centre crop</p>"
        '<div style="display:flex;gap:1em;align-items:center">'
        f'<svg aria-hidden="true" viewBox="0 0 {SIDE} {SIDE}" style="width:50%;max-width:{SIDE}px">{image}/>'
        f'<path d="M0 0h{SIDE}v{SIDE}h-{SIDE}zM{left} {top}h{SIZE}v{SIZE}h-{SIZE}z" fill="#fff" '
        f'fill-opacity="0.6" fill-rule="evenodd"/><rect x="{left}" y="{top}" width="{SIZE}" height="{SIZE}" '
        'fill="none" stroke="#D55E00" stroke-width="2"/></svg>'
        f'<svg aria-hidden="true" viewBox="0 0 {SIZE} {SIZE}" style="width:44%;max-width:{SIZE}px;'
        f'overflow:hidden"><g transform="{f"translate({SIZE} 0) scale(-1 1)" if flip else "scale(1 1)"}">'
        f'{image} x="-{left}" y="-{top}"/></g></svg></div>'
    )


def colour_noise(image: Tensor, pca: Statistics, *, number: str | None = None):
    """Let the reader apply PCA colour augmentation, component by component, in each reading of the formula.

    Args:
        image: as in `figures.image`, square.
        pca: has pca_stds and pca_vectors.
        number: of the figure, as in `figures.show`.
    """
    one = paper.PCA_NOISE_STD * torch.eye(3, dtype=torch.float64)  # alpha of one deviation, by component
    moves = {reading: colour_shifts(one, pca, reading=reading).tolist() for reading in READINGS}
    uri = encode_image(image).uri
    key = hashlib.sha256(f"{uri}{moves}".encode()).hexdigest()[:12]  # a page may have several such figures
    return explore(
        partial(shifted, uri, moves, key),
        in_page=True,
        first=DEVIATIONS,
        second=DEVIATIONS,
        third=DEVIATIONS,
        reading=READINGS,
        start={"first": 2, "second": 0, "third": 0},
        labels={"first": "α₁ / 0.1", "second": "α₂ / 0.1", "third": "α₃ / 0.1"},
        number=number,
        alt="A photograph, and beside it the same with PCA colour augmentation: {first}, {second} and "
        "{third} standard deviations along the three components, in the reading {reading}.",
        caption="The first component changes the brightness, the others the hue. Left: as stored. Right: "
        "with the shift. The screen clips values outside 0 to 255; the network reads them unclipped.",
    )


def shifted(
    uri: str,
    moves: dict[str, list[list[float]]],
    key: str,
    first: int,
    second: int,
    third: int,
    reading: str,
) -> str:
    """Draw the image at an address as it is and with a shift of its colours, as HTML.

    Args:
        uri: address of the image.
        moves: for each reading, what each component adds to red, green and blue when its alpha is one
            standard deviation.
        key: of the figure in its page.
        first: alpha of the first component, in standard deviations.
        second: alpha of the second.
        third: alpha of the third.
        reading: a key of moves.
    """
    m = moves[reading]
    # Plus 0.0, because a zero has no sign in JavaScript's texts.
    shift = [first * m[0][c] + second * m[1][c] + third * m[2][c] + 0.0 for c in range(3)]
    image = f'<image href="{uri}" width="200" height="200"'
    channels = "".join(
        f'<feFunc{name} type="linear" slope="1" intercept="{value / 255:.4f}"/>'
        for name, value in zip("RGB", shift, strict=True)
    )
    return (
        f"<p>added to red, green, blue: <b>{', '.join(f'{v:+.1f}' for v in shift)}</b> of 255</p>"
        '<svg aria-hidden="true" viewBox="0 0 416 200" style="width:100%;max-width:416px">'
        f'<filter id="alexnet-colour-noise-{key}" x="0" y="0" width="1" height="1" '
        'color-interpolation-filters="sRGB"><feComponentTransfer>'
        f"{channels}</feComponentTransfer></filter>"
        f'{image}/>{image} x="216" filter="url(#alexnet-colour-noise-{key})"/></svg>'
    )

"""Two figures of preparation: the centre crop, and the filters for scaling (paper 2)."""

from functools import partial

from torch import Tensor

from alexnet import figures, paper
from alexnet.figures.encoding import encode_image
from alexnet.figures.sliders import explore
from alexnet.transforms.resampling import FILTERS, resample, zone_plate

SIDE = paper.IMAGE_SIZE
SIDES = range(200, 1001, 50)
SHRINKING = 4
SHOWN_SCALE = 1.75  # below 2, from where on images are stored without loss, five times as large


def cut_images(image: Tensor, *, number: str | None = None):
    """Let the reader choose the size of an image and see its centre crop.

    Args:
        image: as in `figures.image`; of it as much is shown as fits the chosen proportions.
        number: of the figure, as in `figures.show`.
    """
    return explore(
        partial(centre_cut, encode_image(image).uri),
        in_page=True,
        width=SIDES,
        height=SIDES,
        start={"width": 500, "height": 350},
        labels={"width": "width, pixels", "height": "height, pixels"},
        number=number,
        alt="An image of {width} by {height} pixels, with the central square that is cut out of it.",
        caption="The further an image is from a square, the less of it remains. Pale: what the centre crop "
        "discards.",
    )


def centre_cut(uri: str, width: int, height: int) -> str:
    """Draw the image at an address, scaled, with the square that is kept, as HTML."""
    shorter = min(width, height)
    w, h = (int(SIDE * n / shorter) for n in (width, height))
    left, top = (round((n - SIDE) / 2) for n in (w, h))
    kept = 100 * SIDE * SIDE / (w * h)
    return (
        f"<p>{width} × {height} → {w} × {h} → {SIDE} × {SIDE}<br>"
        f"scaled by <b>{SIDE / shorter:.2f}</b>, keeps <b>{kept:.1f}%</b> of the image</p>"
        f'<svg aria-hidden="true" viewBox="0 0 {w} {h}" style="max-width:100%;max-height:300px">'
        f'<image href="{uri}" width="{w}" height="{h}" preserveAspectRatio="xMidYMid slice"/>'
        f'<path d="M0 0h{w}v{h}h-{w}zM{left} {top}h{SIDE}v{SIDE}h-{SIDE}z" fill="#fff" '
        f'fill-opacity="0.65" fill-rule="evenodd"/><rect x="{left}" y="{top}" width="{SIDE}" '
        f'height="{SIDE}" fill="none" stroke="#D55E00" stroke-width="2"/></svg>'
    )


def shrink_images(image: Tensor, *, number: str | None = None):
    """Let the reader shrink an image and a test pattern by 4, with every filter, antialiased or not.

    Args:
        image: (3, H, W), 0 to 255; square, its side a multiple of 4.
        number: of the figure, as in `figures.show`.
    """
    return explore(
        lambda filter, antialiasing: shrunk(image, filter, antialiasing),
        filter=list(FILTERS),
        antialiasing=["no", "yes"],
        number=number,
        alt="A photograph and a pattern of rings, each shrunk to a quarter with the filter {filter}; "
        "antialiasing: {antialiasing}.",
        caption="Without antialiasing, stripes finer than the new pixels come back as false patterns. Left: "
        "a photograph. Right: rings around one centre; all centres but one are aliases.",
    )


def shrunk(image: Tensor, filter: str, antialiasing: str) -> figures.Shown:
    """Show an image and the rings, shrunk by 4."""
    size = (image.shape[-1] // SHRINKING,) * 2
    options = {"name": filter, "antialias": antialiasing == "yes"}
    side = image.shape[-1]
    # The rings surround a pixel that "nearest" takes.
    rings = resample(zone_plate(side, (side // 2 + SHRINKING // 2,) * 2), size, **options)
    smaller = (resample(image, size, **options) / 255).clamp(0, 1)  # only a screen has to clip
    return figures.grid(
        [smaller, (rings.clamp(-1, 1) + 1) / 2],
        labels=["photograph", "rings"],
        alt=f"Shrunk to a quarter; filter {filter}, antialiasing: {antialiasing}.",
        scale=SHOWN_SCALE,
    )

"""From arrays and drawings to images that a page can hold: pixels, colours, encoding.

Shapes: H, W height and width in pixels.
"""

import base64
import io
import sys
from typing import NamedTuple

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# An inch of a drawing is shown 120 CSS pixels wide: 10-point type is then as large as the text around it on a
# wide screen, and can still be read on a phone. Drawings are stored at 1.5 times that, for fine screens.
CSS_PIXELS_PER_INCH = 120
DOTS_PER_INCH = 180
FEW_COLOURS = 256  # a drawing with no more of them, once they are rounded, is stored so
ROUNDED = [min(255, 8 * round(value / 8)) for value in range(256)]  # white stays white
PALETTE = 96  # colours of a stored drawing that has more
MANY_COLOURS = 4096  # a drawing with more of them holds a photograph, which a palette would spoil
WEBP_QUALITY = 80


class Encoded(NamedTuple):
    """An image ready for a page.

    Attributes:
        uri: with the image inside.
        width: in CSS pixels.
        sharp: whether its pixels stay square.
        chart: whether it is drawn on white, so that a dark page may turn it round.
    """

    uri: str
    width: int
    sharp: bool = False
    chart: bool = False


def pixels(image) -> Image.Image:
    """Read an image in any of the usual forms.

    Args:
        image: PIL image; or tensor or array of shape (H, W), (3, H, W) or (H, W, 3), uint8 or float in 0..1.
    Returns:
        A PIL image in mode RGB.
    Raises:
        TypeError: neither array nor image.
        ValueError: another shape, or values out of range.
    """
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    array = np.asarray(image)
    if array.dtype.kind != "f" and array.dtype != np.uint8:
        kind = type(image).__name__
        raise TypeError(f"an image is a PIL image, or uint8 or float pixels, got {kind} of {array.dtype}")
    # A tensor of 3 x 3 pixels has the colours in front, as all tensors have; an array has them behind.
    if array.ndim == 3 and array.shape[0] == 3 and (array.shape[2] != 3 or array is not image):
        array = array.transpose(1, 2, 0)  # (H, W, 3)
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or array.size == 0:
        raise ValueError(f"an image has shape (H, W), (3, H, W) or (H, W, 3), got {np.shape(image)}")
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):
            low, high = array.min(), array.max()
            raise ValueError(f"float pixels lie in 0..1, got {low:g}..{high:g}: see signed() and stretched()")
        array = np.rint(array * 255).astype(np.uint8)
    return Image.fromarray(array).convert("RGB")


def signed(values, *, limit: float | None = None) -> np.ndarray:
    """Colour numbers of both signs: blue below zero, white at zero, red above.

    Args:
        values: (H, W).
        limit: the magnitude that gets the full colour; the largest in values when None.
    Returns:
        (H, W, 3), uint8.
    Raises:
        ValueError: values has another shape, or limit is not positive.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"signed takes values of shape (H, W), got {values.shape}")
    if limit is None:
        limit = np.abs(values).max() or 1.0
    if not limit > 0:
        raise ValueError(f"limit must be positive, got {limit}")
    position = np.clip(0.5 + values / (2 * limit), 0, 1)
    return matplotlib.colormaps["RdBu_r"](position, bytes=True)[..., :3]


def stretched(values) -> np.ndarray:
    """Stretch numbers to 0..255, smallest to largest; equal numbers become middle grey.

    Args:
        values: any shape that `pixels` takes.
    Returns:
        The same shape, uint8.
    """
    values = np.asarray(values, dtype=np.float64)
    low, span = values.min(), np.ptp(values)
    if span == 0:
        return np.full(values.shape, 128, dtype=np.uint8)
    return np.rint((values - low) / span * 255).astype(np.uint8)


def encode_drawing(figure: Figure) -> Encoded:
    """Encode a matplotlib figure as WebP, a chart without loss in few colours, with a photograph as one.

    Neither date nor version is stored: the same drawing gives the same bytes. A figure of pyplot is closed
    there, else the notebook would show it a second time.
    """
    image = drawn(figure, DOTS_PER_INCH)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    width = round(figure.get_size_inches()[0] * CSS_PIXELS_PER_INCH)
    if image.getcolors(MANY_COLOURS) is None:
        return Encoded(_uri(image, quality=WEBP_QUALITY), width)
    reduced = image.point(3 * ROUNDED)
    if reduced.getcolors(FEW_COLOURS) is None:  # choosing a palette takes a fifth of a chart's time
        reduced = image.quantize(PALETTE, dither=Image.Dither.NONE).convert("RGB")
    return Encoded(_uri(reduced, lossless=True), width, chart=True)


def drawn(figure: Figure, dots_per_inch: float) -> Image.Image:
    """Draw a figure, once: ``savefig`` draws a figure that arranges its own axes twice."""
    before = figure.canvas, figure.get_dpi(), figure.get_facecolor()
    try:
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(dots_per_inch)
        figure.set_facecolor("white")
        with matplotlib.style.context("default"):
            canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    finally:
        canvas, dpi, colour = before
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)
        figure.set_facecolor(colour)


def encode_image(image, *, scale: float = 1) -> Encoded:
    """Encode an image as WebP.

    Args:
        image: see `pixels`.
        scale: CSS pixels for each pixel; from 2 on the pixels stay sharp squares, stored without loss.
    """
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
    image = pixels(image)
    width = max(1, round(image.width * scale))
    if scale >= 2:
        return Encoded(_uri(image, lossless=True), width, sharp=True)
    return Encoded(_uri(image, quality=WEBP_QUALITY), width)


def _uri(image: Image.Image, **options) -> str:
    data = io.BytesIO()
    effort = 4 if options.get("lossless") else 6  # without loss, 6 takes twice as long for the same size
    image.save(data, "webp", method=effort, **options)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"

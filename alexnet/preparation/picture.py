"""One picture: from the bytes of a file to 256x256 RGB (paper 2).

The shorter side is scaled to 256 with Pillow's bilinear filter, whose support grows with the scale, so that
shrinking averages over all pixels ("antialiased"); then the central 256x256 are cut out. Sizes and offsets
are rounded as by torchvision's ``Resize(256)`` and ``CenterCrop(256)``, so the result is theirs bit by bit.
The paper names no filter. The tool that its first author published in 2014 (cuda-convnet2, make-data) took
OpenCV's area average to shrink and cubic interpolation to enlarge; Pillow cannot average parts of pixels.

A picture's orientation tag, colour profile and transparency are ignored.
"""

import gzip
import io
import struct
import warnings
import zlib
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

FILTER = Image.Resampling.BILINEAR
FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP", "GIF", "TIFF")
SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".ppm": "PPM",
    ".webp": "WEBP", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
GZIP_MAGIC = b"\x1f\x8b"
QUALITY = 95  # of stored JPEGs; the tool of 2014 used the same, and 4:2:0 as well
LONGEST = 1 << 16  # pixels of the longer side after scaling
# What Pillow's decoders raise for bytes that are damaged.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class Unreadable(ValueError):
    """The bytes cannot be made a picture; the message is the reason, in a few words."""


def decode(name: str, content: bytes) -> tuple[Image.Image, list[str]]:
    """Decode a picture to RGB, whatever it is stored as.

    Args:
        name: of the file; its suffix says what it claims to be.
        content: the file's bytes; also compressed with gzip, as one file of ILSVRC-2010 is.
    Returns:
        the picture in mode RGB, and what had to be converted: "CMYK", "greyscale", "PNG named JPEG", ...
    Raises:
        Unreadable: the bytes are none, no picture, or the picture is not whole.
    """
    if not content:
        raise Unreadable("empty file")
    notes = []
    try:
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
            notes.append("compressed with gzip")
        # Warnings are about tags that are ignored anyway, and about size, where the error is a factor 2 away.
        with warnings.catch_warnings(action="ignore"), open_image(content) as image:
            claimed = SUFFIXES.get(PurePosixPath(name).suffix.lower())
            if claimed and image.format not in (claimed, "MPO"):  # MPO: a JPEG with others appended
                notes.append(f"{image.format} named {claimed}")
            converted, note = to_rgb(image)
            return converted, notes + note
    except Unreadable:
        raise
    except DAMAGE as error:
        raise Unreadable(f"damaged ({error})") from error


def open_image(content: bytes) -> Image.Image:
    """Open a picture, decoding nothing yet; Unreadable if it is none."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except DAMAGE as error:
        raise Unreadable("not a picture") from error


def to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Convert an opened picture to RGB; also return what that took, empty for one that was RGB."""
    mode = image.mode
    if mode == "RGB":
        image.load()
        return image, []
    if mode in ("L", "1"):
        return image.convert("RGB"), ["greyscale"]
    if mode.startswith("I") or mode == "F":  # Pillow would clip them at 255
        return Image.fromarray(to_bytes(np.asarray(image, np.float64))).convert("RGB"), ["16-bit"]
    if mode in ("P", "PA"):  # by way of RGBA, because a palette may have transparent colours
        return image.convert("RGBA").convert("RGB"), ["palette"]
    return image.convert("RGB"), [mode]


def to_bytes(samples: np.ndarray) -> np.ndarray:
    """Scale samples of 0 to 65535 to uint8 of 0 to 255; samples that end at 255 stay as they are."""
    if samples.max(initial=0) > 255:
        samples = samples / 257
    return np.clip(np.rint(samples), 0, 255).astype(np.uint8)


def standardise(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to ``size`` pixels and cut out the central square (paper 2).

    Raises:
        Unreadable: the picture is so long and thin that scaling it would fill the memory.
    """
    width, height = image.size
    shorter = min(width, height)
    scaled = int(size * width / shorter), int(size * height / shorter)
    if max(scaled) > LONGEST:
        raise Unreadable(f"too thin ({width} x {height} pixels)")
    if scaled != image.size:
        image = image.resize(scaled, FILTER)
    left, top = (int(round((side - size) / 2)) for side in scaled)
    return image.crop((left, top, left + size, top + size))


def to_jpeg(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


def to_array(image: Image.Image) -> np.ndarray:
    """Return the pixels of a picture, (3, height, width) uint8."""
    return np.asarray(image).transpose(2, 0, 1)

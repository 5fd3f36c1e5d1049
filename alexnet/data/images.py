"""One image: from the bytes of a file to 256x256 RGB (paper 2). Preparation and prediction both read by this.

The shorter side is scaled to 256 with Pillow's bilinear filter, whose support grows with the scale, so that
shrinking averages over all pixels ("antialiased"); then the central 256x256 are cropped. Sizes and offsets
are rounded as by torchvision's ``Resize(256)`` and ``CenterCrop(256)``, so the result is theirs bit by bit.
The paper names no filter. The tool that its first author published in 2014 (cuda-convnet2, make-data) took
OpenCV's area average to shrink and cubic interpolation to enlarge; Pillow cannot average parts of pixels.

An image is turned upright as its orientation tag says, and what is transparent in it lies on white. Colour
profiles are ignored.
"""

import contextlib
import gzip
import io
import os
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from alexnet.data.formats import (
    PACKAGES,
    SUFFIXES,
    TGA_SUFFIXES,
    added,
    find_suffix,
    readable,
    recognise_format,
    why_not_read,
)

FILTER = Image.Resampling.BILINEAR
GZIP_MAGIC = b"\x1f\x8b"
QUALITY = 95  # of stored JPEGs; the tool of 2014 used the same, and 4:2:0 as well
LONGEST = 1 << 16  # pixels of the longer side after scaling
# Limits of what is decoded: a small file can claim any size. 16384 x 16384 pixels take 1 GiB in Pillow.
MAX_PIXELS = 1 << 28
MAX_BYTES = 1 << 30  # of a file
MAX_GUNZIPPED = 1 << 26  # of what a compressed file holds, in bytes
# What Pillow's decoders raise for bytes that are damaged: a PNG without its palette, say, an AssertionError.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError,
    ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError,
)  # fmt: skip
MODES = {"L": "greyscale", "LA": "greyscale", "1": "greyscale", "P": "palette", "PA": "palette"}
ON_WHITE = "transparent, on white"
SPREAD = {"L;2": 85, "L;4": 17}  # by what Pillow multiplies grey values of so many bits
SPREAD_TO_16 = ("PPM", "JPEG2000")  # whose numbers of 9 to 15 bits Pillow multiplies so that they have 16
Transparent = int | tuple[int, ...] | bytes | None
ORIENTATION = 0x0112  # the tag of EXIF and TIFF
SUBFILE_TYPE, REDUCED = 254, 1  # a tag of TIFF, and the bit of it that marks a smaller copy
DNG_VERSION = 50706
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PILLOW_LIMIT = threading.Lock()


class Unreadable(ValueError):
    """The bytes cannot be made an image; the message is the reason, in a few words."""


def in_brief(why: str) -> str:
    """Return a reason without what the decoder says, which is in brackets and differs between versions."""
    return why.partition(" (")[0]


def read_bytes(path: Path) -> bytes:
    """Return the content of a file that may be an image.

    Raises:
        Unreadable: it is larger than any image that is read, or no file that has a content: a pipe waits.
        OSError: it cannot be read.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable("neither a file nor a folder, but a pipe or a device")
    if about.st_size > MAX_BYTES:
        raise Unreadable(f"a file of {about.st_size:,} bytes, more than the limit of {MAX_BYTES:,}")
    return path.read_bytes()


def decode(name: str, content: bytes) -> tuple[Image.Image, list[str]]:
    """Decode an image to RGB, upright, whatever it is stored as.

    Args:
        name: of the file; its suffix names the format that it claims.
        content: the file's bytes; also compressed with gzip, as one file of ILSVRC-2010 is.
    Returns:
        the image in mode RGB, and what had to be converted: "CMYK", "greyscale", "PNG named JPEG", ...
    Raises:
        Unreadable: the bytes are none, no image or one that is not read, too large, or not whole.
    """
    if not content:
        raise Unreadable("empty file")
    notes = []
    try:
        if content.startswith(GZIP_MAGIC):
            content = gunzipped(content)
            notes.append("compressed with gzip")
        with warnings.catch_warnings(action="ignore"), open_image(name, content) as image:  # about odd tags
            claimed = SUFFIXES.get(find_suffix(name))
            if claimed and image.format not in (claimed, "MPO"):  # MPO: a JPEG with others appended
                notes.append(f"{image.format} named {claimed}")
            converted, note = to_rgb(image)
            return converted, notes + note
    except Unreadable:
        raise
    except DAMAGE as error:
        raise Unreadable(f"damaged ({error})") from error


def gunzipped(content: bytes) -> bytes:
    """Decompress a file; Unreadable if it becomes larger than any plausible image."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        plain = file.read(MAX_GUNZIPPED + 1)
    if len(plain) > MAX_GUNZIPPED:
        raise Unreadable(f"compressed with gzip, and more than the limit of {MAX_GUNZIPPED:,} bytes when not")
    return plain


def open_image(name: str, content: bytes) -> Image.Image:
    """Open an image, decoding nothing yet.

    Raises:
        Unreadable: it is none, or of a format that is not read, or has too many pixels.
    """
    kind = recognise_format(content)
    formats = readable() + (("TGA",) if find_suffix(name) in TGA_SUFFIXES else ())
    if kind in PACKAGES and added(kind):
        formats = None  # the package chose the name under which Pillow knows it
    try:
        with pillows_limit_lifted():
            image = Image.open(io.BytesIO(content), formats=formats)
    except DAMAGE as error:
        if kind in readable():
            raise Unreadable(f"damaged {kind}") from error
        raise Unreadable(why_not_read(kind) if kind else "not an image") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unreadable(f"{width:,} x {height:,} pixels, more than the limit of {MAX_PIXELS:,}")
    return image


@contextlib.contextmanager
def pillows_limit_lifted() -> Generator[None]:
    """Let Pillow open images of any size: its own limit is a global variable, and lower than ours."""
    with PILLOW_LIMIT:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Convert an opened image to RGB and turn it upright.

    Returns:
        the image, and what that took: nothing for one that was upright RGB.
    Raises:
        Unreadable: it has no pixels, or is but the thumbnail of a raw file, or its numbers or its colours
            have no one meaning as RGB.
    """
    if 0 in image.size:
        raise Unreadable("it has no pixels")
    if is_thumbnail(image):
        raise Unreadable("a camera's raw file, of which only the thumbnail can be read; convert it")
    notes = ["first of several images"] if has_others(image) else []
    # Looking for the tags of a PNG decodes it, and what is damaged is no error the second time.
    turned = image.format == "TIFF" and orientation(image) in TURNS
    see_through = transparent_value(image)
    image.load()  # turns a TIFF by itself, and takes its tag away
    converted, more = coloured(image, see_through)
    turn = TURNS.get(orientation(image))
    if turn is not None:
        converted = converted.transpose(turn)
    return converted, notes + more + (["turned upright"] if turned or turn is not None else [])


def is_thumbnail(image: Image.Image) -> bool:
    """Return whether an opened TIFF begins with a smaller copy of its image, as raw files (NEF, DNG) do."""
    if not isinstance(image, TiffImageFile):
        return False
    return bool(image.tag_v2.get(SUBFILE_TYPE, 0) & REDUCED) or DNG_VERSION in image.tag_v2


def has_others(image: Image.Image) -> bool:
    """Return whether an opened file holds several images: frames or pages, not the previews of a camera."""
    try:
        return image.format != "MPO" and getattr(image, "is_animated", False)
    except DAMAGE:  # in the second one, which nobody needs
        return False


def orientation(image: Image.Image) -> int:
    """Return the orientation tag of an image; 1, which is upright, without one or if the tags are damaged."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except DAMAGE:
        return 1


def transparent_value(image: Image.Image) -> Transparent:
    """Return what ``image.info`` says is transparent, on the scale of the pixels that Pillow decodes.

    The chunk tRNS of a PNG has it on that of the file: Pillow spreads grey values of 2 and 4 bits over 0 to
    255, and takes the upper 8 bits of colours of 16.

    Args:
        image: not loaded yet: only then it is known how the file stores its pixels.
    """
    value = image.info.get("transparency")
    stored = image.tile[0][3] if isinstance(image, PngImageFile) and image.tile else None
    if stored in SPREAD and isinstance(value, int):
        return value * SPREAD[stored]
    if stored == "RGB;16B" and isinstance(value, tuple):
        return tuple(part >> 8 for part in value)
    return value


def coloured(image: Image.Image, see_through: Transparent) -> tuple[Image.Image, list[str]]:
    """Convert a loaded image to RGB; also return what that took.

    Args:
        image: the image.
        see_through: of `transparent_value`.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":  # Pillow would clip them at 255
        numbers = np.asarray(image)
        samples, note = to_bytes(numbers, known_white(image))
        if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
            samples = 255 - samples  # 0 is white, which Pillow heeds up to 8 bits
        hidden = numbers == see_through if isinstance(see_through, int) else np.array(False)
        samples = np.where(hidden, np.uint8(255), samples)
        return Image.fromarray(samples).convert("RGB"), [note, ON_WHITE] if hidden.any() else [note]
    if see_through != image.info.get("transparency"):
        image = image.copy()  # somebody may hold it
        image.info["transparency"] = see_through
    notes = [] if mode == "RGB" else [MODES.get(mode, mode)]
    try:
        if not image.has_transparency_data:
            return (image if mode == "RGB" else image.convert("RGB")), notes
        image = image.convert("RGBA")
    except ValueError as error:
        raise Unreadable(f"colours of the kind {mode}, which are not read; convert it to RGB") from error
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB"), notes
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=alpha)
    return white, [*notes, ON_WHITE]


def known_white(image: Image.Image) -> int | None:
    """Return the largest number that greyscale of more than 8 bits can have; None if it is unknown."""
    if image.format in SPREAD_TO_16:
        return 65535
    twelve = isinstance(image, TiffImageFile) and image.tag_v2.get(BITSPERSAMPLE) == (12,)
    return 4095 if twelve else None


def to_bytes(samples: np.ndarray, white: int | None) -> tuple[np.ndarray, str]:
    """Scale whole numbers of 0 to 65535, or others of 0 to 1, to uint8 of 0 to 255.

    Args:
        samples: (height, width) of any kind of number.
        white: the whole number that becomes 255; None: 255, where all are up to that, and else 65535.
    Returns:
        (height, width) uint8, and what was done, in a few words.
    Raises:
        Unreadable: there are others, so the value of white is unknown.
    """
    low, high = float(samples.min()), float(samples.max())
    if samples.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # nor if one is NaN
            raise Unreadable(
                f"floating-point numbers from {low:g} to {high:g}, and only 0 to 1 is read; make it 8-bit"
            )
        return np.rint(samples.astype(np.float32) * 255).astype(np.uint8), "floating-point"
    if low < 0 or high > 65535:
        raise Unreadable(f"numbers from {low:.0f} to {high:.0f}, and only 16 bits are read; make it 8-bit")
    if white is None and high <= 255:
        return samples.astype(np.uint8), "16-bit with numbers of 8 bits"
    white = white or 65535
    return np.rint(samples.astype(np.float32) / (white / 255)).astype(np.uint8), f"{white.bit_length()}-bit"


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to ``size`` pixels and crop the central square (paper 2).

    Raises:
        Unreadable: the image is so long and thin that scaling it would fill the memory.
    """
    width, height = image.size
    shorter = min(width, height)
    scaled = int(size * width / shorter), int(size * height / shorter)
    if max(scaled) > LONGEST:
        raise Unreadable(f"too thin ({width} x {height} pixels)")
    if scaled != image.size:
        image = image.resize(scaled, FILTER)
    left, top = (round((side - size) / 2) for side in scaled)
    return image.crop((left, top, left + size, top + size))


def to_jpeg(image: Image.Image) -> bytes:
    """Return an image as the bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


def to_array(image: Image.Image | np.ndarray) -> np.ndarray:
    """Return the pixels of an image, or of an array (height, width, 3), as (3, height, width) uint8."""
    return np.asarray(image).transpose(2, 0, 1)

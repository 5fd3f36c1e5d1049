"""What kind of image a file is, told by its first bytes and never by its name."""

import functools
import importlib
import re
from pathlib import PurePosixPath

from PIL import Image

# The formats that are read, by Pillow's names; an older Pillow lacks some of them.
FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP", "GIF", "TIFF", "AVIF", "JPEG2000", "QOI")
# TGA has no signature, so nearly anything might be one: it is tried only for files with such a name.
TGA_SUFFIXES = (".tga", ".vda", ".icb", ".vst")
SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".ppm": "PPM", ".webp": "WEBP",
    ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", **dict.fromkeys(TGA_SUFFIXES, "TGA"),
}  # fmt: skip
HEAD_BYTES = 264  # enough for every signature, also of archives
SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "BMP": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "PPM": rb"P[1-6fF]\s+(#[^\n]*\n\s*)*\d",
    "WEBP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb".{4}ftyp(avi[fs]|mi[fa].{5,40}avif)",
    "HEIC": rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",
    "JPEG2000": rb"\0\0\0\x0cjP  |\xffO\xffQ",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "QOI": rb"qoif",
    "PSD": rb"8BPS",
    "ICO": rb"\0\0\x01\0[^\0]\0",
    "ICNS": rb"icns",
    "DDS": rb"DDS ",
    "PCX": rb"\n[\0-\x05]\x01[\x01\x02\x04\x08]",
    "SGI": rb"\x01\xda[\0\x01][\x01\x02]",
    "Sun raster": rb"\x59\xa6\x6a\x95",
    "XPM": rb"/\* XPM",
    "FITS": rb"SIMPLE  =",
    "OpenEXR": rb"v/1\x01",
    "Radiance HDR": rb"#\?(RADIANCE|RGBE)",
    "DICOM": rb".{128}DICM",
    "SVG": rb"\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg\b",
}
PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in SIGNATURES.items()}
# Formats that Pillow reads with a package that adds them: the package, its module, what to call in it.
PACKAGES = {
    "HEIC": ("pillow-heif", "pillow_heif", "register_heif_opener"),
    "JPEG XL": ("pillow-jxl-plugin", "pillow_jxl", None),
}


def find_suffix(name: str) -> str:
    """Return the suffix of a file's name in lower case: ".jpg"."""
    return PurePosixPath(name).suffix.lower()


def recognise_format(head: bytes) -> str | None:
    """Return the name of an image format, read here or not; None if the bytes are no image's.

    Args:
        head: the first ``HEAD_BYTES`` of a file, or more.
    """
    head = head[:HEAD_BYTES]
    return next((name for name, pattern in PATTERNS.items() if pattern.match(head)), None)


@functools.cache
def readable() -> tuple[str, ...]:
    """Return those of ``FORMATS`` that the installed Pillow knows."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@functools.cache
def added(name: str) -> bool:
    """Let Pillow read a format of ``PACKAGES`` from now on; return whether its package is installed."""
    _, module, function = PACKAGES[name]
    try:
        imported = importlib.import_module(module)
    except ImportError:
        return False
    if function:
        getattr(imported, function)()
    return True


def why_not_read(name: str) -> str:
    """Describe in a few words why an image of this format cannot be read, and what to do."""
    if name in PACKAGES:
        package = PACKAGES[name][0]
        return f"{name}, which is read only with the package {package}; install it or convert the image"
    if name in FORMATS:
        return f"{name}, which the installed Pillow cannot read; upgrade Pillow or convert the image to PNG"
    return f"{name}, a format that is not read; convert the image to JPEG or PNG"

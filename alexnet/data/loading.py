"""An image of any kind, prepared as those of a data set are (paper 2)."""

import os
import re
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from alexnet.data.images import DAMAGE, Unreadable, decode, read_bytes, resize_and_crop, to_array, to_rgb
from alexnet.storage.files import home

ImageLike = str | Path | Image.Image | Tensor


def load_image(source: ImageLike, size: int) -> Tensor:
    """Prepare an image as ``alexnet data prepare`` does, by the same functions (paper 2).

    It is decoded and turned upright, its shorter side scaled, its centre cropped.

    Args:
        source: a file's path, a Pillow image, or a tensor (3, height, width) uint8; of any size.
        size: H in pixels.
    Returns:
        (3, H, H) uint8.
    Raises:
        FileNotFoundError: as `read_image` raises.
        ValueError: as `read_image` raises.
    """
    return stored_with_notes(source, size)[0]


def stored_with_notes(source: ImageLike, size: int) -> tuple[Tensor, list[str]]:
    """Prepare an image, and say what that took: "greyscale", "turned upright", "transparent, on white", ...

    Args, Raises and the first of what is returned as for `load_image`.
    """
    try:
        if isinstance(source, Tensor | Image.Image):
            image, notes = converted(convert_to_image(source) if isinstance(source, Tensor) else source)
        elif isinstance(source, str | os.PathLike):
            image, notes = read_image(source)
        else:
            raise ValueError(
                "an image must be a file's path, a Pillow image or a tensor (3, height, width) uint8, got "
                f"{type(source).__name__}; PIL.Image.open reads an open file, PIL.Image.fromarray an array"
            )
        return torch.from_numpy(to_array(resize_and_crop(image, size)).copy()), notes
    except Unreadable as error:
        raise ValueError(f"{described(source)} cannot be used: {error}") from error


def converted(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Convert an image as `alexnet.data.images.to_rgb` does; Unreadable also if its pixels cannot be read."""
    try:
        return to_rgb(image)
    except Unreadable:
        raise
    except DAMAGE as error:
        raise Unreadable(f"damaged ({error})" if str(error) else "damaged, or closed") from error


def described(source: ImageLike) -> str:
    """Return what to call an image in a message."""
    if isinstance(source, Tensor):
        return f"the tensor {tuple(source.shape)}"
    if isinstance(source, Image.Image):
        return "the image of {} x {} pixels".format(*source.size)
    return str(source)


def convert_to_image(pixels: Tensor) -> Image.Image:
    """Return a tensor (3, height, width) uint8 as an image; ValueError if it is none."""
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(
            "an image as a tensor must be (3, height, width) uint8, got "
            f"{tuple(pixels.shape)} {str(pixels.dtype).removeprefix('torch.')}"
        )
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def read_image(path: str | Path) -> tuple[Image.Image, list[str]]:
    """Read a file of any format and mode that data sets have, as RGB, upright; also return what that took.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no image that is read (see `alexnet.data.images`); or the path is a folder
            or an address on the web.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise ValueError(f"{path} is an address, and images are read from files alone; download it first")
    path = home(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the images in it, such as {path / '*.jpg'}")
    if not path.exists():
        raise FileNotFoundError(f"there is no image {path}")
    try:
        return decode(path.name, read_bytes(path))
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}") from error
    except Unreadable as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error

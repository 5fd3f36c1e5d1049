"""Free photographs, from the files that scikit-image brings along: nothing is downloaded.

``CREDITS`` names the author and the licence of each image, from scikit-image's documentation.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Credit:
    """Where a photograph comes from: file in skimage/data, what it shows, its author and its licence."""

    file: str
    shows: str
    author: str
    licence: str


# Only images whose author and terms scikit-image states; of its others it says less, or nothing.
CREDITS = {
    "astronaut": Credit(
        file="astronaut.png",
        shows="the astronaut Eileen Collins, 512 x 512 pixels",
        author="NASA",
        licence="public domain",
    ),
    "cat": Credit(
        file="chelsea.png",
        shows="the cat Chelsea, 451 x 300 pixels",
        author="Stefan van der Walt",
        licence="CC0",
    ),
    "coffee": Credit(
        file="coffee.png",
        shows="a cup of coffee on a wooden table, 600 x 400 pixels",
        author="Rachel Michetti",
        licence="CC0",
    ),
    "rocket": Credit(
        file="rocket.jpg",
        shows="a Falcon 9 rocket at its launch, 640 x 427 pixels",
        author="SpaceX",
        licence="public domain",
    ),
    "camera": Credit(
        file="camera.png",
        shows="a photographer with a camera on a tripod, 512 x 512 grey pixels",
        author="Lav Varshney",
        licence="CC0",
    ),
    "clock": Credit(
        file="clock_motion.png",
        shows="a wall clock, blurred by motion, 400 x 300 grey pixels",
        author="Stefan van der Walt",
        licence="public domain",
    ),
    "galaxies": Credit(
        file="hubble_deep_field.jpg",
        shows="galaxies in the Hubble deep field, 1000 x 872 pixels",
        author="NASA",
        licence="public domain",
    ),
    "bricks": Credit(
        file="brick.png",
        shows="a wall of bricks, 512 x 512 grey pixels",
        author="CC0Textures",
        licence="CC0",
    ),
    "gravel": Credit(
        file="gravel.png",
        shows="gravel, 512 x 512 grey pixels",
        author="CC0Textures",
        licence="CC0",
    ),
    "grass": Credit(
        file="grass.png",
        shows="grass, 512 x 512 grey pixels",
        author="linolafett",
        licence="CC0",
    ),
}


def names() -> list[str]:
    """Names of the photographs that `load` knows."""
    return list(CREDITS)


def credit(name: str) -> str:
    """One phrase fit for a caption: what the photograph shows, its author and its licence."""
    entry = _entry(name)
    return f"{entry.shows.rpartition(',')[0]} (photograph: {entry.author}, {entry.licence})"


def load(name: str) -> torch.Tensor:
    """Read a photograph.

    Args:
        name: one of ``names()``.
    Returns:
        (3, H, W) uint8 tensor, RGB; grey photographs repeat their one channel.
    Raises:
        ValueError: there is no such photograph.
        ModuleNotFoundError: scikit-image is missing.
        FileNotFoundError: its file is missing.
    """
    path = _folder() / _entry(name).file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: pip install --force-reinstall scikit-image")
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


def _entry(name: str) -> Credit:
    if name not in CREDITS:
        raise ValueError(f"there is no photograph {name!r}; the names are {', '.join(CREDITS)}")
    return CREDITS[name]


def _folder() -> Path:
    """The data folder of scikit-image, found without importing it: its import would offer downloads."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the photographs need scikit-image: pip install scikit-image")
    return Path(found.origin).parent / "data"

"""Grounds and shapes of drawn scenes, with the noise and the grain of photographs."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 224  # pixels, height and width
FINE = 3  # scenes are drawn so many times as large, and reduced
Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


def noise(scale: int, seed: int) -> np.ndarray:
    """Return smooth noise (SIZE, SIZE) of standard deviation about 1, with spots so many pixels wide."""
    side = SIZE // scale + 2
    values = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    return np.asarray(Image.fromarray(values).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def rough(colour: Colour, amount: float, seed: int) -> np.ndarray:
    """Return a rough surface (SIZE, SIZE, 3) such as grass or stone, varied by a fraction of its colour."""
    layers = np.sum([noise(scale, seed + scale) * scale**0.4 for scale in (1, 2, 4, 16)], 0)
    return np.array(colour) * (1 + amount * (layers / layers.std())[..., None])


def sky(top: Colour, bottom: Colour, clouds: float, seed: int) -> np.ndarray:
    """Return a sky that grows lighter downwards, (SIZE, SIZE, 3), with clouds from 0 to about 1."""
    down = np.linspace(0, 1, SIZE)[:, None, None]
    white = np.clip((noise(40, seed) + 0.5 * noise(16, seed + 1)) * clouds, 0, 1)[..., None]
    blue = (1 - down) * np.array(top) + down * np.array(bottom)
    return blue * (1 - white) + 245 * white


def drawn(ground: np.ndarray, draw: Callable[[Draw], None]) -> np.ndarray:
    """Draw on a ground, in FINE pixels, soften the edges, and add the grain of a photograph."""
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    image = image.resize((FINE * SIZE, FINE * SIZE), Image.Resampling.BICUBIC)
    draw(ImageDraw.Draw(image))
    image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))
    grain = np.random.default_rng(5).normal(size=(SIZE, SIZE, 1))
    return np.asarray(image).astype(float) + 3 * grain


def disc(draw: Draw, x: float, y: float, radius: float, fill: Colour, squash: float = 1.0) -> None:
    """Fill an ellipse; squash is its height over its width."""
    draw.ellipse((x - radius, y - radius * squash, x + radius, y + radius * squash), fill=fill)


def ring(draw: Draw, x: float, y: float, radius: float, width: int, fill: Colour) -> None:
    """Draw a circle of some width, with a lighter line along it, as on metal."""
    light = tuple(min(255, value + 60) for value in fill)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=fill, width=width)
    inner = radius - width / 3
    draw.ellipse((x - inner, y - inner, x + inner, y + inner), outline=light, width=max(width // 4, 1))


def window(draw: Draw, x: int, top: int, bottom: int, half: int, fill: Colour) -> None:
    """Fill a window or door with a round arch."""
    draw.pieslice((x - half, top, x + half, top + 2 * half), 180, 360, fill=fill)
    draw.rectangle((x - half, top + half, x + half, bottom), fill=fill)


def horizon(above: np.ndarray, below: np.ndarray, row: int) -> np.ndarray:
    """Put one ground above another, which begins at a row."""
    return np.concatenate([above[:row], below[row:]])


GROUNDS: dict[str, Callable[[], np.ndarray]] = {
    "lawn": lambda: rough((80, 115, 50), 0.25, 21),
    "meadow": lambda: rough((85, 125, 55), 0.22, 61),
    "green": lambda: rough((70, 120, 45), 0.18, 3),
    "wood": lambda: rough((150, 110, 70), 0.08, 6),
    "bark": lambda: rough((135, 100, 65), 0.22, 51),
    "cloth": lambda: rough((60, 30, 35), 0.1, 41),
    "clouds": lambda: sky((70, 130, 200), (190, 215, 240), 0.5, 7),
    "country": lambda: horizon(
        sky((90, 140, 205), (215, 225, 235), 0.35, 2), rough((80, 110, 50), 0.2, 9), 190
    ),
    "yard": lambda: horizon(
        sky((150, 180, 205), (205, 210, 210), 0.0, 3), rough((150, 150, 145), 0.05, 4), 120
    ),
    "street": lambda: horizon(
        sky((150, 175, 205), (215, 215, 215), 0.3, 31), rough((110, 108, 105), 0.05, 33), 150
    ),
}

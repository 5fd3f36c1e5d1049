"""Drawn scenes, one for each class of Imagenette: free images with a known class.

They are computed, with some noise for the texture of a photograph. None was changed after the network had
been asked, and none is left out. What it makes of them is no measure of its error: that takes photographs.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from alexnet.checks import one_of
from alexnet.figures.drawing import GROUNDS, SIZE, Draw, disc, drawn, ring, window


def names() -> list[str]:
    """Return the classes of which there is a scene, by the names that the network knows them by."""
    return list(SCENES)


def load(name: str, ground: str | None = None) -> Tensor:
    """Draw a scene.

    Args:
        name: one of ``names()``.
        ground: what the thing is drawn on, one of ``GROUNDS``; None for its own.
    Returns:
        (3, 224, 224) uint8, RGB, the same at every call.
    Raises:
        ValueError: there is no such scene or ground.
    """
    if name not in SCENES:
        raise ValueError(f"there is no scene {name!r}; the names are {', '.join(SCENES)}")
    own, draw = SCENES[name]
    one_of("ground", ground or own, tuple(GROUNDS))
    pixels = np.clip(draw(GROUNDS[ground or own]()), 0, 255).astype(np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def golf_ball(ground: np.ndarray) -> np.ndarray:
    """A ball with dimples on grass, lit from the upper left."""
    y, x = np.mgrid[:SIZE, :SIZE]
    right, down = (x - 112) / 62, (y - 118) / 62
    squared = right**2 + down**2
    front = np.sqrt(np.clip(1 - squared, 0, 1))
    # Dimples at the points of a spiral from pole to pole, which lie about equally far apart.
    k = np.arange(330)
    height, turn = 1 - 2 * (k + 0.5) / 330, k * math.pi * (3 - 5**0.5)
    around = np.sqrt(1 - height**2)
    dimples = np.stack([around * np.cos(turn), around * np.sin(turn), height], 1)
    place = np.stack([right, down, front], 2)
    near = place @ dimples.T
    away = place - dimples[near.argmax(2)]
    depth = np.clip(1 - (2 - 2 * near.max(2)) / 0.085**2, 0, 1)[..., None]
    normal = place + 3.5 * depth * away
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    light = 70 + 185 * np.clip(normal @ np.array([-0.45, -0.65, 0.62]), 0, 1)[..., None]
    shadow = np.exp(-((((x - 126) / 75) ** 2 + ((y - 168) / 28) ** 2) ** 2))[..., None]
    edge = np.clip((1 - np.sqrt(squared)) * 62, 0, 1)[..., None]
    return ground * (1 - 0.45 * shadow) * (1 - edge) + light * edge


def parachute(ground: np.ndarray) -> np.ndarray:
    """A striped parachute with a jumper, before clouds."""

    def draw(d: Draw) -> None:
        turns, stripes = np.linspace(0, math.pi / 2, 20), 7
        edges = [2 * place / stripes - 1 for place in range(stripes + 1)]

        def side(u: float) -> list[tuple[float, float]]:
            return [(330 + 215 * u * math.sin(t), 350 - 230 * math.cos(t)) for t in turns]

        for place, (left, right) in enumerate(zip(edges, edges[1:], strict=False)):
            colour = ((200, 40, 40), (240, 240, 235))[place % 2]
            shade = 1 - 0.35 * abs(left + right) / 2
            hem = [
                (330 + 215 * u, 332 + 18 * math.cos(7 * math.pi * (u - left)))
                for u in np.linspace(left, right, 8)
            ]
            draw_shade = (int(colour[0] * shade), int(colour[1] * shade), int(colour[2] * shade))
            d.polygon([*side(left), *hem, *reversed(side(right))], fill=draw_shade)
        for u in edges:
            d.line([(330 + 215 * u, 346), (330 + 8 * u, 550)], fill=(40, 40, 40), width=2)
        disc(d, 330, 552, 12, (60, 40, 30))
        d.rectangle((314, 562, 346, 612), fill=(40, 50, 60))
        for way in (-1, 1):
            d.line([(330 + 8 * way, 610), (330 + 12 * way, 650)], fill=(30, 30, 40), width=10)

    return drawn(ground, draw)


def church(ground: np.ndarray) -> np.ndarray:
    """A church with a pointed tower on a meadow."""

    def draw(d: Draw) -> None:
        d.rectangle((250, 360, 560, 580), fill=(185, 172, 150))
        d.polygon([(235, 365), (300, 270), (530, 270), (580, 365)], fill=(105, 70, 60))
        d.rectangle((130, 230, 260, 580), fill=(225, 215, 195))
        d.polygon([(120, 235), (195, 30), (270, 235)], fill=(80, 85, 95))
        d.polygon([(195, 30), (270, 235), (215, 235)], fill=(60, 64, 72))
        d.line([(195, 5), (195, 40)], fill=(40, 40, 40), width=5)
        d.line([(184, 16), (206, 16)], fill=(40, 40, 40), width=5)
        for x in (300, 370, 440, 510):
            window(d, x, 410, 510, 18, (50, 55, 70))
        window(d, 196, 460, 580, 26, (70, 45, 35))
        window(d, 195, 395, 445, 13, (55, 60, 75))
        disc(d, 195, 350, 20, (60, 64, 80))
        disc(d, 195, 284, 14, (240, 240, 235))

    return drawn(ground, draw)


def gas_pump(ground: np.ndarray) -> np.ndarray:
    """A red petrol pump with counters and a hose."""

    def draw(d: Draw) -> None:
        d.rectangle((200, 110, 450, 600), fill=(195, 30, 30))
        d.rectangle((200, 110, 250, 600), fill=(150, 20, 22))
        d.rectangle((200, 80, 450, 125), fill=(235, 235, 230))
        d.rectangle((235, 150, 420, 290), fill=(235, 235, 225))
        for top in (165, 205, 245):
            d.rectangle((255, top, 400, top + 27), fill=(20, 25, 25))
            for left in range(262, 400, 23):
                d.rectangle((left, top + 5, left + 14, top + 22), fill=(220, 220, 200))
        d.rectangle((250, 330, 410, 420), fill=(245, 245, 245))
        d.rectangle((265, 345, 395, 380), fill=(30, 60, 160))
        d.rectangle((190, 590, 460, 640), fill=(70, 70, 70))
        d.arc((400, 180, 560, 560), -90, 100, fill=(25, 25, 25), width=14)
        d.rectangle((440, 200, 480, 270), fill=(30, 30, 30))

    return drawn(ground, draw)


def cassette_player(ground: np.ndarray) -> np.ndarray:
    """A portable player with two loudspeakers on a wooden table."""

    def draw(d: Draw) -> None:
        d.rectangle((60, 190, 612, 500), fill=(45, 45, 50))
        d.rectangle((60, 190, 612, 215), fill=(95, 95, 100))
        for x in (160, 512):
            for radius, fill in (
                (85, (150, 150, 155)),
                (77, (20, 20, 22)),
                (60, (60, 60, 64)),
                (22, (25, 25, 25)),
            ):
                disc(d, x, 355, radius, fill)
        d.rectangle((262, 300, 410, 410), fill=(160, 160, 165))
        d.rectangle((275, 315, 397, 380), fill=(25, 25, 28))
        for x in (307, 365):
            disc(d, x, 346, 14, (220, 220, 215))
        for left in range(255, 420, 28):
            d.rectangle((left, 430, left + 23, 455), fill=(190, 190, 190))
        d.rectangle((255, 235, 417, 275), fill=(215, 210, 180))
        for x in range(262, 412, 13):
            d.line([(x, 240), (x, 252)], fill=(40, 40, 40), width=2)

    return drawn(ground, draw)


def tench(ground: np.ndarray) -> np.ndarray:
    """A green fish on grass."""

    def draw(d: Draw) -> None:
        d.polygon([(520, 330), (640, 240), (615, 335), (640, 430)], fill=(70, 66, 30))
        d.polygon([(260, 235), (330, 170), (420, 250)], fill=(70, 66, 30))
        d.polygon([(330, 420), (380, 490), (430, 405)], fill=(78, 66, 32))
        disc(d, 310, 332, 265, (96, 92, 42), squash=0.42)
        disc(d, 310, 370, 235, (160, 140, 70), squash=0.22)
        for row in range(6):
            for x in range(150, 520, 26):
                y = 270 + 20 * row
                d.arc(
                    (x + 13 * (row % 2), y, x + 24 + 13 * (row % 2), y + 20),
                    90,
                    270,
                    fill=(70, 70, 30),
                    width=2,
                )
        d.arc((60, 250, 200, 420), -70, 70, fill=(60, 56, 24), width=5)
        d.polygon([(190, 380), (260, 400), (220, 440)], fill=(85, 70, 35))
        disc(d, 105, 305, 14, (200, 90, 30))
        disc(d, 105, 305, 7, (15, 15, 15))
        d.arc((40, 320, 100, 370), 0, 100, fill=(60, 50, 30), width=5)

    return drawn(ground, draw)


def garbage_truck(ground: np.ndarray) -> np.ndarray:
    """A truck with a large closed body in a street."""

    def draw(d: Draw) -> None:
        d.rectangle((40, 470, 640, 520), fill=(40, 40, 42))
        d.polygon([(60, 190), (440, 170), (450, 470), (40, 470)], fill=(235, 235, 230))
        d.polygon([(60, 190), (40, 470), (10, 440), (30, 260)], fill=(60, 110, 60))
        for x in range(120, 440, 62):
            d.line([(x, 186), (x, 468)], fill=(190, 190, 188), width=6)
        d.rectangle((50, 390, 448, 420), fill=(50, 130, 60))
        d.polygon([(455, 260), (590, 260), (640, 370), (640, 500), (455, 500)], fill=(50, 130, 60))
        d.polygon([(480, 280), (580, 280), (615, 365), (480, 365)], fill=(70, 85, 100))
        d.rectangle((600, 430, 642, 460), fill=(240, 230, 180))
        for x in (130, 230, 550):
            for radius, fill in ((58, (25, 25, 25)), (28, (150, 150, 150)), (10, (60, 60, 60))):
                disc(d, x, 515, radius, fill)

    return drawn(ground, draw)


def french_horn(ground: np.ndarray) -> np.ndarray:
    """A coiled horn of brass with its bell, before a dark cloth."""
    brass = (190, 140, 50)

    def draw(d: Draw) -> None:
        for x, y, radius, width in (
            (300, 280, 190, 26),
            (310, 300, 140, 22),
            (300, 290, 95, 20),
            (340, 320, 60, 16),
        ):
            ring(d, x, y, radius, width, brass)
        for x in (270, 310, 350):
            d.rectangle((x - 14, 230, x + 14, 350), fill=(210, 165, 75))
            disc(d, x, 228, 18, (235, 205, 130), squash=0.5)
        d.line([(120, 200), (40, 120)], fill=brass, width=14)
        d.line([(400, 430), (500, 520)], fill=brass, width=60)
        for radius, fill in (
            (150, (150, 105, 35)),
            (138, (222, 176, 84)),
            (100, (176, 128, 46)),
            (52, (70, 48, 18)),
        ):
            disc(d, 500, 510, radius, fill, squash=0.9)

    return drawn(ground, draw)


def chain_saw(ground: np.ndarray) -> np.ndarray:
    """An orange saw with its bar before a log."""

    def draw(d: Draw) -> None:
        d.polygon([(300, 360), (640, 330), (655, 360), (640, 395), (300, 420)], fill=(175, 178, 182))
        d.line([(300, 360), (640, 330), (655, 360), (640, 395), (300, 420)], fill=(45, 45, 45), width=10)
        for x in range(310, 640, 22):
            d.rectangle((x, 398 - (x - 310) // 14, x + 9, 412 - (x - 310) // 14), fill=(45, 45, 45))
        d.polygon([(90, 300), (310, 280), (330, 450), (110, 470)], fill=(225, 95, 25))
        d.polygon([(110, 400), (330, 380), (330, 450), (110, 470)], fill=(50, 50, 52))
        d.arc((20, 280, 190, 480), 90, 270, fill=(40, 40, 42), width=30)
        d.arc((180, 190, 330, 400), 180, 360, fill=(40, 40, 42), width=24)
        disc(d, 190, 370, 40, (40, 40, 42))
        disc(d, 190, 370, 18, (150, 150, 150))

    return drawn(ground, draw)


def springer(ground: np.ndarray) -> np.ndarray:
    """The head and chest of a brown and white dog on grass."""
    liver, white = (92, 48, 30), (238, 232, 224)

    def draw(d: Draw) -> None:
        disc(d, 340, 640, 190, white, squash=1.1)
        disc(d, 340, 330, 160, liver, squash=1.05)
        d.polygon([(310, 170), (370, 170), (390, 420), (290, 420)], fill=white)
        disc(d, 340, 420, 88, white, squash=0.9)
        for way in (-1, 1):
            disc(d, 340 + 165 * way, 400, 66, (78, 40, 25), squash=2.3)
            disc(d, 340 + 72 * way, 300, 22, (30, 18, 12))
            disc(d, 346 + 72 * way, 293, 6, (230, 230, 230))
        disc(d, 340, 395, 40, (45, 28, 24), squash=0.7)
        d.line([(340, 420), (340, 465)], fill=(60, 40, 35), width=6)
        d.arc((280, 430, 340, 490), 20, 130, fill=(60, 40, 35), width=6)
        d.arc((340, 430, 400, 490), 50, 160, fill=(60, 40, 35), width=6)

    return drawn(ground, draw)


SCENES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "tench": ("lawn", tench),
    "English springer": ("meadow", springer),
    "cassette player": ("wood", cassette_player),
    "chain saw": ("bark", chain_saw),
    "church": ("country", church),
    "French horn": ("cloth", french_horn),
    "garbage truck": ("street", garbage_truck),
    "gas pump": ("yard", gas_pump),
    "golf ball": ("green", golf_ball),
    "parachute": ("clouds", parachute),
}

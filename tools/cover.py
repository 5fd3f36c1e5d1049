"""Draw the picture of the front page and the README, and the book's icon: `python -m tools.cover`.

The picture shows the paper's figure 3 for the network that ships: the 96 kernels of conv1, those of the first
tower above those of the second, each tower sorted by how much of a kernel is colour. The icon has four. The
build makes the card of them that a message with a link to the pages shows.
"""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from alexnet.evaluation.kernels import colourfulness
from alexnet.storage import shipped

ASSETS = Path(__file__).resolve().parents[1] / "book" / "_assets"
CARD = (1200, 630)  # pixels, as Open Graph's readers expect
PATH, ICON = ASSETS / "kernels.png", ASSETS / "icon.png"
COLUMNS, SCALE, GAP, BETWEEN = (
    16,
    5,
    4,
    16,
)  # kernels in a row, pixels of one weight, between kernels and towers


def draw() -> Image.Image:
    """Return the picture, each kernel stretched to the whole range of pixel values as in the paper."""
    rows = []
    for tower in kernels().chunk(2):
        order = colourfulness(tower).argsort(descending=True)
        rows.append([tile(kernel) for kernel in tower[order].permute(0, 2, 3, 1).numpy()])
    side = len(rows[0][0]) + GAP
    per_tower = -(-len(rows[0]) // COLUMNS)
    height = 2 * per_tower * side - GAP + BETWEEN - GAP
    picture = np.full((height, COLUMNS * side - GAP, 3), 255, np.uint8)
    for k, tiles in enumerate(rows):
        for i, pixels in enumerate(tiles):
            top = (k * per_tower + i // COLUMNS) * side + k * (BETWEEN - GAP)
            left = i % COLUMNS * side
            picture[top : top + len(pixels), left : left + len(pixels)] = pixels
    return Image.fromarray(picture)


def draw_icon() -> Image.Image:
    """Return the four kernels with the largest norm as a square."""
    largest = kernels()[kernels().flatten(1).norm(dim=1).topk(4).indices]
    tiles = [tile(kernel) for kernel in largest.permute(0, 2, 3, 1).numpy()]
    return Image.fromarray(np.block([[[tiles[0]], [tiles[1]]], [[tiles[2]], [tiles[3]]]]))


def draw_card(title: str, text: str) -> Image.Image:
    """Return a title and a line of text above the picture.

    Args:
        title: of the book.
        text: what it is; it goes on in a second line where it is wider than the picture.
    """
    picture, card = draw(), Image.new("RGB", CARD, "white")
    left, top = (CARD[0] - picture.width) // 2, CARD[1] - picture.height - 45
    card.paste(picture, (left, top))
    pen, fonts = ImageDraw.Draw(card), Path(matplotlib.get_data_path(), "fonts", "ttf")
    pen.text((left, 40), title, "#111", ImageFont.truetype(fonts / "DejaVuSans-Bold.ttf", 62))
    font, lines = ImageFont.truetype(fonts / "DejaVuSans.ttf", 27), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= picture.width:
            lines[-1] = longer
        else:
            lines.append(word)
    pen.multiline_text((left, 125), "\n".join(lines), "#444", font, spacing=8)
    return card


def kernels() -> Tensor:
    """Return the kernels of conv1 at the end of the training, (K, 3, R, S)."""
    of_seed = next(iter(shipped.kernels("imagenette").values()))
    return of_seed[max(of_seed)]


def tile(kernel: np.ndarray) -> np.ndarray:
    """Return one kernel, (R, S, 3), as pixels."""
    low, high = kernel.min(), kernel.max()
    pixels = np.rint(255 * (kernel - low) / (high - low)).astype(np.uint8)
    return pixels.repeat(SCALE, 0).repeat(SCALE, 1)


if __name__ == "__main__":
    draw().save(PATH, optimize=True)
    draw_icon().save(ICON, optimize=True)
    print(f"wrote {PATH} and {ICON}")

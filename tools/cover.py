"""Draw the picture of the front page and the README: `python -m tools.cover`.

It shows the paper's figure 3 for the network that ships: the 96 kernels of conv1, those of the first tower
above those of the second, each tower sorted by how much of a kernel is colour.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.evaluation.kernels import colourfulness
from alexnet.storage import shipped

PATH = Path(__file__).resolve().parents[1] / "book" / "_assets" / "kernels.png"
COLUMNS, SCALE, GAP, BETWEEN = (
    16,
    5,
    4,
    16,
)  # kernels in a row, pixels of one weight, between kernels and towers


def draw() -> Image.Image:
    """Return the picture, each kernel stretched to the whole range of pixel values as in the paper."""
    of_seed = next(iter(shipped.kernels("imagenette").values()))
    kernels = of_seed[max(of_seed)]
    rows = []
    for tower in kernels.chunk(2):
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


def tile(kernel: np.ndarray) -> np.ndarray:
    """Return one kernel, (R, S, 3), as pixels."""
    low, high = kernel.min(), kernel.max()
    pixels = np.rint(255 * (kernel - low) / (high - low)).astype(np.uint8)
    return pixels.repeat(SCALE, 0).repeat(SCALE, 1)


if __name__ == "__main__":
    draw().save(PATH, optimize=True)
    print(f"wrote {PATH}")

"""Scaling an image, slowly: each new pixel is the weighted mean that its definition says."""

import numpy as np


def scale_line(line: np.ndarray, count: int) -> np.ndarray:
    """Scale a line of pixels with the triangle filter ("bilinear"), which widens when it shrinks.

        weight of old pixel i in new pixel j:  max(0, 1 - |i + 1/2 - (j + 1/2) r| / max(1, r)),  r = n / count

    Args:
        line: (n, channels).
        count: new pixels.
    Returns:
        (count, channels).
    """
    n = len(line)
    ratio = n / count
    new = np.zeros((count, line.shape[1]))
    for j in range(count):
        total = 0.0
        for i in range(n):
            weight = max(0.0, 1 - abs(i + 0.5 - (j + 0.5) * ratio) / max(1.0, ratio))
            new[j] += weight * line[i]
            total += weight
        new[j] /= total
    return new


def central_square(image: np.ndarray, size: int) -> np.ndarray:
    """Scale the shorter side of (H, W, channels) to `size` pixels, cut out the central square (paper 2)."""
    height, width, _ = image.shape
    shorter = min(height, width)
    rows = np.stack([scale_line(row, int(size * width / shorter)) for row in image.astype(float)])
    columns = np.stack(
        [scale_line(rows[:, x], int(size * height / shorter)) for x in range(rows.shape[1])], axis=1
    )
    top, left = (round((side - size) / 2) for side in columns.shape[:2])
    return columns[top : top + size, left : left + size]

"""The embedded default: ten kinds of shapes and patterns in 32x32 colour images, made from a seed.

It replaces CIFAR-10 if that is missing. The class is the kind of shape. Position, size, rotation,
colours, which of figure and ground is the brighter, clutter and noise are drawn at random and tell nothing
about the class, so no single pixel does either: a linear model fails, and a convolutional network does not.

Letters in shapes: N images, 32 x 32 pixels. Coordinates u and v run from -1 to 1 across the shape's frame.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache

import numpy as np
import torch
from numpy.random import Generator

from alexnet.data.fingerprint import compute_fingerprint
from alexnet.data.imageset import ImageSet

SIZE = 32
CHUNK = 500  # images drawn together: enough to be fast, few enough to stay small in memory
NUM_CLUTTER = 2
LARGEST_ROTATION = np.pi / 4  # radians, to either side


def disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 1 - np.sqrt(u * u + v * v)


def ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.22 - abs(np.sqrt(u * u + v * v) - 0.78)


def square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.88 - np.maximum(abs(u), abs(v))


def frame(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.2 - abs(np.maximum(abs(u), abs(v)) - 0.7)


def triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.55 - np.maximum(v, abs(u) * np.float32(0.8660254) - v * np.float32(0.5))


def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    a, b = abs(u), abs(v)
    return np.minimum(0.3 - np.minimum(a, b), 1 - np.maximum(a, b))


def crescent(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    moved = u - np.float32(0.5)
    return np.minimum(1 - np.sqrt(u * u + v * v), np.sqrt(moved * moved + v * v) - np.float32(0.8))


def stripes(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(square(u, v), wave(u, 1.76 / 3))


def checks(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    a, b = wave(u + np.float32(0.22), 0.88), wave(v + np.float32(0.22), 0.88)
    return np.minimum(square(u, v), np.maximum(np.minimum(a, b), -np.maximum(a, b)))


def dots(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    a, b = ((w + np.float32(0.3)) % np.float32(0.6) - np.float32(0.3) for w in (u, v))
    return np.minimum(square(u, v), np.float32(0.19) - np.sqrt(a * a + b * b))


def wave(u: np.ndarray, period: float) -> np.ndarray:
    """Return a triangle wave with derivatives 1 and -1, positive in the half of each period around u = 0."""
    return abs(u % np.float32(period) - np.float32(period / 2)) - np.float32(period / 4)


# Each is positive inside the shape, negative outside, and changes at a rate of about 1 for a unit of length.
SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    shape.__name__: shape
    for shape in (disc, ring, square, frame, triangle, cross, crescent, stripes, checks, dots)
}


def synthetic(*, num_train: int = 10_000, num_test: int = 2_000, seed: int = 0) -> ImageSet:
    """Make the generated default set.

    Args:
        num_train: training images; the classes are as equal in number as can be.
        num_test: test images, likewise.
        seed: every image follows from it; another seed gives other images of the same kinds.
    Returns:
        the set; its train and test images are drawn independently and in random order of classes.
    Raises:
        ValueError: a number of images is below 1, or the seed is negative.
    """
    if num_train < 1 or num_test < 1:
        raise ValueError(f"num_train and num_test must be at least 1, got {num_train} and {num_test}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    return deepcopy(drawn_once(num_train, num_test, seed))  # the caller's own, to be changed at will


@lru_cache(maxsize=1)
def drawn_once(num_train: int, num_test: int, seed: int) -> ImageSet:
    """The last set of `synthetic`, which many parts of one process ask for."""
    splits = []
    for split, count in enumerate((num_train, num_test)):
        generator = np.random.Generator(np.random.PCG64([seed, split]))
        # int64, which is numpy's default, but not on Windows before numpy 2
        labels = generator.permutation(np.arange(count, dtype=np.int64) % len(SHAPES))
        splits.append((draw(labels, generator), labels))
    tensors = [torch.from_numpy(array) for split in splits for array in split]
    return ImageSet(
        name="synthetic",
        source=f"generated default set, seed {seed} (not CIFAR-10)",
        train_images=tensors[0],
        train_labels=tensors[1],
        test_images=tensors[2],
        test_labels=tensors[3],
        classes=tuple(SHAPES),
        fingerprint=compute_fingerprint(splits),
    )


def draw(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Draw one image for each label.

    Args:
        labels: (N,) indices into SHAPES.
        generator: draws all that is random.
    Returns:
        (N, 3, 32, 32) uint8.
    """
    images = np.empty((len(labels), 3, SIZE, SIZE), np.uint8)
    for start in range(0, len(labels), CHUNK):
        chunk = labels[start : start + CHUNK]
        images[start : start + CHUNK] = draw_chunk(chunk, generator)
    return images


def draw_chunk(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Draw images: a shaded ground, clutter, the shape, noise. Same shapes as `draw`."""
    count = len(labels)
    ground, figure = contrasting_colours(count, generator)
    image = shade(ground, generator)  # (N, 3, 32, 32)
    for _ in range(NUM_CLUTTER):
        u, v, radius = frames(count, generator, smallest=1.5, largest=3)
        colour = uniform(generator, (count, 3, 1, 1), 0, 255)
        image = paint(image, bar_or_blob(u, v, generator) * radius, colour)
    u, v, radius = frames(count, generator, smallest=8, largest=13)
    inside = np.empty_like(u)
    for label, shape in enumerate(SHAPES.values()):
        chosen = labels == label
        inside[chosen] = shape(u[chosen], v[chosen])
    image = paint(image, inside * radius, shade(figure, generator))
    amplitude = uniform(generator, (count, 1, 1, 1), 5, 40)
    image += amplitude * uniform(generator, image.shape, -1, 1)
    return np.clip(image + np.float32(0.5), 0, 255).astype(np.uint8)


def uniform(generator: Generator, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Return float32 numbers drawn evenly from low to high."""
    return generator.random(shape, np.float32) * np.float32(high - low) + np.float32(low)


def contrasting_colours(count: int, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of colours, (N, 3, 1, 1) each, whose brightness differs by 80 to 140 levels, either way."""
    step = uniform(generator, (count, 1, 1, 1), 80, 140)
    darker = uniform(generator, (count, 1, 1, 1), 20, 95)
    tints = uniform(generator, (2, count, 3, 1, 1), -40, 40)
    inverted = generator.random((count, 1, 1, 1)) < 0.5
    ground = np.where(inverted, darker + step, darker)
    figure = np.where(inverted, darker, darker + step)
    return ground + tints[0], figure + tints[1]


def shade(colour: np.ndarray, generator: Generator) -> np.ndarray:
    """Spread a colour (N, 3, 1, 1) over the image, brighter towards one side: (N, 3, 32, 32)."""
    line = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = uniform(generator, (2, len(colour), 1, 1, 1), -20, 20)
    return colour + slope[0] * line[None, None, :, None] + slope[1] * line


def frames(
    count: int, generator: Generator, *, smallest: float, largest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw positions, sizes and rotations of shapes, all within the image.

    Args:
        count: N.
        generator: draws them.
        smallest: lower bound of the half-width of a shape, in pixels.
        largest: upper bound, likewise.
    Returns:
        (u, v, radius): (N, 32, 32) coordinates of every pixel in the frame of its image's shape, twice, and
        (N, 1, 1) in pixels.
    """
    radius = uniform(generator, (count, 1, 1), smallest, largest)
    free = (SIZE - 1) / 2 - radius
    centre = np.float32((SIZE - 1) / 2) + uniform(generator, (2, count, 1, 1), -1, 1) * free
    angle = (2 * generator.random((count, 1, 1)) - 1) * LARGEST_ROTATION
    # Double precision, then rounded, so that the last bit, on which processors disagree, is lost.
    sine, cosine = np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)
    pixel = np.arange(SIZE, dtype=np.float32)
    x, y = (pixel - centre[0]) / radius, (pixel[:, None] - centre[1]) / radius
    return cosine * x + sine * y, cosine * y - sine * x, radius


def bar_or_blob(u: np.ndarray, v: np.ndarray, generator: Generator) -> np.ndarray:
    """Return, for each image, a long bar or a round blob: positive inside, as for SHAPES."""
    bar = np.minimum(np.float32(0.4) - abs(u), np.float32(2.5) - abs(v))
    return np.where(generator.random((len(u), 1, 1)) < 0.5, bar, disc(u, v))


def paint(image: np.ndarray, inside: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Paint a shape over images, its edge softened over one pixel.

    Args:
        image: (N, 3, 32, 32).
        inside: (N, 32, 32), signed distance from the edge in pixels, positive inside.
        colour: (N, 3, 1, 1) or (N, 3, 32, 32).
    """
    cover = np.clip(inside + np.float32(0.5), 0, 1)[:, None]
    return image + cover * (colour - image)

"""Errors of a linear classifier on features that were not learned: what a short training has to beat.

`python -m tools.baselines FOLDER --record data/records/NAME.json` reads a prepared set with training and
validation images. The decay of the classifier is chosen on a tenth of the training images of each class.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.data.prepared import PreparedSet, open_prepared
from alexnet.data.splits import Split
from alexnet.evaluation.errors import num_errors
from alexnet.storage import records

BINS = 8  # of each colour
CELLS = 8  # along each side of the image
DECAYS = tuple(10.0**power for power in range(-5, 2))
HELD_OUT = 10  # one of so many training images of each class


def colour_histogram(images: Tensor) -> Tensor:
    """Count the pixels of each colour and forget where they lie.

    Args:
        images: (N, 3, H, W) uint8.
    Returns:
        (N, BINS ** 3): square roots of the fractions.
    """
    red, green, blue = (images.long() * BINS // 256).unbind(1)
    colours = ((red * BINS + green) * BINS + blue).flatten(1)
    counts = torch.zeros(len(images), BINS**3).scatter_add_(
        1, colours, torch.ones_like(colours, dtype=torch.float32)
    )
    return (counts / colours.shape[1]).sqrt()


def gradient_histogram(images: Tensor) -> Tensor:
    """Histograms of oriented gradients of the grey image, which forget its colours.

    Args:
        images: (N, 3, H, W) uint8, square.
    Returns:
        (N, 9 directions x 4 cells of a block x 7 x 7 blocks).
    """
    from skimage.feature import hog

    side = images.shape[-1] // CELLS * CELLS
    edge = (images.shape[-1] - side) // 2
    grey = images.float().mean(1)[:, edge : edge + side, edge : edge + side].numpy()
    size = (side // CELLS, side // CELLS)
    found = [hog(image, orientations=9, pixels_per_cell=size, cells_per_block=(2, 2)) for image in grey]
    return torch.from_numpy(np.stack(found)).float()


def both(images: Tensor) -> Tensor:
    """The two beside each other."""
    return torch.cat([gradient_histogram(images), colour_histogram(images)], 1)


FEATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "colour histogram": colour_histogram,
    "HOG": gradient_histogram,
    "HOG and colour histogram": both,
}


def fit(features: Tensor, labels: Tensor, decay: float) -> Callable[[Tensor], Tensor]:
    """Train a logistic regression on standardised features to its optimum.

    Args:
        features: (N, D).
        labels: (N,), from 0.
        decay: factor of half the squared length of the weights, beside the mean loss.
    Returns:
        A function from features to (N, classes) scores.
    """
    mean, std = features.mean(0), features.std(0).clamp(min=1e-6)
    weight = torch.zeros(features.shape[1], int(labels.max()) + 1, requires_grad=True)
    bias = torch.zeros(weight.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")
    x = (features - mean) / std

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight + bias, labels) + decay / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return lambda asked: (asked - mean) / std @ weight.detach() + bias.detach()


def held_out(labels: Tensor) -> Tensor:
    """Which training images are kept for the choice of the decay: every tenth of each class, as bool (N,)."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero()[::HELD_OUT, 0]] = True
    return chosen


def error(scores: Tensor, labels: Tensor, k: int = 1) -> float:
    """Return the top-k error, a fraction."""
    return num_errors(scores, labels, k=k) / len(labels)


def measure(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> dict:
    """Choose the decay, train on all training images, count the errors on the others once.

    Args:
        train: features and labels.
        test: the same of the images that nothing is chosen by.
    """
    features, labels = train
    chosen = held_out(labels)

    def tried(decay: float) -> float:
        return error(fit(features[~chosen], labels[~chosen], decay)(features[chosen]), labels[chosen])

    by_decay = {decay: tried(decay) for decay in DECAYS}
    decay = min(by_decay, key=by_decay.__getitem__)
    if decay in (DECAYS[0], DECAYS[-1]):
        raise ValueError(f"the best decay, {decay:g}, is at the edge of those tried: widen DECAYS")
    scores = fit(features, labels, decay)(test[0])
    errors = {f"top{k}": error(scores, test[1], k) for k in (1, 5)}
    return {"decay": decay, "held_out_errors": list(by_decay.values()), **errors}


def batches(split: Split, size: int = 500) -> Iterator[Tensor]:
    """Read the images of a split, (size, 3, H, W) at a time."""
    for start in range(0, len(split), size):
        yield split.read(np.arange(start, min(start + size, len(split))))


def describe_data(dataset: PreparedSet) -> dict[str, object]:
    """Return what a record says of the images that were measured."""
    return {
        "name": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "classes": len(dataset.classes),
        "images": {"train": len(dataset.train), "val": len(dataset.val)},
    }


def main() -> None:
    """Measure all features on the set that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", metavar="FOLDER", help="a prepared set with training and validation images")
    parser.add_argument("--record", metavar="FILE", help="write a record to this .json file")
    asked = parser.parse_args()
    dataset, started, results = open_prepared(asked.data), time.monotonic(), {}
    for name, describe in FEATURES.items():
        train, test = (
            (torch.cat([describe(images) for images in batches(split)]), torch.as_tensor(split.labels))
            for split in (dataset.train, dataset.val)
        )
        results[name] = measure(train, test)
        print(f"{name:25} top-1 {results[name]['top1']:.1%}, top-5 {results[name]['top5']:.1%}", flush=True)
    if asked.record:
        records.Record(
            experiment=Path(asked.record).stem,
            scale=f"logistic regression on features that were not learned, {len(dataset.train):,} images",
            data=describe_data(dataset),
            config={"bins": BINS, "cells": CELLS, "decays": list(DECAYS), "held_out": HELD_OUT},
            seeds=[],
            environment=records.environment(),
            seconds=time.monotonic() - started,
            results=results,
        ).save(asked.record)


if __name__ == "__main__":
    main()

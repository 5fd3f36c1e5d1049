"""How well a network's last hidden layer finds images of the same class: precision, beside two controls.

`python -m tools.retrieval FOLDER RUN [RUN...] --record data/records/NAME.json` searches the training
images of a prepared set for the neighbours of its validation images: by the features of every trained
network, by those of one with freshly drawn weights that has learned nothing, and by pixels.
"""

from collections.abc import Callable
from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import Split
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.neighbours import precision
from alexnet.experiments.intervals import mean_interval
from alexnet.models import AlexNet
from tools.answers import write_record
from tools.baselines import batches

KS = (1, 5, 10, 20, 50)
AVERAGED = 3  # pixels along each side of a square whose mean stands for it where pixels are compared
QUERIES = 500  # at a time


def described(split: Split, describe: Callable[[Tensor], Tensor]) -> Tensor:
    """Describe all images of a split, (N, D) float64."""
    return torch.cat([describe(images) for images in batches(split)]).double()


def make_feature_function(classifier: Classifier, net: AlexNet) -> Callable[[Tensor], Tensor]:
    """Return the function from images to what a net's last hidden layer makes of their centre."""

    @torch.no_grad()
    def describe(images: Tensor) -> Tensor:
        (centre,) = classifier.views(images)
        return net.features(centre)

    return describe


def make_pixel_function(classifier: Classifier, side: int) -> Callable[[Tensor], Tensor]:
    """Return the function from images to the pixels of their centre, averaged over squares.

    Args:
        classifier: whose centre it is.
        side: of a square, in pixels.
    """

    def describe(images: Tensor) -> Tensor:
        (centre,) = classifier.views(images)
        return F.avg_pool2d(centre, side).flatten(1)

    return describe


def squared_distances(queries: Tensor, searched: Tensor) -> Tensor:
    """Return |q - s|^2 of all pairs, (Q, N), by products, which is fast; float64 keeps the rounding small."""
    lengths = queries.square().sum(1)[:, None] + searched.square().sum(1)
    return lengths - 2 * queries @ searched.T


def search(searched: Tensor, queries: Tensor, k: int) -> Tensor:
    """Return the k nearest of searched (N, D) to each query (Q, D), the nearest first: rows, (Q, k)."""
    parts = [
        squared_distances(part, searched).topk(k, largest=False).indices for part in queries.split(QUERIES)
    ]
    return torch.cat(parts)


def places(searched: Tensor, queries: Tensor, found: Tensor) -> Tensor:
    """Return which place, from 1, one row found for each query (Q,) has in another description, (Q,)."""
    parts = []
    for asked, rows in zip(queries.split(QUERIES), found.split(QUERIES), strict=True):
        distances = squared_distances(asked, searched)
        parts.append((distances < distances.gather(1, rows[:, None])).sum(1) + 1)
    return torch.cat(parts)


def measure(classifiers: dict[int, Classifier], dataset: PreparedSet) -> dict:
    """Return precision at ``KS`` of every description, and how far the nearest by features is by pixels."""
    splits, labels = (
        (dataset.train, dataset.val),
        [torch.as_tensor(s.labels) for s in (dataset.train, dataset.val)],
    )

    def judged(describe: Callable[[Tensor], Tensor]) -> tuple[dict, Tensor, list[Tensor]]:
        searched, queries = (described(split, describe) for split in splits)
        found = search(searched, queries, max(KS))
        hits = precision(labels[0][found], labels[1], KS)
        shares = {str(k): asdict(mean_interval(row.tolist())) for k, row in zip(KS, hits, strict=True)}
        return shares, found, [searched, queries]

    first = next(iter(classifiers.values()))
    by_pixels, _, pixels = judged(make_pixel_function(first, AVERAGED))
    trained, untrained, far = [], [], []
    for seed, classifier in classifiers.items():
        shares, found, _ = judged(make_feature_function(classifier, classifier.net))
        trained.append(shares)
        far.append(places(*pixels, found[:, 0]).double().median().item())
        fresh = AlexNet(classifier.net.config, generator=torch.Generator().manual_seed(seed)).eval()
        untrained.append(judged(make_feature_function(classifier, fresh))[0])
        print(f"seed {seed}: {shares['10']['mean']:.1%} of the nearest 10", flush=True)
    return {
        "seeds": list(classifiers),
        "trained": trained,
        "untrained": untrained,
        "pixels": by_pixels,
        "median_place_by_pixels": far,
    }


if __name__ == "__main__":
    write_record(__doc__, measure)

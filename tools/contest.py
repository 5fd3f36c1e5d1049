"""The contest of 2012 in miniature: what came before deep networks, beside one, on the same images.

`python -m tools.contest FOLDER --record data/records/imagenette-contest.json` reads the prepared set that the
network "imagenette" was trained on. Every other system describes an image by features that a few lines of
scikit-image and scikit-learn make, and tells classes apart by the logistic regression of `tools.baselines`,
whose decay is chosen on a tenth of the training images of each class:

- a colour histogram, alone and beside HOG, which are the floors;
- Fisher vectors: dense descriptors laid out like SIFT's (histograms of 8 directions in 4 x 4 cells), reduced
  by PCA, with their positions, as gradients of a mixture of Gaussians, with power and length normalised;
- sparse coding: of the same descriptors a dictionary is learned by sparse coding, and their codes are
  computed by a soft threshold, which takes a fraction of the time; of each code the largest in five regions.

`--images 300` takes so many of each part, which tells what the whole will cost.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from alexnet.data.prepared import open_prepared
from alexnet.data.splits import PartOfSplit, Split
from alexnet.evaluation.prediction import load_classifier
from alexnet.experiments.intervals import holm
from alexnet.experiments.search import best_place, wanted
from alexnet.storage import records
from tools.answers import mcnemar_p
from tools.baselines import batches, colour_histogram, error, fit, gradient_histogram, held_out

NETWORK = "imagenette"
DESCRIPTOR = {"orientations": 8, "pixels_per_cell": (6, 6), "cells_per_block": (4, 4)}
SAMPLE = 1_000  # training images whose descriptors PCA, mixture and dictionary are learned from
PER_IMAGE = 60  # descriptors of each of them
COMPONENTS, MODES, ATOMS = 48, 48, 256
THRESHOLD = 0.25  # of the product of a descriptor with an atom, both of length 1
Describe = Callable[[Tensor], dict[str, Tensor]]


def descriptors(images: Tensor) -> np.ndarray:
    """Describe the surroundings of the points of a grid in every grey image.

    Args:
        images: (N, 3, H, W) uint8.
    Returns:
        (N, rows, columns, D) float32.
    """
    from skimage.feature import hog

    grey = images.float().mean(1).numpy() / 255
    found = np.stack([hog(one, **DESCRIPTOR, feature_vector=False) for one in grey]).astype(np.float32)
    return found.reshape(*found.shape[:3], -1)


class Learned:
    """What is learned of descriptors without labels: their PCA, a mixture of Gaussians, a dictionary."""

    def __init__(self, sample: np.ndarray):
        """Learn it from (N, rows, columns, D) descriptors."""
        from skimage.feature import learn_gmm
        from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
        from sklearn.exceptions import ConvergenceWarning

        images, rows, columns, size = sample.shape
        rng = np.random.default_rng(0)
        chosen = rng.permuted(np.tile(np.arange(rows * columns), (images, 1)), axis=1)[:, :PER_IMAGE]
        some = np.take_along_axis(sample.reshape(images, -1, size), chosen[..., None], 1).reshape(-1, size)
        self.pca = PCA(COMPONENTS, random_state=0).fit(some)
        low, where = self.pca.transform(some), places(rows, columns)[chosen.flatten()]
        mixture = {"covariance_type": "diag", "random_state": 0, "max_iter": 50}
        self.mixture = learn_gmm(np.hstack([low, where]), n_modes=MODES, gm_args=mixture)
        learning = MiniBatchDictionaryLearning(
            ATOMS,
            alpha=1.0,
            batch_size=512,
            max_iter=2,
            random_state=0,
            fit_algorithm="cd",
        )
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            self.atoms = learning.fit(unit(low)).components_  # codes of single batches may be rough

    def codes(self, images: Tensor) -> dict[str, Tensor]:
        """Return the features of images (N, 3, H, W) by the name of the system."""
        found = descriptors(images)
        return {"sparse coding": self.sparse_codes(found), "Fisher vectors": self.fisher_vectors(found)}

    def fisher_vectors(self, found: np.ndarray) -> Tensor:
        """Return (N, dimensions) of descriptors (N, rows, columns, D)."""
        from skimage.feature import fisher_vector

        where = places(*found.shape[1:3])
        vectors = [
            fisher_vector(
                np.hstack([self.pca.transform(one.reshape(-1, one.shape[-1])), where]),
                self.mixture,
                improved=True,
            )
            for one in found
        ]
        return torch.from_numpy(np.stack(vectors).astype(np.float32))

    def sparse_codes(self, found: np.ndarray) -> Tensor:
        """Return (N, 5 regions x 2 signs x atoms) of descriptors (N, rows, columns, D)."""
        from sklearn.decomposition import sparse_encode

        low = unit(self.pca.transform(found.reshape(-1, found.shape[-1])))
        codes = sparse_encode(low, self.atoms, algorithm="threshold", alpha=THRESHOLD)
        codes = codes.reshape(*found.shape[:3], ATOMS).astype(np.float32)
        signed = np.concatenate([codes, -codes], -1)
        middle, centre = found.shape[1] // 2, found.shape[2] // 2
        rows, columns = (slice(middle), slice(middle, None)), (slice(centre), slice(centre, None))
        quarters = [signed[:, row, column] for row in rows for column in columns]
        return torch.from_numpy(np.concatenate([part.max((1, 2)) for part in (signed, *quarters)], 1))


def places(rows: int, columns: int) -> np.ndarray:
    """Return where the points of a grid lie, (rows * columns, 2) from -1/2 to 1/2."""
    grid = np.stack(np.mgrid[:rows, :columns], -1).reshape(-1, 2)
    return grid / (rows - 1, columns - 1) - 0.5


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) at length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def measured(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> tuple[dict[str, Any], Tensor]:
    """Choose the decay on held-out training images, train on all of them, score the others.

    Args:
        train: features and labels.
        test: the same of the images that nothing is chosen by.
    Returns:
        what was chosen, with both errors; and the scores (N, classes) of the test images.
    """
    features, labels = train
    chosen, found = held_out(labels), {}
    while new := wanted(found):
        for k in new:
            scores = fit(features[~chosen], labels[~chosen], 10.0**k)(features[chosen])
            found[k] = (error(scores, labels[chosen]), 0.0)
    best = best_place(found)
    tried = {f"{10.0**k:g}": found[k][0] for k in sorted(found)}
    scores = fit(features, labels, 10.0**best)(test[0])
    return {"dimensions": features.shape[1], "decay": 10.0**best, "held_out_errors": tried}, scores


def wrong(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return whose label is not among the k best guesses, as bool (N,)."""
    return ~(scores.topk(k).indices == labels[:, None]).any(1)


def counted(missed: Tensor) -> dict[str, Any]:
    """Return an error with its 95% interval (Wilson's). missed: (N,) bool."""
    count, total = int(missed.sum()), len(missed)
    interval = stats.binomtest(count, total).proportion_ci(0.95, "wilson")
    return {"wrong": count, "error": count / total, "interval": [interval.low, interval.high]}


def mcnemar(missed: Tensor, by_network: Tensor) -> dict[str, Any]:
    """Compare a system with the network by the images that one of them alone has right (exact, two-sided)."""
    network, other = int((missed & ~by_network).sum()), int((by_network & ~missed).sum())
    p = mcnemar_p(network, other)
    return {"right_by_network_alone": network, "right_by_this_alone": other, "p": p}


class Stopwatch:
    """Processor seconds of what is done between two looks at it."""

    def __init__(self):
        self.start = time.process_time()

    def __call__(self) -> float:
        """Return the seconds since the last look, or since the beginning."""
        before, self.start = self.start, time.process_time()
        return self.start - before


def described(describe: Describe, train: Split, test: Split) -> Iterator[tuple[str, list[Tensor], float]]:
    """Yield each system that images are described for.

    Args:
        describe: returns the features of images by the system's name; in parts that several share.
        train: images to learn from.
        test: images to judge by.
    Yields:
        its name, its features of both, and the seconds that all of ``describe`` took on the training images.
    """
    watch, found, seconds = Stopwatch(), [], []
    for split in (train, test):
        parts = [describe(images) for images in batches(split, 200)]
        found.append({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
        seconds.append(watch())
    for name in found[0]:
        yield name, [of_split[name] for of_split in found], seconds[0]


def floors(images: Tensor) -> dict[str, Tensor]:
    """Return the features that nothing is learned for."""
    colours, edges = colour_histogram(images), gradient_histogram(images)
    return {"colour histogram": colours, "HOG and colour histogram": torch.cat([edges, colours], 1)}


def systems(train: Split, test: Split) -> Iterator[tuple[str, list[Tensor], float]]:
    """Yield each system's name, its features of both parts, and the seconds that those of ``train`` took."""
    yield from described(floors, train, test)
    watch = Stopwatch()
    chosen = np.linspace(0, len(train) - 1, min(SAMPLE, len(train))).astype(int)
    learned = Learned(np.concatenate([descriptors(images) for images in batches(PartOfSplit(train, chosen))]))
    before = watch()
    print(f"PCA, mixture and dictionary: {before:.0f} s", flush=True)
    for name, features, seconds in described(learned.codes, train, test):
        yield name, features, before + seconds


def by_network(split: Split) -> Tensor:
    """Return the log-probabilities that the shipped network gives to the centres of images, (N, classes)."""
    classifier = load_classifier(NETWORK)
    return torch.cat([classifier.log_probabilities(images) for images in batches(split, 100)])


def contest(train: Split, test: Split, *, network_seconds: float) -> dict[str, Any]:
    """Measure every system.

    Args:
        train: of the set.
        test: images that nothing was chosen by.
        network_seconds: of the network's training.
    """
    labels = {"train": torch.as_tensor(train.labels), "test": torch.as_tensor(test.labels)}
    scores, results = {"AlexNet": by_network(test)}, {"AlexNet": {"seconds": {"all": network_seconds}}}
    for name, (features, others), seconds in systems(train, test):
        watch = Stopwatch()
        found, scores[name] = measured((features, labels["train"]), (others, labels["test"]))
        spent = {"features": seconds, "classifier": watch()}
        results[name] = {**found, "seconds": {**spent, "all": sum(spent.values())}}
        print(f"{name:25} {error(scores[name], labels['test']):.1%}, {spent}", flush=True)
    for name, found in results.items():
        missed = {k: wrong(scores[name], labels["test"], k) for k in (1, 5)}
        found |= {f"top{k}": counted(missed[k]) for k in missed}
        if name != "AlexNet":
            found["mcnemar"] = mcnemar(missed[1], wrong(scores["AlexNet"], labels["test"], 1))
    corrected = holm({name: found["mcnemar"]["p"] for name, found in results.items() if "mcnemar" in found})
    for name, p in corrected.items():
        results[name]["mcnemar"]["corrected_p"] = p
    return results


def part(split: Split, count: int | None) -> Split:
    """Return so many images of a split, evenly taken; the split itself where no number is asked for."""
    if count is None:
        return split
    return PartOfSplit(split, np.linspace(0, len(split) - 1, min(count, len(split))).astype(int))


def main() -> None:
    """Measure on the set that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", metavar="FOLDER", help=f"the prepared set that {NETWORK!r} was trained on")
    parser.add_argument("--record", metavar="FILE", help="write a record to this .json file")
    parser.add_argument("--images", type=int, metavar="N", help="take N images of each part (default: all)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dataset, shipped, started = open_prepared(asked.data), records.load(NETWORK), time.monotonic()
    if dataset.fingerprint != shipped.data["fingerprint"]:
        parser.error(f"{asked.data} is not the set that {NETWORK!r} was trained on, {shipped.data['source']}")
    train, test = (part(split, asked.images) for split in (dataset.train, dataset.val))
    results = contest(train, test, network_seconds=shipped.seconds)
    if asked.record:
        save(asked.record, shipped.data, results, {"train": len(train), "val": len(test)}, started)


def save(path: str, data: dict[str, Any], results: dict[str, Any], images: dict, started: float) -> None:
    """Write the record."""
    records.Record(
        experiment=Path(path).stem,
        scale=(
            f"{len(results)} systems, {images['train']:,} images to learn from, {images['val']:,} to judge by"
        ),
        data=data | {"images": images},
        config={
            "descriptors": DESCRIPTOR,
            "sample": SAMPLE,
            "per_image": PER_IMAGE,
            "components": COMPONENTS,
            "modes": MODES,
            "atoms": ATOMS,
            "threshold": THRESHOLD,
        },
        seeds=[],
        environment=records.environment(),
        seconds=time.monotonic() - started,
        results=results,
    ).save(path)


if __name__ == "__main__":
    main()

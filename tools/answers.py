"""What trained networks answer on validation images: confusion, ten crops against one, their average.

`python -m tools.answers FOLDER RUN [RUN...] --record data/records/NAME.json` reads a prepared set and
networks of one recipe with different seeds. The record has counts, errors and intervals, and no image.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor

from alexnet.data.prepared import PreparedSet, open_prepared
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.errors import average_nets, average_views, num_errors
from alexnet.evaluation.prediction import load_classifier
from alexnet.experiments.intervals import mean_interval
from alexnet.storage import records
from alexnet.storage.run_files import RECORD
from tools.baselines import batches, describe_data

CENTRE = 4  # of the ten crops


def by_view(classifier: Classifier, dataset: PreparedSet) -> Tensor:
    """Return the probabilities of every crop of the validation images, (10, N, classes)."""
    parts = []
    for images in batches(dataset.val):
        views = classifier.views(images, num_views=10)
        parts.append(torch.stack([average_views(classifier.net, [view]) for view in views]))
    return torch.cat(parts, 1)


def rates(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """Return top1 and top5, errors as fractions, and nll, the mean loss in nats."""
    wrong = {f"top{k}": num_errors(probabilities, labels, k=k) / len(labels) for k in (1, 5)}
    return wrong | {"nll": F.nll_loss(probabilities.log(), labels).item()}


def right(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return 1 for each image whose label is the most probable class, else 0, (N,) float64."""
    return (probabilities.argmax(1) == labels).double()


def confusion(probabilities: Tensor, labels: Tensor) -> list[list[int]]:
    """Count for each label, a row, the classes that were answered."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(1)
    return pairs.bincount(minlength=classes**2).reshape(classes, classes).tolist()


def compared(before: Tensor, after: Tensor) -> dict:
    """Compare two ways to answer the same images, by what each gets right, (N,), or its mean over networks.

    Returns:
        gain, how much more often after is right, a fraction, with its interval over images; and where both
        are of one network, the images mended and spoiled with McNemar's exact p-value.
    """
    change = after - before
    found: dict = {"gain": asdict(mean_interval(change.tolist()))}
    if set(change.unique().tolist()) <= {-1.0, 0.0, 1.0}:
        mended, spoiled = ((change == by).sum().item() for by in (1, -1))
        found |= {"mended": mended, "spoiled": spoiled, "mcnemar_p": mcnemar_p(mended, spoiled)}
    return found


def mcnemar_p(one: int, other: int) -> float:
    """Return McNemar's exact two-sided p-value, by how many images each of two alone has right."""
    return float(stats.binomtest(one, one + other).pvalue) if one + other else 1.0


def error_by_views(views: Tensor, labels: Tensor) -> list[float]:
    """Return the top-1 error of 1, 2, ... views averaged, each over all choices of so many of them."""
    errors = []
    for count in range(1, len(views) + 1):
        choices = list(combinations(range(len(views)), count))
        wrong = sum(num_errors(views[list(which)].mean(0), labels) for which in choices)
        errors.append(wrong / len(choices) / len(labels))
    return errors


def of_network(views: Tensor, labels: Tensor) -> dict:
    """Return everything about one network, from its answers to every crop, (10, N, classes)."""
    centre, ten = views[CENTRE], views.mean(0)
    return {
        "centre": rates(centre, labels),
        "ten_crops": rates(ten, labels),
        "crops_alone": [rates(view, labels) for view in views],
        "by_views": error_by_views(views, labels),
        "confusion": confusion(centre, labels),
        "ten_against_centre": compared(right(centre, labels), right(ten, labels)),
    }


def of_average(answers: Sequence[Tensor], labels: Tensor) -> dict:
    """Return what the average of networks gains over one of them, their mean: of all, and of all pairs."""
    alone = torch.stack([right(each, labels) for each in answers]).mean(0)
    together = average_nets(answers)
    pairs = list(combinations(answers, 2))
    gains = [right(average_nets(pair), labels) - sum(right(p, labels) for p in pair) / 2 for pair in pairs]
    return rates(together, labels) | {
        "over_one": compared(alone, right(together, labels))["gain"],
        "of_pairs": asdict(mean_interval(torch.stack(gains).mean(0).tolist())),
        "wrong_in_all": int((torch.stack([right(each, labels) for each in answers]).sum(0) == 0).sum()),
    }


def measure(classifiers: dict[int, Classifier], dataset: PreparedSet) -> dict:
    """Return the results of the networks, by seed, and of their average."""
    labels, views, each = torch.as_tensor(dataset.val.labels), {}, []
    for seed, classifier in classifiers.items():
        if tuple(classifier.classes) != tuple(dataset.classes):
            raise SystemExit(f"{classifier.name} knows other classes than {dataset.source}")
        views[seed] = by_view(classifier, dataset)
        each.append({"seed": seed} | of_network(views[seed], labels))
        print(f"seed {seed}: top-1 {each[-1]['centre']['top1']:.2%}", flush=True)
    results = {"classes": list(next(iter(classifiers.values())).names), "seeds": each}
    if len(views) > 1:
        results["average"] = {
            "centre": of_average([view[CENTRE] for view in views.values()], labels),
            "ten_crops": of_average([view.mean(0) for view in views.values()], labels),
        }
    return results


def make_record(
    name: str, dataset: PreparedSet, seeds: list[int], seconds: float, results: dict
) -> records.Record:
    """Return a record on the validation images of a set."""
    which = f"{len(seeds)} networks that differ in their seed" if len(seeds) > 1 else "a network"
    return records.Record(
        experiment=name,
        scale=f"{which}, {len(dataset.val):,} validation images",
        data=describe_data(dataset),
        config={},
        seeds=seeds,
        environment=records.environment(),
        seconds=seconds,
        results=results,
    )


def networks(runs: Sequence[Path]) -> dict[int, Classifier]:
    """Read the networks of finished runs, by their seeds.

    Raises:
        SystemExit: two runs have one seed.
    """
    found = {records.load(run / RECORD).seeds[0]: load_classifier(run) for run in runs}
    if len(found) < len(runs):
        raise SystemExit("two of the runs have the same seed, so they are one network")
    return found


def write_record(about: str | None, measure: Callable[[dict[int, Classifier], PreparedSet], dict]) -> None:
    """Measure the networks of the runs that the command line names, and write the record.

    Args:
        about: what the command says of itself.
        measure: the measurement, of networks by their seeds on a prepared set.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", metavar="FOLDER", help="a prepared set with training and validation images")
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a finished training")
    parser.add_argument("--record", metavar="FILE", required=True, help="write a record to this .json file")
    asked = parser.parse_args()
    started, dataset, nets = time.monotonic(), open_prepared(asked.data), networks(asked.runs)
    results = measure(nets, dataset)
    name, seconds = Path(asked.record).stem, time.monotonic() - started
    make_record(name, dataset, list(nets), seconds, results).save(asked.record)


if __name__ == "__main__":
    write_record(__doc__, measure)

"""Ensembles: several networks, and the average of their predictions ("5 CNNs", paper 6).

Letters in shapes: N images, H height and width of the stored images.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.errors import Counts, count, sum_over_ranks

KS = (1, 5)
Results = dict[str, float | None]
Row = tuple[str, Results]


def evaluate_nets(
    classifiers: Sequence[Classifier],
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    num_views: int = 1,
    precision: str = "float32",
) -> list[Counts]:
    """Count the errors of each network and, of several, those of their average prediction (paper 6).

    Args:
        classifiers: the networks, on one device, for the same classes and images.
        batches: images (N, 3, H, H) uint8 and the outputs (N,) int64 that are right, on that device.
        num_views: 1 or 10 of each image (paper 4.1).
        precision: "float32", or "bfloat16" by autocast.
    Returns:
        the counts of each network and, at the end, of the average.
    """
    totals = [nothing_counted()] * (len(classifiers) + (len(classifiers) > 1))
    kind = classifiers[0].device.type
    for images, outputs in batches:
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
            found = [classifier.log_probabilities(images, num_views) for classifier in classifiers]
        if len(found) > 1:
            found.append(log_average_nets(found))
        totals = [total + count(one, outputs, ks=KS) for total, one in zip(totals, found, strict=True)]
    return totals


def nothing_counted() -> Counts:
    """Return the counts of no images, to which others are added."""
    return Counts(num_images=0, wrong=dict.fromkeys(KS, 0), loss_sum=0.0)


def log_average_nets(log_probabilities: Sequence[Tensor]) -> Tensor:
    """Return ln of `alexnet.evaluation.errors.average_nets`, exact also for very small probabilities.

    Args:
        log_probabilities: of each network (N, classes), natural logarithms.
    """
    return torch.stack(tuple(log_probabilities)).logsumexp(0) - math.log(len(log_probabilities))


def gather_rows(classifiers: Sequence[Classifier], counts: Sequence[Counts], group: Any = None) -> list[Row]:
    """Add up what all processes counted, and return the results by name; all processes must call this.

    Args:
        classifiers: the networks.
        counts: of `evaluate_nets`.
        group: the processes; None: all there are.
    Raises:
        ValueError: there were no images.
    """
    names = [classifier.name for classifier in classifiers]
    if len(counts) > len(names):
        names.append(f"average of {len(names)}")
    totals = [sum_over_ranks(each, group) for each in counts]
    num_classes = len(classifiers[0].classes)
    return [(name, make_results(total, num_classes)) for name, total in zip(names, totals, strict=True)]


def make_results(counts: Counts, num_classes: int) -> Results:
    """Return "top1" and "top5", error rates as fractions, and "nll", the mean loss in nats.

    None stands for top-5 of five classes or fewer, which is never wrong, and for a loss that is not finite.
    """
    rates, loss = counts.error_rates(), counts.mean_loss()
    top5 = rates["top5"] if num_classes > max(KS) else None
    return {"top1": rates["top1"], "top5": top5, "nll": loss if math.isfinite(loss) else None}


def table(rows: Sequence[Row]) -> str:
    """Return results as lines of text, one for each network, under a header."""
    head = "error rates"
    width = max(map(len, (head, *dict(rows))))
    lines = [f"{head:{width}}    top-1    top-5   nll (nats)"]
    for name, result in rows:
        top1, top5 = ("-" if result[k] is None else f"{result[k]:.2%}" for k in ("top1", "top5"))
        loss = "not finite" if result["nll"] is None else f"{result['nll']:.4f}"
        lines.append(f"{name:{width}} {top1:>8} {top5:>8}   {loss:>10}")
    if any(result["top5"] is None for _, result in rows):
        lines.append("with five classes or fewer, five guesses are never wrong: no top-5")
    return "\n".join(lines)

"""What the records of earlier campaigns show: "relu-vs-tanh", "lrn" and "ablations".

They were measured with fewer seeds and images than the ledger asks for, see `alexnet.experiments.evidence`.
"""

import math
import statistics
from typing import Any

from alexnet import paper
from alexnet.experiments.trial import epochs_to
from alexnet.experiments.verdicts import gains, verdict
from alexnet.storage import records

TARGET = paper.RELU_TARGET_TRAINING_ERROR
WINDOWS = 4
# What the variants of the record "ablations" are.
VARIANTS = {
    "base": "all parts",
    "one-tower": "one tower, every kernel reads all feature maps",
    "half": "one tower with half the kernels in conv1 to conv4",
    "no-lrn": "no response normalisation",
    "no-overlap": "pools of 2x2 pixels, not 3x3",
    "no-augmentation": "no crops, no horizontal flips, no PCA colour augmentation",
    "no-colour-noise": "crops and horizontal flips alone",
    "no-dropout": "no dropout",
    "long": "all parts, twice the epochs",
    "no-dropout-long": "no dropout, twice the epochs",
    "no-weight-decay": "no weight decay",
    "more-weight-decay": "ten times the weight decay",
    "strong-weight-decay": "a hundred times the weight decay",
    "biases-0": "all biases start at 0",
    "text-weights": "conv3 to conv5 start with the text's 0.01",
    "without-conv3": "no conv3",
    "without-conv4": "no conv4",
    "without-conv5": "no conv5",
    "without-fc7": "no fc7",
}
# Which test errors of the record "lrn" are set against each other; the constant factor is part of the LRN.
COMPARED = (
    ("constant", "none"),
    ("lrn", "none"),
    ("lrn", "constant"),
    ("lrn-11pct", "none"),
    ("batch", "none"),
)


def ratio(
    results: dict, setup: str, slow: str = "tanh", fast: str = "relu", *, target: float = TARGET
) -> dict[str, float]:
    """Compare two activation functions of a record: how many times more epochs the slow one needs.

    Args:
        results: a record's results.
        setup: a name in them.
        slow: the activation function whose epochs are divided.
        fast: the activation function by whose epochs they are divided.
        target: the training error to be reached.
    Returns:
        a dictionary: "mean": the ratio of the means over the seeds; "low", "high": the smallest and the
        largest ratio of any run of the one to any run of the other.
    Raises:
        ValueError: one of the two did not reach the target in that setup.
    """
    slow_epochs, fast_epochs = (target_epochs(results, setup, unit, target) for unit in (slow, fast))
    return {
        "mean": statistics.mean(slow_epochs) / statistics.mean(fast_epochs),
        "low": min(slow_epochs) / max(fast_epochs),
        "high": max(slow_epochs) / min(fast_epochs),
    }


def target_epochs(results: dict, setup: str, unit: str, target: float = TARGET) -> list[float]:
    """Return the epochs to a training error for every seed of an activation function in a setup.

    Raises:
        ValueError: not every run got there, or there is none.
    """
    curves = [run["errors"] for run in results[setup][unit]["runs"]]
    epochs = [epochs_to(errors, target, windows=WINDOWS) for errors in curves]
    if not epochs or max(epochs) == math.inf:
        raise ValueError(f"{unit} did not reach {target:.0%} in every run of the setup {setup!r}")
    return epochs


def ratio_at_least(
    results: dict, setup: str, limit: float, fast: str = "relu", *, target: float = TARGET
) -> float:
    """Bound the ratio from below, to a tenth, where the slow activation function did not reach the target.

    Args:
        results: a record's results.
        setup: a name in them.
        limit: the epochs after which the slow activation function was stopped.
        fast: the activation function by whose slowest run they are divided.
        target: the training error to be reached.
    Raises:
        ValueError: the fast one did not reach the target in that setup.
    """
    return math.floor(10 * limit / max(target_epochs(results, setup, fast, target))) / 10


def ratios_by_target(results: dict, setup: str, targets: list[float]) -> list[tuple[float, dict[str, float]]]:
    """Return (target, ratio of tanh to ReLU) for each of the targets that every run of both reached."""
    found = []
    for target in targets:
        try:
            found.append((target, ratio(results, setup, target=target)))
        except ValueError:
            continue
    return found


def comparisons(results: dict) -> list[tuple[str, str, str]]:
    """Return (kind, the kind that it is compared with, verdict) for those that the results hold."""
    return [
        (kind, over, verdict(gains(results, kind, over)))
        for kind, over in COMPARED
        if kind in results and over in results
    ]


def comparison(record: records.Record, variants: list[str], over: str = "base") -> str:
    """Return a Markdown table of variants with a verdict on each, and below it where the numbers come from.

    Args:
        record: of this experiment.
        variants: names in ``VARIANTS`` that the record holds, the one compared with among them or not.
        over: the variant that the others are compared with.
    """
    found = record.results["variants"]
    lines = [
        f"| variant | training error | test error | test error against *{over}* |",
        "| --- | --- | --- | --- |",
    ]
    for name in variants:
        train, test = (spread(found[name]["runs"], which) for which in ("train_error", "test_error"))
        against = "" if name == over else verdict(gains(found, name, over))
        lines.append(f"| *{name}*: {VARIANTS[name]} | {train} | {test} | {against} |")
    hours, device = record.seconds / 3600, record.environment["device"]
    lines += ["", f"{record.scale}, learning rate {record.results['rate']:g}. All {len(found)} variants: "]
    lines[-1] += f"{hours:.1f} hours on {device}."
    return "\n".join(lines)


def spread(runs: list[dict[str, Any]], which: str) -> str:
    """Return the smallest and the largest error of several runs, for people."""
    errors = [run[which] for run in runs]
    return f"{min(errors):.1%} to {max(errors):.1%}"

"""What the record of an earlier campaign shows, "relu-vs-tanh".

It was measured with fewer seeds than the ledger asks for, see `alexnet.experiments.evidence`.
"""

import math
import statistics

from alexnet import paper
from alexnet.experiments.trial import epochs_to, moving_mean

TARGET = paper.RELU_TARGET_TRAINING_ERROR
WINDOWS = 4


def ratio(results: dict, setup: str, *, target: float = TARGET) -> dict[str, float]:
    """Compare the activation functions of a record: how many times more epochs tanh needs than ReLU.

    Args:
        results: a record's results.
        setup: a name in them.
        target: the training error to be reached.
    Returns:
        a dictionary: "mean": the ratio of the means over the seeds; "low", "high": the smallest and the
        largest ratio of any run of the one to any run of the other.
    Raises:
        ValueError: one of the two did not reach the target in that setup.
    """
    tanh, relu = (target_epochs(results, setup, unit, target) for unit in ("tanh", "relu"))
    return {
        "mean": statistics.mean(tanh) / statistics.mean(relu),
        "low": min(tanh) / max(relu),
        "high": max(tanh) / min(relu),
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


def lowest_error(results: dict, setup: str, unit: str) -> float:
    """Return the lowest training error, averaged over an epoch, of an activation function's runs."""
    curves = [moving_mean(run["errors"], WINDOWS) for run in results[setup][unit]["runs"]]
    return min(min(curve) for curve in curves)

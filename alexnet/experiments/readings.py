"""What the record of an earlier campaign shows, "relu-vs-tanh".

It was measured with fewer seeds than the ledger asks for, see `alexnet.experiments.evidence`.
"""

import math

from alexnet import paper
from alexnet.experiments.trial import epochs_to, moving_mean

TARGET = paper.RELU_TARGET_TRAINING_ERROR
WINDOWS = 4


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

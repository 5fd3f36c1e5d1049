"""How much faster does a four-layer network learn with ReLU than with tanh (paper 3.1, figure 1)?

The protocol: CIFAR-10, no regularisation of any kind, stochastic gradient descent with momentum 0.9 and
batches of 128, and for every unit the learning rate that suits it best, found by a search of its own. What is
measured is the number of epochs until the training error, counted while training and averaged over an epoch,
has fallen to 25%.

The paper does not say which network, initialisation or input scale it used, so there are several ``SETUPS``.
"""

import argparse
import math
import statistics
from collections.abc import Callable
from dataclasses import asdict

import torch

from alexnet import data, paper
from alexnet.experiments.learning_curves import WINDOWS_PER_EPOCH, Run, RunConfig, Setup, epochs_to
from alexnet.experiments.runs import SEARCH_SEED, Laboratory, compose_record, open_dataset
from alexnet.storage import records

NAME = "relu-vs-tanh"
DESCRIPTION = "epochs to 25% training error on CIFAR-10 for ReLU, tanh and others (paper 3.1, figure 1)"
TARGET = paper.RELU_TARGET_TRAINING_ERROR

SETUPS = {
    "scaled": Setup(initialisation="scaled", input_scale="unit"),
    "2012": Setup(initialisation="2012", input_scale="raw"),
    "raw-input": Setup(initialisation="scaled", input_scale="raw"),
    "four-hidden": Setup(initialisation="scaled", input_scale="unit", dense=64),
}
# Which units are compared in which setup, and where the search for each one's learning rate begins: all units
# in the first setup, the paper's two everywhere.
PLAN = {
    "scaled": {"relu": 0.01, "tanh": 0.01, "scaled_tanh": 0.01, "abs_tanh": 0.00316, "sigmoid": 0.0316},
    "2012": {"relu": 0.00316, "tanh": 0.01},
    "raw-input": {"relu": 0.0001, "tanh": 0.00316},
    "four-hidden": {"relu": 0.01, "tanh": 0.0316},
}
# Where the runs at the best rate end: below the target, and further in the setup whose curves are drawn.
STOP_ERRORS = {"scaled": 0.20, "2012": 0.22, "raw-input": 0.22, "four-hidden": 0.22}


def measure(laboratory: Laboratory, setup: str, unit: str, seeds: list[int]) -> dict:
    """Search the rate of one unit in one setup, then run every seed at the best rate.

    Args:
        laboratory: makes the runs.
        setup: a name in ``PLAN``.
        unit: a name in ``PLAN``.
        seeds: of the runs at the best rate.
    Returns:
        a dictionary: "search": [[rate, epochs to the target or None, error at the end or None], ...];
        "rate": the best; "runs": for every seed its "epochs_to_target" (None if not reached) and its curve,
        "epochs" and "errors".
    """
    search = laboratory.search_rate(unit, SETUPS[setup], PLAN[setup][unit], TARGET)
    best = min(search, key=search.__getitem__)
    tried = [[rate, finite(epochs), finite(error)] for rate, (epochs, error) in search.items()]
    entry = {"search": tried, "rate": best, "runs": []}
    for seed in seeds:
        run = laboratory.run(
            unit=unit, setup=SETUPS[setup], rate=best, seed=seed, stop_error=STOP_ERRORS[setup]
        )
        entry["runs"].append(
            {
                "seed": seed,
                "epochs_to_target": finite(epochs_to(run, TARGET, windows=WINDOWS_PER_EPOCH)),
                "epochs": [round(epoch, 4) for epoch in run.epochs],
                "errors": [round(error, 5) for error in run.errors],
                "seconds": round(run.seconds, 1),
            }
        )
    return entry


def finite(value: float) -> float | None:
    """Return the number to four digits after the point, or None for infinity, which JSON does not have."""
    return round(value, 4) if math.isfinite(value) else None


def ratio(
    results: dict, setup: str, slow: str = "tanh", fast: str = "relu", *, target: float = TARGET
) -> dict[str, float]:
    """Compare two units of a record: how many times more epochs the slow one takes to the target.

    Args:
        results: a record's results.
        setup: a name in them.
        slow: the unit whose epochs are divided.
        fast: the unit by whose epochs they are divided.
        target: the training error to be reached.
    Returns:
        a dictionary: "mean": the ratio of the means over the seeds; "low", "high": the smallest and the
        largest ratio of any run of the one to any run of the other.
    Raises:
        ValueError: one of the units did not reach the target in that setup.
    """
    slow_epochs, fast_epochs = (target_epochs(results, setup, unit, target) for unit in (slow, fast))
    return {
        "mean": statistics.mean(slow_epochs) / statistics.mean(fast_epochs),
        "low": min(slow_epochs) / max(fast_epochs),
        "high": max(slow_epochs) / min(fast_epochs),
    }


def target_epochs(results: dict, setup: str, unit: str, target: float = TARGET) -> list[float]:
    """Return the epochs to a training error for every seed of a unit in a setup, from its recorded curves.

    Raises:
        ValueError: not every run got there, or there is none.
    """
    runs = [
        Run(epochs=run["epochs"], errors=run["errors"], diverged=False, seconds=run["seconds"])
        for run in results[setup][unit]["runs"]
    ]
    epochs = [epochs_to(run, target, windows=WINDOWS_PER_EPOCH) for run in runs]
    if not epochs or max(epochs) == math.inf:
        raise ValueError(f"{unit} did not reach {target:.0%} in every run of the setup {setup!r}")
    return epochs


def ratios_by_target(results: dict, setup: str, targets: list[float]) -> list[tuple[float, dict[str, float]]]:
    """Return (target, ratio of tanh to ReLU) for each of the targets that every run of both reached."""
    found = []
    for target in targets:
        try:
            found.append((target, ratio(results, setup, target=target)))
        except ValueError:
            continue
    return found


def add_options(add: Callable[..., None]) -> None:
    """Declare this experiment's own options by calls of `alexnet.cli.options.add_option`."""
    units = list(PLAN["scaled"])
    add("--setups", "of the inputs and initial weights", nargs="+", choices=PLAN, default=list(PLAN))
    add("--units", "activation functions", nargs="+", choices=units, default=units)
    add("--max-epochs", "give a run up after this many epochs", type=int, metavar="N", default=40)
    add("--precision")


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment as the command line asks for it and write its record."""
    # Saturated units make gradients so small that processors handle them at half the speed or less.
    torch.set_flush_denormal(True)
    dataset = open_dataset(arguments)
    base = RunConfig(
        unit="relu",
        setup=SETUPS["scaled"],
        rate=0.0,
        seed=0,
        max_epochs=arguments.max_epochs,
        precision=arguments.precision,
        device=arguments.device,
    )
    folder = arguments.runs / dataset.fingerprint[:12]
    laboratory = Laboratory(dataset.train_images, dataset.train_labels, folder, base)
    results = {
        name: {
            unit: measure(laboratory, name, unit, arguments.seeds)
            for unit in PLAN[name]
            if unit in arguments.units
        }
        for name in arguments.setups
    }
    record = make_record(dataset, base, arguments, results, laboratory.seconds)
    record.save(arguments.record)
    print_summary(record)
    print(f"record written to {arguments.record}")
    return 0


def make_record(
    dataset: data.ImageSet, base: RunConfig, arguments: argparse.Namespace, results: dict, seconds: float
) -> records.Record:
    """Put the results and their provenance together."""
    varied = ("unit", "setup", "rate", "seed", "stop_error")
    config = {key: value for key, value in asdict(base).items() if key not in varied}
    config |= {"target": TARGET, "search_seed": SEARCH_SEED}
    config["setups"] = {name: asdict(SETUPS[name]) | {"stop_error": STOP_ERRORS[name]} for name in results}
    return compose_record(
        dataset,
        arguments,
        experiment=NAME,
        scale=f"{len(dataset.train_images):,} training images of {dataset.source}; "
        f"{len(arguments.seeds)} seeds at each unit's best learning rate",
        config=config,
        results=results,
        seconds=seconds,
    )


def print_summary(record: records.Record) -> None:
    """Print epochs to the target for each unit, and the ratio of tanh to ReLU where both are there."""
    for setup, units in record.results.items():
        for unit, entry in units.items():
            epochs = [run["epochs_to_target"] for run in entry["runs"]]
            shown = ", ".join("not reached" if e is None else f"{e:.1f}" for e in epochs)
            print(f"{setup:12} {unit:12} rate {entry['rate']:<8g} epochs to {TARGET:.0%}: {shown}")
        if {"relu", "tanh"} <= units.keys():
            print(f"{setup:12} tanh / ReLU  {ratio_sentence(record.results, setup)}")


def ratio_sentence(results: dict, setup: str) -> str:
    """Return the ratio of tanh to ReLU with its extremes, or why there is none."""
    try:
        found = ratio(results, setup)
    except ValueError as error:
        return str(error)
    return f"{found['mean']:.2f} (from {found['low']:.2f} to {found['high']:.2f})"

"""Many training runs, kept in a folder so that an experiment goes on where it was stopped."""

import argparse
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from alexnet import data
from alexnet.bars import Bar
from alexnet.experiments.learning_curves import Run, RunConfig, Setup, epochs_to, run_once
from alexnet.storage import records
from alexnet.storage.files import write_json

SEARCH_SEED = 100
RATE_FACTOR = 10**0.5
BAR = "{l_bar}{bar}{postfix} {elapsed}"
ABOUT_GUESSING = 0.85  # among ten classes 90% are guessed wrong; differences up there are chance

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kept = TypeVar("Kept", bound="DataclassInstance")


class Laboratory:
    """Makes runs of one base configuration with changes; a run whose file is there is read, not repeated.

    Args:
        images: (N, 3, 32, 32) uint8 training images.
        labels: (N,) int64.
        folder: where finished runs are kept, one JSON file each.
        base: the configuration from which ``run`` departs.
    """

    def __init__(self, images: Tensor, labels: Tensor, folder: Path, base: RunConfig):
        self.images, self.labels, self.folder, self.base = images, labels, folder, base
        self.seconds = 0.0  # of all the runs asked for, whether made now or earlier

    def run(self, **changes) -> Run:
        """Return the run of the base configuration with these changes, made now or read from the folder."""
        config = replace(self.base, **changes)
        path = self.folder / run_file_name(config)
        run = kept(path, config, Run, lambda: run_with_progress(config, self.images, self.labels))
        self.seconds += run.seconds
        return run

    def search_rate(
        self, unit: str, setup: Setup, first_rate: float, target: float
    ) -> dict[float, tuple[float, float]]:
        """Find the learning rate with the fewest epochs to the target by climbing from rate to rate.

        Starts at the first rate and tries both neighbours, a factor of sqrt(10) away, of the best rate so
        far until both are known. A run that can no longer beat the best is ended there. Among rates that do
        not reach the target, the one that ends with the lowest error is the best.

        Args:
            unit: of the network to train, by name.
            setup: of inputs and initial weights, by name.
            first_rate: a guess.
            target: training error as a fraction.
        Returns:
            {rate: (epochs to the target, error at the end)} by rising rates; the epochs are infinite where
            the target was not reached, the error where it stayed about that of guessing. The smallest pair
            belongs to the best rate.
        """
        found: dict[int, tuple[float, float]] = {}
        best = 0
        while missing := [k for k in (best, best + 1, best - 1) if k not in found]:
            limit = min([self.base.max_epochs, *(epochs for epochs, _ in found.values())])
            rate = rate_at(first_rate, missing[0])
            run = self.run(unit=unit, setup=setup, rate=rate, seed=SEARCH_SEED, max_epochs=math.ceil(limit))
            error = run.errors[-1] if run.errors[-1] < ABOUT_GUESSING else math.inf
            found[missing[0]] = (epochs_to(run, target), error)
            best = min(found, key=lambda k: (found[k], abs(k)))
        return {rate_at(first_rate, k): found[k] for k in sorted(found)}


def kept(path: Path, config: Any, kind: type[Kept], make: Callable[[], Kept]) -> Kept:
    """Return a run's outcome from its file or, where there is none, make the run and write the file.

    Args:
        path: of the JSON file.
        config: a dataclass, stored beside the outcome.
        kind: the dataclass of the outcome.
        make: makes the run.
    """
    if path.is_file():
        return kind(**json.loads(path.read_text(encoding="utf-8"))["run"])
    run = make()
    write_json(path, {"config": asdict(config), "run": asdict(run)})
    return run


class Trials:
    """Makes trials, training runs with a test at their end; one whose file is there is read, not repeated.

    Args:
        folder: where finished trials are kept, one JSON file each.
        kind: the dataclass of their outcomes, which has "seconds".
        make: makes a trial, a dataclass with "variant", "rate", "seed" and "epochs"; it also gets the
            function that moves a progress bar, called with (epoch, training error).

    Attributes:
        seconds: of all the trials asked for, whether made now or earlier.
    """

    def __init__(self, folder: Path, kind: type[Any], make: Callable[[Any, Callable], Any]):
        self.folder, self.kind, self.make, self.seconds = folder, kind, make, 0.0

    def __call__(self, trial: Any) -> Any:
        """Return the outcome of a trial, made now, while a bar shows its epoch, or read from the folder."""
        path = self.folder / f"{trial.variant}-{trial.rate:g}-{trial.seed}-{digest(trial)}.json"
        outcome = kept(path, trial, self.kind, lambda: self.make_with_progress(trial))
        self.seconds += outcome.seconds
        return outcome

    def make_with_progress(self, trial: Any) -> Any:
        """Make a trial while a bar shows its epoch and error."""
        title = f"{trial.variant} at rate {trial.rate:.3g}, seed {trial.seed}"
        with Bar(total=trial.epochs, desc=title, bar_format=BAR) as bar:
            return self.make(trial, bar_updater(bar))


def best_of_held_out(laboratory: Callable[[Any], Any], trials: list[Any]) -> tuple[list[list[float]], float]:
    """Return [[rate, held-out error], ...] of trials that differ in the rate, and the best of the rates.

    A single trial is not made: there is nothing to choose, and the list is empty.
    """
    if len(trials) == 1:
        return [], trials[0].rate
    search = [[trial.rate, round(laboratory(trial).test_error, 5)] for trial in trials]
    return search, min(search, key=lambda found: found[1])[0]


def open_dataset(arguments: argparse.Namespace) -> data.ImageSet:
    """Open the images of an experiment, and say what they are and where finished runs are kept."""
    dataset = data.load_or_default("cifar10")
    print(f"data: {dataset.source}")
    print(f"finished runs are kept in {arguments.runs}: stop at any time, the same command goes on there")
    return dataset


def compose_record(
    dataset: data.ImageSet, arguments: argparse.Namespace, *, seconds: float, **parts: Any
) -> records.Record:
    """Put results and their provenance together.

    Args:
        dataset: of `open_dataset`.
        arguments: of the command, with seeds and device.
        seconds: of all runs together.
        **parts: the other fields of the record: experiment, scale, config, results.
    """
    return records.Record(
        data={"name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint},
        seeds=arguments.seeds,
        environment=records.environment(arguments.device),
        seconds=round(seconds, 1),
        **parts,
    )


def run_with_progress(config: RunConfig, images: Tensor, labels: Tensor) -> Run:
    """Make a run while a bar shows its epoch and error."""
    title = f"{config.unit} at rate {config.rate:.3g}, seed {config.seed}"
    with Bar(total=config.max_epochs, desc=title, bar_format=BAR) as bar:
        return run_once(config, images, labels, bar_updater(bar))[0]


def bar_updater(bar: Bar) -> Callable[[float, float], None]:
    """Return the function that a run calls to move the bar."""
    end = math.inf if bar.total is None else bar.total

    def on_window(epoch: float, error: float) -> None:
        bar.set_postfix_str(f"epoch {epoch:.2f}, training error {error:.1%}", refresh=False)
        bar.update(min(epoch, end) - bar.n)

    return on_window


def rate_at(first_rate: float, k: int) -> float:
    """Return the k-th rate above the first on the grid of powers of sqrt(10), to three digits."""
    first_power = round(math.log(first_rate, RATE_FACTOR))
    return float(f"{RATE_FACTOR ** (first_power + k):.3g}")


def run_file_name(config: RunConfig) -> str:
    """Name a run's file: readable at the front, unique by a hash of the configuration."""
    setup = f"{config.setup.initialisation}-{config.setup.input_scale}"
    return f"{config.unit}-{setup}-{config.rate:g}-{config.seed}-{digest(config)}.json"


def digest(config: Any) -> str:
    """Return 12 hexadecimal digits that name a configuration, a dataclass."""
    return hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:12]

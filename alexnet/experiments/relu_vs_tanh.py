"""How much faster does a four-layer network learn with ReLU than with tanh? (paper 3.1, figure 1)

The protocol: CIFAR-10, no regularisation of any kind, stochastic gradient descent with momentum 0.9 and batches of 128, and
for every unit the learning rate that suits it best, found by a search of its own. What is measured is the number of epochs
until the training error, counted while training, has fallen to 25%.

The paper does not say which network, initialisation or input scale it used, so the experiment has several ``SETUPS``.
"""

import argparse
import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from alexnet import data, records
from alexnet.networks import four_layer_net
from alexnet.train import StepResult, shuffled_batches, train_step

NAME = "relu-vs-tanh"
DESCRIPTION = "epochs to 25% training error on CIFAR-10 for ReLU, tanh and others (paper 3.1, figure 1)"
TARGET = 0.25
WINDOWS_PER_EPOCH = 4
SEARCH_SEED = 100
RATE_FACTOR = 10**0.5


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the paper leaves open: the network, its first weights, and the scale of its input.

    Attributes:
        initialisation: "2012" or "scaled", see ``alexnet.networks.four_layer_net``.
        input_scale: "raw" for 0..255 minus the mean image, "unit" for the same divided by its standard deviation.
        dense: units of a dense hidden layer before the output layer, 0 for none.
        first_rate: where the search for the learning rate starts.
    """

    initialisation: str
    input_scale: str
    dense: int = 0
    first_rate: float


SETUPS = {
    "scaled": Setup(initialisation="scaled", input_scale="unit", first_rate=0.01),
    "2012": Setup(initialisation="2012", input_scale="raw", first_rate=0.001),
    "raw-input": Setup(initialisation="scaled", input_scale="raw", first_rate=0.0001),
    "four-hidden": Setup(initialisation="scaled", input_scale="unit", dense=64, first_rate=0.01),
}
# Which units are compared in which setup: all in the first, the paper's two everywhere.
PLAN = {
    "scaled": ("relu", "tanh", "scaled_tanh", "abs_tanh", "sigmoid"),
    "2012": ("relu", "tanh", "scaled_tanh"),
    "raw-input": ("relu", "tanh"),
    "four-hidden": ("relu", "tanh"),
}


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run: a unit in a setup, at one learning rate, from one seed."""

    unit: str
    setup: Setup
    rate: float
    seed: int
    stop_error: float = TARGET
    max_epochs: float = 60
    batch_size: int = 128
    momentum: float = 0.9
    channels: tuple[int, ...] = (32, 32, 64)
    precision: str = "float32"
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run's outcome.

    Attributes:
        epochs: where each measuring window has its middle, in passes over the training set.
        errors: the share of images got wrong in that window, each before it was trained on.
        diverged: the loss stopped being a number.
        seconds: wall time.
    """

    epochs: list[float]
    errors: list[float]
    diverged: bool
    seconds: float


def prepare(images: Tensor, input_scale: str) -> tuple[Tensor, float]:
    """Return the mean image (C, H, W), and the factor for pictures minus it, in grey levels.

    Args:
        images: (N, C, H, W) uint8. input_scale: "raw" (factor 1) or "unit" (one over the standard deviation).
    """
    mean = torch.stack([part.float().sum(0) for part in images.split(5000)]).sum(0) / len(images)
    if input_scale == "raw":
        return mean, 1.0
    variance = sum(float(((part.float() - mean) ** 2).sum(dtype=torch.float64)) for part in images.split(5000))
    return mean, math.sqrt(images.numel() / variance)


def run_once(
    config: RunConfig, images: Tensor, labels: Tensor, on_window: Callable[[float, float], None] = lambda *_: None
) -> Run:
    """Train one network until its training error is at ``stop_error``, it diverges, or ``max_epochs`` are over.

    Args:
        config: what to run.
        images: (N, 3, 32, 32) uint8 training pictures. labels: (N,) int64.
        on_window: called with (epoch, error) after each measuring window, a quarter of an epoch.
    """
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    net = four_layer_net(
        config.unit,
        initialisation=config.setup.initialisation,
        dense=config.setup.dense,
        channels=config.channels,
        generator=generator,
    )
    device = torch.device(config.device)
    net = net.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=config.rate, momentum=config.momentum)
    mean, factor = prepare(images, config.setup.input_scale)
    images, labels, mean = images.to(device), labels.to(device), mean.to(device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")

    epochs, errors = [], []
    steps_per_epoch = math.ceil(len(images) / config.batch_size)
    steps_per_window = math.ceil(steps_per_epoch / WINDOWS_PER_EPOCH)
    max_steps = math.ceil(config.max_epochs * steps_per_epoch)
    window: list[StepResult] = []
    step, diverged = 0, False
    while step < max_steps and not diverged and (not errors or errors[-1] > config.stop_error):
        for batch, batch_labels in shuffled_batches(images, labels, batch_size=config.batch_size, generator=generator):
            step += 1
            x = ((batch.float() - mean) * factor).contiguous(memory_format=torch.channels_last)
            with autocast:
                window.append(train_step(net, optimizer, x, batch_labels))
            if len(window) == steps_per_window:
                epochs.append((step - steps_per_window / 2) / steps_per_epoch)
                errors.append(window_error(window))
                diverged = not math.isfinite(float(window[-1].loss))
                window = []
                on_window(epochs[-1], errors[-1])
                if diverged or errors[-1] <= config.stop_error or step >= max_steps:
                    break
    return Run(epochs=epochs, errors=errors, diverged=diverged, seconds=time.perf_counter() - start)


def window_error(window: list[StepResult]) -> float:
    """Return the share of the window's images that were classified wrongly."""
    return sum(int(result.num_wrong) for result in window) / sum(result.num_images for result in window)


def epochs_to(run: Run, target: float = TARGET) -> float:
    """Return after how many epochs the error reached the target, between two windows by a straight line.

    Returns:
        epochs, or infinity if the run never got there.
    """
    previous_epoch, previous_error = 0.0, None
    for epoch, error in zip(run.epochs, run.errors, strict=True):
        if error <= target:
            if previous_error is None:
                return epoch
            return epoch - (epoch - previous_epoch) * (target - error) / (previous_error - error)
        previous_epoch, previous_error = epoch, error
    return math.inf


class Laboratory:
    """Runs that are kept in a folder: one that is there already is read and not repeated."""

    def __init__(self, images: Tensor, labels: Tensor, folder: Path, base: RunConfig):
        self.images, self.labels, self.folder, self.base = images, labels, folder, base
        self.seconds = 0.0  # of all the runs asked for, whether made now or earlier

    def run(self, **changes) -> Run:
        """Return the run of the base configuration with these changes, made now or read from the folder."""
        config = replace(self.base, **changes)
        path = self.folder / run_file_name(config)
        if path.is_file():
            run = Run(**json.loads(path.read_text())["run"])
            self.seconds += run.seconds
            return run
        title = f"{config.unit} {config.setup.initialisation}/{config.setup.input_scale} {config.rate:.3g} #{config.seed}"
        with tqdm(total=config.max_epochs, desc=title, unit="epoch", bar_format="{l_bar}{bar}{postfix} {elapsed}") as bar:

            def on_window(epoch: float, error: float) -> None:
                bar.n = min(epoch, config.max_epochs)
                bar.set_postfix_str(f"epoch {epoch:.2f} error {error:.3f}")

            run = run_once(config, self.images, self.labels, on_window)
        records.write_json(path, {"config": asdict(config), "run": asdict(run)})
        self.seconds += run.seconds
        return run

    def search_rate(self, unit: str, setup: Setup) -> dict[float, float]:
        """Find the learning rate with the fewest epochs to the target by climbing from rate to rate.

        Starts at the setup's first rate and tries both neighbours, a factor of sqrt(10) away, of the best rate so far
        until both are known. A run that can no longer beat the best is ended there.

        Returns:
            {rate: epochs to the target, infinite if it was not reached within the best rate's epochs}
        """
        found: dict[int, float] = {}
        best = 0
        while missing := [k for k in (best, best + 1, best - 1) if k not in found]:
            limit = min([self.base.max_epochs, *(e for e in found.values() if math.isfinite(e))])
            rate = rate_at(setup, missing[0])
            run = self.run(unit=unit, setup=setup, rate=rate, seed=SEARCH_SEED, max_epochs=math.ceil(limit))
            found[missing[0]] = epochs_to(run)
            best = min(found, key=lambda k: (found[k], abs(k)))
            if not math.isfinite(found[best]) and len(found) >= 5:
                break
        return {rate_at(setup, k): found[k] for k in sorted(found)}


def rate_at(setup: Setup, k: int) -> float:
    """Return the k-th rate above the setup's first rate on the grid, to three digits."""
    return float(f"{setup.first_rate * RATE_FACTOR**k:.3g}")


def run_file_name(config: RunConfig) -> str:
    """Name a run's file: readable at the front, unique by a hash of the configuration."""
    digest = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:12]
    return f"{config.unit}-{config.setup.initialisation}-{config.setup.input_scale}-{config.rate:g}-{config.seed}-{digest}.json"


def measure(laboratory: Laboratory, unit: str, setup: Setup, seeds: list[int], stop_error: float) -> dict:
    """Search the rate of one unit in one setup, then run every seed at the best rate.

    Returns:
        {"search": [[rate, epochs or None], ...], "rate", "runs": [{"seed", "epochs", "errors", "seconds", "epochs_to_target"}]}
    """
    search = laboratory.search_rate(unit, setup)
    best = min(search, key=search.__getitem__)
    entry = {"search": [[rate, finite(epochs)] for rate, epochs in search.items()], "rate": best, "runs": []}
    if not math.isfinite(search[best]):
        return entry
    for seed in seeds:
        run = laboratory.run(unit=unit, setup=setup, rate=best, seed=seed, stop_error=stop_error)
        entry["runs"].append(
            {
                "seed": seed,
                "epochs_to_target": finite(epochs_to(run)),
                "epochs": [round(epoch, 4) for epoch in run.epochs],
                "errors": [round(error, 5) for error in run.errors],
                "seconds": round(run.seconds, 1),
            }
        )
    return entry


def finite(value: float) -> float | None:
    """Return the number rounded to four digits after the point, or None for infinity, which JSON does not have."""
    return round(value, 4) if math.isfinite(value) else None


def ratio(results: dict, setup: str, slow: str = "tanh", fast: str = "relu") -> dict[str, float]:
    """Compare two units of a record: how many times more epochs the slow one takes to the target.

    Args:
        results: a record's results. setup: a name in them. slow, fast: units.
    Returns:
        {"mean": ratio of the means over the seeds, "low", "high": the smallest and largest ratio of any two of their runs}
    Raises:
        ValueError: one of the units did not reach the target in that setup.
    """
    slow_epochs, fast_epochs = (target_epochs(results, setup, unit) for unit in (slow, fast))
    return {
        "mean": statistics.mean(slow_epochs) / statistics.mean(fast_epochs),
        "low": min(slow_epochs) / max(fast_epochs),
        "high": max(slow_epochs) / min(fast_epochs),
    }


def target_epochs(results: dict, setup: str, unit: str) -> list[float]:
    """Return the epochs to the target of every seed of a unit in a setup."""
    epochs = [run["epochs_to_target"] for run in results[setup][unit]["runs"]]
    if not epochs or None in epochs:
        raise ValueError(f"{unit} did not reach the target in every run of the setup {setup!r}")
    return epochs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this experiment's options to the command line."""
    parser.add_argument("--setups", nargs="+", choices=PLAN, default=list(PLAN), help="what the paper leaves open")
    parser.add_argument("--units", nargs="+", choices=PLAN["scaled"], default=PLAN["scaled"], help="units to compare")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="seeds of the runs at the best rate")
    parser.add_argument("--stop-error", type=float, default=0.2, help="run on to this training error, for the curves")
    parser.add_argument("--max-epochs", type=float, default=60, help="give a run up after this many")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs") / NAME, help="folder that keeps finished runs")
    parser.add_argument("--out", type=Path, default=Path("runs") / f"{NAME}.json", help="where the record is written")


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment as the command line asks for it and write its record."""
    cifar = data.load_or_default("cifar10")
    print(f"data: {cifar.source}\nfinished runs are kept in {arguments.runs}: stop at any time, the same command goes on")
    base = RunConfig(
        unit="relu",
        setup=SETUPS["scaled"],
        rate=0.0,
        seed=0,
        max_epochs=arguments.max_epochs,
        precision=arguments.precision,
        device=arguments.device,
    )
    folder = arguments.runs / cifar.fingerprint[:12]
    laboratory = Laboratory(cifar.train_images, cifar.train_labels, folder, base)
    results = {
        name: {
            unit: measure(laboratory, unit, SETUPS[name], arguments.seeds, arguments.stop_error)
            for unit in PLAN[name]
            if unit in arguments.units
        }
        for name in arguments.setups
    }
    record = make_record(cifar, base, arguments, results, laboratory.seconds)
    record.save(arguments.out)
    print_summary(record)
    print(f"record written to {arguments.out}")
    return 0


def make_record(
    cifar: data.ImageSet, base: RunConfig, arguments: argparse.Namespace, results: dict, seconds: float
) -> records.Record:
    """Put the results and their provenance together."""
    config = asdict(base)
    for key in ("unit", "setup", "rate", "seed"):
        del config[key]
    return records.Record(
        experiment=NAME,
        scale=f"{len(cifar.train_images):,} training pictures of {cifar.source}; {len(arguments.seeds)} seeds at each "
        "unit's best learning rate",
        data={"name": cifar.name, "source": cifar.source, "fingerprint": cifar.fingerprint},
        config={**config, "target": TARGET, "stop_error": arguments.stop_error, "search_seed": SEARCH_SEED}
        | {"setups": {name: asdict(SETUPS[name]) for name in results}},
        seeds=arguments.seeds,
        environment=records.environment(base.device),
        seconds=round(seconds, 1),
        results=results,
    )


def print_summary(record: records.Record) -> None:
    """Print epochs to the target for each unit, and the ratio of tanh to ReLU where both are there."""
    for setup, units in record.results.items():
        for unit, entry in units.items():
            epochs = [run["epochs_to_target"] for run in entry["runs"]]
            shown = ", ".join("not reached" if e is None else f"{e:.1f}" for e in epochs) or "not reached in the search"
            print(f"{setup:12} {unit:12} rate {entry['rate']:<8g} epochs to {TARGET:.0%}: {shown}")
        if {"relu", "tanh"} <= units.keys():
            try:
                r = ratio(record.results, setup)
                print(f"{setup:12} tanh / ReLU  {r['mean']:.2f} (from {r['low']:.2f} to {r['high']:.2f})")
            except ValueError as error:
                print(f"{setup:12} tanh / ReLU  {error}")

"""What does a small AlexNet lose when one of its parts is taken away (paper 3.2 to 5 and 7)?

The paper judges its parts on ImageNet, one run each. Here a small net of the same build learns few images
of CIFAR-10 many times, and the parts are taken away one at a time, several seeds each: two towers,
normalisation, overlapping pooling, augmentation, dropout, weight decay, the biases of 1, layers.

The base is the recipe ``code2012`` with a thin net for 32x32 images: crops of 29 pixels, of which conv1
with stride 2 makes 15x15 maps and the pools, rounded down, 7x7, 3x3 and 1x1. These sizes are odd like the 55,
27 and 13 of the paper, so that pools of 2x2 and of 3x3 pixels give maps of the same size. Every image of a
batch has a crop of its own. The rate is divided by ten for the last quarter of the epochs. It is chosen for
the base on a held-out tenth of the training images, and every variant gets it, which favours the base: a
variant at the best rate of its own may do better. The test images are looked at once, at the end.

A seed gives all variants the same order of images and, where the layers are of the same size, the same
first weights.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from alexnet import data
from alexnet.config import Recipe
from alexnet.data.statistics import Statistics, compute_statistics
from alexnet.evaluation.errors import Counts, evaluate
from alexnet.experiments.runs import (
    SEARCH_SEED,
    Trials,
    best_of_held_out,
    compose_record,
    open_dataset,
)
from alexnet.experiments.trials import LAST_PART, Labelled, parts, rate_in
from alexnet.experiments.verdicts import gains, verdict
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.optim.step import shuffled_batches, train_step
from alexnet.recipes import CODE2012, VARIANTS, adapt_to_images, net_config
from alexnet.storage import records
from alexnet.transforms.ten_crop import prepare_centre
from alexnet.transforms.training import prepare_training

NAME = "ablations"
DESCRIPTION = "a small AlexNet on CIFAR-10 without one of its parts at a time (paper 3.2 to 5, 7)"

THIN = {"conv_channels": (32, 32, 64, 64, 32), "conv1_stride": 2, "input_size": 29, "rounding": "floor"}
IMAGE_SIZE = 32
RATES = (0.001, 0.00316, 0.01)
FEW = 500  # images that are evaluated at a time


@dataclass(frozen=True, kw_only=True)
class Part:
    """A variant of the base.

    Attributes:
        section: of the paper, where the claim stands that it belongs to.
        about: what it is, in a few words.
        net: fields of the recipe's net that differ.
        learning: fields of the recipe's learning that differ.
        augmented: crops and reflections are drawn; False: every image is its centre, as in the test.
        colour_noise: where there is augmentation.
        times: the epochs, as a multiple of the base's.
    """

    section: str
    about: str
    net: dict[str, Any] = field(default_factory=dict)
    learning: dict[str, Any] = field(default_factory=dict)
    augmented: bool = True
    colour_noise: bool = True
    times: int = 1


PARTS = {
    "base": Part(section="", about="all parts"),
    "one-tower": Part(section="3.2", about="one tower, every kernel reads all maps", net={"towers": 1}),
    "half": Part(
        section="3.2",
        about="one tower with half the kernels in conv1 to conv4",
        net={"towers": 1, "conv_channels": (16, 16, 32, 32, 32)},
    ),
    "no-lrn": Part(section="3.3", about="no response normalisation", net=VARIANTS["no-lrn"]),
    "no-overlap": Part(section="3.4", about="pools of 2x2 pixels, not 3x3", net={"pool_size": 2}),
    "no-augmentation": Part(section="4.1", about="no crops, no reflections, no noise", augmented=False),
    "no-colour-noise": Part(section="4.1", about="crops and reflections alone", colour_noise=False),
    "no-dropout": Part(section="4.2", about="no dropout", net={"dropout": 0.0}),
    "long": Part(section="4.2", about="all parts, twice the epochs", times=2),
    "no-dropout-long": Part(
        section="4.2", about="no dropout, twice the epochs", net={"dropout": 0.0}, times=2
    ),
    "no-weight-decay": Part(section="5", about="no weight decay", learning={"weight_decay": 0.0}),
    "more-weight-decay": Part(
        section="5", about="ten times the weight decay", learning={"weight_decay": 0.005}
    ),
    "strong-weight-decay": Part(
        section="5", about="a hundred times the weight decay", learning={"weight_decay": 0.05}
    ),
    "biases-0": Part(section="5", about="all biases start at 0", net={"bias_one": ()}),
    "text-weights": Part(
        section="5", about="conv3 to conv5 start with the text's 0.01", net={"conv3_5_weight_std": 0.01}
    ),
    "without-conv3": Part(section="7", about="no conv3", net=VARIANTS["without-conv3"]),
    "without-conv4": Part(section="7", about="no conv4", net=VARIANTS["without-conv4"]),
    "without-conv5": Part(section="7", about="no conv5", net=VARIANTS["without-conv5"]),
    "without-fc7": Part(section="7", about="no fc7", net=VARIANTS["without-fc7"]),
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run of a variant, and its test.

    Attributes:
        variant: a name in ``PARTS``.
        recipe: net, augmentation and learning, with the rate and the epochs.
        augmented: as in `Part`.
        colour_noise: as in `Part`.
        num_train: training images, the first ones of the set.
        held_out: train on nine tenths of them and test on the last tenth.
    """

    variant: str
    recipe: Recipe
    augmented: bool
    colour_noise: bool
    seed: int
    num_train: int
    held_out: bool = False
    device: str = "cpu"

    @property
    def rate(self) -> float:
        """The learning rate before its drop."""
        return self.recipe.learning.rate

    @property
    def epochs(self) -> int:
        """Passes over the training images."""
        return int(self.recipe.learning.epochs)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial gave. Errors are fractions, losses nats.

    Attributes:
        errors: for each epoch that of the training batches, each before it was trained on.
        losses: likewise.
        train_error: after the last epoch, of centres without dropout.
        train_loss: after the last epoch, of centres without dropout.
        test_error: after the last epoch, of centres without dropout.
        test_loss: after the last epoch, of centres without dropout.
        seconds: wall time.
    """

    errors: list[float]
    losses: list[float]
    train_error: float
    train_loss: float
    test_error: float
    test_loss: float
    seconds: float


def make_trial(variant: str, *, rate: float, epochs: int, num_classes: int, **others: Any) -> Trial:
    """Make the trial of a variant.

    Args:
        variant: a name in ``PARTS``.
        rate: learning rate of the base.
        epochs: of the base.
        num_classes: of the data set.
        **others: further fields of `Trial`.
    """
    part = PARTS[variant]
    net = net_config("small", base="code2012", num_classes=num_classes, **(THIN | part.net))
    recipe = adapt_to_images(CODE2012, net, image_size=IMAGE_SIZE)
    learning: dict[str, Any] = {
        "batch_size": 32,
        "rate": rate,
        "epochs": epochs * part.times,
        "schedule": "constant",
    }
    recipe = replace(
        recipe,
        name=f"{NAME}-{variant}",
        augment=replace(recipe.augment, crop_group=1),
        learning=replace(recipe.learning, **(learning | part.learning)),
    )
    return Trial(
        variant=variant,
        recipe=recipe,
        augmented=part.augmented,
        colour_noise=part.colour_noise,
        **others,
    )


def run_trial(
    trial: Trial,
    train: Labelled,
    test: Labelled,
    on_epoch: Callable[[float, float], None] = lambda epoch, error: None,
) -> tuple[Outcome, AlexNet]:
    """Train a net as its trial says, and test it once.

    Args:
        trial: what to run.
        train: (N, 3, 32, 32) uint8 images with (N,) int64 labels; the first num_train count.
        test: the same for the test.
        on_epoch: called with (epoch, training error) after each epoch.
    Returns:
        the outcome, and the net in evaluation mode. A run whose loss stops being a number ends there.
    Raises:
        ValueError: there are fewer training images than the trial wants.
    """
    start = time.perf_counter()
    (images, labels), test = parts(train, test, num_train=trial.num_train, held_out=trial.held_out)
    learning, statistics = trial.recipe.learning, compute_statistics([images])
    first, order = (torch.Generator().manual_seed(trial.seed) for _ in range(2))
    net = AlexNet(trial.recipe.net, generator=first)
    net = net.to(trial.device).to(memory_format=torch.channels_last).train()
    optimizer = PaperSGD(param_groups(net, learning))
    rates = [group["lr"] for group in optimizer.param_groups]
    errors, losses = [], []
    while len(errors) < trial.epochs and all(map(math.isfinite, losses)):
        now = rate_in(len(errors), rate=trial.rate, epochs=trial.epochs)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * now / trial.rate
        steps = []
        for x, y in shuffled_batches(images, labels, batch_size=learning.batch_size, generator=order):
            x = prepared(trial, x, statistics, first).to(trial.device)
            masks = draw_masks(trial.recipe.net, len(x), generator=first, device="cpu")
            masks = {name: mask.to(trial.device) for name, mask in masks.items()}
            steps.append(train_step(partial(net, masks=masks), optimizer, x, y.to(trial.device)))
        num_images = sum(step.num_images for step in steps)
        errors.append(sum(int(step.num_wrong) for step in steps) / num_images)
        losses.append(sum(float(step.loss) * step.num_images for step in steps) / num_images)
        on_epoch(len(errors), errors[-1])
    net.eval()
    on_train = score(net, images, labels, statistics, trial)
    on_test = score(net, *test, statistics, trial)
    outcome = Outcome(
        errors=errors,
        losses=losses,
        train_error=on_train.error_rates()["top1"],
        train_loss=on_train.mean_loss(),
        test_error=on_test.error_rates()["top1"],
        test_loss=on_test.mean_loss(),
        seconds=time.perf_counter() - start,
    )
    return outcome, net


def prepared(trial: Trial, images: Tensor, statistics: Statistics, generator: torch.Generator) -> Tensor:
    """Make what the net reads in training of stored images (N, 3, 32, 32): (N, 3, 29, 29) grey levels."""
    config = trial.recipe.augment
    if not trial.augmented:
        return prepare_centre(images, size=config.size, statistics=statistics)
    return prepare_training(
        images, config=config, statistics=statistics, generator=generator, colour_noise=trial.colour_noise
    )


def score(net: AlexNet, images: Tensor, labels: Tensor, statistics: Statistics, trial: Trial) -> Counts:
    """Count a net's errors on the centres of images, without dropout."""

    def centre(some: Tensor) -> tuple[Tensor]:
        size = trial.recipe.augment.size
        return (prepare_centre(some, size=size, statistics=statistics).to(trial.device),)

    batches = zip(images.split(FEW), labels.split(FEW), strict=True)
    return evaluate(net, batches, views=centre)


def measure(
    laboratory: Callable[[Trial], Outcome],
    make: Callable[..., Trial],
    variants: list[str],
    rates: list[float],
    seeds: list[int],
) -> dict[str, Any]:
    """Find the rate of the base, then run every seed of every variant at that rate.

    Args:
        laboratory: makes a trial.
        make: returns the trial of a variant, given ``rate``, ``seed`` and ``held_out``.
        variants: names in ``PARTS``.
        rates: to be compared on held-out images; a single one is taken without a comparison.
        seeds: of the runs.
    Returns:
        a dictionary: "search": [[rate, held-out error], ...]; "rate": the best; "variants": for each its
        "runs", each with its "seed" and the fields of `Outcome`, rounded.
    """
    tried = [make("base", rate=rate, seed=SEARCH_SEED, held_out=True) for rate in rates]
    search, rate = best_of_held_out(laboratory, tried)
    found = {}
    for variant in variants:
        trials = [make(variant, rate=rate, seed=seed, held_out=False) for seed in seeds]
        runs = [{"seed": trial.seed} | rounded(asdict(laboratory(trial))) for trial in trials]
        found[variant] = {"runs": runs}
    return {"search": search, "rate": rate, "variants": found}


def rounded(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome for the record; a number that is none becomes None."""

    def short(value: float) -> float | None:
        return round(value, 5) if math.isfinite(value) else None

    return {
        name: [short(v) for v in value] if isinstance(value, list) else short(value)
        for name, value in outcome.items()
    }


def add_options(add: Callable[..., None]) -> None:
    """Declare this experiment's own options by calls of `alexnet.cli.options.add_option`."""
    names = list(PARTS)
    add("--variants", "networks to train", nargs="+", choices=PARTS, metavar="VARIANT", default=names)
    add("--epochs", type=int, default=30)
    add("--train-size", default=5000)
    add("--rates", default=list(RATES))


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment as the command line asks for it and write its record."""
    torch.set_flush_denormal(True)  # processors are slow with the smallest of numbers
    dataset = open_dataset(arguments)
    train = dataset.train_images, dataset.train_labels
    test = dataset.test_images, dataset.test_labels
    make = partial(
        make_trial,
        epochs=arguments.epochs,
        num_classes=len(dataset.classes),
        num_train=arguments.train_size,
        device=arguments.device,
    )
    laboratory = Trials(
        arguments.runs / dataset.fingerprint[:12],
        Outcome,
        lambda trial, on_epoch: run_trial(trial, train, test, on_epoch)[0],
    )
    results = measure(laboratory, make, arguments.variants, arguments.rates, arguments.seeds)
    base = make("base", rate=results["rate"], seed=arguments.seeds[0])
    record = make_record(dataset, base, arguments, results, laboratory.seconds)
    record.save(arguments.record)
    print_summary(record)
    print(f"record written to {arguments.record}")
    return 0


def make_record(
    dataset: data.ImageSet,
    base: Trial,
    arguments: argparse.Namespace,
    results: dict[str, Any],
    seconds: float,
) -> records.Record:
    """Put the results and their provenance together."""
    variants = {name: asdict(PARTS[name]) for name in arguments.variants}
    config = {"base": asdict(base.recipe), "variants": variants, "num_train": base.num_train}
    config |= {"rates": arguments.rates, "search_seed": SEARCH_SEED, "last_part": LAST_PART}
    return compose_record(
        dataset,
        arguments,
        experiment=NAME,
        scale=f"{base.num_train:,} training and {len(dataset.test_images):,} test images of "
        f"{dataset.source}; {base.epochs} epochs, {len(arguments.seeds)} seeds",
        config=config,
        results=results,
        seconds=seconds,
    )


def comparison(record: records.Record, variants: list[str], over: str = "base") -> str:
    """Return a Markdown table of variants with a verdict on each, and below it where the numbers come from.

    Args:
        record: of this experiment.
        variants: names in ``PARTS`` that the record holds, the one compared with among them or not.
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
        lines.append(f"| *{name}*: {PARTS[name].about} | {train} | {test} | {against} |")
    hours, device = record.seconds / 3600, record.environment["device"]
    lines += ["", f"{record.scale}, rate {record.results['rate']:g}. All {len(found)} variants: "]
    lines[-1] += f"{hours:.1f} hours on {device}."
    return "\n".join(lines)


def spread(runs: list[dict[str, Any]], which: str) -> str:
    """Return the smallest and the largest error of several runs, for people."""
    errors = [run[which] for run in runs]
    return f"{min(errors):.1%} to {max(errors):.1%}"


def print_summary(record: records.Record) -> None:
    """Print each variant's errors, and what they show against the base."""
    results = record.results["variants"]
    print(f"rate {record.results['rate']:g}")
    for name, entry in results.items():
        against = verdict(gains(results, name, "base")) if name != "base" and "base" in results else ""
        errors = "training {}, test {}".format(
            *(spread(entry["runs"], which) for which in ("train_error", "test_error"))
        )
        print(f"{name:20} {errors}  {against}")

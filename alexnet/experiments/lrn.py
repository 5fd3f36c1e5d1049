"""Does response normalisation lower the test error of a small network (paper 3.3)?

The paper says that a four-layer network went from 13% to 11% test error on CIFAR-10. The authors'
files define both, ``layers-conv-local-13pct`` and ``layers-conv-local-11pct``; the second has two layers of
response normalisation behind its first two convolutions and is the same in all else. Those networks train for
some 450 epochs with crops and reflections. Here the same two layers go into the smaller `four_layer_net`,
and batch normalisation into the same two places. A constant factor in their stead is the control: the
paper's LRN divides small activations by 2**0.75, which alone makes a network learn at another pace.

The protocol: grey levels of 0..255 minus the mean image, and first weights as in the files of 2012, so that
activations have the size for which the constants were made; stochastic gradient descent with momentum and no
regularisation; the rate divided by ten for the last quarter of the epochs. Each kind of normalisation gets
the rate that is best on a held-out tenth of the training images. Every seed then trains on all of them, and
the test images are looked at once, at the end. A seed gives all kinds the same first weights and the same
order of images.
"""

import argparse
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, replace

import torch
from torch import nn

from alexnet import data
from alexnet.experiments.runs import (
    SEARCH_SEED,
    Trials,
    best_of_held_out,
    compose_record,
    open_dataset,
)
from alexnet.experiments.trials import LAST_PART, Outcome, Trial, run_trial
from alexnet.experiments.verdicts import gains, verdict
from alexnet.models.cifar import four_layer_net
from alexnet.models.layers import LocalResponseNorm
from alexnet.storage import records

NAME = "lrn"
DESCRIPTION = "test error on CIFAR-10 with and without LRN, and with batch normalisation (paper 3.3)"

# The constants of layers-conv-local-11pct: scale 0.001, which the code divides by the size, and a 1 for k.
CODE_CONSTANTS = {"n": 5, "k": 1.0, "alpha": 1e-3, "beta": 0.75, "divide_alpha": True}
# Where each kind stands: LRN behind the unit, as in paper and code; batch normalisation before it, as by its
# authors (Ioffe & Szegedy 2015).
KINDS: dict[str, tuple[str, Callable[[int], nn.Module]] | None] = {
    "none": None,
    "constant": ("unit", lambda channels: LocalResponseNorm(alpha=0.0)),
    "lrn": ("unit", lambda channels: LocalResponseNorm()),
    "lrn-11pct": ("unit", lambda channels: LocalResponseNorm(**CODE_CONSTANTS)),
    "batch": ("conv", nn.BatchNorm2d),
}
NORMALISED = ("1", "2")  # the layers that get it
RATES = (0.000316, 0.001, 0.00316, 0.01)
# Which test errors are set against each other; the constant factor is part of the LRN as printed.
COMPARED = (
    ("constant", "none"),
    ("lrn", "none"),
    ("lrn", "constant"),
    ("lrn-11pct", "none"),
    ("batch", "none"),
)


def normalised(net: nn.Sequential, kind: str) -> nn.Sequential:
    """Put a kind of normalisation into the first two layers of a `four_layer_net`.

    Args:
        net: its layers and weights are taken over.
        kind: a name in ``KINDS``.
    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no normalisation {kind!r}; there are {', '.join(KINDS)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    chosen = KINDS[kind]
    for name, layer in net.named_children():
        layers[name] = layer
        number = name[-1]
        if chosen and number in NORMALISED:
            place, make = chosen
            if name == place + number:
                layers[f"norm{number}"] = make(len(net.get_parameter(f"conv{number}.bias")))
    return nn.Sequential(layers)


def build(trial: Trial, generator: torch.Generator) -> nn.Sequential:
    """Make the network of a trial, whose variant is a kind of normalisation."""
    net = four_layer_net("relu", initialisation="2012", channels=trial.channels, generator=generator)
    return normalised(net, trial.variant)


def measure(
    laboratory: Callable[[Trial], Outcome], base: Trial, rates: list[float], seeds: list[int]
) -> dict:
    """Find the rate of one kind of normalisation, then run every seed at that rate.

    Args:
        laboratory: makes a trial.
        base: the trial from which all depart.
        rates: to be compared on held-out images; a single one is taken without a comparison.
        seeds: of the runs.
    Returns:
        a dictionary: "search": [[rate, held-out error], ...]; "rate": the best; "runs": for every seed its
        "seed", "train_errors", "test_error" and "seconds".
    """
    tried = [replace(base, rate=rate, seed=SEARCH_SEED, held_out=True) for rate in rates]
    search, rate = best_of_held_out(laboratory, tried)
    runs = []
    for seed in seeds:
        outcome = laboratory(replace(base, rate=rate, seed=seed))
        errors = [round(error, 5) for error in outcome.train_errors]
        run = {"seed": seed, "train_errors": errors, "test_error": round(outcome.test_error, 5)}
        runs.append(run | {"seconds": round(outcome.seconds, 1)})
    return {"search": search, "rate": rate, "runs": runs}


def comparisons(results: dict) -> list[tuple[str, str, str]]:
    """Return (kind, the kind that it is compared with, verdict) for those that the results hold."""
    return [
        (kind, over, verdict(gains(results, kind, over)))
        for kind, over in COMPARED
        if kind in results and over in results
    ]


def add_options(add: Callable[..., None]) -> None:
    """Declare this experiment's own options by calls of `alexnet.cli.options.add_option`."""
    add("--kinds", "of normalisation", nargs="+", choices=KINDS, metavar="KIND", default=list(KINDS))
    add("--epochs", type=int, default=20)
    add("--train-size", shown="all")
    add("--rates", default=list(RATES))
    add("--precision")


def run(arguments: argparse.Namespace) -> int:
    """Run the experiment as the command line asks for it and write its record."""
    # The first weights are so small that many gradients are of a size that processors are slow with.
    torch.set_flush_denormal(True)
    dataset = open_dataset(arguments)
    base = Trial(
        variant="none",
        rate=0.0,
        seed=0,
        num_train=arguments.train_size or len(dataset.train_images),
        epochs=arguments.epochs,
        precision=arguments.precision,
        device=arguments.device,
    )
    train = dataset.train_images, dataset.train_labels
    test = dataset.test_images, dataset.test_labels
    laboratory = Trials(
        arguments.runs / dataset.fingerprint[:12],
        Outcome,
        lambda trial, on_epoch: run_trial(trial, build, train, test, on_epoch)[0],
    )
    results = {
        kind: measure(laboratory, replace(base, variant=kind), arguments.rates, arguments.seeds)
        for kind in arguments.kinds
    }
    record = make_record(dataset, base, arguments, results, laboratory.seconds)
    record.save(arguments.record)
    print_summary(record)
    print(f"record written to {arguments.record}")
    return 0


def make_record(
    dataset: data.ImageSet, base: Trial, arguments: argparse.Namespace, results: dict, seconds: float
) -> records.Record:
    """Put the results and their provenance together."""
    varied = ("variant", "rate", "seed", "held_out")
    config = {key: value for key, value in asdict(base).items() if key not in varied}
    config |= {"rates": arguments.rates, "search_seed": SEARCH_SEED, "last_part": LAST_PART}
    chosen = "each kind at its best rate of" if len(arguments.rates) > 1 else "all kinds at rate"
    rates = ", ".join(f"{rate:g}" for rate in arguments.rates)
    return compose_record(
        dataset,
        arguments,
        experiment=NAME,
        scale=f"{base.num_train:,} training and {len(dataset.test_images):,} test images of "
        f"{dataset.source}; {base.epochs} epochs, {len(arguments.seeds)} seeds, {chosen} {rates}",
        config=config,
        results=results,
        seconds=seconds,
    )


def print_summary(record: records.Record) -> None:
    """Print each kind's test errors, and what they show against each other."""
    for kind, entry in record.results.items():
        errors = ", ".join(f"{run['test_error']:.1%}" for run in entry["runs"])
        print(f"{kind:10} rate {entry['rate']:<9g} test error {errors}")
    for kind, over, sentence in comparisons(record.results):
        print(f"{kind} against {over}: {sentence}")

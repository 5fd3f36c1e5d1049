"""``alexnet experiment``: repeat a measurement of the book."""

import argparse
import functools
import math
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from alexnet.checks import positive, whole
from alexnet.cli.options import add_option, check_appendable, check_results, path_named
from alexnet.shown import say

TRIALS = Path("runs", "trials")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def add_experiment(commands, with_experiments: bool) -> None:
    """Add ``alexnet experiment`` and, if asked for, the experiments themselves."""
    about = "Run an experiment of the book and write its record; without a name, list the experiments."
    experiment = commands.add_parser("experiment", help="run an experiment, or list them", description=about)
    experiment.set_defaults(run=run_experiment_list)
    if with_experiments:
        from alexnet.experiments import EXPERIMENTS

        names = experiment.add_subparsers(title="experiments", metavar="NAME")
        for name, known in EXPERIMENTS.items():
            about = known.description.replace("%", "%%")  # argparse formats a help, but no description
            parser = names.add_parser(name, help=about, description=known.description)
            add_options(parser, known)
            parser.set_defaults(run=functools.partial(run_experiment, known))


def add_options(parser: argparse.ArgumentParser, known) -> None:
    """Add the options of an experiment; what it declares is the default."""
    add = functools.partial(add_option, parser)
    add("--arms", "the arms to compare", nargs="+", choices=list(known.arms), metavar="ARM", shown="all")
    seeds = {"nargs": "+", "type": int, "metavar": "SEED", "default": list(known.seeds)}
    add("--seeds", "one training run for each seed at every arm's best learning rate", **seeds)
    add("--train-size", default=known.num_train, type=int)
    first = next(iter(known.arms.values())).learning.epochs
    add("--epochs", default=first, type=float)
    add_running(parser)
    file = Path("runs", f"{known.name}.json")
    add("--record", "where to write the record, as JSON", type=path_named, metavar="FILE", default=file)


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add the options of how trials are run."""
    add = functools.partial(add_option, parser)
    add(
        "--jobs",
        "trials run in parallel, each with one thread",
        type=int,
        metavar="N",
        shown="one for each core",
    )
    budget = (
        "time such as 90s, 10m or 2h: start no trial that would end later by the trials so far, and give "
    )
    budget += "up one that proves too long"
    add("--budget", budget, type=parse_seconds, metavar="TIME", shown="no limit")
    folder = {"type": path_named, "metavar": "FOLDER", "default": TRIALS}
    add("--trials", "folder that keeps finished trials", **folder)
    add("--device")


def parse_seconds(text: str) -> float:
    """Read "90s", "10m", "2h" and the like.

    Raises:
        argparse.ArgumentTypeError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(s|m|min|h)", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 10m or 2h, got {text!r}")
    return float(match[1]) * SECONDS[match[2]]


def execution(arguments: argparse.Namespace):
    """Return the execution of trials as the options of `add_running` ask for it."""
    from alexnet.devices import device_named, usable_cores
    from alexnet.experiments.execution import Execution

    jobs = usable_cores() if arguments.jobs is None else arguments.jobs
    whole("--jobs", jobs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes of trials end as well
    return Execution(device=str(device_named(arguments.device)), jobs=jobs, budget=arguments.budget)


def run_experiment(known, arguments: argparse.Namespace) -> Any:
    """Run an experiment as the command line asks for it, and write its record."""
    from alexnet import data
    from alexnet.experiments.campaign import compose_record, open_finished, print_summary, run_campaign

    check(arguments)
    known = scaled(known, arguments)
    how = execution(arguments)
    path = arguments.trials / f"{known.name}.jsonl"
    check_appendable(path)
    check_results(arguments.record, ".json", "--record")
    dataset = data.load_or_default("cifar10")
    say(f"data: {dataset.source}")
    say(f"finished trials are kept in {path}: the same command resumes there")
    finished = open_finished(known.name, dataset.fingerprint, path, with_shipped=False)
    end = math.inf if how.budget is None else time.monotonic() + how.budget
    complete = run_campaign(known, dataset, finished, how, arms=arguments.arms or (), seeds=arguments.seeds)
    record = compose_record(known, dataset, finished, how.device)
    record.save(arguments.record)
    print_summary(record)
    say(f"record written to {arguments.record}" + ("" if complete else f"; {describe_left(end)}"))
    return 0


def describe_left(end: float) -> str:
    """Say why trials are left of a campaign whose budget ends at this time (of ``time.monotonic``)."""
    return "the budget is used up" if time.monotonic() >= end else "what is left would end after the budget"


def scaled(known, arguments: argparse.Namespace):
    """Return the experiment at the requested scale: --epochs is that of the first arm.

    The others keep their proportion to it, such as those with three times the epochs.
    """
    first = next(iter(known.arms.values())).learning.epochs
    known = replace(known, num_train=arguments.train_size)
    if arguments.epochs == first:  # a number of another type would give its trials other names
        return known
    # In this order: a factor would be rounded, and 31 epochs would be a step more than 31.
    epochs = {name: arm.learning.epochs * arguments.epochs / first for name, arm in known.arms.items()}
    arms = {
        name: replace(arm, learning=replace(arm.learning, epochs=epochs[name]))
        for name, arm in known.arms.items()
    }
    return replace(known, arms=arms)


def check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for a number that no trial can have, and for a seed or an arm that is repeated."""
    from alexnet.experiments.search import SEARCH_SEED

    whole("--train-size", arguments.train_size)
    positive("--epochs", arguments.epochs)
    for seed in arguments.seeds:
        whole("--seeds", seed, least=0)
    if SEARCH_SEED in arguments.seeds:
        raise ValueError(
            f"--seeds {SEARCH_SEED}: the search for the learning rate has that seed; take another"
        )
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise ValueError("--seeds: a seed stands there twice")
    arms = arguments.arms or ()
    if len(set(arms)) < len(arms):
        raise ValueError("--arms: an arm stands there twice")


def run_experiment_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet experiment`` without a name."""
    from alexnet.experiments import EXPERIMENTS

    for name, known in EXPERIMENTS.items():
        say(f"{name:16} {known.description}")
    say("\n`alexnet experiment NAME --help` shows its options.")
    return 0

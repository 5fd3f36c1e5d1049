"""``alexnet experiment``: repeat a measurement of the book."""

import argparse
import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from alexnet.checks import positive, whole
from alexnet.cli.options import add_option


def add_experiment(commands, with_experiments: bool) -> None:
    """Add ``alexnet experiment`` and, if asked for, the experiments themselves."""
    about = "Run an experiment of the book and write its record; without a name, list the experiments."
    experiment = commands.add_parser("experiment", help="run an experiment, or list them", description=about)
    experiment.set_defaults(run=run_experiment_list)
    if with_experiments:
        from alexnet.experiments import EXPERIMENTS

        names = experiment.add_subparsers(title="experiments", metavar="NAME")
        for name, module in EXPERIMENTS.items():
            about = module.DESCRIPTION.replace("%", "%%")  # argparse formats a help, but no description
            parser = names.add_parser(name, help=about, description=module.DESCRIPTION)
            add_options(parser, module)
            parser.set_defaults(run=functools.partial(run_experiment, module))


def add_options(parser: argparse.ArgumentParser, module: ModuleType) -> None:
    """Add an experiment's own options, then those that all have."""
    add = functools.partial(add_option, parser)
    module.add_options(add)
    add("--seeds", "one run for each of these", nargs="+", type=int, metavar="SEED", default=[0, 1, 2])
    add("--device")
    folder = Path("runs", module.NAME)
    add("--runs", "folder that keeps finished runs", type=Path, metavar="FOLDER", default=folder)
    file = Path("runs", f"{module.NAME}.json")
    add("--record", "where to write the record, as JSON", type=Path, metavar="FILE", default=file)


def run_experiment(module: ModuleType, arguments: argparse.Namespace) -> Any:
    """Run an experiment on the device that was chosen."""
    from alexnet.devices import device_named, keep_buffers

    check(arguments)
    arguments.device = str(device_named(arguments.device))
    keep_buffers()
    return module.run(arguments)


def check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for a number that no run can have."""
    for name in ("epochs", "max_epochs", "train_size"):
        value = getattr(arguments, name, None)  # not every experiment has them all
        if value is not None:
            whole(f"--{name.replace('_', '-')}", value)
    for seed in arguments.seeds:
        whole("--seeds", seed, least=0)
    for rate in getattr(arguments, "rates", ()):
        positive("--rates", rate)


def run_experiment_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet experiment`` without a name."""
    from alexnet.experiments import EXPERIMENTS

    for name, module in EXPERIMENTS.items():
        print(f"{name:16} {module.DESCRIPTION}")
    print("\n`alexnet experiment NAME --help` shows what can be chosen.")
    return 0

"""The command ``alexnet``. Commands import what they need when run, so that ``--help`` is quick."""

import argparse
import contextlib
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import alexnet
from alexnet.commands import evaluate, predict, summary, train
from alexnet.commands.data import add_check, add_prepare
from alexnet.shown import say

DESCRIPTION = """\
AlexNet, executable: the data sets and the experiments of the book on
Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks" (NIPS 2012).
"""

# Shown by --help, in the order in which a new reader runs them. Every one must parse; a test sees to it.
EXAMPLES = (
    ("what data is there? (without any, everything runs on generated pictures)", "alexnet data list"),
    ("download CIFAR-10 (170 MB); the same command goes on where it broke off", "alexnet data get cifar10"),
    ("or use an archive that you have", "alexnet data import cifar10 ~/cifar-10-python.tar.gz"),
    (
        "or folders of pictures, in them one for each class",
        "alexnet data import cifar10 ~/cifar/train ~/cifar/test",
    ),
    (
        "ImageNet of the official archives, as 256x256 pictures ready for training",
        "alexnet data prepare imagenet ~/imagenet ~/imagenet-256",
    ),
    ("train the small net on generated pictures; Ctrl-C, and again: it goes on", "alexnet train"),
    (
        "what would training on ImageNet take here, and by which command?",
        "alexnet train --data ~/imagenet-256 --recipe code2012 --dry-run",
    ),
    (
        "how often is it wrong, by the average over ten crops?",
        "alexnet evaluate runs/default-paper-seed0 --data default --views 10",
    ),
    ("what is on a picture?", "alexnet predict runs/default-paper-seed0 picture.jpg"),
    ("which experiments are there?", "alexnet experiment"),
    ("what can be chosen in one of them?", "alexnet experiment relu-vs-tanh --help"),
    ("run it; stopped and started again, it goes on", "alexnet experiment relu-vs-tanh"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``alexnet``; those of the process if None.
    Returns:
        the exit status: 0 for success, 2 for an error that the message explains, 130 when interrupted, 141
        where nobody reads any more what is printed, as behind ``| head``.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        parser = build_parser(with_experiments=argv[:1] == ["experiment"])
        arguments = parser.parse_args(argv)
        status = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        tell("\nalexnet: interrupted")
        return 130
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError) and nobody_reads(sys.stdout):
            return 141
        tell(f"alexnet: {sentence(error)}")
        return 2
    finally:
        let_go(sys.stdout)
        let_go(sys.stderr)


def tell(text: str) -> None:
    """Print an error's sentence, if there is anybody to read it."""
    with contextlib.suppress(OSError, ValueError):
        say(text, to=sys.stderr)


def nobody_reads(stream: IO[str]) -> bool:
    """Whether a stream is a pipe whose other end was closed; False on a system that cannot say it."""
    try:
        poll = select.poll()
        poll.register(stream, 0)
        return any(flags & select.POLLERR for _, flags in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False


def let_go(stream: IO[str] | None) -> None:
    """Give up what cannot be written; else Python tries again as it ends, and fails with its own status."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):  # it has no file, or was closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def sentence(error: Exception) -> str:
    """Return an error's message; one from the operating system without its number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def build_parser(*, with_experiments: bool) -> argparse.ArgumentParser:
    """Build the parser of all commands.

    Args:
        with_experiments: also import the experiments and add their options, which takes seconds.
    """
    examples = "\n".join(f"  # {meaning}\n  {command}" for meaning, command in EXAMPLES)
    parser = argparse.ArgumentParser(
        prog="alexnet",
        description=DESCRIPTION,
        epilog=f"in this order, the first time:\n{examples}\n\nEvery command explains itself with --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"alexnet {alexnet.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_data(commands)
    summary.add(commands)
    train.add(commands)
    evaluate.add(commands)
    predict.add(commands)
    add_experiment(commands, with_experiments)
    return parser


def add_data(commands) -> None:
    """Add ``alexnet data`` and its commands."""
    about = (
        "Data sets lie in $ALEXNET_DATA; if that is not set, in data/ of a clone of the project, else in a "
        "cache folder. Where a set is missing, chapters and experiments use generated pictures, and say so."
    )
    data = commands.add_parser("data", help="get, import and list data sets", description=about)
    actions = data.add_subparsers(title="commands", metavar="COMMAND", required=True)

    about = "Download the official archive, verify it, store the set. A download that broke off goes on."
    get = actions.add_parser("get", help="download a data set", description=about)
    get.add_argument("name", metavar="NAME", help="the data set: cifar10")
    get.add_argument(
        "--mirror", metavar="URL", help="another copy of the archive, or the folder on the web that holds it"
    )
    get.add_argument(
        "--keep-archive", action="store_true", help="keep the downloaded archive beside the stored set"
    )
    get.set_defaults(run=run_get)

    about = (
        "Make a data set of files that you have: the official archive, or archives (tar, tar.gz, tar.xz, "
        "zip) or folders of pictures in train/<class>/ and test/<class>/. Several PATHs together may hold "
        "the set. In the stored order the classes take turns; training shuffles anyway."
    )
    importing = actions.add_parser(
        "import", help="make a data set of an archive or a folder", description=about
    )
    importing.add_argument("name", metavar="NAME", help="the data set: cifar10")
    importing.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="an archive or a folder")
    importing.set_defaults(run=run_import)

    add_prepare(actions)
    add_check(actions)
    about = "Show which data sets are stored, where, their size and where they came from."
    actions.add_parser("list", help="show what is stored", description=about).set_defaults(run=run_list)
    about = "Print the folder of the data sets."
    actions.add_parser("path", help="print the folder of the data sets", description=about).set_defaults(
        run=run_path
    )


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
            module.add_arguments(parser)
            parser.set_defaults(run=module.run)


def run_get(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data get``."""
    from alexnet import data

    data.get(arguments.name, mirror=arguments.mirror, keep_archive=arguments.keep_archive)
    return report(arguments.name)


def run_import(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data import``."""
    from alexnet import data

    data.import_set(arguments.name, arguments.paths, tell=say)
    return report(arguments.name)


def report(name: str) -> int:
    """Open a set that was just stored, which proves it whole, and say what and where it is."""
    from alexnet import data

    say(data.load(name).source, f"stored in {data.path_of(name)}")
    return 0


def run_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet data list``; a damaged set is shown as such, and makes the status 2."""
    from alexnet import data

    status = 0
    say(f"data sets in {data.root()}")
    for name in data.KNOWN_SETS:
        path = data.path_of(name)
        try:
            text = f"{data.load(name).source}, {path.stat().st_size / 1e6:.0f} MB"
        except FileNotFoundError:
            text = f"not there; get it with `alexnet data get {name}` or `alexnet data import {name} PATH`"
        except ValueError as error:
            status, text = 2, str(error)
        say(f"  {name:10} {text}")
    print(f"  {'(default)':10} {data.synthetic(num_train=1, num_test=1).source}, made when it is needed")
    return status


def run_path(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet data path``."""
    from alexnet import data

    say(data.root())
    return 0


def run_experiment_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet experiment`` without a name."""
    from alexnet.experiments import EXPERIMENTS

    for name, module in EXPERIMENTS.items():
        print(f"{name:16} {module.DESCRIPTION}")
    print("\n`alexnet experiment NAME --help` shows what can be chosen.")
    return 0

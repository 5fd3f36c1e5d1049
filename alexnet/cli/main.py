"""The command ``alexnet``. Commands import what they need when run, so that ``--help`` is quick."""

import argparse
import contextlib
import os
import select
import sys
from collections.abc import Sequence
from typing import IO

import alexnet
from alexnet.cli import claims, evaluate, export, predict, summary, train
from alexnet.cli.data import add_data
from alexnet.cli.experiment import add_experiment
from alexnet.cli.options import Parser
from alexnet.shown import say

DESCRIPTION = """\
AlexNet, executable: the data sets and the experiments of the book on
Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks" (NIPS 2012).
"""

# Shown by --help, in the order in which a new reader runs them. Every one must parse; a test sees to it.
EXAMPLES = (
    ("list the data sets (without any, chapters show generated images)", "alexnet data list"),
    (
        "download CIFAR-10 (170 MB); the same command resumes a stopped download",
        "alexnet data get cifar10",
    ),
    ("or use an archive on your disk", "alexnet data import cifar10 ~/cifar-10-python.tar.gz"),
    (
        "or folders of images, with one subfolder for each class",
        "alexnet data import cifar10 ~/cifar/train ~/cifar/test",
    ),
    (
        "prepare ImageNet from the official archives as 256x256 images",
        "alexnet data prepare imagenet ~/imagenet ~/imagenet-256",
    ),
    ("train on generated images; after Ctrl-C the same command resumes", "alexnet train"),
    (
        "measure the error rate of that network with ten-crop evaluation",
        "alexnet evaluate runs/default-paper-seed0 --data default --views 10",
    ),
    (
        "estimate time and memory of training on ImageNet; print the command",
        "alexnet train --data ~/imagenet-256 --recipe code2012 --dry-run",
    ),
    ("classify an image", "alexnet predict runs/default-paper-seed0 image.jpg"),
    ("list the experiments", "alexnet experiment"),
    ("show the options of one of them", "alexnet experiment relu-speed --help"),
    ("run it, on CIFAR-10; the same command resumes a stopped run", "alexnet experiment relu-speed"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``alexnet``; those of the process if None.
    Returns:
        the exit status: 0 for success, 2 for an error that the message explains, 130 when interrupted (of
        ``train`` also 143 and 129, for SIGTERM and SIGHUP), 141 if the reader of the output has closed the
        pipe, as with ``| head``.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = argparse.Namespace()
    if "LOCAL_RANK" in os.environ:
        # Before torch is imported: every process would repeat a warning of `DistributedDataParallel`, in many
        # lines, about what `alexnet.distributed.parallel.data_parallel` needs.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
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
    except (RuntimeError, MemoryError) as error:
        if said := out_of_memory(error, arguments):
            tell(f"alexnet: {said}")
            return 2
        raise
    finally:
        let_go(sys.stdout)
        let_go(sys.stderr)


def tell(text: str) -> None:
    """Print an error's sentence, if there is anybody to read it."""
    with contextlib.suppress(OSError, ValueError):
        say(text, to=sys.stderr)


def out_of_memory(error: Exception, arguments: argparse.Namespace) -> str:
    """Return one sentence if the error of a command is a memory that is too small, else nothing."""
    from alexnet.devices import memory_lacked

    whose = memory_lacked(error)
    if not whose:
        return ""
    cures = ["choose a smaller `--batch-size`"] if "batch_size" in arguments else []
    cures += ["choose fewer `--jobs`"] if getattr(arguments, "jobs", 1) != 1 else []
    cures += ["choose `--device cpu`"] if whose == "the GPU" else ["end other programs"]
    return f"the memory of {whose} is too small for this; {', or '.join(cures)}"


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
    if stream is None:
        return
    try:
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
    parser = Parser(
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
    export.add(commands)
    add_experiment(commands, with_experiments)
    claims.add(commands)
    return parser

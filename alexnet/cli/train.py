"""``alexnet train``: train a net by one of the two recipes, on one device or, under torchrun, on many."""

import argparse

from alexnet.recipes import NETS, RECIPES
from alexnet.shown import say

EPILOG = """\
Ctrl-C, SIGTERM or a closed terminal (SIGHUP): the step is finished and a checkpoint written; the same command
resumes from it. The exit status is then 130, 143 or 129. Under torchrun each process ends with 0 instead, as
torchrun would take those for failures; torchrun itself, where it was the one to be stopped, ends with 1 and a
traceback of its own after they have saved. A run under nohup goes on when its terminal is closed.

on two GPUs, a tower on each, as in the paper; on more, several such nets share the batch:
  torchrun --standalone --nproc-per-node=2 -m alexnet train --data default --recipe code2012
with --max-restarts=3 torchrun starts again what was killed, which goes on from the last checkpoint.
on N machines, in each of them:
  TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes=N --nproc-per-node=8 --max-restarts=3
    --rdzv-backend=c10d --rdzv-endpoint=HOST -m alexnet train --data ~/imagenet-256 --recipe code2012
torchrun listens on all addresses of the machine without a password, whatever its options say (--standalone
and an endpoint of 127.0.0.1 too): run it only where a firewall or a private network keeps strangers away.

on a CPU under Linux steps may be shorter where the C library keeps freed memory; --dry-run tells:
  MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1099511627776 alexnet train --dry-run"""


def add(commands) -> None:
    """Add ``alexnet train``."""
    parser = commands.add_parser(
        "train",
        help="train a net, or go on with a training that was stopped",
        description="Train a net by a recipe. A training that was stopped goes on by the same command.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(run=run)
    what = parser.add_argument_group("what")
    what.add_argument("--data", help="cifar10, default (generated pictures), or the folder of a prepared set")
    what.add_argument("--recipe", help=f"{', '.join(RECIPES)} (default: paper), or a .json file with one")
    what.add_argument("--net", choices=NETS, metavar="NAME", help=f"one of {', '.join(NETS)}")
    what.add_argument("--epochs", type=float, help="length; a schedule is stretched to it")
    what.add_argument("--batch-size", type=int, help="pictures in an update, all devices together")
    what.add_argument("--seed", type=int, help="of everything random (default: 0)")
    what.add_argument("--max-steps", type=int, help="leave off after so many steps of the whole training")
    what.add_argument(
        "--dry-run", action="store_true", help="check everything, do a few steps, say how long it would take"
    )
    what.add_argument("--json", action="store_true", help="with --dry-run: print what was found as JSON")
    how = parser.add_argument_group("how")
    how.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: auto, a GPU if there is one)")
    how.add_argument("--precision", choices=("float32", "bfloat16"), help="of convolutions and dense layers")
    how.add_argument("--compile", action="store_true", help="let torch.compile fuse what it can")
    how.add_argument("--channels-last", action="store_true", help="lay maps out with the channels last")
    how.add_argument(
        "--split",
        choices=("auto", "towers", "data"),
        help="what several devices share: the net, tower by tower, or the batch alone",
    )
    how.add_argument(
        "--deterministic", action="store_true", help="the same numbers again on the same GPU, but slower"
    )
    how.add_argument("--workers", type=int, help="processes that read pictures")
    files = parser.add_argument_group("files")
    files.add_argument("--out", metavar="FOLDER", help="of the run (default: one in runs/)")
    files.add_argument(
        "--checkpoint-every", metavar="TIME", help="such as 10min (the default), 1epoch or 500steps"
    )
    files.add_argument("--validate-every", metavar="TIME", help="such as 1epoch (the default) or 500steps")
    files.add_argument("--log-every", metavar="STEPS", type=int, help="steps that share a line of log.jsonl")


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet train``; of several processes the one that has something to say says it."""
    from alexnet.distributed.ranks import OtherFailed

    if "json" in arguments and "dry_run" not in arguments:
        raise ValueError("--json goes with --dry-run; a training writes run.json into its folder")
    try:
        return run_dry(arguments) if "dry_run" in arguments else run_training(arguments)
    except OtherFailed:
        return 2


def run_training(arguments: argparse.Namespace) -> int:
    """Train, and return the exit status."""
    from alexnet.training import train
    from alexnet.training.progress import Progress
    from alexnet.training.signals import exit_status

    return exit_status(train(settings_of(arguments), Progress()).results["signal"])


def run_dry(arguments: argparse.Namespace) -> int:
    """Print what a training would be."""
    from alexnet.training import dry_run
    from alexnet.training.dry_runs import as_json

    found = dry_run(settings_of(arguments))
    if found is not None:
        say(as_json(found) if "json" in arguments else found.text)
    return 0


def settings_of(arguments: argparse.Namespace):
    """Return the settings that were asked for, as ``alexnet.training.TrainSettings``."""
    from alexnet.training import TrainSettings

    others = ("run", "dry_run", "json")
    return TrainSettings(**{key: value for key, value in vars(arguments).items() if key not in others})

"""``alexnet train``: train a network by a recipe, on one device or, under torchrun, on many."""

import argparse
from dataclasses import asdict

from alexnet.cli.options import CHECKPOINT, STDOUT, add_option, check_results
from alexnet.config import PARALLEL
from alexnet.recipes import NETS, RECIPES
from alexnet.shown import say

EPILOG = """\
Ctrl-C, SIGTERM or a closed terminal (SIGHUP): the step is finished and a checkpoint written; the same command
resumes from it. The exit status is then 130, 143 or 129. Under torchrun each process ends with 0 instead,
because torchrun treats those as failures; torchrun itself, if it was stopped, ends with 1 and a traceback
of its own after all have saved. A run under nohup continues when its terminal is closed.

fine-tune a trained network, with a new last layer if your images have other classes:
  alexnet train --data FOLDER --recipe code2012 --init-from imagenette --freeze conv1,conv2

on two GPUs, a tower on each, as in the paper; on more, several such networks share the batch:
  torchrun --standalone --nproc-per-node=2 -m alexnet train --data default --recipe code2012
with --max-restarts=3 torchrun restarts killed processes, which resume from the last checkpoint.
on N machines, the same command on each:
  TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nnodes=N --nproc-per-node=8 --max-restarts=3
    --rdzv-backend=c10d --rdzv-endpoint=HOST -m alexnet train --data ~/imagenet-256 --recipe code2012
torchrun listens on all addresses of the machine without a password, with any options (--standalone
and an endpoint of 127.0.0.1 too): run it only behind a firewall or on a private network.

on a CPU under Linux, steps may be faster if the C library keeps freed memory; compare with --dry-run:
  MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1099511627776 alexnet train --dry-run"""


def add(commands) -> None:
    """Add ``alexnet train``."""
    parser = commands.add_parser(
        "train",
        help="train a network, or resume a training run that was stopped",
        description="Train a network by a recipe. The same command resumes a run that was stopped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    add_what(parser.add_argument_group("what"))
    add_how(parser.add_argument_group("how"))
    add_files(parser.add_argument_group("files"))


def add_what(group) -> None:
    """Add the options of what is trained, and for how long."""
    add_option(group, "--data", default="default")
    recipes = f"{', '.join(RECIPES)}, or a .json file with one"
    add_option(group, "--recipe", recipes, metavar="RECIPE", default="paper")
    own = "with --init-from that of the weights, else the recipe's own, or small if the images are too small"
    add_option(group, "--net", f"the network: {', '.join(NETS)}", choices=NETS, metavar="NAME", shown=own)
    length = "the recipe's; a logged schedule is stretched to another length, plateau takes it as the limit"
    add_option(group, "--epochs", type=float, shown=length)
    add_option(group, "--batch-size", shown="the recipe's")
    start = f"a trained network to start from: {CHECKPOINT}"
    add_option(group, "--init-from", start, metavar="CHECKPOINT", shown="initial weights are drawn")
    frozen = "layers that are not trained, such as conv1,conv2"
    add_option(group, "--freeze", frozen, metavar="LAYERS", shown="those of the recipe, usually none")
    factors = "learning rates of layers as multiples of the recipe's, such as conv1=0.1,fc8=10"
    add_option(group, "--layer-rates", factors, metavar="RATES", shown="the recipe's, usually none")
    add_option(group, "--seed", "random seed of everything", type=int, metavar="SEED", default=0)
    steps = "stop after this many steps of the whole training run"
    add_option(group, "--max-steps", steps, type=int, metavar="STEPS", shown="train to the end")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, run a few steps and estimate how long the training would take",
    )
    add_option(group, "--json", shown="not written; goes with --dry-run")


def add_how(group) -> None:
    """Add the options of how it is computed."""
    add_option(group, "--device")
    add_option(group, "--precision")
    group.add_argument("--compile", action="store_true", help="compile the network with torch.compile")
    group.add_argument(
        "--channels-last",
        action="store_true",
        help="store feature maps in channels-last memory format on a GPU; on the CPU they always are",
    )
    shares = "how several devices divide the work: the towers of a network, or only the images of a batch"
    add_option(group, "--parallel", shares, choices=PARALLEL, default=PARALLEL[0])
    # As it was called before evaluation had --split for parts of a data set.
    group.add_argument("--split", dest="parallel", choices=PARALLEL, help=argparse.SUPPRESS)
    group.add_argument(
        "--deterministic", action="store_true", help="reproduce the same numbers on the same GPU, but slower"
    )
    add_option(group, "--workers", shown="one for each core; none for a set in memory")


def add_files(group) -> None:
    """Add the options of what is written, and when."""
    add_option(
        group,
        "--out",
        "folder of the training run",
        metavar="FOLDER",
        shown="one in runs/, named after data, recipe, network and seed",
    )
    add_option(
        group,
        "--checkpoint-every",
        "how often a checkpoint is written: minutes, epochs or steps, such as 500steps",
        metavar="TIME",
        default="10min",
    )
    add_option(
        group,
        "--validate-every",
        "how often the validation error is measured: epochs or steps",
        metavar="TIME",
        default="1epoch",
    )
    lines = "steps over which a line of log.jsonl averages"
    add_option(group, "--log-every", lines, type=int, metavar="STEPS", shown="10; on a GPU 50")


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet train``; of several processes, only the one with a message prints it."""
    from alexnet.distributed.ranks import OtherFailed

    if arguments.json is not None and not arguments.dry_run:
        raise ValueError("--json goes with --dry-run; a training writes run.json into its folder")
    try:
        return run_dry(arguments) if arguments.dry_run else run_training(arguments)
    except OtherFailed:
        return 2


def run_training(arguments: argparse.Namespace) -> int:
    """Train, and return the exit status."""
    from alexnet.training import train
    from alexnet.training.progress import Progress
    from alexnet.training.signals import exit_status

    with Progress() as progress:
        record = train(make_settings(arguments), progress)
    return exit_status(record.results["signal"])


def run_dry(arguments: argparse.Namespace) -> int:
    """Print the plan and the estimate of a training run, or write them as JSON."""
    from alexnet.storage.files import write_json
    from alexnet.training import dry_run
    from alexnet.training.dry_runs import as_json

    to_file = arguments.json not in (None, STDOUT)
    check_results(arguments.json, ".json", "--json")
    found = dry_run(make_settings(arguments))
    if found is None:  # the first process says it
        return 0
    if to_file:
        write_json(arguments.json, asdict(found))
    say(as_json(found) if arguments.json == STDOUT else found.text)
    return 0


def make_settings(arguments: argparse.Namespace):
    """Return the settings that were asked for, as `alexnet.training.TrainSettings`."""
    from alexnet.training import TrainSettings

    others = ("run", "dry_run", "json")
    return TrainSettings(**{key: value for key, value in vars(arguments).items() if key not in others})

"""``alexnet summary``: a network's layers, and what they cost in parameters, arithmetic and memory."""

import argparse

from alexnet import paper
from alexnet.cli.options import add_option


def add(commands) -> None:
    """Add ``alexnet summary`` to the commands."""
    parser = commands.add_parser(
        "summary",
        help="show a network's layers and what they cost, or list the networks",
        description="Show the layers of a network with their shapes, parameters, neurons, multiply-adds and "
        "the memory that they need in training, in total and on each GPU; without a name, list the networks.",
    )
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="the network; `alexnet summary` lists the names"
    )
    add_option(
        parser,
        "--base",
        "the recipe, paper or code2012, whose network NAME is a variant of",
        metavar="RECIPE",
        default="paper",
    )
    add_option(parser, "--batch-size", default=paper.BATCH_SIZE)
    add_option(
        parser,
        "--classes",
        "number of classes: outputs of the last layer",
        type=int,
        metavar="N",
        default=paper.ILSVRC_NUM_CLASSES,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet summary``."""
    from alexnet.models.summary import brief, summary, text
    from alexnet.recipes import NETS, net_config

    def counted(name):
        config = net_config(name, base=arguments.base, num_classes=arguments.classes)
        return summary(config, batch_size=arguments.batch_size)

    if arguments.name:
        print(text(counted(arguments.name)))
    else:
        print(brief(counted(name) for name in NETS))
        print("\n`alexnet summary NAME` shows the layers of one.")
    return 0

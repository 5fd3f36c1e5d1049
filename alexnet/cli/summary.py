"""``alexnet summary``: a net's layers, and what they cost in parameters, arithmetic and memory."""

import argparse

from alexnet import paper


def add(commands) -> None:
    """Add ``alexnet summary`` to the commands."""
    parser = commands.add_parser(
        "summary",
        help="show a net's layers and what they cost, or list the nets",
        description="Show the layers of a net with their shapes, parameters, neurons, multiply-adds and the "
        "memory that they take in training, in all and on each GPU; without a name, list the nets.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the net; `alexnet summary` lists the names")
    parser.add_argument(
        "--base",
        metavar="RECIPE",
        default="paper",
        help="paper or code2012: the net that NAME is a variant of (paper)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=paper.BATCH_SIZE,
        help=f"pictures in an update, for the memory ({paper.BATCH_SIZE})",
    )
    parser.add_argument(
        "--classes",
        type=int,
        metavar="N",
        default=paper.ILSVRC_NUM_CLASSES,
        help=f"outputs of the last layer ({paper.ILSVRC_NUM_CLASSES})",
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

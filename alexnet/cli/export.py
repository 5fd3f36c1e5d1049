"""``alexnet export``: trained weights as safetensors, for other programs."""

import argparse

from alexnet.cli.options import path_named
from alexnet.shown import say

SOURCE = "a run's folder, or a file in it; or imagenette, the trained network shipped with the package"


def add(commands) -> None:
    """Add the command to those of ``alexnet``."""
    about = (
        "Write the weights of a training as FILE.safetensors: the parameters under their names (conv1.weight "
        "to fc8.bias), the mean image, the recipe and the classes. `alexnet predict` and `evaluate` read it, "
        "and so does every program that reads safetensors; the file can contain no code."
    )
    parser = commands.add_parser("export", help="write trained weights as safetensors", description=about)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=SOURCE)
    parser.add_argument("file", metavar="FILE", type=path_named, help="where to write, FILE.safetensors")
    parser.add_argument(
        "--half",
        action="store_true",
        help="in half precision (float16): half the size, three digits of each weight; read as float32 again",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet export``."""
    from alexnet.storage import checkpoints, safe

    if arguments.file.suffix != safe.SUFFIX:
        raise ValueError(f"{arguments.file} must end in {safe.SUFFIX}")
    source, weights = load_trained(arguments.checkpoint)
    checkpoints.save_weights(arguments.file, checkpoints.in_half(weights) if arguments.half else weights)
    say(f"{arguments.file} has the weights of {source}")
    return 0


def load_trained(name: str):
    """Return the file of weights that a name or a path means, and what it holds.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it was not written by a training of this package.
    """
    from alexnet.models.pretrained import NAME, find_weights, read
    from alexnet.storage import checkpoints

    if name != NAME:
        source = find_weights(name)
        try:
            return source, checkpoints.load_weights(source)
        except ValueError:
            if read(source, "cpu") is None:
                raise
    raise ValueError(
        f"{name} is torchvision's network, which has neither a recipe nor a mean image to export; name a "
        "run's folder, a file in it, or imagenette"
    )

"""``alexnet predict``: the classes of images, as bars of text (paper 6, figure 4)."""

import argparse
import shutil
import sys

from alexnet.cli.options import CHECKPOINT, add_option
from alexnet.shown import printable, say


def add(commands) -> None:
    """Add ``alexnet predict``."""
    parser = commands.add_parser(
        "predict",
        help="classify images",
        description=(
            "Show the most probable classes of images of any size, read as `alexnet data prepare` reads "
            "them; conversions, such as turning one upright, are named in brackets. A star marks the class "
            "that an image's folder is named after."
        ),
        epilog="examples: alexnet predict imagenette photographs/*.jpg, alexnet predict runs/mine cat.jpg",
    )
    parser.set_defaults(run=run)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT)
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a file: JPEG, PNG, WebP, TIFF, ...")
    add_option(parser, "--views")
    add_option(parser, "--top", "how many classes, the most probable first", type=int, metavar="N", default=5)
    add_option(parser, "--device")


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet predict``; an image that cannot be read is reported, and makes the status 2."""
    from alexnet.data.loading import stored_with_notes
    from alexnet.devices import device_named
    from alexnet.evaluation.prediction import (
        class_of_folder,
        in_words,
        load_classifier,
        predict_probabilities,
    )

    if arguments.top < 1:
        raise ValueError(f"--top must be at least 1, got {arguments.top}")
    classifier = load_classifier(arguments.checkpoint, device_named(arguments.device))
    if classifier.remark:
        say(f"{classifier.name}: {classifier.remark}")
    width, status = shutil.get_terminal_size().columns, 0
    for path in arguments.images:
        try:
            image, notes = stored_with_notes(path, classifier.image_size)
        except (ValueError, OSError) as error:
            status = 2
            say(f"alexnet: {error}", to=sys.stderr)
            continue
        (row,) = predict_probabilities(classifier, [image], views=arguments.views)
        right = class_of_folder(classifier, path)
        lines = in_words(classifier, row, top=arguments.top, right=right, width=width)
        say(printable(path) + (f" ({', '.join(notes)})" if notes else ""), *lines)
    return status

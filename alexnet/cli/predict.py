"""``alexnet predict``: what is on pictures, as bars of text (paper 6, figure 4)."""

import argparse
import shutil
import sys

from alexnet.cli.options import CHECKPOINT
from alexnet.shown import printable, say


def add(commands) -> None:
    """Add ``alexnet predict``."""
    parser = commands.add_parser(
        "predict",
        help="classify images",
        description=(
            "Show the most probable classes of images of any size, read as `alexnet data prepare` reads "
            "them; what that took, such as turning one upright, is in brackets. A star marks the class that "
            "an image's folder is named after."
        ),
        epilog="example: alexnet predict runs/default-paper-seed0 photographs/*.jpg",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help=CHECKPOINT,
    )
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", help="a file: JPEG, PNG, WebP, TIFF, ...")
    parser.add_argument(
        "--views", type=int, choices=(1, 10), default=1, help="1, the centre, or 10 crops (section 4.1)"
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="how many classes (5)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet predict``; a picture that cannot be read is told of, and makes the status 2."""
    from alexnet.devices import device_named
    from alexnet.evaluation.prediction import (
        class_of_folder,
        in_words,
        load_classifier,
        probabilities_of,
        stored_with_notes,
    )

    if arguments.top < 1:
        raise ValueError(f"--top must be at least 1, got {arguments.top}")
    classifier = load_classifier(arguments.checkpoint, device_named(arguments.device))
    if classifier.remark:
        say(f"{classifier.name}: {classifier.remark}")
    width, status = shutil.get_terminal_size().columns, 0
    for picture in arguments.pictures:
        try:
            image, notes = stored_with_notes(picture, classifier.picture_size)
        except (ValueError, OSError) as error:
            status = 2
            say(f"alexnet: {error}", to=sys.stderr)
            continue
        (row,) = probabilities_of(classifier, [image], views=arguments.views)
        right = class_of_folder(classifier, picture)
        lines = in_words(classifier, row, top=arguments.top, right=right, width=width)
        say(printable(picture) + (f" ({', '.join(notes)})" if notes else ""), *lines)
    return status

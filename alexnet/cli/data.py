"""``alexnet data``: get, import, prepare, check and list data sets."""

import argparse

from alexnet.cli.options import add_option, path_named
from alexnet.shown import say

KINDS = {
    "imagenet": "ILSVRC-2012 or ILSVRC-2010: the official archives with the development kit, or folders",
    "imagenette": "Imagenette, ten classes of ILSVRC-2012: its archives, or folders",
    "folder": "any images in train/<class>/ and val/<class>/ (or test/<class>/), or just <class>/",
    "cifar10": "CIFAR-10, as `alexnet data import` takes it: all its images, as they are (32x32, raw)",
}


def add_prepare(actions) -> None:
    """Add ``alexnet data prepare`` to the commands of ``alexnet data``."""
    kinds = "\n".join(f"  {kind:11} {text}" for kind, text in KINDS.items())
    parser = actions.add_parser(
        "prepare",
        help="make a large set ready for training: 256x256 images in a few files",
        description=(
            "Scale images so that their shorter side is 256, crop the central 256x256 and store them\n"
            "in DST, as in section 2 of the paper. The same command resumes a stopped one. Images\n"
            "are turned upright, and transparent pixels are put on white; images that cannot be read are\n"
            "left out. DST/manifest.csv names each image that was converted or left out; at the end the\n"
            f"command prints how it read the folders and what it left out.\n\nkinds:\n{kinds}"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    parser.add_argument(
        "sources",
        metavar="SRC",
        nargs="+",
        type=path_named,
        help="folders and archives that together hold the set",
    )
    parser.add_argument(
        "target", metavar="DST", type=path_named, help="folder of the prepared set, a new one"
    )
    add_option(
        parser,
        "--size",
        "height and width of the stored images",
        type=int,
        metavar="PIXELS",
        shown="256; 32 for CIFAR-10",
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="store pixels, not JPEGs: six to eight times as large, and nothing to decode in training",
    )
    add_option(
        parser,
        "--val-share",
        "keep this fraction of each class for validation, where there is no val/; 0.1 is a tenth",
        type=float,
        metavar="FRACTION",
        default=0.0,
    )
    add_option(
        parser,
        "--class-level",
        "for the kind folder, where its paths can be read in two ways: which folder is the class; 1: the "
        "first one below that of the split, or below SRC where there is none; 0: the one above; path: all",
        type=level,
        metavar="LEVEL",
        shown="the only possible reading",
    )
    parser.add_argument(
        "--missing-classes",
        action="store_true",
        help="allow validation images that lack some of the training classes",
    )
    add_option(
        parser,
        "--max-damaged",
        "give up if more than this fraction of the images is damaged",
        type=float,
        metavar="FRACTION",
        default=0.001,
    )
    add_option(parser, "--workers", shown="one for each core")
    parser.set_defaults(run=run_prepare)


def level(word: str) -> int | str:
    """Read a level of folders: a number, or "path"."""
    return int(word) if word.isdecimal() else word


def run_prepare(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data prepare``."""
    from alexnet.data.prepare.run import prepare
    from alexnet.data.prepared import open_set
    from alexnet.devices import usable_cores

    sentences = prepare(
        arguments.kind,
        arguments.sources,
        arguments.target,
        workers=usable_cores() if arguments.workers is None else arguments.workers,
        size=arguments.size,
        raw=arguments.raw,
        val_share=arguments.val_share,
        class_level=arguments.class_level,
        missing_classes=arguments.missing_classes,
        max_damaged=arguments.max_damaged,
    )
    say(*sentences, open_set(arguments.target).source, f"stored in {arguments.target}")
    return 0


def add_check(actions) -> None:
    """Add ``alexnet data check`` to the commands of ``alexnet data``."""
    parser = actions.add_parser(
        "check",
        help="read all of a prepared set, to see whether it is damaged",
        description=(
            "Read every image of a prepared set and compare it with what was written. Opening a set does so "
            "with its labels and with the first and last image of each file; only this command sees all."
        ),
    )
    parser.add_argument("folder", metavar="FOLDER", type=path_named, help="the prepared set")
    parser.set_defaults(run=run_check)


def run_check(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data check``; damage makes the status 2."""
    from alexnet.data.prepare.check import damage_in
    from alexnet.data.stored import describe_stored

    damage = damage_in(arguments.folder)
    say(*damage, f"{describe_stored(arguments.folder).source}: {'damaged' if damage else 'whole'}")
    return 2 if damage else 0


def add_data(commands) -> None:
    """Add ``alexnet data`` and its commands."""
    about = (
        "Data sets lie in $ALEXNET_DATA; if that is not set, in data/ of a clone of the project, else in a "
        "cache folder. Where CIFAR-10 is missing, chapters use generated images, and say so; experiments do "
        "so too, where the `--train-size` is small enough."
    )
    data = commands.add_parser("data", help="get, import and list data sets", description=about)
    actions = data.add_subparsers(title="commands", metavar="COMMAND", required=True)

    about = "Download the official archive, verify it, store the set. A download that broke off is resumed."
    get = actions.add_parser("get", help="download a data set", description=about)
    get.add_argument("name", metavar="NAME", help="the data set: cifar10")
    add_option(
        get,
        "--mirror",
        "another copy of the archive, or the folder on the web that holds it",
        metavar="URL",
        shown="the official address",
    )
    get.add_argument(
        "--keep-archive", action="store_true", help="keep the downloaded archive beside the stored set"
    )
    get.set_defaults(run=run_get)

    about = (
        "Make a data set from files that you have: the official archive, or archives (tar, tar.gz, tar.xz, "
        "zip) or folders of images in train/<class>/ and test/<class>/. Several PATHs together may hold "
        "the set. In the stored order the classes take turns; training shuffles anyway."
    )
    importing = actions.add_parser(
        "import", help="make a data set from an archive or a folder", description=about
    )
    importing.add_argument("name", metavar="NAME", help="the data set: cifar10")
    importing.add_argument("paths", metavar="PATH", nargs="+", type=path_named, help="an archive or a folder")
    importing.set_defaults(run=run_import)

    add_prepare(actions)
    add_check(actions)
    about = "Show which data sets are stored, where, their size and where they came from."
    actions.add_parser("list", help="show what is stored", description=about).set_defaults(run=run_list)
    about = "Print the folder of the data sets."
    actions.add_parser("path", help="print the folder of the data sets", description=about).set_defaults(
        run=run_path
    )


def run_get(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data get``."""
    from alexnet import data
    from alexnet.devices import usable_cores

    data.get(
        arguments.name,
        mirror=arguments.mirror,
        keep_archive=arguments.keep_archive,
        workers=usable_cores(),
    )
    return report(arguments.name)


def run_import(arguments: argparse.Namespace) -> int:
    """Run ``alexnet data import``."""
    from alexnet import data
    from alexnet.devices import usable_cores

    data.import_set(arguments.name, arguments.paths, workers=usable_cores(), tell=say)
    return report(arguments.name)


def report(name: str) -> int:
    """Open a set that was just stored, which checks it, and print its source and its folder."""
    from alexnet import data

    say(data.load(name).source, f"stored in {data.locate(name)}")
    return 0


def run_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet data list``; a damaged set is shown as such, and makes the status 2."""
    from alexnet import data

    status = 0
    say(f"data sets in {data.root()}")
    for name in data.KNOWN_SETS:
        path = data.locate(name)
        try:
            text = data.load(name).source
            text += f", {sum(file.stat().st_size for file in path.iterdir()) / 1e6:.0f} MB"
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

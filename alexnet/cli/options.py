"""Options that several commands share, each declared once; how every option shows its default.

An option means the same in every command. An unknown option or value is refused with the most similar known
one.
"""

import argparse
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alexnet.checks import near_miss
from alexnet.config import PRECISIONS


def path_named(text: str) -> Path:
    """Return the path that an argument names; a shell leaves the ``~`` of --json=~/x.json to the program."""
    return Path(os.path.expanduser(text))


STDOUT = Path("-")  # where --json writes if no file is named
CHECKPOINT = (  # the argument of `evaluate` and `predict`
    "a run's folder, or a file in it; imagenette, the trained network shipped with the package; a file of "
    "weights for torchvision's AlexNet; or the word torchvision, which finds torchvision's weights in "
    "torch's cache"
)
SHARED: dict[str, dict[str, Any]] = {
    "--data": {
        "text": "cifar10, default (generated images), or the folder of a prepared set",
        "metavar": "DATA",
    },
    "--batch-size": {"text": "images in a batch, all devices together", "type": int, "metavar": "N"},
    "--epochs": {"text": "length of the training: passes over the training images", "metavar": "N"},
    "--views": {
        "text": "1: the central crop of an image; 10: the average over its ten crops (section 4.1)",
        "type": int,
        "choices": (1, 10),
        "default": 1,
    },
    "--device": {
        "text": "cpu, cuda or cuda:N; auto: a GPU if there is one",
        "metavar": "DEVICE",
        "default": "auto",
    },
    "--precision": {
        "text": "number format of convolutions and dense layers",
        "choices": PRECISIONS,
        "default": PRECISIONS[0],
    },
    "--workers": {"text": "processes that read and decode images", "type": int, "metavar": "N"},
    "--json": {
        "text": "write the results as JSON to FILE, or print them if no FILE is named",
        "type": path_named,
        "nargs": "?",
        "const": STDOUT,
        "metavar": "FILE",
        "shown": "not written",
    },
    "--train-size": {"text": "number of training images", "type": int, "metavar": "N"},
}


class Parser(argparse.ArgumentParser):
    """A parser that suggests the most similar known option or choice, on every Python version."""

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse the words of a command, and refuse unknown options here, where the known ones are."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown and not self.append(namespace, unknown):
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, []

    def append(self, namespace: Any, words: list[str]) -> bool:
        """Append words to the list in which a command ends, for argparse ends it at the next option.

        Returns:
            whether they belong there; not if one of them is an option, or there is no such list.
        """
        *_, last = [None, *(action for action in self._actions if not action.option_strings)]
        if last is None or last.nargs not in ("*", "+") or any(word.startswith("-") for word in words):
            return False
        setattr(namespace, last.dest, [*getattr(namespace, last.dest), *self._get_values(last, words)])
        return True

    def error(self, message: str) -> Any:
        """Print the usage and the error, with the most similar known word, and end."""
        choice = re.search(r"invalid choice: (.+) \(choose from (.+)\)$", message)
        if choice:
            word, *known = (text.strip("'") for text in (choice[1], *choice[2].split(", ")))
            message += near_miss(word, known)
        option = re.match(r"unrecognized arguments: .*?(--[\w-]+)", message)
        if option:
            message += near_miss(option[1], re.findall(r"--[\w-]+", self.format_usage()))
        super().error(message)


def add_option(parser: Any, name: str, text: str = "", *, shown: str = "", **settings: Any) -> None:
    """Add an option that takes a value, as ``SHARED`` has it or with a text of its own.

    Args:
        parser: of the command, or a group of its options.
        name: such as "--seed".
        text: what it is for; the default follows in brackets.
        shown: what the default means, in words; the default itself if empty.
        **settings: of ``add_argument``, on top of the shared ones.
    """
    settings = {"text": text, "shown": shown} | SHARED.get(name, {}) | settings
    if shown:
        settings["shown"] = shown
    text, shown, default = settings.pop("text"), settings.pop("shown"), settings.get("default")
    if not settings.get("required"):
        values = default if isinstance(default, list) else [default]
        text += f" (default: {shown or ' '.join(map(str, values))})"
    parser.add_argument(name, help=text.replace("%", "%%"), **settings)


def check_writable(path: Path) -> None:
    """Raise OSError unless a file can be written at a path; a folder that is missing is not made yet."""
    from alexnet.storage.files import check_replaceable

    check_replaceable(path)
    made = (folder for folder in path.absolute().parents if folder.exists() or folder.is_symlink())
    try:
        tempfile.TemporaryFile(dir=next(made)).close()
    except NotADirectoryError as error:
        raise OSError(f"cannot write {path}: what should be its folder is a file") from error
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}; choose another folder") from error


def check_appendable(path: Path) -> None:
    """Raise OSError unless a file can be made at a path or, where it is, be added to."""
    check_writable(path)
    try:
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}; choose another folder") from error


def check_results(path: Path | None, suffix: str, option: str) -> None:
    """Raise ValueError or OSError unless an option's results can be written to a file of this kind.

    A name that ends otherwise is refused: it may be the next argument, such as a network's, which the results
    would replace.

    Args:
        path: of the file; None, or ``STDOUT`` of --json: there is none.
        suffix: such as ".json".
        option: such as "--json".
    """
    if path is None or (path == STDOUT and option == "--json"):
        return
    if path.suffix != suffix:
        last = f"; to print them, put {option} last" if option == "--json" else ""
        raise ValueError(f"{option} writes results to a file that ends in {suffix}, got {path}{last}")
    check_writable(path)

"""Every command that the README, the chapters and the other pages name is one that the parser takes."""

import json
import re
import shlex
from pathlib import Path

import pytest

from alexnet.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), ROOT / "data" / "README.md", *ROOT.glob("book/*.md"), *ROOT.glob("book/*.ipynb")]
COMMAND = r"(?:torchrun {0}*-m )?alexnet ([a-z]{0}*)"
# In a line of its own, or in backquotes; torchrun before it or not.
PLACES = re.compile(f"(?m)^\\s*{COMMAND.format('.')}$|`{COMMAND.format('[^`]')}`")
STAND_INS = {
    "KIND": "imagenet",
    "NAME": "four-layer-lrn",
}  # for words that are to be replaced by one of a few


def prose(path: Path) -> str:
    """The text of a page, that of a notebook without code; lines that a backslash continues are joined."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return text.replace("\\\n", " ")


def commands() -> list[str]:
    found = [line or quoted for path in PAGES for line, quoted in PLACES.findall(prose(path))]
    words = [[STAND_INS.get(word, word) for word in shlex.split(text, comments=True)] for text in found]
    return sorted(set(map(shlex.join, words)))


@pytest.fixture(scope="module")
def parser():
    return build_parser(with_experiments=True)


def test_commands_are_found():
    assert {"train --net no-overlap", "data get cifar10", "predict runs/mine cat.jpg"} <= {*commands()}


@pytest.mark.parametrize("words", commands())
def test_a_command_that_a_page_names_parses(words, parser, capsys):
    try:
        assert callable(parser.parse_args(shlex.split(words)).run)
    except SystemExit:  # a command by its name alone
        said = capsys.readouterr().err
        assert "the following arguments are required" in said and "--" not in words, said

"""Every command that the README, the chapters and the other pages name is one that the parser takes."""

import argparse
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
    except SystemExit:
        said = capsys.readouterr().err
        assert "the following arguments are required" in said and is_name(parser, shlex.split(words)), said


def is_name(parser, words):
    """Whether words name a command, or one of its kinds, as a sentence about it does: no value, no option."""
    for word in words:
        action = next((a for a in parser._actions if a.choices and word in a.choices), None)
        if action is None:
            return False
        if isinstance(action, argparse._SubParsersAction):
            parser = action.choices[word]
    return True


def test_a_name_is_told_from_a_command_that_lacks_something(parser):
    named = ["train", "data prepare imagenet"]
    assert all(is_name(parser, words.split()) for words in named)
    others = ["train --net", "predict cat.jpg", "data prepare imagenet ."]
    assert not any(is_name(parser, words.split()) for words in others)

"""Pages, docstrings and help use the words of the field, which readers know and search for."""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alexnet.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
TERMS = {  # a word: the term that readers know and search for
    "pictures?": "image",
    "nets?": "network",
    "by heart": "memorise, overfit",
    "first weights?": "initial weights",
    "errs": "misclassifies",
    "(?:is|are) wrong on": "misclassifies",
    "slopes?": "derivative",
    "seams?": "border, halo",
    "kernel banks?": "kernels",
    "share of": "fraction of",
    "grey levels?": "pixel values",
    "colour noise": "PCA colour augmentation",
    "(?<!horizontal )reflections?": "horizontal flip; the paper says horizontal reflection",
    "ten views": "ten crops, ten-crop evaluation",
    "(?:not|no longer) a number": "NaN, non-finite",
    "shall": "is to, must",
    "other way about": "vice versa",
}
# Neither an option, an attribute, a call nor an assignment.
WORD = re.compile(rf"(?<![\w-])({'|'.join(TERMS)})(?![\w-]|\.\w|\(|\s*=)", re.IGNORECASE)
NOT_WORDS = re.compile(
    r"(`+)[^`].*?\1"  # code
    r"|\$\$.*?\$\$|\$[^$\n]*\$"  # formulas
    r"|\]\([^)]*\)|<[^>]*>"  # addresses of links, tags of HTML
    r"|^\s*\**\w+: ",  # the name of an argument
    re.DOTALL | re.MULTILINE,
)
ALLOWED = {  # a text and a word: why it may stand there
    ("book/03-relu-against-tanh.ipynb", "picture"): "the situation, not an image",
    ("book/05-two-gpus.ipynb", "seam"): "the chapter defines it, and so does the glossary",
    ("book/06-local-response-normalisation.ipynb", "seam"): "as defined in chapter 5, linked to the glossary",
    ("book/09-augmentation.ipynb", "colour noise"): "the name in the code of 2012",
    ("book/09-augmentation.ipynb", "reflection"): "the operation under which labels change or not",
    ("book/11-learning.ipynb", "not a number"): "spells NaN out",
}


def words(text: str) -> set[str]:
    """The words of a text that stand for a term; code, formulas and addresses are left out."""
    return {match[1].lower() for match in WORD.finditer(NOT_WORDS.sub(" ", text))}


def pages() -> Iterator[tuple[str, str]]:
    """The chapters' Markdown and the pages that are written by hand, each with its name."""
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        yield f"book/{path.name}", "\n\n".join(prose)
    names = ("README.md", "DEVIATIONS.md", "CONTRIBUTING.md", "data/README.md")
    for path in [*(ROOT / name for name in names), *sorted((ROOT / "book").glob("*.md"))]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def docstrings() -> Iterator[tuple[str, str]]:
    """The docstrings of each module of the package, with its path."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for path in sorted((ROOT / "alexnet").rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
        yield path.relative_to(ROOT).as_posix(), "\n\n".join(found)


def helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it, with its name."""
    yield parser.prog, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from helps(below)


TEXTS = {
    "pages": pages,
    "docstrings": docstrings,
    "help": lambda: helps(build_parser(with_experiments=False)),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_use_the_words_of_the_field(kind):
    found = [(name, word) for name, text in TEXTS[kind]() for word in sorted(words(text))]
    bad = [(name, word) for name, word in found if (name, word) not in ALLOWED]
    assert bad == [], f"see TERMS in {Path(__file__).name} for the terms"


def test_words_are_found_in_prose_and_not_in_code():
    assert words("The Net errs; its first\nweights shall not") == {"net", "errs", "shall"}
    assert words("learned by heart: the loss is not a number") == {"by heart", "not a number"}
    assert (
        words(
            "`net`, net.conv1, net = f(), --net, [figure](net.png), ``net``, a network\n    net: the network"
        )
        == set()
    )

"""Pages, docstrings, help, figures, messages and records use the field's words, which readers search for."""

import argparse
import ast
import functools
import json
import re
from collections.abc import Iterable, Iterator
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
# Of labels, captions and messages too, where a word has one sense: prose has more.
SHOWN_TERMS = TERMS | {
    "answers?": "prediction, output, activation",
    r"(?<!learning )(?<!error )rates? (?:of )?[\d{]": "learning rate",
    "the rate": "learning rate",
    "shares|this share": "fractions",
    "2012 code": "the code of 2012",
    "(?<!feature )maps": "feature maps",
    "excites?": "activates",
}


def pattern(terms: Iterable[str]) -> re.Pattern[str]:
    """Find words that are neither an option, an attribute, a call nor an assignment."""
    return re.compile(rf"(?<![\w-])({'|'.join(terms)})(?![\w-]|\.\w|\(|\s*=)", re.IGNORECASE)


WORD, SHOWN_WORD = pattern(TERMS), pattern(SHOWN_TERMS)
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
    ("alexnet/experiments/evidence.py", "answers"): "the name of a program, tools.answers",
    ("book/11-learning.ipynb", "not a number"): "spells NaN out",
}


def words(text: str, word: re.Pattern[str] = WORD) -> set[str]:
    """The words of a text that stand for a term; code, formulas and addresses are left out."""
    return {match[1].lower() for match in word.finditer(NOT_WORDS.sub(" ", text))}


def pages() -> Iterator[tuple[str, str]]:
    """The chapters' Markdown and the pages that are written by hand, each with its name."""
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        yield f"book/{path.name}", "\n\n".join(prose)
    names = ("README.md", "DEVIATIONS.md", "CONTRIBUTING.md", "data/README.md")
    for path in [*(ROOT / name for name in names), *sorted((ROOT / "book").glob("*.md"))]:
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


parsed = functools.cache(ast.parse)  # the package's code is read for two tests


def docstrings() -> Iterator[tuple[str, str]]:
    """The docstrings of each module of the package, with its path."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for path in sorted((ROOT / "alexnet").rglob("*.py")):
        nodes = ast.walk(parsed(path.read_text(encoding="utf-8")))
        found = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
        yield path.relative_to(ROOT).as_posix(), "\n\n".join(found)


def helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it, with its name."""
    yield parser.prog, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from helps(below)


def strings(source: str) -> Iterator[str]:
    """The texts of some code that have more than one word, without its docstrings."""
    tree = parsed(source)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node)]
    left_out = {node.value for node in docs if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out.update(node.values)
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and node not in left_out and " " in str(node.value).strip():
            yield str(node.value)


def shown() -> Iterator[tuple[str, str]]:
    """What figures, tables and messages say: the texts in the package, the tools and the chapters' code."""
    for path in sorted(path for folder in ("alexnet", "tools") for path in (ROOT / folder).rglob("*.py")):
        for text in strings(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT).as_posix(), text
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for text in strings("".join(cell["source"])) if cell["cell_type"] == "code" else ():
                yield f"book/{path.name}", text
    for path in sorted((ROOT / "alexnet").rglob("*.js")):
        quoted = re.findall(r'"([^"\n]*)"', path.read_text(encoding="utf-8"))
        yield path.relative_to(ROOT).as_posix(), "\n".join(text for text in quoted if " " in text.strip())


def scales() -> Iterator[tuple[str, str]]:
    """What each record says of its scale."""
    for path in sorted((ROOT / "data" / "records").glob("*.json")):
        yield f"data/records/{path.name}", json.loads(path.read_text(encoding="utf-8"))["scale"]


TEXTS = {
    "pages": (pages, WORD),
    "docstrings": (docstrings, WORD),
    "help": (lambda: helps(build_parser(with_experiments=False)), WORD),
    "shown": (shown, SHOWN_WORD),
    "scales": (scales, SHOWN_WORD),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXTS)
def test_texts_use_the_words_of_the_field(kind):
    texts, looked_for = TEXTS[kind]
    found = [(name, word) for name, text in texts() for word in sorted(words(text, looked_for))]
    bad = [(name, word) for name, word in found if (name, word) not in ALLOWED]
    assert bad == [], f"see TERMS in {Path(__file__).name} for the terms"


def test_texts_are_found_in_code_and_not_in_its_docstrings():
    code = '''"""The net."""
def f(n):
    """Learn the net by heart."""
    return label("rate 0.1 of", f"at rate {n}" " and shares", x["net"])'''
    assert sorted(strings(code)) == ["at rate {} and shares", "rate 0.1 of"]
    assert words("at rate {} and shares", SHOWN_WORD) == {"rate {", "shares"}
    assert words("learning rate 0.1, an error rate of {}, feature maps", SHOWN_WORD) == set()


def test_words_are_found_in_prose_and_not_in_code():
    assert words("The Net errs; its first\nweights shall not") == {"net", "errs", "shall"}
    assert words("learned by heart: the loss is not a number") == {"by heart", "not a number"}
    assert (
        words(
            "`net`, net.conv1, net = f(), --net, [figure](net.png), ``net``, a network\n    net: the network"
        )
        == set()
    )

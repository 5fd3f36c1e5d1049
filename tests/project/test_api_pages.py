"""Every module of the package is on a page or left out for a reason; names lead to their entries."""

import ast
import copy
import io
import re
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Parser
from docutils.utils import new_document
from sphinx.ext.napoleon import Config, GoogleDocstring
from test_flow import FLOORS

import alexnet.figures
import alexnet.functional.lrn
from tools.api_names import drop, entries, meant, plain, skip

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "alexnet"
NAPOLEON = Config(napoleon_use_ivar=True, napoleon_use_rtype=False)
SETTINGS = get_default_settings(Parser)
SERVING = "serves other modules, whose entries say what it does"
LEFT_OUT = {  # a module, or a folder for all in it: why it is on no page
    "__main__": "starts the command",
    "cli": "the commands explain themselves: alexnet --help",
    "bars": SERVING,
    "checks": SERVING,
    "shown": SERVING,
    "data.archives": SERVING,
    "data.catalogue": SERVING,
    "data.download": SERVING,
    "data.fingerprint": SERVING,
    "data.formats": SERVING,
    "data.ilsvrc": SERVING,
    "data.images": SERVING,
    "data.prepare": "one command, alexnet data prepare, which explains itself",
    "data.prepared": SERVING,
    "data.splits": SERVING,
    "data.stored": SERVING,
    "data.walk": SERVING,
    "distributed.ranks": SERVING,
    "models.blocks": SERVING,
    "experiments": "commands that explain themselves; the probes and the ledger are on a page",
    "figures": "each draws one figure; the page has the house style and the sliders",
    "storage": SERVING,
    "training": "the package offers on its page what a notebook needs; the modules serve that",
}


def modules() -> set[str]:
    """Every module of the package, without "alexnet."; the package itself is empty."""
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return {".".join(path.parts).removesuffix("__init__").rstrip(".") for path in paths}


def on_pages() -> list[str]:
    """The modules whose docstrings the pages show."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("package*.md"))
    found = [name for text in texts for name in re.findall(r"automodule:: alexnet(\S*)", text)]
    return [name.lstrip(".") for name in found]


def test_every_module_is_on_a_page_or_left_out_for_a_reason():
    named = on_pages()
    assert len(named) == len(set(named))
    assert set(named) <= modules(), "a page names a module that is not there"
    missing = {name for name in modules() - set(named) if not covers(LEFT_OUT, name)}
    assert not missing, f"name {sorted(missing)} on a page book/package-*.md, or in LEFT_OUT with the reason"


def covers(names, module):
    return any(module == name or module.startswith(f"{name}.") for name in names)


def test_nothing_is_left_out_that_is_gone_or_on_a_page():
    there, named = modules(), set(on_pages())
    assert [name for name in LEFT_OUT if not {m for m in there - named if covers([name], m)}] == []


def test_the_contents_name_the_modules_of_each_page():
    text = (ROOT / "book" / "package.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   alexnet\.(\S+)$", text, re.MULTILINE)
    assert [name for name in listed if name in modules()] == [
        name
        for page in re.findall(r"\]\((package-[a-z]+\.md)\)$", text, re.MULTILINE)
        for name in re.findall(
            r"automodule:: alexnet\.(\S+)", (ROOT / "book" / page).read_text(encoding="utf-8")
        )
    ]
    offered = {name for name in alexnet.__all__ if not name.isupper()}
    offered -= {"__version__", *alexnet.SUBPACKAGES}
    assert not offered - set(listed), "book/package.md lists what `import alexnet` offers"


def docstrings():
    """Yield the place of every docstring of the package with its text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                place = f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'name', '')}"
                yield place, ast.get_docstring(node)


def trouble(text: str) -> str:
    """Return what is not reStructuredText in a docstring; nothing if it is."""
    settings = copy.copy(SETTINGS)
    settings.warning_stream, settings.report_level = io.StringIO(), 2
    tree = new_document("docstring", settings)
    Parser().parse(str(GoogleDocstring(text, NAPOLEON)), tree)
    if list(tree.findall(nodes.block_quote)):
        return "an indented block is a quotation unless the paragraph above it ends in two colons"
    nowhere = [*tree.refnames, *(node.astext() for node in tree.findall(nodes.substitution_reference))]
    return f"{nowhere} would be links" if nowhere else settings.warning_stream.getvalue()


@pytest.mark.slow
def test_docstrings_are_restructured_text():
    """The book is built of them with warnings as errors; this names what is wrong in a moment."""
    found = {place: trouble(text) for place, text in docstrings()}
    assert len(found) > 500
    assert {place: said for place, said in found.items() if said} == {}


def test_what_is_not_restructured_text_is_named():
    assert trouble("Good, ``*`` too.\n\n::\n\n    code *\n\nArgs:\n    a: one.\nReturns:\n    two.") == ""
    assert "Inline emphasis" in trouble('Such as "without-*".')
    assert "tanh" in trouble("Return |tanh(x)|.")
    assert "two colons" in trouble("A formula.\n\n    y = x")


def parameters(function: ast.FunctionDef) -> list[str]:
    """The parameters of a function, in their order, with the stars of those that gather others."""
    given = function.args
    several = [f"*{given.vararg.arg}"] if given.vararg else []
    keywords = [f"**{given.kwarg.arg}"] if given.kwarg else []
    plain = [argument.arg for argument in given.posonlyargs + given.args]
    return plain + several + [argument.arg for argument in given.kwonlyargs] + keywords


def misdescribed(source: str) -> Iterator[str]:
    """Name functions that describe parameters which they do not have, twice, or in another order."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            section = (ast.get_docstring(node) or "").partition("\nArgs:\n")[2]
            described = re.findall(r"^    ([^ :]+):", re.split(r"^\w", section, flags=re.MULTILINE)[0], re.M)
            if described != [name for name in parameters(node) if name in described]:
                yield f"{node.name} describes {described}"


def test_parameters_are_described_once_and_in_their_order():
    """That none is forgotten, ruff sees to (D417)."""
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [f"{path}: {said}" for path, text in texts.items() for said in misdescribed(text)] == []


@pytest.mark.parametrize("described", ["b: two.\n    a: one.", "a: x.\n    a: x.", "c: x.", "e: x."])
def test_what_is_misdescribed_is_named(described):
    source = (
        'def f(a, *d, b, **e):\n    """Do.\n\n    Args:\n        {}\n    Returns:\n        a: b.\n    """'
    )
    assert list(misdescribed(source.format(described.replace("    ", "        "))))
    right = "a: x.\n        *d: x.\n        b: x.\n        **e: x."
    assert not list(misdescribed(source.format(right)))


def test_the_map_shows_the_floors_that_imports_keep_to():
    text = (ROOT / "book" / "package-map.md").read_text(encoding="utf-8")
    rows = re.findall(r"<li>(.*?)</li>", text, re.DOTALL)
    drawn = [set(re.findall(r"<(?:a|b)\b[^>]*>(\w+)<", row)) for row in rows]
    assert drawn == [set(floor.split()) for floor in reversed(FLOORS)], "book/package-map.md draws FLOORS"


def test_the_map_names_what_is_there():
    text = (ROOT / "book" / "package-map.md").read_text(encoding="utf-8")
    names = re.findall(r"\{py:obj\}`(?:[^<`]*<)?([\w.]+)>?`", text)
    assert len(names) > 15
    assert [name for name in names if meant(name) is None] == []


def test_names_mean_objects_of_the_package_alone():
    assert meant("alexnet.functional.local_response_norm") is alexnet.functional.lrn.local_response_norm
    assert meant("alexnet.functional.lrn") is alexnet.functional.lrn
    assert [
        meant(name) for name in ("alexnet.functional.nothing", "os.path", "alexnet train", "alexnet.")
    ] == [None] * 4


def test_entries_are_found_by_what_they_mean():
    domain = namedtuple("Domain", "objects")(
        ("alexnet.functional.lrn.local_response_norm", "alexnet.paper.LRN_N")
    )
    assert entries(domain) == {id(alexnet.functional.local_response_norm): domain.objects[0]}


def test_what_python_says_of_tuples_and_factories_is_left_out():
    pair = namedtuple("Pair", "one")
    assert skip(None, "class", "one", pair.one, False, None) is True
    assert skip(None, "class", "relu", alexnet.functional.relu, False, None) is None
    lines = ["Two.", "", "Create new instance of Pair(one)"]
    drop(None, "class", "Pair", pair, None, lines)
    assert lines == ["Two.", ""]
    assert plain(None, "class", "P", pair, None, "(a: list = <factory>)", None) == ("(a: list = ...)", None)
    assert plain(None, "module", "m", pair, None, None, None) == (None, None)

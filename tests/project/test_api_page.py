"""The pages on the package are those that the docstrings give, leave nothing out and lead somewhere."""

import re

import pytest

from tools.api_page import BOOK, LEFT_OUT, PARTS, ROOT, fence, pages, read_module
from tools.docstrings import Links, label_of, markdown, summary

SOURCE = '''"""Sizes. And more."""

from typing import NamedTuple

SIZE = 3  # pixels
TABLE = {
    "a": 1,
}
_HIDDEN = 4


class Box(NamedTuple):
    """A box.

    Attributes:
        side: in pixels.
    """

    side: int = 2

    @property
    def area(self) -> int:
        """Its area."""
        return self.side**2

    def bare(self):
        pass


class Walker(Box):
    """Walks."""

    def __init__(self, *steps: int, slow=False):
        """Take the steps."""


def short(a, /, b: int, *, c: str = "x", **rest) -> tuple[int, int]:
    """Be short."""


def long(height: int, width: int, size: int, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> str:
    """Be long."""


def _hidden():
    """Stay hidden."""
'''


@pytest.fixture(scope="module")
def written():
    """The pages as the docstrings give them now."""
    return pages(ROOT / "alexnet")


@pytest.fixture
def sizes(tmp_path):
    """What is read of a package of one module."""
    (tmp_path / "sizes.py").write_text(SOURCE, encoding="utf-8")
    return read_module("sizes", tmp_path)


def blocks(doc, links=None):
    return list(markdown(doc, "alexnet.here", links or Links()))


def test_the_pages_are_what_the_docstrings_give(written):
    assert {path.name for path in BOOK.glob("package*.md")} == written.keys()
    stale = [file for file, text in written.items() if (BOOK / file).read_text(encoding="utf-8") != text]
    assert not stale, f"{', '.join(stale)}: stale, run `python3 -m tools.api_page`"


def test_every_module_is_on_a_page_or_left_out_by_name():
    named = {name for _, names in PARTS.values() for name in names}
    folder = ROOT / "alexnet"
    for path in folder.rglob("*.py"):
        name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        assert name in named or name.split(".")[0] in LEFT_OUT, f"{name} is in neither PARTS nor LEFT_OUT"


def test_every_link_between_the_pages_has_one_target(written):
    text = "\n".join(written.values())
    labels = re.findall(r"^\((api-[a-z0-9-]+)\)=$", text, re.MULTILINE)
    assert len(labels) == len(set(labels)) > 250
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= set(labels)


def test_public_names_alone_are_read(sizes):
    assert [item.name for item in sizes.items] == ["Box", "Walker", "short", "long"]
    assert [method.name for method in sizes.items[0].methods] == ["Box.area"]


def test_what_a_package_offers_is_read_from_where_it_is_defined(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "store.py").write_text('def load():\n    """Load."""\n\ndef other(): ...\n')
    (tmp_path / "data" / "__init__.py").write_text(
        '"""Data."""\nfrom alexnet.data.store import load, other\n__all__ = ["load"]\n'
    )
    (item,) = read_module("data", tmp_path).items
    assert (item.module, item.name, item.doc) == ("alexnet.data", "load", "Load.")
    assert item.label == "api-data-load"


def test_signatures(sizes):
    box, walker, short, long = sizes.items
    assert box.signature == ["class Box(NamedTuple):", "    side: int = 2"]
    assert walker.signature == ["class Walker(Box):", "    def __init__(self, *steps: int, slow=False)"]
    assert walker.doc == "Walks.\n\nTake the steps."
    assert short.signature == ['def short(a, /, b: int, *, c: str = "x", **rest) -> tuple[int, int]']
    assert long.signature[0] == "def long("
    assert long.signature[-3:] == [
        "    stride: int = 1,",
        "    padding: tuple[int, int] = (0, 0),",
        ") -> str",
    ]
    assert box.methods[0].signature == ["@property", "def area(self) -> int"]
    assert fence(["x"]) == "```python\nx\n```"


def test_constants(sizes):
    assert sizes.constants == ["SIZE = 3", "TABLE = { ..."]


def test_a_class_and_a_function_that_differ_in_case_have_two_labels(sizes):
    assert sizes.items[0].label == "api-sizes-box-class"
    assert sizes.items[2].label == "api-sizes-short"
    assert label_of("alexnet.functional.conv") == "api-functional-conv"


def test_a_missing_module_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.py"):
        read_module("nothing", tmp_path)


def test_prose_and_formulas():
    doc = "Sum\nit.\n\n    y = sum * x\n\n      + b\n\nAnd so\non:\n\n* one\n  more\n* two\n"
    assert blocks(doc) == [
        "Sum it.",
        "```text\ny = sum * x\n\n  + b\n```",
        "And so on:",
        "* one more\n* two",
    ]


def test_sections():
    doc = "Do.\n\nArgs:\n    a, b: numbers,\n        whole.\n    c: one. d: two.\n"
    doc += "Returns:\n    (N, C).\nRaises:\n    ValueError: no."
    assert blocks(doc) == [
        "Do.",
        "**Args**",
        "* `a, b`: numbers, whole.\n* `c`: one. d: two.",
        "**Returns** (N, C).",
        "**Raises**",
        "* `ValueError`: no.",
    ]


def test_signs_of_markdown_are_text_outside_code():
    assert blocks("v * w_i <x> [1] $2 {3} ``a_*``") == [r"v \* w\_i \<x\> \[1\] \$2 \{3\} `a_*`"]


def test_known_names_become_links():
    links = Links({"alexnet.here.crop": "api-here-crop", "alexnet.paper": "api-paper"})
    assert blocks("``crop``, ``alexnet.paper``, ``here.crop``, ``paper``", links) == [
        "[`crop`](#api-here-crop), [`alexnet.paper`](#api-paper), [`here.crop`](#api-here-crop), `paper`"
    ]


def test_a_summary_is_the_first_sentence():
    assert summary("One of\n1.5 points (paper 3.3). Two.\n\nThree.") == "One of 1.5 points (paper 3.3)."

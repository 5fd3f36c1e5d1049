"""The glossary is in order and leads to the chapters; the notation's numbers are those of the package."""

import re
from pathlib import Path

from alexnet import paper
from alexnet.models.architecture import list_layers
from alexnet.recipes import DIFFERENCES, PAPER

BOOK = Path(__file__).resolve().parents[2] / "book"
NOTATION = (BOOK / "notation.md").read_text(encoding="utf-8")


def entries():
    """The terms of the glossary with their explanations."""
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    body = re.search(r"```\{glossary\}\n(.*)\n```", text, re.DOTALL)[1]
    return dict(entry.split("\n", 1) for entry in body.split("\n\n"))


def rows(width):
    """The cells of every row of the tables with so many columns."""
    lines = [line for line in NOTATION.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == width]


def test_terms_are_in_order_and_few():
    terms = list(entries())
    assert terms == sorted(terms, key=str.lower)
    assert 50 <= len(terms) <= 100


def test_each_term_ends_with_its_chapter():
    for term, text in entries().items():
        found = re.search(r"See\s+\[chapter (\d+)\]\((\d\d)-[a-z0-9-]+\.ipynb\)\.$", text)
        assert found and int(found[1]) == int(found[2]), term


def test_values_are_those_of_the_paper():
    found = re.findall(r"([\d.]+) \(`paper\.([A-Z_]+)`\)", NOTATION)
    assert len(found) == NOTATION.count("`paper.") == 12
    for value, name in found:
        assert float(value) == getattr(paper, name), name


def test_layers_and_their_sizes_are_those_of_the_net():
    layers = list_layers(PAPER.net)
    named = {layer.name for layer in layers}
    sizes = {row[0]: row[2] for row in rows(3) if row[0] in named}
    assert list(sizes) == [layer.name for layer in layers]
    for layer in layers:
        side = f"{layer.out_size} × {layer.out_size} × " if layer.kind != "dense" else ""
        assert sizes[layer.name] == f"{side}{layer.out_channels}"


def test_the_recipes_differ_as_the_table_says():
    found = [row[:4] for row in rows(5) if re.fullmatch(r"D\d+", row[0])]
    assert found == [
        [d.id, f"`{d.field}`", f"`{getattr(getattr(PAPER, d.part), d.field)!r}`", f"`{d.code!r}`"]
        for d in DIFFERENCES
    ]

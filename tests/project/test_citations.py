"""Chapters cite in plain links, which agree with book/references.bib."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("pybtex")

from pybtex.database import parse_file, parse_string

from tools import citations

BIBLIOGRAPHY = parse_file(citations.BIBLIOGRAPHY)
CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("[0-9][0-9]-*.ipynb"))
MADE = parse_string(
    r"""
    @misc{one1999, author = {Van Gool, Luc}, year = {1999}, url = {https://example.org/a}}
    @misc{two2001, author = {Cire{\c{s}}an, Dan and M{\"u}ller, K.}, year = {2001}, eprint = {1202.2745}}
    @misc{more2012, author = {Fei-Fei, Li and B, C. and D, E.}, year = {2012}, doi = {10.1/x}, eprint = {1}}
    """,
    "bibtex",
)
NOWHERE = parse_string("@misc{none2000, author = {A, B.}, year = {2000}}", "bibtex").entries["none2000"]


def read_markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_cites_as_the_bibliography_has_it(path):
    assert list(citations.problems(read_markdown(path), BIBLIOGRAPHY)) == []


def test_every_entry_has_an_address_of_its_own_and_many_are_cited():
    addresses = {citations.address(entry): key for key, entry in BIBLIOGRAPHY.entries.items()}
    assert len(addresses) == len(BIBLIOGRAPHY.entries)
    found = [
        addresses[target]
        for path in CHAPTERS
        for words, target in citations.LINK.findall(read_markdown(path))
        if citations.ENDS_IN_YEAR.search(words)
    ]
    assert len(found) >= 80 and len(set(found)) >= 35


def test_names_and_year_are_those_of_the_entry():
    one, two, more = MADE.entries.values()
    assert citations.in_sentence(one) == "[Van Gool (1999)](https://example.org/a)"
    assert citations.in_sentence(two) == "[Cireşan and Müller (2001)](https://arxiv.org/abs/1202.2745)"
    assert citations.in_brackets(more) == "([Fei-Fei et al., 2012](https://doi.org/10.1/x))"
    both = citations.in_brackets(one, more)
    assert both == "([Van Gool, 1999](https://example.org/a); [Fei-Fei et al., 2012](https://doi.org/10.1/x))"
    with pytest.raises(ValueError, match="none2000 has neither doi nor eprint nor url"):
        citations.address(NOWHERE)


@pytest.mark.parametrize(
    "wrong",
    [
        "[Van Gool (1998)](https://example.org/a)",
        "[Gool (1999)](https://example.org/a)",
        "[Van Gool et al., 1999](https://example.org/a)",
        "[Van Gool (1999)](https://example.org/b)",
    ],
)
def test_a_citation_that_disagrees_is_named(wrong):
    good = "[Van\nGool (1999)](https://example.org/a), [the code](https://example.org/2012), "
    assert list(citations.problems(good, MADE)) == []
    (found,) = citations.problems(good + wrong, MADE)
    assert found.startswith(f"{wrong} should be ")


def test_the_command_prints_both_forms_or_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["citations", "nair2010"])
    assert citations.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("]")[0] for line in lines] == [
        "[Nair and Hinton (2010)",
        "([Nair and Hinton, 2010",
    ]
    monkeypatch.setattr(sys, "argv", ["citations", "nobody1900", "nair2010"])
    assert citations.main() == 1
    assert "references.bib has no entry nobody1900" in capsys.readouterr().err

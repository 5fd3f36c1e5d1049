"""Figures and equations carry their numbers, in order, and the text links to those that there are."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]-*.ipynb"))
NUMBER_OF = {path.name: int(path.name[:2]) for path in CHAPTERS}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
EQUATION = re.compile(r'<div id="(equation-\d+-\d+)">\n\n\$\$((?:(?!\$\$).)*)\$\$\n\n</div>', re.DOTALL)
MENTION = re.compile(r"\bfigure\s+\d+\.\d+|\bequation\s+\(?\d+\.\d+\)?", re.IGNORECASE)


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def read_markdown(path):
    """All text that a chapter's author wrote outside code."""
    return "\n\n".join("".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown")


def list_figures(path):
    """The HTML of a chapter's stored figures in order; one that shows others inside counts once."""
    found = []
    for cell in cells(path):
        for output in cell.get("outputs", []):
            content = "".join(output.get("data", {}).get("text/html", ""))
            if 'class="alexnet-figure"' in content:
                found.append(content)
    return found


def list_anchors(path):
    """Where links into a chapter may end."""
    figures = (re.search(r' id="([^"]*)"', content) for content in list_figures(path))
    return {match[1] for match in figures if match} | {
        name for name, _ in EQUATION.findall(read_markdown(path))
    }


def named_by(words):
    """The anchor that belongs to a mention: "figure 6.2" and "equation (6.2)" have one each."""
    kind, number = words.lower().split()
    return f"{kind}-{number.strip('()').replace('.', '-')}"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_figures_carry_their_numbers_in_order(path):
    for count, content in enumerate(list_figures(path), 1):
        number = f"{NUMBER_OF[path.name]}.{count}"
        assert content.startswith(f'<figure class="alexnet-figure" id="{named_by(f"figure {number}")}" ')
        (caption,) = re.findall(r"<figcaption[^>]*><b>Figure ([\d.]+)\.</b> ", content)
        assert caption == number


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_equations_carry_their_numbers_in_order(path):
    text = read_markdown(path)
    found = EQUATION.findall(text)
    for count, (name, formula) in enumerate(found, 1):
        number = f"{NUMBER_OF[path.name]}.{count}"
        assert (name, re.findall(r"\\tag\{(.*?)\}", formula)) == (named_by(f"equation {number}"), [number])
        # Sphinx puts "split" around a formula with \\, in which MathJax refuses a \tag; \cr does the same.
        assert "\\\\" not in formula
    assert text.count("\\tag{") == text.count('id="equation-') == len(found)


def test_every_equation_with_a_number_is_referred_to():
    links = {anchor for path in CHAPTERS for _, _, anchor in LINK.findall(read_markdown(path))}
    numbered = {name for path in CHAPTERS for name, _ in EQUATION.findall(read_markdown(path))}
    assert len(numbered) >= 10 and numbered <= links


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_mentions_of_figures_and_equations_are_links_to_them(path):
    text = read_markdown(path)
    assert MENTION.findall(LINK.sub("", text)) == []
    for words, file, anchor in LINK.findall(text):
        if MENTION.fullmatch(words):
            assert anchor == named_by(words), words
            assert anchor in list_anchors(path.with_name(file) if file else path), words


def test_links_between_chapters_end_on_pages_of_the_book():
    pages = set(re.findall(r"(?:file|root): (\S+)", (BOOK / "_toc.yml").read_text(encoding="utf-8")))
    links = [
        (path.name, file) for path in CHAPTERS for _, file, _ in LINK.findall(read_markdown(path)) if file
    ]
    assert len(links) >= 100
    assert [(name, file) for name, file in links if file.rpartition(".")[0] not in pages] == []
    assert all((BOOK / file).is_file() for _, file in links)

"""Figures and equations have numbers on the page, and the text refers to those that there are."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
STYLES = (BOOK / "_assets" / "book.css").read_text(encoding="utf-8")
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]-*.ipynb"))


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def text_of(path):
    """All text that a chapter's author wrote outside code."""
    return "\n".join("".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown")


def figures_of(path):
    """The HTML of a chapter's stored figures in order; one that shows others inside counts once."""
    found = []
    for cell in cells(path):
        for output in cell.get("outputs", []):
            content = "".join(output.get("data", {}).get("text/html", ""))
            if 'class="alexnet-figure"' in content:
                found.append(content)
    return found


def test_every_chapter_has_its_number_in_the_style_sheet():
    make_id = pytest.importorskip("docutils.nodes").make_id
    numbers = dict(re.findall(r'^section#([a-z0-9-]+) \{ --chapter: "(\d+)"; \}$', STYLES, re.MULTILINE))
    expected = {}
    for path in CHAPTERS:
        title = text_of(path).splitlines()[0].removeprefix("# ")
        expected[make_id(title)] = str(int(path.name[:2]))
        assert title.startswith(f"{int(path.name[:2])}. ")
    assert numbers == expected and len(numbers) == 16


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_figure_has_a_caption_which_carries_its_number(path):
    for number, content in enumerate(figures_of(path), 1):
        # An interactive figure has one of its own, beside those of what it shows.
        own = 'data-part="caption"' if "data-explore" in content else "<figcaption"
        assert own in content, f"figure {int(path.name[:2])}.{number} has no caption"


def test_every_figure_that_the_text_names_is_there():
    counts = {int(path.name[:2]): len(figures_of(path)) for path in CHAPTERS}
    named = [
        (path.name, int(chapter), int(number))
        for path in CHAPTERS
        for chapter, number in re.findall(r"\b[Ff]igure (\d+)\.(\d+)\b", text_of(path))
    ]
    assert len(named) >= 16
    for name, chapter, number in named:
        assert 1 <= number <= counts.get(chapter, 0), f"{name} names figure {chapter}.{number}"


def test_every_labelled_equation_is_referred_to_and_every_reference_has_its_equation():
    labels = {path.name: re.findall(r"\$\$ ?\(([a-z0-9-]+)\)", text_of(path)) for path in CHAPTERS}
    named = [label for path in CHAPTERS for label in re.findall(r"\{eq\}`([a-z0-9-]+)`", text_of(path))]
    defined = [label for found in labels.values() for label in found]
    assert len(defined) == len(set(defined)) >= 10
    assert set(named) == set(defined)

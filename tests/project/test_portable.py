"""Chapters as Jupyter shows them: no markup of the built page is left over in the text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

filters = pytest.importorskip("nbconvert.filters")

CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("*.ipynb"))
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
# A role or directive, its target, a label, a fence, a link or emphasis that was not recognised.
LEFT_OVER = re.compile(
    r"\{[\w:.+-]+\}|\(eq-[\w-]+\)|^\([\w-]+\)=|:::|```|^\+\+\+|\]\(|\[\^|\*\*|\$\$", re.MULTILINE
)


class Visible(HTMLParser):
    """The text of a piece of HTML that a reader sees as prose: not code, not scripts."""

    UNSEEN = ("code", "pre", "script", "style")

    def __init__(self, content: str):
        super().__init__()
        self.parts: list[str] = []
        self._inside = 0
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attributes):
        self._inside += tag in self.UNSEEN

    def handle_endtag(self, tag):
        self._inside -= tag in self.UNSEEN

    def handle_data(self, data):
        if not self._inside:
            self.parts.append(data)


def left_over(content):
    """Markup that stands in the text of a piece of HTML."""
    return LEFT_OVER.findall(FORMULA.sub("", "".join(Visible(content).parts)))


def shown_by(path):
    """Each piece of HTML that Jupyter makes of a notebook, with the number of its cell."""
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
        if cell["cell_type"] == "markdown":
            yield number, filters.markdown2html("".join(cell["source"]))
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            yield number, filters.markdown2html("".join(data.get("text/markdown", "")))
            yield number, "".join(data.get("text/html", ""))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_jupyter_shows_no_markup_of_the_page(path):
    found = {number: left for number, content in shown_by(path) if (left := left_over(content))}
    assert found == {}


@pytest.mark.parametrize(
    "raw",
    [
        "{cite:t}`lecun1998` trained one",
        "as known {cite:p}`lecun1989,lecun1998`.",
        "equation {eq}`eq-lrn`",
        "$$a = b$$ (eq-lrn)",
        "(a-place)=\n# Title",
        ":::{note}\nWords\n:::",
        "a\n\n+++\n\nb",
        "So it is.[^note]",
        "<details><summary>**a**</summary>\n\nWords\n\n</details>",
    ],
)
def test_what_only_the_page_understands_is_seen(raw):
    assert left_over(filters.markdown2html(raw))


def test_plain_markdown_leaves_nothing_over():
    good = "[Heeger (1992)](https://example.org), **bold**, $x_{ab}$, `{eq}`\n\n$$y \\tag{1.1}$$\n\n"
    assert left_over(filters.markdown2html(good + "```\n:::\n```\n")) == []

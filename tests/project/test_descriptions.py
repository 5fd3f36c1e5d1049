"""What a link to a page shows."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document
from PIL import Image

from tools import cover, descriptions
from tools.adopt import PLACEHOLDER


def page(*children: nodes.Node) -> nodes.document:
    document = new_document("page", get_default_settings())
    document += children
    return document


def paragraph(*parts: nodes.Node | str) -> nodes.paragraph:
    return nodes.paragraph("", "", *(nodes.Text(part) if isinstance(part, str) else part for part in parts))


def described(document: nodes.document | None, **context) -> str:
    class App:
        config = type("Config", (), {"html_title": "The book"})

    descriptions.describe(App, "page", "page.html", context, document)
    return context.get("metatags", "")


def test_a_page_is_described_by_its_first_paragraph_of_text():
    table = nodes.table("", paragraph("A cell."))
    first = paragraph("Two words,\nand ", nodes.emphasis("", '"more" & more'), ".")
    found = described(page(table, paragraph(""), first, paragraph("Second.")), title="<i>A</i> &amp; B")
    text = "Two words, and &quot;more&quot; &amp; more."
    assert f'<meta name="description" content="{text}">' in found
    assert f'<meta property="og:description" content="{text}">' in found
    assert '<meta property="og:title" content="A &amp; B">' in found
    assert '<meta property="og:site_name" content="The book">' in found


def test_a_chapter_is_described_by_its_question():
    line = paragraph(nodes.emphasis("", "Paper, section 1."))
    size = nodes.math("", r"224 \times 224")
    question = paragraph(nodes.strong("", "The question."), " Why ", size, "?")
    assert '="Why 224 × 224?"' in described(page(line, question), title="")


@pytest.mark.parametrize(
    ("repository", "pages"),
    [
        ("https://github.com/Some/their-copy", "https://some.github.io/their-copy"),
        ("https://github.com/some/some.github.io", "https://some.github.io"),
        (PLACEHOLDER, None),
    ],
)
def test_an_image_is_named_where_the_files_are_adopted(repository, pages, monkeypatch, tmp_path):
    monkeypatch.setattr(descriptions, "repository", lambda root: repository)
    found = described(page(paragraph("Text.")), title="A")
    image = f'<meta property="og:image" content="{pages}/_static/card.png">'
    assert (image in found) is (pages is not None) and "example.invalid" not in found
    assert ("og:image" in found) is (pages is not None)
    app = SimpleNamespace(
        outdir=tmp_path,
        builder=SimpleNamespace(format="html"),
        config=SimpleNamespace(html_title="AlexNet, executable"),
    )
    (tmp_path / "_static").mkdir()
    descriptions.write_card(app, RuntimeError())
    assert not (tmp_path / descriptions.CARD).exists()
    descriptions.write_card(app, None)
    assert (tmp_path / descriptions.CARD).exists() is (pages is not None)
    if pages:
        with Image.open(tmp_path / descriptions.CARD) as card:
            size = card.size
        assert re.findall(r'og:image:(?:width|height)" content="(\d+)"', found) == [
            str(side) for side in size
        ]


def test_a_card_has_the_title_above_the_kernels_and_wraps_its_text():
    short, long = (np.asarray(cover.draw_card("A title", "word " * count).convert("L")) for count in (3, 30))
    picture = np.asarray(cover.draw().convert("L"))
    left = (short.shape[1] - picture.shape[1]) // 2
    assert (short[-45 - len(picture) : -45, left:-left] == picture).all()
    assert (short[40:120] < 100).any() and (short[125:150] < 200).any()
    assert (short[160:190] == 255).all() and (long[160:190] < 200).any()
    assert (long[:, : left - 1] == 255).all() and (long[:180, -left + 2 :] == 255).all()


def test_what_a_page_says_of_itself_stays():
    assert described(page(paragraph("Text.")), title="", metatags="<meta>").startswith("<meta>")
    assert described(page(), title="x") == described(None, title="x") == ""


def test_a_long_paragraph_ends_with_a_sentence_or_a_word():
    assert descriptions.shortened("Short. " * 60) == ("Short. " * 28).strip()
    assert descriptions.shortened("Is it? " + "word " * 60) == "Is it?"
    assert descriptions.shortened("word " * 60).endswith("word …")
    assert len(descriptions.shortened("word " * 60)) <= descriptions.MOST + 2

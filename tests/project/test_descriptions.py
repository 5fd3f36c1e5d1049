"""What a link to a page shows."""

from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document

from tools import descriptions


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


def test_what_a_page_says_of_itself_stays():
    assert described(page(paragraph("Text.")), title="", metatags="<meta>").startswith("<meta>")
    assert described(page(), title="x") == described(None, title="x") == ""


def test_a_long_paragraph_ends_with_a_sentence_or_a_word():
    assert descriptions.shortened("Short. " * 60) == ("Short. " * 28).strip()
    assert descriptions.shortened("Is it? " + "word " * 60) == "Is it?"
    assert descriptions.shortened("word " * 60).endswith("word …")
    assert len(descriptions.shortened("word " * 60)) <= descriptions.MOST + 2

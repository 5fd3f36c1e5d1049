"""Sphinx extension: what a search engine, or a message with a link, shows of a page.

That is its title and its first paragraph; in a chapter the question, which follows a line in italics.
"""

import html
import re

from docutils import nodes

MOST = 200  # characters of a description
QUESTION = "The question. "
# What a paragraph may stand in and be none of the text.
ASIDE = (nodes.table, nodes.figure, nodes.Admonition, nodes.container, nodes.footnote)


def setup(app) -> dict[str, bool]:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def describe(app, name: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Put the tags into the head of a page that is made of text; the arguments are Sphinx's."""
    text = first_paragraph(doctree) if doctree is not None else ""
    if text:
        title = html.unescape(re.sub(r"<[^>]+>", "", context["title"]))
        context["metatags"] = context.get("metatags", "") + tags(title, text, site=app.config.html_title)


def first_paragraph(doctree: nodes.document) -> str:
    """Return the first paragraph of a page as plain text, at most as much as is shown; "" if it has none."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split()).removeprefix(QUESTION)
        is_in_italics = [type(child) for child in paragraph.children] == [nodes.emphasis]
        if text and not is_in_italics and not is_aside(paragraph):
            return shortened(text.replace(r"\times", "×").replace("\\", ""))  # no names of formulas
    return ""


def is_aside(node: nodes.Node) -> bool:
    """Return whether a node stands in a table, a figure or the like."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, ASIDE):
            return True
    return False


def shortened(text: str) -> str:
    """Return whole sentences of a text, or whole words where the first sentence is too long."""
    if len(text) <= MOST:
        return text
    sentences = re.match(r".*[.?!](?= )", text[: MOST + 1])
    return sentences[0] if sentences else text[:MOST].rpartition(" ")[0] + " …"


def tags(title: str, text: str, *, site: str) -> str:
    """Return the tags: the description, and Open Graph's.

    Args:
        title: of the page.
        text: the description.
        site: the title of the book.
    """
    graph = {"title": title, "description": text, "type": "article", "site_name": site}
    lines = [f'<meta name="description" content="{html.escape(text)}">']
    lines += [f'<meta property="og:{key}" content="{html.escape(value)}">' for key, value in graph.items()]
    return "\n".join(["", *lines, ""])

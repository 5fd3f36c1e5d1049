"""Sphinx extension: what a search engine, or a message with a link, shows of a page.

That is its title and its first paragraph; in a chapter the question, which follows a line in italics. Where
the files name the repository that publishes them, it is an image too, which needs an address with a host.
"""

import html
import re
import tomllib
from pathlib import Path

from docutils import nodes

from tools.adopt import PLACEHOLDER, repository

IMAGE = "The 96 kernels of a trained network's first layer below the title of the book"
MOST = 200  # characters of a description
ROOT = Path(__file__).resolve().parents[1]
CARD = "_static/card.png"
QUESTION = "The question. "
# What a paragraph may stand in and be none of the text.
ASIDE = (nodes.table, nodes.figure, nodes.Admonition, nodes.container, nodes.footnote)


def setup(app) -> dict[str, bool]:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_card)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def describe(app, name: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Put the tags into the head of a page that is made of text; the arguments are Sphinx's."""
    text = first_paragraph(doctree) if doctree is not None else ""
    if text:
        title = html.unescape(re.sub(r"<[^>]+>", "", context["title"]))
        found = tags(title, text, site=app.config.html_title, pages=published(repository(ROOT)))
        context["metatags"] = context.get("metatags", "") + found


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


def published(repository: str) -> str | None:
    """Return the address at which GitHub shows a repository's pages; None for one that nobody has adopted."""
    if repository == PLACEHOLDER:
        return None
    owner, name = repository.split("/")[-2:]
    host = f"https://{owner.lower()}.github.io"
    return host if name.lower() == f"{owner.lower()}.github.io" else f"{host}/{name}"


def write_card(app, exception: Exception | None) -> None:
    """Draw the image that the tags name; the arguments are Sphinx's."""
    if exception is not None or app.builder.format != "html" or published(repository(ROOT)) is None:
        return
    from tools.cover import draw_card  # PyTorch, which the tags do not need

    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"]
    text = described.removeprefix(f"{app.config.html_title}: ")
    draw_card(app.config.html_title, text[0].upper() + text[1:]).save(Path(app.outdir, CARD))


def tags(title: str, text: str, *, site: str, pages: str | None = None) -> str:
    """Return the tags: the description, and Open Graph's.

    Args:
        title: of the page.
        text: the description.
        site: the title of the book.
        pages: the address of the published pages; without it there is no image.
    """
    graph = {"title": title, "description": text, "type": "article", "site_name": site}
    if pages is not None:
        graph |= {
            "image": f"{pages}/{CARD}",
            "image:width": "1200",
            "image:height": "630",
            "image:alt": IMAGE,
        }
    lines = [f'<meta name="description" content="{html.escape(text)}">']
    lines += [f'<meta property="og:{key}" content="{html.escape(value)}">' for key, value in graph.items()]
    return "\n".join(["", *lines, ""])

"""Sphinx extension: what the theme and Sphinx leave to be mended in finished pages.

Scripts that a page does not use: the theme brings its icons twice, as a font and as a script of 1.5 MB that
draws them again; and every page loads the search with its index, which the page of results loads by itself
and the others would need only for results while one types, a setting that is off.

What a screen reader stumbles over: the side bar is no landmark, the button that unfolds a part of the list
of chapters has no name, the empty corner of a table is a heading, and the parameters of a long signature are
a list of descriptions that describe nothing; the works cited are a list without items.
"""

import re
from collections.abc import Callable
from pathlib import Path

ICONS = r"fontawesome\.js"
SEARCH = r"(?:searchtools|language_data|searchindex)\.js"
SCRIPT = r"""\s*<script\b[^>]*\bsrc=["'][^"']*\b{name}[^>]*></script>"""
LANDMARK = (
    '<div id="pst-primary-sidebar" class',
    '<div id="pst-primary-sidebar" role="region" aria-label="The book" class',
)
CORNER = ('<th class="head"><p></p></th>', "<td></td>")
UNFOLD = (
    '<summary><span class="toctree-toggle"',
    '<summary aria-label="Subpages"><span class="toctree-toggle"',
)
ENTRY = ('role="doc-biblioentry"', 'role="listitem"')  # the former is deprecated, and no item of a list
PARAMETERS = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*?</dd>\n)+)</dl>')
PARAMETER = re.compile(r"<dd>(.*?)</dd>\n")


def setup(app) -> dict[str, bool]:
    """Work on the pages when all of them are written."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def finish(app, exception: Exception | None) -> None:
    """Mend every page.

    Args:
        app: the application of Sphinx.
        exception: what ended the build, if anything did.
    """
    if exception is None and app.builder.format == "html":
        rewrite(Path(app.outdir), lambda page, text: mend(text, searches=page.name == "search.html"))


def rewrite(root: Path, change: Callable[[Path, str], str]) -> None:
    """Write each page below a folder anew where a function of its path and its text changes it."""
    for page in root.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        changed = change(page, text)
        if changed != text:
            page.write_text(changed, encoding="utf-8")


def mend(text: str, *, searches: bool = False) -> str:
    """Return a page as it should be.

    Args:
        text: the page's HTML.
        searches: it is the page of search results, which needs the search.
    """
    for name in [ICONS] if searches else [ICONS, SEARCH]:
        text = re.sub(SCRIPT.format(name=name), "", text)
    for old, new in (LANDMARK, CORNER, UNFOLD, ENTRY):
        text = text.replace(old, new)
    return PARAMETERS.sub(lambda found: list_parameters(found[1]), text)


def list_parameters(items: str) -> str:
    """Return parameters of a signature, one a line."""
    lines = PARAMETER.sub(r'<span class="sig-line">\1</span>' + "\n", items)
    return f'<span class="sig-lines">\n{lines}</span>'

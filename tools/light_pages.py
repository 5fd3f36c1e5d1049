"""Sphinx extension: pages load no script that they do not use.

The theme brings its icons twice, as a font and as a script of 1.5 MB that draws them again. And every page
loads the search with its index, which the page of results loads by itself; the others would need it only
for results while one types, a setting that is off.
"""

import re
from pathlib import Path

ICONS = r"fontawesome\.js"
SEARCH = r"(?:searchtools|language_data|searchindex)\.js"
SCRIPT = r"""\s*<script\b[^>]*\bsrc=["'][^"']*\b{name}[^>]*></script>"""


def setup(app) -> dict[str, bool]:
    """Work on the pages when all of them are written."""
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def lighten(app, exception: Exception | None) -> None:
    """Take the scripts out of every page.

    Args:
        app: the application of Sphinx.
        exception: what ended the build, if anything did.
    """
    if exception is not None or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        names = [ICONS] if page.name == "search.html" else [ICONS, SEARCH]
        lighter = text
        for name in names:
            lighter = re.sub(SCRIPT.format(name=name), "", lighter)
        if lighter != text:
            page.write_text(lighter, encoding="utf-8")

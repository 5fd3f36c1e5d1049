"""Sphinx extension: a page's first view brings what it shows, and the rest comes when it is needed.

The notebooks hold their images inside; in the pages these become files, which a browser loads when they come
near the window, and those of a slider's other positions when the slider is touched (``frames.js``). Of the
theme's icons only those that some page uses stay, as rules and in the font; and the style of grids and cards
is loaded by pages that have any.
"""

import base64
import hashlib
import io
import re
from pathlib import Path

from fontTools import subset
from PIL import Image

from tools.finished_pages import rewrite

FOLDER = "_images"
CELL = 'class="cell '  # of a notebook
DATA = re.compile(
    r"data:image/(png|webp);base64,([A-Za-z0-9+/=]{1000,})"
)  # a smaller one is not worth a file
TAG = re.compile(
    r'<img\b((?![^>]* loading=)[^>]*\bsrc="(_images/[0-9a-f]{16}\.\w+)"[^>]*\bwidth="(\d+)"[^>]*)>'
)
DESIGN = re.compile(r'\s*<(?:link|script)\b[^>]*"_static/(?:sphinx-design|design-tabs)[^>]*>(?:</script>)?')
ICON = re.compile(r'((?:\.fa-[\w-]+(?::before)?,?)+)\{content:"[^"]*"\}')
CODE = re.compile(r'content:"\\([0-9a-f]{2,5}) ?"')
FONT = "vendor/fontawesome/webfonts/fa-solid-900"


def setup(app) -> dict[str, bool]:
    """Work on the pages when all of them are written."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def finish(app, exception: Exception | None) -> None:
    """Make every page, and the theme's style, lighter.

    Args:
        app: the application of Sphinx.
        exception: what ended the build, if anything did.
    """
    if exception is not None or app.builder.format != "html":
        return
    root, names = Path(app.outdir), set()

    def change(page: Path, text: str) -> str:
        names.update(re.findall(r"\bfa-[\w-]+", text))
        return lighten(text, root) if page.parent == root else text

    rewrite(root, change)
    keep_icons(root / "_static", names)


def lighten(text: str, root: Path) -> str:
    """Return a page without what need not be loaded with it; images in it are written beside it.

    Args:
        text: the page's HTML.
        root: the folder of the page.
    """
    if CELL in text:  # other pages read the pixels of theirs, which a browser does not let them do with files
        text = DATA.sub(lambda found: write_image(found[1], base64.b64decode(found[2]), root), text)
    text = TAG.sub(lambda found: f"<img{found[1]} {waiting(root / found[2], int(found[3]))}>", text)
    return text if re.search(r'class="[^"]*\bsd-', text) else DESIGN.sub("", text)


def write_image(kind: str, data: bytes, root: Path) -> str:
    """Write an image into a file named after its content; return its address."""
    address = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
    (root / FOLDER).mkdir(exist_ok=True)
    (root / address).write_bytes(data)
    return address


def waiting(path: Path, width: int) -> str:
    """Return the attributes of an image that is loaded late and has its room from the start."""
    with Image.open(path) as image:
        return f'height="{round(width * image.height / image.width)}" loading="lazy"'


def keep_icons(static: Path, names: set[str]) -> None:
    """Take the icons that no page and no script names out of the theme's style and font.

    Args:
        static: the folder of styles and scripts.
        names: of the icons in pages, such as "fa-bars".
    """
    style = static / "styles" / "pydata-sphinx-theme.css"
    for script in static.rglob("*.js"):
        if script.name != "fontawesome.js":  # all icons there are; no page loads it
            names = names | set(re.findall(r"\bfa-[\w-]+", script.read_text(encoding="utf-8")))
    text = ICON.sub(
        lambda found: found[0] if names & set(re.findall(r"fa-[\w-]+", found[1])) else "",
        style.read_text(encoding="utf-8"),
    )
    text = text.replace(f'{FONT}.woff2) format("woff2")', f'{FONT}.woff) format("woff")')
    style.write_text(text, encoding="utf-8")
    styles = "".join(path.read_text(encoding="utf-8") for path in static.rglob("*.css"))
    options = subset.Options(flavor="woff", ignore_missing_unicodes=True)
    font = subset.load_font(str(static / f"{FONT}.ttf"), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[int(code, 16) for code in CODE.findall(styles)])
    cut.subset(font)
    written = io.BytesIO()
    subset.save_font(font, written, options)
    font.close()
    (static / f"{FONT}.woff").write_bytes(written.getvalue())

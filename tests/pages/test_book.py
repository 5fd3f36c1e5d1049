"""The book builds without a warning and its pages need no network; each check is shown to fail."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.page_rules import MAX_BYTES, problems

ROOT = Path(__file__).resolve().parents[2]
JUPYTER_BOOK = Path(sys.executable).with_name("jupyter-book")
UNREAD = re.compile(r">[^<]*(?:~(?:alexnet|torch|typing|collections)\.|&lt;factory|``)[^<]*<")
IMAGE = '<img src="data:image/png;base64,AA" alt="A dot">'


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder of the pages, built anew with warnings as errors."""
    out = tmp_path_factory.mktemp("book")
    command = [JUPYTER_BOOK, "build", "-W", "--keep-going", "--all", "book/", "--path-output", out]
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build" / "html"


def test_built_pages_keep_the_rules(built):
    assert problems(built) == []


def test_every_page_of_the_book_is_built(built):
    sources = {path.stem for path in (ROOT / "book").glob("*") if path.suffix in (".ipynb", ".md")}
    assert sources <= {path.stem for path in built.glob("*.html")}


def test_formulas_are_set_by_the_copy_of_mathjax_beside_the_pages(built):
    with_formulas = [
        page for page in built.glob("*.html") if 'class="math' in page.read_text(encoding="utf-8")
    ]
    for page in with_formulas:
        assert 'src="_static/vendor/mathjax/startup.js' in page.read_text(encoding="utf-8"), page.name
    assert list((built / "_static/vendor/mathjax/output/chtml/fonts/woff-v2").glob("*.woff"))


def test_pages_load_no_script_that_they_do_not_use(built):
    pages = [page for page in built.rglob("*.html") if "_static" not in page.parts]  # there lie the theme's
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert [name for name, text in texts.items() if "fontawesome.js" in text] == []
    assert [name for name, text in texts.items() if "searchindex.js" in text] == ["search.html"]
    style = (built / "_static/styles/pydata-sphinx-theme.css").read_text(encoding="utf-8")
    fonts = re.findall(r"url\(\.\./(vendor/fontawesome/[^)]+\.woff2?)\)", style)
    assert fonts and all((built / "_static" / font).is_file() for font in fonts)


def test_names_of_the_package_lead_to_their_entries(built):
    """From the name that users import to the place where the object is defined, and on to its source."""
    text = (built / "package.html").read_text(encoding="utf-8")
    assert re.search(
        r'href="package-networks.html#alexnet.models.alexnet.AlexNet"[^>]*><code[^>]*>.*AlexNet<', text
    )
    text = (built / "package-networks.html").read_text(encoding="utf-8")
    assert 'href="_modules/alexnet/models/alexnet.html#AlexNet"' in text
    assert "alexnet.models.alexnet.AlexNet" in (built / "genindex.html").read_text(encoding="utf-8")


def test_every_name_on_the_map_leads_to_its_entry(built):
    text = (built / "package-map.html").read_text(encoding="utf-8")
    names = re.findall(r'(<a [^>]*>)?<(?:code|span) class="xref py[^>]*>(.*?)</(?:code|span)>', text)
    assert len(names) > 15
    assert [name for link, name in names if not link] == []


def test_docstrings_are_read_as_they_are_meant(built):
    """An indented block of a docstring is a quotation unless the paragraph above it ends in two colons."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in built.glob("package-*.html")}
    assert [name for name, text in pages.items() if "<blockquote" in text] == []
    unread = [(name, part) for name, text in pages.items() for part in UNREAD.findall(text)]
    assert unread == [], "names or defaults that Sphinx could not read"


def page(tmp_path, body):
    (tmp_path / "other.html").write_text('<h2 id="there">There</h2>', encoding="utf-8")
    (tmp_path / "page.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    return problems(tmp_path)


GOOD = [
    IMAGE,
    '<a href="https://example.org/a">a link may lead to another host</a>',
    '<link rel="canonical" href="https://example.org/page.html">',
    '<h1 id="a b">x</h1><a href="#a%20b">x</a><a href="other.html?x=1#there">y</a>',
    '<a href="mailto:a@b.c">mail</a>',
    '<script>f("http://www.w3.org/2000/svg"); g("a//b")</script>',
]


@pytest.mark.parametrize("body", GOOD)
def test_good_page_passes(tmp_path, body):
    assert page(tmp_path, body) == []


BAD = {
    '<script src="https://cdn.example.org/x.js"></script>': "page.html: loads https://cdn.example.org/x.js",
    '<script src="//cdn.example.org/x.js"></script>': "page.html: loads //cdn.example.org/x.js",
    '<link rel="stylesheet" href="http://example.org/x.css">': "page.html: loads http://example.org/x.css",
    '<link rel="preconnect" href="https://example.org">': "page.html: loads https://example.org",
    '<img src="https://example.org/x.png" alt="x">': "page.html: loads https://example.org/x.png",
    '<img src="data:,x" srcset="https://example.org/2.png 2x" alt="x">': "page.html: loads https://example.org/2.png",
    '<iframe src="https://example.org/"></iframe>': "page.html: loads https://example.org/",
    "<style>@import 'https://example.org/x.css';</style>": "page.html: loads https://example.org/x.css",
    '<p style="background: url(https://example.org/x.png)">': "page.html: loads https://example.org/x.png",
    '<script>load("https://example.org/x.js")</script>': "page.html: loads https://example.org/x.js",
    '<a href="gone.html">x</a>': "page.html: leads to gone.html, which does not exist",
    '<img src="gone.png" alt="x">': "page.html: leads to gone.png, which does not exist",
    '<a href="#gone">x</a>': "page.html: leads to #gone, an anchor that no element has",
    '<a href="other.html#gone">x</a>': "page.html: leads to other.html#gone, an anchor that no element has",
    '<img src="data:,x">': "page.html: <img> without alt text (data:,x)",
    '<img src="data:,x" alt="">': "page.html: <img> without alt text (data:,x)",
    "x" * MAX_BYTES: f"page.html: {MAX_BYTES + 26:,} bytes, over the budget of {MAX_BYTES:,}",
}


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_bad_page_is_named(tmp_path, body):
    assert page(tmp_path, body) == [BAD[body]]


def test_style_sheets_are_looked_into(tmp_path):
    (tmp_path / "bad.css").write_text("p { background: url('https://example.org/x.png') }", encoding="utf-8")
    assert page(tmp_path, IMAGE) == ["bad.css: loads https://example.org/x.png"]


def test_no_pages_are_no_book(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pages"):
        problems(tmp_path)

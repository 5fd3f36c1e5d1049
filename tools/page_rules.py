"""What the built pages must keep to: nothing from another host, no broken link, words for every image."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.images import wordless_in_html

MAX_BYTES = 3_000_000
LOADS = {  # attributes whose address the browser fetches by itself
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
NOT_FETCHED = {"author", "canonical", "index", "license", "next", "prev", "search"}  # values of rel
ELSEWHERE = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
STYLE_LOADS = re.compile(r"""(?:url\(\s*|@import\s+)['"]?((?:https?:)?//[^'")\s]+)""", re.IGNORECASE)
NAMES_A_HOST = re.compile(r"""['"`]((?:https?:)?//[\w-]+\.[^'"`\s]*)""")
NAMESPACE = "http://www.w3.org/"  # names a vocabulary; nothing is fetched


class Page(HTMLParser):
    """What one page loads, links to and offers as targets of links.

    Attributes:
        loads: addresses that the browser fetches by itself.
        links: addresses that a reader may follow.
        targets: ids and names that a link may end on.
    """

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.targets: set[str] = set()
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Note what one tag loads, links to and is called."""
        has = {name: value or "" for name, value in attributes}
        self._inside = tag if tag in ("script", "style") else ""
        self.targets.update(has[name] for name in ("id", "name") if has.get(name))
        if tag == "a" and has.get("href"):
            self.links.append(has["href"])
        if tag in LOADS and has.get(LOADS[tag]) and not set(has.get("rel", "").split()) & NOT_FETCHED:
            self.loads.append(has[LOADS[tag]])
        self.loads += [part.split()[0] for part in has.get("srcset", "").split(", ") if part.strip()]
        self.loads += STYLE_LOADS.findall(has.get("style", ""))

    def handle_data(self, data):
        """Look for other hosts in scripts and style sheets that stand on the page."""
        if self._inside == "style":
            self.loads += STYLE_LOADS.findall(data)
        if self._inside == "script":
            self.loads += [host for host in NAMES_A_HOST.findall(data) if not host.startswith(NAMESPACE)]

    def handle_endtag(self, tag):
        """Leave a script or style sheet."""
        self._inside = ""


def problems(folder: Path) -> list[str]:
    """Every breach of the rules in a folder of built pages; an empty list for a good one.

    Args:
        folder: the built book, whose pages lie directly or in folders below it.
    Returns:
        One line for each breach, which begins with the page's name.
    Raises:
        FileNotFoundError: the folder holds no page.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    texts = {path: text for path, text in texts.items() if "_static" not in path.relative_to(folder).parts}
    if not texts:
        raise FileNotFoundError(f"no pages in {folder}")
    pages = {path.resolve(): Page(text) for path, text in texts.items()}
    found = []
    for path, text in texts.items():
        name = path.relative_to(folder).as_posix()
        page = pages[path.resolve()]
        lines = [*foreign(page), *broken(path, page, pages), *wordless_in_html(article(text))]
        if len(text.encode()) > MAX_BYTES:
            lines.append(f"{len(text.encode()):,} bytes, over the budget of {MAX_BYTES:,}")
        found += [f"{name}: {line}" for line in dict.fromkeys(lines)]
    for path in sorted(folder.rglob("*.css")):
        hosts = STYLE_LOADS.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(folder).as_posix()}: loads {host}" for host in hosts]
    return found


def article(text: str) -> str:
    """The part of a page that the book's authors wrote; the whole page where it cannot be told."""
    return "".join(re.findall(r"<article.*?</article>", text, re.DOTALL)) or text


def foreign(page: Page) -> Iterator[str]:
    """What a page loads from another host."""
    yield from (f"loads {address[:80]}" for address in page.loads if ELSEWHERE.match(address))


def broken(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    """Local addresses of a page that lead nowhere: a file that is not there, an anchor that no page has."""
    for address in page.loads + page.links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        if not target.exists():
            yield f"leads to {address[:80]}, which does not exist"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].targets:
            yield f"leads to {address[:80]}, an anchor that no element has"

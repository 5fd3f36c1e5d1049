"""A browser that shows the built pages: the system's Chromium, driven by Playwright.

Skipped where Playwright, a Chromium or the built pages are missing; an error with ALEXNET_BROWSER=required.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path(os.environ.get("ALEXNET_PAGES", ROOT / "_build" / "html"))
NAMES = sorted(path.stem for path in (ROOT / "book").iterdir() if path.suffix in (".ipynb", ".md"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Two frames later the new layout has started whatever it moves, such as the sidebar.
STILL = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    await Promise.allSettled(document.getAnimations().map((moving) => moving.finished));
}"""
LOADED_MS = 120_000  # on a machine with other work


def missing(what: str) -> None:
    """Skip, or fail where a browser is required."""
    if os.environ.get("ALEXNET_BROWSER") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def launch():
    """Start Chromium without a window, with these arguments."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed: pip install --group browser")
    if program is None:
        missing(f"no browser: none of {', '.join(BROWSERS)} is on the path")
    if not (PAGES / "index.html").is_file():
        missing(f"no pages in {PAGES}: python3 dev.py book")
    with sync_playwright() as playwright, contextlib.ExitStack() as running:

        def start(*arguments: str):
            started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *arguments])
            running.callback(started.close)
            return started

        yield start


@pytest.fixture(scope="session")
def browser(launch):
    """Chromium in which pages may read files beside them."""
    return launch("--allow-file-access-from-files")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the pages and says nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def served():
    """The address of the pages on a server of this machine."""
    handler = functools.partial(Handler, directory=PAGES)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Opened:
    """A page in the browser, with what went wrong while it was there.

    Attributes:
        tab: Playwright's page.
        errors: of scripts, and messages on the console that are errors.
        asked: addresses that the page asked for.
        elsewhere: those of other hosts.
    """

    def __init__(self, browser, name: str, *, start: str = PAGES.as_uri(), **options):
        self.start = start
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(LOADED_MS)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.tab.on("request", lambda request: self._note(request.url))
        self.go(name)

    def _note(self, address: str) -> None:
        self.asked.append(address)
        if not address.startswith((self.start, "file:", "data:", "blob:")):
            self.elsewhere.append(address)

    def go(self, name: str) -> None:
        """Load a page by its name, such as ``02-convolution`` or ``02-convolution.html#figure-2-1``."""
        address = name if ".html" in name else f"{name}.html"
        self.tab.goto(f"{self.start}/{address}", wait_until="load")
        self.tab.evaluate("window.MathJax?.startup?.promise")

    def resize(self, width: int) -> None:
        """Change the width in pixels, and wait until what moves because of it stands still."""
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.evaluate(STILL)

    def run(self, script: str, *argument):
        """Evaluate JavaScript on the page."""
        return self.tab.evaluate(script, *argument)


@pytest.fixture(scope="module", params=NAMES)
def opened(request, browser):
    """Each page of the book in turn, 1200 pixels wide."""
    page = Opened(browser, request.param, viewport={"width": 1200, "height": 900})
    yield page
    page.context.close()


@pytest.fixture
def chapter(browser):
    """Open one page by its name, anew."""
    pages = []

    def open_page(name: str, **options) -> Opened:
        pages.append(Opened(browser, name, **{"viewport": {"width": 1200, "height": 900}} | options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()

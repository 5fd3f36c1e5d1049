"""Find images that a reader who cannot see them would miss."""

import re
from html.parser import HTMLParser

DIRECTIVE = re.compile(
    r"^(`{3,}|:{3,})\{(?:image|figure)\}(?P<argument>.*)\n(?P<body>(?:.*\n)*?)\1\s*$", re.MULTILINE
)
CODE = re.compile(r"^(`{3,}|~{3,})(?:.*\n)*?\1|(`+)[^`]+?\2", re.MULTILINE)
MARKDOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]*)")


class Images(HTMLParser):
    """Collects the images of a piece of HTML that have no words for what they show."""

    def __init__(self):
        super().__init__()
        self.wordless: list[str] = []

    def handle_starttag(self, tag, attributes):
        """Look at one tag: <img> needs alt, a drawing needs aria-label unless it is hidden from readers."""
        has = {name: (value or "").strip() for name, value in attributes}
        if tag == "img" and not has.get("alt"):
            self.wordless.append(f"<img> without alt text ({has.get('src', '')[:40]})")
        drawing = tag in ("svg", "canvas") and has.get("aria-hidden") != "true"
        if drawing and not (has.get("aria-label") or has.get("aria-labelledby")):
            self.wordless.append(f"<{tag}> without aria-label")


def wordless_in_html(text: str) -> list[str]:
    """Name each image of a piece of HTML that has no alternative text."""
    parser = Images()
    parser.feed(text)
    parser.close()
    return parser.wordless


def wordless_in_markdown(text: str) -> list[str]:
    """Name each image of a piece of MyST Markdown, HTML in it included, that has no alternative text."""
    found = []
    for directive in DIRECTIVE.finditer(text):
        if not re.search(r"^\s*:alt:\s*\S", directive["body"], re.MULTILINE):
            found.append(f"image without :alt: ({directive['argument'].strip()[:40]})")
    prose = CODE.sub("", DIRECTIVE.sub("", text))
    found += [
        f"image without alt text ({src[:40]})" for alt, src in MARKDOWN.findall(prose) if not alt.strip()
    ]
    return found + wordless_in_html(prose)

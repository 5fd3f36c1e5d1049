"""From Google-style docstrings to Markdown: paragraphs, lists, formulas, and Args, Returns and their like."""

import re
import textwrap
from collections.abc import Iterator

SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")
ENTRY = re.compile(r"((?:[\w*]+, )*[\w*]+): (.*)")
BULLET = re.compile(r"(?:[*-]|\d+\.) ")
CODE = re.compile(r"(``.+?``|`[^`]+`)")
SPECIAL = re.compile(r"([\\*_<>$\[\]{}])")


class Links(dict[str, str]):
    """Full names of modules, functions and classes, and the anchors of their sections."""

    def within(self, module: str, text: str) -> str:
        """Prepare a piece of prose for Markdown: code that names something known becomes a link to it.

        Args:
            module: whose names may stand without it.
            text: a paragraph, in which ``two`` or one backtick enclose code.
        """
        parts = CODE.split(text)
        parts[::2] = [SPECIAL.sub(r"\\\1", part) for part in parts[::2]]
        parts[1::2] = [self.code(module, part.strip("`")) for part in parts[1::2]]
        return "".join(parts)

    def code(self, module: str, name: str) -> str:
        """Return a piece of code, as a link where it is a known name."""
        short = f"alexnet.{name}" if "." in name else ""  # not the recipe ``paper`` for the module
        for full in (name, short, f"{module}.{name}"):
            if full in self:
                return f"[`{name}`](#{self[full]})"
        return f"`{name}`"


def label_of(module: str, name: str = "") -> str:
    """The anchor of a module, or of a function in it: lower case, words joined by hyphens."""
    parts = ["api", module.removeprefix("alexnet."), name]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")


def summary(doc: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(doc.split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0]


def markdown(doc: str, module: str, links: Links) -> Iterator[str]:
    """Yield the blocks of Markdown that say what a docstring says.

    Paragraphs are joined to one line, indented text becomes a block of text as it stands, and the entries of
    Args, Attributes and Raises become a list.

    Args:
        doc: cleaned, as by ``inspect.cleandoc``.
        module: in which it stands.
        links: what code in it may lead to.
    """
    lines = doc.splitlines()
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif SECTION.fullmatch(lines[0]):
            title = lines.pop(0)[:-1]
            yield from section(title, dedented(take_indented(lines)), module, links)
        elif lines[0].startswith(" "):
            yield "\n".join(["```text", *dedented(take_indented(lines)), "```"])
        elif BULLET.match(lines[0]):
            yield bullets(lines, module, links)
        else:
            yield links.within(module, paragraph(lines))


def take_indented(lines: list[str]) -> list[str]:
    """Remove the indented lines at the front, with blank ones among them, and return them."""
    count = 0
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith(" "):
            break
        count = number if line.strip() else count
    taken = lines[:count]
    del lines[:count]
    return taken


def dedented(lines: list[str]) -> list[str]:
    """The lines without the indentation that they share."""
    return textwrap.dedent("\n".join(lines)).splitlines()


def paragraph(lines: list[str]) -> str:
    """Remove a paragraph from the front and return it on one line."""
    words = [lines.pop(0)]
    while lines and lines[0].strip() and not lines[0].startswith(" ") and not SECTION.fullmatch(lines[0]):
        words.append(lines.pop(0))
    return " ".join(words)


def bullets(lines: list[str], module: str, links: Links) -> str:
    """Remove a list from the front and return it, a line for each point."""
    points: list[str] = []
    while lines and (BULLET.match(lines[0]) or lines[0].startswith(" ")):
        line = lines.pop(0)
        if BULLET.match(line):
            points.append(line[2:].strip())
        else:
            points[-1] += " " + line.strip()
    return "\n".join(f"* {links.within(module, point)}" for point in points)


def section(title: str, body: list[str], module: str, links: Links) -> Iterator[str]:
    """Yield the blocks of Args, Attributes, Returns, Raises or Yields."""
    if title in ("Returns", "Yields"):
        blocks = list(markdown("\n".join(body), module, links))
        if blocks[0].startswith(("```", "* ")):
            yield f"**{title}**"
        else:
            blocks[0] = f"**{title}** {blocks[0]}"
        yield from blocks
        return
    entries: list[str] = []
    for line in body:
        if line.startswith(" ") or not line.strip():
            entries[-1] += " " + line.strip()
        else:
            entries.append(line)
    yield f"**{title}**"
    yield "\n".join(f"* {links.within(module, named(entry.strip()))}" for entry in entries)


def named(entry: str) -> str:
    """An entry with its names as code."""
    found = ENTRY.fullmatch(entry)
    return f"``{found[1]}``: {found[2]}" if found else entry

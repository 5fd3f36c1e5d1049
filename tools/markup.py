"""Find markup of the book's pages (MyST) that Jupyter and Colab would show as it is typed."""

import re
from collections.abc import Iterator

FENCE = re.compile(r"^ *(`{3,}|~{3,})(?P<head>.*)\n(?:.*\n)*?(?: *\1.*$|\Z)", re.MULTILINE)
CODE = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\1(?!`)", re.DOTALL)
FORMULA = re.compile(r"\$\$[^$]*\$\$")
MATH = re.compile(r"\$[^$\n]+\$")
KINDS = {
    "a role": re.compile(r"\{[\w:.+-]+\}(?=<code>)"),
    "a label": re.compile(r"^ *\([\w:.-]+\)= *$", re.MULTILINE),
    "an equation's label": re.compile(r"(?<=<formula>) *\([\w:.-]+\) *$", re.MULTILINE),
    "a fence of colons": re.compile(r"^ *:{3,}.*", re.MULTILINE),
    "a block break": re.compile(r"^\+\+\+.*", re.MULTILINE),
    "a comment": re.compile(r"^%.*", re.MULTILINE),
    "a footnote": re.compile(r"\[\^[\w-]+\]"),
    "a link without words": re.compile(r"(?<!!)\[\]\([^)]*\)|<(?:project|path|inv|myst):[^>]*>"),
}


def raw(text: str) -> Iterator[tuple[str, str]]:
    """Name each piece of MyST in a piece of Markdown that other programs do not render.

    Args:
        text: the source of a Markdown cell.
    Yields:
        (kind, the piece of text).
    """
    heads = (match["head"].strip() for match in FENCE.finditer(text))
    yield from (("a directive", head) for head in heads if head.startswith("{"))
    prose = CODE.sub("<code>", FENCE.sub("", text))
    prose = MATH.sub("<math>", FORMULA.sub("<formula>", prose))
    for kind, pattern in KINDS.items():
        yield from ((kind, match.group().strip()) for match in pattern.finditer(prose))

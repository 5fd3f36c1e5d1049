"""For Sphinx, which puts the table of the paper's claims into the page that asks for it: `book/claims.md`."""

from alexnet.experiments.claims import Claim
from alexnet.experiments.evidence import ledger
from alexnet.experiments.finding import Finding

PLACE = "<!-- the table of claims -->"
HEAD = "| claim | paper | here | verdict |\n| --- | --- | --- | --- |"


def setup(app) -> dict:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def insert(app, name: str, source: list[str]) -> None:
    """Write the table in place of the comment that asks for it.

    Args:
        app: the application of Sphinx.
        name: of the page.
        source: its text, alone in a list.
    """
    if PLACE in source[0]:
        source[0] = source[0].replace(PLACE, "\n".join([HEAD, *(row(*known) for known in ledger())]))


def row(claim: Claim, found: Finding) -> str:
    """A row: the claim, which leads to its chapter, both figures, and the verdict with what it lacks."""
    why = f" ({found.lacking})" if found.lacking else ""
    basis = f"<br><small>{found.basis}</small>" if found.basis else ""
    cells = [
        f"[`{claim.id}`]({claim.chapter}.ipynb) {claim.text} ({claim.section})",
        claim.figure,
        (found.ours or "nothing yet") + basis,
        f"**{found.verdict}**{why}",
    ]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

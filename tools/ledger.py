"""For Sphinx, which puts tables of the paper's claims into the pages that ask: `claims.md` and `index.md`."""

import re
from collections.abc import Sequence

from alexnet.experiments.claims import Claim
from alexnet.experiments.evidence import ledger
from alexnet.experiments.finding import Finding

# Alone for all claims, or with the ids of some.
PLACE = re.compile(r"<!-- the table of claims(?:: ([a-z0-9 -]+?))? -->")
HEAD = "| claim | paper | here | verdict |\n| --- | --- | --- | --- |"


def setup(app) -> dict:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def insert(app, name: str, source: list[str]) -> None:
    """Write the table in place of a comment that asks for it.

    Args:
        app: the application of Sphinx.
        name: of the page.
        source: its text, alone in a list.
    """
    source[0] = PLACE.sub(lambda found: table((found[1] or "").split()), source[0])


def table(ids: Sequence[str] = ()) -> str:
    """Return a table of claims in Markdown.

    Args:
        ids: which claims, in this order; none for all.
    Raises:
        KeyError: there is no claim of such an id.
    """
    known = {claim.id: (claim, found) for claim, found in ledger()}
    return "\n".join([HEAD, *(row(*known[name]) for name in ids or known)])


def row(claim: Claim, found: Finding) -> str:
    """A row: the claim, which leads to its chapter, both figures, and the verdict with what it lacks.

    The chapters lead to it by its id, ``claims.md#claim-ID``.
    """
    why = f" (lacks {found.lacking})" if found.lacking else ""
    links = ", ".join(f"[{name}]({address})" for name, address in found.sources)
    told = [found.basis, f"Sources: {links}" if links else ""]
    basis = "".join(f"<br><small>{part}</small>" for part in told if part)
    cells = [
        f'<span id="claim-{claim.id}"></span>'
        f"[`{claim.id}`]({claim.chapter}.ipynb) {claim.text} ({claim.section})",
        claim.figure,
        (found.ours or "nothing yet") + basis,
        f"**{found.verdict}**{why}",
    ]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

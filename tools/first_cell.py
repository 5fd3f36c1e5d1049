"""Write the text of tools/bootstrap.py into the first code cell of notebooks: `python -m tools.first_cell`.

Everything else in them stays, the outputs too: the first cell shows nothing.
"""

import sys
from pathlib import Path

import nbformat

from tools.execnb import write
from tools.notebook_rules import BOOTSTRAP

BOOK = Path(__file__).resolve().parents[1] / "book"


def renew(path: Path) -> bool:
    """Give one notebook the first cell of today, and say whether it had another."""
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    if first.source == BOOTSTRAP:
        return False
    first.source = BOOTSTRAP
    write(path, notebook)
    return True


if __name__ == "__main__":
    for name in [Path(word) for word in sys.argv[1:]] or sorted(BOOK.glob("*.ipynb")):
        if renew(name):
            print(name)

"""Tables of results, for what a chapter would otherwise print."""

from collections.abc import Mapping, Sequence

from IPython.display import Markdown


def table(rows: Sequence[Mapping[str, object]], note: str = "") -> Markdown:
    """Return a table of results; columns of numbers stand at the right.

    Args:
        rows: one mapping for each row, from a column's head to what stands there. All have the same heads.
            Format numbers beforehand (``f"{error:.1%}"``).
        note: a sentence below the table, such as where the numbers come from.
    Returns:
        A display object in Markdown, which Jupyter, Colab and the book's pages show as a table.
    Raises:
        ValueError: there is no row, or the heads differ between rows.
    """
    heads = list(rows[0]) if rows else []
    if not heads or any(list(row) != heads for row in rows):
        raise ValueError("a table needs rows, and all of them with the same heads")
    numeric = [all(_is_number(str(row[head])) for row in rows) for head in heads]
    lines = [_line(heads), _line(["---:" if right else "---" for right in numeric])]
    lines += [_line([str(row[head]) for head in heads]) for row in rows]
    return Markdown("\n".join(lines) + (f"\n\n{note}" if note else ""))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_number(text: str) -> bool:
    """Whether a cell is empty or begins with a number, which may have a sign or bold type."""
    stripped = text.lstrip("*+-−~< ")
    return not stripped or stripped[0].isdigit()

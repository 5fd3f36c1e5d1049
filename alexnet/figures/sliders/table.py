"""Whole numbers in rows and columns that the reader of a figure edits, such as the weights of a kernel."""

import html
import random
from dataclasses import dataclass

Rows = list[list[int]]
GROUP_STYLE = "display:flex;flex-wrap:wrap;gap:.2em .5em;margin:.2em 0"
CELL_STYLE = "width:3.6em;padding:.2em;font:inherit;background:none;color:inherit;border:1px solid #888"
CELL_STYLE += ";border-radius:4px;text-align:center;box-sizing:border-box"


@dataclass(frozen=True)
class Table:
    """Numbers that a figure of `explore` lets the reader edit.

    Args:
        name: the keyword of draw that takes them, as lists of rows.
        choice: the control whose texts choose with which numbers to start; to choose one again restores them.
        starts: those numbers, for each text of the control.
        low: the smallest number that is taken.
        high: the largest.
    Raises:
        ValueError: a number at the start is not a whole one from low to high, or rows differ in length.
    """

    name: str
    choice: str
    starts: dict[str, Rows]
    low: int
    high: int

    def __post_init__(self):
        for text, rows in self.starts.items():
            even = rows and rows[0] and len({len(row) for row in rows}) == 1
            if not even or not all(self.takes(number) for row in rows for number in row):
                wanted = f"whole numbers from {self.low} to {self.high} in rows of one length"
                raise ValueError(f"{self.name} of {text!r} must be {wanted}, got {rows}")

    def takes(self, number) -> bool:
        """Whether a number may stand in the table."""
        return isinstance(number, int) and self.low <= number <= self.high

    def edited(self, text: str, seed: int) -> Rows:
        """Return numbers as a reader might leave them."""
        draw = random.Random(seed)
        return [[draw.randint(self.low, self.high) for _ in row] for row in self.starts[text]]


def name_cell(row: int, column: int) -> str:
    """Name a cell, from 0 as in formulas."""
    return f"row {row}, column {column}"


def table_tag(table: Table, text: str) -> str:
    """Write the numbers of one start in fields that sleep until the figure's script runs."""
    rows = table.starts[text]
    cells = "".join(
        f'<input type="number" min="{table.low}" max="{table.high}" step="1" value="{number}" disabled '
        f'autocomplete="off" aria-label="{name_cell(i, j)}" style="{CELL_STYLE}">'
        for i, row in enumerate(rows)
        for j, number in enumerate(row)
    )
    name = html.escape(table.name)
    grid = f"display:grid;gap:.2em;grid-template-columns:repeat({len(rows[0])},max-content)"
    return (
        f'<div role="group" aria-label="{name}" style="{GROUP_STYLE}">'
        f'<span aria-hidden="true" style="min-width:7em">{name}</span>'
        f'<div data-part="table" style="{grid}">{cells}</div>'
        '<span data-part="refused" role="alert" style="flex:1 1 9em"></span></div>'
    )

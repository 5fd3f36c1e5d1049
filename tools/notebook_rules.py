"""What a notebook must keep to before it is committed; `problems` names every breach."""

import ast
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.execnb import HIDING, METADATA, cell_metadata
from tools.images import wordless_in_html, wordless_in_markdown
from tools.markup import raw

BOOTSTRAP = (Path(__file__).parent / "bootstrap.py").read_text(encoding="utf-8").strip()
MAX_LINES = 20
SHOWING = ("Markdown", "figures.table")
MAX_BYTES = 1_500_000
ENCODED = re.compile(r"base64,[A-Za-z0-9+/=]+")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
PREDICTION = re.compile(r"^\*\*Predict\b", re.MULTILINE)
IN_SUMMARY = re.compile(r"[`$]|\*\w")
ASKED = re.compile(r"^\*\*Predict\b(?:[^\n]+\n)+\n<details>\s*<summary>\s*a\)", re.MULTILINE)
OPTION = re.compile(r"<details>\s*<summary>\s*([a-h])\) .*?</summary>\s*(\w+).*?</details>", re.DOTALL)
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|Users|tmp|content|work|mnt|opt|private|var/folders)/\w|[A-Za-z]:\\+Users\\"
)


def problems(notebook: NotebookNode, size: int = 0) -> list[str]:
    """Every way in which a notebook breaks the rules; an empty list for a good one.

    Args:
        notebook: as nbformat reads it, version 4.
        size: bytes of its file.
    Returns:
        One line for each breach, which names the cell by its number and id; one line alone where the file
        is no valid notebook.
    """
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        return ["cells without an id of their own"]
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {str(error)[:80]}"]
    found = []
    if notebook.metadata != METADATA:
        found.append("metadata beyond the kernel's name; run `python3 dev.py run`")
    if size > MAX_BYTES:
        found.append(f"{size:,} bytes, over the budget of {MAX_BYTES:,}")
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) < len(ids):
        found.append("cells without an id of their own")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found += bootstrap_problems(code)
    for place, cell in enumerate(code, 1):
        found += [f"code cell {place} ({cell.get('id')}): {text}" for text in code_problems(cell, place)]
    for place, cell in enumerate(notebook.cells, 1):
        found += [f"cell {place} ({cell.get('id')}): {text}" for text in cell_problems(cell)]
    return found


def bootstrap_problems(code: list[NotebookNode]) -> Iterator[str]:
    """The first code cell is that of tools/bootstrap.py, off the page, and shows nothing."""
    if not code or code[0].source != BOOTSTRAP:
        yield "the first code cell is not the text of tools/bootstrap.py"
    elif not HIDING & set(code[0].metadata.get("tags", [])):
        yield f"the first code cell has none of the tags {', '.join(sorted(HIDING))}"
    elif code[0].get("outputs"):
        yield "the first code cell shows something"


def cell_problems(cell: NotebookNode) -> Iterator[str]:
    """Rules for cells of every kind."""
    wanted = cell_metadata(cell)
    if set(cell.metadata) - set(wanted):
        yield f"metadata {', '.join(sorted(set(cell.metadata) - set(wanted)))}"
    elif cell.metadata != wanted:
        yield "code is hidden on the page alone, not in Jupyter and Colab; run `python3 dev.py run`"
    if MACHINE_PATH.search(cell.source):
        yield f"a machine's path: {MACHINE_PATH.search(cell.source).group()}"
    if cell.cell_type == "markdown":
        yield from wordless_in_markdown(cell.source)
        yield from (f"{kind}, which only the page understands: {text}" for kind, text in raw(cell.source))
        for summary in SUMMARY.findall(cell.source):
            if IN_SUMMARY.search(summary):
                yield f"Markdown in a <summary>, where it stays as typed: {summary[:50]}"
        yield from question_problems(cell.source)


def question_problems(source: str) -> Iterator[str]:
    """A question of a prediction or a quiz has options a), b), ...; the reply to one begins with Right."""
    if len(PREDICTION.findall(source)) > len(ASKED.findall(source)):
        yield "a prediction that is not one paragraph with its options after it"
    questions: list[list[tuple[str, str]]] = []
    for letter, reply in OPTION.findall(source):
        if letter == "a":
            questions.append([])
        if not questions:
            yield f"a question that begins with option {letter})"
            return
        questions[-1].append((letter, reply))
    for question in questions:
        letters = "".join(letter for letter, _ in question)
        if len(letters) < 2 or letters != "abcdefgh"[: len(letters)]:
            yield f"a question with the options {letters}"
        if [reply for _, reply in question].count("Right") != 1:
            yield f"a question whose replies begin with {', '.join(reply for _, reply in question)}"


def code_problems(cell: NotebookNode, place: int) -> Iterator[str]:
    """Rules for code cells: place is the number that the cell must have been executed as."""
    if not cell.source.strip():
        yield "empty"
    if cell.get("execution_count") is None:
        yield "never executed"
    elif cell.execution_count != place:
        yield f"executed as number {cell.execution_count}, not {place}"
    lines = cell.source.count("\n") + 1
    if lines > MAX_LINES and cell.source != BOOTSTRAP:  # which no page shows
        yield f"{lines} lines, more than {MAX_LINES}"
    yield from (f"{call}(...) shows nothing, as it is not the last line" for call in unseen(cell.source))
    for output in cell.get("outputs", []):
        yield from output_problems(output, cell.metadata.get("tags", []))


def unseen(source: str) -> Iterator[str]:
    """Name the calls that would show something as the last expression of a cell, and are not the last."""
    code = "\n".join(line for line in source.splitlines() if not line.startswith(("%", "!")))
    with contextlib.suppress(
        SyntaxError
    ):  # the notebook was executed: it stands in a cell of another language
        for statement in ast.parse(code).body[:-1]:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                call = ast.unparse(statement.value.func)
                if call.endswith(SHOWING):
                    yield call


def output_problems(output: NotebookNode, tags: list[str]) -> Iterator[str]:
    """Rules for one stored output."""
    data = output.get("data", {})
    if output.output_type == "error" and "raises-exception" not in tags:
        yield f"a stored error: {output.ename}"
    if output.output_type == "stream" and output.name == "stderr":
        yield f"something on stderr: {output.text.strip()[:60]}"
    if any("jupyter.widget" in kind for kind in data):
        yield "a widget, whose state is not stored"
    images = sorted(kind for kind in data if kind.startswith("image/"))
    if images and "text/html" not in data:
        yield f"a bare {images[0]}, which has no alt text; show it with alexnet.figures.style.show"
    yield from wordless_in_html(data.get("text/html", ""))
    found = raw(data.get("text/markdown", ""))
    yield from (f"{kind} in the output, which only the page understands: {text}" for kind, text in found)
    path = MACHINE_PATH.search(written(output))
    if path:
        yield f"a machine's path in the output: {path.group()}"


def written(output: NotebookNode) -> str:
    """All text of an output, encoded images and colours left out."""
    parts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    for kind, value in output.get("data", {}).items():
        if not kind.startswith("image/"):
            parts.append(value if isinstance(value, str) else json.dumps(value))
    return COLOURS.sub("", ENCODED.sub("", "\n".join(parts)))

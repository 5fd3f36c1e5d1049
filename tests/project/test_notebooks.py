"""Every notebook keeps to the rules, and every rule is shown to refuse a notebook that breaks it."""

from pathlib import Path

import nbformat
import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.execnb import METADATA, cell_metadata
from tools.images import wordless_in_markdown
from tools.notebook_rules import BOOTSTRAP, MAX_BYTES, problems

BOOK = Path(__file__).resolve().parents[2] / "book"
NOTEBOOKS = sorted(BOOK.rglob("*.ipynb"))
IMAGE = '<figure><img src="data:image/png;base64,AA+/tmp/A==" alt="A line that rises"></figure>'


def html(text):
    return new_output("display_data", {"text/html": text, "text/plain": "<Figure>"})


def notebook(*cells):
    """A good notebook with the given cells after its first one."""
    first = new_code_cell(BOOTSTRAP, id="bootstrap", metadata={"tags": ["remove-cell"]})
    first.metadata = from_dict(cell_metadata(first))
    made = new_notebook(cells=[first, *cells], metadata=METADATA)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
    return made


def shows(*outputs, tags=()):
    return notebook(new_code_cell("show()", outputs=list(outputs), metadata={"tags": list(tags)}))


def changed(change):
    """A good notebook after one change."""
    made = notebook(new_code_cell("1 + 1"), new_code_cell("2 + 2"))
    change(made)
    return made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_keeps_the_rules(path):
    assert problems(nbformat.read(path, as_version=4), path.stat().st_size) == []


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.md")), ids=lambda path: path.name)
def test_page_has_words_for_its_images(path):
    assert wordless_in_markdown(path.read_text(encoding="utf-8")) == []


def test_a_image_of_a_page_is_refused_without_words():
    assert wordless_in_markdown("```{figure} e.png\n:width: 3\nWords\n```") == ["image without :alt: (e.png)"]
    assert wordless_in_markdown("```{figure} e.png\n:alt: A cat.\n```") == []


def option(letter, reply, text="so"):
    return f"<details><summary>{letter}) {text}</summary>\n\n{reply}\n\n</details>\n"


GOOD = {
    "question": notebook(
        new_markdown_cell("Which?\n\n" + option("a", "Right.") + option("b", "Wrong: it is a."))
    ),
    "plain": notebook(
        new_markdown_cell("Text, `<img>` in code and ![a cat](cat.png)."), new_code_cell("1 + 1")
    ),
    "image": shows(html(IMAGE)),
    "image in two forms": shows(new_output("display_data", {"text/html": IMAGE, "image/png": "AAAA"})),
    "expected error": shows(new_output("error", ename="ValueError", evalue="x"), tags=["raises-exception"]),
    "web address": notebook(new_markdown_cell("See https://example.org/content/tmp/a and data/tmp/b.")),
    "marks in code and formulas": notebook(
        new_markdown_cell(
            "`{cite:t}`, ``(a)=``, `[^1]`, $x^{a}$`y`, `$A` and `$B`, $$z$$ (why not)\nand $x$ (so)\n\n"
            "~~~\n::: {note}\n+++\n~~~"
        )
    ),
    "text as the last line": notebook(new_code_cell('assert True\nMarkdown("x")')),
    "twenty lines": notebook(new_code_cell("\n".join("x" * 20))),
}


@pytest.mark.parametrize("made", GOOD.values(), ids=GOOD)
def test_good_notebook_passes(made):
    assert problems(made, 1000) == []


def stream(name, text):
    return new_output("stream", name=name, text=text)


BAD = {
    "a stored error: ValueError": shows(new_output("error", ename="ValueError", evalue="x")),
    "something on stderr: UserWarning": shows(stream("stderr", "UserWarning")),
    "path in the output: /home/a": shows(stream("stdout", "saved /home/ann/x.png")),
    "path in the output: /tmp/i": shows(html("<p>/tmp/ipykernel_1/2.py</p>")),
    "path in the output: /root/x": shows(
        new_output("error", ename="E", evalue="", traceback=["\x1b[32m/root/x.py"]), tags=["raises-exception"]
    ),
    r"path in the output: C:\Users": shows(stream("stdout", "C:\\Users\\ann")),
    "a machine's path: /content/d": notebook(new_code_cell("open('/content/drive')")),
    "a widget": shows(
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
    ),
    "metadata beyond the kernel's name": changed(lambda made: made.metadata.update(widgets={})),
    "a bare image/png": shows(new_output("display_data", {"image/png": "AAAA"})),
    "a bare image/jpeg": shows(new_output("execute_result", {"image/jpeg": "AAAA"})),
    "a bare image/svg+xml": shows(new_output("display_data", {"image/svg+xml": "<svg/>"})),
    "<img> without alt text (a.png)": shows(html('<img src="a.png">')),
    "<img> without alt text (b.png)": shows(html('<img src="b.png" alt=" ">')),
    "<svg> without aria-label": shows(html("<svg></svg>")),
    "<canvas> without aria-label": shows(html("<canvas></canvas>")),
    "<img> without alt text (c.png)": notebook(new_markdown_cell('Look: <img src="c.png">')),
    "image without alt text (d.png)": notebook(new_markdown_cell("Look: ![](d.png)")),
    "Markdown in a <summary>, where it stays as typed: a) `x`": notebook(
        new_markdown_cell(option("a", "Right.", "`x`") + option("b", "Wrong."))
    ),
    "Markdown in a <summary>, where it stays as typed: a) the *first*": notebook(
        new_markdown_cell(option("a", "Right.", "the *first*") + option("b", "Wrong."))
    ),
    "Markdown in a <summary>, where it stays as typed: $x$": notebook(
        new_markdown_cell("<details><summary>$x$</summary>\n\nWrong.\n\n</details>")
    ),
    "a question whose replies begin with Wrong, Not": notebook(
        new_markdown_cell(option("a", "Wrong.") + option("b", "Not so."))
    ),
    "a question whose replies begin with Right, Right": notebook(
        new_markdown_cell(option("a", "Right.") + option("b", "Right, too."))
    ),
    "a prediction that is not one paragraph with its options": notebook(
        new_markdown_cell("**Predict.** Which?\n\n1. this\n2. that")
    ),
    "a question with the options a": notebook(new_markdown_cell(option("a", "Right."))),
    "a question with the options ac": notebook(
        new_markdown_cell(option("a", "Right.") + option("c", "Wrong."))
    ),
    "a question that begins with option b)": notebook(new_markdown_cell(option("b", "Right."))),
    "a directive, which only the page understands: {note}": notebook(
        new_markdown_cell("```{note}\nWords\n```")
    ),
    "a fence of colons, which only the page understands: :::": notebook(new_markdown_cell("Text\n\n:::\n")),
    "a role, which only the page understands: {cite:t}": notebook(
        new_markdown_cell("{cite:t}`lecun1998` did")
    ),
    "a label, which only the page understands: (place)=": notebook(new_markdown_cell("(place)=\n# Title")),
    "an equation's label, which only the page understands: (eq-a)": notebook(
        new_markdown_cell("$$\na\n$$ (eq-a)\n\nand so on")
    ),
    "a block break, which only the page understands: +++": notebook(new_markdown_cell("a\n\n+++\n\nb")),
    "a comment, which only the page understands: % a": notebook(new_markdown_cell("% a\n\nText")),
    "a footnote, which only the page understands: [^a]": notebook(new_markdown_cell("So it is.[^a]")),
    "a link without words, which only the page understands: [](#a)": notebook(
        new_markdown_cell("See [](#a).")
    ),
    "a role in the output, which only the page understands: {eq}": shows(
        new_output("display_data", {"text/markdown": "By {eq}`a`"})
    ),
    "code is hidden on the page alone": changed(lambda made: made.cells[0].metadata.pop("cellView")),
    "metadata cellView, jupyter": changed(
        lambda made: made.cells[1].metadata.update(made.cells[0].metadata, tags=[])
    ),
    "code cell 2 (x): never executed": changed(
        lambda made: made.cells[1].update(id="x", execution_count=None, outputs=[])
    ),
    "executed as number 7, not 3": changed(lambda made: made.cells[2].update(execution_count=7)),
    "empty": notebook(new_code_cell(" ")),
    "21 lines, more than 20": notebook(new_code_cell("\n".join("x" * 21))),
    "Markdown(...) shows nothing": notebook(new_code_cell('Markdown("x")\nassert True')),
    "the first code cell is not": changed(lambda made: made.cells.pop(0)),
    "the first code cell has none of the tags": changed(lambda made: made.cells[0].metadata.clear()),
    "the first code cell shows something": changed(
        lambda made: made.cells[0].update(outputs=[stream("stdout", "hello")])
    ),
    "metadata collapsed": changed(lambda made: made.cells[1].metadata.update(collapsed=True)),
    "cells without an id of their own": changed(lambda made: made.cells[1].update(id="bootstrap")),
    "not a valid notebook": changed(lambda made: made.cells[1].update(outputs=[{"output_type": "odd"}])),
}


@pytest.mark.parametrize("rule", BAD)
def test_rule_refuses(rule):
    found = problems(BAD[rule], 1000)
    assert any(rule in line for line in found), found


def test_each_bad_notebook_breaks_one_rule():
    """A rule that fires everywhere would prove nothing above."""
    for rule in set(BAD) - {"the first code cell is not"}:  # its other cells are then out of order too
        assert len(problems(BAD[rule], 1000)) == 1, rule


def test_size_is_limited():
    assert problems(notebook(), MAX_BYTES) == []
    assert "over the budget" in problems(notebook(), MAX_BYTES + 1)[0]

"""The notebook runner: a second run changes nothing, and a notebook that fails stays as it was."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import execnb
from tools.execnb import ENVIRONMENT, METADATA, clean

RUNNER = Path(__file__).resolve().parents[2] / "tools" / "execnb.py"
SHOWS = "import os\nfor i in range(3):\n    print(i, os.environ['ALEXNET_FIGURES'], flush=True)"


def write(path, *cells, **metadata):
    notebook = new_notebook(cells=list(cells), metadata=metadata)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def run(*arguments):
    command = [sys.executable, str(RUNNER), *map(str, arguments)]
    bare = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return subprocess.run(command, env=bare, capture_output=True, text=True, check=False)


def main(monkeypatch, *arguments):
    """Run it in this process, which has imported what takes seconds."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "argv", ["execnb.py", *map(str, arguments)])
    return execnb.main()


@pytest.mark.slow
def test_second_run_changes_nothing(tmp_path, monkeypatch):
    cells = [new_markdown_cell("# Title"), new_code_cell(SHOWS, metadata={"collapsed": True, "tags": ["a"]})]
    path = write(tmp_path / "a.ipynb", *cells, new_code_cell("1 + 1", id="kept"), widgets={"x": 1})
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.ipynb: 2 code cells, ")
    first = path.read_bytes()
    notebook = nbformat.reads(first.decode(), as_version=4)
    assert notebook.metadata == METADATA
    assert notebook.cells[1].metadata == {"tags": ["a"]}
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2]
    (stream,) = notebook.cells[1].outputs
    assert stream.text == "0 static\n1 static\n2 static\n"
    assert notebook.cells[2].id == "kept"
    assert main(monkeypatch, path) == 0
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["a.ipynb"]


@pytest.mark.slow
def test_kernels_search_for_garbage_as_rarely_as_tests_do(tmp_path, monkeypatch):
    path = write(tmp_path / "a.ipynb", new_code_cell("__import__('gc').get_threshold(), 'gc' in globals()"))
    assert main(monkeypatch, path) == 0
    (output,) = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells[0].outputs
    assert output.data["text/plain"] == str((gc.get_threshold(), False))
    assert gc.get_threshold() == (50_000, 20, 100)


@pytest.mark.slow
def test_failures_name_notebook_and_cell_and_change_no_file(tmp_path, monkeypatch, capsys):
    raises = write(tmp_path / "raises.ipynb", new_code_cell("1"), new_code_cell("1 / 0", id="divides"))
    slow = write(tmp_path / "slow.ipynb", new_code_cell("import time; time.sleep(60)", id="sleeps"))
    torn = tmp_path / "torn.ipynb"
    torn.write_text('{"cells": [', encoding="utf-8")
    before = {path: path.read_bytes() for path in (raises, slow, torn)}
    assert main(monkeypatch, "--timeout", 2, raises, slow, torn, tmp_path / "gone.ipynb") == 1
    said = capsys.readouterr().err
    assert "raises.ipynb failed in code cell 2 (id divides) and was left as it was:" in said
    assert "ZeroDivisionError" in said
    assert "slow.ipynb failed in code cell 1 (id sleeps) and was left as it was:" in said
    assert "torn.ipynb could not be read as a notebook:" in said
    assert "gone.ipynb could not be read as a notebook:" in said
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(tmp_path.iterdir())) == 3


def test_figures_can_be_live(monkeypatch):
    shown = []
    monkeypatch.setattr(execnb, "execute", lambda path, timeout: shown.append(os.environ["ALEXNET_FIGURES"]))
    for words in (["--figures", "live"], []):
        assert main(monkeypatch, *words, "a.ipynb") == 0
    assert shown == ["live", "static"]


def test_ids_come_from_place_and_text():
    def made():
        notebook = new_notebook(cells=[new_code_cell("1"), new_code_cell("1"), new_code_cell("2", id="kept")])
        del notebook.cells[0]["id"]
        notebook.cells[1].id = "kept"
        return notebook

    first, second = made(), made()
    clean(first)
    clean(second)
    assert [cell.id for cell in first.cells] == [cell.id for cell in second.cells]
    assert len({cell.id for cell in first.cells}) == 3


def test_code_that_a_tag_hides_on_the_page_is_hidden_in_jupyter_and_colab_and_no_other():
    opened = {"cellView": "code", "jupyter": {"source_hidden": False}, "tags": ["a", "hide-input"]}
    stale = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["a"]}
    kinds = (new_code_cell, new_code_cell, new_markdown_cell)
    made = [
        kind("1", metadata=metadata) for kind, metadata in zip(kinds, (opened, stale, opened), strict=True)
    ]
    notebook = new_notebook(cells=made)
    for _ in range(2):
        clean(notebook)
        hidden, visible, text = (cell.metadata for cell in notebook.cells)
        assert hidden == {
            "cellView": "form",
            "jupyter": {"source_hidden": True},
            "tags": ["a", "hide-input"],
        }
        assert visible == {"tags": ["a"]} and text == {"tags": ["a", "hide-input"]}


def test_help_says_what_it_does(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(monkeypatch, "--help")
    assert "Execute notebooks in place" in capsys.readouterr().out

"""The first cell of every chapter, executed where the package is missing and pip is a stand-in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tools.adopt import FILES, PLACEHOLDER, adopt, repository
from tools.first_cell import renew
from tools.notebook_rules import BOOTSTRAP

ROOT = Path(__file__).resolve().parents[2]
PIP = """
import os, pathlib, sys
here = pathlib.Path(os.environ["PYTHONPATH"])
(here / "words.txt").write_text(" ".join(sys.argv[1:]))
if "./broken" in sys.argv[-1]:
    sys.exit("ERROR: no such source")
(here / "alexnet.py").write_text("")
"""
COLAB = "import sys\nsys.modules['google.colab'] = sys\n"


@pytest.fixture(scope="module")
def adopted(tmp_path_factory) -> str:
    """The first cell of a repository that its owner has adopted."""
    root = tmp_path_factory.mktemp("adopted")
    for name in FILES:
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    adopt(root, "https://github.com/someone/course")
    return (root / "tools" / "bootstrap.py").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    """A folder whose pip is the stand-in; nothing else can be imported from it."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()  # without it the real pip would be found first
    (tmp_path / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
    return tmp_path


def run(place, cell, **environment):
    """Execute the cell, then import the package, in a Python that sees no installed packages (-S)."""
    settings = {name: value for name, value in os.environ.items() if name != "ALEXNET_SOURCE"}
    settings |= {"PYTHONPATH": str(place)} | environment
    command = [sys.executable, "-S", "-c", cell + "\nimport alexnet; assert alexnet.__file__"]
    return subprocess.run(command, cwd=place, env=settings, capture_output=True, text=True, check=False)


def said(done):
    """The sentence that the cell ended with."""
    assert done.returncode == 1 and done.stdout == ""
    return done.stderr.splitlines()[-1].removeprefix("ImportError: ")


def asked_of_pip(place):
    words = place / "words.txt"
    return words.read_text(encoding="utf-8") if words.exists() else None


def test_colab_installs_from_the_adopted_address_and_prints_nothing(place, adopted):
    done = run(place, COLAB + adopted)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked_of_pip(place) == "install --quiet git+https://github.com/someone/course"


@pytest.mark.skipif(repository(ROOT) != PLACEHOLDER, reason="this repository is adopted")
@pytest.mark.parametrize("where", [COLAB, ""], ids=["Colab", "elsewhere"])
def test_nothing_is_installed_from_an_address_that_nobody_has_adopted(place, where):
    sentence = said(run(place, where + BOOTSTRAP))
    assert "`python3 dev.py adopt https://github.com/OWNER/NAME`" in sentence
    assert "run `%pip install -e FOLDER` in a cell" in sentence
    assert asked_of_pip(place) is None and "example.invalid" not in sentence


def test_outside_colab_nothing_is_installed_unasked(place, adopted):
    sentence = said(run(place, adopted))
    assert "run `%pip install git+https://github.com/someone/course` in a cell" in sentence
    assert asked_of_pip(place) is None


def test_a_clone_around_the_notebook_is_offered(place):
    book = place / "book"
    shutil.copytree(place / "pip", book / "pip")
    (place / "dev.py").touch()
    sentence = said(run(book, BOOTSTRAP))
    assert "run `%pip install -e ..` in a cell, then restart the kernel." in sentence
    assert "adopt" not in sentence and asked_of_pip(book) is None


@pytest.mark.parametrize("cell", ["unadopted", "adopted"])
def test_another_source_can_be_named(place, adopted, cell):
    done = run(place, adopted if cell == "adopted" else BOOTSTRAP, ALEXNET_SOURCE="../my clone")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked_of_pip(place) == "install --quiet ../my clone"


def test_package_that_is_there_stays(place):
    (place / "alexnet.py").write_text("", encoding="utf-8")
    done = run(place, COLAB + BOOTSTRAP)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked_of_pip(place) is None


@pytest.mark.parametrize("before", ["", "import alexnet\n"], ids=["fresh", "already imported"])
def test_a_folder_called_alexnet_is_not_the_package(place, adopted, before):
    (place / "alexnet").mkdir()
    done = run(place, before + COLAB + adopted)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked_of_pip(place) is not None


def test_failing_pip_is_one_sentence(place):
    done = run(place, BOOTSTRAP, ALEXNET_SOURCE="./broken")
    assert said(done) == (
        "pip could not install ./broken: is there a network? "
        '`%pip install "./broken"` in a cell shows what pip says.'
    )


@pytest.mark.slow
def test_jupyter_shows_the_sentence_alone(tmp_path):
    """With the name of a package that no environment has, since that of the test has the real one."""
    cell = BOOTSTRAP.replace('"alexnet"', '"alexnet_missing"')
    notebook = new_notebook(cells=[new_code_cell(cell)])
    NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.traceback == [output.evalue] and output.evalue.startswith("alexnet is not installed")


def test_lines_fit_a_page():
    assert max(map(len, BOOTSTRAP.splitlines())) <= 88
    assert not re.search(r"unadopted.*[\"']$", BOOTSTRAP, re.MULTILINE)


def test_notebooks_are_given_the_first_cell_and_keep_the_rest(tmp_path):
    path = tmp_path / "a.ipynb"
    first = new_code_cell("old", metadata={"tags": ["a"]})
    cells = [first, new_code_cell("1", execution_count=2)]
    path.write_text(nbformat.writes(new_notebook(cells=cells)), encoding="utf-8")
    assert renew(path) and not renew(path)
    now = nbformat.read(path, as_version=4)
    assert [cell.source for cell in now.cells] == [BOOTSTRAP, "1"]
    first.source = BOOTSTRAP
    assert now.cells == cells

"""`pytest` runs the unit tests and `pytest --nbval` the notebooks, from wherever they are started."""

import gzip
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
# By its path, because tests/conftest.py has the same name, and pytest keeps the one that it read last.
spec = importlib.util.spec_from_file_location("conftest_of_the_project", ROOT / "conftest.py")
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)


def collected(folder, *words):
    """Ask pytest, started in a folder, what it would run."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--collect-only", "-q", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def num_code_cells(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(cell["cell_type"] == "code" for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("folder", [ROOT, BOOK], ids=["root", "book"])
def test_all_cells_of_the_book_are_tested_and_nothing_else(folder):
    cells = collected(folder)
    assert all(".ipynb::Cell" in cell for cell in cells)
    assert len(cells) == sum(num_code_cells(notebook) for notebook in BOOK.glob("*.ipynb")) > 400


def test_a_notebook_may_be_named_by_its_absolute_path(tmp_path):
    notebook = BOOK / "01-start-here.ipynb"
    assert len(collected(tmp_path, notebook)) == num_code_cells(notebook)


@pytest.mark.parametrize("content", [gzip.compress(b"holds the time")])
def test_names_of_tests_are_the_same_in_every_process(content, request):
    assert request.node.name == "test_names_of_tests_are_the_same_in_every_process[content]"


def configured(monkeypatch, tmp_path, environment=None, source=pytest.Config.ArgsSource.ARGS, **options):
    """What conftest.py makes of options and of an environment, from a folder that has no tests."""
    for name in conftest.ENVIRONMENT.keys() | {"MPLBACKEND", "OMP_NUM_THREADS"}:
        monkeypatch.setenv(name, "")  # so that they come back after the test
        monkeypatch.delenv(name)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    for name, value in (environment or {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    option = SimpleNamespace(**{"nbval": False, "nbval_lax": False, "nbval_sanitize_with": None} | options)
    kinds = pytest.Config.ArgsSource
    config = SimpleNamespace(option=option, args_source=source, ArgsSource=kinds, args=["given"])
    conftest.pytest_configure(config)
    option.args = config.args
    return option


@pytest.mark.parametrize("way", ["nbval", "nbval_lax"])
def test_paths_on_the_command_line_come_first(monkeypatch, tmp_path, way):
    sources = pytest.Config.ArgsSource
    assert configured(monkeypatch, tmp_path, **{way: True}).args == ["given"]
    assert configured(monkeypatch, tmp_path, source=sources.TESTPATHS, **{way: True}).args == [str(BOOK)]
    assert configured(monkeypatch, tmp_path, source=sources.TESTPATHS).args == ["given"]


@pytest.mark.parametrize("way", ["nbval", "nbval_lax"])
def test_outputs_are_compared_by_the_same_rules_from_everywhere(monkeypatch, tmp_path, way):
    option = configured(monkeypatch, tmp_path, **{way: True})
    assert Path(option.nbval_sanitize_with).read_text(encoding="utf-8").startswith("# What nbval replaces")
    assert configured(monkeypatch, tmp_path, nbval=True, nbval_sanitize_with="x").nbval_sanitize_with == "x"


def test_kernels_share_the_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(conftest, "usable_cores", lambda: 6)
    threads = {}
    for workers in ("1", "2", "4", "8"):
        configured(monkeypatch, tmp_path, {"PYTEST_XDIST_WORKER_COUNT": workers}, nbval=True)
        threads[workers] = os.environ.get("OMP_NUM_THREADS")
    assert threads == {"1": None, "2": "3", "4": "1", "8": "1"}
    configured(monkeypatch, tmp_path, {"PYTEST_XDIST_WORKER_COUNT": "2", "OMP_NUM_THREADS": "2"}, nbval=True)
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_the_longest_files_begin(monkeypatch, tmp_path):
    places = {".py": ROOT / "tests", ".ipynb": BOOK}
    assert all(len(list(places[Path(name).suffix].rglob(name))) == 1 for name in conftest.LONGEST)
    names = ["test_a.py", *conftest.LONGEST[::-1], "test_b.py", "test_a.py"]
    items = [SimpleNamespace(path=tmp_path / name) for name in names]
    conftest.pytest_collection_modifyitems(items)
    assert [item.path.name for item in items] == [*conftest.LONGEST, "test_a.py", "test_b.py", "test_a.py"]
    for nbval in (False, True):
        assert configured(monkeypatch, tmp_path, nbval=nbval).loadscopereorder is False


def test_unit_tests_have_one_thread_and_no_screen(monkeypatch, tmp_path):
    configured(monkeypatch, tmp_path)
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MPLBACKEND"]) == ("1", "agg")
    configured(monkeypatch, tmp_path, nbval=True)
    assert "inline" in os.environ["MPLBACKEND"]


def test_no_more_processes_than_the_memory_of_a_large_machine_holds(monkeypatch):
    def asked(expression):
        return SimpleNamespace(option=SimpleNamespace(markexpr=expression))

    for cores, workers in ((1, 2), (2, 3), (64, 8)):
        monkeypatch.setattr(conftest, "usable_cores", lambda cores=cores: cores)
        assert conftest.pytest_xdist_auto_num_workers(asked("")) == workers
        assert conftest.pytest_xdist_auto_num_workers(asked("not slow")) == min(cores, 8)

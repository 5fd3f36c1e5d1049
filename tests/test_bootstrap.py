"""The first cell of every chapter, executed where the package is missing and pip is a stand-in."""

import os
import re
import subprocess
import sys

import pytest

from tools.notebook_rules import BOOTSTRAP

PIP = """
import os, pathlib, sys
here = pathlib.Path(os.environ["PYTHONPATH"])
(here / "words.txt").write_text(" ".join(sys.argv[1:]))
if "./broken" in sys.argv[-1]:
    sys.exit("ERROR: no such source")
(here / "alexnet.py").write_text("")
"""


@pytest.fixture
def place(tmp_path):
    """A folder whose pip is the stand-in; nothing else can be imported from it."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()  # without it the real pip would be found first
    (tmp_path / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
    return tmp_path


def run(place, **environment):
    """Execute the cell, then import the package, in a Python that sees no installed packages (-S)."""
    settings = {name: value for name, value in os.environ.items() if name != "ALEXNET_SOURCE"}
    settings |= {"PYTHONPATH": str(place)} | environment
    command = [sys.executable, "-S", "-c", BOOTSTRAP + "\nimport alexnet"]
    return subprocess.run(command, cwd=place, env=settings, capture_output=True, text=True, check=False)


def test_missing_package_is_installed_and_nothing_printed(place):
    done = run(place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    address = re.search(r"https://[^\"]+", BOOTSTRAP).group()
    assert (place / "words.txt").read_text(encoding="utf-8") == f"install --quiet git+{address}"


def test_another_source_can_be_named(place):
    assert run(place, ALEXNET_SOURCE="../my clone").returncode == 0
    assert (place / "words.txt").read_text(encoding="utf-8") == "install --quiet ../my clone"


def test_package_that_is_there_stays(place):
    (place / "alexnet.py").write_text("", encoding="utf-8")
    done = run(place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (place / "words.txt").exists()


def test_failing_pip_is_reported(place):
    done = run(place, ALEXNET_SOURCE="./broken")
    assert done.returncode != 0
    assert "RuntimeError: pip could not install ./broken:\nERROR: no such source" in done.stderr

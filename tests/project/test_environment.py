"""pyproject.toml, requirements.lock and environment.yml agree; the package holds all it must, no data set."""

import ctypes
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import warnings
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dev

ROOT = Path(__file__).resolve().parents[2]
CODE = [path for path in (ROOT / "alexnet").rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
MEASURED = [path for folder in ("records", "weights") for path in (ROOT / "data" / folder).rglob("*.*")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYTHONS = tuple(f"3.{minor}" for minor in range(11, dev.NEWEST[1] + 1))
SYSTEMS = [(python, system) for python in PYTHONS for system in ("linux", "darwin", "win32")]


def disagreements(project: dict, lock: str, python: str, system: str) -> list[str]:
    """Requirements of a project, extras included, that a lock does not meet on one Python and system."""
    here = default_environment() | {"python_version": python, "python_full_version": f"{python}.9"}
    here |= {"sys_platform": system, "os_name": "nt" if system == "win32" else "posix"}
    pinned = {}
    for line in lock.splitlines():
        if line and not line.startswith("#"):
            entry = Requirement(line)
            if entry.marker is None or entry.marker.evaluate(here):
                pinned.setdefault(canonicalize_name(entry.name), []).append(str(entry.specifier))
    found = []
    for text in project["dependencies"] + sum(project["optional-dependencies"].values(), []):
        asked = Requirement(text)
        versions = pinned.get(canonicalize_name(asked.name), [])
        if len(versions) != 1 or not versions[0].startswith("=="):
            found.append(f"{text}: the lock has {versions}, not one version")
        elif not asked.specifier.contains(versions[0].removeprefix("==")):
            found.append(f"{text}: the lock has {versions[0]}")
    return found


@pytest.mark.parametrize(("python", "system"), SYSTEMS)
def test_lock_meets_every_range(python, system):
    assert disagreements(PROJECT, LOCK, python, system) == []


def test_lock_keeps_what_is_held_back():
    held = PYPROJECT["tool"]["uv"]["constraint-dependencies"]
    project = {"dependencies": held, "optional-dependencies": {}}
    assert held and disagreements(project, LOCK, "3.12", "linux") == []
    newer = re.sub("jsonschema==.*", "jsonschema==4.26.0", LOCK)
    assert disagreements(project, newer, "3.12", "linux") == ["jsonschema<4.25: the lock has ==4.26.0"]


def test_lock_that_is_behind_is_seen():
    project = {"dependencies": ["a>=2", "b", "c<3"], "optional-dependencies": {"x": ["d"]}}
    lock = "a==1.9\nb>=1\nc==2.0 ; sys_platform == 'win32'\nd==1.0\n"
    found = [line.split(":")[0] for line in disagreements(project, lock, "3.12", "linux")]
    assert found == ["a>=2", "b", "c<3"]
    assert disagreements(project, lock.replace("1.9", "2.1").replace(">=", "=="), "3.12", "win32") == []


def test_lock_names_packages_alone():
    for line in LOCK.splitlines():
        assert re.match(r"#|[a-z0-9-]+==[\w.]+( ; .*)?$", line), f"not a pinned package: {line}"


def test_environment_yml_says_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    from_conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (from_pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    (python,) = [Requirement(entry) for entry in from_conda if entry.startswith("python")]
    assert PROJECT["requires-python"] in str(python.specifier).split(",")
    minors = [f"3.{minor}" for minor in range(9, 20)]
    assert [minor for minor in minors if python.specifier.contains(f"{minor}.1")] == list(PYTHONS)
    assert from_pip == ["-r requirements.lock", "-e ."]  # the lock has the extras too
    assert all((ROOT / entry.split()[1]).exists() for entry in from_pip)


def test_the_warning_of_python_3_14_about_mini_racer_is_named_and_no_wider():
    import py_mini_racer._objects  # noqa: F401  (its packed structures)

    text = "Due to '_pack_', the {!r} Structure will use memory layout compatible with MSVC (Windows)."
    structures = [kind for kind in ctypes.Structure.__subclasses__() if "py_mini_racer" in kind.__module__]
    packed = [kind.__name__ for kind in structures if hasattr(kind, "_pack_")]
    assert packed
    for name in packed:
        warnings.warn(text.format(name), DeprecationWarning, stacklevel=1)
    with pytest.raises(DeprecationWarning):
        warnings.warn(text.format("Another"), DeprecationWarning, stacklevel=1)


def test_ranges_leave_colab_as_it_is():
    """The package must not ask for newer versions than a Colab image of July 2025 has."""
    colab = {"torch": "2.6.0", "torchvision": "0.21.0", "numpy": "2.0.2", "matplotlib": "3.10.0"}
    colab |= {"ipython": "7.34.0", "ipywidgets": "7.7.1"}
    asked = {canonicalize_name(r.name): r.specifier for r in map(Requirement, PROJECT["dependencies"])}
    assert [name for name, version in colab.items() if not asked[name].contains(version)] == []


def test_jupyter_book_2_stops_with_a_sentence():
    """It takes any version but 1 of its own settings for a mistake, and quotes it."""
    guard = yaml.safe_load((ROOT / "myst.yml").read_text(encoding="utf-8"))
    assert set(guard) == {"version"} and "`pip install 'jupyter-book<2'`" in guard["version"]
    (asked,) = [text for text in PROJECT["optional-dependencies"]["book"] if "jupyter-book" in text]
    assert not Requirement(asked).specifier.contains("2.0")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    """Names of the files in the wheel, built from the tree as it is, with a data set lying in data/."""
    out = tmp_path_factory.mktemp("wheel")
    tree = copy_of_the_package(out / "tree")
    (tree / "data" / "cifar10.npz").write_bytes(b"a data set")
    (tree / "data" / "cifar10").mkdir()
    (tree / "data" / "cifar10" / "image.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-c", "from setuptools import build_meta as b; b.build_wheel('..')"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


@pytest.mark.slow
def test_sdist_holds_the_project(tmp_path):
    """Whoever unpacks it can run the tests and build the book."""
    folders = (
        "alexnet",
        "benchmarks",
        "book",
        "data/recipes",
        "data/records",
        "data/weights",
        "tests",
        "tools",
    )
    folders += (".github", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    paths += [
        path for path in ROOT.glob("*") if path.suffix in (".cff", ".lock", ".md", ".py", ".toml", ".yml")
    ]
    paths += [ROOT / name for name in ("LICENSE", "MANIFEST.in", "data/README.md", "data/__init__.py")]
    generated = {"__pycache__", ".ipynb_checkpoints", "_build"}
    files = [path for path in paths if path.is_file() and not generated & set(path.parts)]
    names = {path.relative_to(ROOT).as_posix() for path in files}
    for path in files:
        (tmp_path / "tree" / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "tree" / path.relative_to(ROOT))
    (tmp_path / "tree" / "data" / "cifar10.npz").write_bytes(b"a data set")
    command = [sys.executable, "-c", "from setuptools import build_meta as b; b.build_sdist('..')"]
    done = subprocess.run(command, cwd=tmp_path / "tree", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        held = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    assert names - held == set()
    assert {name for name in held if name.startswith("data/")} <= names


def copy_of_the_package(tree: Path) -> Path:
    """What a wheel is built from, without the folders that a build leaves behind."""
    files = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    files += [*CODE, *(ROOT / "data").glob("*.py"), *MEASURED]
    for path in files:
        target = tree / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tree


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_package(wheel):
    files = {path.relative_to(ROOT).as_posix() for path in CODE}
    assert files <= set(wheel), "add what is missing to packages or package-data in pyproject.toml"


@pytest.mark.slow
def test_wheel_says_that_the_package_has_types(wheel):
    assert "alexnet/py.typed" in wheel


@pytest.mark.slow
def test_wheel_holds_every_record_and_the_trained_networks(wheel):
    measured = {f"alexnet/_data/{path.relative_to(ROOT / 'data').as_posix()}" for path in MEASURED}
    assert "alexnet/_data/records/relu-vs-tanh.json" in measured and measured <= set(wheel)


@pytest.mark.slow
def test_wheel_holds_no_data_set(wheel):
    beyond = {name for name in wheel if name.startswith("alexnet/_data/")}
    measured = {f"alexnet/_data/{path.relative_to(ROOT / 'data').as_posix()}" for path in MEASURED}
    assert beyond - measured == {"alexnet/_data/__init__.py"}
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"alexnet"}


@pytest.mark.slow
def test_wheel_offers_the_command_alexnet():
    assert PROJECT["scripts"] == {"alexnet": "alexnet.cli.main:main"}

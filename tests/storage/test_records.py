"""Records: whole or not at all, and back again unchanged."""

import json
import shutil
import subprocess
from dataclasses import asdict
from importlib import resources
from types import SimpleNamespace

import pytest
import torch

from alexnet.storage import files, records

RECORD = records.Record(
    experiment="toy",
    scale="two numbers, one seed",
    data={"name": "none"},
    config={"rate": 0.1},
    seeds=[0],
    environment=records.environment(),
    seconds=1.5,
    results={"value": [1, 2.5, None]},
)


def test_a_record_comes_back_unchanged(tmp_path):
    path = tmp_path / "new" / "toy.json"
    RECORD.save(path)
    assert records.load(path) == RECORD


def test_the_environment_says_where_it_ran():
    environment = RECORD.environment
    assert environment["torch"] and environment["python"] and environment["device"].startswith("cpu: ")
    assert (
        environment["threads"] >= 1 and environment["instructions"] == torch.backends.cpu.get_cpu_capability()
    )


@pytest.fixture
def asked_anew():
    records.commit.cache_clear()
    yield
    records.commit.cache_clear()


def test_a_record_names_the_commit_of_a_clone(tmp_path, monkeypatch, asked_anew):
    def git(*words):
        done = subprocess.run(["git", "-C", tmp_path, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    code = tmp_path / "alexnet" / "__init__.py"
    code.parent.mkdir()
    code.touch()
    trials = tmp_path / "data" / "records" / "trials" / "parts.jsonl"
    trials.parent.mkdir(parents=True)
    trials.touch()
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=b", "-c", "commit.gpgsign=false", "commit", "-qm", "first")
    monkeypatch.setattr(records.alexnet, "__file__", str(code))
    trials.write_text("{}", encoding="utf-8")  # as every campaign does; the code is the commit's
    assert records.commit() == git("rev-parse", "HEAD")[:12]
    code.write_text("changed = 1", encoding="utf-8")
    records.commit.cache_clear()
    assert records.commit() == git("rev-parse", "HEAD")[:12] + "-dirty"
    records.commit.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))  # no git there
    assert records.commit() is None


@pytest.mark.parametrize(
    ("direct_url", "commit"),
    [
        ('{"url": "https://example.org", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}}', "0123abc"),
        ('{"url": "file:///there", "dir_info": {}}', None),
        (None, None),
    ],
)
def test_a_record_names_the_commit_that_pip_installed(tmp_path, monkeypatch, asked_anew, direct_url, commit):
    monkeypatch.setattr(records.alexnet, "__file__", str(tmp_path / "alexnet" / "__init__.py"))
    installed = SimpleNamespace(read_text=lambda _: direct_url)
    monkeypatch.setattr(records.metadata, "distribution", lambda _: installed)
    assert records.commit() == commit


def test_a_failed_save_leaves_the_old_record_and_nothing_else(tmp_path):
    path = tmp_path / "toy.json"
    RECORD.save(path)
    with pytest.raises(ValueError):
        files.write_json(path, {"error": float("nan")})
    assert records.load(path) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == ["toy.json"]


def test_a_missing_record_is_named():
    with pytest.raises(FileNotFoundError, match="no record 'nonsense'"):
        records.load("nonsense")


def test_a_file_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"experiment": "toy"}))
    with pytest.raises(ValueError, match="other.json is not a record"):
        records.load(path)
    path.write_bytes(bytes(100))
    with pytest.raises(ValueError, match="other.json is not a record"):
        records.load(path)
    with pytest.raises(FileNotFoundError, match="no record .*none.json'; a training writes it"):
        records.load(tmp_path / "none.json")


def test_a_record_of_a_newer_version_is_called_newer(tmp_path):
    newer = asdict(records.load("relu-vs-tanh")) | {"carbon": 3}
    (tmp_path / "a.json").write_text(json.dumps(newer), encoding="utf-8")
    with pytest.raises(files.NewerFormat, match="by a newer .* it has carbon; upgrade alexnet to use it"):
        records.load(tmp_path / "a.json")


def test_every_committed_record_loads():
    names = [
        p.name for p in (resources.files("alexnet._data") / "records").iterdir() if p.name.endswith(".json")
    ]
    assert names
    for name in names:
        assert records.load(name.removesuffix(".json")).experiment == name.removesuffix(".json")

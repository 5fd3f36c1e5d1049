"""dev.py: the set-up is whole or begun anew, every stage runs, mistakes are answered in one sentence."""

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

import dev
from tools.adopt import FILES, PLACEHOLDER, adopt, repository

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """dev.py in a folder of its own, where commands are noted, not run; `statuses` says how they end."""
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    venv = tmp_path / ".venv"
    paths = {"ROOT": tmp_path, "VENV": venv, "BIN": venv / "bin", "PYTHON": venv / "bin" / "python"}
    for name, value in (paths | {"STAMP": venv / "dev.json", "LOCK": tmp_path / "requirements.lock"}).items():
        monkeypatch.setattr(dev, name, value)
    project = type("Project", (), {"folder": tmp_path, "ran": [], "statuses": {}})()

    def run(*command, **settings):
        words = " ".join(str(word) for word in command)
        project.ran.append(words)
        if "venv" in words.split():
            dev.BIN.mkdir(parents=True)
            dev.PYTHON.touch()
        return next((status for part, status in project.statuses.items() if part in words), 0)

    monkeypatch.setattr(dev, "run", run)
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    return project


def steps(project):
    """What the last set-up did: v(env), r(equirements), e(ditable), in order."""
    marks = {"-m venv": "v", "uv venv": "v", "requirements.lock": "r", " -e ": "e"}
    done = "".join(mark for words in project.ran for part, mark in marks.items() if part in words)
    project.ran.clear()
    return done


def test_set_up_is_made_once(project):
    dev.set_up()
    assert project.ran[0] == f"{sys.executable} -m venv {dev.VENV}"
    assert project.ran[1].startswith(f"{dev.PYTHON} -m pip install")
    assert steps(project) == "vre"
    dev.set_up()
    assert steps(project) == ""


def test_uv_is_used_where_it_is(project, monkeypatch):
    monkeypatch.setattr(dev.shutil, "which", lambda name: name)
    dev.set_up()
    assert all(words.startswith("uv ") for words in project.ran)
    assert steps(project) == "vre"


def installed(project):
    """The words after `install` of the last step that installed the lock, and the packages it named."""
    (words,) = [words for words in project.ran if "requirements" in words]
    path = Path(words.split(" -r ")[1])
    return words, {re.split("==| ", line)[0] for line in path.read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize(
    ("uv", "words"),
    [
        ("uv", "--torch-backend cpu"),
        (None, "--extra-index-url https://download.pytorch.org/whl/cpu"),
    ],
)
def test_pytorch_for_the_cpu_comes_without_cuda(project, monkeypatch, uv, words):
    monkeypatch.setattr(dev.shutil, "which", lambda name: uv)
    dev.set_up()
    ran, everything = installed(project)
    assert words not in ran
    project.ran.clear()
    dev.set_up(cpu=True)
    ran, without = installed(project)
    assert f" {words} -r " in ran and " venv " in project.ran[0]  # anew: pip takes either torch
    asked = Path(ran.split(" -r ")[1]).read_text(encoding="utf-8")
    assert re.search(r"^torch==[\d.]+\+cpu ; sys_platform != 'darwin'$", asked, re.MULTILINE)
    left_out = everything - without
    assert {"torch", "torchvision", "numpy"} <= without and {"triton", "nvidia-nccl-cu13"} <= left_out
    # The PyTorch of the lock, where it is installed with CUDA, tells by its own requirements.
    if f"torch=={metadata.version('torch')}" in dev.LOCK.read_text(encoding="utf-8").splitlines() and any(
        "nvidia" in line for line in requirements("torch")
    ):
        assert left_out <= needs("torch"), "only what PyTorch asks for may be left out"


def needs(name: str) -> set[str]:
    """What an installed package requires, and what that requires, as far as it is installed here."""
    found, new = set(), {name}
    while new:
        found |= new
        asked = [line for package in new for line in requirements(package)]
        new = {re.split(r"[\s\[;<=>!~]", line)[0].lower() for line in asked} - found
    return found


def requirements(name):
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def test_the_kind_of_pytorch_stays_until_the_other_is_asked_for(project):
    dev.set_up(cpu=True)
    steps(project)
    dev.set_up()
    assert steps(project) == ""
    dev.LOCK.write_text("new==1\n", encoding="utf-8")
    project.statuses["requirements"] = 1
    with pytest.raises(SystemExit):
        dev.set_up()
    project.statuses.clear()
    project.ran.clear()
    dev.set_up()
    assert "--extra-index-url" in installed(project)[0]
    project.ran.clear()
    dev.set_up(cpu=False)
    assert "--extra-index-url" not in installed(project)[0] and " venv " in project.ran[0]


def test_the_kind_of_pytorch_stays_where_the_python_is_gone(project):
    dev.set_up(cpu=True)
    dev.PYTHON.unlink()
    steps(project)
    project.ran.clear()
    dev.set_up()
    assert "--extra-index-url" in installed(project)[0]


def test_environment_of_an_earlier_dev_py_is_kept(project):
    dev.set_up()
    stamp = json.loads(dev.STAMP.read_text(encoding="utf-8"))
    del stamp["torch"]
    dev.STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    steps(project)
    dev.set_up()
    assert steps(project) == "re"


@pytest.mark.parametrize(
    ("words", "cpu"), [(["book"], None), (["test", "--cpu"], True), (["run", "--no-cpu"], False)]
)
def test_every_verb_with_an_environment_takes_cpu(monkeypatch, words, cpu):
    asked = []
    monkeypatch.setattr(dev, "set_up", asked.append)
    monkeypatch.setattr(sys, "argv", ["dev.py", *words])
    monkeypatch.setattr(dev, "run", lambda *command, **settings: 0)
    dev.main()
    assert asked == [cpu]


def test_failed_set_up_speaks_of_the_network_and_of_a_python_that_is_too_new(project, monkeypatch):
    project.statuses["requirements.lock"] = 1
    with pytest.raises(SystemExit, match="needs a network") as caught:
        dev.set_up()
    assert "3.11 to 3.14" not in str(caught.value)
    newer = type("Version", (tuple,), {"releaselevel": "final"})((3, 15, 0))
    monkeypatch.setattr(dev.sys, "version_info", newer)
    with pytest.raises(SystemExit, match="packages are made for Python 3.11 to 3.14, and this is newer.$"):
        dev.set_up()


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_packages_are_installed_again(project, name):
    dev.set_up()
    steps(project)
    path = project.folder / name
    path.write_text(path.read_text(encoding="utf-8").replace("tqdm", "tqdm2"), encoding="utf-8")
    dev.set_up()
    assert steps(project) == "re"


def test_settings_of_other_tools_change_nothing(project):
    dev.set_up()
    steps(project)
    path = project.folder / "pyproject.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("line-length = 110", "line-length = 99"), "utf-8"
    )
    dev.set_up()
    assert steps(project) == ""


@pytest.mark.parametrize("part", ["venv", "requirements.lock", " -e "])
def test_failed_set_up_is_begun_anew(project, part):
    project.statuses[part] = 1
    with pytest.raises(SystemExit, match=r"^dev.py: (making|installing) .* failed \(exit status 1\)"):
        dev.set_up()
    project.statuses.clear()
    project.ran.clear()
    left = dev.VENV / "left over from the failed set-up"
    left.touch()
    dev.set_up()
    assert steps(project) == "vre"
    assert not left.exists()


def test_failed_update_is_begun_anew(project):
    dev.set_up()
    dev.LOCK.write_text("new==1\n", encoding="utf-8")
    project.statuses["requirements.lock"] = 1
    with pytest.raises(SystemExit):
        dev.set_up()
    project.statuses.clear()
    project.ran.clear()
    dev.set_up()
    assert steps(project) == "vre"


def test_another_python_or_folder_begins_anew(project):
    dev.set_up()
    stamp = json.loads(dev.STAMP.read_text(encoding="utf-8"))
    dev.STAMP.write_text(json.dumps(stamp | {"base": "Python 3.10.1 in /elsewhere"}), encoding="utf-8")
    steps(project)
    dev.set_up()
    assert steps(project) == "vre"


def test_environment_of_someone_else_is_left_alone(project):
    dev.VENV.mkdir()
    with pytest.raises(SystemExit, match="was not made by dev.py; rename or delete it"):
        dev.set_up()
    assert project.ran == []


def test_every_stage_runs_after_a_failure(project, capsys):
    project.statuses = {"ruff check": 1, "--nbval": 5}
    with pytest.raises(SystemExit, match="^dev.py: failed: lint, tests.$"):
        dev.test(dev.parser().parse_args(["test"]))
    assert len(project.ran) == len(dev.WHOLE) == 4
    assert capsys.readouterr().out.count("passed") == 2


def test_stages_cover_the_tests(project):
    dev.test(dev.parser().parse_args(["test"]))
    assert f"{dev.PYTHON} -m pytest --nbval tests book -n auto --dist loadfile" in project.ran
    dev.test(dev.parser().parse_args(["test", "unit", "slow", "pages", "notebooks", "browser"]))
    others = ["tests/pages", "tests/browser"]
    leaving = " ".join(f"--ignore={folder}" for folder in others)
    for chosen in ("not slow", "slow"):
        assert f"{dev.PYTHON} -m pytest tests {leaving} -m {chosen} -n auto --dist loadfile" in project.ran
    for folder in others:
        assert any(words.startswith(f"{dev.PYTHON} -m pytest {folder}") for words in project.ran)
    assert f"{dev.PYTHON} -m pytest --nbval -n auto --dist loadfile" in project.ran
    assert all((ROOT / name).exists() for name in dev.CODE)


def test_types_are_checked_against_the_packages_of_the_environment():
    """Without a path, pyrefly would read those of whatever environment is active."""
    *command, python = dev.STAGES["types"]
    assert command == ["pyrefly", "check", "--python-interpreter-path"]
    assert Path(python).is_relative_to(ROOT / ".venv")


def test_stages_are_run_alone_by_name(project, capsys):
    dev.test(dev.parser().parse_args(["test", "format", "lint"]))
    assert [words.split("-m ")[1] for words in project.ran] == [
        f"ruff format --check {' '.join(dev.CODE)}",
        f"ruff check {' '.join(dev.CODE)}",
    ]
    assert capsys.readouterr().out.count("passed") == 2


def test_stages_are_told_to_contributors():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(dev.STAGES)


def test_hooks_before_a_commit_are_the_quick_stages():
    """What they check is what `dev.py test` checks, since they run it."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    ran = {hook["id"]: hook["entry"] for hook in hooks[0]["hooks"]}
    assert ran == {name: f"python3 dev.py test {name}" for name in ("lint", "format")}
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks[0]["hooks"])
    for entry in ran.values():
        assert dev.parser().parse_args(entry.split()[2:]).act is dev.test


def test_other_machines_have_a_table_and_margins(project):
    project.statuses = {"tools.machines": 1}
    with pytest.raises(SystemExit, match="^dev.py: failed: machines.$"):
        dev.test(dev.parser().parse_args(["test", "--machines"]))
    assert project.ran == [f"{dev.PYTHON} -m tools.{tool}" for tool in ("machines", "margins")]
    with pytest.raises(SystemExit, match="^dev.py: --machines runs all .*: leave out the option or the st"):
        dev.test(dev.parser().parse_args(["test", "lint", "--machines"]))


def say(*words):
    return subprocess.run(
        [sys.executable, ROOT / "dev.py", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["boook"], "dev.py: argument VERB: invalid choice: 'boook'"),
        ([], "dev.py: the following arguments are required: VERB;"),
        (
            ["test", "units"],
            "dev.py: argument STAGE: there is no stage 'units'; the stages are lint, format, ",
        ),
        (
            ["adopt", "gitlab.com/a/b"],
            "dev.py: the address must be https://github.com/OWNER/NAME with your own owner and name, got",
        ),
    ],
)
def test_wrong_command_is_answered_in_one_sentence(words, sentence):
    done = say(*words)
    assert done.returncode != 0
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_help_names_every_verb():
    shown = say("--help").stdout
    assert [verb for verb in ("book", "test", "run", "lock", "adopt") if f"dev.py {verb}" not in shown] == []


def test_old_python_is_answered_in_one_sentence():
    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    command = "import sys; sys.version_info = (3, 9, 1); exec(sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", command], input=source, capture_output=True, text=True, check=False
    )
    assert done.stderr == "dev.py needs Python 3.11 or later and this is 3.9: start it with a newer one.\n"
    assert done.returncode == 1


def test_missing_program_is_named(capfd):
    assert dev.run("no-such-program-here") == 127
    assert "no-such-program-here could not be started" in capfd.readouterr().err


@pytest.fixture
def clone(tmp_path):
    """A copy of the files that adopt may change, with a notebook of its own that has hard cases."""
    for name in FILES + [path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("*.ipynb")]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    held = repository(ROOT)
    (tmp_path / "book" / "99-new.ipynb").write_bytes(f'"git+{held}"\r\n {held}-not-ours'.encode())
    return tmp_path


def contents(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_adopt_rewrites_every_mention(clone):
    before, old = contents(clone), repository(ROOT)
    changed = adopt(clone, "https://github.com/someone/their-copy.git")
    after = contents(clone)
    assert {"_config.yml", "pyproject.toml", "CITATION.cff", "tools/bootstrap.py"} <= set(changed)
    assert set(changed) == {name for name in before if after[name] != before[name]}
    assert repository(clone) == "https://github.com/someone/their-copy"
    notebook = f'"git+https://github.com/someone/their-copy"\r\n {old}-not-ours'
    assert after.pop("book/99-new.ipynb") == notebook.encode()
    assert [name for name, text in after.items() if old.encode() in text] == []
    assert adopt(clone, "https://github.com/someone/their-copy") == []


@pytest.mark.slow
def test_adopting_twice_is_adopting_the_second(clone):
    name = clone / "book" / "98-links.ipynb"
    adopt(clone, "https://github.com/first/one")
    name.write_text("https://x.org/github/first/one/blob and https://first.github.io/one/", encoding="utf-8")
    adopt(clone, "https://github.com/second/two")
    assert name.read_text(encoding="utf-8") == (
        "https://x.org/github/second/two/blob and https://second.github.io/two/"
    )
    name.unlink()
    twice = contents(clone)
    assert [file for file, text in twice.items() if b"first/one" in text] == []
    assert yaml.safe_load(twice["_config.yml"])["repository"]["url"] == "https://github.com/second/two"


@pytest.mark.skipif(repository(ROOT) != PLACEHOLDER, reason="this repository is adopted")
def test_until_adopted_pages_offer_no_button_and_say_what_to_do(clone):
    command = "`python3 dev.py adopt https://github.com/OWNER/NAME`"
    told = ["README.md", "book/01-start-here.ipynb"]
    settings = yaml.safe_load((clone / "_config.yml").read_text(encoding="utf-8"))
    assert not {"repository", "launch_buttons", "html"} & set(settings)
    assert [name for name in told if command not in (clone / name).read_text(encoding="utf-8")] == []
    adopt(clone, "https://github.com/someone/course")
    settings = yaml.safe_load((clone / "_config.yml").read_text(encoding="utf-8"))
    assert settings["launch_buttons"]["colab_url"] and settings["html"]["use_repository_button"]
    files = contents(clone)
    assert [name for name in told if command.encode() in files[name]] == []
    assert [name for name, text in files.items() if b"unadopted" in text or b"# adopted" in text] == []
    for name in [name for name in files if name.endswith(".ipynb") and "99" not in name]:
        assert json.loads(files[name])["cells"], name


def test_the_placeholder_is_nobodys():
    """Hosts in .invalid never exist (RFC 2606); an account at a real host may be anybody's tomorrow."""
    assert urlsplit(PLACEHOLDER).hostname.endswith(".invalid")


@pytest.mark.parametrize("url", ["https://github.com/OWNER/NAME", PLACEHOLDER, "https://github.com/a", "a/b"])
def test_only_addresses_of_github_are_adopted(clone, url):
    before = contents(clone)
    with pytest.raises(ValueError, match="the address must be https://github.com/OWNER/NAME with your own"):
        adopt(clone, url)
    assert contents(clone) == before


def test_check_holds_publishing_back_until_the_address_is_this_repositorys(clone, monkeypatch, capsys):
    monkeypatch.setattr(dev, "ROOT", clone)

    def check(url):
        monkeypatch.setattr(sys, "argv", ["dev.py", "adopt", "--check", url])
        dev.main()

    before = contents(clone)
    with pytest.raises(
        SystemExit, match=r"^dev.py: the files name .*: run `python3 dev.py adopt https://git"
    ):
        check("https://github.com/Someone/Course")
    assert contents(clone) == before
    adopt(clone, "https://github.com/someone/course")
    check("https://github.com/Someone/Course")
    with pytest.raises(SystemExit, match="name https://github.com/someone/course: run"):
        check("https://github.com/someone/fork")
    assert capsys.readouterr().out == ""


def test_a_clone_is_in_the_folder_that_is_entered():
    """The command names the folder, so that it is right whatever the repository is called."""
    found = []
    for path in (ROOT / "book").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            found += re.findall(r"^git clone \S+(.*)\ncd (.+)$", "".join(cell["source"]), re.MULTILINE)
    assert found and all(folder.strip() == entered for folder, entered in found)


def test_adopt_reaches_every_committed_mention():
    """A file that names the repository and is not rewritten would keep leading to the original."""
    old = "/".join(repository(ROOT).split("/")[-2:])
    suffixes = {".py", ".md", ".yml", ".cff", ".toml", ".ipynb", ".cfg"}
    folders = ("alexnet", "book", "data", "tools", "tests", ".github")
    paths = [*ROOT.glob("*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.is_file() and path.suffix in suffixes and old in path.read_text(encoding="utf-8")
    }
    assert {name for name in naming if not name.startswith("book/")} - {"tools/adopt.py"} <= set(FILES)


@pytest.mark.parametrize("instructions", ["AVX512", "AVX2"])
def test_bench_runs_every_script_and_then_the_table(project, monkeypatch, tmp_path, instructions):
    monkeypatch.setattr(dev, "set_up", lambda cpu: None)
    monkeypatch.setattr(sys, "argv", ["dev.py", "bench", "--images", str(tmp_path)])
    results = dev.ROOT / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "lrn.json").write_text(json.dumps({"environment": {"instructions": instructions}}))
    dev.main()
    scripts = [Path(words.split()[1]).name for words in project.ran]
    names = ["lrn", "training_step", "roofline", "two_ranks", "trials", "startup", "growth", "chapters"]
    names += ["input_pipeline", *(dev.AGAIN if instructions == "AVX512" else []), "table"]
    assert scripts == [f"{name}.py" for name in names]
    assert all((ROOT / "benchmarks" / script).is_file() for script in scripts)
    assert str(tmp_path) in project.ran[3]


def test_the_page_of_benchmarks_is_that_of_its_results():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import table
    finally:
        sys.path.pop(0)
    written = ROOT / "benchmarks" / "README.md"
    assert written.read_text(encoding="utf-8") == table.page(ROOT / "benchmarks" / "results")
    found = {"environment": {"device": "d", "threads": 1, "torch": "t"}, "settings": {"batch": 2}}
    ratio = {"median": 2.0, "quartile_1": 1.5, "quartile_3": 2.5}
    measured = {"seconds": {"median": 0.25}, "times_as_fast": ratio}
    text = "\n".join(table.section("lrn", found | {"results": {"conv1": {"training": measured}}}))
    assert "| conv1, training | 250.0 | 2.00 | 1.50 to 2.50 |" in text and "batch 2" in text

"""The command line: its help teaches, its errors are one sentence, its examples run."""

import argparse
import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import alexnet
from alexnet import data
from alexnet.cli import experiment
from alexnet.cli.main import EXAMPLES, build_parser, main
from alexnet.data import catalogue
from alexnet.devices import usable_cores
from alexnet.experiments import EXPERIMENTS
from support.parsers import all_parsers
from support.samples import TINY, image_files, write_folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


def test_every_command_is_there():
    commands = {"data get", "data import", "data list", "data path", "experiment", "summary", "train"}
    commands |= {"evaluate", "predict"}
    commands |= {f"experiment {name}" for name in EXPERIMENTS}
    assert {f"alexnet {command}" for command in commands} <= all_parsers().keys()


def test_every_command_and_option_has_help():
    for prog, parser in all_parsers().items():
        assert parser.description, f"{prog} has no description"
        for action in parser._actions:
            for choice in getattr(action, "_choices_actions", []):
                assert choice.help, f"{prog} {choice.dest} has no help"
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f"{prog} {action.dest} has no help"


FULL = "/dev/full"  # a disk without room
# The process of a command that prints a folder or an error, without the seconds of importing the data sets.
SCRIPT = """
import sys
from types import SimpleNamespace
import alexnet
from alexnet.cli import experiment
from alexnet.cli.main import EXAMPLES, build_parser, main

def root():
    if sys.argv[1] == "fail":
        raise ValueError("one sentence")
    return "a folder"

alexnet.data = SimpleNamespace(root=root)
sys.exit(main(["data", "path"]))
"""


def run_command(word, stdout, stderr):
    """The exit status of a command with streams of its own, which is to "succeed" or to "fail"."""
    command = [sys.executable, "-c", SCRIPT, word]
    return subprocess.run(command, stdout=stdout, stderr=stderr, timeout=120).returncode


@pytest.mark.skipif(not Path(FULL).exists(), reason="this system has no /dev/full")
def test_what_cannot_be_printed_is_an_error_and_no_traceback(tmp_path):
    with open(FULL, "w") as full, (tmp_path / "said").open("w+") as said:
        assert run_command("succeed", full, said) == 2
        said.seek(0)
        assert said.read() == "alexnet: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes end otherwise on this system")
def test_where_nobody_reads_any_more_the_command_ends_quietly(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe, (tmp_path / "said").open("w+") as said:
        assert run_command("succeed", pipe, said) == 141
        assert run_command("fail", subprocess.DEVNULL, pipe) == 2
        said.seek(0)
        assert said.read() == ""


def test_every_help_can_be_shown():
    for prog, parser in all_parsers().items():
        assert parser.format_help().startswith(f"usage: {prog}")
    assert "epochs to 25% training error" in " ".join(
        all_parsers()["alexnet experiment"].format_help().split()
    )


@pytest.mark.parametrize("example", [command for _, command in EXAMPLES])
def test_every_example_parses_and_is_shown(example, capsys):
    words = shlex.split(example)
    assert words[0] == "alexnet"
    parser = build_parser(with_experiments=True)
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            parser.parse_args(words[1:])
    else:
        assert callable(parser.parse_args(words[1:]).run)
    assert example in build_parser(with_experiments=False).format_help()
    capsys.readouterr()


def test_help_fits_eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, build_parser(with_experiments=False).format_help().splitlines())) <= 80


def test_help_needs_no_torch():
    code = (
        "import sys; from alexnet.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as error: assert error.code == 0\n"
        "assert not {'torch', 'numpy', 'tqdm', 'alexnet.data', 'msgspec', 'json'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "alexnet data get cifar10" in result.stdout


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "alexnet", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        == f"alexnet {alexnet.__version__}\n"
    )


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "usage: alexnet" in capsys.readouterr().err


def test_path_prints_the_folder_alone(tiny, capsys):
    assert main(["data", "path"]) == 0
    assert capsys.readouterr().out == f"{tiny}\n"


def test_import_then_list(tmp_path, tiny, capsys):
    folder = write_folder(tmp_path / "images", image_files())
    assert main(["data", "import", "cifar10", str(folder)]) == 0
    out = capsys.readouterr().out
    source = "CIFAR-10 (20 + 10 images, imported from a folder of PNG images)"
    assert out.endswith(f"test: 10 images of 10 classes, 1 in each\n{source}\nstored in {tiny / 'cifar10'}\n")
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert str(tiny) in out and source in out and "0 MB" in out


def test_list_without_data_says_how_to_get_it_and_what_stands_in(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert "alexnet data get cifar10" in out and "generated default set, seed 0 (not CIFAR-10)" in out


def test_list_shows_damage(tiny, capsys):
    (tiny / "cifar10").mkdir(parents=True)
    (tiny / "cifar10" / "set.json").write_bytes(b"?")
    assert main(["data", "list"]) == 2
    assert "is damaged" in capsys.readouterr().out


def test_get_passes_its_options_on(monkeypatch, tmp_path, capsys):
    given = {}
    monkeypatch.setattr(data, "get", lambda name, **options: given.update(options, name=name))
    monkeypatch.setattr("alexnet.cli.data.report", lambda name: 0)
    assert main(["data", "get", "cifar10", "--mirror", "http://x/y", "--keep-archive"]) == 0
    assert given.pop("workers") == usable_cores()
    assert given == {"name": "cifar10", "mirror": "http://x/y", "keep_archive": True}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["data", "get", "mnist"], "alexnet: there is no data set 'mnist'; there is cifar10\n"),
        (["data", "import", "cifar10", "nowhere.tar"], "alexnet: there is no file or folder nowhere.tar\n"),
    ],
)
def test_an_expected_error_is_one_line_and_status_2(argv, message, capsys):
    assert main(argv) == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "\nalexnet: interrupted\n"),
        (ValueError("one sentence"), 2, "alexnet: one sentence\n"),
        (PermissionError(13, "Permission denied", "/a/file"), 2, "alexnet: Permission denied: /a/file\n"),
        (OSError(28, "No space left on device"), 2, "alexnet: No space left on device\n"),
    ],
)
def test_what_a_command_raises_becomes_a_status(error, status, message, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(data, "root", fail)
    assert main(["data", "path"]) == status
    assert capsys.readouterr().err == message


def test_our_own_mistakes_are_not_hidden(monkeypatch):
    monkeypatch.setattr(data, "root", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["data", "path"])


def test_experiments_are_listed_and_run(monkeypatch, capsys):
    assert main(["experiment"]) == 0
    out = capsys.readouterr().out
    for name, known in EXPERIMENTS.items():
        assert name in out and known.description in out
    monkeypatch.setattr(experiment, "run_experiment", lambda known, arguments: 7)
    assert main(["experiment", next(iter(EXPERIMENTS))]) == 7


def test_an_experiment_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["experiment", "nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


def test_the_processes_of_torchrun_do_not_repeat_torchs_warnings(monkeypatch, capsys):
    level = "TORCH_CPP_LOG_LEVEL"
    monkeypatch.setenv(level, "INFO")
    monkeypatch.setenv("LOCAL_RANK", "0")
    main(["data", "list"])
    assert os.environ[level] == "INFO"  # as the user wants it
    monkeypatch.delenv(level)
    main(["data", "list"])
    assert os.environ[level] == "ERROR"
    monkeypatch.setenv(level, "ERROR")
    monkeypatch.delenv(level)
    monkeypatch.delenv("LOCAL_RANK")
    main(["data", "list"])
    assert level not in os.environ


@pytest.mark.parametrize("words", [["experiment", "relu-speed"], ["claims", "run"]])
def test_trials_that_cannot_be_added_to_are_named_before_the_first_one(words, tmp_path, capsys, monkeypatch):
    file = tmp_path / "trials" / "relu-speed.jsonl"
    file.parent.mkdir()
    file.write_text("")
    opened = Path.open

    def refuse(path, mode="r", *others, **more):
        if path == file and "a" in mode:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, mode, *others, **more)

    monkeypatch.setattr(Path, "open", refuse)
    assert main([*words, "--trials", str(file.parent), "--budget", "1s"]) == 2
    said = capsys.readouterr().err
    assert said == f"alexnet: cannot write {file}: Permission denied; choose another folder\n"

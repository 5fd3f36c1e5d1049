"""The command line: its help teaches, its errors are one sentence, its examples run."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch

import alexnet
from alexnet import data
from alexnet.cli.main import EXAMPLES, build_parser, main
from alexnet.data import catalogue
from alexnet.experiments import EXPERIMENTS
from alexnet.training import TrainSettings
from support.samples import TINY, picture_files, write_folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


def parsers(parser):
    """Yield a parser and all parsers of commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def all_parsers():
    return {parser.prog: parser for parser in parsers(build_parser(with_experiments=True))}


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
from alexnet.cli.main import EXAMPLES, build_parser, main

def root():
    if sys.argv[1] == "fail":
        raise ValueError("one sentence")
    return "a folder"

alexnet.data = SimpleNamespace(root=root)
sys.exit(main(["data", "path"]))
"""


def status_of(word, stdout, stderr):
    """The exit status of a command with streams of its own, which is to "succeed" or to "fail"."""
    command = [sys.executable, "-c", SCRIPT, word]
    return subprocess.run(command, stdout=stdout, stderr=stderr, timeout=120).returncode


@pytest.mark.skipif(not Path(FULL).exists(), reason="this system has no /dev/full")
def test_what_cannot_be_printed_is_an_error_and_no_traceback(tmp_path):
    with open(FULL, "w") as full, (tmp_path / "said").open("w+") as said:
        assert status_of("succeed", full, said) == 2
        said.seek(0)
        assert said.read() == "alexnet: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes end otherwise on this system")
def test_where_nobody_reads_any_more_the_command_ends_quietly(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe, (tmp_path / "said").open("w+") as said:
        assert status_of("succeed", pipe, said) == 141
        assert status_of("fail", subprocess.DEVNULL, pipe) == 2
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
    folder = write_folder(tmp_path / "pictures", picture_files())
    assert main(["data", "import", "cifar10", str(folder)]) == 0
    out = capsys.readouterr().out
    source = "CIFAR-10 (20 + 10 pictures, imported from a folder of PNG pictures)"
    assert out == f"{source}\nstored in {tiny / 'cifar10.npz'}\n"
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert str(tiny) in out and source in out and "0 MB" in out


def test_list_without_data_says_how_to_get_it_and_what_stands_in(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert "alexnet data get cifar10" in out and "generated default set, seed 0 (not CIFAR-10)" in out


def test_list_shows_damage(tiny, capsys):
    tiny.mkdir()
    (tiny / "cifar10.npz").write_bytes(b"?")
    assert main(["data", "list"]) == 2
    assert "is damaged" in capsys.readouterr().out


def test_get_passes_its_options_on(monkeypatch, tmp_path, capsys):
    given = {}
    monkeypatch.setattr(data, "get", lambda name, **options: given.update(options, name=name))
    monkeypatch.setattr("alexnet.cli.data.report", lambda name: 0)
    assert main(["data", "get", "cifar10", "--mirror", "http://x/y", "--keep-archive"]) == 0
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
    for name, module in EXPERIMENTS.items():
        assert name in out and module.DESCRIPTION in out
    name, module = next(iter(EXPERIMENTS.items()))
    monkeypatch.setattr(module, "run", lambda arguments: 7)
    assert main(["experiment", name]) == 7


def test_an_experiment_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["experiment", "nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err


def options():
    """Every option that a help shows: (command, its name, the argparse action)."""
    return [
        (prog, action.option_strings[-1], action)
        for prog, parser in all_parsers().items()
        for action in parser._actions
        if action.option_strings and action.help is not argparse.SUPPRESS
    ]


DEFAULT = re.compile(r" \(default: (.+)\)$")


def test_every_option_with_a_value_shows_its_default_in_one_way():
    for prog, name, action in options():
        shown = DEFAULT.search(action.help)
        if action.nargs == 0 or action.required:
            assert not shown, f"{prog} {name}"
            continue
        assert shown and action.help.count("default:") == 1, f"{prog} {name}: {action.help}"
        if action.default is not None:
            values = action.default if isinstance(action.default, list) else [action.default]
            assert shown[1] == " ".join(map(str, values)), f"{prog} {name}"


def test_a_name_means_the_same_in_every_command():
    meanings = {}
    for _, name, action in options():
        meanings.setdefault(name, set()).add(DEFAULT.sub("", action.help))
    assert {name: texts for name, texts in meanings.items() if len(texts) > 1} == {}
    assert len({action.default for _, name, action in options() if name == "--device"}) == 1


def test_the_options_of_training_are_the_settings_with_their_defaults():
    given = vars(build_parser(with_experiments=False).parse_args(["train"]))
    known = {f.name: f.default for f in fields(TrainSettings)}
    assert {name: given[name] for name in known} == known
    assert given.keys() - known == {"run", "dry_run", "json"}


def test_the_older_name_of_parallel_is_understood_and_not_shown(capsys):
    parser = build_parser(with_experiments=False)
    assert parser.parse_args(["train", "--split", "data"]).parallel == "data"
    assert parser.parse_args(["train"]).parallel == "auto"
    assert "--split" not in all_parsers()["alexnet train"].format_help()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("trian", "did you mean 'train'?"),
        ("data perpare", "did you mean 'prepare'?"),
        ("data prepare imagenett a b", "did you mean 'imagenette'?"),
        ("train --net smal", "did you mean 'small'?"),
        ("train --bach-size 4", "unrecognized arguments: --bach-size 4; did you mean '--batch-size'?"),
        ("train --sede=3", "unrecognized arguments: --sede=3; did you mean '--seed'?"),
        ("evaluate a.pt --data default --precison bfloat16", "did you mean '--precision'?"),
        ("experiment relu-vs-tan", "did you mean 'relu-vs-tanh'?"),
        ("experiment lrn --rate-s 0.1", "did you mean '--rates'?"),
        ("--verison data list", "did you mean '--version'?"),
    ],
)
def test_a_near_miss_is_answered_with_what_was_meant(words, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert capsys.readouterr().err.endswith(f"{meant}\n")


def test_what_resembles_nothing_gets_no_guess(capsys):
    for words in ("qqq", "train --qqq", "train --net qqq", "data list qqq"):
        with pytest.raises(SystemExit, match="2"):
            main(words.split())
        assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("data get cifar9", "'cifar10'"),
        ("summary hlaf", "'half'"),
        ("summary half --base code2021", "'code2012'"),
        ("train --recipe code2021", "'code2012'"),
        ("train --data cifar100", "'cifar10'"),
        ("evaluate a.pt --data defualt", "'default'"),
    ],
)
def test_a_name_that_is_nearly_known_is_answered_with_the_known_one(words, meant, monkeypatch, capsys):
    monkeypatch.setattr("alexnet.evaluation.prediction.load_classifier", lambda *_: None)
    monkeypatch.setattr("alexnet.evaluation.classifier.check_alike", lambda *_: None)
    assert main(words.split()) == 2
    assert capsys.readouterr().err.endswith(f"did you mean {meant}?\n")


def test_an_experiment_gets_the_device_that_auto_stands_for(monkeypatch):
    name, module = next(iter(EXPERIMENTS.items()))
    monkeypatch.setattr(module, "run", lambda arguments: arguments.device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["experiment", name]) == "cpu"
    assert main(["experiment", name, "--device", "gpu"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lrn --epochs 0", "--epochs must be a whole number of at least 1, got 0"),
        ("lrn --train-size -5", "--train-size must be a whole number of at least 1, got -5"),
        ("lrn --rates 0.1 nan", "--rates must be a finite number above 0, got nan"),
        ("ablations --train-size 0", "--train-size must be a whole number of at least 1, got 0"),
        ("ablations --seeds 1 -2", "--seeds must be a whole number of at least 0, got -2"),
        ("relu-vs-tanh --max-epochs 0", "--max-epochs must be a whole number of at least 1, got 0"),
    ],
)
def test_an_experiment_refuses_numbers_that_no_run_can_have(words, sentence, monkeypatch, capsys):
    for module in EXPERIMENTS.values():
        monkeypatch.setattr(module, "run", lambda arguments: pytest.fail("it was run"))
    assert main(["experiment", *words.split()]) == 2
    assert capsys.readouterr().err == f"alexnet: {sentence}\n"


OLD_WORDS = re.compile(
    r"pictures?\b|(?<!--)\bnets?\b(?!\.pt)|(?<!learning )(?<!error )\brate\b|"
    r"\b(?:shall|goes on|leave off|wrong)\b"
)


def test_help_speaks_in_the_words_of_the_field():
    for prog, parser in all_parsers().items():
        assert OLD_WORDS.findall(" ".join(parser.format_help().split())) == [], prog

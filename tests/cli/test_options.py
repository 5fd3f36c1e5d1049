"""Options: declared once, their defaults shown in one way; what is nearly right is answered with what is."""

import argparse
import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from alexnet.cli import experiment
from alexnet.cli.main import build_parser, main
from alexnet.devices import usable_cores
from alexnet.training import TrainSettings
from support.parsers import all_parsers


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
    ("name", "words"),
    [
        ("json", "train --dry-run --json={}"),
        ("json", "evaluate a.pt --data default --json={}"),
        ("features", "evaluate a.pt --data default --features={}"),
        ("file", "export a.pt {}"),
        ("record", "experiment parts --record={}"),
        ("trials", "claims run --trials={}"),
        ("target", "data prepare folder images {}"),
        ("folder", "data check {}"),
    ],
)
def test_every_path_may_begin_with_the_home_folder(name, words, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, os.path.abspath("at-home"))
    given = build_parser(with_experiments=True).parse_args(words.format("~/x").split())
    assert getattr(given, name) == Path("at-home", "x").absolute()


@pytest.mark.parametrize(
    ("words", "name", "meant"),
    [
        ("claims run --budget 2h relu-speed", "words", ["run", "relu-speed"]),
        ("claims --budget 2h run relu-speed --jobs 1 lrn-cifar", "words", ["run", "relu-speed", "lrn-cifar"]),
        ("evaluate a.pt --data default b.pt --views 10 c.pt", "checkpoints", ["a.pt", "b.pt", "c.pt"]),
        ("predict a.pt a.jpg --top 3 b.jpg", "images", ["a.jpg", "b.jpg"]),
    ],
)
def test_a_list_may_go_on_after_an_option(words, name, meant):
    assert getattr(build_parser(with_experiments=False).parse_args(words.split()), name) == meant


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        ("evaluate a.pt --data default b.pt --veiws 10", "b.pt --veiws 10"),
        ("data prepare folder a --raw b c", "c"),  # sources, and one target, which was b
        ("export a.pt b.safetensors --half c", "c"),
        ("summary half --classes 3 paper", "paper"),
    ],
)
def test_words_that_belong_to_no_list_are_refused(words, unknown, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert f"unrecognized arguments: {unknown}" in capsys.readouterr().err


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
        ("experiment relu-sped", "did you mean 'relu-speed'?"),
        ("experiment parts --arm-s base", "did you mean '--arms'?"),
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
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(experiment.signal, "signal", lambda *_: None)
    arguments = build_parser(with_experiments=True).parse_args(["experiment", "parts"])
    how = experiment.execution(arguments)
    assert (how.device, how.jobs, how.budget) == ("cpu", usable_cores(), None)
    assert main(["experiment", "parts", "--device", "gpu"]) == 2


OLD_WORDS = re.compile(
    r"pictures?\b|(?<!--)\bnets?\b(?!\.pt)|(?<!learning )(?<!error )\brate\b|"
    r"\b(?:shall|goes on|leave off|wrong)\b"
)


def test_help_speaks_in_the_words_of_the_field():
    for prog, parser in all_parsers().items():
        assert OLD_WORDS.findall(" ".join(parser.format_help().split())) == [], prog

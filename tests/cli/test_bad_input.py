"""What people get wrong, on the command line: one clear sentence, status 2, and nothing left behind."""

import contextlib
import json
import os
import pickle
import re
from pathlib import Path

import pytest
import torch

from alexnet import config
from alexnet.cli import experiment
from alexnet.cli.main import main
from alexnet.distributed import ranks
from alexnet.experiments import execution
from alexnet.storage import checkpoints
from alexnet.training import loop
from support import trained


def cases(text):
    """Read a table: a line of words, and below it the sentence that they are met with."""
    lines = text.strip().splitlines()
    return {words: sentence.strip() for words, sentence in zip(lines[::2], lines[1::2], strict=True)}


class Code:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sets, nets and files of many kinds; in the tables below, names in the folder begin with "@"."""
    folder = tmp_path_factory.mktemp("bad")
    write_sets(folder)
    write_nets(folder)
    write_files(folder)
    return folder


def write_sets(folder):
    images = trained.write_images(folder / "images", {"train": 14, "val": 3})
    for name, size in (("set", 20), ("smaller", 12), ("larger", 24)):
        trained.prepared(images, folder / name, size=size)
    others = {"only-train": {"train": 14}, "others": {"train": 4, "val": 2}}
    for name, counts in others.items():
        classes = ("ant", "hen", "owl") if name == "others" else trained.CLASSES
        trained.prepared(trained.write_images(folder / f"{name}-images", counts, classes), folder / name)


def write_nets(folder):
    trained.saved(folder / "net.pt")
    trained.saved(folder / "six.pt", classes=trained.CLASSES[:6], names=[])
    trained.saved(folder / "reversed.pt", classes=trained.CLASSES[::-1], names=[])
    trained.saved(folder / "reads18.pt", input_size=18)
    trained.saved_checkpoint(checkpoints.locate(folder / "run" / "checkpoints", 7))
    whole = (folder / "net.pt").read_bytes()
    (folder / "cut.pt").write_bytes(whole[: len(whole) // 2])
    changed = bytearray(whole)
    weight = torch.load(folder / "net.pt", weights_only=True)["weights"]["fc8.bias"]
    changed[whole.index(weight.numpy().tobytes())] ^= 1  # a byte between the parts might not count
    (folder / "changed.pt").write_bytes(changed)
    code = {"format": checkpoints.WEIGHTS, "version": checkpoints.VERSION, "weights": Code(folder / "ran")}
    torch.save(code, folder / "code.pt")
    torch.save(code, folder / "code-old.pt", _use_new_zipfile_serialization=False)
    (folder / "code.pkl").write_bytes(pickle.dumps(code))


def write_files(folder):
    (folder / "empty").mkdir()
    (folder / "text.jpg").write_text("no image")
    (folder / "none.jpg").write_bytes(b"")
    for name, base in (("recipe", "code2012"), ("plateau", "paper")):
        (folder / f"{name}.json").write_text(json.dumps(config.to_dict(trained.recipe(base))))
    (folder / "norecipe.json").write_text("{}")
    (folder / "deep.json").write_text("[" * 100_000)
    five = config.to_dict(trained.recipe())
    five["net"]["lrn_n"] = "five"
    (folder / "five.json").write_text(json.dumps(five), encoding="utf-8-sig")  # as Windows may write it


def filled_in(folder, words):
    return [re.sub("@", f"{folder}/", word) for word in words.split()]


def refused(folder, words, capsys):
    """Run a command that must fail; return its only line on stderr."""
    assert main(filled_in(folder, words)) == 2
    printed = capsys.readouterr()
    assert printed.err.endswith("\n") and printed.err.startswith("alexnet: ")
    (line,) = printed.err.replace(f"{folder}/", "@").removeprefix("alexnet: ").splitlines()
    return line


EVALUATE = cases(
    r"""
@net.pt --data @others
    @net.pt knows 7 classes, and 'hen' is none of them; the data have 3 classes, 2 of which it does not know
@six.pt --data @set
    @six.pt knows 6 classes, and 'gnu' is none of them; the data have 7 classes, 1 of which it does not know
@net.pt @six.pt --data @set
    @net.pt and @six.pt do not go together: one knows 7 classes, the other 6
@net.pt @reversed.pt --data @set
    @net.pt and @reversed.pt do not go together: class 0 is 'ant' in one and 'gnu' in the other
@net.pt @reads18.pt --data @set
    .* do not go together: one reads 16 of 20 pixels of an image, the other 18 of 20
@net.pt --data @smaller
    images of 12 pixels are smaller than a crop of 16 pixels
@net.pt --data @larger
    images are \(3, 24, 24\) but the mean image is \(3, 20, 20\): it belongs to another data set
@net.pt --data @only-train
    only-train-images has no 'val' images, only train; give them to `alexnet data prepare` as well, .*
@net.pt --data @set --split test
    images has no 'test' images, only train, val; give them to `alexnet data prepare` as well, .*
@net.pt --data @empty
    there is no finished prepared set in @empty; `alexnet data prepare KIND SRC @empty` makes it, .*
@net.pt --data cifar9
    there is no data set 'cifar9': it is none of default, cifar10, and no folder of a prepared set, .*
@empty --data @set
    there is no checkpoint in the folder @empty; `alexnet train` writes them
@none.pt --data @set
    there is no checkpoint @none.pt; `alexnet train` writes them
torchvision --data @set
    torchvision's weights are not in torch's cache; save https://.*\.pth as .*\.pth, or give the file's path
@net.pt --data @set --batch-size 0
    --batch-size must be at least 1, got 0
@net.pt --data @set --workers -1
    --workers must be a whole number of at least 0, got -1
@net.pt --data @set --device gpu
    device must be auto, cpu, cuda or cuda:N, got 'gpu'
@net.pt --data @set --device cuda:99
    (torch .* finds no GPU here; choose `--device cpu`|there is no GPU 99; there are .*)
@net.pt --data @set --json @empty
    --json writes results to a file that ends in .json, got @empty; to print them, put --json last
--data @set --json @net.pt @net.pt
    --json writes results to a file that ends in .json, got @net.pt; to print them, put --json last
@net.pt --data @set --features @net.pt
    --features writes results to a file that ends in .npz, got @net.pt
@net.pt --data @set --json @text.jpg/new/a.json
    cannot write @text.jpg/new/a.json: what should be its folder is a file
@net.pt --data @set --features @text.jpg/a.npz
    cannot write @text.jpg/a.npz: what should be its folder is a file
@net.pt @net.pt --data @set --features @a.npz
    --features takes one checkpoint and one process; leave out the others
"""
)


@pytest.mark.parametrize("words", EVALUATE)
def test_evaluate_refuses(words, folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    before = everything_in(folder)
    device = "" if "--device" in words else "--device cpu"
    assert re.fullmatch(EVALUATE[words], refused(folder, f"evaluate --workers 0 {words} {device}", capsys))
    assert everything_in(folder) == before


FILES = cases(
    r"""
cut.pt
    @cut.pt is damaged; there is no other checkpoint beside it; copy it anew, or train again
changed.pt
    @changed.pt is damaged; there is no other checkpoint beside it; copy it anew, or train again
none.jpg
    @none.jpg is damaged; there is no other checkpoint beside it; copy it anew, or train again
text.jpg
    @text.jpg is no file of this package; there is no other checkpoint beside it; copy it anew, or train again
set
    there is no checkpoint in the folder @set; `alexnet train` writes them
code.pt
    @code.pt was refused, and nothing of it run: it asks for .*, where weights are tensors .* by itself
code-old.pt
    @code-old.pt was refused, and nothing of it run: it asks for .*, where weights are tensors .* by itself
code.pkl
    @code.pkl is no file of this package; there is no other checkpoint beside it; copy it anew, or train again
"""
)


@pytest.mark.parametrize("command", ["predict @{} @images/val/ant/000.png", "evaluate @{} --data @set"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_checkpoint_is_refused_and_nothing_of_it_run(name, command, folder, capsys):
    assert re.fullmatch(FILES[name], refused(folder, command.format(name), capsys))
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("name", ["code.pt", "code-old.pt"])
def test_these_files_do_run_code_where_nobody_minds(name, folder):
    torch.load(folder / name, weights_only=False)
    assert (folder / "ran").exists()
    (folder / "ran").unlink()


IMAGES = cases(
    r"""
@text.jpg
    @text.jpg cannot be read as an image: not an image
@none.jpg
    @none.jpg cannot be read as an image: empty file
@nowhere.jpg
    there is no image @nowhere.jpg
@empty
    @empty is a folder; name the images in it, such as @empty/*.jpg
https://example.org/cat.jpg
    https://example.org/cat.jpg is an address, and images are read from files alone; download it first
"""
)


def test_predict_tells_of_each_file_that_is_no_image_and_does_the_others(folder, capsys):
    words = f"predict @net.pt @images/val/ant/000.png {' '.join(IMAGES)} @images/val/cow/001.png"
    assert main(filled_in(folder, words)) == 2
    printed = capsys.readouterr()
    assert printed.err.replace(f"{folder}/", "@").splitlines() == [
        f"alexnet: {text}" for text in IMAGES.values()
    ]
    assert [line for line in printed.out.splitlines() if line.endswith(".png")] == [
        f"{folder}/images/val/ant/000.png",
        f"{folder}/images/val/cow/001.png",
    ]


def test_predict_wants_a_number_of_classes_to_show(folder, capsys):
    line = refused(folder, "predict @net.pt @images/val/ant/000.png --top 0", capsys)
    assert line == "--top must be at least 1, got 0"


TRAIN = cases(
    r"""
--data @set --recipe @recipe.json --out @run --batch-size 4
    .*step-00000007.pt is of another training: .* learning.batch_size is 128 there, 4 here; choose another .*
--data @others --recipe @recipe.json --out @run --batch-size 4
    .*step-00000007.pt is of another training: the checkpoint knows 7 classes, the data have 3; choose .*
--data @set --recipe @plateau.json --batch-size 99
    14 training images do not fill a batch of 99; choose `--batch-size` 14 or less
--data @only-train --recipe @plateau.json --batch-size 4
    only-train-images has no validation images, .*; give them to .*, or choose `--recipe code2012`
--data @set --net paper
    images of 20 pixels are smaller than the 224 that the network 'paper' reads; choose `--net small` or .*
--data @set --batch-size 4
    images of 20 pixels are smaller than the 28 that the network 'small' reads; prepare larger images
--data @smaller --recipe @recipe.json
    .*images of 12 pixels are too small
--data @set --recipe alexnet
    recipe must be paper or code2012 or a .json file, got 'alexnet'
--data @set --recipe @norecipe.json
    @norecipe.json is not a recipe: name, net, augment, learning are missing
--data @set --recipe @five.json
    @five.json is not a recipe: net: lrn_n must be a whole number, got 'five'
--data @set --recipe @deep.json
    @deep.json is not a recipe: .*recursion.*
--data @set --recipe @nowhere.json
    there is no recipe @nowhere.json
--data cifar9
    there is no data set 'cifar9': it is none of default, .*
--data @empty
    there is no finished prepared set in @empty; .*
--data @set --recipe @recipe.json --batch-size 4 --out @text.jpg/run
    .*@text.jpg.*
--data @set --recipe @recipe.json --batch-size 4 --dry-run --out @text.jpg/run
    cannot write @text.jpg/run: @text.jpg is a file; choose another `--out`
--data @set --recipe @recipe.json --batch-size 4 --dry-run --json @text.jpg/plan.json
    cannot write @text.jpg/plan.json: what should be its folder is a file
"""
)


@pytest.mark.parametrize("words", TRAIN)
def test_train_refuses(words, folder, capsys):
    before = everything_in(folder)
    out = "" if "--out" in words else "--out @new"
    assert re.fullmatch(
        TRAIN[words], refused(folder, f"train {words} --device cpu --workers 0 {out}", capsys)
    )
    assert everything_in(folder) == before


PREPARE = cases(
    r"""
folder @empty @new
    there are no images of a class in @empty
folder @nowhere @new
    there is no file or folder @nowhere
folder @images @text.jpg
    @text.jpg is there already and is no prepared set; name a new folder
folder @images @text.jpg/new
    .*@text.jpg.*
imagenette @images @new
    'ant' is no class of Imagenette; for another set use `folder`
"""
)


@pytest.mark.parametrize("words", PREPARE)
def test_prepare_refuses(words, folder, capsys):
    before = everything_in(folder)
    assert main(filled_in(folder, f"data prepare {words} --workers 0")) == 2
    last = capsys.readouterr().err.replace(f"{folder}/", "@").splitlines()[-1]  # after progress bars
    assert re.fullmatch("alexnet: " + PREPARE[words], last)
    assert everything_in(folder) == before


EXPERIMENT = cases(
    r"""
experiment parts --trials @empty --record @text.jpg
    --record writes results to a file that ends in .json, got @text.jpg
experiment parts --trials @empty --record @empty
    --record writes results to a file that ends in .json, got @empty
experiment parts --trials @empty --record -
    --record writes results to a file that ends in .json, got -
experiment parts --trials @empty --record @text.jpg/a.json
    cannot write @text.jpg/a.json: what should be its folder is a file
experiment parts --record @empty/a.json --trials @text.jpg/new
    cannot write @text.jpg/new/parts.jsonl: what should be its folder is a file
claims run --trials @text.jpg/new
    cannot write @text.jpg/new/relu-speed.jsonl: what should be its folder is a file
"""
)


@pytest.mark.parametrize("words", EXPERIMENT)
def test_no_trial_begins_whose_results_cannot_be_written(words, folder, capsys, monkeypatch):
    monkeypatch.setattr(experiment.signal, "signal", lambda *_: None)
    monkeypatch.setattr(execution, "run_trial", lambda *_: pytest.fail("a trial began"))
    before = everything_in(folder)
    assert re.fullmatch(EXPERIMENT[words], refused(folder, words, capsys))
    assert everything_in(folder) == before


@pytest.mark.parametrize(
    "words",
    ["claims run --trials @new/trials", "evaluate @net.pt --data @none --json @new/deep/a.json"],
)
def test_a_command_that_is_refused_makes_no_folder_for_its_results(words, folder, capsys, monkeypatch):
    monkeypatch.setenv("ALEXNET_DATA", str(folder / "no-sets"))
    assert "alexnet data" in refused(folder, words, capsys)
    assert not (folder / "new").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_record_does_not_replace_a_pipe(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiment.signal, "signal", lambda *_: None)
    os.mkfifo(tmp_path / "pipe.json")
    line = refused(tmp_path, "experiment parts --trials @trials --record @pipe.json", capsys)
    assert line == "cannot write @pipe.json: it is a pipe or a device; name a file"
    assert (tmp_path / "pipe.json").is_fifo()


NAMES = cases(
    r"""
summary alexnet
    net must be one of paper, code2012, merged, half, .*; got 'alexnet'
data get cifar9
    there is no data set 'cifar9'; there is cifar10; did you mean 'cifar10'\?
"""
)


@pytest.mark.parametrize("words", NAMES)
def test_unknown_names_are_met_with_those_that_are_known(words, folder, capsys):
    assert re.fullmatch(NAMES[words], refused(folder, words, capsys))


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("train --net alexnet", "invalid choice: 'alexnet' .*'?small'?"),
        ("evaluate @net.pt --data @set --views 5", "invalid choice: 5 .*1, 10"),
        ("evaluate @net.pt --data @set --split all", "invalid choice: 'all' .*'?val'?"),
        ("evaluate @net.pt", "the following arguments are required: --data"),
        ("data prepare mnist @images @new", "invalid choice: 'mnist' .*'?imagenet'?"),
    ],
)
def test_words_that_an_option_does_not_take_are_met_with_those_that_it_takes(words, known, folder, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(filled_in(folder, words))
    assert re.search(known, capsys.readouterr().err)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write everywhere")
@pytest.mark.parametrize(
    "words",
    [
        "evaluate @net.pt --data @set --json @locked/a.json",
        "evaluate @net.pt --data @set --features @locked/new/a.npz",
        "train --data @set --recipe @recipe.json --batch-size 4 --out @locked/run",
        "data prepare folder @images @locked/set",
    ],
)
def test_a_folder_that_cannot_be_written_to_is_named(words, folder, capsys):
    locked = folder / "locked"
    locked.mkdir(mode=0o555, exist_ok=True)
    line = refused(folder, words, capsys)
    assert "ermission denied" in line and "@locked" in line and not any(locked.iterdir())


PROCESSES = cases(
    r"""
train --data @set --recipe @recipe.json --batch-size 6
    the 2 towers of the network '.*' cannot be divided among 3 processes; start a multiple of 2 .*
train --data @set --recipe @recipe.json --batch-size 8 --parallel data
    a batch of 8 images cannot be divided evenly among 3 networks; choose `--batch-size 9`
evaluate @net.pt --data @set --batch-size 8
    a batch of 8 images cannot be divided evenly among 3 processes; choose `--batch-size` 9
evaluate @net.pt --data @set --features @a.npz
    --features takes one checkpoint and one process; leave out the others
"""
)


@pytest.mark.parametrize("words", PROCESSES)
def test_three_processes_do_not_suit_everything(words, folder, capsys, monkeypatch):
    # All is refused before the processes talk to each other, so there need be none.
    three = ranks.Ranks(torch.device("cpu"), size=3)
    monkeypatch.setattr(ranks, "world_size", lambda: 3)
    for name in ("in_all", "broadcast"):
        monkeypatch.setattr(ranks.Ranks, name, lambda self, function: function())
    for module in (ranks, loop):
        monkeypatch.setattr(module, "joined", lambda device: contextlib.nullcontext(three))
    out = "--out @new" if words.startswith("train") else ""
    assert re.fullmatch(PROCESSES[words], refused(folder, f"{words} {out} --device cpu --workers 0", capsys))


def test_five_guesses_among_three_classes_are_no_error_rate(folder, tmp_path, capsys):
    trained.saved(tmp_path / "three.pt", classes=("ant", "hen", "owl"), names=[])
    words = f"evaluate {tmp_path / 'three.pt'} --data @others --device cpu --workers 0"
    assert main(filled_in(folder, words)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "with five classes or fewer, five guesses are never wrong: no top-5"
    assert lines[-2].split()[2] == "-"


def everything_in(folder):
    """All files and folders, but those that a training keeps whatever comes of it."""
    kept = ("lock", "statistics.npz")
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name not in kept
    }

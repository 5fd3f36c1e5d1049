"""`alexnet data prepare cifar10`: CIFAR-10 is a prepared set like others, with all its images or none."""

import re
import subprocess
import sys

import numpy as np
import pytest

from alexnet import data
from alexnet.cli.main import main
from alexnet.data import catalogue
from alexnet.data.download import hash_file
from alexnet.data.prepare import batches
from alexnet.data.prepare import run as prepare_module
from alexnet.data.prepare.check import damage_in
from alexnet.data.prepared import open_prepared, open_set
from support.preparing import contents, made
from support.samples import TINY, encoded, expected, image_files, official_files, write_folder, write_tar


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))


def prepared(source, target, **options):
    """Prepare CIFAR-10; three images in a shard, which no batch and no split ends with."""
    return made("cifar10", [source], target, **{"size": None, "images_per_shard": 3, **options})


@pytest.mark.parametrize("form", ["images", "batches"])
def test_a_prepared_set_has_the_images_and_the_order_of_the_one_in_memory(form, tmp_path):
    if form == "images":
        source = write_folder(tmp_path / "a", image_files())
    else:
        source = write_tar(tmp_path / "a.tar.gz", official_files(), "w:gz")
    got, said = prepared(source, tmp_path / "set")
    data.import_set("cifar10", [source], progress=False)
    there = open_prepared("cifar10")
    assert (got.source, got.fingerprint, got.classes) == (there.source, there.fingerprint, there.classes)
    for split in ("train", "test"):
        ours, theirs = got.split(split), there.split(split)
        np.testing.assert_array_equal(ours.read(range(len(ours))).numpy(), expected(split))
        np.testing.assert_array_equal(theirs.read(range(len(theirs))).numpy(), expected(split))
        assert ours.labels.tolist() == theirs.labels.tolist()
    assert said[-1] == "test: 10 images of 10 classes, 1 in each"
    assert damage_in(tmp_path / "set", progress=False) == []
    assert not (tmp_path / "set/scratch").exists()


def test_the_command_needs_no_size_and_says_what_it_made(tmp_path, capsys):
    source, target = write_folder(tmp_path / "a", image_files()), tmp_path / "set"
    assert main(["data", "prepare", "cifar10", str(source), str(target), "--workers", "0"]) == 0
    source_line, where = capsys.readouterr().out.splitlines()[-2:]
    assert source_line == "CIFAR-10 (20 + 10 images, imported from a folder of PNG images)"
    assert where == f"stored in {target}" and open_set(target).train.shape == (3, 32, 32)


def test_a_set_is_not_continued_with_another_archive_of_the_same_name_and_size(tmp_path):
    source, target = write_tar(tmp_path / "a.tar", image_files(), "w"), tmp_path / "set"
    prepared(source, target)
    before = hash_file(source)
    source.write_bytes(source.read_bytes()[:-1] + b"\1")
    sentence = (
        f"set was begun with another inputs (archive a.tar {before}; now archive a.tar {hash_file(source)})"
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        prepared(source, target)


def test_another_size_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="--size is for other kinds: CIFAR-10 is stored as it is, 32x32 pixels"
    ):
        prepared(write_folder(tmp_path / "a", image_files()), tmp_path / "set", size=64)


def test_a_share_for_validation_is_taken_of_whole_classes(tmp_path):
    got, _ = prepared(write_folder(tmp_path / "a", image_files()), tmp_path / "set", val_share=0.5)
    for split in ("train", "val", "test"):
        assert got.split(split).labels.tolist() == list(range(10))
    whole = np.concatenate([got.split(split).read(range(10)).numpy() for split in ("train", "val")])
    assert {image.tobytes() for image in whole} == {image.tobytes() for image in expected("train")}


def test_one_image_that_cannot_be_used_is_enough_to_end_the_work_whatever_may_be_damaged(tmp_path):
    files = image_files() | {"train/cat/0001.png": encoded(np.zeros((33, 33, 3), np.uint8))}
    with pytest.raises(
        ValueError, match=r"^a/train/cat/0001.png: 33 x 33 pixels, not 32 x 32; the set needs"
    ):
        prepared(write_folder(tmp_path / "a", files), tmp_path / "set", max_damaged=0.9)


def test_a_stopped_one_is_continued_and_gives_the_same_files(tmp_path, monkeypatch):
    source = write_tar(tmp_path / "a.tar.gz", official_files(), "w:gz")
    prepared(source, tmp_path / "whole")

    left = iter(range(7))

    def stop(*_):
        if next(left, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prepare_module, "check_damaged", stop)
        prepared(source, tmp_path / "set")
    assert len(list((tmp_path / "set").glob("*.npy"))) == 2  # of seven images two shards are whole
    prepared(source, tmp_path / "set")
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_batch_is_decoded_once(tmp_path, monkeypatch):
    decoded, decode = [], batches.decode_batch
    monkeypatch.setattr(
        batches, "decode_batch", lambda name, content: decoded.append(name) or decode(name, content)
    )
    prepared(write_tar(tmp_path / "a.tar", official_files(), "w"), tmp_path / "set")
    assert sorted(name.rpartition("/")[2] for name in decoded) == [
        "data_batch_1",
        "data_batch_2",
        "test_batch",
    ]


def test_other_kinds_see_no_images_in_a_batch(tmp_path):
    source = write_tar(tmp_path / "a.tar", official_files(), "w")
    with pytest.raises(ValueError, match="there are no images of a class .*; left out, not an image: 5"):
        made("folder", [source], tmp_path / "set")


def test_preparing_needs_no_torch():
    """Nor do the processes that decode, whose module this one imports."""
    code = "import sys, alexnet.data.prepare.run; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

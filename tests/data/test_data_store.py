"""Where data sets lie, and how they are stored, opened and found damaged."""

import errno
import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import alexnet
from alexnet import data
from alexnet.data import catalogue, store, synthetic
from alexnet.data.fingerprint import compute_fingerprint
from alexnet.data.prepare import sources
from alexnet.data.prepare.check import damage_in
from support.preparing import contents
from support.samples import TINY, expected, image_files, write_folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


def splits() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(expected("train"), np.tile(np.arange(10), 2)), (expected("test"), np.arange(10))]


@pytest.fixture
def stored(tmp_path):
    """The small set, stored."""
    return data.import_set("cifar10", [write_folder(tmp_path / "images", image_files())], progress=False)


def test_a_stored_set_opens_as_it_was(stored):
    opened = data.load("cifar10")
    assert stored == data.locate("cifar10")
    assert opened.source == "CIFAR-10 (20 + 10 images, imported from a folder of PNG images)"
    assert opened.classes == TINY.classes and opened.fingerprint == compute_fingerprint(splits())
    (train, train_labels), (test, test_labels) = splits()
    assert opened.train_labels.dtype == opened.test_labels.dtype == torch.int64
    np.testing.assert_array_equal(opened.train_images.numpy(), train)
    np.testing.assert_array_equal(opened.train_labels.numpy(), train_labels)
    np.testing.assert_array_equal(opened.test_images.numpy(), test)
    np.testing.assert_array_equal(opened.test_labels.numpy(), test_labels)


def test_the_images_are_the_users_own_to_change(stored):
    data.load("cifar10").train_images.zero_()
    assert data.load("cifar10").train_images.any()


def test_the_same_images_give_the_same_files(stored, tmp_path):
    first = contents(stored)
    data.import_set("cifar10", [tmp_path / "images"], progress=False)
    assert contents(stored) == first and len(first) == 6
    assert damage_in(stored, progress=False) == []


def test_the_fingerprint_sees_one_pixel_and_one_label_and_not_the_order():
    (train, labels), test = splits()
    changed, exchanged = train.copy(), labels.copy()
    changed[3, 2, 1, 0] ^= 1
    exchanged[:2] = exchanged[1::-1]
    sets = [(train, labels), (changed, labels), (train, exchanged)]
    assert len({compute_fingerprint([one, test]) for one in sets}) == 3
    turned = [(images[::-1], labels[::-1]) for images, labels in ((train, labels), test)]
    assert compute_fingerprint(turned) == compute_fingerprint([(train, labels), test])
    assert len(compute_fingerprint(turned)) == 16


def test_a_missing_set_names_the_commands_that_get_it():
    with pytest.raises(FileNotFoundError, match=r"data get cifar10.*data import cifar10 PATH"):
        data.load("cifar10")


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no data set 'mnist'; there is cifar10"):
        data.load("mnist")


def test_the_default_stands_in_only_where_the_set_is_missing(monkeypatch, tiny, tmp_path):
    monkeypatch.setattr(store, "synthetic", partial(synthetic, num_train=9, num_test=9))
    assert "not CIFAR-10" in data.load_or_default("cifar10").source
    (tiny / "cifar10").mkdir(parents=True)  # an empty folder is no set
    assert "not CIFAR-10" in data.load_or_default("cifar10").source
    folder = write_folder(tmp_path / "images", image_files())
    path = data.import_set("cifar10", [folder], progress=False)
    assert data.load_or_default("cifar10").source.startswith("CIFAR-10 (20 + 10 images")
    (path / "train-00000.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        data.load_or_default("cifar10")
    (path / "set.json").unlink()
    with pytest.raises(ValueError, match="cifar10 is there already and is no stored data set; rename it"):
        data.load_or_default("cifar10")


def test_the_file_of_an_earlier_version_is_named_and_nothing_stands_in_for_it(tiny):
    tiny.mkdir()
    (tiny / "cifar10.npz").write_bytes(b"")
    sentence = (
        r"cifar10.npz is of an earlier version .* again with `alexnet data get cifar10` or `alexnet data im"
    )
    for opening in (data.load, data.load_or_default):
        with pytest.raises(ValueError, match=sentence):
            opening("cifar10")


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["train-00000.npy", "test-00000.npy", "train-00000.npz"])
def test_one_changed_byte_is_damage(stored, name, place):
    content = bytearray((stored / name).read_bytes())
    skip = 128 if name.endswith("npy") else 0  # the header, which is not read
    content[int(skip + place * (len(content) - skip))] ^= 4
    (stored / name).write_bytes(content)
    if name.endswith("npy"):
        with pytest.raises(ValueError, match=rf"{name} is damaged \(.*\); make the set again with .*get cif"):
            data.load("cifar10")
    else:  # of an index not every byte means something
        try:
            assert np.array_equal(data.load("cifar10").train_images, expected("train"))
        except ValueError as error:
            assert f"{name} is damaged" in str(error)


@pytest.mark.parametrize("name", ["train-00000.npy", "test-00000.npz", "set.json"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_damage(stored, name, share):
    content = (stored / name).read_bytes()
    (stored / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=rf"{name} is damaged \(.*\); make the set again with .*get cifar10"):
        data.load("cifar10")


def test_a_file_that_is_gone_is_named(stored):
    (stored / "test-00000.npy").unlink()
    with pytest.raises(ValueError, match=r"there is no .*test-00000.npy; make the set again with"):
        data.load("cifar10")


@pytest.mark.parametrize(
    "changes", [{"classes": list("abcdefghij")}, {"size": 16}, {"splits": {"train": [20]}}]
)
def test_another_set_in_its_place_is_refused(stored, changes):
    about = json.loads((stored / "set.json").read_text())
    (stored / "set.json").write_text(json.dumps(about | changes))
    with pytest.raises(
        ValueError, match=r"set.json is damaged \(it is not that of CIFAR-10\); make the set ag"
    ):
        data.load("cifar10")


def test_a_set_of_a_newer_version_is_not_called_damaged(stored):
    about = json.loads((stored / "set.json").read_text())
    (stored / "set.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(ValueError, match="newer version of alexnet: .* 99, .*; upgrade alexnet to use it$"):
        data.load("cifar10")


def half_written(error):
    """Return a stand-in for np.savez that writes something and then fails."""

    def savez(file, **_arrays):
        file.write(b"half a set")
        raise error

    return savez


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError, "the disk is full; 171 MB are needed"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_a_write_that_fails_leaves_the_folder_as_it_was(
    monkeypatch, tiny, tmp_path, stored, error, raised, text
):
    before = contents(stored)
    monkeypatch.setattr(np, "savez", half_written(error))
    with pytest.raises(raised, match=text):
        data.import_set("cifar10", [tmp_path / "images"], progress=False)
    assert list(tiny.iterdir()) == [stored] and contents(stored) == before


def test_a_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    folder = write_folder(tmp_path / "images", image_files())
    for root in (tmp_path / "file" / "sets", tmp_path / "file" / "a" / "sets"):
        monkeypatch.setenv("ALEXNET_DATA", str(root))
        with pytest.raises(OSError, match=r"cannot write to .*sets: .*ALEXNET_DATA"):
            data.import_set("cifar10", [folder], progress=False)


def test_an_image_that_cannot_be_read_is_not_taken_for_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    folder = write_folder(tmp_path / "images", image_files())

    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(sources, "read_bytes", refused)
    with pytest.raises(PermissionError) as caught:
        data.import_set("cifar10", [folder], progress=False)
    assert Path(caught.value.filename).is_relative_to(folder)


def test_the_root_is_the_environments_then_the_clones_then_the_caches(monkeypatch, tmp_path):
    assert data.root() == tmp_path / "sets"
    monkeypatch.setenv("ALEXNET_DATA", "~/sets")
    assert data.root() == Path.home() / "sets"
    monkeypatch.delenv("ALEXNET_DATA")
    monkeypatch.setattr(alexnet, "__file__", str(tmp_path / "clone" / "alexnet" / "__init__.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    installed = data.root()
    assert tmp_path / "clone" not in installed.parents
    if sys.platform == "linux":
        assert installed == tmp_path / "cache" / "alexnet"
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "pyproject.toml").write_text("")
    assert data.root() == tmp_path / "clone" / "data"
    monkeypatch.setattr(os, "access", lambda *_: False)  # a clone that cannot be written to
    assert data.root() == installed


def test_a_folder_of_the_users_own_in_the_place_of_a_set_is_left_alone(tiny, tmp_path):
    own = write_folder(tiny / "cifar10", image_files())
    before = {path: path.read_bytes() for path in own.rglob("*.*")}
    for given in ([own], [own / "train", own / "test"]):
        with pytest.raises(ValueError, match="cifar10 is there already and is no stored data set; rename it"):
            data.import_set("cifar10", given, progress=False)
    for way in (data.get, data.load, data.load_or_default):
        with pytest.raises(ValueError, match="another folder for the data sets in .* ALEXNET_DATA"):
            way("cifar10")
    assert {path: path.read_bytes() for path in own.rglob("*.*")} == before


def test_a_source_in_the_set_that_is_replaced_is_refused(stored):
    write_folder(stored / "new", image_files())
    with pytest.raises(ValueError, match="new lies in .*cifar10, which the new set replaces; move it"):
        data.import_set("cifar10", [stored / "new"], progress=False)
    assert (stored / "new").is_dir()


def test_a_process_that_was_killed_is_said(monkeypatch, tmp_path):
    def killed(*_, **__):
        raise ChildProcessError("a process was killed") from RuntimeError("abruptly")

    monkeypatch.setattr("alexnet.data.obtain.prepare", killed)
    with pytest.raises(ChildProcessError, match="a process was killed"):
        data.import_set("cifar10", [tmp_path / "images"], progress=False)

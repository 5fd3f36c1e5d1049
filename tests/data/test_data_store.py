"""Where data sets lie, and how they are stored, opened and found damaged."""

import errno
import os
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import alexnet
from alexnet import data
from alexnet.data import catalogue, store, synthetic
from support.samples import TINY, expected


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


def arrays() -> dict[str, np.ndarray]:
    return {
        "train_images": expected("train"),
        "train_labels": np.tile(np.arange(10), 2),
        "test_images": expected("test"),
        "test_labels": np.arange(10),
    }


def rewrite(path: Path, **changes) -> None:
    """Replace arrays of a stored set; None removes one."""
    with np.load(path) as file:
        content = {**file, **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})


def test_a_stored_set_opens_as_it_was():
    path = store.save(TINY, arrays(), {"source": "made by hand"})
    opened = data.load("cifar10")
    assert path == data.path_of("cifar10")
    assert opened.source == "made by hand"
    assert opened.classes == TINY.classes
    assert opened.train_images.dtype == torch.uint8 and opened.train_labels.dtype == torch.int64
    for key, array in arrays().items():
        np.testing.assert_array_equal(getattr(opened, key).numpy(), array)


def test_the_same_images_give_the_same_file():
    first = store.save(TINY, arrays(), {"source": "x"}).read_bytes()
    assert store.save(TINY, arrays(), {"source": "x"}).read_bytes() == first


def test_the_fingerprint_sees_one_pixel_and_one_label():
    def fingerprint(**changes):
        store.save(TINY, arrays() | changes, {"source": "x"})
        return data.load("cifar10").fingerprint

    images, labels = arrays()["train_images"], arrays()["test_labels"]
    images[3, 2, 1, 0] ^= 1
    labels[0], labels[1] = 1, 0
    assert len({fingerprint(), fingerprint(train_images=images), fingerprint(test_labels=labels)}) == 3
    assert len(fingerprint()) == 16


def test_the_fingerprint_does_not_see_the_order():
    turned = {key: array[::-1] for key, array in arrays().items()}
    prints = []
    for content in (arrays(), turned):
        store.save(TINY, content, {"source": "x"})
        prints.append(data.load("cifar10").fingerprint)
    assert prints[0] == prints[1]


def test_a_missing_set_names_the_commands_that_get_it():
    with pytest.raises(FileNotFoundError, match=r"data get cifar10.*data import cifar10 PATH"):
        data.load("cifar10")


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no data set 'mnist'; there is cifar10"):
        data.load("mnist")


def test_the_default_stands_in_only_where_the_set_is_missing(monkeypatch):
    monkeypatch.setattr(store, "synthetic", partial(synthetic, num_train=9, num_test=9))
    assert "not CIFAR-10" in data.load_or_default("cifar10").source
    path = store.save(TINY, arrays(), {"source": "the real one"})
    assert data.load_or_default("cifar10").source == "the real one"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        data.load_or_default("cifar10")


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.999])
def test_one_changed_byte_is_damage(place):
    path = store.save(TINY, arrays(), {"source": "x"})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:  # somewhere in the bytes of the images
        member = archive.getinfo("train_images.npy")
        content[int(member.header_offset + 300 + place * (member.file_size - 400))] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cifar10.npz is damaged .*data get cifar10"):
        data.load("cifar10")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_damage(share):
    path = store.save(TINY, arrays(), {"source": "x"})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="is damaged"):
        data.load("cifar10")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train_images": np.zeros((20, 3, 32, 32), np.float32)}, "train_images is float32"),
        ({"train_images": np.zeros((19, 3, 32, 32), np.uint8)}, "train_images is uint8"),
        ({"test_images": np.zeros((10, 32, 32, 3), np.uint8)}, "test_images is uint8"),
        ({"test_labels": np.arange(10, dtype=np.int32)}, "test_labels is int32"),
        ({"test_labels": np.arange(9)}, "test_labels is int64"),
        ({"test_labels": np.arange(1, 11)}, "outside 0 to 9"),
        ({"test_labels": np.arange(-1, 9)}, "outside 0 to 9"),
        ({"classes": np.array(["cat"] * 10)}, "classes are not those"),
        ({"classes": None}, "classes"),
        ({"provenance": np.array("no JSON")}, "Expecting value"),
        ({"provenance": np.array("{}")}, "source"),
        ({"train_labels": np.array([None] * 20)}, "allow_pickle"),
    ],
)
def test_a_whole_file_with_wrong_content_is_refused(changes, reason):
    path = store.save(TINY, arrays(), {"source": "x"})
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=reason):
        data.load("cifar10")


def test_wrong_arrays_are_not_stored(tiny):
    with pytest.raises(ValueError, match="train_images"):
        store.save(TINY, arrays() | {"train_images": expected("test")}, {"source": "x"})
    assert not tiny.exists()


def half_written(error):
    """Return a stand-in for np.savez that writes something and then fails."""

    def savez(file, **_arrays):
        file.write(b"half a set")
        raise error

    return savez


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError, "the disk is full; 0 MB are needed"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_a_write_that_fails_leaves_the_folder_as_it_was(monkeypatch, tiny, error, raised, text):
    before = store.save(TINY, arrays(), {"source": "the old one"}).read_bytes()
    monkeypatch.setattr(np, "savez", half_written(error))
    with pytest.raises(raised, match=text):
        store.save(TINY, arrays(), {"source": "the new one"})
    assert [path.name for path in tiny.iterdir()] == ["cifar10.npz"]
    assert (tiny / "cifar10.npz").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "file" / "sets"))
    with pytest.raises(OSError, match=r"cannot write to .*ALEXNET_DATA"):
        store.save(TINY, arrays(), {"source": "x"})


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

"""Prepared sets: what opens is whole, what is damaged says so and how to mend it; memory looks the same."""

import errno
import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from alexnet import data
from alexnet.data import catalogue, splits
from alexnet.data.prepare.check import damage_in
from alexnet.data.prepared import in_memory, open_prepared, open_set, with_validation
from alexnet.data.stored import StoredShard, read_index
from alexnet.storage.files import write_arrays
from alexnet.training import TrainSettings
from alexnet.training.plan import make_plan
from support.archives import jpeg, write
from support.preparing import SIZE, close_to, contents, made, one_folder
from support.samples import TINY, image_files, write_folder


@pytest.fixture(params=["jpeg", "raw"])
def prepared(tmp_path, request):
    """A set of 7 + 2 images, two in a shard, and the function that prepares it."""
    folder = one_folder(tmp_path)

    def prepare():
        return made("folder", [folder], tmp_path / "set", raw=request.param == "raw")[0]

    return prepare(), prepare


def change_description(folder, **changes):
    """Change entries of a set's description; None takes one out."""
    about = json.loads((folder / "set.json").read_text()) | changes
    about = {key: value for key, value in about.items() if value is not None}
    (folder / "set.json").write_text(json.dumps(about))


def test_images_beyond_2_gb_are_found_also_where_numpys_integers_have_32_bits(monkeypatch, tmp_path):
    real = np.arange  # as on Windows before numpy 2
    monkeypatch.setattr(np, "arange", lambda *given, **how: real(*given, **{"dtype": np.int32} | how))
    side, count = 2**14, 4
    num_bytes = np.array(128 + count * 3 * side**2)
    write_arrays(tmp_path / "a.npz", {"labels": real(4), "digests": real(4), "num_bytes": num_bytes})
    found = read_index(StoredShard(tmp_path / "a.npy", count, None, (3, side, side), num_classes=4))
    assert found["offsets"].tolist() == [128 + place * 3 * side**2 for place in range(count)]


def change_index(path, **changes):
    """Change arrays of an index."""
    with np.load(path) as content:
        arrays = dict(content)
    np.savez(path, **arrays | {name: change(arrays[name]) for name, change in changes.items()})


def test_a_set_has_what_training_needs(prepared):
    got, _ = prepared
    assert got.classes == got.names == ("a", "b") and got.name == "photos"
    assert len(got.train) == 7 and got.train.shape == (3, SIZE, SIZE) and not got.train.in_memory
    assert got.train.labels.dtype == torch.int64
    assert got.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1] and got.val.labels.tolist() == [0, 1]
    assert len(got.fingerprint) == 16 and got.path.name == "set"


def test_images_are_read_in_any_order_and_more_than_once(prepared):
    got, _ = prepared
    seeds = [0, 2, 4, 6, 1, 3, 5]  # as stored: by class and name
    indices = [6, 0, 3, 0, 4]
    images = got.train.read(indices)
    assert images.dtype == torch.uint8 and images.shape == (5, 3, SIZE, SIZE) and images.is_contiguous()
    assert all(close_to(image, seeds[i]) for image, i in zip(images, indices, strict=True))
    assert torch.equal(got.train.read(torch.tensor(indices)), images)
    assert torch.equal(torch.cat([got.train.read([i]) for i in indices]), images)
    assert got.train.read([]).shape == (0, 3, SIZE, SIZE)


def test_a_set_is_read_also_after_the_process_has_changed_its_working_folder(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got = open_set("set")
    monkeypatch.chdir("/")
    assert torch.equal(got.train.read([5]), prepared[0].train.read([5])) and got.path == tmp_path / "set"


@pytest.mark.parametrize("index", [-1, 7])
def test_a_image_that_is_not_there(prepared, index):
    with pytest.raises(IndexError, match=f"there is no image {index}; there are 7"):
        prepared[0].train.read([0, index])


def test_what_was_read_belongs_to_the_reader(prepared):
    got, _ = prepared
    first = got.train.read([1])
    kept = first.clone()
    first += 1
    assert torch.equal(got.train.read([1]), kept)


def test_another_process_gets_the_description_and_not_the_images(prepared):
    split = prepared[0].train
    size = len(pickle.dumps(split))
    split.read(range(7))
    sent = pickle.dumps(split)
    assert len(sent) == size
    assert torch.equal(pickle.loads(sent).read([5, 2]), split.read([5, 2]))


def test_there_is_no_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished prepared set in .*`alexnet data prepare"):
        open_set(tmp_path)


@pytest.mark.parametrize("more", [{}, {"splits": 0, "classes": None, "finished": "yes"}])
def test_a_set_of_a_newer_version_is_called_newer_and_kept(prepared, more):
    got, prepare = prepared
    change_description(got.path, format=99, **more)
    before = contents(got.path)
    newer = "set.json was written by a newer version of alexnet: its format is 99, .*; upgrade alexnet"
    for use in (lambda: open_set(got.path), prepare, lambda: damage_in(got.path, progress=False)):
        with pytest.raises(ValueError, match=newer):
            use()
    assert contents(got.path) == before


def test_a_set_of_an_earlier_version_or_another_program_opens(prepared):
    got, prepare = prepared
    change_description(got.path, indices=None)
    prepare()
    change_description(got.path, request=None, versions=None)
    assert torch.equal(open_set(got.path).train.read(range(7)), got.train.read(range(7)))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1}', '{"format": 1, "finished": true}'])
def test_a_damaged_description(prepared, content):
    (prepared[0].path / "set.json").write_text(content)
    with pytest.raises(
        ValueError, match="set.json is damaged .*; delete the folder and run the `alexnet data"
    ):
        open_set(prepared[0].path)


def test_files_of_the_right_size_that_are_not_those_written_are_found_on_opening(prepared):
    got, prepare = prepared
    before = contents(got.path)
    if got.path.joinpath("train-00000.npy").exists():  # of JPEGs the sizes would differ
        one, other = got.path / "train-00000.npy", got.path / "train-00001.npy"
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)
    else:
        one = got.path / "train-00000.tar"
        size = one.stat().st_size
        os.truncate(one, 1500)
        os.truncate(one, size)  # as a disk that was full, or a copy that broke off, may leave it
    with pytest.raises(ValueError, match="train-00000.* is damaged .image . of 2 is not the one that was wr"):
        open_set(got.path)
    assert all("train-0000" in sentence for sentence in damage_in(got.path, progress=False))
    for path in got.path.glob("train-0000[01].[nt][pa][yr]"):
        path.unlink()
    prepare()
    assert contents(got.path) == before


@pytest.mark.parametrize("with_digest", [True, False])
def test_labels_that_were_changed_are_found_on_opening(prepared, with_digest):
    got, _ = prepared
    if not with_digest:
        change_description(got.path, indices=None)
    change_index(got.path / "train-00001.npz", labels=lambda labels: labels * 0 + 1)
    with pytest.raises(ValueError, match="train-00001.* is damaged .*; delete it and run the `alexnet data"):
        open_set(got.path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("offsets", lambda values: values + 1),
        ("digests", lambda values: values[::-1]),
        ("labels", lambda v: v[:1]),
    ],
)
def test_any_change_of_an_index_is_found_on_opening(tmp_path, name, change):
    got, _ = made("folder", [one_folder(tmp_path)], tmp_path / "set")
    change_index(got.path / "train-00001.npz", **{name: change})
    with pytest.raises(ValueError, match="train-00001.npz is damaged"):
        open_set(got.path)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_of_no_class_are_found_on_opening(prepared, label):
    got, _ = prepared
    change_description(got.path, indices=None)
    change_index(got.path / "train-00001.npz", labels=lambda labels: labels * 0 + label)
    with pytest.raises(ValueError, match="train-00001.npz is damaged .it has labels outside 0 to 1"):
        open_set(got.path)


@pytest.mark.parametrize("raw", [False, True])
def test_a_change_inside_a_shard_is_seen_by_check_alone(tmp_path, raw):
    got, _ = made("folder", [one_folder(tmp_path)], tmp_path / "set", raw=raw, images_per_shard=7)
    (shard,) = [path for path in got.path.glob("train-00000.*") if path.suffix != ".npz"]
    content = bytearray(shard.read_bytes())
    with np.load(shard.with_suffix(".npz")) as index:
        content[len(content) // 2 if raw else index["offsets"][3] + 300] ^= 1
    shard.write_bytes(content)
    open_set(got.path)
    (sentence,) = damage_in(got.path, progress=False)
    assert f"{shard} is damaged (" in sentence


@pytest.mark.parametrize("damage", ["shorter", "gone", "index shorter", "index gone", "index of another"])
def test_damage_is_found_on_opening_and_mended_by_preparing_again(prepared, damage):
    got, prepare = prepared
    before = contents(got.path)
    (shard,) = [path for path in got.path.glob("train-00001.*") if path.suffix != ".npz"]
    victim = shard.with_suffix(".npz") if damage.startswith("index") else shard
    if damage.endswith("shorter"):
        victim.write_bytes(victim.read_bytes()[:-700])
    else:
        victim.unlink()
    if damage == "index of another":
        victim.write_bytes((got.path / "train-00003.npz").read_bytes())
    gone, said = (
        rf"there is no .*{victim.name}; run the `alex",
        rf"{victim.stem}.* is damaged .*; delete it and run",
    )
    with pytest.raises(ValueError, match=said if victim.exists() else gone):
        open_set(got.path)
    victim.unlink(missing_ok=True)
    prepare()
    assert contents(got.path) == before


def test_a_image_that_cannot_be_decoded_names_its_file(tmp_path):
    got, _ = made("folder", [one_folder(tmp_path)], tmp_path / "set")
    shard = tmp_path / "set/train-00001.tar"
    content = bytearray(shard.read_bytes())
    content[512:700] = bytes(188)  # the first image begins behind the name
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-00001.tar is damaged \(image 2 of the split: "):
        got.train.read([2])
    assert got.train.read([3]).shape[0] == 1


def test_a_shard_lost_after_opening(prepared):
    got, _ = prepared
    for path in got.path.glob("train-00000.*"):
        path.unlink()
    with pytest.raises(
        ValueError, match=r"^there is no .*train-00000\.[a-z]+; run the `alexnet data prepare`"
    ):
        got.train.read([0])


def test_a_shard_cut_short_after_it_was_read_from_is_an_error_and_no_signal(prepared):
    got, _ = prepared
    got.train.read(range(7))
    (shard,) = [path for path in got.path.glob("train-00000.*") if path.suffix != ".npz"]
    os.truncate(shard, 600)
    with pytest.raises(ValueError, match="train-00000.* is damaged .image 0 of the split: the file ends"):
        got.train.read([5, 0])
    assert len(got.train.read([6, 2])) == 2


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.EIO, ValueError, "train-00000.* is damaged .*delete it and run"),
        (errno.EBUSY, OSError, "train-00000"),
        (errno.EACCES, PermissionError, "train-00000"),
    ],
)
def test_a_disk_that_fails_is_an_error_that_names_the_file(prepared, monkeypatch, number, kind, message):
    def read(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(splits, "read_piece", read)
    with pytest.raises(kind, match=message):
        prepared[0].train.read([0])


def test_a_split_that_is_missing_says_which_are_there(tmp_path):
    got, said = made("folder", [write(tmp_path / "photos", {"val/a/1.jpg": jpeg(1)})], tmp_path / "set")
    assert "there are no training images: the set is for evaluation alone" in said
    with pytest.raises(ValueError, match="photos has no 'train' images, only val; .* for evaluation alone$"):
        _ = got.train
    with pytest.raises(ValueError, match="photos has no 'train' images, only val"):
        make_plan(TrainSettings(data=str(tmp_path / "set")))
    with pytest.raises(ValueError, match="no 'test' images, only val; .* or use another split$"):
        got.split("test")


def test_the_default_set_looks_like_a_prepared_one(monkeypatch):
    images = data.synthetic(num_train=20, num_test=10)
    monkeypatch.setattr("alexnet.data.prepared.synthetic", lambda: images)
    got = open_prepared("default")
    assert got.source == images.source and got.fingerprint == images.fingerprint and got.path is None
    assert got.classes == got.names == images.classes
    assert got.train.in_memory and got.train.shape == (3, 32, 32) and len(got.train) == 20
    assert torch.equal(got.val.labels, images.test_labels)
    assert torch.equal(got.val.read([5, 3]), images.test_images[[5, 3]])
    with pytest.raises(IndexError):
        got.val.read([-1])


def test_a_tenth_of_each_class_is_held_out_where_there_is_no_validation_split():
    images = data.synthetic(num_train=250, num_test=30)
    whole = in_memory(images)
    got, again = with_validation(whole), with_validation(whole)
    assert [len(got.splits[name]) for name in ("train", "val", "test")] == [230, 20, 30]
    assert got.val.labels.bincount().tolist() == [2] * 10 and torch.equal(got.val.labels, again.val.labels)
    assert torch.equal(got.val.read(range(20)), again.val.read(range(20)))
    pixels = {
        name: [x.numpy().tobytes() for x in got.splits[name].read(range(len(got.splits[name])))]
        for name in ("train", "val")
    }
    assert sorted(pixels["train"] + pixels["val"]) == sorted(x.numpy().tobytes() for x in images.train_images)
    by_pixels = {
        x.numpy().tobytes(): n for x, n in zip(images.train_images, images.train_labels.tolist(), strict=True)
    }
    assert [by_pixels[x] for x in pixels["val"]] == got.val.labels.tolist()
    assert got.split("test") is whole.split("test") and got.train.shape == (3, 32, 32) and got.val.in_memory
    assert (
        got.fingerprint == again.fingerprint != whole.fingerprint
    )  # no checkpoint goes on with other images
    with pytest.raises(IndexError, match="there is no image 20; there are 20"):
        got.val.read([20])


@pytest.mark.parametrize(("num_train", "held_out"), [(50, 5), (9, 1), (2, 1)])
def test_classes_of_few_images_are_no_reason_to_validate_on_test_images(num_train, held_out):
    got = with_validation(in_memory(data.synthetic(num_train=num_train, num_test=10)))
    assert [len(got.splits[name]) for name in ("train", "val")] == [num_train - held_out, held_out]
    assert got.val is not got.split("test")


def test_a_single_training_image_is_refused():
    one = in_memory(data.synthetic(num_train=1, num_test=10))
    with pytest.raises(ValueError, match="has 1 training image: two are needed"):
        with_validation(one)


def test_validation_images_that_are_there_stay():
    whole = in_memory(data.synthetic(num_train=100, num_test=10))
    named = replace(whole, splits={"train": whole.train, "val": whole.split("test")})
    assert with_validation(named) is named
    alone = replace(whole, splits={"train": whole.train})
    assert with_validation(alone) is alone


def test_cifar10_looks_like_a_prepared_set(monkeypatch, tmp_path):
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    with pytest.raises(FileNotFoundError, match="alexnet data get cifar10"):
        open_prepared("cifar10")
    data.import_set("cifar10", [write_folder(tmp_path / "images", image_files())], progress=False)
    got = open_prepared("cifar10")
    assert len(got.train) == 20 and got.name == "cifar10" and got.classes[3] == "cat"
    assert torch.equal(got.val.read(range(10)), data.load("cifar10").test_images)


def test_a_path_is_a_prepared_set(prepared):
    got, _ = prepared
    assert open_prepared(str(got.path)).fingerprint == open_prepared(got.path).fingerprint == got.fingerprint


def test_the_names_of_stored_images_are_in_the_index(prepared):
    names = [np.load(path)["names"].tolist() for path in sorted(prepared[0].path.glob("train*.npz"))]
    assert sum(names, []) == [
        b"a/0.jpg",
        b"a/2.jpg",
        b"a/4.jpg",
        b"a/6.jpg",
        b"b/1.jpg",
        b"b/3.jpg",
        b"b/5.jpg",
    ]

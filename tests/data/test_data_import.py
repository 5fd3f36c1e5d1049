"""Making a data set of archives and folders, and everything that can be wrong with them."""

import hashlib
import io
import json
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alexnet import data
from alexnet.data import catalogue
from alexnet.data.download import hash_file
from alexnet.data.prepare import batches
from alexnet.data.prepare.target import LOCK
from alexnet.storage.files import only_one
from support.samples import (
    COUNTS,
    TINY,
    encoded,
    expected,
    image_files,
    official_files,
    pixels,
    python2_batch,
    python3_batch,
    write_folder,
    write_tar,
    write_zip,
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Let "cifar10" be the small set, in an empty folder."""
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", TINY)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


def import_paths(*paths):
    return data.import_set("cifar10", paths, progress=False)


def assert_whole(source: str) -> None:
    """Assert that every image has its place and label, and the source reads so."""
    opened = data.load("cifar10")
    np.testing.assert_array_equal(opened.train_images.numpy(), expected("train"))
    np.testing.assert_array_equal(opened.test_images.numpy(), expected("test"))
    assert opened.train_labels.tolist() == [*range(10), *range(10)]
    assert opened.test_labels.tolist() == list(range(10))
    assert opened.source == f"CIFAR-10 (20 + 10 images, {source})"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_alone_is_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="paths must be a list, got .*a.tar alone; put it in brackets"):
        data.import_set("cifar10", kind(write_tar(tmp_path / "a.tar", image_files(), "w")))


WRITERS = {
    "folder": lambda path: write_folder(path / "images", image_files()),
    "tar": lambda path: write_tar(path / "a.tar", image_files(), "w"),
    "tar.gz": lambda path: write_tar(path / "a.tar.gz", image_files(), "w:gz"),
    "tar.xz": lambda path: write_tar(path / "a.tar.xz", image_files(), "w:xz"),
    "zip": lambda path: write_zip(path / "a.zip", image_files()),
    "deeper": lambda path: write_zip(path / "b.zip", {f"x/y/{k}": v for k, v in image_files().items()}),
}


@pytest.mark.parametrize("form", WRITERS)
def test_images_in_every_form_give_the_same_set(form, tmp_path):
    import_paths(WRITERS[form](tmp_path))
    assert_whole(f"imported from {'a folder' if form == 'folder' else 'an archive'} of PNG images")


def test_several_paths_together_hold_the_set(tmp_path):
    folder = write_folder(tmp_path / "images", image_files())
    train = {name: content for name, content in image_files().items() if name.startswith("train")}
    import_paths(folder / "test", write_tar(tmp_path / "train.tar", train, "w"))
    assert_whole("imported from an archive and a folder of PNG images")


@pytest.mark.parametrize("batch", [python2_batch, python3_batch])
def test_batches_in_the_official_layout(batch, tmp_path):
    import_paths(write_tar(tmp_path / "cifar-10-python.tar.gz", official_files(batch), "w:gz"))
    assert_whole("imported from an archive of batches")


def test_the_official_archive_is_known_by_its_checksum(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "renamed.tar.gz", official_files(), "w:gz")
    archive = replace(TINY.archive, sha256=hash_file(path))
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", replace(TINY, archive=archive))
    import_paths(path)
    assert_whole("from the official archive")


def test_provenance_has_the_checksum_and_no_path(tmp_path):
    path = write_zip(tmp_path / "images.zip", image_files())
    provenance = json.loads((import_paths(path) / "set.json").read_text())
    given = {"kind": "archive", "name": path.name, "sha256": hash_file(path)}
    assert provenance["request"]["inputs"] == [given]
    assert provenance["formats"] == {"PNG": 30}
    assert str(tmp_path) not in str(provenance)


def without(prefix: str) -> dict[str, bytes]:
    return {name: content for name, content in image_files().items() if not name.startswith(prefix)}


def of_kinds() -> dict[str, bytes]:
    """Return the set as PPM, PNG and BMP, grey frogs among them, in folders named against their order."""
    files = {}
    for split, count in COUNTS.items():
        for label, name in enumerate(TINY.classes):
            for n in range(count):
                kind, image = ("PPM", "PNG", "BMP")[(n + len(name)) % 3], pixels(split, label, n)
                path = f"{'yx'[n]}/{split}/{name}/{'Ba'[n]}.{kind.lower()}"
                files[path] = encoded(image[..., 0] if name == "frog" else image, kind)
    return files


def shuffled_batches() -> dict[str, bytes]:
    """Return the official layout with its training images in another order."""
    order = np.random.default_rng(1).permutation(20)
    images, labels = expected("train").reshape(20, 3072)[order], (order % 10).tolist()
    parts = {1: slice(0, 8), 2: slice(8, 20)}
    changed = {n: python2_batch(images[part], labels[part]) for n, part in parts.items()}
    return official_files() | {f"cifar-10-batches-py/data_batch_{n}": b for n, b in changed.items()}


def same_names() -> dict[str, bytes]:
    """Return the set with one name for both training images of a class, in two folders."""
    return {f"p{'10'[int(k[-5])]}/{k[:-8]}0.png": content for k, content in image_files().items()}


def batches_and_images() -> dict[str, bytes]:
    batches = {name: content for name, content in official_files().items() if "data_batch" in name}
    return batches | without("train")


# Fingerprint and SHA-256 as they were when a set was stored as one .npz file: records name fingerprints.
AS_EVER = {
    "kinds": (of_kinds, "a folder of BMP/PNG/PPM images", "9f321585f68ae01f", "7b46872a395ed90d"),
    "shuffled": (shuffled_batches, "an archive of batches", "f0b2224113efd1d7", "c2df8cbdab7b28a2"),
    "same names": (same_names, "a folder of PNG images", "f0b2224113efd1d7", "085c080fa27336d6"),
    "both": (batches_and_images, "an archive of PNG images", "f0b2224113efd1d7", "4832b11946b1a24c"),
}


@pytest.mark.parametrize("case", AS_EVER)
def test_images_labels_order_and_fingerprint_are_what_they_have_always_been(case, tmp_path):
    files, source, fingerprint, digest = AS_EVER[case]
    in_folder = source.startswith("a folder")
    write = write_folder if in_folder else lambda path, files: write_tar(path, files, "w:gz")
    import_paths(write(tmp_path / "a", files()))
    got = data.load("cifar10")
    whole = hashlib.sha256()
    for part in (got.train_images, got.train_labels, got.test_images, got.test_labels):
        whole.update(part.numpy().tobytes())
    assert (got.name, got.fingerprint, whole.hexdigest()[:16]) == ("cifar10", fingerprint, digest)
    assert got.source == f"CIFAR-10 (20 + 10 images, imported from {source})"


def test_files_that_systems_add_are_left_out(tmp_path):
    extra = {
        "train/cat/.DS_Store": b"?",
        "__MACOSX/train/cat/._0000.png": b"?",
        "README.txt": b"?",
        "./train/cat/._1.png": b"?",
    }
    import_paths(write_tar(tmp_path / "a.tar", image_files() | extra, "w"))
    assert_whole("imported from an archive of PNG images")


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip"])
def test_images_are_known_by_their_content_and_what_is_left_out_is_told(form, tmp_path):
    files, image = image_files(), pixels("train", 0, 0)
    del files["train/airplane/0000.png"]
    files |= {
        "train/airplane/0000": encoded(image),
        "train/cat/.1.png": b"?",
        "README": b"?" * 999,
        "x.csv": b"",
    }
    for number, kind in enumerate(("GIF", "TIFF", "PPM", "PNG")):
        del files[f"test/{TINY.classes[number]}/0000.png"]
        path = f"test/{TINY.classes[number]}/0000" + (".tif", ".TIFF", "", ".jfif")[number]
        grey = np.full((32, 32, 3), 50 * number, np.uint8)
        files[path] = encoded(grey, kind)
    write = {
        "folder": lambda: write_folder(tmp_path / "a", files),
        "tar": lambda: write_tar(tmp_path / "a", files, "w"),
        "tar.gz": lambda: write_tar(tmp_path / "a", files, "w:gz"),
        "zip": lambda: write_zip(tmp_path / "a", files),
    }
    said = []
    data.import_set("cifar10", [write[form]()], progress=False, tell=said.append)
    opened = data.load("cifar10")
    np.testing.assert_array_equal(opened.train_images.numpy(), expected("train"))
    assert [int(image.max()) for image in opened.test_images[:4]] == [0, 50, 100, 150]
    assert said == [
        "left out, hidden: 1, a/train/cat/.1.png",
        "left out, not an image: 2, the first a/README",
        "train: 20 images of 10 classes, 2 in each",
        "test: 10 images of 10 classes, 1 in each",
        "converted: 1 GIF named TIFF, 1 palette",
        "manifest.csv in the folder of the set names each of them",
    ]


def test_nothing_is_said_of_what_else_the_official_archive_holds(tmp_path):
    said = []
    path = write_tar(tmp_path / "a.tar.gz", official_files() | {"notes.txt": b"?"}, "w:gz")
    data.import_set("cifar10", [path], progress=False, tell=said.append)
    assert said[0] == "left out, not an image: 1, a.tar.gz/notes.txt"
    assert said[1:] == [
        "train: 20 images of 10 classes, 2 in each",
        "test: 10 images of 10 classes, 1 in each",
    ]


def test_an_image_that_is_not_read_is_called_by_its_name(tmp_path):
    files = image_files() | {"train/cat/new": b"\0\0\0\x18ftypheic" + bytes(300)}
    del files["train/cat/0001.png"]
    with pytest.raises(
        ValueError, match="^a/train/cat/new: HEIC, which .*; the set needs every image, get it again$"
    ):
        import_paths(write_folder(tmp_path / "a", files))


def test_grey_and_palette_images_become_rgb(tmp_path):
    grey = np.arange(1024, dtype=np.uint8).reshape(32, 32)
    files = image_files() | {"train/airplane/0000.png": encoded(grey)}
    import_paths(write_folder(tmp_path / "a", files))
    np.testing.assert_array_equal(data.load("cifar10").train_images[0].numpy(), np.stack([grey] * 3))


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path):
    folder = write_folder(tmp_path / "a", image_files())
    (folder / "train/dog").rename(tmp_path / "dogs")
    try:
        (folder / "train/dog").symlink_to(tmp_path / "dogs")
        (folder / "train/loop").symlink_to(folder)
        (folder / "test").rename(tmp_path / "elsewhere")
        (tmp_path / "test").symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("no symbolic links can be made here")
    import_paths(folder, tmp_path / "test")  # a link has its own name
    assert_whole("imported from a folder of PNG images")


def test_images_are_decoded_as_they_are_prepared(tmp_path):
    grey = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60
    files = image_files() | {"train/airplane/0000.png": encoded(grey)}
    import_paths(write_folder(tmp_path / "a", files))
    wanted = np.rint(grey / 257).astype(np.uint8)  # and not clipped at 255
    np.testing.assert_array_equal(data.load("cifar10").train_images[0].numpy(), np.stack([wanted] * 3))


WRONG_SETS = {
    "missing class": (
        without("train/dog"),
        r"the class 'dog' is missing from train/; 2 images of it are needed",
    ),
    "missing split": (without("test"), "there are no images of test/"),
    "nothing": (
        {"notes.txt": b""},
        "there are no images of train/ .*; left out, not an image: 1, a.*/notes.txt$",
    ),
    "too few": (without("train/dog/0001"), "train/dog has 1 images, not 2"),
    "too many": (
        image_files() | {"test/dog/9.png": encoded(pixels("test", 0, 9))},
        "test/dog has 2 images, not 1",
    ),
    "extra class": (
        image_files() | {"train/eel/0.png": b""},
        "eel/0.png is of the class 'eel', which CIFAR-10 does",
    ),
    "other split": (
        image_files() | {"valid/dog/0.png": b""},
        "valid/dog/0.png lies neither in train/<class>/",
    ),
    "no class": (image_files() | {"train/0.png": b""}, "train/0.png lies neither in train/<class>/"),
    "size": (
        image_files() | {"test/dog/0000.png": encoded(np.zeros((32, 31, 3), np.uint8))},
        "^a.*/test/dog/0000.png: 31 x 32 pixels, not 32 x 32; the set needs every image, get it again$",
    ),
    "no image": (
        image_files() | {"test/dog/0000.png": b"text"},
        "test/dog/0000.png: not an image; the set needs every image",
    ),
    "half an image": (
        image_files() | {"test/dog/0000.png": encoded(pixels("test", 5, 0))[:999]},
        "test/dog/0000.png: damaged; the set needs every image",
    ),
}


@pytest.mark.parametrize("case", WRONG_SETS)
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_set_that_is_not_whole_is_refused(case, form, tmp_path, tiny):
    files, message = WRONG_SETS[case]
    path = (
        write_folder(tmp_path / "a", files)
        if form == "folder"
        else write_tar(tmp_path / "a.tgz", files, "w:gz")
    )
    with pytest.raises(ValueError, match=message):
        import_paths(path)
    assert list(tiny.iterdir()) == []


def test_the_same_path_twice_is_too_many(tmp_path):
    path = write_zip(tmp_path / "a.zip", image_files())
    with pytest.raises(ValueError, match="train/airplane has 4 images, not 2"):
        import_paths(path, path)


def test_the_folder_of_the_data_sets_itself_is_no_source(tiny):
    write_folder(tiny, image_files())
    with pytest.raises(
        ValueError, match=r"holds the folder of the data sets, .*, such as .*train and .*test$"
    ):
        import_paths(tiny)
    import_paths(tiny / "train", tiny / "test")
    assert_whole("imported from a folder of PNG images")


def test_what_killed_imports_left_is_removed_and_what_others_write_is_not(tmp_path, tiny):
    left, busy = (tiny / f"cifar10.0000000{n}.part" for n in (1, 2))
    for folder in (left, busy):
        write_folder(folder, {"train-00000.npy": b"half"})
    (tiny / "cifar10.old").mkdir()
    with only_one(busy / LOCK, "busy"):
        import_paths(write_tar(tmp_path / "a.tar", image_files(), "w"))
        assert {path.name for path in tiny.iterdir()} == {"cifar10", "cifar10.old", busy.name}
        assert (busy / "train-00000.npy").is_file()
    assert_whole("imported from an archive of PNG images")


def test_a_path_that_is_not_there_is_named_before_any_reading(tmp_path):
    path = tmp_path / "damaged.zip"
    path.write_bytes(b"reading this would raise another error")
    with pytest.raises(FileNotFoundError, match="there is no file or folder .*nowhere.tar"):
        import_paths(path, tmp_path / "nowhere.tar")


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.xz", "zip"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_an_archive_cut_short_is_damaged(form, share, tmp_path, tiny):
    path = WRITERS[form](tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"is damaged, or not an archive|is missing from|are needed"):
        import_paths(path)
    assert list(tiny.iterdir()) == []


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "zip"])
def test_an_archive_with_a_changed_byte_is_damaged(form, tmp_path):
    path = WRITERS[form](tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, or not an archive|: damaged"):
        import_paths(path)


def test_a_file_that_is_no_archive_is_called_so(tmp_path):
    (tmp_path / "notes.txt").write_text("not an archive")
    with pytest.raises(ValueError, match="left out, not an image: 1, notes.txt"):
        import_paths(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "name",
    [
        "../train/cat/0.png",
        "/train/cat/0.png",
        "train/../../cat/0.png",
        "C:/train/cat/0.png",
        "..\\cat\\0.png",
    ],
)
@pytest.mark.parametrize("form", ["tar", "zip"])
def test_names_that_point_outside_the_archive_are_refused(name, form, tmp_path):
    files = {name: encoded(pixels("train", 3, 0))}
    path = (
        write_zip(tmp_path / "a.zip", files) if form == "zip" else write_tar(tmp_path / "a.tar", files, "w")
    )
    with pytest.raises(ValueError, match="points outside the archive"):
        import_paths(path)


def test_links_in_an_archive_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("train/cat/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match=r"train/cat/0.png is a link or a device"):
        import_paths(tmp_path / "a.tar")


def test_a_huge_batch_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"data_batch_2 has [\d,]+ bytes, too many for a batch of images"):
        import_paths(write_tar(tmp_path / "a.tar", official_files(), "w"))


class Malice:
    """Pickles to a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_a_batch_cannot_run_code(tmp_path):
    marker = tmp_path / "ran"
    content = pickle.dumps({"data": Malice(open, str(marker), "w"), "labels": []})
    path = write_tar(tmp_path / "a.tar", {"cifar-10-batches-py/data_batch_1": content}, "w")
    with pytest.raises(ValueError, match=r"data_batch_1 is not a batch of images \(it asks for .*open"):
        import_paths(path)
    assert not marker.exists()
    with pytest.raises(pickle.UnpicklingError, match=r"numpy\.load"):
        batches.BatchUnpickler(io.BytesIO(pickle.dumps(np.load))).load()


LISTS = [0, 1]  # and of these lists of two, and so on: an array of that would fill any memory
for _ in range(70):
    LISTS = [LISTS, LISTS]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (python2_batch(np.zeros((2, 3071), np.uint8), [0, 1]), "not one row of bytes"),
        (python2_batch(np.zeros((2, 3072), np.uint8), [0]), "not one label for each image"),
        (python2_batch(np.zeros((2, 3072), np.uint8), [0, 10]), "has labels outside 0 to 9"),
        (python3_batch(np.zeros((2, 3072), np.float32), [0, 1]), "not one row of bytes"),
        (python3_batch(np.zeros((2, 3072), np.uint8), [0.5, 1]), "not one label for each image"),
        (python3_batch(np.zeros((2, 3072), np.uint8), LISTS), "not one label for each image"),
        (python3_batch(np.zeros((2, 3072), np.uint8), [10**30, 1]), "is not a batch of images"),
        (pickle.dumps([1, 2]), "is not a batch of images"),
        (pickle.dumps({"data": 1}), "is not a batch of images"),
        (python2_batch(np.zeros((2, 3072), np.uint8), [0, 1])[:500], "is not a batch of images"),
    ],
)
def test_wrong_batches_are_refused(batch, message, tmp_path):
    path = write_tar(tmp_path / "a.tar", {"cifar-10-batches-py/data_batch_1": batch}, "w")
    with pytest.raises(ValueError, match=f"data_batch_1 .*{message}"):
        import_paths(path)

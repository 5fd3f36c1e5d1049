"""Making a data set of archives and folders, and everything that can be wrong with them."""

import io
import json
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from alexnet import data
from alexnet.data import catalogue, decode, members, obtain
from support.samples import (
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
    archive = replace(TINY.archive, sha256=obtain.sha256_of(path))
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", replace(TINY, archive=archive))
    import_paths(path)
    assert_whole("from the official archive")


def test_provenance_has_the_checksum_and_no_path(tmp_path):
    path = write_zip(tmp_path / "images.zip", image_files())
    with np.load(import_paths(path)) as stored:
        provenance = json.loads(str(stored["provenance"]))
    assert provenance["inputs"] == [{"kind": "archive", "name": path.name, "sha256": obtain.sha256_of(path)}]
    assert provenance["formats"] == {"PNG": 30}
    assert str(tmp_path) not in str(provenance)


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
    opened, top = data.load("cifar10"), "a/" if form == "folder" else ""
    np.testing.assert_array_equal(opened.train_images.numpy(), expected("train"))
    assert [int(image.max()) for image in opened.test_images[:4]] == [0, 50, 100, 150]
    assert said == [
        f"left out, hidden: 1, {top}train/cat/.1.png",
        f"left out, no part of the data set: 2, the first {top}README",
    ]


def test_nothing_is_said_of_what_else_the_official_archive_holds(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "a.tar.gz", official_files(), "w:gz")
    said = []
    data.import_set("cifar10", [path], progress=False, tell=said.append)
    assert said == ["left out, no part of the data set: 2, the first cifar-10-batches-py/batches.meta"]
    archive = replace(TINY.archive, sha256=obtain.sha256_of(path))
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", replace(TINY, archive=archive))
    data.import_set("cifar10", [path], progress=False, tell=said.append)
    assert len(said) == 1


def test_an_image_that_is_not_read_is_called_by_its_name(tmp_path):
    files = image_files() | {"train/cat/new": b"\0\0\0\x18ftypheic" + bytes(300)}
    with pytest.raises(ValueError, match="train/cat/new is not an image that can be read: HEIC, which"):
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


def without(prefix: str) -> dict[str, bytes]:
    return {name: content for name, content in image_files().items() if not name.startswith(prefix)}


WRONG_SETS = {
    "missing class": (
        without("train/dog"),
        r"the class 'dog' is missing from train/; 2 images of it are needed",
    ),
    "missing split": (without("test"), "there are no images of test/"),
    "nothing": ({"notes.txt": b""}, "there are no images of train/"),
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
        "0000.png has 31 x 32 pixels, not 32 x 32",
    ),
    "no image": (
        image_files() | {"test/dog/0000.png": b"text"},
        "test/dog/0000.png is not an image that can be",
    ),
    "half an image": (
        image_files() | {"test/dog/0000.png": encoded(pixels("test", 5, 0))[:999]},
        "test/dog/0000.png is not an image",
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
    assert not tiny.exists()


def test_the_same_path_twice_is_too_many(tmp_path):
    path = write_zip(tmp_path / "a.zip", image_files())
    with pytest.raises(ValueError, match="train/airplane has 4 images, not 2"):
        import_paths(path, path)


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
    assert not tiny.exists()


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "zip"])
def test_an_archive_with_a_changed_byte_is_damaged(form, tmp_path):
    path = WRITERS[form](tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, or not an archive|is not an image"):
        import_paths(path)


def test_a_file_that_is_no_archive_is_called_so(tmp_path):
    (tmp_path / "notes.txt").write_text("not an archive")
    with pytest.raises(ValueError, match="notes.txt is damaged, or not an archive"):
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


def test_a_huge_member_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(ValueError, match="too many for a part of this data set"):
        import_paths(write_zip(tmp_path / "a.zip", image_files()))


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
        decode.BatchUnpickler(io.BytesIO(pickle.dumps(np.load))).load()


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

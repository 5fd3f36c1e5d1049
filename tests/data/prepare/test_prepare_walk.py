"""What lies in real folders beside images: links in circles, pipes, odd names, files of any kind."""

import csv
import os
import sys
from pathlib import Path

import pytest

from alexnet.cli.main import main
from alexnet.data.archives import Skipped
from alexnet.data.formats import readable
from alexnet.data.prepared import open_set
from alexnet.data.walk import as_named, files_below
from support.archives import encoded, jpeg, pixels, tar, write, write_zip
from support.preparing import made, one_folder

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def link(path, target):
    """Make a symbolic link, or skip the test where this is not allowed."""
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links can be made here")


def found(folder):
    """Return the files of a folder by their path in it, and what is left out with its reason."""
    files, skipped = [], {}
    for path in files_below(folder.resolve()):
        if isinstance(path, Skipped):
            skipped[path.name.partition("/")[2]] = path.reason
        else:
            files.append(path.relative_to(folder.resolve()).as_posix())
    return sorted(files), skipped


AGAIN = "a link to a folder that is read by another name"


@pytest.mark.parametrize("target", [".", "..", "../dog", "/"])
def test_a_link_to_a_folder_that_is_read_anyway_is_left_out(tmp_path, target):
    folder = write(tmp_path / "p", {"cat/1.jpg": b"", "dog/2.jpg": b""})
    link(folder / "cat" / "self", target)
    assert found(folder) == (["cat/1.jpg", "dog/2.jpg"], {"cat/self": AGAIN})


def test_two_loops_end(tmp_path):
    folder = write(tmp_path / "p", {"cat/1.jpg": b"", "dog/2.jpg": b""})
    link(folder / "cat" / "a", "../dog")
    link(folder / "dog" / "b", "../cat")
    link(folder / "cat" / "c", ".")
    assert found(folder) == (["cat/1.jpg", "dog/2.jpg"], dict.fromkeys(["cat/a", "cat/c", "dog/b"], AGAIN))


def test_links_to_folders_elsewhere_are_followed_once(tmp_path):
    other = write(tmp_path / "elsewhere", {"3.jpg": b"", "in/4.jpg": b""})
    folder = write(tmp_path / "p", {"cat/1.jpg": b""})
    link(folder / "dog", other)
    link(folder / "elk", other)
    link(other / "in" / "back", folder)
    files, skipped = found(folder)
    assert files == ["cat/1.jpg", "dog/3.jpg", "dog/in/4.jpg"]
    assert skipped == {"elk": AGAIN, "dog/in/back": AGAIN}


def test_a_source_that_is_a_link_has_the_links_name(tmp_path, monkeypatch):
    write(tmp_path / "disk1/abc", {"cat/1.jpg": jpeg(1), "dog/2.jpg": jpeg(2)})
    write(tmp_path / "disk2/abc", {"cat/3.jpg": jpeg(3), "dog/4.jpg": jpeg(4)})
    (tmp_path / "src").mkdir()
    for split, disk in {"train": "disk1", "val": "disk2"}.items():
        link(tmp_path / "src" / split, f"../{disk}/abc")
    link(tmp_path / "pets", tmp_path / "src")
    monkeypatch.chdir(tmp_path / "pets")
    for number, sources in enumerate((["train", "val"], [tmp_path / "pets"], ["."], ["../src/../pets"])):
        got, said = made("folder", [Path(source) for source in sources], tmp_path / f"set{number}")
        assert {name: len(split) for name, split in got.splits.items()} == {"train": 2, "val": 2}, said
        assert got.classes == ("cat", "dog")
        # What "." is called the system knows.
        assert got.name == ("train", "pets", got.name if number == 2 else "", "pets")[number]
    assert as_named(Path("..")) == tmp_path.resolve()


def test_a_loop_to_above_what_a_source_links_to_is_left_out(tmp_path):
    write(tmp_path / "disk", {"abc/cat/1.jpg": b"", "other/9.jpg": b""})
    link(tmp_path / "disk/abc/cat/self", "../..")
    link(tmp_path / "src", tmp_path / "disk/abc")
    base = as_named(tmp_path / "src")
    assert list(files_below(base)) == [base / "cat/1.jpg", Skipped("src/cat/self", AGAIN)]


def test_links_to_files_are_followed_and_those_to_nothing_named(tmp_path):
    folder = write(tmp_path / "p", {"cat/1.jpg": b""})
    link(folder / "cat" / "2.jpg", "1.jpg")
    link(folder / "cat" / "3.jpg", "nowhere.jpg")
    link(folder / "cat" / "4.jpg", "4.jpg")
    assert found(folder) == (
        ["cat/1.jpg", "cat/2.jpg"],
        dict.fromkeys(["cat/3.jpg", "cat/4.jpg"], "a link to nothing"),
    )


@pipes
def test_a_pipe_is_left_out_and_not_waited_for(tmp_path):
    folder = one_folder(tmp_path)
    os.mkfifo(folder / "train/a/pipe.jpg")
    got, said = made("folder", [folder], tmp_path / "set")
    assert len(got.train) == 7
    assert "left out, a pipe or a device: 1, photos/train/a/pipe.jpg" in said


def test_hidden_files_are_left_out_and_counted(tmp_path):
    folder = one_folder(tmp_path)
    write(folder, {"train/a/._0.jpg": b"", ".DS_Store": b"", ".git/1.jpg": b"", "__MACOSX/x/2.jpg": b""})
    _, said = made("folder", [folder], tmp_path / "set")
    assert "left out, hidden: 4, the first photos/.DS_Store" in said


@pytest.mark.parametrize("form", ["tar", "zip", "nested"])
def test_hidden_files_in_archives_are_counted_too(tmp_path, form):
    held = {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2), "a/._1.jpg": b"", "__MACOSX/b/2.jpg": b"", ".git/x": b""}
    if form == "zip":
        source = write_zip(tmp_path / "p.zip", held)
    else:
        source = write(tmp_path / "p.tar", tar({"q.tar": tar(held)} if form == "nested" else held))
    _, said = made("folder", [source], tmp_path / "set", class_level=1 if form != "nested" else None)
    first = {"tar": "p.tar/", "zip": "p.zip/", "nested": "p.tar/q.tar/"}[form]
    assert f"left out, hidden: 3, the first {first}.git/x" in said


def test_a_folder_may_itself_have_a_hidden_name(tmp_path):
    folder = one_folder(tmp_path).rename(tmp_path / ".photos")
    assert len(made("folder", [folder], tmp_path / "set")[0].train) == 7


def test_a_prepared_set_within_the_source_is_left_out(tmp_path):
    folder = one_folder(tmp_path)
    first, _ = made("folder", [folder], tmp_path / "set")
    (tmp_path / "set").rename(folder / "old")
    second, said = made("folder", [folder], tmp_path / "set")
    assert "left out, a prepared set: 1, photos/old" in said
    assert first.fingerprint == second.fingerprint


def test_an_unreadable_folder_is_no_silence(tmp_path, monkeypatch):
    folder = one_folder(tmp_path)

    def scandir(path, whole=os.scandir):
        if os.fspath(path).endswith("b"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return whole(path)

    monkeypatch.setattr("alexnet.data.walk.os.scandir", scandir)
    with pytest.raises(PermissionError, match="Permission denied"):
        made("folder", [folder], tmp_path / "set")


def test_names_that_a_terminal_obeys_or_hides_are_stored_and_said_with_escapes(tmp_path, capsys):
    held = {"a\x1b[2J/1\n2.jpg": jpeg(1), "b\u202egpj/x\u200b.jpg": jpeg(2), "a\x1b[2J/\x07.txt": b"no image"}
    status = main(
        ["data", "prepare", "folder", "--workers", "0"]
        + [str(write(tmp_path / "p.tar", tar(held | {"b\u202egpj/.\n": b""}))), str(tmp_path / "set")]
    )
    said = capsys.readouterr().out
    assert status == 0 and open_set(tmp_path / "set").classes == (r"a\x1b[2J", r"b\u202egpj")
    assert all(line.isprintable() for line in said.splitlines())
    assert r"left out, not an image: 1, p.tar/a\x1b[2J/\x07.txt" in said


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are text on this system")
@pytest.mark.parametrize("form", ["folder", "tar"])
def test_names_that_are_no_utf8_are_prepared(tmp_path, form):
    names = [os.fsdecode(name) for name in (b"caf\xe9/1.jpg", b"caf\xe9/\xff.jpg", b"bar/2.jpg")]
    held = {name: jpeg(i) for i, name in enumerate(names)} | {os.fsdecode(b"bar/\xe8.jpg"): b""}
    top = tmp_path / os.fsdecode(b"\xe9")
    source = write(top, held) if form == "folder" else write(top.with_suffix(".tar"), tar(held))
    got, _ = made("folder", [source], tmp_path / "set", max_damaged=0.5)
    assert (
        got.name == r"\xe9" and got.classes == ("bar", r"caf\xe9") and got.train.labels.tolist() == [0, 1, 1]
    )
    with (tmp_path / "set/manifest.csv").open(encoding="utf-8", newline="") as file:
        assert [row["file"].partition("/")[2] for row in csv.DictReader(file)] == [r"bar/\xe8.jpg"]


KINDS = {
    "a/1.jfif": "JPEG",
    "a/2": "PNG",
    "a/3.txt": "GIF",
    "a/4.data": "TIFF",
    "a/5.x.y": "WEBP",
    "a/6.avif": "AVIF",
}


@pytest.mark.parametrize("form", ["folder", "tar", "zip"])
def test_images_are_known_by_their_content(tmp_path, form):
    kinds = {name: kind for name, kind in KINDS.items() if kind in readable()}
    held = {name: encoded(pixels(i), kind) for i, (name, kind) in enumerate(kinds.items())}
    held |= {"a/7.tga": encoded(pixels(7), "TGA"), "a/readme": b"hello", "b.csv": b"1,2", "b/8.jpg": jpeg(8)}
    writer = {
        "folder": lambda: write(tmp_path / "p", held),
        "tar": lambda: write(tmp_path / "p.tar", tar(held)),
        "zip": lambda: write_zip(tmp_path / "p.zip", held),
    }[form]
    source = writer()
    got, said = made("folder", [source], tmp_path / "set")
    assert len(got.train) == len(kinds) + 2
    assert f"left out, not an image: 2, the first {source.name}/a/readme" in said


def test_an_image_that_is_not_read_is_counted_with_its_true_name(tmp_path):
    held = {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2), "a/3.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"}
    _, said = made("folder", [write(tmp_path / "p", held)], tmp_path / "set", max_damaged=0.5)
    reason = "HEIC, which is read only with the package pillow-heif; install it or convert the image"
    with (tmp_path / "set/manifest.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["file"], row["why"]) for row in csv.DictReader(file)] == [("p/a/3.heic", reason)]

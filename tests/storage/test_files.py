"""Files are written whole or not at all, as the user's umask has it; newer formats are called newer."""

import errno
import gzip
import json
import os
import subprocess
import sys

import filelock
import numpy as np
import pytest

from alexnet.storage import files
from alexnet.storage.files import (
    NewerFormat,
    check_format,
    folder_written_whole,
    only_one,
    read_arrays,
    write_arrays,
    write_json,
    written_whole,
)


@pytest.fixture
def old(tmp_path):
    """A file that stands."""
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    return path


def assert_stands(old):
    assert [path.name for path in old.parent.iterdir()] == ["a.json"]
    assert old.read_bytes() == b"old"


def test_a_file_appears_when_it_is_whole(old):
    with written_whole(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new" and len(list(old.parent.iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    for name, kind in (
        ("pipe", "a pipe or a device"),
        ("link", "a pipe or a device"),
        ("folder", "a folder"),
    ):
        with pytest.raises(OSError, match=f"{name}: it is {kind}; name a file$"):
            write_json(tmp_path / name, {})
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "pipe"]


@pytest.mark.skipif(os.name != "posix", reason="Windows lets few users make links")
def test_a_link_to_a_file_is_replaced_and_the_file_is_not(old):
    link = old.with_name("link")
    link.symlink_to(old)
    write_json(link, {})
    assert not link.is_symlink() and old.read_bytes() == b"old"


def test_folders_are_made(tmp_path):
    with written_whole(tmp_path / "x/y/a") as file:
        file.write(b"1")
    assert (tmp_path / "x/y/a").read_bytes() == b"1"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
        write_arrays(tmp_path / "a.npz", {"x": np.ones(1)})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_what_goes_wrong_on_the_way_leaves_the_old_file_and_nothing_else(old, error):
    with pytest.raises(type(error)) as caught, written_whole(old) as file:
        file.write(b"half")
        raise error
    assert caught.value is error
    assert_stands(old)


@pytest.fixture
def folder(tmp_path):
    """A folder that stands, with one file in it."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_bytes(b"old")
    return tmp_path / "set"


def test_a_folder_takes_the_place_of_another_when_it_is_whole(folder):
    for content in (b"new", b"newer"):
        with folder_written_whole(folder) as new:
            new.mkdir()
            (new / "b").write_bytes(content)
            assert (folder / ("a" if content == b"new" else "b")).is_file()
        assert [path.name for path in folder.iterdir()] == ["b"] and (folder / "b").read_bytes() == content
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.skipif(os.name != "posix", reason="not everybody may make links on this system")
def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(folder, tmp_path):
    (tmp_path / "data").mkdir()
    link = tmp_path / "data" / "set"
    link.symlink_to(folder, target_is_directory=True)
    with folder_written_whole(link) as new:
        new.mkdir()
        (new / "b").write_bytes(b"new")
    assert link.is_symlink() and list(link.parent.iterdir()) == [link]
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data", folder]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("fails", ["inside", "first rename", "second rename"])
def test_what_goes_wrong_leaves_the_old_folder_and_nothing_else(folder, monkeypatch, error, fails):
    names, rename = iter(["first rename", "second rename"]), os.rename

    def renamed(source, target):
        if next(names, "") == fails:
            raise error
        rename(source, target)

    monkeypatch.setattr(files.os, "rename", renamed)
    with pytest.raises(type(error)) as caught, folder_written_whole(folder) as new:
        new.mkdir()
        if fails == "inside":
            raise error
    assert caught.value is error
    assert list(folder.parent.iterdir()) == [folder] and (folder / "a").read_bytes() == b"old"


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_disk_that_is_full_at_the_last_moment_leaves_the_old_file_and_names_it(old, monkeypatch, function):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(files.os, function, full)
        write_json(old, {})
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(old)
    assert_stands(old)


def test_an_error_of_what_is_read_meanwhile_stays_as_it_is(old):
    with pytest.raises(OSError, match="^Not a gzipped file$"), written_whole(old):
        raise gzip.BadGzipFile("Not a gzipped file")


def test_an_error_of_another_file_keeps_its_name(old):
    with pytest.raises(FileNotFoundError) as caught, written_whole(old):
        (old.parent / "nowhere").read_bytes()
    assert caught.value.filename == str(old.parent / "nowhere")
    assert_stands(old)


def test_the_disk_has_the_content_before_the_name_and_then_the_name(old, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (done.append("sync"), sync(handle)))
    monkeypatch.setattr(files.os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    write_json(old, {})
    assert done == ["sync", "replace", "sync"][: 3 if os.name == "posix" else 2]


@pytest.mark.skipif(os.name != "posix", reason="no folder is synced there")
@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_taken_as_it_is(tmp_path, monkeypatch, number, raised):
    def sync(_handle):
        raise OSError(number, "no")

    monkeypatch.setattr(files.os, "fsync", sync)
    if raised:
        with pytest.raises(OSError, match="no"):
            files.sync_folder(tmp_path)
    else:
        files.sync_folder(tmp_path)


def test_json_keeps_letters_readable_and_names_that_are_no_unicode(tmp_path):
    value = {"name": "Blässhuhn", "file": b"caf\xe9.jpg".decode(errors="surrogateescape"), "number": 0.1}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == value and "Blässhuhn" in text


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_what_json_cannot_say_is_not_written(old, value):
    with pytest.raises((ValueError, TypeError)):
        write_json(old, {"a": value})
    assert_stands(old)


def test_only_one_is_at_it_at_a_time(tmp_path):
    lock = tmp_path / "a.lock"
    with only_one(lock, "busy"):
        with pytest.raises(ValueError, match="^busy$"), only_one(lock, "busy"):
            raise AssertionError("two at once")
        assert lock.exists()  # the one that was refused has not taken it away
    with pytest.raises(KeyboardInterrupt), only_one(lock, "busy"):
        raise KeyboardInterrupt
    with only_one(lock, "busy"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_that_lets_go_takes_away_no_file_that_another_has_locked(tmp_path, monkeypatch):
    lock, real = tmp_path / "a.lock", filelock.FileLock.release
    other = filelock.FileLock(lock, timeout=0)

    def release(self, *words, **options):
        real(self, *words, **options)
        monkeypatch.undo()
        other.acquire()

    monkeypatch.setattr(filelock.FileLock, "release", release)
    with only_one(lock, "busy"):
        pass
    with pytest.raises(ValueError, match="^busy$"), only_one(lock, "busy"):
        raise AssertionError("two at once")
    other.release()


def test_a_killed_process_lets_go(tmp_path):
    code = (
        "import os, sys, pathlib; from alexnet.storage.files import only_one\n"
        "with only_one(pathlib.Path(sys.argv[1]), 'busy'): os._exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "a.lock"]).returncode == 3
    assert (tmp_path / "a.lock").exists()
    with only_one(tmp_path / "a.lock", "busy"):
        pass


def test_a_file_system_without_locks_is_no_hindrance(tmp_path, monkeypatch):
    def acquire(_lock):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with only_one(tmp_path / "a.lock", "busy"):
        pass


@pytest.mark.parametrize("found", [2, 99])
def test_a_newer_format_is_called_newer(tmp_path, found):
    with pytest.raises(NewerFormat) as caught:
        check_format(tmp_path / "a", found, 1)
    assert str(caught.value) == (
        f"{tmp_path / 'a'} was written by a newer version of alexnet: its format is {found}, and this "
        "version reads 1; upgrade alexnet to use it"
    )


@pytest.mark.parametrize("found", [0, -1, None, "2", True, 1.5])
def test_what_is_no_format_is_left_to_the_reader_to_name(tmp_path, found):
    check_format(tmp_path / "a", 1, 1)
    with pytest.raises(ValueError, match="^its format is .*, not 1$") as caught:
        check_format(tmp_path / "a", found, 1)
    assert not isinstance(caught.value, NewerFormat)


def test_arrays_come_back_by_name(tmp_path):
    arrays = {"x": np.arange(3), "y": np.array("text")}
    write_arrays(tmp_path / "a.npz", arrays)
    assert set(read_arrays(tmp_path / "a.npz")) == {"x", "y"}
    assert read_arrays(tmp_path / "a.npz", ["x"])["x"].tolist() == [0, 1, 2]


def test_a_wrong_bit_or_a_cut_anywhere_is_seen_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": np.arange(3), "y": np.array("text")})
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        for damage in (bytes([whole[position] ^ (1 << position % 8)]) + whole[position + 1 :], b""):
            path.write_bytes(whole[:position] + damage)
            try:
                back = read_arrays(path, ["x", "y"])
            except ValueError as error:
                assert str(error)
            else:
                assert back["x"].tolist() == [0, 1, 2] and str(back["y"]) == "text"


@pytest.mark.parametrize("content", [b"", bytes(500), b"text", b"\x93NUMPY\x01\x00"])
def test_what_holds_no_arrays(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="^it is no whole .npz file$"):
        read_arrays(tmp_path / "a.npz")


def test_a_single_array_is_no_file_of_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "a.npy")


def test_the_home_of_nobody_may_be_a_files_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert files.home("~/sets") == tmp_path / "sets"
    assert str(files.home("~nobody-of-this-name.jpg")) == "~nobody-of-this-name.jpg"

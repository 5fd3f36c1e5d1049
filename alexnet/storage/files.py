"""Files of every kind: written whole or not at all, and of formats that have a number."""

import contextlib
import errno
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

PART = ".part"  # ends the name of a file that is being written
# Errors of file systems that cannot sync a folder, or not this user's.
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)


def home(path: str | Path) -> Path:
    """Return a path with ``~`` spelled out; ``~name`` of a user who is not known may be a file's name."""
    return Path(os.path.expanduser(path))


def check_replaceable(path: Path) -> None:
    """Raise OSError if there is something at a path that is no file, and that a file must not replace."""
    if path.is_dir():
        raise OSError(f"cannot write {path}: it is a folder; name a file")
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {path}: it is a pipe or a device; name a file")


@contextlib.contextmanager
def written_whole(path: Path) -> Generator[BinaryIO]:
    """Open a file for writing that appears at its path when the disk has all of it, and never in part.

    A file that was there stays until then. The new one has the permissions that the user's umask leaves.

    Args:
        path: of the file; its folder is made where it is missing.
    Raises:
        OSError: it cannot be written, for example because the disk is full, or something else than a file is
            there; nothing of it is left behind.
    """
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # some file systems say only here that the disk is full
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)  # a failed write does not name its file
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def folder_written_whole(path: Path) -> Generator[Path]:
    """Give a path at which to make a folder, which then replaces the one at another path, or is removed.

    What was there stays until then. Where the path is a link, the folder that it leads to is replaced.

    Args:
        path: of the folder.
    Raises:
        OSError: it cannot be put there; what was there stays.
    """
    path = path.resolve() if path.is_symlink() else path
    new, old = (path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}") for _ in range(2))
    try:
        yield new
        replaces = path.exists()
        if replaces:
            os.rename(path, old)
        try:
            os.rename(new, path)
        except BaseException:
            if replaces:
                os.rename(old, path)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    sync_folder(path.parent)


def reason(error: OSError) -> str:
    """Return the operating system's reason in words."""
    return "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the folder's names; a system without such a call sees to it by itself."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, whole or not at all.

    Raises:
        ValueError: JSON cannot say it, such as NaN.
        OSError: as for `written_whole`.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with written_whole(path) as file:
        # A name that is not Unicode has surrogates: JSON can write them as escapes, UTF-8 not at all.
        file.write(text.encode(errors="backslashreplace") + b"\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file, uncompressed, whole or not at all; OSError as for `written_whole`."""
    with written_whole(path) as file:
        # pyrefly: ignore[bad-argument-type]  # it fears an array called allow_pickle, which is an option
        np.savez(file, **arrays)


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of an .npz file, all if no names are given; their checksums are verified on the way.

    Raises:
        ValueError: it is damaged, or lacks one of them; the message is the reason alone.
        OSError: it is not there or cannot be read.
    """
    with path.open("rb") as file:  # opened here, as np.load leaves a file open that it cannot make sense of
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no whole .npz file")  # numpy would advise to run what is in it
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as content:
                return {name: content[name] for name in names or content.files}
        except Exception as error:  # numpy and zipfile stumble over damage in many ways
            raise ValueError(str(error) or type(error).__name__) from error


def take_lock(path: Path, timeout: float = -1) -> Any:
    """Lock a file, which is made where it is missing, and return the lock, whose ``release`` lets go of it.

    On a file system without locks nothing is locked. A process that ends in any way lets go as well.

    Args:
        path: of the file; its folder is there.
        timeout: seconds to wait for another process; -1: as long as it takes.
    Raises:
        filelock.Timeout: another process did not let go in time.
        OSError: the file cannot be made.
    """
    import filelock  # takes a tenth of a second

    lock = filelock.FileLock(path, timeout=timeout)
    with contextlib.suppress(NotImplementedError):
        lock.acquire()
    return lock


@contextlib.contextmanager
def only_one(path: Path, busy: str) -> Generator[None]:
    """Do what only one process may do at a time; a process that ends in any way lets go of it.

    Args:
        path: of a file that is locked meanwhile, and gone afterwards; its folder is there.
        busy: what to say if another process is at it.
    Raises:
        ValueError: another process is at it.
    """
    import filelock

    try:
        lock = take_lock(path, timeout=0)
    except filelock.Timeout:
        raise ValueError(busy) from None
    try:
        yield
    finally:
        # While it is locked: afterwards the file may be another process's. Windows removes no file that
        # is open, neither this one nor, afterwards, another process's.
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()
        if os.name == "nt":
            with contextlib.suppress(OSError):
                path.unlink()


class NewerFormat(ValueError):
    """A file was written by a newer version of the package: it is not damaged, and stays as it is."""


def check_format(path: Path, found: Any, known: int) -> None:
    """Check that a file has the format that this version of the package reads.

    Args:
        path: of the file.
        found: the number in it.
        known: that of this version.
    Raises:
        NewerFormat: the file's is higher.
        ValueError: it is no such number; the message is the reason alone.
    """
    if isinstance(found, int) and found > known:
        raise NewerFormat(
            f"{path} was written by a newer version of alexnet: its format is {found}, and this version "
            f"reads {known}; upgrade alexnet to use it"
        )
    if found != known or isinstance(found, bool):
        raise ValueError(f"its format is {found!r}, not {known}")

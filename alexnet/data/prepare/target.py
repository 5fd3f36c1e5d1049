"""The folder of a prepared set: its lock, and whether it belongs to a request."""

import contextlib
import errno
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from alexnet.data.archives import Skipped
from alexnet.data.prepare.description import DESCRIPTION, FORMAT, damaged_description, read_description
from alexnet.data.prepare.shards import is_whole
from alexnet.data.prepare.workers import Job
from alexnet.data.walk import as_named, files_below
from alexnet.shown import printable
from alexnet.storage.files import PART, only_one, write_json

LOCK = "prepare.lock"
SCRATCH = "scratch"  # for archives that had to be decompressed
NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
BYTES_PER_PIXEL = {"jpeg": 0.3, "raw": 3.0}  # of JPEG a low estimate, 20 kB for 256x256


def described(source: Path) -> str:
    """Return what to remember of a source: its name, and its size if it is a file; no path."""
    if not source.exists():
        raise FileNotFoundError(f"there is no file or folder {source}")
    name = printable(as_named(source).name)
    return f"{name}/" if source.is_dir() else f"{name} ({source.stat().st_size:,} bytes)"


def describe_content(source: Path) -> str:
    """Return what to remember of a folder's content: how many files there are, and how many bytes.

    A file that was replaced by one of the same size is not noticed.
    """
    base = as_named(source)
    sizes = [path.stat().st_size for path in files_below(base) if not isinstance(path, Skipped)]
    return f"{printable(base.name)}/: {len(sizes):,} files, {sum(sizes):,} bytes"


def check_apart(target: Path, sources: Sequence[Path]) -> None:
    """Raise ValueError if the target lies in a source, where it would become part of what it is made of."""
    for source in sources:
        if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
            raise ValueError(f"{target} lies in {source}, which is to be read; name a folder elsewhere")


@contextlib.contextmanager
def owned(target: Path) -> Generator[bool]:
    """Make the target and keep others from preparing there; if nothing comes of it, take it away again.

    Yields:
        whether nothing was prepared there yet.
    Raises:
        ValueError: it holds something else, or another process prepares there.
    """
    made, new = not target.exists(), not (target / DESCRIPTION).is_file()
    if new and not made and holds_something(target):
        raise ValueError(f"{target} is there already and is no prepared set; name a new folder")
    target.mkdir(parents=True, exist_ok=True)
    busy = (
        f"another `alexnet data prepare` is at work in {target}; wait for it to end, or name another folder"
    )
    try:
        with only_one(target / LOCK, busy):
            yield new
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                target.rmdir()


def holds_something(target: Path) -> bool:
    """Return whether the target has anything but temporary files of a preparation."""
    if not target.is_dir():
        return True
    return any(path.suffix != PART and path.name != LOCK for path in target.iterdir())


def claim(target: Path, request: dict) -> bool:
    """Make the target the folder of this request, or see that it is already.

    Returns:
        whether the set is there, finished, and every shard of it.
    Raises:
        ValueError: it holds another set, or one that is damaged or of a newer version.
    """
    file = target / DESCRIPTION
    if not file.is_file():
        write_json(file, {"format": FORMAT, "finished": False, "request": request})
        return False
    about = read_description(target)
    before = about.get("request")
    if not isinstance(before, dict):
        raise damaged_description(file, KeyError("request"))
    for key, value in request.items():
        earlier = before.setdefault(key, value)
        if earlier != value:
            raise ValueError(
                f"{target} was begun with another {key} ({in_words(earlier)}; now {in_words(value)}); "
                "name a new folder, or delete that one"
            )
    for part in (*target.glob(f"*{PART}"), *(target / SCRATCH).glob(f"*{PART}")):  # of a run that was killed
        part.unlink()
    if not about["finished"]:
        write_json(file, about)
        return False
    try:
        shards = [f"{split}-{n:05}" for split, counts in about["splits"].items() for n in range(len(counts))]
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged_description(file, error) from error
    return all(is_whole(target / shard, request["form"]) for shard in shards)


def in_words(value: Any) -> str:
    """Return a value of a request for people: the parts of a list or of an input one after another."""
    if isinstance(value, list):
        return ", ".join(map(in_words, value))
    return printable(" ".join(map(str, value.values()))) if isinstance(value, dict) else str(value)


def check_room(target: Path, jobs: Sequence[Job]) -> None:
    """Raise OSError if the disk surely has too little room."""
    needed = sum(len(job.items) * job.size**2 * BYTES_PER_PIXEL[job.form] for job in jobs)
    free = shutil.disk_usage(target).free
    if needed > free:
        raise OSError(f"{target} has room for {free / 1e9:.1f} GB; about {needed / 1e9:.1f} GB are needed")


@contextlib.contextmanager
def errors_explained(target: Path) -> Generator[None]:
    """Describe what to do if the disk is full, or the target cannot be written to."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                f"the disk of {target} is full; make room and run the same command again to resume"
            ) from error
        if error.errno in NOT_WRITABLE and error.filename and Path(error.filename).is_relative_to(target):
            raise OSError(f"cannot write to {target}: {error.strerror}; name another folder") from error
        raise

"""Find every file in folders and archives, also in archives within them, and read one later by its place.

Nothing is unpacked; only a compressed tar is decompressed once, as in a plain one each file has its place.
"""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from alexnet.data.archives import (
    OTHERS,
    UNPACK,
    Refused,
    Skipped,
    damage_explained,
    decompressor,
    is_archive_start,
    is_damage,
    is_zip,
    refuse_outside,
    tar_members,
    zip_members,
)
from alexnet.data.formats import HEAD_BYTES, SUFFIXES, find_suffix
from alexnet.data.images import MAX_BYTES, Unreadable, read_bytes
from alexnet.data.walk import as_named, files_below, name_below
from alexnet.storage.files import written_whole

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
MAX_NESTED = 8  # archives within each other; ImageNet has two
# What a compressed archive may become: this many times its size, and a small one this many bytes.
MAX_GROWTH, SMALL_BYTES = 200, 1 << 30
COPY_BYTES = 1 << 20
MAX_OPEN = 64  # archives at a time, as a process may open only so many files: on macOS 256
Stamp = tuple[int, int]  # of a file: its size, and when it was changed
Opened = TypeVar("Opened", zipfile.ZipFile, BinaryIO)


class File(NamedTuple):
    """A file and where it lies.

    Attributes:
        name: its path from the source on, that one's name included; an archive counts as a folder.
        path: the file on disk: itself, or the archive that it is part of.
        offset: in bytes, within a tar archive; None elsewhere.
        size: in bytes, within an archive; 0 elsewhere.
        member: its name within a zip archive; None elsewhere.
        stamp: of the archive, see `read_stamp`; None elsewhere.
        is_pixels: it is no image of any format, but one of a batch (see `alexnet.data.prepare.batches`).
    """

    name: str
    path: str
    offset: int | None = None
    size: int = 0
    member: str | None = None
    stamp: Stamp | None = None
    is_pixels: bool = False


def yield_files(source: Path, scratch: Path) -> Iterator[File | Skipped]:
    """Yield every file of a source, in no particular order, and what of a folder is left out.

    Args:
        source: a folder, an archive (tar, also compressed; zip), or a file.
        scratch: folder in which compressed tars are decompressed.
    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: an archive is damaged, or ends early; or the source is a pipe or a device.
    """
    if not source.exists():
        raise FileNotFoundError(f"there is no file or folder {source}")
    if not source.is_dir() and not source.is_file():
        raise ValueError(f"{source} is neither a file nor a folder, but a pipe or a device")
    if not source.is_dir():
        with source.open("rb") as file:
            start = file.read(HEAD_BYTES)
        is_one = is_archive_start(start) and not start.startswith(OTHERS)
        is_one = is_one and find_suffix(source.name) not in SUFFIXES  # nor an image that is compressed
        yield from archive_or_file(source, source.name, scratch, is_one=is_one)
        return
    base = as_named(source)
    for path in files_below(base):
        if isinstance(path, Skipped):
            yield path
        else:
            yield from archive_or_file(path, name_below(base, path), scratch)


def archive_or_file(
    path: Path, name: str, scratch: Path, *, is_one: bool = False
) -> Iterator[File | Skipped]:
    """Yield the files of an archive, or the file itself if its name is not that of one.

    Args:
        path: of the file.
        name: as the names of the files in it begin.
        scratch: as for `yield_files`.
        is_one: it is an archive, under any name.
    """
    refuse_outside(path, name, "rename it")
    if not is_one and not name.lower().endswith(ARCHIVES):
        yield File(name, str(path))
        return
    with damage_explained(path):
        if is_zip(path):
            stamp = read_stamp(path)
            with zipfile.ZipFile(path) as archive:
                for found in zip_members(archive, path):
                    if isinstance(found, Skipped):
                        yield found._replace(name=f"{name}/{found.name}")
                        continue
                    inner, member = found
                    size, key = member.file_size, member.filename
                    yield File(f"{name}/{inner}", str(path), size=size, member=key, stamp=stamp)
        else:
            plain = decompressed(path, scratch)
            with plain.open("rb") as file:
                yield from tar_files(file, path, name, 0, plain.stat().st_size)


def tar_files(
    file: BinaryIO, path: Path, name: str, start: int, end: int, *, nested: int = 1
) -> Iterator[File | Skipped]:
    """Yield the files of a plain tar archive, and those of tar archives in it.

    Args:
        file: the opened file.
        path: of the archive that was given, for messages.
        name: of the archive, as the names of its files begin.
        start: where it begins in the file, in bytes.
        end: where it ends.
        nested: how many archives this one is within, itself included.
    """
    if nested > MAX_NESTED:
        raise Refused(f"{path} holds more than {MAX_NESTED} archives within each other; {UNPACK}")
    stamp = read_stamp(file.name)
    for member in tar_members(file, path, start, end):
        inner = f"{name}/{member.name}"
        if isinstance(member, Skipped):
            yield member._replace(name=inner)
            continue
        first = member.offset_data
        if member.name.endswith(".tar"):
            yield from tar_files(file, path, inner, first, first + member.size, nested=nested + 1)
        else:
            yield File(inner, file.name, first, member.size, stamp=stamp)


def decompressed(path: Path, scratch: Path) -> Path:
    """Return the path of a tar archive without its compression, made in the scratch folder if need be.

    Raises:
        Refused: it becomes far larger than images do.
    """
    opener = decompressor(path)
    if opener is None:
        return path
    size, changed = read_stamp(path)
    key = f"{path.resolve()} {size} {changed}".encode(errors="surrogateescape")
    plain = scratch / f"{hashlib.sha256(key).hexdigest()[:16]}.tar"
    if not plain.exists():
        limit = max(SMALL_BYTES, MAX_GROWTH * size)
        with opener(path, "rb") as source, written_whole(plain) as target:
            while block := source.read(COPY_BYTES):
                if target.tell() + len(block) > limit:
                    raise Refused(
                        f"{path} becomes more than {limit:,} bytes when it is decompressed, which images do "
                        "not; if it is right all the same, decompress it yourself and give what it becomes"
                    )
                target.write(block)
    return plain


def read_stamp(path: Path | str) -> Stamp:
    """Return the size of a file and when it was changed, by which a change is noticed."""
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading bytes."""
    return Path(path).open("rb")


class Reader(contextlib.AbstractContextManager):
    """Reads files (`File`), keeping the archives open that they lie in, the last `MAX_OPEN` of each kind.

    At its end it sees that the archives are still those in which the files were found.
    """

    def __init__(self):
        self._zips: dict[str, zipfile.ZipFile] = {}
        self._tars: dict[str, BinaryIO] = {}
        self._stamps: dict[str, Stamp | None] = {}

    def __exit__(self, kind, *_exception) -> None:
        for archive in (*self._zips.values(), *self._tars.values()):
            archive.close()
        if kind is None:
            self.check_archives()

    def check_archives(self) -> None:
        """Raise ValueError if an archive that was read is not the one any more in which files were found."""
        for path, stamp in self._stamps.items():
            check_unchanged(path, stamp)

    def read(self, file: File) -> bytes:
        """Return the content of a file.

        Raises:
            Unreadable: the archive is damaged there, or the file too large.
            ValueError: the archive was changed since the file was found in it.
            OSError: the file cannot be read.
        """
        if file.size > MAX_BYTES:
            raise Unreadable(f"a file of {file.size:,} bytes, more than the limit of {MAX_BYTES:,}")
        if file.member is not None:
            try:
                return self._opened(file, self._zips, zipfile.ZipFile).read(file.member)
            except Exception as error:
                if not is_damage(error):
                    raise
                check_unchanged(file.path, file.stamp)
                raise Unreadable(f"damaged in its archive ({error})") from error
        if file.offset is None:
            return read_bytes(Path(file.path))
        archive = self._opened(file, self._tars, open_binary)
        archive.seek(file.offset)
        return archive.read(file.size)

    def start(self, file: File, count: int) -> bytes:
        """Return the first bytes of a file, fewer where it is shorter or damaged; errors as for ``read``."""
        if file.member is not None:
            try:
                with self._opened(file, self._zips, zipfile.ZipFile).open(file.member) as member:
                    return member.read(count)
            except Exception as error:
                if not is_damage(error):
                    raise
                return b""
        if file.offset is None:
            with open_binary(file.path) as plain:
                return plain.read(count)
        archive = self._opened(file, self._tars, open_binary)
        archive.seek(file.offset)
        return archive.read(min(count, file.size))

    def _opened(self, file: File, kept: dict[str, Opened], opener: Callable[[str], Opened]) -> Opened:
        """Return the opened archive of a file, the same one as last time if it is still open."""
        if file.path not in kept:
            check_unchanged(file.path, file.stamp)
            if len(kept) >= MAX_OPEN:
                kept.pop(next(iter(kept))).close()  # the one opened first
            kept[file.path] = opener(file.path)
            self._stamps[file.path] = file.stamp
        return kept[file.path]


def check_unchanged(path: str, stamp: Stamp | None) -> None:
    """Raise ValueError if an archive is not what it was when its files were found."""
    if read_stamp(path) != stamp:
        raise ValueError(
            f"{path} was changed while it was read; wait until it is complete, delete the folder of the "
            "prepared set and run the same command again"
        )

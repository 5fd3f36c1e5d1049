"""Find every file in folders and archives, also in archives within them, and read one later by its place.

Nothing is unpacked; only a compressed tar is decompressed once, as in a plain one each file has its place.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from alexnet.files import written_whole
from alexnet.preparation.picture import Unreadable

BLOCK = tarfile.BLOCKSIZE
COMPRESSIONS: dict[bytes, Callable] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile)


class File(NamedTuple):
    """A file and where it lies.

    Attributes:
        name: its path from the source on, that one's name included; an archive counts as a folder.
        path: the file on disk: itself, or the archive that it is part of.
        offset, size: in bytes, within a tar archive; None and 0 elsewhere.
        member: its name within a zip archive; None elsewhere.
    """

    name: str
    path: str
    offset: int | None = None
    size: int = 0
    member: str | None = None


def files_of(source: Path, scratch: Path) -> Iterator[File]:
    """Yield every file of a source, in no particular order; hidden ones are left out.

    Args:
        source: a folder, an archive (tar, also compressed; zip), or a file.
        scratch: folder in which compressed tars are decompressed.
    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: an archive is damaged, or ends early.
    """
    if not source.exists():
        raise FileNotFoundError(f"there is no file or folder {source}")
    if not source.is_dir():
        yield from archive_or_file(source, source.name, scratch)
        return
    base = source.resolve()
    for folder, subfolders, names in os.walk(base, followlinks=True):
        subfolders[:] = [name for name in subfolders if not is_hidden(name)]
        for name in names:
            path = Path(folder, name)
            if not is_hidden(name):
                yield from archive_or_file(path, path.relative_to(base.parent).as_posix(), scratch)


def archive_or_file(path: Path, name: str, scratch: Path) -> Iterator[File]:
    """Yield the files of an archive, or the file itself if its name is not that of one."""
    if not name.lower().endswith(ARCHIVES):
        yield File(name, str(path))
        return
    try:
        if zipfile.is_zipfile(path):
            yield from zip_files(path, name)
        else:
            plain = decompressed(path, scratch)
            with plain.open("rb") as file:
                yield from tar_files(file, plain, name, 0, plain.stat().st_size)
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged, or not an archive ({error}); get it again") from error


def zip_files(path: Path, name: str) -> Iterator[File]:
    """Yield the files of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and not is_hidden(member.filename):
                yield File(f"{name}/{member.filename}", str(path), member=member.filename)


def tar_files(file: BinaryIO, path: Path, name: str, start: int, end: int) -> Iterator[File]:
    """Yield the files of a plain tar archive, and those of tar archives in it.

    Args:
        file: the opened file; path: its path.
        name: of the archive, as the names of its files begin.
        start, end: where it lies in the file, in bytes.
    """
    file.seek(start)
    last = start
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # or a million of them would fill the memory
            last = member.offset_data + -(-member.size // BLOCK) * BLOCK
            if last > end:
                raise tarfile.ReadError("it ends early")
            if not member.isreg() or is_hidden(member.name):
                continue
            if member.name.endswith(".tar"):
                inner = f"{name}/{member.name}"
                yield from tar_files(file, path, inner, member.offset_data, member.offset_data + member.size)
            else:
                yield File(f"{name}/{member.name}", str(path), member.offset_data, member.size)
    file.seek(last)
    if last + BLOCK > end or file.read(BLOCK).strip(b"\0"):  # a whole archive ends with empty blocks
        raise tarfile.ReadError("it ends early")


def decompressed(path: Path, scratch: Path) -> Path:
    """Return the path of a tar archive without its compression, made in the scratch folder if need be."""
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in COMPRESSIONS.items() if start.startswith(magic)), None)
    if opener is None:
        return path
    plain = scratch / f"{path.name}-{path.stat().st_size}.tar"
    if not plain.exists():
        with opener(path, "rb") as source, written_whole(plain) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    return plain


def is_hidden(name: str) -> bool:
    """Tell whether any part of a path is one that systems add and people do not see."""
    return any(
        (part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in name.split("/")
    )


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading bytes."""
    return Path(path).open("rb")


class Reader(contextlib.AbstractContextManager):
    """Reads ``File``s, keeping the archives open that they lie in."""

    def __init__(self):
        self._open: dict[str, BinaryIO | zipfile.ZipFile] = {}

    def __exit__(self, *_exception) -> None:
        for archive in self._open.values():
            archive.close()

    def read(self, file: File) -> bytes:
        """Return the content of a file.

        Raises:
            Unreadable: the archive is damaged there.
            OSError: the file cannot be read.
        """
        if file.member is not None:
            try:
                return self._opened(file.path, zipfile.ZipFile).read(file.member)
            except DAMAGE as error:
                raise Unreadable(f"damaged in its archive ({error})") from error
        if file.offset is None:
            return Path(file.path).read_bytes()
        archive = self._opened(file.path, open_binary)
        archive.seek(file.offset)
        return archive.read(file.size)

    def _opened(self, path: str, opener: Callable):
        """Return an opened archive, the same one as last time."""
        if path not in self._open:
            self._open[path] = opener(path)
        return self._open[path]

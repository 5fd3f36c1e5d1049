"""What is in an archive, read with care: it may be damaged, encrypted, endless, or made to harm."""

import bz2
import contextlib
import errno
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, NamedTuple

from alexnet.shown import printable

BLOCK = tarfile.BLOCKSIZE
MAX_HEADER_BYTES = 1 << 20  # of one file in a tar: its name and other metadata
COMPRESSIONS: dict[bytes, Callable] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
# What the standard library raises for damage, besides some OSErrors.
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, struct.error, ValueError,
    OverflowError, RecursionError, RuntimeError,
)  # fmt: skip
ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
# How archives begin that are not read: 7-Zip, RAR, Zstandard.
OTHERS = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd")
ADDED = ("__MACOSX", "Thumbs.db", "desktop.ini")  # by the file managers of macOS and Windows
UNPACK = "unpack it and give the folder instead"
HIDDEN = "hidden"


class Skipped(NamedTuple):
    """A file or folder that is left out: its path from the source on, and why, in a few words."""

    name: str
    reason: str


class Refused(ValueError):
    """An archive is whole, and cannot be read all the same; the message says why and what to do."""


def is_damage(error: Exception) -> bool:
    """Return whether an error of the standard library is about an archive's content, not the file system."""
    if isinstance(error, OSError):
        return error.errno in (None, errno.EINVAL)  # EINVAL: of a place before the beginning
    return isinstance(error, DAMAGE) and not isinstance(error, Refused)


@contextlib.contextmanager
def damage_explained(path: Path) -> Generator[None]:
    """Raise a ValueError of one sentence for whatever an archive's damage raises."""
    try:
        yield
    except Exception as error:
        if not is_damage(error):
            raise
        raise ValueError(
            f"{path} is damaged, or not an archive of the kinds tar and zip ({error}); get it again"
        ) from error


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a zip archive; at their ends, tars that hold a zip look alike."""
    with path.open("rb") as file:
        return file.read(4) in ZIP


def decompressor(path: Path) -> Callable | None:
    """Return what opens a compressed file, by how it begins; None if it is not compressed."""
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in COMPRESSIONS.items() if start.startswith(magic)), None)


def is_archive_start(start: bytes) -> bool:
    """Return whether a file that begins so is an archive, or compressed, of a kind that is read or not."""
    return start.startswith((*COMPRESSIONS, *ZIP, *OTHERS)) or start[257:262] == b"ustar"


def is_hidden(name: str) -> bool:
    """Return whether any part of a plain path is hidden, or added by an operating system."""
    return any(part.startswith(".") or part in ADDED for part in name.split("/"))


def refuse_outside(path: Path, name: str, cure: str = UNPACK) -> None:
    """Raise Refused for the name of a file that would lie outside the folder into which it is unpacked.

    Args:
        path: of the archive or file.
        name: in the archive.
        cure: what to do.
    """
    if not name.startswith("/") and not any(mark in name for mark in ("..", "\\", ":")):
        return  # as nearly every name, and of a million names it is the quick part
    parts = PureWindowsPath(name)  # which knows both separators
    if parts.anchor or ".." in parts.parts:
        raise Refused(f"{path}: the name {name!r} points outside the archive; {cure}")


def plain_name(name: str) -> str:
    """Return a path in an archive without "." and "" in it; ``tar cf a.tar .`` writes "./train/a.jpg"."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


class Headers:
    """A file as tarfile needs it, which never gets more than some bytes between two calls of ``renew``.

    What a tar says of a file's name may have any length, and tarfile reads it into memory.

    Attributes:
        last: what was read last.
    """

    def __init__(self, file: BinaryIO):
        self._file, self.seek, self.tell = file, file.seek, file.tell
        self.last = b""
        self.renew()

    def renew(self) -> None:
        """Begin with the next file of the archive."""
        self._left = MAX_HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        self._left -= size
        if self._left < 0:
            raise tarfile.ReadError(f"what it tells of one file is longer than {MAX_HEADER_BYTES:,} bytes")
        self.last = self._file.read(size)
        return self.last


def tar_members(file: BinaryIO, path: Path, start: int, end: int) -> Iterator[tarfile.TarInfo | Skipped]:
    """Yield the files of a tar archive in its own order, without folders; what is hidden is left out.

    Args:
        file: the opened file.
        path: of the archive, for messages.
        start: where the archive begins in the file, in bytes.
        end: where it ends.
    Raises:
        Refused: a file is a link, a device or stored with gaps, or its name points outside the archive.
        tarfile.TarError: the archive is damaged, or ends early.
    """
    file.seek(start)
    headers, last = Headers(file), start
    # pyrefly: ignore[no-matching-overload]  # the stubs ask for write and close, which reading never calls
    with tarfile.open(fileobj=headers, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # or a million of them would fill the memory
            headers.renew()
            last = member.offset_data + -(-member.size // BLOCK) * BLOCK
            if member.size < 0 or last > end:
                raise tarfile.ReadError("it ends early")
            refuse_outside(path, member.name)
            member.name = plain_name(member.name)
            if is_hidden(member.name):
                if not member.isdir():
                    yield Skipped(member.name, HIDDEN)
                continue
            refuse_odd(path, member)
            if member.isreg():
                yield member
    if len(headers.last) < BLOCK or headers.last.strip(b"\0"):  # a whole archive ends with empty blocks
        raise tarfile.ReadError("it ends early")
    check_end(file, path, last, end)


def refuse_odd(path: Path, member: tarfile.TarInfo) -> None:
    """Raise Refused for what is no file by itself, or whose bytes do not lie together."""
    if member.issym() or member.islnk() or member.isdev():
        raise Refused(f"{path}: {printable(member.name)} is a link or a device, not a file; {UNPACK}")
    if member.issparse():
        raise Refused(f"{path}: {printable(member.name)} is stored with gaps (sparse); {UNPACK}")


def check_end(file: BinaryIO, path: Path, last: int, end: int) -> None:
    """Check that a tar archive ends within its bounds, and that no other follows it.

    Args:
        file: as for `tar_members`.
        path: as for `tar_members`.
        last: the end of its last file.
        end: of the archive.
    """
    if last + BLOCK > end:
        raise tarfile.ReadError("it ends early")
    file.seek(last)
    if file.read(min(end - last, MAX_HEADER_BYTES)).strip(b"\0"):
        raise Refused(
            f"{path} goes on after its end, as several archives in one file do; unpack it with "
            "`tar --ignore-zeros` and give the folder instead"
        )


def zip_members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, zipfile.ZipInfo] | Skipped]:
    """Yield the files of a zip archive in its own order with their names, without folders.

    What is hidden is left out.

    Args:
        archive: the opened archive.
        path: its path, for messages.
    Raises:
        Refused: a file is encrypted, compressed in an unknown way or a link, or its name points outside.
    """
    known_methods = set()
    for member in archive.infolist():
        name = zip_name(member)
        refuse_outside(path, name)
        if name.endswith("/"):
            continue
        name = plain_name(name)
        if is_hidden(name):
            yield Skipped(name, HIDDEN)
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            raise Refused(f"{path}: {printable(name)} is a link, not a file; {UNPACK}")
        if member.flag_bits & 1:
            raise Refused(f"{path}: {printable(name)} is encrypted; {UNPACK}")
        if member.compress_type not in known_methods:
            known_methods.add(member.compress_type)
            try:
                with contextlib.suppress(zipfile.BadZipFile):  # damage is found when the file is read
                    archive.open(member).close()
            except RuntimeError as error:
                raise Refused(f"{path}: {error}; {UNPACK}") from error
        yield name, member


def zip_name(member: zipfile.ZipInfo) -> str:
    """Return the name of a file in a zip archive, in Unicode and with "/" between its parts.

    Many programs write UTF-8 without saying so, and some write a backslash.
    """
    name = member.filename
    if not member.flag_bits & 0x800:  # then Python has taken it for code page 437
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")

"""Read the files of a folder or of an archive one after another, in memory; nothing is unpacked to disk."""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

# A whole batch of CIFAR-10 has 31 MB; anything much larger is no part of a data set and is not read.
MAX_MEMBER_BYTES = 64 * 1024 * 1024


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every file in a folder or in a tar (also compressed) or zip archive.

    Names use "/". In a folder they begin with its own name, so that ``.../train`` can be given alone.
    Hidden files and the folders that macOS adds are left out.

    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: the file is not an archive, is damaged, or names a file outside itself.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        yield from folder_members(path)
        return
    try:
        if zipfile.is_zipfile(path):
            yield from zip_members(path)
        else:
            yield from tar_members(path)
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the file system's own complaint
            raise
        raise ValueError(
            f"{path} is a damaged archive, or none of the kinds tar and zip ({error})"
        ) from error


def folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder and of the folders below it, in sorted order."""
    base = path.resolve()
    for folder, subfolders, files in os.walk(base):
        subfolders.sort()
        for file in sorted(files):
            name = (Path(folder) / file).relative_to(base.parent).as_posix()
            if not is_hidden(name.removeprefix(base.name)):
                yield name, (Path(folder) / file).read_bytes()


def tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a tar archive in its own order, since a compressed one can only be read forwards."""
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            refuse_unsafe(path, member.name, member.size)
            if member.isdir() or is_hidden(member.name):
                continue
            if not member.isreg():
                raise ValueError(f"{path}: {member.name} is a link or a device, not a file")
            yield member.name, archive.extractfile(member).read()


def zip_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a zip archive in its own order."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            refuse_unsafe(path, member.filename, member.file_size)
            if not member.is_dir() and not is_hidden(member.filename):
                yield member.filename, archive.read(member)


def refuse_unsafe(path: Path, name: str, num_bytes: int) -> None:
    """Raise ValueError for a member that points outside the archive or is far too large."""
    outside = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
    if outside or ".." in PureWindowsPath(name).parts:  # Windows paths know both separators
        raise ValueError(f"{path}: the name {name!r} points outside the archive")
    if num_bytes > MAX_MEMBER_BYTES:
        raise ValueError(f"{path}: {name} has {num_bytes:,} bytes, too many for a part of this data set")


def is_hidden(name: str) -> bool:
    """Tell whether any part of the name is one that systems add and people do not see."""
    return any(
        (part.startswith(".") and part != ".") or part == "__MACOSX" for part in PurePosixPath(name).parts
    )

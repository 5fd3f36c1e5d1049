"""Read the files of a folder or of an archive one after another, in memory; nothing is unpacked to disk."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from alexnet.preparation.archives import (
    Refused,
    damage_explained,
    decompressor,
    is_zip,
    tar_members,
    zip_members,
)
from alexnet.preparation.walk import NO_FILE, Skipped, as_named, files_below, name_below
from alexnet.shown import printable

# A whole batch of CIFAR-10 has 31 MB; anything much larger is no part of a data set and is not read.
MAX_MEMBER_BYTES = 64 * 1024 * 1024
COPY_BYTES = 1 << 20


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the contents of files in a folder or in a tar (also compressed) or zip archive.

    Names use "/". In a folder they begin with its own name, so that ``.../train`` can be given alone.
    Hidden files and the folders that macOS adds are left out.

    Args:
        path: of the folder or archive.
        wanted: tells from the name of a file whether it is to be read; the others may be of any size.
    Raises:
        FileNotFoundError: there is nothing at the path.
        ValueError: the file is not an archive, is damaged, or holds what is no file of the data set.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        yield from folder_contents(path, wanted)
    elif path.is_file():
        with damage_explained(path):
            yield from zip_contents(path, wanted) if is_zip(path) else tar_contents(path, wanted)
    else:
        raise ValueError(f"{path} is neither a file nor a folder")


def folder_contents(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder and of those below it; links are followed, and each folder read once."""
    base = as_named(path)
    for found in files_below(base):
        if isinstance(found, Skipped):
            if found.reason in NO_FILE and wanted(found.name):
                raise ValueError(f"{base.parent / printable(found.name)} is no file, but {found.reason}")
        elif wanted(name := name_below(base, found)):
            refuse_large(found, found.stat().st_size)
            yield printable(name), found.read_bytes()


def tar_contents(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a tar archive in its own order, since a compressed one can only be read forwards."""
    opener = decompressor(path)
    end = None if opener else path.stat().st_size
    with (opener or open)(path, "rb") as file:
        for member in tar_members(file, path, end=end):
            if wanted(member.name):
                refuse_large(f"{path}: {printable(member.name)}", member.size)
                file.seek(member.offset_data)
                content = file.read(member.size)
                if len(content) < member.size:
                    raise EOFError(f"it ends within {printable(member.name)}")
                yield printable(member.name), content
        while opener and file.read(COPY_BYTES):  # the checksum of what is compressed comes at its end
            pass


def zip_contents(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a zip archive in its own order."""
    with zipfile.ZipFile(path) as archive:
        for name, member in zip_members(archive, path):
            if wanted(name):
                refuse_large(f"{path}: {printable(name)}", member.file_size)
                yield printable(name), archive.read(member)


def refuse_large(what: Path | str, num_bytes: int) -> None:
    """Raise Refused for a file that is far too large."""
    if num_bytes > MAX_MEMBER_BYTES:
        raise Refused(f"{what} has {num_bytes:,} bytes, too many for a part of this data set")

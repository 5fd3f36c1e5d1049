"""Read the files of a folder or of an archive one after another, in memory; nothing is unpacked to disk."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from alexnet.data.archives import (
    Refused,
    Skipped,
    damage_explained,
    decompressor,
    is_zip,
    tar_members,
    zip_members,
)
from alexnet.data.formats import HEAD_BYTES
from alexnet.data.walk import NO_FILE, as_named, files_below, name_below
from alexnet.shown import printable

# A whole batch of CIFAR-10 has 31 MB; anything much larger is no part of a data set and is not read.
MAX_MEMBER_BYTES = 64 * 1024 * 1024
COPY_BYTES = 1 << 20
OTHER = "no part of the data set"
Wanted = Callable[[str, Callable[[], bytes]], bool]
Found = tuple[str, bytes] | Skipped


def members(path: Path, wanted: Wanted) -> Iterator[Found]:
    """Yield the names and the contents of files in a folder or in a tar (also compressed) or zip archive.

    Names use "/". In a folder they begin with its own name, so that ``.../train`` can be given alone.
    Hidden files, the folders that macOS adds and what is not wanted are left out, which is told.

    Args:
        path: of the folder or archive.
        wanted: tells whether a file is to be read, from its name and, where that does not tell, from its
            first bytes, which the second argument returns; the others may be of any size.
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


def folder_contents(path: Path, wanted: Wanted) -> Iterator[Found]:
    """Yield the files of a folder and of those below it; links are followed, and each folder read once."""
    base = as_named(path)
    for found in files_below(base):
        if isinstance(found, Skipped):
            if found.reason in NO_FILE and wanted(found.name, lambda: b""):
                raise ValueError(f"{base.parent / printable(found.name)} is no file, but {found.reason}")
            yield found._replace(name=printable(found.name))
            continue
        with found.open("rb") as file:
            yield looked_at(name_below(base, found), path, found.stat().st_size, file.read, wanted)


def tar_contents(path: Path, wanted: Wanted) -> Iterator[Found]:
    """Yield the files of a tar archive in its own order, since a compressed one can only be read forwards."""
    opener = decompressor(path)
    end = None if opener else path.stat().st_size
    with (opener or open)(path, "rb") as file:
        for member in tar_members(file, path, end=end):
            if isinstance(member, Skipped):
                yield member._replace(name=printable(member.name))
                continue
            file.seek(member.offset_data)
            found = looked_at(member.name, path, member.size, file.read, wanted)
            if not isinstance(found, Skipped) and len(found[1]) < member.size:
                raise EOFError(f"it ends within {found[0]}")
            yield found
        while opener and file.read(COPY_BYTES):  # the checksum of what is compressed comes at its end
            pass


def zip_contents(path: Path, wanted: Wanted) -> Iterator[Found]:
    """Yield the files of a zip archive in its own order."""
    with zipfile.ZipFile(path) as archive:
        for found in zip_members(archive, path):
            if isinstance(found, Skipped):
                yield found._replace(name=printable(found.name))
                continue
            name, member = found
            with archive.open(member) as file:
                yield looked_at(name, path, member.file_size, file.read, wanted)


def looked_at(name: str, path: Path, num_bytes: int, read: Callable[[int], bytes], wanted: Wanted) -> Found:
    """Return the name and the content of a file if it is wanted.

    Args:
        name: of the file.
        path: of what holds it, for messages.
        num_bytes: its size.
        read: reads on in it, at most so many bytes.
        wanted: as for `members`.
    Raises:
        Refused: it is wanted and far too large.
    """
    start, shown = b"", printable(name)

    def look() -> bytes:
        nonlocal start
        start = read(min(HEAD_BYTES, num_bytes))
        return start

    if not wanted(name, look):
        return Skipped(shown, OTHER)
    if num_bytes > MAX_MEMBER_BYTES:
        raise Refused(f"{path}: {shown} has {num_bytes:,} bytes, too many for a part of this data set")
    return shown, start + read(num_bytes - len(start))

"""Walk through a folder: every file once, links followed and loops noticed, and what is left out is told."""

import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from alexnet.data.archives import HIDDEN, Skipped, is_hidden

LINK_TO_NOTHING, PIPE = "a link to nothing", "a pipe or a device"


def as_named(source: Path) -> Path:
    """Return the absolute path of a source by the name that the user sees: of a link its own name."""
    path = source.absolute()
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def files_below(base: Path) -> Iterator[Path | Skipped]:
    """Yield every file of a folder and of those in it, and what is left out.

    Each folder is read once. Folders come before links to folders, so that a folder keeps its own name, and a
    link to one that is read anyway, such as a loop, is left out.

    Args:
        base: the folder, as `as_named` returns it.
    Raises:
        OSError: a folder cannot be read.
    """
    seen = {identity(folder) for folder in (*base.parents, *base.resolve().parents)}
    folders, links = deque([base]), deque()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        if identity(folder) in seen:
            yield Skipped(name_below(base, folder), "a link to a folder that is read by another name")
            continue
        seen.add(identity(folder))
        if folder != base and is_prepared_set(folder):
            yield Skipped(name_below(base, folder), "a prepared set")
            continue
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path, link = Path(entry.path), entry.is_symlink()
            if is_hidden(entry.name):
                yield Skipped(name_below(base, path), HIDDEN)
            elif os.path.isdir(path) if link else entry.is_dir():
                (links if link else folders).append(path)
            elif os.path.isfile(path) if link else entry.is_file():
                yield path
            else:
                reason = LINK_TO_NOTHING if link and not path.exists() else PIPE
                yield Skipped(name_below(base, path), reason)


def identity(folder: Path) -> tuple[int, int]:
    """Return what a folder has in common with no other one, whatever path leads to it."""
    about = folder.stat()
    return about.st_dev, about.st_ino


def name_below(base: Path, path: Path) -> str:
    """Return the path from a source on, the source's name included, with "/" on every system."""
    return path.relative_to(base.parent).as_posix()


def is_prepared_set(folder: Path) -> bool:
    """Return whether a folder is one that ``alexnet data prepare`` makes, or has begun to."""
    try:
        return "finished" in json.loads((folder / "set.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False

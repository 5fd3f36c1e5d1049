"""Get a data set that the package knows by name: from the official archive, or from files that you have."""

import contextlib
import shutil
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from alexnet.data import store
from alexnet.data.catalogue import SPLITS, KnownSet, known_set
from alexnet.data.download import download
from alexnet.data.prepare.run import prepare
from alexnet.data.prepare.target import LOCK
from alexnet.storage.files import PART, folder_written_whole, home, only_one, reason


def get(
    name: str,
    *,
    mirror: str | None = None,
    keep_archive: bool = False,
    workers: int = 0,
    progress: bool = True,
) -> Path:
    """Download the official archive of a data set, verify it, and store the set.

    Args:
        name: "cifar10".
        mirror: address of another copy of the archive, or of the folder that holds it.
        keep_archive: leave the archive beside the stored set; one that was there before stays in any case.
        workers: as for `import_set`.
        progress: show progress bars.
    Returns:
        the folder of the stored set.
    Raises:
        ValueError: there is no such data set, or what was downloaded is not its archive, or something else
            lies where one of the two is to be.
        ConnectionError: the archive cannot be downloaded; a later call resumes where this one stopped.
        OSError: the disk is full, or the folder cannot be written to.
    """
    known = known_set(name)
    store.check_own(store.locate(name))
    was_there = (store.root() / known.archive.file_name).exists()
    with write_errors_explained(known):
        archive = download(known.archive, store.root(), mirror=mirror, progress=progress)
    path = import_set(name, [archive], workers=workers, progress=progress)
    if not (keep_archive or was_there):
        archive.unlink()
    return path


def import_set(
    name: str,
    paths: Iterable[Path | str],
    *,
    workers: int = 0,
    progress: bool = True,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Make a data set from archives or folders that together hold it, and store it.

    Args:
        name: "cifar10".
        paths: the official archive, or archives (tar, tar.gz, tar.xz, zip) or folders of images in
            train/<class>/ and test/<class>/. Classes take turns in the stored order.
        workers: processes that decode; 0: this one alone. A script that uses any needs the line
            ``if __name__ == "__main__":``, as they begin by importing it.
        progress: show progress bars.
        tell: called with each sentence on what was found and left out.
    Returns:
        the folder of the stored set.
    Raises:
        FileNotFoundError: a path is not there.
        ValueError: what the paths hold is not exactly the data set, and nothing is stored then; or one path
            stands alone where a list is meant.
        OSError: it cannot be written.
    """
    known, path = known_set(name), store.locate(name)
    store.check_own(path)
    if isinstance(paths, str | Path):
        raise ValueError(f"paths must be a list, got {paths} alone; put it in brackets")
    sources = [home(source) for source in paths]
    for source in sources:
        if source.resolve().is_relative_to(path.resolve()):
            raise ValueError(f"{source} lies in {path}, which the new set replaces; move it elsewhere first")
        if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
            raise ValueError(
                f"{source} holds the folder of the data sets, {path.parent}; give the folders in it that "
                f"hold the images, such as {source / 'train'} and {source / 'test'}"
            )
    with write_errors_explained(known), folder_written_whole(path) as new:
        try:
            said = prepare(name, sources, new, workers=workers, progress=progress)
        except OSError as error:  # explained by a folder that the user has not named
            raise (error.__cause__ if isinstance(error.__cause__, OSError) else error) from None
    remove_leftovers(path)
    for sentence in said:
        tell(sentence)
    return path


def remove_leftovers(path: Path) -> None:
    """Remove what imports of a set that were killed left beside it, not what others are at work on."""
    for left in path.parent.glob(f"{path.name}.????????{PART}"):
        with contextlib.suppress(OSError, ValueError), only_one(left / LOCK, "an import is at work"):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def write_errors_explained(known: KnownSet) -> Generator[None]:
    """Describe in one sentence why the data folder cannot be written to, and what to do."""
    try:
        yield
    except OSError as error:
        root = store.root()
        failed = Path(error.filename or root)
        if error.errno is None or not (failed.is_relative_to(root) or root.is_relative_to(failed)):
            raise  # it explains itself, or is about a file that was read
        pixels = 3 * known.height * known.width * sum(map(known.num_images, SPLITS))
        num_bytes = known.archive.num_bytes + 3 * pixels  # the archive, unpacked and decoded, and the set
        raise OSError(
            f"cannot write to {root}: {reason(error)}; {num_bytes / 1e6:.0f} MB are needed there, or in "
            "another folder that you name in the environment variable ALEXNET_DATA"
        ) from error

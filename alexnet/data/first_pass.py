"""The pass over the training images that computes their statistics, divided among processes, done once."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import Split
from alexnet.data.statistics import FILE_NAME, Statistics, Sums, load, save
from alexnet.storage.files import read_arrays, write_arrays

IMAGES_PER_READ, READS_PER_PART = 64, 2  # a part takes a tenth of a second, on a slow disk one
PART_NAME = "statistics-so-far.npz"
SECONDS_BETWEEN_PARTS = 30.0


class Alone:
    """A single process that does the whole pass; `alexnet.distributed.ranks.Ranks` are several."""

    rank, size = 0, 1

    def broadcast(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns."""
        return function()

    in_all = broadcast

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor."""
        return tensor


def obtain_statistics(
    dataset: PreparedSet,
    *,
    progress: bool = True,
    ranks: Any = None,
    spare: Path | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    between: Callable[[], None] = lambda: None,
) -> Statistics:
    """Return the statistics of a set's training images: from the file beside it, or computed and kept.

    A stopped pass resumes where it was; a killed one loses half a minute of work.

    Args:
        dataset: as `alexnet.data.prepared` opens them. One in memory has no folder, and keeps nothing.
        progress: show a progress bar while computing.
        ranks: the processes that share the pass, all of which must call this; only the first one need see the
            files. None: this one alone.
        spare: a folder to keep them in where that of the set cannot be written to, if it exists.
        tell: called with a sentence if they cannot be kept anywhere.
        between: called in each process before every part of the pass, of some hundred images; what it raises,
            in all of them, ends the pass.
    Raises:
        ValueError: the file is damaged or of another data set, or an image cannot be read.
    """
    ranks = ranks or Alone()
    folders = [] if dataset.path is None else [dataset.path]
    if folders and spare is not None and spare.is_dir():
        folders.append(spare)
    found = ranks.broadcast(lambda: kept(dataset, folders))
    if found is not None:
        return found
    sums = passed_through(dataset, folders, ranks, between, progress=progress)
    statistics = sums.statistics(dataset.fingerprint)
    trouble = ranks.broadcast(lambda: keep(statistics, folders))
    if trouble:
        tell(trouble)
    return statistics


def kept(dataset: PreparedSet, folders: list[Path]) -> Statistics | None:
    """Return the statistics that lie in the first of the folders that has any."""
    for folder in folders:
        if (folder / FILE_NAME).is_file():
            return load(folder / FILE_NAME, fingerprint=dataset.fingerprint, num_images=len(dataset.train))
    return None


def keep(statistics: Statistics, folders: list[Path]) -> str:
    """Write the statistics into the first folder that takes them; return what hinders it, or nothing."""
    reasons = []
    for folder in folders:
        try:
            save(statistics, folder / FILE_NAME)
        except OSError as error:
            reasons.append(f"{error.strerror or error}: {folder / FILE_NAME}")
            continue
        for other in folders:
            with contextlib.suppress(OSError):
                (other / PART_NAME).unlink(missing_ok=True)
        return ""
    if not reasons:
        return ""
    return f"the mean image cannot be kept ({'; '.join(reasons)}), so the next training computes it again"


def passed_through(
    dataset: PreparedSet, folders: list[Path], ranks: Any, between: Callable[[], None], *, progress: bool
) -> Sums:
    """Add up all training images; each process takes parts in turn, so that none waits long for another.

    Whatever ends it early, the sums so far are kept.
    """
    split, per_part = dataset.train, IMAGES_PER_READ * READS_PER_PART
    begun = ranks.broadcast(lambda: sums_so_far(folders, dataset.fingerprint, len(split)))
    sums, written = Sums(split.shape, begun), time.monotonic()
    with tqdm(total=len(split), desc="mean image", unit=" images", disable=not progress) as bar:
        bar.update(sums.num_images)
        try:
            while (done := sums.num_images) < len(split):
                between()
                first = done + ranks.rank * per_part
                part = ranks.in_all(lambda first=first: add_up_images(split, first, first + per_part))
                sums = Sums(split.shape, sums.numbers + ranks.all_reduce(part.numbers))
                bar.update(sums.num_images - done)
                if ranks.rank == 0 and time.monotonic() - written >= SECONDS_BETWEEN_PARTS:
                    keep_so_far(sums, folders, dataset.fingerprint)
                    written = time.monotonic()
        except BaseException:
            if ranks.rank == 0 and sums.num_images:
                keep_so_far(sums, folders, dataset.fingerprint)
            raise
    return sums


def add_up_images(split: Split, first: int, end: int) -> Sums:
    """Add up the images of a split from one to before another, as far as there are so many."""
    sums = Sums(split.shape)
    for start in range(first, min(end, len(split)), IMAGES_PER_READ):
        sums.add(split.read(range(start, min(start + IMAGES_PER_READ, end, len(split)))))
    return sums


def keep_so_far(sums: Sums, folders: list[Path], fingerprint: str) -> None:
    """Write the sums into the first folder that is writable; without one the pass continues."""
    arrays = {"numbers": sums.numbers.numpy(), "fingerprint": np.array(fingerprint)}
    for folder in folders:
        with contextlib.suppress(OSError):
            write_arrays(folder / PART_NAME, arrays)
            return


def sums_so_far(folders: list[Path], fingerprint: str, num_images: int) -> torch.Tensor | None:
    """Return the sums of a pass that was stopped; None where there is none, or none of these images."""
    for folder in folders:
        with contextlib.suppress(OSError, ValueError):
            arrays = read_arrays(folder / PART_NAME, ("numbers", "fingerprint"))
            if str(arrays["fingerprint"]) == fingerprint and arrays["numbers"][0] <= num_images:
                return torch.from_numpy(arrays["numbers"])
    return None

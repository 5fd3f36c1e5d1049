"""Processes that read batches: what they do, how they start, what they ignore, when they leave.

They serve the process that started them, and it alone ends them. Signals that ask a program to stop mean that
one, also where they reach all its processes (Ctrl-C in a terminal, torchrun, a batch system): it finishes its
step and saves, for which it may need another batch.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from alexnet.data.splits import Split

PATIENCE_SECONDS = 600.0  # for a batch; after that the reader counts as hung
LOOK_SECONDS = 5.0  # how often the workers are looked at while a batch is waited for

SHARED_MEMORY = Path("/dev/shm")  # where batches lie on Linux on their way from one process to another
IN_HAND = 2  # batches that the reader of a loader still holds: the one at work and the one before it
KINDS = ("SIGINT", "SIGTERM", "SIGHUP")  # they ask a program to end; Windows lacks the last
ENDING = {getattr(signal, kind) for kind in KINDS if hasattr(signal, kind)}


class Batch(NamedTuple):
    """Images of one step.

    Attributes:
        images: (n, 3, H, W) uint8.
        labels: (n,) int64.
        indices: (n,) int64, which images of the split they are.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor


class BatchFailed(ValueError):
    """A batch could not be read; the message says why, in one sentence."""


class Unread(NamedTuple):
    """Stands for a batch that could not be read: the reason, in one sentence."""

    reason: str


class BatchesOf(Dataset):
    """What a worker process runs: from the indices of a batch to the batch, or to why there is none."""

    def __init__(self, split: Split):
        self.split = split

    def __getitem__(self, index: np.ndarray) -> Batch | Unread:
        try:
            batch = Batch(self.split.read(index), self.split.labels[index], torch.as_tensor(index))
        except Exception as error:
            return Unread(in_words(error))
        try:
            return batch if get_worker_info() is None else shared(batch)
        except RuntimeError as error:
            return Unread(
                f"there is no room for a batch in the machine's shared memory ({one_line(error)}); "
                "a container gets more by its option `--shm-size`, and `--workers 0` needs none"
            )


def shared(batch: Batch) -> Batch:
    """Move a batch into shared memory.

    Sending it would do so too, but in a thread of the queue: where there is no room the batch would be lost,
    and awaited for ever.
    """
    for tensor in batch:
        tensor.share_memory_()
    return batch


def in_words(error: Exception) -> str:
    """Return why something cannot be read, in one sentence."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return one_line(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {one_line(error)}"


def one_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error).splitlines() or [""])[0]


def processes():
    """Return how worker processes start: not by forking this one, whose threads might hold locks."""
    if sys.platform == "win32" or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["alexnet.data.workers"])
    return context


@contextlib.contextmanager
def deaf_to_signals() -> Generator[None]:
    """Let processes that start meanwhile be deaf to signals that ask to end, from their first moment on.

    They inherit what this thread blocks, and so do those that the fork server starts later, for whomever: all
    of them end by ``kill``, or when they are told to. Windows has nothing of the kind.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        resource_tracker.ensure_running()  # the first time it lets these signals through again
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def children_left_alone() -> Generator[None]:
    """Put back what this process does when a child ends, where a ``DataLoader`` that starts changes it.

    Torch would raise RuntimeError for a killed worker in the middle of whatever the main thread does. The
    workers are looked at every LOOK_SECONDS while a batch is waited for, which is soon enough.
    """
    child = getattr(signal, "SIGCHLD", None)  # Windows has none
    before = None if child is None else signal.getsignal(child)
    try:
        yield
    finally:
        if child is not None and before is not None and signal.getsignal(child) is not before:
            signal.signal(child, before)


def begin(leave: Connection, _number: int) -> None:
    """Prepare a worker process.

    Args:
        leave: its other end is in the process that is served; when it is closed, by whatever end that process
            comes to, this one ends too.
    """
    if hasattr(signal, "pthread_sigmask"):  # again, as somebody else may have started the fork server
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(leave,), daemon=True).start()


def end_with(other: Connection | int) -> None:
    """Wait until another process has ended, then end this one.

    Args:
        other: a connection whose other end it alone has, or its sentinel.
    """
    with contextlib.suppress(OSError):
        wait([other])
    os._exit(0)


class Room(NamedTuple):
    """How many processes read, how many batches each reads ahead, and a sentence if fewer than asked."""

    workers: int
    prefetch: int
    note: str = ""


def room_for(batch_bytes: int, workers: int, prefetch: int, *, sharing: int = 1, besides: int = 0) -> Room:
    """Return how many processes may read so that their batches have room in the machine's shared memory.

    Args:
        batch_bytes: of one batch.
        workers: processes, as wanted.
        prefetch: batches that each reads ahead, as wanted.
        sharing: loaders that read at the same time on this machine.
        besides: bytes of what else a loader sends its workers, and leaves in that memory.
    """
    if not (workers and SHARED_MEMORY.is_dir()):
        return Room(workers, prefetch)
    space = os.statvfs(SHARED_MEMORY)
    free_of_all = space.f_bavail * space.f_frsize
    free = free_of_all // sharing
    room = (free - besides) // batch_bytes - IN_HAND
    if room >= workers * prefetch:
        return Room(workers, prefetch)
    fewer = max(0, min(workers, room))
    ahead = min(prefetch, room // fewer) if fewer else prefetch
    needed = batch_bytes * (workers * prefetch + IN_HAND) + besides
    instead = f"{fewer} read {ahead} ahead" if fewer else "this process reads them itself, which may be slow"
    share = f", {megabytes(free)} for each of {sharing} loaders" if sharing > 1 else ""
    return Room(
        fewer,
        ahead,
        f"{workers} processes that read {prefetch} batches of {megabytes(batch_bytes)} ahead, with {IN_HAND} "
        f"in use, need {megabytes(needed)} of shared memory, and {megabytes(free_of_all)} are free{share}: "
        f"{instead}; a container gets more by its option `--shm-size`",
    )


def megabytes(count: int) -> str:
    """Return bytes for people."""
    return f"{count / 1e6:,.1f} MB"


def wait_for_next(batches: Iterator[Batch | Unread]) -> Batch | Unread | None:
    """Return the next batch; None after the last one.

    Args:
        batches: of a ``DataLoader`` that looks at its workers every LOOK_SECONDS.
    Raises:
        BatchFailed: a worker was killed, or nothing came for PATIENCE_SECONDS.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return next(batches, None)
        except (RuntimeError, OSError, EOFError) as error:
            if "timed out" in str(error) and time.monotonic() < end:
                continue  # it goes on waiting for the same batch
            raise BatchFailed(why_none_came(error)) from error


def why_none_came(error: Exception) -> str:
    """Return in one sentence what hinders the workers."""
    if "timed out" in str(error):
        return f"no batch came within {PATIENCE_SECONDS:.0f} s; does the disk with the images respond?"
    # Its last batches are fetched from itself: that fails in these ways, where its end is not known yet.
    if "exited unexpectedly" in str(error) or isinstance(error, ConnectionError | EOFError):
        return (
            "a process that reads was killed, perhaps as the memory is full; fewer need less (`--workers`); "
            'a script that trains needs the line `if __name__ == "__main__":`, or no workers'
        )
    return f"the processes that read are in trouble: {in_words(error)}"

"""Make shards in many processes, so that a stop of any kind leaves whole shards and nothing else."""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import SynchronizedArray, SynchronizedString
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from alexnet.data.prepare.shards import Item, write_shard
from alexnet.data.prepare.sources import Reader

WHY_BYTES = 1000  # at most, of a file's name and the reason why it is left out
MOST_ON_WINDOWS = 61  # processes that a pool of Python may have there
POLL_SECONDS = 0.2  # how often the progress of the processes is looked at


class Job(NamedTuple):
    """A shard to make: the path without suffix, and what `write_shard` needs besides."""

    path: Path
    items: Sequence[Item]
    size: int
    form: str
    exact: bool = False


class Progress(NamedTuple):
    """How far the work is: the images done, those that could not be stored, and why the first one."""

    done: int
    left_out: int
    why: str


class Stopped(Exception):
    """Ends the work of a process because another one has failed or the user has interrupted."""


class Worker:
    """The state of a process: the counters that it shares with the others, and whether to stop."""

    counts: "SynchronizedArray[int]"  # images looked at, images that could not be stored
    why: SynchronizedString  # the first of these
    stop: Event
    reader: Reader  # open until the process ends

    @classmethod
    def start(cls, counts: "SynchronizedArray[int]", why: SynchronizedString, stop: Event) -> None:
        """Prepare this process: Ctrl-C is the parent's affair, and without the parent there is no work."""
        cls.counts, cls.why, cls.stop, cls.reader = counts, why, stop, Reader()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=exit_with_parent, daemon=True).start()

    @classmethod
    def make(cls, job: Job) -> None:
        """Make a shard."""
        write_shard(**job._asdict(), reader=cls.reader, report=cls.report)

    @classmethod
    def report(cls, why: str | None) -> None:
        """Count an image that was stored, or was not for a reason. Raises Stopped if the work is to end."""
        if cls.stop.is_set():
            raise Stopped
        with cls.counts.get_lock():
            cls.counts[0] += 1
            if why is not None:
                cls.counts[1] += 1
                cls.why.value = cls.why.value or why.encode()[:WHY_BYTES]


def exit_with_parent() -> None:
    """Wait until the parent process is gone, then end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only processes of the pool call this
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def make_shards(jobs: Sequence[Job], workers: int, progress: Callable[[Progress], None]) -> None:
    """Make shards.

    Args:
        jobs: the shards.
        workers: processes; 0: make them here.
        progress: called now and then with how far the work is. What it raises ends the work.
    Raises:
        OSError: a file cannot be read or written.
        ChildProcessError: a process was killed.
    """
    if workers == 0:
        make_shards_here(jobs, progress)
        return
    context = multiprocessing.get_context("spawn")
    counts, why, stop = context.Array("q", 2), context.Array(ctypes.c_char, WHY_BYTES), context.Event()
    workers = min(workers, len(jobs), MOST_ON_WINDOWS if os.name == "nt" else workers) or 1
    pool = ProcessPoolExecutor(workers, context, Worker.start, (counts, why, stop))
    try:
        waiting = {pool.submit(Worker.make, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            for future in done:
                future.result()
            progress(Progress(counts[0], counts[1], why.value.decode(errors="ignore")))
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a process that decodes images was killed, perhaps because the memory is full; "
            "run the same command again to resume, with fewer processes (--workers); a script needs the "
            'line `if __name__ == "__main__":`, or no workers'
        ) from error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def make_shards_here(jobs: Sequence[Job], progress: Callable[[Progress], None]) -> None:
    """Make shards in this process."""
    now = Progress(0, 0, "")

    def report(why: str | None) -> None:
        nonlocal now
        now = Progress(now.done + 1, now.left_out + (why is not None), now.why or why or "")
        progress(now)

    with Reader() as reader:
        for job in jobs:
            write_shard(**job._asdict(), reader=reader, report=report)

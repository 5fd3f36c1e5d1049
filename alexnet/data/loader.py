"""Batches of images in an order that needs no state: the position (epoch, step) determines the next batch.

The order of an epoch is a function of the seed and the epoch alone, and batch i is a slice of it. So training
that was stopped resumes at its position with exactly the batches that it would have seen, also with another
number of worker processes; nothing but the two numbers is to be saved. Batches hold whole images as bytes:
crops, flips and colours are made where the network is.
"""

import contextlib
import functools
import math
import multiprocessing.util
import time
from collections.abc import Generator, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from alexnet import config
from alexnet.checks import one_of
from alexnet.data.splits import Split
from alexnet.data.workers import (
    LOOK_SECONDS,
    Batch,
    BatchesOf,
    BatchFailed,
    Room,
    Unread,
    begin,
    children_left_alone,
    deaf_to_signals,
    in_words,
    processes,
    room_for,
    wait_for_next,
    why_none_came,
)
from alexnet.devices import local_size, usable_cores
from alexnet.seeds import make_generator

ORDERS = (*config.ORDERS, "stored")


def epoch_order(num_images: int, seed: int, epoch: int, order: str = "shuffled") -> Tensor:
    """Return the order in which the images come in an epoch.

    Args:
        num_images: N.
        seed: from 0 to 2**64 - 1.
        epoch: from 0 to 2**64 - 1.
        order: "shuffled": another random order in each epoch; "fixed": one random order for all epochs, as
            in the 2012 code, by what its files and the release of 2014 show (D14); "stored": in stored order,
            for evaluation.
    Returns:
        (N,) int64, a permutation of 0 to N - 1.
    Raises:
        ValueError: the order is unknown, or a number out of range.
    """
    one_of("order", order, ORDERS)
    if order == "stored":
        return torch.arange(num_images)
    return torch.randperm(num_images, generator=make_generator(seed, 0 if order == "fixed" else epoch))


def split_into_batches(
    order: Tensor, batch_size: int, *, rank: int = 0, num_ranks: int = 1, drop_last: bool
) -> list[Tensor]:
    """Split an order into batches, and take one rank's part of each: every num_ranks-th image from rank on.

    Args:
        order: (N,), as from `epoch_order`.
        batch_size: images of a step, over all ranks together.
        rank: whose part, from 0.
        num_ranks: into how many parts; 1 is everything.
        drop_last: leave out the last batch if it is not full. If it is kept, the ranks' parts of it may
            differ by one image, and some may be empty.
    Returns:
        one tensor of indices a step.
    Raises:
        ValueError: the ranks do not divide the batch, or there is no such rank, or no full batch to keep.
    """
    if not 0 <= rank < num_ranks:
        raise ValueError(f"rank must be from 0 to {num_ranks - 1}, got {rank}")
    if batch_size < 1 or batch_size % num_ranks:
        raise ValueError(f"the batch of {batch_size} images cannot be divided evenly among {num_ranks} ranks")
    if drop_last and len(order) < batch_size:
        raise ValueError(f"{len(order):,} images do not fill a batch of {batch_size}")
    parts = [batch[rank::num_ranks] for batch in order.split(batch_size)]
    return parts[: len(order) // batch_size] if drop_last else parts


class Loader:
    """Batches of a split, read ahead by worker processes if it lies on disk.

    Attributes:
        steps_per_epoch: batches in an epoch.
        wait_seconds: how long the caller has waited for batches so far, the start of the workers included.
        room: how many workers read and how far ahead, and a sentence if that is less than was asked for.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        drop_last: bool,
        order: str = "shuffled",
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        workers: int | None = None,
        prefetch: int = 2,
        pin_memory: bool = False,
        sharing: int = 1,
    ):
        """Prepare to read; workers start with the first batch and stay until ``close``.

        Args:
            split: the images.
            batch_size: as for `split_into_batches`.
            drop_last: as for `split_into_batches`.
            order: as for `epoch_order`.
            seed: as for `epoch_order`.
            rank: as for `split_into_batches`.
            num_ranks: as for `split_into_batches`.
            workers: processes that read; None: one for each core, of which the processes that torchrun has
                started on this machine have an equal part each, and none for a set in memory. A script that
                uses any needs the line ``if __name__ == "__main__":``, as they begin by importing it. They
                are deaf to signals that ask to end, and leave when this process does.
            prefetch: batches that each worker reads ahead; fewer where the machine's shared memory is small.
            pin_memory: put batches into page-locked memory, from which copies to a GPU need not wait.
            sharing: loaders that read at the same time on this machine, and share that memory.
        Raises:
            ValueError: the batch cannot be divided or filled, or the order is unknown.
        """
        self.split, self.batch_size, self.drop_last = split, batch_size, drop_last
        self.order, self.seed, self.rank, self.num_ranks = order, seed, rank, num_ranks
        self.steps_per_epoch = len(self._plan(0))
        self.wait_seconds = 0.0
        self._batches: list[np.ndarray] = []
        if workers is None:
            workers = 0 if split.in_memory else max(1, usable_cores() // local_size())
        batch_bytes = math.ceil(batch_size / num_ranks) * (math.prod(split.shape) + 16)
        sent = split.labels.nbytes + (len(split) * math.prod(split.shape) if split.in_memory else 0)
        self.room = room_for(batch_bytes, workers, prefetch, sharing=sharing, besides=sent)
        self._pin_memory = pin_memory
        self._data: DataLoader | None = self._make_data()

    def _make_data(self) -> DataLoader:
        """Return what reads the batches that are planned; its workers start with the first of them."""
        self._running = False
        return DataLoader(
            BatchesOf(self.split),
            batch_size=None,
            sampler=self._batches,
            num_workers=self.room.workers,
            pin_memory=self._pin_memory,
            generator=torch.Generator(),  # or it would draw from the global one
            **(self._in_processes(self.room) if self.room.workers else {}),
        )

    def _in_processes(self, room: Room) -> dict:
        """Return the options of a ``DataLoader`` for workers that leave when ``_leave`` is called."""
        context = processes()
        theirs, ours = context.Pipe(duplex=False)
        # Before multiprocessing waits for them at the end of this process, and when nobody holds this loader.
        self._leave = multiprocessing.util.Finalize(self, ours.close, exitpriority=100)
        return {
            "prefetch_factor": room.prefetch,
            "multiprocessing_context": context,
            "persistent_workers": True,
            "worker_init_fn": functools.partial(begin, theirs),
            "timeout": LOOK_SECONDS,
        }

    def epoch(self, epoch: int = 0, first_step: int = 0) -> Iterator[Batch]:
        """Yield this rank's batches of an epoch, from a step on.

        Args:
            epoch: which, from 0 on.
            first_step: the step to begin with; 0 is the first, steps_per_epoch yields nothing.
        Raises:
            ValueError: the epoch has no such step, or the loader was closed.
            BatchFailed: a batch cannot be read, a worker was killed, or nothing came for ten minutes.
        """
        if not 0 <= first_step <= self.steps_per_epoch:
            raise ValueError(f"first_step must be from 0 to {self.steps_per_epoch}, got {first_step}")
        # As arrays, which are sent as they are; a tensor would take space in shared memory.
        self._batches[:] = [indices.numpy() for indices in self._plan(epoch)[first_step:]]
        with self._waiting():
            batches = self._begin()
        while True:
            with self._waiting():
                batch = wait_for_next(batches)
            if batch is None:
                return
            if isinstance(batch, Unread):
                raise BatchFailed(batch.reason)
            yield batch

    def close(self) -> None:
        """End the worker processes."""
        self._data = None  # they finish; where somebody still holds their batches, what follows ends them
        if self.room.workers:
            self._leave()

    @contextlib.contextmanager
    def _waiting(self) -> Generator[None]:
        """Count the time as waiting."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.wait_seconds += time.perf_counter() - start

    def _begin(self) -> Iterator[Batch | Unread]:
        """Start the workers where they do not run yet, and let them read what is planned."""
        if self._data is None:
            raise ValueError("the loader was closed and reads no more; make another one")
        try:
            if not self.room.workers:
                return iter(self._data)
            with deaf_to_signals(), children_left_alone():
                batches = iter(self._data)
        except (OSError, EOFError, RuntimeError) as error:
            if not self._running:
                raise BatchFailed(
                    f"the processes that read cannot start ({in_words(error)}); `--workers 0` needs none"
                ) from error
            if "timed out" not in str(error):
                raise BatchFailed(why_none_came(error)) from error
        else:
            self._running = True
            return batches
        # Between epochs torch waits LOOK_SECONDS for workers, and not again; new ones get PATIENCE_SECONDS.
        self._leave()
        self._data = self._make_data()
        return self._begin()

    def _plan(self, epoch: int) -> list[Tensor]:
        """Return the indices of each step's images in an epoch."""
        order = epoch_order(len(self.split), self.seed, epoch, self.order)
        ranks = {"rank": self.rank, "num_ranks": self.num_ranks}
        return split_into_batches(order, self.batch_size, drop_last=self.drop_last, **ranks)


def evaluation_loader(split: Split, batch_size: int, **options) -> Loader:
    """Return a loader whose every epoch has every image once, over all ranks together, as they lie.

    Args:
        split: as for `Loader`.
        batch_size: as for `Loader`; the last batch may be smaller, or empty on some ranks.
        **options: as for `Loader`.
    """
    return Loader(split, batch_size, order="stored", drop_last=False, **options)

"""The loader: an order without state, each image once, resuming, ranks, and workers that change nothing."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from alexnet.data.loader import BatchFailed, Loader, epoch_order, evaluation_loader, split_into_batches
from alexnet.data.splits import MemorySplit
from alexnet.data.workers import ENDING, room_for, wait_for_next
from alexnet.devices import usable_cores
from support.preparing import made, one_folder


def make_split(count):
    """Return images in memory whose first pixel is their index."""
    images = torch.zeros(count, 3, 4, 4, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(count)
    return MemorySplit(images, torch.arange(count) % 3)


@pytest.mark.parametrize("order", ["shuffled", "fixed", "stored"])
def test_an_order_has_every_image_once(order):
    assert sorted(epoch_order(101, 5, 3, order).tolist()) == list(range(101))


def test_the_order_is_a_function_of_seed_and_epoch():
    orders = [tuple(epoch_order(50, seed, epoch).tolist()) for seed in (0, 1, 2**32) for epoch in range(4)]
    # For torch's own generator, seeds 0 and 2**32 are the same, and for numpy's so are (0, 1) and (2**32, 0).
    assert len(set(orders)) == len(orders)
    assert torch.equal(epoch_order(50, 1, 2), epoch_order(50, 1, 2))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(
        ValueError, match=f"a seed must be a whole number from 0 to 2\\*\\*64 - 1, got {seed}"
    ):
        epoch_order(5, seed, 0)


def test_the_fixed_order_is_shuffled_once():
    first = epoch_order(50, 4, 0, "fixed")
    assert torch.equal(first, epoch_order(50, 4, 7, "fixed"))
    assert first.tolist() != list(range(50)) and first.tolist() != epoch_order(50, 5, 0, "fixed").tolist()


def test_the_stored_order_is_that_of_the_files():
    assert epoch_order(5, 1, 1, "stored").tolist() == [0, 1, 2, 3, 4]


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order must be one of shuffled, fixed, stored; got 'random'"):
        epoch_order(5, 1, 1, "random")


def test_a_shuffle_is_even():
    """Each of 4 images comes first about as often: the counts of 2000 epochs are binomial."""
    firsts = torch.bincount(torch.tensor([epoch_order(4, 3, epoch)[0] for epoch in range(2000)]), minlength=4)
    assert (abs(firsts - 500) < 5 * (2000 * 0.25 * 0.75) ** 0.5).all()


@pytest.mark.parametrize(("drop_last", "steps"), [(True, 3), (False, 4)])
def test_batches_are_slices_of_the_order(drop_last, steps):
    order = epoch_order(23, 0, 0)
    batches = split_into_batches(order, 6, drop_last=drop_last)
    assert len(batches) == steps
    assert torch.equal(torch.cat(batches), order[: 18 if drop_last else 23])


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 6])
def test_ranks_share_a_batch_without_overlap(num_ranks):
    order = epoch_order(23, 0, 0)
    parts = [
        split_into_batches(order, 6, rank=r, num_ranks=num_ranks, drop_last=False) for r in range(num_ranks)
    ]
    for step, whole in enumerate(split_into_batches(order, 6, drop_last=False)):
        together = torch.empty_like(whole)
        for rank in range(num_ranks):
            together[rank::num_ranks] = parts[rank][step]
        assert torch.equal(together, whole)
    assert all(len(part) == 6 // num_ranks for steps in parts for part in steps[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 6, "num_ranks": 4}, "batch of 6 images cannot be divided evenly among 4 ranks"),
        ({"batch_size": 0}, "batch of 0 images cannot be divided evenly among 1 ranks"),
        ({"batch_size": 6, "rank": 2, "num_ranks": 2}, "rank must be from 0 to 1, got 2"),
        ({"batch_size": 6, "rank": -1, "num_ranks": 2}, "rank must be from 0 to 1, got -1"),
        ({"batch_size": 24}, "23 images do not fill a batch of 24"),
    ],
)
def test_batches_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Loader(make_split(23), drop_last=True, **options)


def test_batches_hold_the_images_of_their_indices():
    loader = Loader(make_split(23), 5, seed=9, drop_last=False)
    batches = list(loader.epoch(2))
    assert torch.equal(torch.cat([batch.indices for batch in batches]), epoch_order(23, 9, 2))
    for batch in batches:
        assert torch.equal(batch.images[:, 0, 0, 0].long(), batch.indices)
        assert torch.equal(batch.labels, batch.indices % 3)
    assert [len(batch.labels) for batch in batches] == [5, 5, 5, 5, 3] and loader.steps_per_epoch == 5


@pytest.mark.parametrize("step", range(5))
def test_training_goes_on_at_any_step(step):
    whole = [batch.indices for batch in Loader(make_split(23), 5, seed=9, drop_last=True).epoch(1)]
    rest = [batch.indices for batch in Loader(make_split(23), 5, seed=9, drop_last=True).epoch(1, step)]
    assert len(rest) == 4 - step and all(map(torch.equal, whole[step:], rest))


@pytest.mark.parametrize("step", [-1, 5])
def test_a_step_that_the_epoch_lacks_is_refused(step):
    with pytest.raises(ValueError, match=f"first_step must be from 0 to 4, got {step}"):
        next(Loader(make_split(23), 5, drop_last=True).epoch(0, step))


@pytest.mark.parametrize("num_ranks", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 10, 23])
def test_evaluation_has_every_image_once_over_all_ranks(count, num_ranks):
    loaders = [
        evaluation_loader(make_split(count), 10, rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)
    ]
    steps = [list(loader.epoch()) for loader in loaders]
    assert len({len(batches) for batches in steps}) == 1
    seen = torch.cat([batch.indices for batches in steps for batch in batches])
    assert sorted(seen.tolist()) == list(range(count))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The 7 training images of a prepared set."""
    folder = tmp_path_factory.mktemp("set")
    return made("folder", [one_folder(folder)], folder / "set")[0].train


@pytest.mark.slow
def test_workers_change_nothing(stored):
    settings = {"seed": 3, "drop_last": False}
    here = Loader(stored, 2, workers=0, **settings)
    there = Loader(stored, 2, workers=2, **settings)
    state = torch.random.get_rng_state()
    for epoch, step in [(0, 0), (1, 2), (0, 0), (5, 4)]:
        pairs = zip(here.epoch(epoch, step), there.epoch(epoch, step), strict=True)
        assert all(all(map(torch.equal, one, other)) for one, other in pairs)
    left = there.epoch(2)
    next(left)
    left.close()  # in the middle of an epoch
    assert torch.equal(next(there.epoch(3)).indices, epoch_order(7, 3, 3)[:2])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert there.wait_seconds > 0
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    there.close()
    deadline = time.monotonic() + 10
    while any(worker.is_alive() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(worker.is_alive() for worker in workers)


def test_a_damaged_image_stops_the_loader_with_its_reason(stored, monkeypatch):
    monkeypatch.setattr(stored, "_sizes", stored._sizes // 2)
    with pytest.raises(ValueError, match="is damaged"):
        list(Loader(stored, 2, workers=0, drop_last=True).epoch())


@pytest.mark.slow
def test_workers_are_deaf_to_signals_and_their_death_is_noticed(stored, monkeypatch):
    monkeypatch.setattr("alexnet.data.loader.LOOK_SECONDS", 0.1)
    loader = Loader(stored, 1, workers=1, prefetch=1, drop_last=True)
    before = {worker.pid for worker in multiprocessing.active_children()}
    batches = loader.epoch()
    next(batches)
    (worker,) = (worker for worker in multiprocessing.active_children() if worker.pid not in before)
    for number in ENDING if hasattr(signal, "pthread_sigmask") else ():
        os.kill(worker.pid, number)
    assert len(list(batches)) == 6
    batches = loader.epoch(1)
    next(batches)
    worker.kill()
    with pytest.raises(
        BatchFailed, match=r"a process that reads was killed, .*\(`--workers`\); a script .*, or no workers$"
    ):
        list(batches)
    loader.close()


def begun(stored):
    """Return a loader that has read an epoch, and its worker."""
    loader = Loader(stored, 1, workers=1, prefetch=1, drop_last=True)
    before = {worker.pid for worker in multiprocessing.active_children()}
    assert len(list(loader.epoch())) == 7
    (worker,) = (worker for worker in multiprocessing.active_children() if worker.pid not in before)
    return loader, worker


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops no processes")
def test_a_worker_that_sleeps_between_epochs_is_replaced(stored, monkeypatch):
    monkeypatch.setattr("alexnet.data.loader.LOOK_SECONDS", 0.5)
    loader, worker = begun(stored)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        assert len(list(loader.epoch(1))) == 7
        assert len(list(loader.epoch(2))) == 7
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    worker.join(10)
    assert not worker.is_alive()
    loader.close()


@pytest.mark.slow
def test_a_worker_that_was_killed_between_epochs_is_called_so(stored):
    loader, worker = begun(stored)
    worker.kill()
    worker.join(10)
    with pytest.raises(
        BatchFailed, match=r"a process that reads was killed, .*\(`--workers`\); a script .*, or no workers$"
    ):
        list(loader.epoch(1))
    loader.close()


class Start:
    """Stands for a ``DataLoader``: notes which signals are blocked when its workers would start."""

    def __iter__(self):
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return iter(())


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows blocks no signals")
def test_workers_are_deaf_to_signals_from_their_first_moment(stored):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    loader = Loader(stored, 2, workers=1, drop_last=True)
    loader._data = start = Start()
    assert list(loader.epoch()) == []
    loader.close()
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    assert before | ending == start.blocked and not before & ending
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


class Watching:
    """Stands for a ``DataLoader`` that wants to be told when a worker ends."""

    def __iter__(self):
        signal.signal(signal.SIGCHLD, lambda *_: pytest.fail("the main thread was interrupted"))
        return iter(())


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="Windows has no such signal")
def test_a_worker_that_ends_interrupts_nothing(stored):
    before = signal.getsignal(signal.SIGCHLD)
    loader = Loader(stored, 2, workers=1, drop_last=True)
    loader._data = Watching()
    assert list(loader.epoch()) == []
    loader.close()
    assert signal.getsignal(signal.SIGCHLD) is before


@pytest.mark.slow
def test_a_image_that_a_worker_cannot_read_is_one_sentence(stored):
    loader = Loader(stored, 2, workers=1, drop_last=True)
    loader.split._sizes = stored._sizes // 2
    with pytest.raises(BatchFailed, match=r"^/.*\.tar is damaged .*anew$"):
        list(loader.epoch())
    loader.close()


def late(times):
    """An iterator of a ``DataLoader`` whose next batch comes after so many times of waiting in vain."""
    for _ in range(times):
        yield RuntimeError("DataLoader timed out after 5.0 seconds")
    yield "batch"


class Late:
    def __init__(self, times):
        self.answers = late(times)

    def __iter__(self):
        return self

    def __next__(self):
        if isinstance(answer := next(self.answers), Exception):
            raise answer
        return answer


def test_no_batch_is_waited_for_without_limit(monkeypatch):
    assert wait_for_next(Late(5)) == "batch" and wait_for_next(iter(())) is None
    clock = itertools.count(step=300.0)
    monkeypatch.setattr("alexnet.data.workers.time.monotonic", lambda: next(clock))
    with pytest.raises(
        BatchFailed, match="^no batch came within 600 s; does the disk with the images respond"
    ):
        wait_for_next(Late(5))


@pytest.mark.parametrize("error", [ConnectionResetError(104, "Connection reset by peer"), EOFError()])
def test_a_batch_of_a_killed_worker_that_cannot_be_fetched_is_its_death(error):
    with pytest.raises(BatchFailed, match="^a process that reads was killed, "):
        wait_for_next(iter_raising(error))


def iter_raising(error):
    """An iterator that fails at once."""
    raise error
    yield


def test_workers_that_cannot_start_are_one_sentence(stored, monkeypatch):
    class Unstartable:
        def __iter__(self):
            raise EOFError("unexpected EOF")

    loader = Loader(make_split(8), 2, drop_last=True)
    monkeypatch.setattr(loader, "_data", Unstartable())
    with pytest.raises(BatchFailed, match=r"cannot start \(EOFError: unexpected EOF\); `--workers 0`"):
        next(loader.epoch())


def test_a_batch_that_has_no_room_is_no_lost_batch(monkeypatch):
    def full(batch):
        raise RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)\nmore")

    monkeypatch.setattr("alexnet.data.workers.get_worker_info", lambda: "a worker")
    monkeypatch.setattr("alexnet.data.workers.shared", full)
    with pytest.raises(BatchFailed, match="no room for .*No space left on device .*`--shm-size`, and `--wor"):
        next(Loader(make_split(8), 2, drop_last=True).epoch())


ROOMS = {  # megabytes free, loaders that share them: workers and prefetch, of 4 and 2, batches of 10 MB
    (100, 1): (4, 2),
    (99, 1): (4, 1),
    (200, 2): (4, 2),
    (60, 1): (4, 1),
    (50, 1): (3, 1),
    (64, 2): (1, 1),
    (29, 1): (0, 2),
}


@pytest.mark.parametrize(("megabytes", "sharing"), ROOMS)
def test_no_more_is_read_ahead_than_shared_memory_has_room_for(monkeypatch, tmp_path, megabytes, sharing):
    space = SimpleNamespace(f_bavail=megabytes * 1000, f_frsize=1000)
    monkeypatch.setattr("alexnet.data.workers.os.statvfs", lambda path: space, raising=False)
    monkeypatch.setattr("alexnet.data.workers.SHARED_MEMORY", tmp_path)
    room = room_for(10_000_000, 4, 2, sharing=sharing)
    assert (room.workers, room.prefetch) == ROOMS[megabytes, sharing]
    assert bool(room.note) == (room[:2] != (4, 2)) == ("--shm-size" in room.note)
    if room.note:
        share = f", {megabytes / 2:.1f} MB for each of 2 loaders" if sharing == 2 else ""
        assert room.note.startswith(
            "4 processes that read 2 batches of 10.0 MB ahead, with 2 in use, need 100.0 MB of shared "
            f"memory, and {megabytes:.1f} MB are free{share}: "
        )
    fewer = room_for(10_000_000, 4, 2, sharing=sharing, besides=10_000_000)
    assert fewer.workers * fewer.prefetch <= room.workers * room.prefetch and fewer[:2] != (4, 2)
    assert room_for(10_000_000, 0, 2) == (0, 2, "")
    monkeypatch.setattr("alexnet.data.workers.SHARED_MEMORY", tmp_path / "elsewhere")
    assert room_for(10_000_000, 4, 2) == (4, 2, "")


def test_a_loader_takes_the_room_that_there_is(stored, monkeypatch, tmp_path):
    space = SimpleNamespace(
        f_bavail=2 * (3 * stored.shape[1] ** 2 + 16) * 3 + stored.labels.nbytes, f_frsize=1
    )
    monkeypatch.setattr("alexnet.data.workers.os.statvfs", lambda path: space, raising=False)
    monkeypatch.setattr("alexnet.data.workers.SHARED_MEMORY", tmp_path)
    loader = Loader(stored, 2, workers=2, drop_last=True)
    assert loader.room[:2] == (1, 1) and "2 processes that read 2 batches" in loader.room.note
    assert Loader(stored, 2, workers=2, drop_last=True, sharing=2).room.workers == 0
    loader.close()


SCRIPT = """
import sys
import torch
from alexnet.data.splits import MemorySplit
from alexnet.data.loader import Loader

if __name__ == "__main__":
    split = MemorySplit(torch.zeros(64, 3, 4, 4, dtype=torch.uint8), torch.zeros(64, dtype=torch.int64))
    loader = Loader(split, 2, workers=2, drop_last=True)
    batches = loader.epoch()
    for _ in range(loader.room.workers):  # they take turns: all have begun then
        next(batches)
    print("reading", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="workers do not inherit what the test listens to")
@pytest.mark.parametrize("killed", [True, False])
def test_nobody_is_left_when_the_reader_is_gone(tmp_path, killed):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(path)], env=environment, text=True, **pipes) as process:
        assert process.stdout.readline() == "reading\n", process.stderr.read()
        if killed:
            process.kill()
        # Workers and fork server hold these pipes too: this waits until the last of them is gone.
        _, errors = process.communicate("", timeout=300)
    assert process.returncode == (-signal.SIGKILL if killed else 0), errors


def test_images_in_memory_need_no_workers(stored, monkeypatch):
    counts = []
    monkeypatch.setattr(
        "alexnet.data.loader.DataLoader", lambda *_, num_workers, **__: counts.append(num_workers)
    )
    for split in (make_split(9), stored):
        Loader(split, 2, drop_last=True)
    assert counts == [0, usable_cores()]


@pytest.mark.parametrize(("cores", "ranks", "workers"), [(8, 2, 4), (8, 3, 2), (2, 8, 1), (5, 1, 5)])
def test_the_processes_of_a_machine_share_its_cores(stored, monkeypatch, cores, ranks, workers):
    counts = []
    monkeypatch.setattr(
        "alexnet.data.loader.DataLoader", lambda *_, num_workers, **__: counts.append(num_workers)
    )
    monkeypatch.setattr("alexnet.data.loader.usable_cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
    Loader(stored, 2, drop_last=True)
    Loader(stored, 2, drop_last=True, workers=7)  # as asked for
    assert counts == [workers, 7]


def test_waiting_is_counted_and_the_work_between_is_not():
    class Slow(MemorySplit):
        def read(self, indices):
            time.sleep(0.02)
            return super().read(indices)

    split = make_split(8)
    loader = Loader(Slow(split.images, split.labels), 2, drop_last=True)
    start = time.perf_counter()
    for _ in itertools.islice(loader.epoch(), 3):
        time.sleep(0.05)
    assert 0.06 <= loader.wait_seconds <= time.perf_counter() - start - 0.15


def test_the_start_of_the_workers_is_counted_as_waiting(monkeypatch):
    loader = Loader(make_split(8), 2, drop_last=True)
    begin = loader._begin
    monkeypatch.setattr(loader, "_begin", lambda: time.sleep(0.05) or begin())
    next(loader.epoch())
    assert loader.wait_seconds >= 0.05


def test_a_batch_can_be_page_locked():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    (batch,) = Loader(make_split(4), 4, drop_last=True, pin_memory=True).epoch()
    assert batch.images.is_pinned() and torch.equal(batch.images[:, 0, 0, 0].long(), batch.indices)


def test_a_closed_loader_says_so():
    loader = Loader(make_split(6), 2, drop_last=True, workers=0)
    loader.close()
    with pytest.raises(ValueError, match="the loader was closed and reads no more; make another one"):
        next(loader.epoch())

"""How trials are run: here or in several processes, in the time there is, each finished one kept at once."""

import contextlib
import math
import statistics
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, parent_process
from typing import Any

import torch

from alexnet import data
from alexnet.data.workers import end_with, processes
from alexnet.devices import keep_buffers
from alexnet.experiments.finished import Finished, this_environment
from alexnet.experiments.trial import Outcome, Trial, run_trial

SURE_AFTER = 2.0  # seconds of steps by which the speed of a training is known


class TooLongError(Exception):
    """A trial would end after the time that it has."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How trials are run.

    Attributes:
        device: of the networks.
        jobs: trials that run at the same time, each a process with one thread; they share a single GPU.
        budget: seconds after which no trial is begun, and none that would end later by what the experiment's
            trials on a device of this kind have taken; one of which nothing is known is given up as soon as
            its speed shows that it would, and none that is as long is begun then. None: no limit.
    """

    device: str = "cpu"
    jobs: int = 1
    budget: float | None = None


def execute(
    next_trials: Callable[[], list[Trial]],
    finished: Finished,
    dataset: data.ImageSet,
    how: Execution,
    on_finished: Callable[[Trial, Outcome], None],
    on_begun: Callable[[Trial], None] = lambda trial: None,
    on_given_up: Callable[[Trial], None] = lambda trial: None,
) -> bool:
    """Run trials until there are none left, or none that ends within the budget.

    Args:
        next_trials: returns those that can be run now; asked again after each.
        finished: gets every finished trial.
        dataset: of the images.
        how: they are run.
        on_finished: called with a trial and its outcome.
        on_begun: called with a trial that begins.
        on_given_up: called with a trial that would have ended after the budget.
    Returns:
        whether none is left.
    Raises:
        ValueError: a process that ran a trial was ended.
    """
    end = math.inf if how.budget is None else time.monotonic() + how.budget
    running: dict[Future, Trial] = {}
    too_long: list[Trial] = []
    with workers(how, dataset) as submit:
        while True:
            todo = [trial for trial in next_trials() if trial not in running.values()]
            for trial in todo:
                if len(running) == how.jobs or any(trial.size >= other.size for other in too_long):
                    continue
                if not fits(trial, finished, end, how.device):
                    continue
                on_begun(trial)
                known = expected_seconds(trial, finished, how.device) is not None
                running[submit(trial, math.inf if known else end - time.monotonic())] = trial
            if not running:
                return not todo
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                try:
                    outcome, environment = future.result()
                except TooLongError:
                    too_long.append(trial)
                    on_given_up(trial)
                    continue
                finished.add(trial, outcome, environment)
                on_finished(trial, outcome)


def fits(trial: Trial, finished: Finished, end: float, device: str) -> bool:
    """Whether a trial would end in time; one of which nothing is known is begun while there is time."""
    left = end - time.monotonic()
    expected = expected_seconds(trial, finished, device)
    return left > (0 if expected is None else expected)


def expected_seconds(trial: Trial, finished: Finished, device: str) -> float | None:
    """Return how long a trial takes by those that have ended on a device of this kind; None without any.

    Trials of its arm count, or of all arms before it has any. The median counts, since a trial on a busy
    machine says nothing of this one: of the seconds for an image, and for the whole of a race, which ends on
    arrival and seldom at its limit.
    """
    kind = device.partition(":")[0]
    here = [
        line for line in finished.lines if str(line["environment"].get("device")).partition(":")[0] == kind
    ]
    here = [line for line in here if line["arm"] == trial.arm] or here
    if not here:
        return None
    race = trial.stop_error is not None
    seconds = [
        line["outcome"]["seconds"]
        * (trial.num_train / line["num_train"])
        * (1 if race else trial.epochs / line["outcome"]["epochs"])
        for line in here
    ]
    return statistics.median(seconds)


@contextlib.contextmanager
def workers(how: Execution, dataset: data.ImageSet) -> Generator[Callable[[Trial, float], Future]]:
    """Give the function that runs a trial, here or in one of several processes, and returns its future.

    Its second argument is the number of seconds that the trial has.

    The processes end with the context, in the midst of their trials where it is left by an error.

    Raises:
        ValueError: one of them was ended by somebody else.
    """
    prepare_process()
    if how.jobs == 1:
        yield lambda trial, seconds: done(run_on, dataset, trial, how.device, seconds)
        return
    others = set(active_children())
    executor = ProcessPoolExecutor(
        how.jobs, mp_context=processes(), initializer=begin_worker, initargs=(dataset,)
    )
    try:
        yield lambda trial, seconds: executor.submit(run_in_worker, trial, how.device, seconds)
    except BaseException as error:
        for child in set(active_children()) - others:
            child.kill()
        if isinstance(error, BrokenProcessPool):
            raise ValueError(
                "a process that ran a trial was ended, perhaps for lack of memory; choose fewer `--jobs`"
            ) from error
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def done(function: Callable[..., Any], *args: Any) -> Future:
    """Call a function now; return a future with its result, or with the error that a trial is too long."""
    future: Future = Future()
    try:
        future.set_result(function(*args))
    except TooLongError as error:
        future.set_exception(error)
    return future


def prepare_process() -> None:
    """Settle how this process computes: one thread, so that sums have one order wherever a trial runs."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # processors are slow with the smallest of numbers
    keep_buffers()


WORKER: dict[str, data.ImageSet] = {}


def begin_worker(dataset: data.ImageSet) -> None:
    """Keep the images in a new process, and let it end with the one that started it, however that ends."""
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()
    prepare_process()
    WORKER["dataset"] = dataset


def run_in_worker(trial: Trial, device: str, seconds: float) -> tuple[Outcome, dict[str, Any]]:
    """Run a trial on the images that the process keeps."""
    return run_on(WORKER["dataset"], trial, device, seconds)


def run_on(
    dataset: data.ImageSet, trial: Trial, device: str, seconds: float
) -> tuple[Outcome, dict[str, Any]]:
    """Run a trial, and say on which machine.

    Raises:
        TooLongError: the time is over, or by its speed so far the whole training would take longer. A race
            may end before that, and is given up all the same.
    """
    train = dataset.train_images, dataset.train_labels
    test = dataset.test_images, dataset.test_labels
    end, since = time.monotonic() + seconds, (0.0, 0.0)

    def watch(epoch: float) -> None:
        nonlocal since
        now = time.monotonic()
        if not since[1]:
            since = now, epoch  # the first step is slower than the others
            return
        spent, done = now - since[0], epoch - since[1]
        expected = since[0] + spent / done * (trial.epochs - since[1])
        if now > end or (spent > SURE_AFTER and expected > end):
            raise TooLongError

    outcome, _ = run_trial(trial, train, test, device=device, on_step=watch)
    return outcome, this_environment(device)

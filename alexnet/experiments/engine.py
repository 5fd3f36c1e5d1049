"""The engine of all experiments: the trials that an experiment needs next, and their execution.

An experiment declares its arms. For every arm the learning rate is searched first, on training images that
are held out and at the same length of training; then the seeds are run at the best rate. What is to be done
next follows from the finished trials alone, so that an experiment is stopped and goes on, on this machine or
on another, and nothing is computed twice.
"""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context
from typing import Any

import torch

from alexnet import data
from alexnet.devices import keep_buffers
from alexnet.experiments.arms import Arm
from alexnet.experiments.finished import Finished, this_environment
from alexnet.experiments.trial import GUESSING, HELD_OUT, TEST, Outcome, Trial, epochs_to, run_trial

SEARCH_SEED = 100
RATE_FACTOR = 10**0.5
FARTHEST = 4  # steps from the first rate, while nothing has been learned at any

Score = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What answers a claim: by how much an arm does better than another.

    Attributes:
        better: the arm that does better if the claim is right.
        worse: the arm that it is compared with.
        measure: "error", "loss", "train_error" or "train_loss"; or "gap", error less training error.
    """

    better: str
    worse: str
    measure: str = "error"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is compared, at which scale, and the claims that it answers.

    Attributes:
        name: under which ``alexnet experiment`` runs it.
        description: one sentence.
        arms: by name, in the order in which they are run.
        num_train: training images.
        seeds: of the trials at the best rate, at least.
        answers: by the claim's id.
        windows: measurements of the training error in an epoch.
        stop_error: of a race to this training error, see `alexnet.experiments.trial.Trial`.
    """

    name: str
    description: str
    arms: Mapping[str, Arm]
    num_train: int
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    answers: Mapping[str, Comparison] = field(default_factory=dict)
    windows: int = 1
    stop_error: float | None = None

    def trial(self, arm: str, *, rate: float, seed: int, split: str) -> Trial:
        """Return a trial of an arm at this experiment's scale."""
        return Trial(
            arm=arm,
            of=self.arms[arm],
            rate=rate,
            seed=seed,
            num_train=self.num_train,
            split=split,
            windows=self.windows,
            stop_error=self.stop_error,
        )

    def score(self, outcome: Outcome) -> Score:
        """Return what the search for the rate makes small: the outcome by the measure of the results.

        A training that has learned nothing scores infinity, as differences among those are chance.
        """
        if self.stop_error is None:
            error = outcome.error if outcome.error < GUESSING else math.inf
            return error, outcome.loss
        end = statistics.fmean(outcome.errors[-self.windows :])
        epochs = epochs_to(outcome.errors, self.stop_error, windows=self.windows)
        return epochs, end if end < GUESSING else math.inf


# The search for the rate


def search_trial(experiment: Experiment, arm: str, k: int, found: Mapping[int, Score]) -> Trial:
    """Return the trial at the k-th rate above the one where the arm's search starts.

    A race is judged by the images that it trains on, and given up where it can no longer be the fastest.

    Args:
        experiment: of the arm.
        arm: its name.
        k: the place of the rate.
        found: the scores at other places.
    """
    split = HELD_OUT if experiment.stop_error is None else TEST
    rate = rate_at(experiment.arms[arm].learning.rate, k)
    trial = experiment.trial(arm, rate=rate, seed=SEARCH_SEED, split=split)
    fastest = min((score[0] for score in found.values()), default=math.inf)
    if experiment.stop_error is None or fastest == math.inf:
        return trial
    learning = replace(trial.of.learning, epochs=min(trial.epochs, math.ceil(fastest + 0.5)))
    return replace(trial, of=replace(trial.of, learning=learning))


def searched(experiment: Experiment, arm: str, finished: Finished) -> dict[int, Score]:
    """Return the score at every rate that has been tried, by its place above the first one.

    Starting at 0 only places are looked at that the search asks for, so that the answer depends on the
    finished trials and not on their order.
    """
    found: dict[int, Score] = {}
    while True:
        new = {}
        for k in wanted(found):
            outcome = finished.find(search_trial(experiment, arm, k, found))
            if outcome is not None:
                new[k] = experiment.score(outcome)
        if not new:
            return found
        found |= new


def wanted(found: Mapping[int, Score]) -> list[int]:
    """Return the places of the rates that a search needs next; none if the best has both its neighbours.

    The end of what was tried is never a result: the search goes on beyond it. Where nothing was learned
    at any rate, both ends are extended, as the rates can be too small or too large.
    """
    if not found:
        return [0]
    best = best_place(found)
    if not math.isfinite(found[best][0]) and not math.isfinite(found[best][1]):
        ends = (min(found) - 1, max(found) + 1)
        return [k for k in ends if abs(k) <= FARTHEST]
    return [k for k in (best - 1, best + 1) if k not in found]


def best_place(found: Mapping[int, Score]) -> int:
    """Return the place of the best rate; of equals the one nearer to where the search began."""
    return min(found, key=lambda k: (found[k], abs(k)))


def rate_at(first_rate: float, k: int) -> float:
    """Return the k-th rate above the first on the grid of powers of sqrt(10), to three digits."""
    first_power = round(math.log(first_rate, RATE_FACTOR))
    return float(f"{RATE_FACTOR ** (first_power + k):.3g}")


# What is to be done


def pending(
    experiment: Experiment, finished: Finished, seeds: Sequence[int], arms: Iterable[str] = ()
) -> list[Trial]:
    """Return the trials that can be run now, the first ones first.

    Args:
        experiment: what is measured.
        finished: its finished trials.
        seeds: to be run at every arm's best rate.
        arms: those that are asked for; none: all.
    """
    todo = []
    for arm in arms or experiment.arms:
        found = searched(experiment, arm, finished)
        places = wanted(found)
        if places:
            todo += [search_trial(experiment, arm, k, found) for k in places]
            continue
        rate = rate_at(experiment.arms[arm].learning.rate, best_place(found))
        trials = [experiment.trial(arm, rate=rate, seed=seed, split=TEST) for seed in seeds]
        todo += [trial for trial in trials if finished.find(trial) is None]
    return todo


def results(experiment: Experiment, finished: Finished, seeds: Sequence[int]) -> dict[str, Any]:
    """Return what the finished trials show of each arm that has any at its best rate.

    Returns:
        for each arm: "search": [[rate, score or None], ...] by rising rates; "settled": whether the best
        rate has both neighbours; "rate": the best; "runs": for every seed its "seed" and the fields of
        `Outcome`.
    """
    found = {}
    for arm, entry in experiment.arms.items():
        scores = searched(experiment, arm, finished)
        if not scores:
            continue
        rate = rate_at(entry.learning.rate, best_place(scores))
        outcomes = {
            seed: finished.find(experiment.trial(arm, rate=rate, seed=seed, split=TEST)) for seed in seeds
        }
        found[arm] = {
            "search": [[rate_at(entry.learning.rate, k), scores[k]] for k in sorted(scores)],
            "settled": not wanted(scores),
            "rate": rate,
            "runs": {seed: outcome for seed, outcome in outcomes.items() if outcome is not None},
        }
    return found


# Execution


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How trials are run.

    Attributes:
        device: of the networks.
        jobs: trials at a time, each a process with one thread; on one GPU they share it.
        budget: seconds after which no trial is begun, and none that would end later by what is known of its
            arm; None: no limit.
    """

    device: str = "cpu"
    jobs: int = 1
    budget: float | None = None


def execute(
    next_trials: Callable[[], list[Trial]],
    finished: Finished,
    dataset: data.ImageSet,
    how: Execution,
    on_finished: Callable[[Trial, Outcome, int], None],
) -> bool:
    """Run trials until there are none left or the budget is used up.

    Args:
        next_trials: returns those that can be run now; asked again after each.
        finished: gets every finished trial.
        dataset: of the images.
        how: they are run.
        on_finished: called with a trial, its outcome and how many are left that can be run now.
    Returns:
        whether none is left.
    """
    end = math.inf if how.budget is None else time.monotonic() + how.budget
    running: dict[Future, Trial] = {}
    with workers(how, dataset) as submit:
        while True:
            todo = [trial for trial in next_trials() if trial not in running.values()]
            for trial in todo:
                if len(running) < how.jobs and fits(trial, finished, end):
                    running[submit(trial)] = trial
            if not running:
                return not todo
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                outcome, environment = future.result()
                finished.add(trial, outcome, environment)
                on_finished(trial, outcome, len(todo))


def fits(trial: Trial, finished: Finished, end: float) -> bool:
    """Whether a trial would end in time, by the seconds an epoch of the slowest trial so far took."""
    left = end - time.monotonic()
    if left == math.inf:
        return True
    here = [
        line["outcome"]["seconds"] / (line["outcome"]["epochs"] * line["num_train"])
        for line in finished.lines
        if line["arm"] == trial.arm and line["outcome"]["epochs"]
    ]
    return left > (max(here) * trial.epochs * trial.num_train if here else 0)


@contextlib.contextmanager
def workers(how: Execution, dataset: data.ImageSet) -> Generator[Callable[[Trial], Future]]:
    """Give the function that runs a trial, here or in one of several processes, and returns its future.

    The processes end with the context, in the midst of their trials where it is left by an error.
    """
    prepare_process()
    if how.jobs == 1:
        yield lambda trial: done(run_on(dataset, trial, how.device))
        return
    others = set(active_children())
    executor = ProcessPoolExecutor(
        how.jobs, mp_context=get_context("spawn"), initializer=begin_worker, initargs=(dataset,)
    )
    try:
        yield lambda trial: executor.submit(run_in_worker, trial, how.device)
    except BaseException:
        for child in set(active_children()) - others:
            child.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def done(value: Any) -> Future:
    """Return a future that has its value."""
    future: Future = Future()
    future.set_result(value)
    return future


def prepare_process() -> None:
    """Settle how this process computes: one thread, so that sums have one order wherever a trial runs."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # processors are slow with the smallest of numbers
    keep_buffers()


WORKER: dict[str, data.ImageSet] = {}


def begin_worker(dataset: data.ImageSet) -> None:
    """Keep the images in a new process."""
    prepare_process()
    WORKER["dataset"] = dataset


def run_in_worker(trial: Trial, device: str) -> tuple[Outcome, dict[str, Any]]:
    """Run a trial on the images that the process keeps."""
    return run_on(WORKER["dataset"], trial, device)


def run_on(dataset: data.ImageSet, trial: Trial, device: str) -> tuple[Outcome, dict[str, Any]]:
    """Run a trial, and say on which machine."""
    train = dataset.train_images, dataset.train_labels
    test = dataset.test_images, dataset.test_labels
    return run_trial(trial, train, test, device=device)[0], this_environment(device)

"""Timing of functions against each other, such that what else a machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

try:
    import resource
except ImportError:  # Windows has it not
    resource = None


class Rounds(NamedTuple):
    """What the calls of a function took, in the order of the rounds.

    Attributes:
        wall: seconds that passed.
        cpu: seconds of processors, all threads and ended child processes together.
    """

    wall: list[float]
    cpu: list[float]


def interleaved(functions: Mapping[str, Callable[[], Any]], *, repeats: int) -> dict[str, Rounds]:
    """Call the functions in turn, over and over, after one call each that does not count.

    Args:
        functions: by name; each is called without arguments and its result is dropped.
        repeats: rounds that count, at least 1.
    Returns:
        for each name what its calls took, with the work that they leave to a GPU.
    Raises:
        ValueError: repeats is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    taken = {name: Rounds([], []) for name in functions}
    for count in range(repeats + 1):
        for name, function in functions.items():
            finish_gpu_work()
            start, busy = time.perf_counter(), processor_time()
            function()
            finish_gpu_work()
            if count:
                taken[name].wall.append(time.perf_counter() - start)
                taken[name].cpu.append(processor_time() - busy)
    return taken


def processor_time() -> float:
    """Return the seconds that this process and its ended children have used of processors."""
    if resource is None:
        return time.process_time()
    usages = [resource.getrusage(which) for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def finish_gpu_work() -> None:
    """Wait until the GPU, where there is one, has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def summary(seconds: list[float]) -> dict[str, float]:
    """Return the median, the quartiles and the extremes of times in seconds."""
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive") if seconds[1:] else seconds * 3
    return {"median": median, "quartile_1": low, "quartile_3": high, "min": min(seconds), "max": max(seconds)}


def ratios(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Return the summary of how many times as long `slow` took as `fast`, round by round."""
    return summary([a / b for a, b in zip(slow, fast, strict=True)])


def compared(taken: Rounds, reference: Rounds) -> dict[str, dict[str, float]]:
    """Return the summaries of what calls took and of how many times as fast they are as a reference."""
    return {
        "seconds": summary(taken.wall),
        "times_as_fast": ratios(reference.wall, taken.wall),
        "cpu_seconds": summary(taken.cpu),
        "times_as_fast_by_cpu": ratios(reference.cpu, taken.cpu),
    }

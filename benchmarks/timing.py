"""Timing of functions against each other, such that what else a machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def interleaved(functions: Mapping[str, Callable[[], Any]], *, repeats: int) -> dict[str, list[float]]:
    """Call the functions in turn, over and over, after one call each that does not count.

    Args:
        functions: by name; each is called without arguments and its result is dropped.
        repeats: rounds that count, at least 1.
    Returns:
        for each name the wall time of its calls in seconds, in the order of the rounds, with the work that
        they leave to a GPU.
    Raises:
        ValueError: repeats is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    seconds = {name: [] for name in functions}
    for count in range(repeats + 1):
        for name, function in functions.items():
            finish_gpu_work()
            start = time.perf_counter()
            function()
            finish_gpu_work()
            if count:
                seconds[name].append(time.perf_counter() - start)
    return seconds


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

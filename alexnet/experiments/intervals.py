"""How a measured claim is judged: a mean over seeds, its 95% interval, and a verdict computed from it.

Two variants of a network meet in pairs, one pair a seed. Their differences are taken for draws from a normal
distribution, so the interval of their mean is Student's.
"""

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from scipy import special  # scipy.stats, which has Student's distribution by name, takes a second to import

Key = TypeVar("Key", bound=Hashable)

CONFIDENCE = 0.95
SURE = 15.0  # standard errors beyond the critical value
SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"


@dataclass(frozen=True)
class Interval:
    """A mean with the interval that contains the true one in 95 of 100 repetitions of the whole measurement.

    Attributes:
        mean: of the values; NaN where there are none.
        low: the interval's lower end, minus infinity for fewer than two values.
        high: its upper end, infinity for fewer than two values.
        num_values: over how many, such as seeds, the mean is taken.
    """

    mean: float
    low: float
    high: float
    num_values: int

    def contains(self, value: float) -> bool:
        """Whether the measurement is in keeping with a value, such as the paper's figure."""
        return self.low <= value <= self.high

    def in_points(self) -> str:
        """The interval of a fraction in percentage points, for people: ``+1.2 [-0.3, +2.7]``."""
        mean, low, high = (f"{100 * value:+.1f}" for value in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of values, one a seed or for paired seeds the differences, with its interval."""
    count = len(values)
    if count < 2:
        return Interval(values[0] if values else math.nan, -math.inf, math.inf, count)
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    width = special.stdtrit(count - 1, (1 + CONFIDENCE) / 2).item() * deviation / math.sqrt(count)
    return Interval(mean, mean - width, mean + width, count)


def fraction_p_value(count: int, of: int) -> float:
    """Return the two-sided p-value of a count, were the fraction a half: the exact sign test."""
    return min(1.0, 2 * special.bdtr(min(count, of - count), of, 0.5).item())


def gains(results: Mapping[str, Any], variant: str, over: str, measure: str = "test_error") -> list[float]:
    """Return by how much a variant lowers a measure, seed by seed; negative where it raises it.

    Args:
        results: for each variant its "runs", each with its "seed" and the measure.
        variant: what is compared, by the seeds that both have.
        over: what it is compared with.
        measure: an error rate as a fraction, or a loss in nats.
    """
    found = {name: {run["seed"]: run[measure] for run in results[name]["runs"]} for name in (variant, over)}
    return [found[over][seed] - value for seed, value in found[variant].items() if seed in found[over]]


def over_seeds_and_images(gains: Sequence[Mapping[str, float]]) -> Interval:
    """Return the mean over networks of effects measured on the same images, with its interval.

    All networks share the test images, so their mean does not average out the luck of that choice. The
    half-widths, over seeds and over images, are added as squares; that over images is the mean of the
    networks' own, as if it were the same luck for all. The interval is rather too wide than too narrow.

    Args:
        gains: for each network "mean", "low" and "high", the effect with its interval over images.
    """
    found = mean_interval([each["mean"] for each in gains])
    over_images = statistics.fmean((each["high"] - each["low"]) / 2 for each in gains)
    width = math.hypot(found.high - found.mean, over_images)
    return Interval(found.mean, found.mean - width, found.mean + width, found.num_values)


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Return the geometric mean of paired ratios with its interval, which is that of the mean logarithm.

    Args:
        numerators: one a seed, positive.
        denominators: for the same seeds in the same order, positive.
    Raises:
        ValueError: they differ in number.
    """
    logs = [math.log(a / b) for a, b in zip(numerators, denominators, strict=True)]
    found = mean_interval(logs)
    return Interval(math.exp(found.mean), math.exp(found.low), math.exp(found.high), found.num_values)


def fraction_interval(successes: int, trials: int) -> Interval:
    """Return a fraction of so many trials with its exact 95% interval (Clopper & Pearson, 1934)."""
    tail, failures = (1 - CONFIDENCE) / 2, trials - successes
    low = special.betaincinv(successes, failures + 1, tail).item() if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail).item() if failures else 1.0
    return Interval(mean=successes / trials, low=low, high=high, num_values=trials)


def p_value(values: Sequence[float]) -> float:
    """Return how often a mean this far from 0 comes by chance alone, on either side; 1 for fewer than two."""
    if len(values) < 2:
        return 1.0
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    if deviation == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * special.stdtr(len(values) - 1, -abs(mean) / deviation * math.sqrt(len(values))).item()


def student_p(interval: Interval, nothing: float = 0.0) -> float:
    """Return the p-value of a mean by its interval, taken for Student's; 1 for fewer than two values."""
    width, apart = (interval.high - interval.low) / 2, abs(interval.mean - nothing)
    if interval.num_values < 2 or not math.isfinite(width):
        return 1.0
    if width == 0:
        return 1.0 if apart == 0 else 0.0
    degrees = interval.num_values - 1
    critical = special.stdtrit(degrees, (1 + CONFIDENCE) / 2).item()
    return 2 * special.stdtr(degrees, -apart / width * critical).item()


def chance_of_decision(values: Sequence[float], num_values: int, level: float) -> float:
    """Return the chance that a mean differs from 0 by its p-value, if these values are a fair sample.

    All of them are taken for drawn anew, and that the mean differs on the other side is left out.

    Args:
        values: two or more.
        num_values: that there will be, five or more.
        level: that the p-value must be below.
    """
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    if deviation == 0:
        return float(mean != 0)
    critical = special.stdtrit(num_values - 1, 1 - level / 2).item()
    shift = abs(mean) / deviation * math.sqrt(num_values)
    if shift > critical + SURE:  # where scipy's function gives NaN for some
        return 1.0
    return 1 - special.nctdtr(num_values - 1, shift, critical).item()


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Correct the p-values of comparisons that are made together, by Holm's method.

    Among many comparisons some look decided by luck. With the corrected values, the chance that any of those
    below 0.05 is luck is at most 0.05.
    """
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def verdict(
    interval: Interval, *, nothing: float = 0.0, corrected_p: float = 0.0, level: float = 1 - CONFIDENCE
) -> str:
    """Return what an interval says of the claim that the true mean is larger than nothing.

    Args:
        interval: of the effect, with the sign that the claim gives it.
        nothing: the value of no effect: 0 for a difference, 1 for a ratio.
        corrected_p: of `holm`, where the comparison is one of several.
        level: that the corrected p-value must be below.
    """
    if corrected_p >= level or interval.contains(nothing) or math.isnan(interval.mean):
        return INCONCLUSIVE
    return SUPPORTED if interval.low > nothing else CONTRADICTED

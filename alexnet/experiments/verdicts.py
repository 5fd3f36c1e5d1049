"""What several seeds of two variants show against each other, and no more."""

from typing import Any

from alexnet.experiments.intervals import INCONCLUSIVE, mean_interval


def gains(results: dict[str, Any], variant: str, over: str, measure: str = "test_error") -> list[float]:
    """Return by how much a variant lowers a measure, seed by seed; negative where it raises it.

    Args:
        results: for each variant its "runs", each with its "seed" and the measure.
        variant: what is compared, by the seeds that both have.
        over: what it is compared with.
        measure: an error rate as a fraction, or a loss in nats.
    """
    found = {name: {run["seed"]: run[measure] for run in results[name]["runs"]} for name in (variant, over)}
    return [found[over][seed] - value for seed, value in found[variant].items() if seed in found[over]]


def verdict(found: list[float], *, nats: bool = False) -> str:
    """Describe gains over several seeds: their mean with its 95% interval.

    Args:
        found: gains in an error rate as a fraction, shown in percentage points, or in a loss.
        nats: they are gains in a loss.
    """
    interval = mean_interval(found)
    if interval.num_values < 2:
        return f"{INCONCLUSIVE}: fewer than two seeds"
    turned = interval if interval.mean >= 0 else mean_interval([-gain for gain in found])
    unit = "nats" if nats else "points"
    mean, low, high = (
        f"{end:+.3f}" if nats else f"{100 * end:+.1f}" for end in (turned.mean, turned.low, turned.high)
    )
    shown = f"{'lower' if interval.mean >= 0 else 'higher'} by {mean[1:]} {unit} [{low}, {high}]"
    return f"{INCONCLUSIVE}: {shown}" if interval.contains(0) else shown

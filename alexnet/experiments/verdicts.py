"""What several seeds of two variants show against each other, and no more."""

from typing import Any


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


def verdict(found: list[float]) -> str:
    """Say in words what gains in an error rate show over several seeds."""
    if len(found) < 2:
        return "undecided: fewer than two seeds"
    low, high = 100 * min(found), 100 * max(found)
    if low > 0:
        return f"lower in each of {len(found)} seeds, by {low:.1f} to {high:.1f} points"
    if high < 0:
        return f"higher in each of {len(found)} seeds, by {-high:.1f} to {-low:.1f} points"
    lower = sum(gain > 0 for gain in found)
    span = f"from {abs(low):.1f} points higher to {high:.1f} lower"
    return f"undecided: lower in {lower} of {len(found)} seeds, {span}"

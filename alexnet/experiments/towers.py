"""Whether one tower of conv1 specialises in colour, over several training runs (paper 6.1)."""

from alexnet.evaluation.kernels import Gap, colourfulness, gratings, tower_gap
from alexnet.experiments.intervals import CONFIDENCE, Interval, fraction_interval, mean_interval
from alexnet.storage import shipped

STRIPED = 0.5  # the selectivity above which a kernel counts as one for stripes


def colour_gaps(name: str) -> dict[int, Gap]:
    """Return how far the towers' mean colourfulness lies apart at the end of each training.

    Args:
        name: of a network that ships.
    Returns:
        seed: the gap, beside that of the same kernels in halves dealt at random.
    """
    trained = shipped.kernels(name)
    return {seed: tower_gap(colourfulness(epochs[max(epochs)])) for seed, epochs in trained.items()}


def specialising(gaps: dict[int, Gap]) -> Interval:
    """Return the fraction of runs whose towers differ more than 95% of random halves do."""
    return fraction_interval(sum(gap.chance < 1 - CONFIDENCE for gap in gaps.values()), len(gaps))


def count_striped(name: str, *, first: bool) -> list[int]:
    """Return for every training how many kernels of conv1 respond to stripes.

    Args:
        name: of a network that ships.
        first: after one epoch, in the trainings whose kernels were kept then; else at the end.
    """
    trained = shipped.kernels(name).values()
    kept = [epochs.get(1) if first else epochs[max(epochs)] for epochs in trained]
    return [int((gratings(kernels).selectivity > STRIPED).sum()) for kernels in kept if kernels is not None]


def beyond_chance(gaps: dict[int, Gap]) -> Interval:
    """Return by how much towers differ more than random halves do, over seeds.

    The effect of a seed is its gap less the mean gap of random halves, which is the control: towers that
    do not specialise have an effect of 0 on average.
    """
    return mean_interval([gap.size - gap.dealt for gap in gaps.values()])

"""Whether one tower of conv1 specialises in colour, over several training runs (paper 6.1)."""

from alexnet.evaluation.kernels import Gap, colourfulness, tower_gap
from alexnet.experiments.intervals import Interval, mean_interval
from alexnet.storage import shipped


def colour_gaps(name: str) -> dict[int, Gap]:
    """Return how far the towers' mean colourfulness lies apart at the end of each training.

    Args:
        name: of a network that ships.
    Returns:
        seed: the gap, beside that of the same kernels in halves dealt at random.
    """
    trained = shipped.kernels(name)
    return {seed: tower_gap(colourfulness(epochs[max(epochs)])) for seed, epochs in trained.items()}


def beyond_chance(gaps: dict[int, Gap]) -> Interval:
    """Return by how much towers differ more than random halves do, over seeds.

    The effect of a seed is its gap less the mean gap of random halves, which is the control: towers that
    do not specialise have an effect of 0 on average.
    """
    return mean_interval([gap.size - gap.dealt for gap in gaps.values()])

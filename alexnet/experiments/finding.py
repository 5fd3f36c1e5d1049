"""The finding on a claim: a verdict with its basis."""

from dataclasses import dataclass
from typing import NamedTuple

from alexnet.experiments.intervals import CONTRADICTED, INCONCLUSIVE, SUPPORTED

EXACT, LOGS, ILSVRC = "exact", "from the authors' logs", "needs ILSVRC"
VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, EXACT, LOGS, ILSVRC)


class Source(NamedTuple):
    """Where others have published a number: the name of the place, and its address."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The finding on a claim.

    Attributes:
        ours: the own figure, with its interval where there is one; empty where there is none.
        verdict: one of ``VERDICTS``.
        basis: what it rests on: the computation, or data, seeds and scale, or the source.
        lacking: why it is not settled; empty where it is.
        command: that repeats or extends the measurement, or computes it again.
        sources: of the numbers that others have noted or published.
        arms: what an experiment compares: each arm's name and what it is.
    """

    ours: str
    verdict: str
    basis: str
    lacking: str = ""
    command: str = ""
    sources: tuple[Source, ...] = ()
    arms: tuple[str, ...] = ()

"""The finding on a claim: a verdict with its basis."""

from dataclasses import dataclass

from alexnet.experiments.intervals import CONTRADICTED, INCONCLUSIVE, SUPPORTED

EXACT, LOGS, ILSVRC = "exact", "from the authors' logs", "needs ILSVRC"
VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, EXACT, LOGS, ILSVRC)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The finding on a claim.

    Attributes:
        ours: the own figure, with its interval where there is one; empty where there is none.
        verdict: one of ``VERDICTS``.
        basis: what it rests on: the computation, or data, seeds and scale, or the source.
        lacking: why it is not settled; empty where it is.
        command: that repeats or extends the measurement, or computes it again.
    """

    ours: str
    verdict: str
    basis: str
    lacking: str = ""
    command: str = ""

"""Does dropout about double the number of iterations required to converge (paper 4.2)?

The learning rates of a training fall over the epochs that it is given. So the question is how many epochs the
network with dropout has to be given until it ends where the one without ends. The protocol: the base of the
experiment "parts", which ends close to fitting its training images, and the same network with dropout for 1.5
and for 2.5 times its epochs, the ends of the factors that round to 2. The learning rate is divided by ten at
the same fractions of each training, and every arm starts from the one that is best by its training error.

After 30 epochs the base has not converged: longer training lowers its training error further. So the same
three networks are compared once more with twice the epochs each (*long-*). The claim is supported if at both
lengths 1.5 times the epochs leave the network with dropout a higher training error than the base, and 2.5
times a lower one.
"""

from alexnet import paper
from alexnet.experiments.arms import Arm
from alexnet.experiments.experiment import Comparison, Experiment
from alexnet.experiments.parts import make_arm

ENDS = (1.5, 2.5)  # of the factors that round to the paper's 2


TWICE = 2  # as many epochs in the second comparison


def make_arms(prefix: str, length: float) -> dict[str, Arm]:
    """Return the network without dropout, and with it for more epochs.

    Args:
        prefix: of the arms' names.
        length: the epochs without dropout as a multiple of the base's.
    """
    dropout = {"dropout": paper.DROPOUT_PROBABILITY}
    return {f"{prefix}without": make_arm("no dropout", times=length)} | {
        f"{prefix}with-{times:g}": make_arm(
            f"dropout, {times:g} times the epochs", net=dropout, times=length * times
        )
        for times in ENDS
    }


def compare(prefix: str) -> tuple[Comparison, Comparison]:
    """Compare both ends of the factor with the network without dropout."""
    without, (few, many) = f"{prefix}without", (f"{prefix}with-{times:g}" for times in ENDS)
    return (
        Comparison(better=without, worse=few, measure="train_error"),
        Comparison(better=many, worse=without, measure="train_error"),
    )


EXPERIMENT = Experiment(
    name="dropout-convergence",
    description="training error on CIFAR-10 with dropout and 1.5 or 2.5 times the epochs (paper 4.2)",
    network="a thin AlexNet with initial weights scaled by fan-in",
    arms=make_arms("", 1) | make_arms("long-", TWICE),
    num_train=10_000,
    answers={"dropout-iterations": (*compare(""), *compare("long-"))},
    fine=True,
    tuned_by="train_error",
)

"""Does dropout about double the number of iterations required to converge (paper 4.2)?

A training with falling learning rates converges within the epochs that it is given. So the question is how
many epochs the network with dropout has to be given until it ends where the one without ends. The protocol:
the base of the experiment "parts", which ends close to fitting its training images, and the same network with
dropout for 1.5 and for 2.5 times its epochs, the ends of the factors that round to 2. The learning rate is
divided by ten at the same fractions of each training, and every arm starts from the one that is best by its
training error. The claim is supported if 1.5 times the epochs leave the network with dropout a higher
training error than the base, and 2.5 times a lower one.
"""

from alexnet import paper
from alexnet.experiments.arms import Arm
from alexnet.experiments.experiment import Comparison, Experiment
from alexnet.experiments.parts import make_arm

ENDS = (1.5, 2.5)  # of the factors that round to the paper's 2


def make_dropped(times: float) -> Arm:
    """Return the network with dropout, with so many times the epochs of the base."""
    about = f"dropout, {times:g} times the epochs"
    return make_arm(about, net={"dropout": paper.DROPOUT_PROBABILITY}, times=times)


EXPERIMENT = Experiment(
    name="dropout-convergence",
    description="training error on CIFAR-10 with dropout and 1.5 or 2.5 times the epochs (paper 4.2)",
    network="a thin AlexNet with initial weights scaled by fan-in",
    arms={"without": make_arm("no dropout")} | {f"with-{times:g}": make_dropped(times) for times in ENDS},
    num_train=10_000,
    answers={
        "dropout-iterations": (
            Comparison(better="without", worse=f"with-{ENDS[0]:g}", measure="train_error"),
            Comparison(better=f"with-{ENDS[1]:g}", worse="without", measure="train_error"),
        )
    },
    tuned_by="train_error",
)

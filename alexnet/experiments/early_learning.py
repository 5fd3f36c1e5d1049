"""Do biases of 1 accelerate the early stages of learning (paper 5)?

The protocol: the base of the experiment "parts" with the paper's biases, and with all biases at 0, for the
first tenth of its epochs, in which its learning rate is constant. The result is the mean training loss of
these epochs, and both arms have the learning rate that is best by it, found by a search of their own: one
that is best after the whole training need not be the fastest at its beginning.
"""

from dataclasses import replace

from alexnet.experiments import parts
from alexnet.experiments.arms import Arm
from alexnet.experiments.experiment import COURSE, Comparison, Experiment

EARLY = 0.1  # of the base's training


def make_beginner(name: str, about: str) -> Arm:
    """Return an arm of "parts" for the beginning of its training."""
    arm = parts.ARMS[name]
    epochs = EARLY * arm.learning.epochs
    return replace(arm, about=about, learning=replace(arm.learning, epochs=epochs), drops=())


EXPERIMENT = Experiment(
    name="early-learning",
    description="the first epochs of a small AlexNet on CIFAR-10, with biases of 1 and of 0 (paper 5)",
    network="a thin AlexNet with initial weights scaled by fan-in",
    arms={
        "biases-1": make_beginner("base", "biases of 1 where the paper has them"),
        "biases-0": make_beginner("biases-0", "all biases start at 0"),
    },
    num_train=10_000,
    answers={"init": (Comparison(better="biases-1", worse="biases-0", measure=COURSE),)},
    tuned_by=COURSE,
)

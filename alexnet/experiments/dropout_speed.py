"""How many times as many iterations does a network with dropout need (paper 4.2)?

The paper says that dropout roughly doubles the number of iterations required to converge. The protocol: the
network of the experiment "parts", which has no other measure against overfitting, with dropout and without; a
constant learning rate, for both their best, found by a search with the measure of the results. The result is
the number of epochs until the training error, counted without dropout and averaged over an epoch, has fallen
to 25%, the target of the paper's other race (figure 1).
"""

from dataclasses import replace

from alexnet import paper
from alexnet.experiments.arms import Arm
from alexnet.experiments.experiment import EPOCHS, Comparison, Experiment
from alexnet.experiments.parts import make_arm

MAX_EPOCHS = 120


def make_racer(about: str, dropout: float) -> Arm:
    """Return the network with dropout of this probability, at a constant learning rate."""
    return replace(make_arm(about, net={"dropout": dropout}, learning={"epochs": MAX_EPOCHS}), drops=())


EXPERIMENT = Experiment(
    name="dropout-speed",
    description="epochs to 25% training error on CIFAR-10 with dropout and without (paper 4.2)",
    network="a thin AlexNet with initial weights scaled by fan-in",
    arms={
        "without": make_racer("no dropout", 0.0),
        "with": make_racer("dropout", paper.DROPOUT_PROBABILITY),
    },
    num_train=10_000,
    answers={"dropout-iterations": (Comparison(better="without", worse="with", measure=EPOCHS),)},
    figures={"dropout-iterations": 2.0},
    limits={
        "dropout-iterations": "a training to convergence, with learning rates that fall: at a training error "
        f"of {paper.RELU_TARGET_TRAINING_ERROR:.0%} neither network has converged"
    },
    fine=True,
    stop_error=paper.RELU_TARGET_TRAINING_ERROR,
)

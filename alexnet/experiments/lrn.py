"""The effect of local response normalisation (LRN) on the test error of a small network (paper 3.3).

The paper says that a four-layer network went from 13% to 11% test error on CIFAR-10. The authors' files of
that name differ in more than two layers of response normalisation, and train for some 500 epochs. Here the
same two layers go into the smaller `alexnet.models.cifar.four_layer_net`, and batch normalisation into the
same two positions. A constant factor in their place is the control: the paper's LRN divides small activations
by 2**0.75, which by itself changes the speed of learning.

Jarrett et al. (2009) normalise the local contrast behind the absolute tanh, and pool by averages; section 3.1
of the paper speaks of it. Their order stands here beside the same with tanh and with ReLU, and beside the
same without the normalisation.

The protocol: pixel values minus the mean image, and initial weights as in the files of 2012, so that
activations have the size for which the constants were made; batch normalisation, which undoes the scale of
its inputs, gets these and, as a further arm, those of He et al. The networks in Jarrett's order have images
of unit variance and initial weights scaled by fan-in, and are to be compared with one another alone.
Momentum, and no regularisation; the learning rate is divided by ten after two thirds and eight ninths of the
epochs.
"""

from alexnet.config import LearningConfig
from alexnet.experiments.arms import Arm, FourLayerConfig
from alexnet.experiments.experiment import Comparison, Experiment

EPOCHS, DROPS = 40, (2 / 3, 8 / 9)
#: Each LRN with its controls. With k = 1 the constants of the file leave small activations as they are.
COMPARED = (("lrn", "none"), ("lrn", "constant"), ("lrn-11pct", "none"))
ABOUT = {
    "none": "no normalisation",
    "constant": "division by 2^0.75 alone",
    "lrn": "response normalisation with the paper's constants",
    "lrn-11pct": "response normalisation with the constants of layers-conv-local-11pct",
    "batch": "batch normalisation",
}


def make_arm(kind: str, about: str, *, weights: str = "2012", rate: float = 0.00316) -> Arm:
    """Return the arm of a kind of normalisation."""
    return Arm(
        about=about,
        net=FourLayerConfig(initialisation=weights, normalisation=kind),
        learning=LearningConfig(weight_decay=0.0, rate=rate, schedule="constant", epochs=EPOCHS),
        drops=DROPS,
    )


def contrast_arm(unit: str, *, normalisation: str = "contrast") -> Arm:
    """Return the arm of an activation function in the order of Jarrett et al. (2009), or without its norm."""
    named = "contrast normalisation" if normalisation == "contrast" else "no normalisation"
    return Arm(
        about=f"{unit}, {named}, average pooling",
        net=FourLayerConfig(unit=unit, normalisation=normalisation, first_pool="average"),
        learning=LearningConfig(weight_decay=0.0, rate=0.01, schedule="constant", epochs=EPOCHS),
        unit_variance=True,
        drops=DROPS,
    )


EXPERIMENT = Experiment(
    name="four-layer-lrn",
    description="test error on CIFAR-10 with and without LRN, and with batch normalisation (paper 3.3)",
    network="a network of four layers",
    arms={kind: make_arm(kind, about) for kind, about in ABOUT.items()}
    | {
        "batch-he": make_arm(
            "batch", "batch normalisation, weights of He et al.", weights="equal", rate=0.0316
        )
    }
    | {f"contrast/{unit}": contrast_arm(unit) for unit in ("abs_tanh", "tanh", "relu")}
    | {"average/abs_tanh": contrast_arm("abs_tanh", normalisation="none")},
    num_train=10_000,
    answers={
        "lrn-cifar": tuple(
            Comparison(better=lrn, worse=other, control=other == "constant") for lrn, other in COMPARED
        )
    },
    figures={"lrn-cifar": 0.02},
    limits={"lrn-cifar": "the authors' networks and 40,000 training images, as in the experiment conv-local"},
)

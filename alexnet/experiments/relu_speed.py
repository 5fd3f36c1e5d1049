"""How much faster does a four-layer network learn with ReLU than with tanh (paper 3.1, figure 1)?

The protocol: all training images of CIFAR-10, no regularisation of any kind, stochastic gradient descent with
momentum 0.9 and batches of 128, and for every arm its best learning rate, found by a search of its own with
the measure of the results, which ends on a grid of factors of 10^(1/4). The result is the number of epochs
until the training error, counted while training and averaged over an epoch, has fallen to 25%, the paper's
target.

The paper does not say which network, initial weights or input scale it used. The arms are both activation
functions in each setup: initial weights of the 2012 files or by fan-in, times inputs in pixel values or of
unit variance (four cells); the weights of 2012 on pixel values with a smaller learning rate for conv1, which
undoes the scale of its inputs; equal initial weights for both functions; and a dense layer more. Three
further functions learn in the setup "scaled".
"""

from alexnet import paper
from alexnet.config import LearningConfig
from alexnet.experiments.arms import Arm, FourLayerConfig
from alexnet.experiments.experiment import Comparison, Experiment

WINDOWS = 4
MAX_EPOCHS = 60
#: How many times "several" are at least. It was chosen when the factors of the setups 2012 and scaled, and of
#: four-hidden over three seeds, were known, so two further setups are judged by it.
SEVERAL = 2.0
GREY_VARIANCE = 64.0**2  # about that of CIFAR-10's pixel values minus their mean image
UNITS = {
    "relu": "ReLU",
    "tanh": "tanh",
    "scaled_tanh": "1.7159 tanh(2x/3)",
    "abs_tanh": "|tanh|",
    "sigmoid": "sigmoid",
}

#: Choices that the paper leaves open: initial weights, unit variance, factor of conv1's learning rate, dense
#: units.
SETUPS: dict[str, tuple[str, bool, float, int]] = {
    "scaled": ("scaled", True, 1.0, 0),
    "2012": ("2012", False, 1.0, 0),
    "2012-unit": ("2012", True, 1.0, 0),
    "scaled-grey": ("scaled", False, 1.0, 0),
    "2012-conv1": ("2012", False, 1 / GREY_VARIANCE, 0),
    "equal": ("equal", True, 1.0, 0),
    "four-hidden": ("scaled", True, 1.0, 64),
}
WEIGHTS = {
    "scaled": "initial weights by fan-in",
    "2012": "initial weights of the files of 2012",
    "equal": "the same initial weights for both functions",
}
# Where the search for the learning rate begins.
FIRST_RATES = {
    "scaled": {"relu": 0.01, "tanh": 0.0316, "scaled_tanh": 0.0316, "abs_tanh": 0.00316, "sigmoid": 0.0316},
    "2012": {"relu": 0.00316, "tanh": 0.01},
    "2012-unit": {"relu": 0.0316, "tanh": 0.0316},
    "scaled-grey": {"relu": 0.0000316, "tanh": 0.01},
    "2012-conv1": {"relu": 0.01, "tanh": 0.0316},
    "equal": {"relu": 0.01, "tanh": 0.0316},
    "four-hidden": {"relu": 0.01, "tanh": 0.0316},
}


def describe_arm(setup: str, unit: str) -> str:
    """Say what an arm of a setup is."""
    weights, unit_variance, conv1_rate_factor, dense = SETUPS[setup]
    said = (
        f"{UNITS[unit]}, {WEIGHTS[weights]}, {'images of unit variance' if unit_variance else 'pixel values'}"
    )
    said += ", a smaller learning rate for conv1" if conv1_rate_factor != 1 else ""
    return said + (", a further dense layer" if dense else "")


def make_arm(setup: str, unit: str) -> Arm:
    """Return the arm of an activation function in a setup."""
    weights, unit_variance, conv1_rate_factor, dense = SETUPS[setup]
    return Arm(
        about=describe_arm(setup, unit),
        net=FourLayerConfig(unit=unit, initialisation=weights, dense=dense),
        learning=LearningConfig(
            weight_decay=0.0, rate=FIRST_RATES[setup][unit], schedule="constant", epochs=MAX_EPOCHS
        ),
        unit_variance=unit_variance,
        conv1_rate_factor=conv1_rate_factor,
    )


EXPERIMENT = Experiment(
    name="relu-speed",
    description="epochs to 25% training error on CIFAR-10 for ReLU, tanh and others (paper 3.1, figure 1)",
    network="a network of four layers",
    arms={f"{setup}/{unit}": make_arm(setup, unit) for setup, units in FIRST_RATES.items() for unit in units},
    num_train=50_000,
    answers={
        "relu-speed": tuple(
            Comparison(better=f"{setup}/relu", worse=f"{setup}/tanh", measure="epochs")
            for setup in ("2012", "scaled")
        ),
        "relu-several": tuple(
            Comparison(better=f"{setup}/relu", worse=f"{setup}/tanh", measure="epochs", factor=SEVERAL)
            for setup in ("2012-unit", "2012-conv1")
        ),
    },
    figures={"relu-speed": paper.RELU_SPEEDUP},
    windows=WINDOWS,
    fine=True,
    stop_error=paper.RELU_TARGET_TRAINING_ERROR,
)

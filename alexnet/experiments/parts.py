"""Ablations: the error of a small AlexNet without one of its parts at a time (paper 3.2 to 5 and 7).

The paper judges its parts on ImageNet, one training each. Here a small network of the same build learns
images of CIFAR-10 several times without one part at a time, every arm at a learning rate of its own.

The base is the recipe of the paper with a thin network: crops of 28 of 32 pixels; feature maps of 28, 14, 7
and 3 pixels, the same with pools of 2x2 (rounded down) as of 3x3; nine tenths of the weights in the dense
layers, as in the paper; initial weights that keep the paper's ratio of signals, see
`NetConfig.std_by_fan_in`. It differs from the text in the size of the PCA colour augmentation, which is that
of the 2012 code (``D8`` in DEVIATIONS.md). The learning rate is divided by ten after two thirds and eight
ninths of the epochs.
"""

from dataclasses import replace
from typing import Any

from alexnet.config import AugmentConfig
from alexnet.experiments.arms import Arm
from alexnet.experiments.experiment import EARLY, GAP, Comparison, Experiment
from alexnet.recipes import PAPER, VARIANTS, adapt_to_images, net_config

EPOCHS, DROPS = 60, (2 / 3, 8 / 9)
THIN: dict[str, Any] = {
    "conv_channels": (16, 32, 48, 48, 32),
    "dense_units": (512, 512),
    "input_size": 28,
    "num_classes": 10,
}
#: One tower that reads everything, with about as many weights as the two.
MERGED_CHANNELS = (16, 24, 34, 34, 32)


def make_arm(
    about: str,
    *,
    net: dict[str, Any] | None = None,
    learning: dict[str, Any] | None = None,
    augment: dict[str, Any] | None = None,
    augmented: bool = True,
    times: float = 1,
) -> Arm:
    """Return the base with changes.

    Args:
        about: what it is.
        net: fields of the network that differ.
        learning: fields of the learning that differ.
        augment: fields of the augmentation that differ.
        augmented: whether training images differ from the stored ones.
        times: the epochs as a multiple of the base's.
    """
    config = net_config("small", **(THIN | (net or {})))
    recipe = adapt_to_images(PAPER, config, image_size=32)
    base: dict[str, Any] = {"schedule": "constant", "epochs": EPOCHS * times, "rate": 0.0316}
    return Arm(
        about=about,
        net=config,
        learning=replace(recipe.learning, **(base | (learning or {}))),
        augment=make_augment(recipe.augment, augment or {}) if augmented else None,
        drops=DROPS,
    )


def make_augment(paper: AugmentConfig, changes: dict[str, Any]) -> AugmentConfig:
    """Return the paper's augmentation with the colour shifts of the 2012 code, and with changes."""
    fields: dict[str, Any] = {"colour_noise": "std"} | changes
    return replace(paper, **fields)


ARMS = {
    "base": make_arm("all parts"),
    "half": make_arm(
        "one tower with half the kernels in conv1 to conv4",
        net={"towers": 1, "conv_channels": (8, 16, 24, 24, 32)},
    ),
    "one-tower": make_arm(
        "one tower that reads everything, as many weights",
        net={"towers": 1, "conv_channels": MERGED_CHANNELS},
    ),
    "no-lrn": make_arm("no response normalisation", net=VARIANTS["no-lrn"]),
    "constant": make_arm("division by 2^0.75 in place of response normalisation", net={"lrn_alpha": 0.0}),
    "no-overlap": make_arm("pools of 2x2 pixels, not 3x3", net={"pool_size": 2, "rounding": "floor"}),
    "no-augmentation": make_arm("no crops, no horizontal flips, no PCA colour augmentation", augmented=False),
    "no-colour-noise": make_arm("crops and horizontal flips alone", augment={"colour_noise": "none"}),
    "no-dropout": make_arm("no dropout", net={"dropout": 0.0}),
    "no-weight-decay": make_arm("no weight decay", learning={"weight_decay": 0.0}),
    "more-weight-decay": make_arm("ten times the weight decay", learning={"weight_decay": 0.005}),
    "biases-0": make_arm("all biases start at 0", net={"bias_one": ()}),
    "without-conv3": make_arm("no conv3", net=VARIANTS["without-conv3"]),
    "without-conv4": make_arm("no conv4", net=VARIANTS["without-conv4"]),
    "without-conv5": make_arm("no conv5", net=VARIANTS["without-conv5"]),
    "without-fc7": make_arm("no fc7", net=VARIANTS["without-fc7"]),
    "long": make_arm("all parts, twice the epochs", times=2),
    "no-dropout-half": make_arm("no dropout, half the epochs", net={"dropout": 0.0}, times=0.5),
}


def compare_with_base(arm: str, measure: str = "error") -> Comparison:
    """Compare the base with an arm that lacks something."""
    return Comparison(better="base", worse=arm, measure=measure)


EXPERIMENT = Experiment(
    name="parts",
    description="a small AlexNet on CIFAR-10 without one of its parts at a time (paper 3.2 to 5, 7)",
    arms=ARMS,
    num_train=10_000,
    answers={
        "remove-layer": tuple(compare_with_base(f"without-conv{i}") for i in (3, 4, 5)),
        "two-gpu-accuracy": (compare_with_base("half"),),
        "lrn-accuracy": (compare_with_base("constant"), compare_with_base("no-lrn")),
        "pool-accuracy": (compare_with_base("no-overlap"),),
        "pool-overfit": (compare_with_base("no-overlap", GAP),),
        "aug-needed": (compare_with_base("no-augmentation", GAP), compare_with_base("no-augmentation")),
        "pca-colour": (compare_with_base("no-colour-noise"),),
        "dropout-overfit": (compare_with_base("no-dropout", GAP), compare_with_base("no-dropout")),
        "weight-decay": (compare_with_base("no-weight-decay", "train_error"),),
        "init": (compare_with_base("biases-0", EARLY),),
    },
)

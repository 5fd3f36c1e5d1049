"""Did response normalisation take the authors' network for CIFAR-10 from 13% to 11% (paper 3.3)?

Both networks are public: ``layers-conv-local-13pct``, and ``layers-conv-local-11pct``, which revision 540
of cuda-convnet gives as the first with two layers of response normalisation; the public file, since
revision 541, has wider windows at other positions, twice the feature maps in one layer and another weight
decay. Here are the three as published; and the first with the paper's constants, with their factor of
2**-0.75 alone, and with batch normalisation, which also gets the initial weights of He et al. (2015). The
constants of the files have k = 1: small activations are left as they are, so that the first network is the
control of the second.

The protocol is that of the 11% file's notes, with crops of 24 pixels and horizontal flips, momentum, weight
decay of the upper layers, learning rates of biases twice as large, and 520 epochs, at whose end the learning
rate is divided by ten twice; the 13% file has no notes, and gets the same. Two things differ, for all
networks alike, since what is judged is a difference: the training images are 40,000 throughout, and the
others choose the learning rate, while the authors added the last 10,000 after some 350 epochs; and the
centre of an image is tested where they averaged several crops.
"""

from alexnet.config import AugmentConfig, LearningConfig
from alexnet.experiments.arms import Arm, ConvLocalConfig
from alexnet.experiments.experiment import Comparison, Experiment

EPOCHS, DROPS = 520, (0.94, 0.97)
UPPER = (("local3", 0.004), ("local4", 0.004), ("fc10", 0.004))


def make_arm(about: str, *, fc10_decay: float = 0.004, **net) -> Arm:
    """Return the arm of a network."""
    return Arm(
        about=about,
        net=ConvLocalConfig(**net),
        learning=LearningConfig(
            weight_decay=0.0,
            rate=0.001,
            bias_rate_factor=2.0,
            decay_biases=False,
            schedule="constant",
            epochs=EPOCHS,
        ),
        augment=AugmentConfig(size=24, num_offsets=9, colour_noise="none", mean="centre"),
        drops=DROPS,
        weight_decays=(*UPPER[:2], ("fc10", fc10_decay)),
    )


EXPERIMENT = Experiment(
    name="conv-local",
    description="the authors' 13% and 11% networks on CIFAR-10, with other normalisations (paper 3.3)",
    network="the networks of the authors' files",
    arms={
        "13pct": make_arm("the 13% network"),
        "11pct": make_arm("with two layers of LRN, as in revision 540", normalisation="lrn-11pct"),
        "11pct-public": make_arm(
            "the public 11% network", normalisation="lrn-public", local3=64, fc10_decay=0.01
        ),
        "paper-constants": make_arm("the 13% network with the paper's LRN", normalisation="lrn"),
        "constant": make_arm("the 13% network with factors of 2^-0.75", normalisation="constant"),
        "batch": make_arm("the 13% network with batch normalisation", normalisation="batch"),
        "batch-he": make_arm(
            "the same with initial weights of He et al.", normalisation="batch", he_weights=True
        ),
    },
    num_train=40_000,
    answers={"lrn-cifar": (Comparison(better="11pct", worse="13pct"),)},
    figures={"lrn-cifar": 0.02},
)

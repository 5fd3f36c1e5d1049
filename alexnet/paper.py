"""The numbers of the paper that code computes with or compares with, by section.

Krizhevsky, Sutskever & Hinton: ImageNet Classification with Deep Convolutional Neural Networks. NIPS 2012.
Error rates are fractions between 0 and 1. Numbers that the paper rounds (60 million parameters) are kept as
printed; what they are exactly, the package computes. Where the paper contradicts itself or the 2012 code,
the printed number stands here. What it prints for each claim, `alexnet.experiments.claims` has as text.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PrintedLayer:
    """A layer as section 3.5 describes it, its neurons by the caption of figure 2.

    Attributes:
        name: in the notation of this package.
        num_kernels: kernels (convolution) or neurons (dense), both GPUs together.
        kernel_shape: (height, width, depth) of one kernel; None for a dense layer, which sees all below.
        stride: in pixels; 1 where the paper gives none. None for a dense layer.
        num_neurons: the size of the layer's output as printed.
        reads_both_gpus: whether its input comes from both GPUs (3.2, 3.5).
    """

    name: str
    num_kernels: int
    kernel_shape: tuple[int, int, int] | None
    stride: int | None
    num_neurons: int
    reads_both_gpus: bool


@dataclass(frozen=True, kw_only=True)
class ErrorRates:
    """A row of a results table; None where the paper prints no number."""

    model: str
    top1: float | None = None
    top5: float | None = None
    top5_test: float | None = None


# Abstract: the network in one breath; section 4 repeats the parameters
NUM_PARAMETERS = 60_000_000
NUM_NEURONS = 650_000
CONV_LAYER_PARAMETER_SHARE = 0.01  # each convolutional layer holds no more than this (1)
REMOVED_LAYER_TOP1_LOSS = 0.02  # about, for any middle layer (7)

# Section 2: the data set
IMAGENET_NUM_IMAGES = 15_000_000  # over
IMAGENET_NUM_CATEGORIES = 22_000  # about
ILSVRC_NUM_TRAIN = 1_200_000  # about
ILSVRC_NUM_VALIDATION = 50_000
ILSVRC_NUM_TEST = 150_000
ILSVRC_NUM_CLASSES = 1000
IMAGE_SIZE = 256  # pixels: shorter side, then the central square

# Section 3.1: ReLU
RELU_TARGET_TRAINING_ERROR = 0.25  # on CIFAR-10, four-layer convolutional network, figure 1
RELU_SPEEDUP = 6  # times fewer iterations than tanh

# Section 3.2: two GPUs
NUM_GPUS = 2
GPU_MEMORY_GIB = 3  # GTX 580
TWO_GPU_TOP1_GAIN = 0.017
TWO_GPU_TOP5_GAIN = 0.012

# Section 3.3: local response normalisation
LRN_K = 2
LRN_N = 5
LRN_ALPHA = 1e-4
LRN_BETA = 0.75
LRN_TOP1_GAIN = 0.014
LRN_TOP5_GAIN = 0.012

# Section 3.4: overlapping pooling
POOL_SIZE = 3  # z
POOL_STRIDE = 2  # s
POOL_TOP1_GAIN = 0.004
POOL_TOP5_GAIN = 0.003

# Section 3.5 and figure 2: the architecture
INPUT_SIZE = 224  # pixels
INPUT_CHANNELS = 3
NUM_INPUTS = 150_528
LAYERS = (
    PrintedLayer(
        name="conv1",
        num_kernels=96,
        kernel_shape=(11, 11, 3),
        stride=4,
        num_neurons=253_440,  # 290,400 by its own figure: 55 x 55 x 96
        reads_both_gpus=True,
    ),
    PrintedLayer(
        name="conv2",
        num_kernels=256,
        kernel_shape=(5, 5, 48),
        stride=1,
        num_neurons=186_624,
        reads_both_gpus=False,
    ),
    PrintedLayer(
        name="conv3",
        num_kernels=384,
        kernel_shape=(3, 3, 256),
        stride=1,
        num_neurons=64_896,
        reads_both_gpus=True,
    ),
    PrintedLayer(
        name="conv4",
        num_kernels=384,
        kernel_shape=(3, 3, 192),
        stride=1,
        num_neurons=64_896,
        reads_both_gpus=False,
    ),
    PrintedLayer(
        name="conv5",
        num_kernels=256,
        kernel_shape=(3, 3, 192),
        stride=1,
        num_neurons=43_264,
        reads_both_gpus=False,
    ),
    PrintedLayer(
        name="fc6", num_kernels=4096, kernel_shape=None, stride=None, num_neurons=4096, reads_both_gpus=True
    ),
    PrintedLayer(
        name="fc7", num_kernels=4096, kernel_shape=None, stride=None, num_neurons=4096, reads_both_gpus=True
    ),
    PrintedLayer(
        name="fc8", num_kernels=1000, kernel_shape=None, stride=None, num_neurons=1000, reads_both_gpus=True
    ),
)
CONV1_MAP_SIZE = 55  # pixels, figure 2

# Section 4.1: data augmentation
AUGMENTATION_FACTOR = 2048  # crops and horizontal reflections
PCA_NOISE_STD = 0.1
PCA_TOP1_GAIN = 0.01  # over
NUM_TEST_CROPS = 10

# Section 4.2: dropout
DROPOUT_PROBABILITY = 0.5

# Section 5: details of learning
BATCH_SIZE = 128
MOMENTUM = 0.9
WEIGHT_DECAY = 0.0005
INITIAL_WEIGHT_STD = 0.01
INITIAL_BIAS_ONE = ("conv2", "conv4", "conv5", "fc6", "fc7")  # 0 in the others
LEARNING_RATE = 0.01
LEARNING_RATE_DIVISOR = 10
LEARNING_RATE_DROPS = 3
NUM_EPOCHS = 90  # about
TRAINING_DAYS = (5, 6)  # on two GTX 580

# Section 6: results
ILSVRC2010_TEST = (  # table 1
    ErrorRates(model="Sparse coding", top1=0.471, top5=0.282),
    ErrorRates(model="SIFT + FVs", top1=0.457, top5=0.257),
    ErrorRates(model="CNN", top1=0.375, top5=0.170),
)
ILSVRC2010_ONE_CROP = ErrorRates(model="CNN, centre crop only", top1=0.390, top5=0.183)  # 6, footnote
ILSVRC2012 = (  # table 2; top1, top5 on the validation set; * pre-trained on ImageNet's Fall 2011 release
    ErrorRates(model="SIFT + FVs", top5_test=0.262),
    ErrorRates(model="1 CNN", top1=0.407, top5=0.182),
    ErrorRates(model="5 CNNs", top1=0.381, top5=0.164, top5_test=0.164),
    ErrorRates(model="1 CNN*", top1=0.390, top5=0.166),
    ErrorRates(model="7 CNNs*", top1=0.367, top5=0.154, top5_test=0.153),
)
IMAGENET2009_NUM_CLASSES = 10_184
IMAGENET2009_NUM_IMAGES = 8_900_000
IMAGENET2009 = (
    ErrorRates(model="best before", top1=0.781, top5=0.609),
    ErrorRates(model="CNN with a sixth convolutional layer", top1=0.674, top5=0.409),
)

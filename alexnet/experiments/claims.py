"""What the paper claims, one entry a claim, in the order of its sections: the rows of ``alexnet claims``."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper.

    Attributes:
        id: the key of its evidence, see `alexnet.experiments.evidence`.
        section: of the paper, with its figure or table.
        text: the claim, in one phrase.
        figure: what the paper prints for it.
        chapter: of the book that judges it: the name of its notebook.
    """

    id: str
    section: str
    text: str
    figure: str
    chapter: str


def claim(id: str, section: str, chapter: str, text: str, figure: str) -> Claim:
    """Make a claim of what stands on its line."""
    return Claim(id=id, section=section, text=text, figure=figure, chapter=chapter)


CONVOLUTION, RELU, DATA, GPUS = "02-convolution", "03-relu-against-tanh", "04-data", "05-two-gpus"
LRN, POOLING, NETWORK = "06-local-response-normalisation", "07-overlapping-pooling", "08-architecture"
AUGMENTATION, DROPOUT, LEARNING = "09-augmentation", "10-dropout", "11-learning"
RESULTS, DISCUSSION, TRAINING = "12-results", "15-discussion", "16-training-alexnet"

CLAIMS = (
    claim("params", "abstract, 4", NETWORK, "parameters of the network", "60 million"),
    claim("neurons", "abstract", NETWORK, "neurons of the network", "650,000"),
    claim(
        "neurons-per-layer",
        "figure 2",
        NETWORK,
        "neurons of each layer, from conv1 to fc8",
        "253,440 · 186,624 · 64,896 · 64,896 · 43,264 · 4,096 · 4,096 · 1,000",
    ),
    claim(
        "layer-shapes",
        "3.5",
        NETWORK,
        "number, size and depth of the kernels of conv1 to conv5",
        "96 of 11×11×3, 256 of 5×5×48, 384 of 3×3×256, 384 of 3×3×192, 256 of 3×3×192",
    ),
    claim(
        "input-224",
        "3.5, figure 2",
        CONVOLUTION,
        "conv1 makes feature maps of this size from 224×224 pixels "
        "(judged without padding, which the paper does not mention)",
        "55×55",
    ),
    claim(
        "conv-share",
        "1",
        NETWORK,
        "each convolutional layer holds at most this fraction of the parameters",
        "1%",
    ),
    claim(
        "remove-layer",
        "1, 7",
        DISCUSSION,
        "top-1 error that the loss of any middle layer costs (judged for conv3, conv4 and conv5)",
        "2 points",
    ),
    claim(
        "relu-speed",
        "3.1, figure 1",
        RELU,
        "how many times faster ReLU takes a four-layer network to 25% training error on CIFAR-10 than tanh",
        "6",
    ),
    claim(
        "relu-several",
        "3.1, caption of figure 1",
        RELU,
        "ReLU networks consistently learn several times faster than those with saturating neurons, "
        "read as at least two times",
        "several times",
    ),
    claim(
        "two-gpu-accuracy",
        "3.2",
        GPUS,
        "gain of two towers over one with half the kernels, top-1 and top-5",
        "1.7 and 1.2 points",
    ),
    claim("two-gpu-time", "3.2", GPUS, "and the two train in less time than the one", "slightly less"),
    claim(
        "gpu-connectivity",
        "3.2, 3.5",
        GPUS,
        "conv2, conv4 and conv5 read the feature maps of their own GPU alone",
        "kernels as deep as half the feature maps below",
    ),
    claim(
        "lrn-formula",
        "3.3",
        LRN,
        "response normalisation follows its printed formula",
        "n 5, k 2, α 1e-4, β 0.75",
    ),
    claim(
        "lrn-accuracy", "3.3", LRN, "gain by response normalisation, top-1 and top-5", "1.4 and 1.2 points"
    ),
    claim(
        "lrn-cifar",
        "3.3",
        LRN,
        "test error of a four-layer network on CIFAR-10 without and with it",
        "13% and 11%",
    ),
    claim(
        "pool-accuracy", "3.4", POOLING, "gain by overlapping pooling, top-1 and top-5", "0.4 and 0.3 points"
    ),
    claim("pool-overfit", "3.4", POOLING, "overlapping pooling makes overfitting harder", "slightly"),
    claim(
        "aug-factor",
        "4.1",
        AUGMENTATION,
        "how many times crops and horizontal flips enlarge the training set",
        "2048",
    ),
    claim(
        "aug-needed",
        "4.1",
        AUGMENTATION,
        "without crops and horizontal flips the network overfits",
        "substantially",
    ),
    claim(
        "pca-colour", "4.1", AUGMENTATION, "gain in top-1 error by PCA colour augmentation", "over 1 point"
    ),
    claim(
        "aug-free",
        "4.1",
        AUGMENTATION,
        "time that augmentation on the CPU adds to training on the GPU",
        "none",
    ),
    claim(
        "ten-crop",
        "4.1, 6",
        RESULTS,
        "gain by averaging over ten crops, top-1 and top-5",
        "39.0 and 18.3% become 37.5 and 17.0%",
    ),
    claim("dropout-overfit", "4.2", DROPOUT, "without dropout the network overfits", "substantially"),
    claim(
        "dropout-iterations",
        "4.2",
        DROPOUT,
        "factor by which dropout prolongs training to convergence",
        "about 2",
    ),
    claim(
        "dropout-mean",
        "4.2",
        DROPOUT,
        "halved outputs are the geometric mean of all networks that dropout draws (judged for one layer)",
        "approximately",
    ),
    claim("update-rule", "5", LEARNING, "the printed update of weights is what trains", "v and w, two lines"),
    claim("weight-decay", "5", LEARNING, "weight decay lowers the training error too", "direction"),
    claim(
        "init", "5", LEARNING, "biases of 1 instead of 0 accelerate the early stages of learning", "direction"
    ),
    claim(
        "lr-schedule",
        "5",
        LEARNING,
        "learning rate 0.01, divided by 10 this often, through this many epochs",
        "3 and about 90",
    ),
    claim("train-time", "5", TRAINING, "time to train on two GTX 580 with 3 GB of memory", "5 to 6 days"),
    claim(
        "ilsvrc2010",
        "6, table 1",
        RESULTS,
        "top-1 and top-5 error on the test set of ILSVRC-2010",
        "37.5 and 17.0%; the best before: 45.7 and 25.7%",
    ),
    claim(
        "ilsvrc2012",
        "6, table 2",
        RESULTS,
        "top-1 and top-5 error on ILSVRC-2012: one network, one trained on Fall 2011 first, averages",
        "40.7 and 18.2%; 39.0 and 16.6%; averages of five 38.1 and 16.4%, of seven 36.7 and 15.4%; "
        "on the test set, top-5: 16.4 and 15.3%",
    ),
    claim(
        "imagenet2009",
        "6",
        RESULTS,
        "top-1 and top-5 error on the 10,184 classes of ImageNet's Fall 2009 release",
        "67.4 and 40.9%; the best before: 78.1 and 60.9%",
    ),
    claim(
        "kernels",
        "6.1, figure 3",
        RESULTS,
        "of the kernels of conv1 one GPU learns the colourless ones, the other the coloured",
        "at every run",
    ),
    claim(
        "retrieval",
        "6.1, figure 4",
        RESULTS,
        "images with near features are of a kind, also where their pixels are far apart",
        "direction",
    ),
    claim(
        "binary-codes",
        "6.1",
        RESULTS,
        "short codes of features, by an auto-encoder for fast search, retrieve better than those of pixels",
        "much better",
    ),
    claim(
        "depth-data",
        "1, 7",
        DISCUSSION,
        "larger networks, more data and longer training do better still",
        "outlook",
    ),
)


def claim_by_id(id: str) -> Claim:
    """Look a claim up.

    Raises:
        ValueError: there is none of that id.
    """
    from alexnet.checks import near_miss

    found = {known.id: known for known in CLAIMS}
    if id not in found:
        raise ValueError(f"there is no claim {id!r}{near_miss(id, found)}; `alexnet claims` lists them")
    return found[id]

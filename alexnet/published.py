"""AlexNets trained on ILSVRC-2012 by others, or later by the first author, and what they have published.

Most differ from the network of the paper, see `Published.differs`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """Errors of a network on the 50,000 validation images of ILSVRC-2012, as published.

    Attributes:
        network: whose it is, and where it is published.
        differs: in what, from the network of the paper; or what it is.
        views: crops averaged for each image: 10 (ten-crop evaluation) or 1, the centre.
        top1: error rate, a fraction.
        top5: error rate, a fraction.
        source: address.
    """

    network: str
    differs: str
    views: int
    top1: float
    top5: float
    source: str

    @property
    def shown(self) -> tuple[str, str]:
        """Both error rates in percent, for people: two decimals, without a last one that is 0."""
        top1, top5 = (f"{100 * rate:.2f}".removesuffix("0") + "%" for rate in (self.top1, self.top5))
        return top1, top5


SANCHEZ = "https://doi.org/10.1109/CVPR.2011.5995504"  # the best errors on ILSVRC-2010 before the paper
ZEILER = "https://doi.org/10.1007/978-3-319-10590-1_53"
CONVNET2 = "https://github.com/akrizhevsky/cuda-convnet2/blob/wiki/TrainingExample.md"
CAFFE = "https://github.com/BVLC/caffe/tree/master/models/bvlc_alexnet"
TORCHVISION = "https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.alexnet.html"


def _replication(differs: str, top1: float, top5: float) -> Published:
    """Return a network of Zeiler and Fergus (2014), table 3."""
    network = "Zeiler & Fergus (2014), table 3"
    return Published(network=network, differs=differs, views=10, top1=top1, top5=top5, source=ZEILER)


WHOLE = _replication("their replication", 0.405, 0.181)
#: Without layers, each trained anew.
#:
#: :meta hide-value:
WITHOUT = {
    "conv3 and conv4": _replication("without conv3 and conv4", 0.454, 0.221),
    "fc7": _replication("without fc7", 0.400, 0.184),
    "fc6 and fc7": _replication("without fc6 and fc7", 0.448, 0.224),
    "conv3, conv4, fc6 and fc7": _replication("without conv3, conv4, fc6 and fc7", 0.713, 0.501),
}
#: The first author's later code and network, with the centre crop and with ten.
#:
#: :meta hide-value:
LATER = tuple(
    Published(
        network="cuda-convnet2 (2014)",
        differs="one tower, other layers",
        views=views,
        top1=top1,
        top5=top5,
        source=CONVNET2,
    )
    for views, top1, top5 in ((1, 0.425480, 0.198100), (10, 0.404200, 0.181500))
)
#: Seconds that the same page shows for one of the 418 parts of the training images, on one GPU of 2014.
LATER_SECONDS, LATER_PARTS = 8.4, 418
OTHERS = (
    WHOLE,
    *LATER,
    Published(
        network="Caffe, bvlc_alexnet",
        differs="LRN across the towers with k = 1, biases of 0.1, no PCA colour augmentation",
        views=1,
        top1=0.429,
        top5=0.198,
        source=CAFFE,
    ),
    Published(
        network="torchvision, alexnet",
        differs="one tower, the layers of Krizhevsky (2014), a later recipe",
        views=1,
        top1=0.43478,
        top5=0.20934,
        source=TORCHVISION,
    ),
)

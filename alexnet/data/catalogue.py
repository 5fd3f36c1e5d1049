"""The data sets that the package knows by name: what they hold, and the official archive of each."""

from dataclasses import dataclass

from alexnet.checks import near_miss

SPLITS = ("train", "test")  # of every set here


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file to download.

    Attributes:
        url: its address.
        sha256: hexadecimal digest of the whole file.
        num_bytes: its size.
    """

    url: str
    sha256: str
    num_bytes: int

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """What a data set must hold: the same number of images of every class, all of one size.

    Attributes:
        name: as commands take it.
        title: as text prints it.
        classes: in the order of the labels.
        height: of every image, in pixels.
        width: of every image, in pixels.
        train_per_class: training images of each class.
        test_per_class: test images of each class.
        archive: the official archive.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    height: int
    width: int
    train_per_class: int
    test_per_class: int
    archive: Archive

    def per_class(self, split: str) -> int:
        """Return how many images of each class there are in "train" or "test"."""
        return {"train": self.train_per_class, "test": self.test_per_class}[split]

    def num_images(self, split: str) -> int:
        """Return how many images there are in "train" or "test"."""
        return self.per_class(split) * len(self.classes)


CIFAR10 = KnownSet(
    name="cifar10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    height=32,
    width=32,
    train_per_class=5000,
    test_per_class=1000,
    archive=Archive(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9324329d7fe0b5c001ce",
        num_bytes=170_498_071,
    ),
)

KNOWN_SETS = {CIFAR10.name: CIFAR10}


def known_set(name: str) -> KnownSet:
    """Look a data set up by name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in KNOWN_SETS:
        raise ValueError(
            f"there is no data set {name!r}; there is {', '.join(KNOWN_SETS)}{near_miss(name, KNOWN_SETS)}"
        )
    return KNOWN_SETS[name]

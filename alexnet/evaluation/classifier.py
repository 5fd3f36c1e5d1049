"""A trained network with everything needed to classify images.

Images are uint8 in the size of the mean image, as `alexnet.data.images.resize_and_crop` makes them.

Letters in shapes: N images, H height and width of the stored images.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import alexnet
from alexnet import config
from alexnet.config import NetConfig, Recipe
from alexnet.data.loading import ImageLike, load_image
from alexnet.data.statistics import Statistics
from alexnet.evaluation.errors import log_average_views
from alexnet.models.alexnet import AlexNet
from alexnet.models.create import check_shapes
from alexnet.paper import NUM_TEST_CROPS
from alexnet.storage.checkpoints import Weights
from alexnet.transforms.ten_crop import prepare_centre, ten_crops

VIEWS = (1, NUM_TEST_CROPS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A trained network and what belongs to it.

    Attributes:
        name: that it was asked for by.
        net: in evaluation mode.
        classes: the data set's identifiers of the classes, in the order of the network's outputs.
        names: the same for people.
        statistics: of the training images.
        mean: which part of the mean image is subtracted from a crop, as in ``AugmentConfig``.
        remark: what else is done to images, as a sentence; "" for the paper's way, which is all of it.
    """

    name: str
    net: AlexNet = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    statistics: Statistics = field(repr=False)
    mean: str
    remark: str = ""

    @property
    def image_size(self) -> int:
        """H: height and width in pixels of the images that it takes."""
        return self.statistics.mean_image.shape[-1]

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        return self.statistics.mean_image.device

    def views(self, images: Tensor, num_views: int = 1) -> Iterable[Tensor]:
        """Make the network's input from images: the central crop, or the paper's ten crops (paper 4.1).

        Args:
            images: (N, 3, H, H) uint8, on the classifier's device.
            num_views: 1 or 10.
        Returns:
            1 or 10 times (N, 3, S, S), ready for ``net``.
        Raises:
            ValueError: the number of crops is neither 1 nor 10, or the images have another size.
        """
        if num_views not in VIEWS:
            raise ValueError(f"views must be 1 or {NUM_TEST_CROPS}, got {num_views}")
        options: dict[str, Any] = {"size": self.net.config.input_size, "statistics": self.statistics}
        if num_views == 1:
            return (prepare_centre(images, **options),)
        return ten_crops(images, mean=self.mean, **options)

    def transforms(self, image: ImageLike) -> Tensor:
        """Make what ``net`` reads of an image of any kind: decoded, scaled, its centre, less the mean.

        Args:
            image: a file's path, a Pillow image, or a tensor (3, height, width) uint8; of any size.
        Returns:
            (3, S, S) float32, on the classifier's device; ``net(classifier.transforms(image)[None])`` are the
            logits.
        Raises:
            FileNotFoundError: the file is not there.
            ValueError: it is no image.
        """
        stored = load_image(image, self.image_size).to(self.device)
        (view,) = self.views(stored[None])
        return view[0]

    def log_probabilities(self, images: Tensor, num_views: int = 1) -> Tensor:
        """Return ln of the class probabilities, averaged over the crops: (N, classes) float64.

        Args and Raises as for ``views``.
        """
        return log_average_views(self.net, self.views(images, num_views))


def make_classifier(weights: Weights, *, name: str) -> Classifier:
    """Return the classifier of a checkpoint that was loaded.

    Args:
        weights: the content of the checkpoint.
        name: for people.
    Raises:
        ValueError: the parts of the checkpoint do not fit each other.
    """
    recipe, statistics = recipe_in(weights, name), statistics_in(weights, name)
    if len(weights.classes) != recipe.net.num_classes:
        raise ValueError(
            f"{name} names {len(weights.classes)} classes, but its network has "
            f"{recipe.net.num_classes} outputs"
        )
    return Classifier(
        name=name,
        net=net_with(recipe.net, weights.weights, name=name),
        classes=tuple(weights.classes),
        names=tuple(weights.names or weights.classes),
        statistics=statistics,
        mean=recipe.augment.mean,
    )


def recipe_in(weights: Weights, name: str) -> Recipe:
    """Return the recipe of a checkpoint; ValueError if it is none of this version."""
    try:
        return config.from_dict(json.loads(weights.recipe))
    except (ValueError, RecursionError) as error:
        writer = weights.environment.get("alexnet", "of an unknown version")
        raise ValueError(
            f"{name} has a recipe that this version cannot read: {error}; alexnet {writer} wrote it, this is "
            f"{alexnet.__version__}: upgrade alexnet, or use that version"
        ) from error


def statistics_in(weights: Weights, name: str) -> Statistics:
    """Return the statistics in a checkpoint; ValueError if they are not whole."""
    tensors = weights.statistics
    missing = {"mean_image", "pca_stds", "pca_vectors", "num_images"} - tensors.keys()
    if missing:
        raise ValueError(f"{name} lacks the {min(missing)} of its training images, so it cannot predict")
    return Statistics(
        mean_image=tensors["mean_image"],
        pca_stds=tensors["pca_stds"].cpu(),  # used for draws, which happen there
        pca_vectors=tensors["pca_vectors"].cpu(),
        num_images=int(tensors["num_images"]),
        fingerprint=weights.fingerprint,
    )


def net_with(net_config: NetConfig, weights: dict[str, Tensor], *, name: str) -> AlexNet:
    """Return a network in evaluation mode whose parameters are these tensors themselves, not copies.

    Raises:
        ValueError: they are not those of the network.
    """
    with torch.device("meta"):  # no initial weights are drawn, which takes seconds
        net = AlexNet(net_config)
    check_shapes(net, weights, name=name)
    net.load_state_dict(weights, assign=True)
    return net.eval().requires_grad_(False)


def check_alike(classifiers: Sequence[Classifier]) -> None:
    """Raise ValueError unless the classifiers tell the same classes apart, of images of the same size."""
    first = classifiers[0]
    for other in classifiers[1:]:
        together = f"{first.name} and {other.name} do not go together: "
        if other.classes != first.classes:
            raise ValueError(together + describe_difference(first.classes, other.classes))
        sizes = [f"{each.net.config.input_size} of {each.image_size}" for each in (first, other)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"{together}one reads {sizes[0]} pixels of an image, the other {sizes[1]}")


def describe_difference(classes: Sequence[str], others: Sequence[str]) -> str:
    """Describe how two lists of classes differ."""
    if len(classes) != len(others):
        return f"one knows {len(classes)} classes, the other {len(others)}"
    number = next(n for n, (one, other) in enumerate(zip(classes, others, strict=True)) if one != other)
    return f"class {number} is {classes[number]!r} in one and {others[number]!r} in the other"


def match_outputs(classifier: Classifier, classes: Sequence[str]) -> Tensor:
    """Return which output of the network stands for each class of a data set.

    A set may have some of the classes alone, or in another order, as Imagenette has 10 of ImageNet's 1000.

    Args:
        classifier: the network.
        classes: the set's identifiers, in the order of its labels.
    Returns:
        (len(classes),) int64.
    Raises:
        ValueError: the network does not know one of them.
    """
    places = {name: place for place, name in enumerate(classifier.classes)}
    unknown = [name for name in classes if name not in places]
    if unknown:
        raise ValueError(
            f"{classifier.name} knows {len(places)} classes, and {unknown[0]!r} is none of them; the data "
            f"have {len(classes)} classes, {len(unknown)} of which it does not know"
        )
    return torch.tensor([places[name] for name in classes])

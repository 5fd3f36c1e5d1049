"""What does an image show? From files of any kind and size to the most probable classes (paper 6, figure 4).

::

    from alexnet import load_classifier, predict
    predict(load_classifier("imagenette"), ["church.jpg"])
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from alexnet.checks import whole
from alexnet.data.loading import ImageLike, described, load_image
from alexnet.evaluation import pretrained
from alexnet.evaluation.classifier import Classifier, make_classifier
from alexnet.models.pretrained import find_weights, read
from alexnet.shown import printable
from alexnet.storage import checkpoints
from alexnet.storage.files import home

BATCH = 32  # images at a time
Guesses = list[tuple[str, float]]


def load_classifier(source: str | Path, device: torch.device | str = "cpu") -> Classifier:
    """Read a classifier.

    Args:
        source: "imagenette", the trained network that comes with the package; a checkpoint or file of weights
            that ``alexnet train`` wrote, or a run's folder with them; a file of the weights of
            ``torchvision.models.alexnet`` with any number of classes, by themselves or in a checkpoint such
            as pytorch/examples writes; or "torchvision", which takes these from torch's cache and downloads
            nothing.
        device: of the network.
    Raises:
        FileNotFoundError: it is not there.
        ValueError: the file is damaged, is none of these, or would run code.
    """
    name, path = str(source), find_weights(source)
    try:
        classifier = make_classifier(checkpoints.load_weights(path), name=name)
    except ValueError:
        found = read(path, "cpu")
        if found is None:
            raise
        classifier = pretrained.make_classifier(found, name=name)
    # Moved now: the file has float64 as well, which Apple's GPUs do not know.
    statistics = classifier.statistics.to(device)
    return replace(classifier, net=classifier.net.to(device), statistics=statistics)


def predict(
    classifier: Classifier, images: Iterable[ImageLike], *, views: int = 1, top: int = 5
) -> list[Guesses]:
    """Return the most probable classes of each image.

    Args:
        classifier: of `load_classifier`.
        images: each a file's path, a Pillow image, or a tensor (3, height, width) uint8; of any size.
        views: 1, the central crop, or 10, ten-crop evaluation (4.1).
        top: how many classes; all of them where there are fewer.
    Returns:
        for each image [(class, probability), ...], the most probable one first; classes by their names for
        people.
    Raises:
        FileNotFoundError: a file is not there.
        ValueError: one is not an image, or stands alone where a list is meant, or a number is not allowed.
    """
    whole("top", top)
    if isinstance(images, str | Path | Image.Image) or (isinstance(images, Tensor) and images.ndim == 3):
        raise ValueError(f"images must be a list, got {described(images)} alone; put it in brackets")
    images = list(images)
    found: list[Guesses] = []
    for start in range(0, len(images), BATCH):
        stored = [load_image(image, classifier.image_size) for image in images[start : start + BATCH]]
        for row in predict_probabilities(classifier, stored, views=views):
            best = row.topk(min(top, len(row)))
            names = [classifier.names[place] for place in best.indices.tolist()]
            found.append(list(zip(names, best.values.tolist(), strict=True)))
    return found


def predict_probabilities(classifier: Classifier, images: Sequence[Tensor], *, views: int = 1) -> Tensor:
    """Return the probability of every class: (N, classes) float64, on the CPU.

    Args:
        classifier: of `load_classifier`.
        images: N of `alexnet.data.loading.load_image`.
        views: as for `predict`.
    Raises:
        ValueError: they are not numbers, because the weights are none.
    """
    found = classifier.log_probabilities(torch.stack(tuple(images)).to(classifier.device), views).exp().cpu()
    if found.isnan().any():
        raise ValueError(
            f"{classifier.name} cannot predict: its weights give NaN, as after a training that diverged; "
            "take an earlier checkpoint"
        )
    return found


def class_of_folder(classifier: Classifier, path: str | Path) -> int | None:
    """Return the class that the folder of an image is named after; None if it is named after none."""
    folder = home(path).absolute().parent.name
    for known in (classifier.classes, classifier.names):
        if folder in known:
            return known.index(folder)
    return None


def in_words(classifier: Classifier, row: Tensor, *, top: int, right: int | None, width: int) -> list[str]:
    """Draw the most probable classes of an image as bars of text.

    Args:
        classifier: whose classes they are.
        row: (classes,) probabilities.
        top: how many; one line more for the right class if it is not among them.
        right: the right class, which is marked with a star; None if it is not known.
        width: of the lines, in characters; a bar that fills its room stands for 100%.
    """
    places = row.topk(min(top, len(row))).indices.tolist()
    if right is not None and right not in places:
        places.append(right)
    room = max(width - len("*   100.0%  "), 20)
    names = {place: printable(classifier.names[place]) for place in places}
    longest = min(max(map(len, names.values())), room * 2 // 3)
    lines = []
    for place in places:
        name = names[place]
        name = name if len(name) <= longest else name[: longest - 3] + "..."
        share = float(row[place])
        bar = "#" * round(share * (room - longest))
        mark = "*" if place == right else " "
        lines.append(f"{mark} {name:{longest}}  {share:6.1%}  {bar}".rstrip())
    return lines

"""What is on a picture? From files of any kind and size to the most probable classes (paper 6, figure 4).

from alexnet import load_classifier, predict
predict(load_classifier("runs/cifar10-paper-seed0"), ["cat.jpg"])
"""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from alexnet.data.images import Unreadable, decode, read_bytes, standardise, to_array, to_rgb
from alexnet.evaluation import pretrained
from alexnet.evaluation.classifier import Classifier, classifier_of
from alexnet.shown import printable
from alexnet.storage import checkpoints
from alexnet.storage.run_files import CHECKPOINTS, WEIGHTS

BATCH = 32  # pictures at a time
Picture = str | Path | Image.Image | Tensor
Guesses = list[tuple[str, float]]


def load_classifier(source: str | Path, device: torch.device | str = "cpu") -> Classifier:
    """Read a classifier.

    Args:
        source: a checkpoint or file of weights that ``alexnet train`` wrote, or a run's folder with them; a
            file of the weights of ``torchvision.models.alexnet`` with any number of classes, by themselves or
            in a checkpoint such as pytorch/examples writes; or "torchvision", which takes these from torch's
            cache and downloads nothing.
        device: where it shall compute.
    Raises:
        FileNotFoundError: it is not there.
        ValueError: the file is damaged, is none of these, or would run code.
    """
    name = str(source)
    asked_by_name = name == pretrained.NAME
    path = pretrained.cached_file() if asked_by_name else file_of(Path(source).expanduser())
    try:
        weights = checkpoints.load_weights(path, device)
    except ValueError:
        found = pretrained.read(path, device)
        if found is None:
            raise
        return pretrained.classifier_of(found, name=name)
    return classifier_of(weights, name=name)


def file_of(path: Path) -> Path:
    """Return the file that a path means: in a run's folder the weights, else the last checkpoint."""
    if not path.is_dir():
        return path
    latest = checkpoints.latest(path / CHECKPOINTS) or checkpoints.latest(path)
    files = [file for file in (path / WEIGHTS, latest) if file is not None and file.is_file()]
    if not files:
        raise FileNotFoundError(f"there is no checkpoint in the folder {path}; `alexnet train` writes them")
    return files[0]


def predict(
    classifier: Classifier, pictures: Sequence[Picture], *, views: int = 1, top: int = 5
) -> list[Guesses]:
    """Return the most probable classes of each picture.

    Args:
        classifier: of ``load_classifier``.
        pictures: each a file's path, a Pillow image, or a tensor (3, height, width) uint8; of any size.
        views: 1, the centre, or 10, the average over the paper's ten crops (4.1).
        top: how many classes; all of them where there are fewer.
    Returns:
        for each picture [(class, probability), ...], the most probable one first; classes by their names for
        people.
    Raises:
        FileNotFoundError: a file is not there.
        ValueError: one is not a picture, or a number is not allowed.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    found: list[Guesses] = []
    for start in range(0, len(pictures), BATCH):
        images = [as_stored(picture, classifier.picture_size) for picture in pictures[start : start + BATCH]]
        for row in probabilities_of(classifier, images, views=views):
            best = row.topk(min(top, len(row)))
            names = [classifier.names[place] for place in best.indices.tolist()]
            found.append(list(zip(names, best.values.tolist(), strict=True)))
    return found


def probabilities_of(classifier: Classifier, images: Sequence[Tensor], *, views: int = 1) -> Tensor:
    """Return the probability of every class: (N, classes) float64, on the CPU.

    Args:
        classifier: of ``load_classifier``.
        images: N of ``as_stored``.
        views: as for ``predict``.
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


def as_stored(picture: Picture, size: int) -> Tensor:
    """Prepare an image as ``alexnet data prepare`` does, by the same functions (paper 2).

    It is decoded and turned upright, its shorter side scaled, its centre cut out.

    Args:
        picture: as for ``predict``.
        size: H in pixels.
    Returns:
        (3, H, H) uint8.
    Raises:
        FileNotFoundError, ValueError: as for ``predict``.
    """
    return stored_with_notes(picture, size)[0]


def stored_with_notes(picture: Picture, size: int) -> tuple[Tensor, list[str]]:
    """Prepare an image, and say what that took: "greyscale", "turned upright", "transparent, on white", ...

    Args, Raises and the first of what is returned as for ``as_stored``.
    """
    try:
        if isinstance(picture, Tensor):
            image, notes = image_of(picture), []
        elif isinstance(picture, Image.Image):
            image, notes = to_rgb(picture)
        else:
            image, notes = read_picture(picture)
        return torch.from_numpy(to_array(standardise(image, size)).copy()), notes
    except Unreadable as error:
        raise ValueError(f"{described(picture)} cannot be used: {error}") from error


def described(picture: Picture) -> str:
    """Return what to call an image in a message."""
    if isinstance(picture, Tensor):
        return f"the tensor {tuple(picture.shape)}"
    if isinstance(picture, Image.Image):
        return "the image of {} x {} pixels".format(*picture.size)
    return str(picture)


def image_of(pixels: Tensor) -> Image.Image:
    """Return a tensor (3, height, width) uint8 as an image; ValueError if it is none."""
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(
            "a picture as a tensor must be (3, height, width) uint8, got "
            f"{tuple(pixels.shape)} {str(pixels.dtype).removeprefix('torch.')}"
        )
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def read_picture(path: str | Path) -> tuple[Image.Image, list[str]]:
    """Read a file of any format and mode that data sets have, as RGB, upright; also return what that took.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no image that is read (see ``alexnet.data.images``); or the path is a folder
            or an address on the web.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise ValueError(f"{path} is an address, and pictures are read from files alone; download it first")
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the pictures in it, such as {path / '*.jpg'}")
    if not path.exists():
        raise FileNotFoundError(f"there is no image {path}")
    try:
        return decode(path.name, read_bytes(path))
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}") from error
    except Unreadable as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def class_of_folder(classifier: Classifier, path: str | Path) -> int | None:
    """Return the class that the folder of a picture is named after; None if it is named after none."""
    folder = Path(path).expanduser().absolute().parent.name
    for known in (classifier.classes, classifier.names):
        if folder in known:
            return known.index(folder)
    return None


def in_words(classifier: Classifier, row: Tensor, *, top: int, right: int | None, width: int) -> list[str]:
    """Draw the most probable classes of a picture as bars of text.

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

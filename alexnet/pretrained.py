"""The AlexNet of torchvision, trained on ILSVRC-2012, as a classifier like every other."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from alexnet.classifier import Classifier, net_with
from alexnet.model import from_torchvision
from alexnet.paper import IMAGE_SIZE
from alexnet.recipes import net_config
from alexnet.statistics import Statistics

NAME = "torchvision"  # by which it is asked for


def cached_file() -> Path:
    """Return the path of torchvision's weights in torch's cache.

    Raises:
        FileNotFoundError: they are not there.
    """
    from torchvision.models import AlexNet_Weights

    url = AlexNet_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise FileNotFoundError(
            f"torchvision's weights are not in torch's cache; put {url} to {path}, or give the file's path"
        )
    return path


def read(path: Path, device: torch.device | str) -> dict[str, Tensor] | None:
    """Return torchvision's parameters in a file under our names; None if it has others or none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about files of other kinds
            return from_torchvision(torch.load(path, map_location=device, weights_only=True))
    except Exception:  # torch.load raises many kinds of errors for files of other kinds
        return None


def classifier_of(parameters: dict[str, Tensor], *, name: str) -> Classifier:
    """Return torchvision's AlexNet as a classifier of pictures of 0 to 255, like every other.

    It was trained on (x / 255 - mean) / std, with a mean and a std for each channel. That is
    (x - 255 * mean) / (255 * std): the numerator is what subtracting a mean image of one colour gives, and
    the denominator goes into the kernels of conv1, exactly, as the zeros at the edges stay zeros.

    Args:
        parameters: of the net "torchvision" (see ``alexnet.model.from_torchvision``).
        name: for people.
    Raises:
        ValueError: they are those of a net with other classes.
    """
    from torchvision.models import AlexNet_Weights

    from alexnet.preparation.ilsvrc import names_of_2012

    transforms, names = AlexNet_Weights.IMAGENET1K_V1.transforms(), names_of_2012()
    conv1 = parameters["conv1.weight"]
    mean = 255 * conv1.new_tensor(transforms.mean)
    std = 255 * conv1.new_tensor(transforms.std)
    scaled = parameters | {"conv1.weight": conv1 / std[:, None, None]}
    return Classifier(
        name=name,
        net=net_with(net_config(NAME, num_classes=len(names)), scaled, name=name),
        classes=tuple(names),
        names=tuple(names.values()),
        statistics=Statistics(
            mean_image=mean[:, None, None].expand(-1, IMAGE_SIZE, IMAGE_SIZE),
            pca_stds=torch.zeros(3, dtype=torch.float64),
            pca_vectors=torch.eye(3, dtype=torch.float64),
            num_images=0,
        ),
        mean="under-crop",
        remark=(
            f"pixels are scaled to 0..1, less the mean {transforms.mean}, over the standard deviation "
            f"{transforms.std}, as torchvision trained it"
        ),
    )

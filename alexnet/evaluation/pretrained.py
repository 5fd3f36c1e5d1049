"""AlexNets with torchvision's layers, from torchvision or trained by other programs, as classifiers."""

import torch

from alexnet.data.statistics import Statistics
from alexnet.evaluation.classifier import Classifier, net_with
from alexnet.models.pretrained import NAME, Found
from alexnet.paper import ILSVRC_NUM_CLASSES, IMAGE_SIZE
from alexnet.recipes import net_config


def make_classifier(found: Found, *, name: str) -> Classifier:
    """Return torchvision's AlexNet as a classifier of images of 0 to 255, like every other.

    It was trained on (x / 255 - mean) / std, with a mean and a std for each channel. That is
    (x - 255 * mean) / (255 * std): the numerator is what subtracting a mean image of one colour gives, and
    the denominator goes into the kernels of conv1, exactly, as the zeros of the padding stay zeros.

    Args:
        found: of ``read``. Without names for its classes 1000 of them are those of ILSVRC-2012, and others
            have their numbers for names.
        name: for people.
    Raises:
        ValueError: they are those of a network with fewer than two classes.
    """
    from torchvision.models import AlexNet_Weights

    from alexnet.data.ilsvrc import names_of_2012

    transforms, conv1 = AlexNet_Weights.IMAGENET1K_V1.transforms(), found.parameters["conv1.weight"]
    names, told = {of: of for of in found.classes or ()}, ""
    if not names and len(found.parameters["fc8.bias"]) == ILSVRC_NUM_CLASSES:
        names = names_of_2012()
    elif not names:
        names = {str(number): f"class {number}" for number in range(len(found.parameters["fc8.bias"]))}
        told = "; the file does not name its classes, so they are numbered"
    mean = 255 * conv1.new_tensor(transforms.mean)
    std = 255 * conv1.new_tensor(transforms.std)
    scaled = found.parameters | {"conv1.weight": conv1 / std[:, None, None]}
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
            f"{transforms.std}, as torchvision trained it{told}"
        ),
    )

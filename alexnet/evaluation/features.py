"""The activations of the last hidden layer, for other classifiers and for search (paper 6.1)."""

from typing import NamedTuple

import torch
from torch import Tensor

from alexnet.devices import channels_last_on_cpu
from alexnet.evaluation.errors import Batches, check_evaluation_mode
from alexnet.models.alexnet import AlexNet


class Exported(NamedTuple):
    """What a network makes of N images, on the CPU.

    Attributes:
        logits: (N, num_classes).
        features: (N, units of the last hidden layer), 4096 in the paper's network.
        labels: (N,) class indices.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor


@torch.no_grad()
def export_features(model: AlexNet, batches: Batches) -> Exported:
    """Compute logits and the activations of the last hidden layer, for retrieval and the like (paper 6.1).

    Args:
        model: with ``features``, from images to activations (N, units); must be in evaluation mode.
        batches: (images, labels) pairs, the images ready for the model. All results are kept in memory:
            4096 features of 50,000 images take 0.8 GB.
    Raises:
        ValueError: the model is in training mode, or there are no images.
    """
    check_evaluation_mode(model)
    parts = []
    for images, labels in batches:
        features = model.features(channels_last_on_cpu(images))
        parts.append((model.head(features).cpu(), features.cpu(), labels.cpu()))
    if not parts:
        raise ValueError("there are no images to export features of")
    return Exported(*(torch.cat(part) for part in zip(*parts, strict=True)))

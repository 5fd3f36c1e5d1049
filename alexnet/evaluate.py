"""Error rates, as the paper counts them (paper 6).

Letters in shapes: N images, C channels, H height, W width.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def num_errors(logits: Tensor, labels: Tensor, *, k: int = 1) -> int:
    """Count the images whose label is not among the k classes with the largest logits.

    Args:
        logits: (N, num_classes). labels: (N,) class indices.
        k: how many guesses count; 1 for top-1, 5 for top-5.
    Raises:
        ValueError: k is not between 1 and the number of classes.
    """
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k must lie between 1 and the {logits.shape[1]} classes, got {k}")
    guesses = logits.topk(k, dim=1).indices  # (N, k)
    return int((guesses != labels[:, None]).all(dim=1).sum())


@torch.no_grad()
def error_rates(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, ks: tuple[int, ...] = (1, 5)
) -> dict[str, float]:
    """Return the share of images that the model gets wrong, for each number of guesses.

    Args:
        model: from images (N, C, H, W) to logits (N, num_classes); must be in evaluation mode.
        batches: (images, labels) pairs; every image counts once, however the batches are cut.
        ks: numbers of guesses.
    Returns:
        {"top1": rate, "top5": rate} (for the given ks), rates as fractions between 0 and 1.
    Raises:
        ValueError: the model is in training mode, or there are no images.
    """
    if model.training:
        raise ValueError("the model is in training mode, where dropout is on; call model.eval() first")
    wrong = dict.fromkeys(ks, 0)
    total = 0
    for images, labels in batches:
        logits = model(images)
        for k in ks:
            wrong[k] += num_errors(logits, labels, k=k)
        total += len(labels)
    if total == 0:
        raise ValueError("there are no images to evaluate")
    return {f"top{k}": wrong[k] / total for k in ks}

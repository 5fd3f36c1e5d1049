"""The training step, and batches for it. Neither owns data, files, devices or printing.

Letters in shapes: N images, C channels, H height, W width.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class StepResult:
    """What one training step saw: the mean loss in nats, and how many of its images were classified wrongly.

    Both are measured before the step's update, as 0-d tensors on the device: a caller decides when to wait.
    """

    loss: Tensor
    num_wrong: Tensor
    num_images: int


def shuffled_batches(
    images: Tensor, labels: Tensor, *, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch of batches in a random order; the last may be smaller.

    Args:
        images: (N, C, H, W), any dtype.
        labels: (N,) class indices.
        batch_size: images in a batch.
        generator: draws the order (on the CPU).
    Raises:
        ValueError: batch_size is not positive, or images and labels differ in number.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")
    order = torch.randperm(len(images), generator=generator)
    for indices in order.split(batch_size):
        yield images[indices], labels[indices]


def train_step(
    model: Callable[[Tensor], Tensor], optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> StepResult:
    """Do one update: batch, logits, loss, backward, step (paper 5).

    Args:
        model: from images to logits (N, num_classes).
        optimizer: over the model's parameters.
        images: (N, C, H, W) as the model wants them.
        labels: (N,) int64 class indices.
    """
    logits = model(images)
    # Half precision is too coarse for the loss; float64 is kept.
    loss = F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    num_wrong = (logits.detach().argmax(1) != labels).sum()
    return StepResult(loss.detach(), num_wrong, len(labels))

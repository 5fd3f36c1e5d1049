"""Error rates, as the paper counts them (paper 6), from one crop of each image or from ten (paper 4.1).

Errors are counted over whole images, and counts add up: over batches of any size, and over any number of
processes. The division into an error rate comes last.

Letters in shapes: N images, C channels, H height, W width.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.models.blocks import compute_logits

Batches = Iterable[tuple[Tensor, Tensor]]
Views = Callable[[Tensor], Iterable[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The counts of an evaluation; add two for the counts over both sets of images.

    Attributes:
        num_images: how many images there were.
        wrong: for each k, of how many the label was not among the k most probable classes.
        loss_sum: the sum of -ln(probability of the label), in nats.
    """

    num_images: int
    wrong: dict[int, int]
    loss_sum: float

    def __add__(self, other: "Counts") -> "Counts":
        """Return the counts over both sets of images. Raises ValueError unless they have the same ks."""
        if self.wrong.keys() != other.wrong.keys():
            raise ValueError(f"counts of top-{[*self.wrong]} and of top-{[*other.wrong]} do not add up")
        return Counts(
            num_images=self.num_images + other.num_images,
            wrong={k: count + other.wrong[k] for k, count in self.wrong.items()},
            loss_sum=self.loss_sum + other.loss_sum,
        )

    def error_rates(self) -> dict[str, float]:
        """Return {"top1": rate, "top5": rate}, fractions between 0 and 1; ValueError without images."""
        self._check_not_empty()
        return {f"top{k}": count / self.num_images for k, count in self.wrong.items()}

    def mean_loss(self) -> float:
        """Return the mean of -ln(probability of the label), in nats; ValueError without images."""
        self._check_not_empty()
        return self.loss_sum / self.num_images

    def _check_not_empty(self) -> None:
        if not self.num_images:
            raise ValueError("there are no images to evaluate")


def num_errors(logits: Tensor, labels: Tensor, *, k: int = 1) -> int:
    """Count the images whose label is not among the k classes with the largest logits.

    Among equal logits at the limit ``torch.topk`` takes some, which ones being its own affair, and they can
    be others on another device. The 2012 code counted parts of an error then. Logits of bfloat16 are often
    equal: evaluate in float32.

    Args:
        logits: (N, num_classes).
        labels: (N,) class indices.
        k: how many guesses count; 1 for top-1, 5 for top-5.
    Raises:
        ValueError: k is not between 1 and the number of classes.
    """
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k must lie between 1 and the {logits.shape[1]} classes, got {k}")
    return int(num_wrong(logits, labels, k))


def num_wrong(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Count what `num_errors` counts, but leave the count on the device, a 0-d tensor.

    Where there are no more than k classes, every label is among the guesses, and nothing is wrong. A label
    whose score is NaN is wrong at any k: a network that has diverged gets nothing right.
    """
    guesses = scores.topk(min(k, scores.shape[1]), dim=1).indices  # (N, k)
    missed = (guesses != labels[:, None]).all(dim=1)
    return (missed | scores.gather(1, labels[:, None])[:, 0].isnan()).sum()


@torch.no_grad()
def log_average_views(model: nn.Module, views: Iterable[Tensor]) -> Tensor:
    """Return ln of what `average_views` returns, exact also for probabilities that are too small for it.

    Args and Raises as for `average_views`.
    """
    check_evaluation_mode(model)
    total, num_views = None, 0
    for view in views:
        logits = compute_logits(model, view)
        # In float64 the order of nearly equal logits survives the softmax; Apple's GPUs have none.
        precise = torch.float32 if logits.device.type == "mps" else torch.float64
        log_probabilities = F.log_softmax(logits.to(precise), dim=1)
        total = log_probabilities if total is None else torch.logaddexp(total, log_probabilities)
        num_views += 1
    if total is None:
        raise ValueError("there are no crops of the images")
    return total - math.log(num_views)


def average_views(model: nn.Module, views: Iterable[Tensor]) -> Tensor:
    """Average the softmax, not the logits, over crops of the same images (ten-crop evaluation, paper 4.1).

    Args:
        model: from images (N, C, H, W) to logits (N, num_classes); must be in evaluation mode.
        views: crops, each (N, C, H, W), ready for the model; `alexnet.transforms.ten_crops` makes the paper's
            ten.
    Returns:
        (N, num_classes) probabilities, float64.
    Raises:
        ValueError: the model is in training mode, or there are no crops.
    """
    return log_average_views(model, views).exp()


def average_nets(probabilities: Sequence[Tensor]) -> Tensor:
    """Average the predictions of several networks for the same images, with equal weights (paper 6).

    Args:
        probabilities: of each network, (N, num_classes).
    Raises:
        ValueError: there are none, or they differ in shape.
    """
    shapes = sorted({tuple(each.shape) for each in probabilities})
    if len(shapes) != 1:
        raise ValueError(f"networks can be averaged over the same images and classes, got shapes {shapes}")
    return torch.stack(tuple(probabilities)).mean(0)


def count(log_probabilities: Tensor, labels: Tensor, *, ks: tuple[int, ...] = (1, 5)) -> Counts:
    """Count the errors of predictions.

    Args:
        log_probabilities: (N, num_classes), natural logarithms.
        labels: (N,) int64 class indices.
        ks: numbers of guesses; where one is at least the number of classes, nothing is wrong.
    Raises:
        ValueError: a k is not positive.
    """
    return count_batches([(log_probabilities, labels)], ks)


def evaluate(model: nn.Module, batches: Batches, *, views: Views, ks: tuple[int, ...] = (1, 5)) -> Counts:
    """Count the errors of a model, whose prediction is the average over crops of an image (paper 4.1, 6).

    Args:
        model: from images (N, C, H, W) to logits (N, num_classes); must be in evaluation mode.
        batches: (images, labels) pairs; every image counts once, whatever the batch size.
        views: function from a batch's images to an iterable of the crops that the model reads;
            for example ``functools.partial(ten_crops, size=224, statistics=statistics)``.
        ks: numbers of guesses; where one is at least the number of classes, nothing is wrong.
    Returns:
        counts, all zero where there are no batches, as a process may have none of its own.
    Raises:
        ValueError: the model is in training mode, there are no crops, or a k is not positive.
    """
    check_evaluation_mode(model)
    return count_batches(((log_average_views(model, views(x)), labels) for x, labels in batches), ks)


def count_batches(predictions: Batches, ks: tuple[int, ...]) -> Counts:
    """Count the errors of (log probabilities, labels) pairs; waits for the device only once, at the end."""
    if min(ks) < 1:
        raise ValueError(f"ks must be at least 1, got {ks}")
    num_images, loss_sum = 0, 0.0
    wrong: dict[int, int | Tensor] = dict.fromkeys(ks, 0)
    for log_probabilities, labels in predictions:
        labels = labels.to(log_probabilities.device, non_blocking=True)
        for k in ks:
            wrong[k] = wrong[k] + num_wrong(log_probabilities, labels, k)
        loss_sum = loss_sum + F.nll_loss(log_probabilities, labels, reduction="sum")
        num_images += len(labels)
    counted = {k: int(sum_) for k, sum_ in wrong.items()}
    return Counts(num_images=num_images, wrong=counted, loss_sum=float(loss_sum))


def sum_over_ranks(counts: Counts, group: dist.ProcessGroup | None = None) -> Counts:
    """Add up the counts of all processes, each with different images; all of them get the same sum.

    Args:
        counts: of this process.
        group: the processes that saw different images; all of them if None. Processes that hold towers of
            one network see the same images and must not be in it together.
    Returns:
        the sum; the counts themselves where there is only this process.
    """
    if not dist.is_initialized():
        return counts
    gathered = [counts] * dist.get_world_size(group)
    # As objects, because this works with every backend and all ranks add in the same order.
    dist.all_gather_object(gathered, counts, group)
    return sum(gathered[1:], gathered[0])


def error_rates(model: nn.Module, batches: Batches, *, ks: tuple[int, ...] = (1, 5)) -> dict[str, float]:
    """Return the fraction of images that the model misclassifies, for each number of guesses.

    Args:
        model: as for `evaluate`.
        batches: as for `evaluate`; the images are what the model reads, one crop of each.
        ks: as for `evaluate`.
    Returns:
        ``{"top1": rate, "top5": rate}`` for the given ks, rates as fractions between 0 and 1.
    Raises:
        ValueError: the model is in training mode, there are no images, or a k is not positive.
    """
    return evaluate(model, batches, views=as_they_are, ks=ks).error_rates()


def as_they_are(images: Tensor) -> tuple[Tensor]:
    """Take images that are ready for the model as their only crop."""
    return (images,)


def check_evaluation_mode(model: nn.Module) -> None:
    """Raise ValueError if the model is in training mode."""
    if model.training:
        raise ValueError("the model is in training mode, where dropout is on; call model.eval() first")

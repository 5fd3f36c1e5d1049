"""Error rates on the validation images, over all processes, in float32 at any training precision."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from alexnet.data.loader import Loader
from alexnet.distributed.parallel import ParallelAlexNet, check_replicas
from alexnet.distributed.ranks import Ranks
from alexnet.evaluation.errors import Views, evaluate, sum_over_ranks
from alexnet.training.batches import on_device
from alexnet.training.learner import Learner
from alexnet.training.signals import end_if_asked
from alexnet.transforms.ten_crop import prepare_centre, ten_crops


def validate(
    learner: Learner,
    loader: Loader,
    stop_signal: Callable[[], int] = lambda: 0,
    *,
    ten_views: bool = False,
    first_step: int = 0,
) -> dict[str, float]:
    """Measure the network; all processes must call this.

    Args:
        learner: whose network is measured.
        loader: of ``validation_loader``.
        stop_signal: asked before each batch; the number of a signal breaks the validation off.
        ten_views: average over the paper's ten crops (4.1) instead of the central crop alone.
        first_step: the batch to begin with; 0 measures on all images.
    Returns:
        "top1" and "top5", error rates as fractions, and "nll", the mean loss in nats.
    Raises:
        Stopped: by a signal.
        BatchFailed: a batch cannot be read here.
        OtherFailed: in another process.
        ValueError: the processes' copies of the parameters differ.
    """
    ranks = learner.ranks
    if isinstance(learner.net, ParallelAlexNet):
        check_replicas(learner.net)
    learner.net.eval()
    batches = yield_batches(loader, ranks, first_step, stop_signal)
    counts = evaluate(learner.net, batches, views=make_views(learner, ten_views))
    if ranks.mesh is not None:
        counts = sum_over_ranks(counts, ranks.mesh.get_group("data"))
    return {**counts.error_rates(), "nll": counts.mean_loss()}


def yield_batches(
    loader: Loader, ranks: Ranks, first_step: int, stop_signal: Callable[[], int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) on the device; of the last batch this process may have nothing."""
    batches = on_device(loader.epoch(0, first_step), ranks.device)
    while (batch := ranks.in_all(lambda: next(batches, None))) is not None:
        end_if_asked(ranks, stop_signal)
        if len(batch.labels):
            yield batch.images, batch.labels


def make_views(learner: Learner, ten_views: bool) -> Views:
    """Return the function that makes crops of stored images."""
    options: dict[str, Any] = {"size": learner.recipe.net.input_size, "statistics": learner.statistics}
    if ten_views:
        return functools.partial(ten_crops, mean=learner.recipe.augment.mean, **options)
    return lambda images: (prepare_centre(images, **options),)

"""Error rates on the validation pictures, over all processes, in float32 whatever training is done in."""

import functools
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from alexnet.augment import prepare_centre, ten_crops
from alexnet.evaluate import Views, evaluate, sum_over_ranks
from alexnet.loader import Loader
from alexnet.training.batches import on_device
from alexnet.training.devices import Ranks
from alexnet.training.learner import Learner


def validate(
    learner: Learner, loader: Loader, *, ten_views: bool = False, first_step: int = 0
) -> dict[str, float]:
    """Measure the net; all processes must call this.

    Args:
        learner: whose net is measured.
        loader: of ``validation_loader``.
        ten_views: average over the ten views of the paper (4.1) in place of the centre alone.
        first_step: the batch to begin with; 0 measures on all pictures.
    Returns:
        "top1" and "top5", error rates as fractions, and "nll", the mean loss in nats.
    """
    learner.net.eval()
    ranks = learner.ranks
    counts = evaluate(learner.net, batches_of(loader, ranks, first_step), views=views_of(learner, ten_views))
    if ranks.mesh is not None:
        counts = sum_over_ranks(counts, ranks.mesh.get_group("data"))
    return {**counts.error_rates(), "nll": counts.mean_loss()}


def batches_of(loader: Loader, ranks: Ranks, first_step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels) on the device; of the last batch this process may have nothing."""
    for batch in on_device(loader.epoch(0, first_step), ranks.device):
        if len(batch.labels):
            yield batch.images, batch.labels


def views_of(learner: Learner, ten_views: bool) -> Views:
    """Return what makes views of stored pictures."""
    options: dict[str, Any] = {"size": learner.recipe.net.input_size, "statistics": learner.statistics}
    if ten_views:
        return functools.partial(ten_crops, mean=learner.recipe.augment.mean, **options)
    return lambda images: (prepare_centre(images, **options),)

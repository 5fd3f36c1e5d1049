"""This process's batches, on its device."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import torch

from alexnet.data.loader import Batch, Loader, evaluation_loader
from alexnet.devices import local_size
from alexnet.distributed.ranks import Ranks
from alexnet.training.plan import Plan


def training_loader(plan: Plan, ranks: Ranks) -> Loader:
    """Return the loader of this process's part of the training images."""
    learning = plan.recipe.learning
    return Loader(
        plan.dataset.train,
        learning.batch_size,
        drop_last=True,
        order=learning.order,
        seed=plan.settings.seed,
        **reading(plan, ranks),
    )


def validation_loader(plan: Plan, ranks: Ranks) -> Loader | None:
    """Return the loader of this process's part of the validation images; None in a set without any."""
    if plan.validation_split is None:
        return None
    return evaluation_loader(plan.validation_split, plan.recipe.learning.batch_size, **reading(plan, ranks))


def reading(plan: Plan, ranks: Ranks) -> dict[str, Any]:
    """Return the settings with which a process reads images of any split."""
    return {
        "rank": ranks.data_rank,
        "num_ranks": ranks.num_data,
        "workers": plan.settings.workers,
        "pin_memory": ranks.device.type == "cuda",
        # Workers of the training wait with their batches while those of a validation read.
        "sharing": local_size() * (1 if plan.validation_split is None else 2),
    }


def batches_from(loader: Loader, step: int, device: torch.device) -> Generator[Batch]:
    """Yield batches on the device, from a step of the whole training on, epoch after epoch."""
    epoch, first_step = divmod(step, loader.steps_per_epoch)
    while True:
        yield from on_device(loader.epoch(epoch, first_step), device)
        epoch, first_step = epoch + 1, 0


def on_device(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on the device; on a GPU each is copied while the previous one is processed."""
    if device.type != "cuda":
        yield from batches
        return
    stream = torch.cuda.Stream(device)
    ready: tuple[Batch, torch.Event | torch.cuda.Event] | None = None
    for batch in batches:
        with torch.cuda.stream(stream):
            copy = Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
            copied = stream.record_event()
        if ready:
            yield received(*ready)
        ready = copy, copied
    if ready:
        yield received(*ready)


def received(batch: Batch, copied: "torch.Event | torch.cuda.Event") -> Batch:
    """Make the work that follows wait for a batch's copy, and its memory stay until that work is done."""
    stream = torch.cuda.current_stream(batch.images.device)
    stream.wait_event(copied)
    for tensor in batch:
        tensor.record_stream(stream)
    return batch

"""The plan of a training run and an estimate of its duration, from a few steps that are not kept.

Of all that they compute only the statistics of the images stay, in the folder of the data set.
"""

import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from alexnet.devices import (
    compiling_explained,
    local_size,
    out_of_memory_explained,
    prepare_device,
    settle,
    usable_cores,
)
from alexnet.distributed.ranks import Ranks, joined, num_nodes, placed
from alexnet.models.summary import memory, summary, total
from alexnet.shown import duration
from alexnet.training.batches import batches_from, training_loader, validation_loader
from alexnet.training.folder import check_folder, free_bytes
from alexnet.training.learner import Learner, make_learner
from alexnet.training.messages import device_in_words, plan_in_words
from alexnet.training.plan import Plan
from alexnet.training.settings import TrainSettings, command_line
from alexnet.training.state import newest_whole, planned
from alexnet.training.validation import validate

WARM_UP_STEPS = 2
MEASURED_STEPS, MEASURED_SECONDS = 3, 2.0  # at least both
CHECKPOINTS_AT_ONCE = 4  # the last two, the best, and the one that is being written


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """The plan and the estimate of a training run.

    Attributes:
        data: name of the data set.
        net: name of the network.
        recipe: name of the recipe.
        classes: their number.
        train_images: their number.
        validation_images: their number.
        batch_size: images in an update.
        batch_per_net: the images of it that each whole network processes.
        nets: whole networks side by side.
        devices_per_net: devices of each network, with a tower on each.
        steps_per_epoch: full batches of an epoch.
        images_left_out: images of an epoch that are too few for another batch.
        num_steps: of the whole training.
        first_step: the step after which this run would resume.
        last_step: the step after which it would stop.
        num_parameters: of the network.
        memory_needed: bytes on each device, by the count of ``alexnet summary``.
        memory_free: bytes on each device; None where the system does not say.
        memory_peak: bytes that a GPU held at most in the steps that were done; None on the CPU.
        disk_needed: bytes.
        disk_free: bytes.
        reading: a sentence if fewer processes can read than were asked for, else "".
        seconds_per_step: measured.
        images_per_second: measured, all devices together.
        wait_share: measured: the fraction of the time spent waiting for images.
        validation_seconds: of one validation, from a part of it; 0 without.
        epoch_seconds: of an epoch, with validations.
        total_seconds: of this run, with validations.
        device: the device of the measurement, in words.
        gpus: names of the GPUs of this machine.
        cores: number of cores that may be used.
        command: the command that starts this training run on the available devices.
    """

    data: str
    net: str
    recipe: str
    classes: int
    train_images: int
    validation_images: int
    batch_size: int
    batch_per_net: int
    nets: int
    devices_per_net: int
    steps_per_epoch: int
    images_left_out: int
    num_steps: int
    first_step: int
    last_step: int
    num_parameters: int
    memory_needed: int
    memory_free: int | None
    memory_peak: int | None
    disk_needed: int
    disk_free: int
    reading: str
    seconds_per_step: float
    images_per_second: float
    wait_share: float
    validation_seconds: float
    epoch_seconds: float
    total_seconds: float
    device: str
    gpus: list[str]
    cores: int
    command: str
    text: str


def dry_run(settings: TrainSettings) -> DryRun | None:
    """Check data, devices, memory, disk and batches of a training run, do a few steps, and estimate the rest.

    Under torchrun all processes call this, as for ``train``.

    Returns:
        the plan; None in processes other than the first.
    Raises:
        ValueError: the training run is not possible; the message says why.
        FileNotFoundError: a file that it needs is missing; the message names it.
    """
    with joined(settings.device) as ranks:
        prepare_device(ranks.device, deterministic=settings.deterministic)
        plan = planned(settings, ranks)
        ranks = placed(ranks, plan.layout)
        checked = ranks.broadcast(lambda: check(plan, ranks))
        with out_of_memory_explained(plan.recipe.learning.batch_size), compiling_explained():
            learner = make_learner(plan, ranks)
            measured = measure(plan, learner)
        return result(plan, ranks, checked | measured) if ranks.is_first else None


def check(plan: Plan, ranks: Ranks) -> dict[str, Any]:
    """Return the facts that need no step, or raise ValueError if something does not fit."""
    folder, learning = plan.settings.folder, plan.recipe.learning
    check_folder(plan)
    checkpoint, _ = newest_whole(plan, folder)
    first_step = checkpoint.step if checkpoint else 0
    counted = summary(plan.recipe.net, batch_size=learning.batch_size // plan.layout.data_parallel)
    rows = counted.tower_rows if plan.layout.towers > 1 else counted.rows
    needed, free = sum(memory(rows)), free_memory(ranks.device)
    if free is not None and needed > free:
        raise ValueError(
            f"training needs about {gigabytes(needed)} of memory on each device, and {gigabytes(free)} are "
            f"free; choose a `--batch-size` below {learning.batch_size}"
        )
    num_parameters = total(counted.rows, "num_parameters")
    disk_needed, disk_free = 8 * CHECKPOINTS_AT_ONCE * num_parameters, free_bytes(folder)
    if disk_needed > disk_free:
        raise ValueError(
            f"checkpoints need {gigabytes(disk_needed)} of disk for {folder}, and {gigabytes(disk_free)} "
            "are free; choose another `--out`"
        )
    return {
        "first_step": first_step,
        "num_parameters": num_parameters,
        "memory_needed": needed,
        "memory_free": free,
        "disk_needed": disk_needed,
        "disk_free": disk_free,
    }


def measure(plan: Plan, learner: Learner) -> dict[str, Any]:
    """Do steps and a part of a validation, and return how long they take; all processes must call this."""
    ranks, loader = learner.ranks, training_loader(plan, learner.ranks)
    rates, batches = plan.schedule.rates(0.0), batches_from(loader, 0, ranks.device)
    for step in range(WARM_UP_STEPS):
        learner.step(next(batches), step, rates)
    settle(ranks.device)
    start, waited, steps = time.perf_counter(), loader.wait_seconds, 0
    while steps < MEASURED_STEPS or ranks.max([time.perf_counter() - start])[0] < MEASURED_SECONDS:
        learner.step(next(batches), WARM_UP_STEPS + steps, rates)
        settle(ranks.device)
        steps += 1
    seconds = time.perf_counter() - start
    waited = loader.wait_seconds - waited
    batches.close()
    loader.close()
    return {
        "reading": loader.room.note,
        "seconds_per_step": seconds / steps,
        "wait_share": min(1.0, waited / seconds),
        "memory_peak": peak_memory(ranks.device),
        "validation_seconds": measure_validation(plan, learner),
    }


def measure_validation(plan: Plan, learner: Learner) -> float:
    """Return about how long a validation takes, from its last two batches; 0 without validation images."""
    loader, split = validation_loader(plan, learner.ranks), plan.validation_split
    if loader is None or split is None:
        return 0.0
    first = max(0, loader.steps_per_epoch - 2)
    measured = len(split) - first * loader.batch_size  # the last batch may be small
    start = time.perf_counter()
    validate(learner, loader, first_step=first)
    seconds = time.perf_counter() - start
    loader.close()
    return seconds / measured * len(split)


def result(plan: Plan, ranks: Ranks, found: dict[str, Any]) -> DryRun:
    """Combine facts and measurements."""
    learning, validation = plan.recipe.learning, plan.validation_split
    validations_per_epoch = plan.steps_per_epoch / plan.validate_every if validation is not None else 0
    seconds = found["seconds_per_step"]
    epoch_seconds = plan.steps_per_epoch * seconds + validations_per_epoch * found["validation_seconds"]
    facts = found | {
        "data": plan.dataset.name,
        "net": plan.recipe.net.name,
        "recipe": plan.recipe.name,
        "classes": len(plan.dataset.classes),
        "train_images": len(plan.dataset.train),
        "validation_images": 0 if validation is None else len(validation),
        "batch_size": learning.batch_size,
        "batch_per_net": learning.batch_size // plan.layout.data_parallel,
        "nets": plan.layout.data_parallel,
        "devices_per_net": plan.layout.towers,
        "steps_per_epoch": plan.steps_per_epoch,
        "images_left_out": len(plan.dataset.train) - plan.steps_per_epoch * learning.batch_size,
        "num_steps": plan.num_steps,
        "images_per_second": learning.batch_size / seconds,
        "epoch_seconds": epoch_seconds,
        "last_step": plan.last_step,
        "total_seconds": epoch_seconds * max(0, plan.last_step - found["first_step"]) / plan.steps_per_epoch,
        "device": device_in_words(ranks, plan.settings),
        "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
        "cores": usable_cores(),
        "command": command_for_devices(plan, ranks),
    }
    return DryRun(**facts, text=in_words(plan, facts))


def command_for_devices(plan: Plan, ranks: Ranks) -> str:
    """Return the command that trains on the current processes, else on all GPUs that fit."""
    if ranks.size > 1 or plan.settings.device not in ("auto", "cuda"):
        return command_line(plan.settings, ranks.size, num_nodes())
    return command_line(plan.settings, num_ranks_for(plan, torch.cuda.device_count()))


def num_ranks_for(plan: Plan, num_gpus: int) -> int:
    """Return how many of the GPUs a training run can use: towers and batch must divide evenly."""
    towers = 1 if plan.settings.parallel == "data" else plan.recipe.net.towers
    for num_ranks in range(num_gpus, 1, -1):
        if num_ranks % towers == 0 and plan.recipe.learning.batch_size % (num_ranks // towers) == 0:
            return num_ranks
    return 1


def in_words(plan: Plan, facts: dict[str, Any]) -> str:
    """Describe the plan and the estimate."""
    free = "" if facts["memory_free"] is None else f", of {gigabytes(facts['memory_free'])} free"
    peak = "" if facts["memory_peak"] is None else f"; measured {gigabytes(facts['memory_peak'])}"
    more = f" of {plan.num_steps:,}, as --max-steps asks" if plan.last_step < plan.num_steps else ""
    sooner = "; a plateau may end it sooner" if plan.recipe.learning.schedule == "plateau" else ""
    lines = [
        plan_in_words(plan),
        facts["device"],
        *([facts["reading"]] if facts["reading"] else []),
        f"memory on each device: {gigabytes(facts['memory_needed'])} by the count of `alexnet summary`"
        f"{free}{peak}",
        f"disk: {gigabytes(facts['disk_needed'])} for checkpoints of {facts['num_parameters']:,} parameters, "
        f"of {gigabytes(facts['disk_free'])} free; folder {plan.settings.folder}",
        f"step: {1000 * facts['seconds_per_step']:.0f} ms, {facts['images_per_second']:,.0f} images/s, "
        f"{facts['wait_share']:.0%} of it waiting for images",
        f"epoch: {duration(facts['epoch_seconds'])}, with {duration(facts['validation_seconds'])} for a "
        f"validation; {facts['images_left_out']} images do not fill a batch and are left out",
        f"all: {duration(facts['total_seconds'])}, from step {facts['first_step']:,} to "
        f"{facts['last_step']:,}{more}{sooner}",
    ]
    return "\n".join([*lines, "this runs it:", f"  {facts['command']}"])


def as_json(found: DryRun) -> str:
    """Return a dry run as JSON."""
    return json.dumps(asdict(found), indent=1)


def gigabytes(count: int) -> str:
    """Return bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def peak_memory(device: torch.device) -> int | None:
    """Return the bytes that tensors on a GPU took at most; None on the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that one process may still take on its device; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return None
    found = re.search(r"^MemAvailable:\s*(\d+) kB", meminfo.read_text(encoding="utf-8"), re.MULTILINE)
    return 1024 * int(found[1]) // local_size() if found else None

"""What a training says about itself, in plain sentences."""

from dataclasses import replace

import torch

from alexnet.data.splits import PartOfSplit
from alexnet.devices import bfloat16_warning
from alexnet.distributed.ranks import Ranks, num_nodes, world_size
from alexnet.storage.records import Record
from alexnet.storage.run_files import WEIGHTS
from alexnet.training.fine_tuning import factors_in_words, initial_in_words
from alexnet.training.plan import Plan
from alexnet.training.settings import TrainSettings, command_line


def plan_in_words(plan: Plan) -> str:
    """Describe the data, the network and the recipe of a training run."""
    recipe, learning, net = plan.recipe, plan.recipe.learning, plan.recipe.net
    train, val = plan.dataset.train, plan.validation_split
    size, nets = train.shape[-1], plan.layout.data_parallel
    towers = f"{net.towers} towers" if net.towers > 1 else "one tower"
    if plan.layout.towers > 1:
        towers += ", each on a device of its own"
    share = f", {learning.batch_size // nets} for each of {nets} networks" if nets > 1 else ""
    held_out = " held out of them" if isinstance(val, PartOfSplit) else ""
    validation = f"{len(val):,}{held_out} to validate on" if val is not None else "none to validate on"
    more = [] if plan.initial is None else [initial_in_words(plan.initial, net)]
    more += [factors_in_words(learning.rate_factors)] if learning.rate_factors else []
    return (
        f"data: {plan.dataset.source}: {len(train):,} images of {size}x{size} to train on, "
        f"{validation}, {len(plan.dataset.classes)} classes\n"
        f"net: {net.name}, {why_this_net(plan)}; {towers}, reads {net.input_size}x{net.input_size}\n"
        f"recipe: {recipe.name}, schedule {learning.schedule}, {learning.epochs:g} epochs of "
        f"{plan.steps_per_epoch:,} steps of {learning.batch_size} images{share}"
    ) + "".join(f"\n{line}" for line in more)


def why_this_net(plan: Plan) -> str:
    """Return why this network is trained."""
    if plan.settings.net is not None:
        return "as asked for"
    own = plan.settings.recipe_asked_for().net
    if own.name == plan.recipe.net.name:
        return "the recipe's own"
    if plan.settings.init_from is not None:
        return "that of the weights"
    size = plan.dataset.train.shape[-1]
    return f"since images of {size} pixels are too small for {own.name}, which reads {own.input_size}"


def device_in_words(ranks: Ranks, settings: TrainSettings) -> str:
    """Describe the device of a training run."""
    several = f"{ranks.size} processes" if ranks.size > 1 else "one process"
    if ranks.device.type == "cuda":
        return f"device: {torch.cuda.get_device_name(ranks.device)}, {several}, {settings.precision}"
    threads = torch.get_num_threads()
    each = f"{threads} thread{'s' * (threads > 1)}{' each' * (ranks.size > 1)}"
    warning = bfloat16_warning(ranks.device, settings.precision)
    return f"device: CPU, {several}, {each}, {settings.precision}" + (f"\n{warning}" if warning else "")


def end_in_words(settings: TrainSettings, record: Record) -> str:
    """Describe how a training run ended, and how to resume it."""
    results = record.results
    where = f"step {results['step']:,}, epoch {results['epochs']:.2f}"
    if results["ended"] == "finished":
        rates = results.get("ten_views")
        measured = f"; ten crops: top-1 {rates['top1']:.1%}, top-5 {rates['top5']:.1%}" if rates else ""
        return f"finished at {where}{measured}; weights in {settings.folder / WEIGHTS}"
    reason = f"stopped by {results['ended']}" if results["signal"] else "stopped at --max-steps"
    where = f"at {where}, saved" if results["step"] else "before the first step"
    command = command_line(replace(settings, max_steps=None), world_size(), num_nodes())
    return f"{reason} {where}; this command resumes it:\n  {command}"

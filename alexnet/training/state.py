"""The state of a training run as a checkpoint and back, and its record."""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from alexnet import config
from alexnet.config import NetConfig
from alexnet.distributed.ranks import Ranks
from alexnet.models.alexnet import AlexNet
from alexnet.models.create import check_shapes
from alexnet.storage import records
from alexnet.storage.checkpoints import (
    Checkpoint,
    Validation,
    check_fits,
    load,
    load_weights,
    locate,
    newest_first,
    retain_last_and_best,
    save,
    save_weights,
)
from alexnet.storage.records import Record
from alexnet.storage.run_files import CHECKPOINTS, SETTINGS, WEIGHTS
from alexnet.storage.tensorfile import Damaged
from alexnet.training.learner import Learner
from alexnet.training.plan import Plan, make_plan
from alexnet.training.settings import TrainSettings, read_kept, to_dict

ASIDE = ".damaged"  # ends the name of a checkpoint that is


def recipe_text(plan: Plan) -> str:
    """Return a plan's recipe as JSON."""
    return json.dumps(config.to_dict(plan.recipe))


def make_checkpoint(plan: Plan, learner: Learner, step: int, validations: Sequence[Validation]) -> Checkpoint:
    """Return the checkpoint of a training, whole in the first process; all processes must call this.

    Args:
        plan: the training.
        learner: what is trained.
        step: updates done.
        validations: all so far.
    """
    weights, velocities = learner.state()
    statistics = learner.statistics
    return Checkpoint(
        weights=weights,
        velocities=velocities,
        statistics={
            "mean_image": statistics.mean_image,
            "pca_stds": statistics.pca_stds,
            "pca_vectors": statistics.pca_vectors,
            "num_images": torch.tensor(statistics.num_images),
        },
        recipe=recipe_text(plan),
        classes=list(plan.dataset.classes),
        names=list(plan.dataset.names),
        fingerprint=plan.dataset.fingerprint,
        environment=records.environment(learner.ranks.device),
        epoch=step // plan.steps_per_epoch,
        step=step,
        images_seen=step * plan.recipe.learning.batch_size,
        validations=list(validations),
        seed=plan.settings.seed,
    )


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint into a run's folder; of the older ones the last and the best stay.

    Raises:
        OSError: it cannot be written; the older checkpoints are all there then.
    """
    save(locate(folder / CHECKPOINTS, checkpoint.step), checkpoint)
    retain_last_and_best(folder / CHECKPOINTS, checkpoint.step, checkpoint.validations)


def planned(settings: TrainSettings, ranks: Ranks) -> Plan:
    """Make the plan of a training that begins or resumes, in all processes; all must call this.

    A fine-tuned run resumes without the network that it started from, which need not be named nor be there.

    Raises:
        FileNotFoundError: as for `make_plan`.
        ValueError: likewise.
        OSError: a checkpoint cannot be read.
    """
    source, net = ranks.broadcast(lambda: fine_tuned(settings))
    if source is not None and settings.init_from is None:
        settings = replace(settings, init_from=source, out=str(settings.folder))
    return ranks.in_all(lambda: make_plan(settings, ranks.size, net))


def fine_tuned(settings: TrainSettings) -> tuple[str | None, NetConfig | None]:
    """Return what a fine-tuned run started from, and the network of its newest whole checkpoint.

    None and None of another run, and where there is no such checkpoint. Raises OSError: one cannot be read.
    """
    source = settings.init_from
    if source is None:
        with contextlib.suppress(ValueError, OSError):  # the settings of the run are not there, or damaged
            source = read_kept(settings.folder / SETTINGS)[0].init_from
    for path in newest_first(settings.folder / CHECKPOINTS) if source is not None else []:
        with contextlib.suppress(Damaged):
            return source, config.from_dict(json.loads(load_weights(path).recipe)).net
    return None, None


def resume(
    plan: Plan, learner: Learner, folder: Path, say: Callable[[str], None]
) -> tuple[int, list[Validation]]:
    """Resume from the newest intact checkpoint in the run's folder; all processes must call this.

    Only the first process needs to see the folder. A damaged checkpoint is renamed, so that it is neither
    taken for the newest one nor lost.

    Args:
        plan: the training.
        learner: what is trained.
        folder: of the run.
        say: called with a sentence about each damaged checkpoint, in the first process.
    Returns:
        the updates done and the validations so far; 0 and none if there is no checkpoint. In that case the
        training starts, from a trained network if the settings name one.
    Raises:
        ValueError: no checkpoint is whole, or it is one of another training.
        OSError: it cannot be read.
    """
    found: list[Checkpoint] = []

    def look() -> tuple[int, list[Validation]]:
        checkpoint, damaged = newest_whole(plan, folder)
        if checkpoint is None:
            return -1, []
        for path in damaged:
            aside = path.with_name(path.name + ASIDE)
            os.replace(path, aside)
            say(f"{path} is damaged and now called {aside.name}; going on after step {checkpoint.step:,}")
        if is_finished(plan, checkpoint) and not (folder / WEIGHTS).is_file():
            save_weights(folder / WEIGHTS, checkpoint)  # the disk was full at the end
        found.append(checkpoint)
        return checkpoint.step, checkpoint.validations

    step, validations = learner.ranks.broadcast(look)
    if step >= 0:
        learner.load(found[0].weights if found else {}, found[0].velocities if found else {})
    elif plan.initial is not None:
        weights, velocities = learner.state()
        learner.load({**weights, **plan.initial.weights}, velocities)
    return max(step, 0), list(validations)


def is_finished(plan: Plan, checkpoint: Checkpoint) -> bool:
    """Whether the training was over at a checkpoint."""
    errors = [validation.error for validation in checkpoint.validations]
    return plan.schedule.rates(plan.epoch(checkpoint.step), errors).finished


def newest_whole(plan: Plan, folder: Path) -> tuple[Checkpoint | None, list[Path]]:
    """Return the newest checkpoint of a run that is whole, if it has any, and the newer ones, damaged.

    Args:
        plan: the training.
        folder: of the run.
    Raises:
        ValueError: there are checkpoints and all are damaged, or it is one of another training.
        OSError: one cannot be read.
    """
    damaged: list[Path] = []
    for path in newest_first(folder / CHECKPOINTS):
        try:
            return load_checked(path, plan), damaged
        except Damaged:
            damaged.append(path)
    if damaged:
        raise ValueError(
            f"no checkpoint in {damaged[0].parent} is whole; delete them to begin anew, or choose another "
            "folder with `--out`"
        )
    return None, []


def load_checked(path: Path, plan: Plan) -> Checkpoint:
    """Read a checkpoint and check that it belongs to this training run.

    Raises:
        Damaged: it is not whole.
        ValueError: it is not; the sentence says in what it differs and what can be done.
        OSError: it cannot be read.
    """
    checkpoint = load(path)
    try:
        check_fits(checkpoint, recipe_text(plan), plan.dataset.classes, plan.dataset.fingerprint)
        if checkpoint.seed != plan.settings.seed:
            raise ValueError(f"its seed is {checkpoint.seed}, not {plan.settings.seed}")
    except ValueError as error:
        raise ValueError(
            f"{path} is of another training: {error}; choose another folder with `--out`"
        ) from error
    own = locate(path.parent, checkpoint.step)
    if path != own:  # or the training would resume from it again and again
        raise ValueError(f"{path} holds the state after step {checkpoint.step}; call it {own.name}")
    check_parameters(checkpoint, plan, path)
    return checkpoint


def check_parameters(checkpoint: Checkpoint, plan: Plan, path: Path) -> None:
    """Raise Damaged unless a checkpoint has weights and velocities for each parameter of the network."""
    with torch.device("meta"):  # nothing but names and shapes
        net = AlexNet(plan.recipe.net)
    try:
        check_shapes(net, checkpoint.weights, name=f"{path}")
        check_shapes(net, checkpoint.velocities, name=f"the velocities in {path}")
    except ValueError as error:
        raise Damaged(str(error)) from error


def compose_record(plan: Plan, device: torch.device, seconds: float, results: dict[str, Any]) -> Record:
    """Return the record of a run up to now.

    Args:
        plan: the training.
        device: of the run.
        seconds: so far.
        results: what was measured.
    """
    dataset, recipe = plan.dataset, plan.recipe
    return Record(
        experiment="train",
        scale=(
            f"the network {recipe.net.name!r} by the recipe {recipe.name!r} on {len(dataset.train):,} images "
            f"of {dataset.source}, {results['epochs']:.4g} of {recipe.learning.epochs:g} epochs, one seed"
        ),
        data={
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "classes": len(dataset.classes),
            "images": {name: len(split) for name, split in dataset.splits.items()},
        },
        config={
            "settings": to_dict(plan.settings),
            "recipe": json.loads(recipe_text(plan)),
            "ranks": plan.layout._asdict(),
        },
        seeds=[plan.settings.seed],
        environment=records.environment(device),
        seconds=seconds,
        results=results,
    )

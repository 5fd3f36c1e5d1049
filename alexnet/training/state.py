"""From a training to its checkpoint and back, and its record."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from alexnet import config, records
from alexnet.checkpoint import (
    Checkpoint,
    Validation,
    check_fits,
    latest,
    load,
    path_of,
    retain_last_and_best,
    save,
    save_weights,
)
from alexnet.records import Record
from alexnet.training.learner import Learner
from alexnet.training.plan import Plan
from alexnet.training.settings import to_dict

CHECKPOINTS = "checkpoints"  # the folder of them in a run's folder
WEIGHTS = "weights.pt"
RECORD = "run.json"


def recipe_text(plan: Plan) -> str:
    """Return a plan's recipe as JSON."""
    return json.dumps(config.to_dict(plan.recipe))


def checkpoint_of(plan: Plan, learner: Learner, step: int, validations: Sequence[Validation]) -> Checkpoint:
    """Return the checkpoint of a training, whole in the first process; all processes must call this.

    Args:
        plan, learner: the training. step: updates done. validations: all so far.
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
        classes=list(plan.pictures.classes),
        names=list(plan.pictures.names),
        fingerprint=plan.pictures.fingerprint,
        environment=records.environment(learner.ranks.device),
        epoch=step // plan.steps_per_epoch,
        step=step,
        images_seen=step * plan.recipe.learning.batch_size,
        validations=list(validations),
        seed=plan.settings.seed,
    )


def write_files(folder: Path, checkpoint: Checkpoint, *, finished: bool) -> None:
    """Write a checkpoint into a run's folder, and of a finished training what prediction needs.

    Of the older checkpoints the best one stays.

    Raises:
        OSError: something cannot be written; the older checkpoints are all there then.
    """
    save(path_of(folder / CHECKPOINTS, checkpoint.step), checkpoint)
    retain_last_and_best(folder / CHECKPOINTS, checkpoint.validations)
    if finished:
        save_weights(folder / WEIGHTS, checkpoint)


def resume(plan: Plan, learner: Learner) -> tuple[int, list[Validation]]:
    """Go on from the latest checkpoint in the run's folder; all processes must call this.

    Only the first process need see the folder.

    Returns:
        the updates done and the validations so far; 0 and none where there is no checkpoint.
    Raises:
        ValueError: the checkpoint is damaged, or is one of another training.
    """
    found: list[Checkpoint] = []

    def look() -> tuple[int, list[Validation]]:
        path = latest(plan.settings.folder / CHECKPOINTS)
        if path is None:
            return -1, []
        found.append(load_checked(path, plan))
        return found[0].step, found[0].validations

    step, validations = learner.ranks.from_first(look)
    if step >= 0:
        learner.load(found[0].weights if found else {}, found[0].velocities if found else {})
    return max(step, 0), list(validations)


def load_checked(path: Path, plan: Plan) -> Checkpoint:
    """Read a checkpoint and see that it is one of this training.

    Raises:
        ValueError: it is not; the sentence says in what it differs and what can be done.
    """
    checkpoint = load(path)
    try:
        check_fits(checkpoint, recipe_text(plan), plan.pictures.classes, plan.pictures.fingerprint)
        if checkpoint.seed != plan.settings.seed:
            raise ValueError(f"its seed is {checkpoint.seed}, not {plan.settings.seed}")
    except ValueError as error:
        raise ValueError(
            f"{path} is of another training: {error}; choose another folder with `--out`"
        ) from error
    return checkpoint


def record_of(plan: Plan, learner: Learner, seconds: float, results: dict[str, Any]) -> Record:
    """Return the record of a run as far as it has come.

    Args:
        plan, learner: the training. seconds: of training so far. results: what was measured.
    """
    pictures, recipe = plan.pictures, plan.recipe
    return Record(
        experiment="train",
        scale=(
            f"the net {recipe.net.name!r} by the recipe {recipe.name!r} on {len(pictures.train):,} pictures "
            f"of {pictures.source}, {results['epochs']:.4g} of {recipe.learning.epochs:g} epochs, one seed"
        ),
        data={
            "name": pictures.name,
            "source": pictures.source,
            "fingerprint": pictures.fingerprint,
            "classes": len(pictures.classes),
            "pictures": {name: len(split) for name, split in pictures.splits.items()},
        },
        config={
            "settings": to_dict(plan.settings),
            "recipe": json.loads(recipe_text(plan)),
            "ranks": plan.layout._asdict(),
        },
        seeds=[plan.settings.seed],
        environment=records.environment(learner.ranks.device),
        seconds=seconds,
        results=results,
    )

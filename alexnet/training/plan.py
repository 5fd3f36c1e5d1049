"""The plan of a training run, made before anything starts: the data, the network, the batches, the steps."""

import math
from dataclasses import dataclass, replace
from typing import Any

from alexnet.config import NetConfig, Recipe
from alexnet.data.prepared import PreparedSet, open_prepared, with_validation
from alexnet.data.splits import Split
from alexnet.distributed.parallel import Layout, layout
from alexnet.optim.schedule import Schedule, schedule_for
from alexnet.recipes import RECIPES, adapt_to_images, net_config
from alexnet.training.fine_tuning import Initial, fitted, read_factors, read_initial
from alexnet.training.settings import TrainSettings, every


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training, ready to run.

    Attributes:
        settings: what was asked for.
        dataset: the data, with validation images of its own or held out of the training images.
        recipe: fitted to the images and their classes, with the epochs and the batch size asked for.
        layout: how many whole networks run in parallel, and on how many devices each of them is.
        steps_per_epoch: full batches in a pass over the training images.
        num_steps: of the whole training, at most.
        validate_every: steps from one validation to the next.
        checkpoint_every: the same of checkpoints; None where the clock decides.
        initial: the trained network that it starts from, if any; see `fine_tuning.fitted`.
    """

    settings: TrainSettings
    dataset: PreparedSet
    recipe: Recipe
    layout: Layout
    steps_per_epoch: int
    num_steps: int
    validate_every: int
    checkpoint_every: int | None
    initial: Initial | None = None

    @property
    def validation_split(self) -> Split | None:
        """The images to validate on; None in a set that has none."""
        return self.dataset.splits.get("val")

    @property
    def schedule(self) -> Schedule:
        """The learning-rate schedule; "plateau" counts validations, so its patience is converted."""
        learning = self.recipe.learning
        patience = round(learning.plateau_patience * self.steps_per_epoch / self.validate_every)
        return schedule_for(replace(learning, plateau_patience=max(1, patience)))

    @property
    def last_step(self) -> int:
        """The step after which this run stops, at the latest."""
        return min(self.num_steps, self.settings.max_steps or self.num_steps)

    def epoch(self, step: int) -> float:
        """Return how often the training set has been passed through after so many steps."""
        return step / self.steps_per_epoch


def count_steps(epochs: float, steps_per_epoch: int) -> int:
    """Return after how many steps `Plan.epoch` reaches a number of epochs, a whole one or not."""
    steps = math.ceil(epochs * steps_per_epoch)  # by rounding one too many, for 2.2 epochs of 25
    return steps - 1 if (steps - 1) / steps_per_epoch >= epochs else steps


def make_plan(settings: TrainSettings, num_ranks: int = 1, net: NetConfig | None = None) -> Plan:
    """Open the data and work out a training.

    Args:
        settings: what is asked for.
        num_ranks: processes, one a device.
        net: that of the checkpoint from which a fine-tuned run resumes; then the one that it started from is
            not read.
    Raises:
        FileNotFoundError: the data, the recipe or the network to start from are not there.
        ValueError: the data, the network, the batches and the ranks do not go together.
    """
    dataset = with_validation(open_prepared(settings.data))
    initial = None if settings.init_from is None or net is not None else read_initial(settings.init_from)
    if initial is not None:
        net = initial.net
        if settings.net is None and settings.recipe in RECIPES:
            check_size(initial, dataset.train.shape[-1])
    recipe = with_rate_factors(fitted_recipe(settings, dataset, net), settings)
    if initial is not None:
        initial = fitted(initial, recipe.net, dataset)
    batch_size, num_images = recipe.learning.batch_size, len(dataset.train)
    places = layout(num_ranks, recipe.net, settings.parallel)
    if batch_size % places.data_parallel:
        raise ValueError(
            f"a batch of {batch_size} images cannot be divided evenly among {places.data_parallel} networks; "
            f"choose `--batch-size {places.data_parallel * max(1, round(batch_size / places.data_parallel))}`"
        )
    if batch_size > num_images:
        raise ValueError(
            f"{num_images:,} training images do not fill a batch of {batch_size}; "
            f"choose `--batch-size` {num_images} or less"
        )
    steps_per_epoch = num_images // batch_size
    validate_every = every(settings.validate_every).steps(steps_per_epoch)
    assert validate_every is not None  # ``TrainSettings`` takes no minutes
    plan = Plan(
        settings=settings,
        dataset=dataset,
        recipe=recipe,
        layout=places,
        steps_per_epoch=steps_per_epoch,
        num_steps=count_steps(recipe.learning.epochs, steps_per_epoch),
        validate_every=validate_every,
        checkpoint_every=every(settings.checkpoint_every).steps(steps_per_epoch),
        initial=initial,
    )
    if recipe.learning.schedule == "plateau" and plan.validation_split is None:
        raise ValueError(
            f"{dataset.name} has no validation images, by whose error the recipe {recipe.name!r} divides its "
            "learning rates; give them to `alexnet data prepare`, or choose `--recipe code2012`"
        )
    return plan


def with_rate_factors(recipe: Recipe, settings: TrainSettings) -> Recipe:
    """Return the recipe with the frozen layers and learning-rate factors of the settings added to its own.

    Raises:
        ValueError: the network lacks a layer, or none is left to be trained.
    """
    asked = read_factors(settings.freeze, settings.layer_rates)
    factors = tuple((dict(recipe.learning.rate_factors) | dict(asked)).items())
    return replace(recipe, learning=replace(recipe.learning, rate_factors=factors))


def fitted_recipe(settings: TrainSettings, dataset: PreparedSet, net: NetConfig | None = None) -> Recipe:
    """Return the recipe of the settings, fitted to the size of the images and to their classes.

    A recipe from a file says itself what crops it makes; nothing but the number of classes is changed.

    Args:
        settings: what is asked for.
        dataset: to train on.
        net: of the weights that the training starts from, if any.
    Raises:
        ValueError: the images are smaller than what the network reads.
    """
    recipe, size = settings.recipe_asked_for(), dataset.train.shape[-1]
    changes: dict[str, Any] = {"epochs": settings.epochs, "batch_size": settings.batch_size}
    changes = {key: value for key, value in changes.items() if value is not None}
    recipe = replace(recipe, learning=replace(recipe.learning, **changes))
    if settings.recipe in RECIPES:
        return adapt_to_images(recipe, chosen_net(settings, recipe, dataset, net), image_size=size)
    if size < recipe.augment.size + recipe.augment.num_offsets - 1:
        raise ValueError(
            f"the recipe {recipe.name!r} crops {recipe.augment.size} pixels at {recipe.augment.num_offsets} "
            f"positions a side, for which images of {size} pixels are too small"
        )
    return replace(recipe, net=replace(recipe.net, num_classes=len(dataset.classes)))


def check_size(initial: Initial, size: int) -> None:
    """Raise ValueError if images are smaller than what a trained network reads."""
    if size < initial.net.input_size:
        raise ValueError(
            f"{initial.source} reads {initial.net.input_size} pixels, for which images of {size} pixels are "
            "too small; prepare larger images, or leave `--init-from` out"
        )


def chosen_net(
    settings: TrainSettings, recipe: Recipe, dataset: PreparedSet, net: NetConfig | None = None
) -> NetConfig:
    """Return the network to train, for as many classes as the images have.

    It is the one asked for; else that of the weights that the training starts from; else the recipe's own;
    else, where the images are too small for that one, the network "small" with the recipe's other constants.
    """
    name = settings.net
    if name is None and net is not None:
        return replace(net, num_classes=len(dataset.classes))
    if name is None:
        name = recipe.name if dataset.train.shape[-1] >= recipe.net.input_size else "small"
    return net_config(name, base=recipe.name, num_classes=len(dataset.classes))

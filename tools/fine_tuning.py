"""What pre-training is worth, in miniature: a thin network learns five classes after five others.

`python -m tools.fine_tuning FOLDER --record data/records/fine-tuning.json` reads a prepared set of ten
classes. A network is trained on the first five; from its weights, with a new last layer, it goes on to the
last five at several numbers of images a class; and the same network learns these from scratch. Each arm has
the learning rate that is best on training images held out for that.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.config import Recipe, to_dict
from alexnet.data.loader import Batch, epoch_order
from alexnet.data.prepared import open_prepared
from alexnet.data.splits import Split
from alexnet.data.statistics import Sums
from alexnet.distributed.ranks import Ranks
from alexnet.experiments.intervals import gains, mean_interval
from alexnet.experiments.search import best_place, rate_at, wanted
from alexnet.models.create import HEAD_PARAMETERS
from alexnet.optim.schedule import schedule_for
from alexnet.recipes import CODE2012, adapt_to_images, net_config
from alexnet.seeds import make_generator
from alexnet.storage import records
from alexnet.training.learner import Learner
from alexnet.transforms.ten_crop import prepare_centre
from tools.baselines import batches

SIDE = 40  # pixels of the stored images; the network reads 36 of them
HELD_OUT = 100  # images of each class that learning rates are chosen by
SEARCH_SEED = 100
EPOCHS = {"50": 60.0, "200": 25.0, "all": 10.0}  # by images a class
TWICE = "200"  # at which both arms are trained twice as long, too
SCRATCH, TUNED = "from scratch", "fine-tuned"
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Images:
    """Images (N, 3, SIDE, SIDE) uint8 with their labels (N,), from 0."""

    images: Tensor
    labels: Tensor

    def part(self, chosen: Tensor) -> "Images":
        """Return some of them. chosen: (N,) bool, or indices."""
        return Images(self.images[chosen], self.labels[chosen])


def small(split: Split, classes: range) -> Images:
    """Return the images of some classes, shrunk, with labels from 0."""
    labels = torch.as_tensor(split.labels)
    size = {"size": (SIDE, SIDE), "mode": "bilinear", "antialias": True}
    shrunk = [F.interpolate(images.float(), **size).round().clamp(0, 255).byte() for images in batches(split)]
    chosen = (labels >= classes.start) & (labels < classes.stop)
    return Images(torch.cat(shrunk)[chosen], labels[chosen] - classes.start)


def first_of_each(labels: Tensor, count: int, seed: int) -> Tensor:
    """Return which images are the first so many of their class in a random order, as bool (N,)."""
    order = torch.randperm(len(labels), generator=make_generator(seed, 0))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[order[labels[order] == label][:count]] = True
    return chosen


def recipe_for(rate: float, epochs: float, num_classes: int) -> Recipe:
    """Return the recipe of the 2012 code with a thin network and short epochs."""
    net = net_config(
        "small",
        base="code2012",
        towers=1,
        conv_channels=(16, 32, 32, 32, 32),
        kernel_sizes=(7, 3, 3, 3, 3),
        paddings=(3, 1, 1, 1, 1),
        conv1_stride=2,
        dense_units=(128, 128),
        lrn=False,
        spatial_norm=False,
        input_size=36,
        num_classes=num_classes,
    )
    recipe = adapt_to_images(CODE2012, net, image_size=SIDE)
    learning = replace(
        recipe.learning, rate=rate, epochs=epochs, batch_size=32, schedule="late", order="shuffled"
    )
    return replace(recipe, augment=replace(recipe.augment, crop_group=1), learning=learning)


def trained(recipe: Recipe, data: Images, seed: int, start: Weights | None = None) -> Learner:
    """Train to the end of the schedule.

    Args:
        recipe: of `recipe_for`.
        data: to train on.
        seed: of all that is random.
        start: weights to begin with, less those of the last layer; None: all are drawn.
    """
    sums = Sums(data.images.shape[1:])
    sums.add(data.images)
    learner = Learner(recipe, sums.statistics(""), Ranks(torch.device("cpu")), seed=seed, channels_last=True)
    if start is not None:
        weights, velocities = learner.state()
        learner.load({**weights, **start}, velocities)
    size, step = recipe.learning.batch_size, 0
    schedule, num_steps = schedule_for(recipe.learning), math.ceil(len(data.labels) / size)
    while not schedule.rates(step / num_steps).finished:
        for indices in epoch_order(len(data.labels), seed, step // num_steps).split(size):
            rates = schedule.rates(step / num_steps)
            learner.step(Batch(data.images[indices], data.labels[indices], indices), step, rates)
            step += 1
    return learner


def body(learner: Learner) -> Weights:
    """Return the weights but for those of the last layer."""
    state = learner.state()[0]
    return {name: tensor.clone() for name, tensor in state.items() if name not in HEAD_PARAMETERS}


@torch.no_grad()
def wrong(learner: Learner, data: Images) -> Tensor:
    """Return which images are classified wrongly, by their centre: bool (N,)."""
    learner.net.eval()
    size, statistics = learner.recipe.net.input_size, learner.statistics
    logits = [
        learner.net(prepare_centre(images, size=size, statistics=statistics))
        for images in data.images.split(500)
    ]
    return torch.cat(logits).argmax(1) != data.labels


def search(first: float, error_at: Callable[[float], float]) -> tuple[float, dict[str, float]]:
    """Return the best learning rate, with a worse one on either side, and the error at each that was tried.

    Args:
        first: where the search starts.
        error_at: trains at a rate and returns the error on held-out images.
    """
    found: dict[int, tuple[float, float]] = {}
    while places := wanted(found):
        for k in places:
            found[k] = (error_at(rate_at(first, k)), 0.0)
    tried = {f"{rate_at(first, k):g}": found[k][0] for k in sorted(found)}
    return rate_at(first, best_place(found)), tried


def bootstrapped(differences: Tensor, repeats: int = 4000) -> list[float]:
    """Return the 95% interval of a mean over seeds and images, both drawn anew.

    Args:
        differences: (seeds, images).
        repeats: of the draw.
    """
    generator = torch.Generator().manual_seed(0)
    seeds, images = differences.shape
    means = [
        differences[torch.randint(seeds, (seeds,), generator=generator)]
        .double()
        .mean(0)[torch.randint(images, (images,), generator=generator)]
        .mean()
        for _ in range(repeats)
    ]
    return torch.stack(means).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()


class Comparison:
    """The two tasks, and what is measured of them.

    Args:
        first: training images of the classes that come first.
        second: of the others.
        test: validation images of the others.
        seeds: of the runs.
        epochs: of pre-training, and by images a class.
        start: learning rate at which each search starts.
    """

    def __init__(
        self, first: Images, second: Images, test: Images, seeds: list[int], epochs: dict, start: float
    ):
        self.first, self.second, self.test = first, second, test
        self.seeds, self.epochs, self.start = seeds, epochs, start
        self.bodies: dict[int, Weights] = {}

    def recipe(self, rate: float, epochs: float) -> Recipe:
        """Return the recipe with as many outputs as there are classes."""
        return recipe_for(rate, epochs, int(self.second.labels.max()) + 1)

    def pretrain(self) -> dict[str, Any]:
        """Choose the rate of pre-training, and pre-train with every seed."""
        held, epochs = first_of_each(self.first.labels, HELD_OUT, SEARCH_SEED), self.epochs["all"]
        best = 1.0

        def error_at(rate: float) -> float:
            nonlocal best
            learner = trained(self.recipe(rate, epochs), self.first.part(~held), SEARCH_SEED)
            error = wrong(learner, self.first.part(held)).float().mean().item()
            if error < best:
                best, self.bodies[SEARCH_SEED] = error, body(learner)
            return error

        rate, tried = search(self.start, error_at)
        for seed in self.seeds:
            self.bodies[seed] = body(trained(self.recipe(rate, epochs), self.first, seed))
        return {"rate": rate, "held_out_errors": tried}

    def some(self, data: Images, size: str, seed: int) -> Images:
        """Return so many training images of each class, others with each seed."""
        return data if size == "all" else data.part(first_of_each(data.labels, int(size), seed))

    def choose_rate(self, arm: str, size: str) -> dict[str, Any]:
        """Choose the learning rate of an arm on images that it does not train on."""
        held = first_of_each(self.second.labels, HELD_OUT, SEARCH_SEED)
        data = self.some(self.second.part(~held), size, SEARCH_SEED)
        start = self.bodies[SEARCH_SEED] if arm == TUNED else None

        def error_at(rate: float) -> float:
            learner = trained(self.recipe(rate, self.epochs[size]), data, SEARCH_SEED, start)
            return wrong(learner, self.second.part(held)).float().mean().item()

        rate, tried = search(self.start, error_at)
        return {"rate": rate, "held_out_errors": tried}

    def compare(self, size: str, chosen: dict[str, Any], epochs: float) -> dict[str, Any]:
        """Train both arms with every seed, and count their errors.

        Args:
            size: images a class.
            chosen: of ``choose_rate``, by arm.
            epochs: of both.
        """
        found, marks = {}, {}
        for arm, choice in chosen.items():
            runs, marks[arm] = [], []
            for seed in self.seeds:
                data, start = self.some(self.second, size, seed), self.bodies[seed] if arm == TUNED else None
                learner = trained(self.recipe(choice["rate"], epochs), data, seed, start)
                marks[arm].append(wrong(learner, self.test).float())
                runs.append(
                    {
                        "seed": seed,
                        "test_error": marks[arm][-1].mean().item(),
                        "train_error": wrong(learner, data).float().mean().item(),
                    }
                )
            found[arm] = {**choice, "epochs": epochs, "runs": runs}
        lower = torch.stack(marks[SCRATCH]) - torch.stack(marks[TUNED])
        return {**found, "bootstrap": bootstrapped(lower)}


def measure(comparison: Comparison, keep: Callable[[dict[str, Any]], None]) -> None:
    """Measure everything; say each result as it comes, and keep what there is."""
    results: dict[str, Any] = {"pretraining": comparison.pretrain(), "sizes": {}}
    print(f"pre-trained at {results['pretraining']}", flush=True)
    for size in EPOCHS:
        chosen = {arm: comparison.choose_rate(arm, size) for arm in (SCRATCH, TUNED)}
        results["sizes"][size] = comparison.compare(size, chosen, comparison.epochs[size])
        print(f"{size:>4} images a class: {in_words(results['sizes'][size])}", flush=True)
        keep(results)
    chosen = {arm: only_rate(results["sizes"][TWICE][arm]) for arm in (SCRATCH, TUNED)}
    results["twice_as_long"] = comparison.compare(TWICE, chosen, 2 * comparison.epochs[TWICE])
    print(f"twice as long: {in_words(results['twice_as_long'])}", flush=True)
    keep(results)


def only_rate(found: dict[str, Any]) -> dict[str, Any]:
    """Return of an arm's results what was chosen."""
    return {name: found[name] for name in ("rate", "held_out_errors")}


def in_words(found: dict[str, Any]) -> str:
    """Say the errors of both arms and their difference."""
    means = {
        arm: mean_interval([run["test_error"] for run in found[arm]["runs"]]) for arm in (SCRATCH, TUNED)
    }
    errors = ", ".join(f"{arm} {interval.mean:.1%}" for arm, interval in means.items())
    return f"{errors}; lower by {mean_interval(gains(found, TUNED, SCRATCH)).in_points()} points"


def main() -> None:
    """Measure on the set that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", metavar="FOLDER", help="a prepared set of ten classes")
    parser.add_argument("--record", metavar="FILE", help="write a record to this .json file")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="of both arms (default: 5)")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dataset, started = open_prepared(asked.data), time.monotonic()
    half, whole = len(dataset.classes) // 2, len(dataset.classes)
    comparison = Comparison(
        small(dataset.train, range(half)),
        small(dataset.train, range(half, whole)),
        small(dataset.val, range(half, whole)),
        seeds=list(range(asked.seeds)),
        epochs=EPOCHS,
        start=0.003,
    )

    def keep(results: dict[str, Any]) -> None:
        if asked.record:
            spent = {"processor_seconds": time.process_time()}
            save(asked.record, dataset, comparison, results | spent, time.monotonic() - started)

    measure(comparison, keep)


def save(path: str, dataset: Any, comparison: Comparison, results: dict[str, Any], seconds: float) -> None:
    """Write the record."""
    counts = {"first": comparison.first, "second": comparison.second, "test": comparison.test}
    images = {name: len(part.labels) for name, part in counts.items()}
    recipe = recipe_for(comparison.start, EPOCHS["all"], int(comparison.second.labels.max()) + 1)
    records.Record(
        experiment=Path(path).stem,
        scale=(
            f"a thin network on images of {SIDE} pixels: {images['first']:,} of five classes to pre-train "
            f"on, up to {images['second']:,} of five others, {images['test']:,} to test on, "
            f"{len(comparison.seeds)} seeds"
        ),
        data={
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "classes": list(dataset.names),
            "images": images,
        },
        config={"side": SIDE, "held_out": HELD_OUT, "epochs": EPOCHS, "recipe": to_dict(recipe)},
        seeds=comparison.seeds,
        environment=records.environment(),
        seconds=seconds,
        results=results,
    ).save(path)


if __name__ == "__main__":
    main()

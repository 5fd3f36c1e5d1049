"""Numbers that a training tells or stores, each against what it stands for."""

from types import SimpleNamespace

import pytest
import torch

from alexnet.data.statistics import Statistics
from alexnet.distributed.ranks import Ranks
from alexnet.optim.step import StepResult
from alexnet.storage.checkpoints import load
from alexnet.training import learner as learning
from alexnet.training import validation, window
from alexnet.training.loop import Run
from alexnet.training.plan import make_plan
from alexnet.transforms.ten_crop import ten_crops
from support.trainings import STEPS_PER_EPOCH, run, settings_for, tiny_dataset, use

CPU = Ranks(torch.device("cpu"))


def test_the_speed_is_images_over_seconds_of_all_processes(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(window.time, "perf_counter", lambda: clock[0])
    seen = window.Window(0, waited=0.0)
    result = StepResult(loss=torch.tensor(2.0), num_wrong=torch.tensor(3), num_images=8)
    for _ in range(3):
        seen.add(result, torch.ones(2))
    clock[0] = 104.0
    line = seen.line(CPU, waited=1.0)
    assert line == {"loss": 2.0, "error": 3 / 8, "images_per_second": 6.0, "wait_share": 0.25}
    seen.measure_from_here(waited=1.0)
    seen.add(result, torch.ones(2))
    clock[0] = 106.0
    assert seen.line(CPU, waited=1.0)["images_per_second"] == 4.0


@pytest.mark.parametrize(("step", "seconds"), [(0, 20.0), (5, 10.0), (10, 0.0)])
def test_the_time_that_is_left_falls_with_every_step(step, seconds):
    recipe = SimpleNamespace(learning=SimpleNamespace(batch_size=8))
    training = SimpleNamespace(plan=SimpleNamespace(last_step=10, recipe=recipe), step=step)
    assert Run.seconds_left(training, {"images_per_second": 4.0}) == seconds
    assert Run.seconds_left(training, {}) is None


def test_a_checkpoint_counts_whole_epochs_and_images(monkeypatch, tmp_path):
    use(monkeypatch, tiny_dataset())
    steps = STEPS_PER_EPOCH + 2
    run(settings_for(tmp_path / "run", max_steps=steps))
    kept = load(tmp_path / "run" / "checkpoints" / f"step-{steps:08d}.pt")
    assert (kept.step, kept.epoch, kept.images_seen) == (steps, 1, 8 * steps)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_training_computes_in_the_precision_that_was_asked_for(monkeypatch, tmp_path, precision, dtype):
    use(monkeypatch, tiny_dataset())
    plan = make_plan(settings_for(tmp_path / "run", precision=precision))
    made = learning.make_learner(plan, CPU)
    size = plan.recipe.net.input_size
    made.net.eval()
    assert made.logits(torch.zeros(2, 3, size, size), None).dtype == dtype


def test_ten_views_subtract_the_part_of_the_mean_image_that_the_recipe_names():
    generator = torch.Generator().manual_seed(0)
    statistics = Statistics(
        mean_image=127 + 20 * torch.randn(3, 32, 32, generator=generator),
        pca_stds=torch.ones(3, dtype=torch.float64),
        pca_vectors=torch.eye(3, dtype=torch.float64),
        num_images=1,
    )
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=generator, dtype=torch.uint8)
    views = {}
    for mean in ("centre", "under-crop"):
        recipe = SimpleNamespace(net=SimpleNamespace(input_size=28), augment=SimpleNamespace(mean=mean))
        measured = SimpleNamespace(recipe=recipe, statistics=statistics)
        views[mean] = torch.stack(list(validation.make_views(measured, ten_views=True)(images)))
        expected = list(ten_crops(images, size=28, statistics=statistics, mean=mean))
        assert len(expected) == 10 and torch.equal(views[mean], torch.stack(expected))
    assert not torch.equal(views["centre"], views["under-crop"])

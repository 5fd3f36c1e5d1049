"""Numbers that a training tells or stores, each against what it stands for."""

import time
from types import SimpleNamespace

import pytest
import torch

from alexnet.data.loader import evaluation_loader
from alexnet.data.splits import MemorySplit
from alexnet.data.statistics import Statistics
from alexnet.distributed.ranks import Ranks
from alexnet.models.summary import make_rows, memory
from alexnet.optim.schedule import PlateauSchedule
from alexnet.optim.step import StepResult
from alexnet.storage.checkpoints import Validation, load
from alexnet.training import dry_runs, saves, validation, window
from alexnet.training import learner as learning
from alexnet.training import state as keeping
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


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still; add to its one number to let time pass."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_time_of_a_checkpoint_is_left_out_of_the_speed(clock):
    seen = window.Window(0, waited=0.0)
    seen.add(StepResult(loss=torch.tensor(2.0), num_wrong=torch.tensor(3), num_images=8), torch.ones(2))
    clock[0] += 5.0
    seen.leave_out(1.0)
    assert seen.line(CPU, waited=2.0)["images_per_second"] == 2.0
    assert seen.line(CPU, waited=2.0)["wait_share"] == 0.5


def test_each_checkpoint_but_the_last_is_left_out_of_the_speed(monkeypatch, tmp_path):
    use(monkeypatch, tiny_dataset())
    left_out, save = [], keeping.save
    monkeypatch.setattr(keeping, "save", lambda *given: time.sleep(0.02) or save(*given))
    monkeypatch.setattr(window.Window, "leave_out", lambda self, seconds: left_out.append(seconds))
    run(settings_for(tmp_path / "run", checkpoint_every="2steps", validate_every="9epochs", max_steps=5))
    assert len(left_out) == 2 and min(left_out) >= 0.02


def test_a_checkpoint_is_due_so_many_minutes_after_the_last_one(clock):
    plan = SimpleNamespace(settings=SimpleNamespace(checkpoint_every="10min"))
    kept = saves.Saves(plan, SimpleNamespace(ranks=CPU), None, 0, [])
    due = []
    for seconds in (599, 1, 300):
        clock[0] += seconds
        due.append(kept.due_by_clock())
    kept.save(0, [], window.Window(0, 0.0), finished=False)  # there is nothing new to save
    for seconds in (599, 1):
        clock[0] += seconds
        due.append(kept.due_by_clock())
    assert due == [False, True, True, False, True]


def test_a_part_of_a_validation_stands_for_all_of_it(monkeypatch, tmp_path, clock):
    use(monkeypatch, tiny_dataset(num_test=30))  # of the batches of 8 the last two have 14
    began = []

    def validate(*_, first_step):
        began.append(first_step)
        clock[0] += 7.0

    monkeypatch.setattr(dry_runs, "validate", validate)
    plan = make_plan(settings_for(tmp_path / "run"))
    assert dry_runs.measure_validation(plan, SimpleNamespace(ranks=CPU)) == pytest.approx(7 / 14 * 30)
    assert began == [2]


def test_a_validation_may_begin_at_a_later_batch():
    split = MemorySplit(torch.zeros(30, 3, 4, 4, dtype=torch.uint8), torch.arange(30))
    loader = evaluation_loader(split, 8)
    labels = [labels for _, labels in validation.yield_batches(loader, CPU, 2, lambda: 0)]
    assert torch.cat(labels).tolist() == list(range(16, 30))


def test_a_dry_run_measures_steps_after_the_first_two(monkeypatch, tmp_path, clock):
    def read(self, indices):
        clock[0] += 1.0
        return self.images[indices]

    def step(*_):
        clock[0] += 5.0

    monkeypatch.setattr(MemorySplit, "read", read)
    monkeypatch.setattr(dry_runs, "measure_validation", lambda *_: 0.0)
    use(monkeypatch, tiny_dataset())
    plan = make_plan(settings_for(tmp_path / "run"))
    found = dry_runs.measure(plan, SimpleNamespace(ranks=CPU, step=step))
    assert found["seconds_per_step"] == 6.0 and found["wait_share"] == pytest.approx(1 / 6)


@pytest.mark.parametrize(("ranks", "batch", "parts"), [(1, 8, 1), (2, 8, 2), (4, 4, 2)])
def test_a_dry_run_counts_the_memory_of_what_a_device_holds(monkeypatch, tmp_path, ranks, batch, parts):
    use(monkeypatch, tiny_dataset())
    monkeypatch.setattr(dry_runs, "free_memory", lambda device: None)
    plan = make_plan(settings_for(tmp_path / "run"), ranks)
    expected = sum(memory(make_rows(plan.recipe.net, batch, parts)))
    assert dry_runs.check(plan, CPU)["memory_needed"] == expected


def test_free_memory_is_shared_by_the_processes_of_a_machine(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  3000 kB\n")
    monkeypatch.setattr(dry_runs, "Path", lambda _: tmp_path / "meminfo")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert dry_runs.free_memory(torch.device("cpu")) == 3000 * 1024
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert dry_runs.free_memory(torch.device("cpu")) == 3000 * 256


def test_the_rates_of_a_step_know_no_later_validation():
    training = SimpleNamespace(
        schedule=PlateauSchedule(patience=1, num_epochs=90, rate=0.01),
        plan=SimpleNamespace(epoch=lambda step: step / 5),
        validations=[Validation(5, 0.5), Validation(10, 0.5)],
        step=10,
    )
    assert Run.rates(training, 9).weight_rate == 0.01
    assert Run.rates(training).weight_rate == pytest.approx(0.001)

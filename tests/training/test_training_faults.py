"""Trainings under faults: images that cannot be read, signals at bad moments, starts that were in vain."""

import errno
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from alexnet.data import first_pass
from alexnet.data.first_pass import obtain_statistics
from alexnet.data.loader import BatchFailed
from alexnet.data.splits import MemorySplit
from alexnet.distributed.ranks import Ranks
from alexnet.optim.step import StepResult
from alexnet.storage import records
from alexnet.training import Diverged, dry_runs, loop, window
from alexnet.training import plan as planning
from alexnet.training import state as keeping
from alexnet.training.folder import free_bytes
from alexnet.training.log import read_log
from alexnet.training.settings import read_kept
from support.trainings import (
    assert_same_bits,
    checkpoints,
    run,
    settings_for,
    state,
    tiny_dataset,
    uninterrupted,
    use,
)

NUM_STEPS = 10


class Faulty(MemorySplit):
    """Images of which one cannot be read while there is an error, and that call somebody when read."""

    error = None
    listener = None

    def read(self, indices):
        if Faulty.listener:
            Faulty.listener()
        if Faulty.error and 7 in indices:
            raise Faulty.error
        return super().read(indices)


@pytest.fixture(autouse=True)
def faulty(monkeypatch):
    """Let all trainings read such images, whose statistics are known."""
    dataset = tiny_dataset()
    statistics = obtain_statistics(dataset, progress=False)
    splits = {name: Faulty(split.images, split.labels) for name, split in dataset.splits.items()}
    use(monkeypatch, replace(dataset, splits=splits))
    monkeypatch.setattr("alexnet.training.learner.obtain_statistics", lambda *_, **__: statistics)
    monkeypatch.setattr(Faulty, "error", None)
    monkeypatch.setattr(Faulty, "listener", None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training to which nothing happened."""
    return uninterrupted(tmp_path_factory.mktemp("module"))


def assert_same_training(folder, whole):
    assert_same_bits(state(folder, NUM_STEPS), state(whole, NUM_STEPS))
    ours, theirs = (records.load(path / "run.json").results for path in (folder, whole))
    assert ours == theirs


ERRORS = {
    "train-00000.npy is damaged; make it again": ValueError("train-00000.npy is damaged; make it again"),
    "Input/output error: train-00000.tar": OSError(errno.EIO, "Input/output error", "train-00000.tar"),
    "TypeError: no such thing": TypeError("no such thing\nand more"),
}


@pytest.mark.parametrize("sentence", ERRORS)
def test_images_that_cannot_be_read_end_a_training_that_is_saved(tmp_path, whole, sentence):
    settings = settings_for(tmp_path / "failed", validate_every="3steps", seed=0)

    def break_after_a_step(event):
        if event.kind == "step":
            Faulty.error = ERRORS[sentence]

    with pytest.raises(BatchFailed) as caught:
        loop.train(settings, break_after_a_step)
    (step,) = checkpoints(settings.folder)
    assert 0 < step < NUM_STEPS
    assert str(caught.value) == (
        f"{sentence}; the checkpoint of step {step} stays, and the same command resumes from it"
    )
    assert records.load(settings.folder / "run.json").results["ended"] == "unreadable"
    Faulty.error = None
    run(settings)
    assert_same_training(settings.folder, whole)


def during_validation(monkeypatch, action, *, ten_views=False):
    """Do something once, when the first validation of a kind begins."""
    real, done = loop.validate, []

    def validate(*given, **options):
        if options["ten_views"] == ten_views and not done:
            done.append(True)
            action()
        return real(*given, **options)

    monkeypatch.setattr(loop, "validate", validate)


def test_validation_images_that_cannot_be_read_cost_no_step(tmp_path, whole, monkeypatch):
    settings = settings_for(tmp_path / "failed", validate_every="3steps")
    during_validation(monkeypatch, lambda: setattr(Faulty, "error", ValueError("it is damaged")))
    with pytest.raises(BatchFailed, match="it is damaged; the checkpoint of step 3 stays"):
        run(settings)
    assert checkpoints(settings.folder) == [3]
    Faulty.error = None
    run(settings)
    assert_same_training(settings.folder, whole)


def test_what_can_neither_be_read_nor_saved_is_one_sentence(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "failed", validate_every="3steps")
    run(replace(settings, max_steps=2))
    during_validation(monkeypatch, lambda: setattr(Faulty, "error", ValueError("it is damaged")))
    monkeypatch.setattr(keeping, "save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(BatchFailed) as caught:
        run(settings)
    assert str(caught.value) == (
        "it is damaged; nor can a checkpoint be written (disk full): the checkpoint of step 2 stays"
    )
    assert checkpoints(settings.folder) == [2]


@pytest.mark.parametrize("ten_views", [False, True])
def test_a_signal_breaks_a_validation_off(tmp_path, whole, monkeypatch, ten_views):
    settings = settings_for(tmp_path / "stopped", validate_every="3steps")
    read = []

    def stop():
        read.append(True)
        signal.raise_signal(signal.SIGTERM)

    during_validation(monkeypatch, lambda: setattr(Faulty, "listener", stop), ten_views=ten_views)
    record, _ = run(settings)
    Faulty.listener = None
    assert len(read) == 1  # of two batches
    assert record.results["ended"] == "SIGTERM" and record.results["signal"] == signal.SIGTERM
    assert checkpoints(settings.folder)[-1] == record.results["step"] == (NUM_STEPS if ten_views else 3)
    run(settings)
    assert_same_training(settings.folder, whole)
    lines = {line["step"]: line for line in read_log(settings.folder)}
    assert len(lines) == len(read_log(settings.folder))  # the validation that was made up for joined its step
    assert {"loss", "val_top1"} <= lines[3].keys()


@pytest.mark.parametrize("by_file", [False, True], ids=["a signal", "the stop file"])
def test_a_wish_to_stop_breaks_the_first_pass_off(tmp_path, whole, monkeypatch, by_file):
    """It is kept as far as it came; the run can be resumed though it had not begun."""
    monkeypatch.setattr("alexnet.training.learner.obtain_statistics", obtain_statistics)
    monkeypatch.setattr(first_pass, "IMAGES_PER_READ", 4)
    monkeypatch.setattr(first_pass, "READS_PER_PART", 2)
    settings, data, read = settings_for(tmp_path / "stopped", validate_every="3steps"), tmp_path / "set", []
    data.mkdir()
    use(monkeypatch, replace(planning.open_prepared("any"), path=data))

    def stop():
        read.append(True)
        if len(read) == 3:
            (settings.folder / "stop").touch() if by_file else signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Faulty, "listener", stop)
    record, events = run(settings)
    assert len(read) == 4  # the second of the parts was finished
    assert [path.name for path in data.iterdir()] == ["statistics-so-far.npz"]
    assert [event.kind for event in events] == ["end"]
    begins = "stopped by SIGTERM before the first step; this command resumes it:"
    assert events[0].values["text"].startswith(begins)
    assert (record.results["signal"], record.results["step"]) == (signal.SIGTERM, 0)
    assert records.load(settings.folder / "run.json").results == record.results
    assert read_kept(settings.folder / "settings.json")[0].validate_every == "3steps"
    run(settings)
    assert_same_training(settings.folder, whole)


def test_a_wish_to_stop_before_the_first_step_is_heard_at_once(tmp_path, whole, monkeypatch):
    settings, resume = settings_for(tmp_path / "stopped", validate_every="3steps"), loop.resume
    with monkeypatch.context() as patch:
        patch.setattr(loop, "resume", lambda *given: signal.raise_signal(signal.SIGTERM) or resume(*given))
        record, events = run(settings)
    assert [event.kind for event in events] == ["plan", "end"] and record.results["step"] == 0
    run(settings)
    assert_same_training(settings.folder, whole)


def test_a_run_with_a_record_keeps_it_when_it_is_stopped_in_the_first_pass(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "run", max_steps=2)
    run(settings)
    before = (settings.folder / "run.json").read_bytes()
    monkeypatch.setattr("alexnet.training.learner.obtain_statistics", lambda *_, between, **__: between())
    folder = loop.open_folder
    monkeypatch.setattr(loop, "open_folder", lambda *given: signal_after(folder(*given)))
    record, _ = run(replace(settings, max_steps=None))
    assert record.results["step"] == 2 and record.results["ended"] == "SIGTERM"
    assert (settings.folder / "run.json").read_bytes() == before


def signal_after(folder):
    """Let a run's folder say that somebody wants the training to stop."""
    folder.stop_signal = lambda: signal.SIGTERM
    return folder


def test_what_diverged_is_not_started_again(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "run", max_steps=4)
    monkeypatch.setattr(loop, "validate", lambda *_, **__: {"top1": 1.0, "top5": 1.0, "nll": float("nan")})
    with pytest.raises(Diverged, match="validation loss is not finite"):
        run(replace(settings, validate_every="2steps"))
    monkeypatch.setattr(loop, "validate", lambda *_, **__: {"top1": 1.0, "top5": 1.0, "nll": 1.0})
    with monkeypatch.context() as patch:
        patch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
        with pytest.raises(Diverged, match="it is not tried again"):
            run(settings)
    killed = []

    def kill(event):
        if event.kind == "step":
            killed.append(records.load(settings.folder / "run.json").results["ended"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # somebody starts it once more, and it is killed
        loop.train(settings, kill)
    assert killed == ["running"]
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert run(settings)[0].results["ended"] == "max-steps"


def test_a_drive_that_is_not_there_is_no_endless_search(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda _: False)  # as of "Z:/runs", where there is no drive Z
    with pytest.raises(ValueError, match="^cannot write runs: there is no .*; choose another `--out`$"):
        free_bytes(Path("runs"))


@pytest.mark.parametrize("content", ["MemTotal:  9000 kB\nMemFree:  10 kB\n", "", None])
def test_a_system_that_does_not_say_its_free_memory(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "meminfo").write_text(content)
    monkeypatch.setattr(dry_runs, "Path", lambda _: tmp_path / "meminfo")
    assert dry_runs.free_memory(torch.device("cpu")) is None


def test_a_window_is_measured_without_what_starts_the_training(monkeypatch):
    clock = iter([0.0, 50.0, 60.0, 62.0, 62.0, 70.0])
    monkeypatch.setattr(window.time, "perf_counter", lambda: next(clock))
    result = StepResult(torch.tensor(1.0), torch.tensor(2), 8)
    alone, seen = Ranks(torch.device("cpu")), window.Window(0, 0.0)
    seen.measure_from_here(49.0)  # when the workers had started
    seen.add(result, torch.ones(1))
    seen.measure_from_here(49.0)  # after a first step of 10 s
    seen.add(result, torch.ones(1))
    line = seen.line(alone, 50.0)
    assert line["images_per_second"] == 4.0 and line["wait_share"] == 0.5 and line["error"] == 4 / 16
    seen = window.Window(2, 50.0)
    seen.add(result, torch.ones(1))
    seen.measure_from_here(50.0)  # there is no other step
    monkeypatch.setattr(window.time, "perf_counter", lambda: 72.0)
    assert seen.line(alone, 50.0)["images_per_second"] == 0.8


def test_the_first_batch_and_the_first_step_are_not_measured(tmp_path, monkeypatch):
    marks, measure = [], window.Window.measure_from_here

    def noting(self, waited):
        marks.append((self.step, self.num_images, waited))
        measure(self, waited)

    monkeypatch.setattr(window.Window, "measure_from_here", noting)
    Faulty.listener = lambda: time.sleep(0.02)
    run(settings_for(tmp_path / "run", max_steps=4))
    (step, images, waited), second = marks
    assert (step, images) == (0, 0) and waited >= 0.02 and second == (0, 8, waited)

"""The files of a run under faults: damaged, deleted, of another version, on a full disk; stops from afar."""

import errno
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from alexnet.evaluation.prediction import load_classifier
from alexnet.storage import checkpoints as checkpoint
from alexnet.storage import records
from alexnet.training import TrainSettings, attach, dry_run, dry_runs, launch, loop, train
from alexnet.training.folder import RunFolder, locked, try_lock
from alexnet.training.launching import CHILDREN
from alexnet.training.log import Log, read_log
from alexnet.training.settings import kept, read_kept
from support.trainings import (
    assert_same_bits,
    checkpoints,
    run,
    settings_for,
    state,
    tiny_dataset,
    use,
    without_times,
)

NUM_STEPS = 10
posix = pytest.mark.skipif(os.name != "posix", reason="this system has no such locks, and keeps open files")


@pytest.fixture(autouse=True)
def images(monkeypatch):
    use(monkeypatch, tiny_dataset())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing interrupted; it validates at 3, 6, 9 and the end."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use(patch, tiny_dataset())
        run(settings_for(folder, validate_every="3steps"))
    return folder


def interrupted(tmp_path, **settings):
    return settings_for(tmp_path / "interrupted", validate_every="3steps", **settings)


def assert_same_training(folder, whole):
    """Compare everything that two finished trainings left, but for what depends on time and place."""
    assert_same_bits(state(folder, NUM_STEPS), state(whole, NUM_STEPS))
    ours, theirs = (records.load(path / "run.json").results for path in (folder, whole))
    assert ours == theirs


def damage(path):
    """Let a file look as after a power failure."""
    path.write_bytes(bytes(path.stat().st_size))


def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_it_taken(tmp_path, whole):
    settings = interrupted(tmp_path, checkpoint_every="2steps", max_steps=4)
    run(settings)
    files = settings.folder / "checkpoints"
    assert checkpoints(settings.folder) == [2, 4]
    damage(files / "step-00000004.pt")
    _, events = run(replace(settings, max_steps=None))
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert said == [
        f"{files / 'step-00000004.pt'} is damaged and now called step-00000004.pt.damaged; "
        "going on after step 2"
    ]
    assert [event.values["step"] for event in events if event.kind == "step"] == list(range(3, 11))
    assert_same_training(settings.folder, whole)
    assert (files / "step-00000004.pt.damaged").is_file()


def test_where_no_checkpoint_is_whole_nothing_is_changed(tmp_path):
    settings = interrupted(tmp_path, checkpoint_every="2steps", max_steps=4)
    run(settings)
    files = sorted((settings.folder / "checkpoints").iterdir())
    for path in files:
        damage(path)
    with pytest.raises(ValueError, match="no checkpoint in .*checkpoints is whole; delete them to begin"):
        run(settings)
    assert sorted((settings.folder / "checkpoints").iterdir()) == files


def test_a_checkpoint_under_another_steps_name_is_refused(tmp_path):
    settings = interrupted(tmp_path, max_steps=4)
    run(settings)
    path = settings.folder / "checkpoints" / "step-00000004.pt"
    path.rename(path.with_name("step-00000900.pt"))
    with pytest.raises(
        ValueError, match="step-00000900.pt holds the state after step 4; call it step-00000004"
    ):
        run(settings)


@pytest.mark.parametrize("part", ["weights", "velocities"])
def test_a_checkpoint_that_lacks_a_parameter_is_damaged(tmp_path, part):
    settings = interrupted(tmp_path, checkpoint_every="2steps", max_steps=4)
    run(settings)
    path = settings.folder / "checkpoints" / "step-00000004.pt"
    content = checkpoint.load(path)
    del getattr(content, part)["fc7.weight"]
    checkpoint.save(path, content)
    _, events = run(replace(settings, max_steps=6))
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert len(said) == 1 and "step-00000004.pt is damaged and now called" in said[0]


def test_a_checkpoint_with_more_steps_does_not_cost_the_runs_own(tmp_path):
    settings = interrupted(tmp_path, checkpoint_every="2steps")

    def copy(event):
        if event.kind == "step" and event.values["step"] == 3:
            files = settings.folder / "checkpoints"
            (files / "step-00000900.pt").write_bytes((files / "step-00000002.pt").read_bytes())

    train(settings, copy)
    assert checkpoints(settings.folder)[-2:] == [10, 900]


def test_damaged_lines_of_a_log_are_left_out_and_counted(tmp_path, whole):
    settings = interrupted(tmp_path, max_steps=4)
    run(settings)
    path = settings.folder / "log.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], bytes(100), b"\n", b'["other"]\n', *lines[1:]]))
    with pytest.warns(UserWarning, match="log.jsonl: 2 damaged lines left out"):
        assert [line["step"] for line in read_log(settings.folder)] == [2, 3, 4]
    _, events = run(replace(settings, max_steps=None))
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert said == [f"{path}: 2 damaged lines left out"]
    assert without_times(read_log(settings.folder)) == without_times(read_log(whole))


def test_a_log_that_was_cut_or_deleted_is_written_again(tmp_path):
    lines = [{"step": step, "seconds": step / 3} for step in range(1, 4)]
    written = Log(tmp_path, 0)
    for number, (line, harm) in enumerate(zip(lines, (Path.unlink, empty, None), strict=True), 1):
        assert written.write(line) == "" and read_log(tmp_path) == lines[:number]
        if harm is not None:
            harm(tmp_path / "log.jsonl")


def test_a_log_alone_does_not_make_its_folder_again(tmp_path):
    (tmp_path / "run").mkdir()
    written = Log(tmp_path / "run", 0)
    shutil.rmtree(tmp_path / "run")
    said = written.write({"step": 1, "seconds": 0.5})
    assert said.endswith("log.jsonl: No such file or directory; training continues, and its lines wait")
    assert not (tmp_path / "run").exists()


def empty(path):
    path.write_bytes(b"")


@posix
def test_a_run_whose_folder_is_deleted_makes_it_again(tmp_path, whole):
    settings, said = interrupted(tmp_path, checkpoint_every="5steps"), []

    def delete(event):
        if event.kind == "step" and event.values["step"] == 4:
            shutil.rmtree(settings.folder)
        if event.kind == "message":
            said.append(event.values["text"])
        if event.kind == "step" and event.values["step"] == 8:
            assert attach(settings.folder).running

    train(settings, delete)
    assert_same_training(settings.folder, whole)
    assert without_times(read_log(settings.folder)) == without_times(read_log(whole))
    assert len(said) == 2 - ("tensorboard" not in said[-1]) and "the run's folder was deleted" in said[0]


@posix
def test_the_folders_above_are_not_made_again(tmp_path):
    settings = settings_for(tmp_path / "above" / "run", learning={"epochs": 20.0}, log_every=1000)

    def delete(event):
        seen.append(event.values.get("step"))
        if event.kind == "step" and event.values["step"] == 4:
            shutil.rmtree(tmp_path / "above")

    seen = []
    with pytest.raises(OSError, match="cannot write .*run: No such file or directory"):
        train(replace(settings, recipe=str(copied(tmp_path, settings))), delete)
    assert not (tmp_path / "above").exists() and seen[-1] == 4


def copied(folder, settings):
    return shutil.copy(settings.recipe, folder / "recipe.json")


@pytest.mark.slow
@posix
def test_another_training_in_place_of_a_deleted_folder_is_left_alone(tmp_path):
    settings, other = interrupted(tmp_path, max_steps=5), []

    def replaced(event):
        if event.kind == "step" and event.values["step"] == 4:
            shutil.rmtree(settings.folder)
            other.append(RunFolder(settings, 1))

    with pytest.raises(OSError, match="cannot write .*: another training is running in"):
        train(settings, replaced)
    assert [path.name for path in settings.folder.iterdir()] == ["lock"]
    other[0].close()


@posix
def test_observers_do_not_take_each_other_for_a_training(tmp_path):
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open("rb") as other:
        assert try_lock(other, alone=False)  # an observer at the same moment
        assert not attach_to(tmp_path).running
    holder = locked(tmp_path / "lock")
    assert attach_to(tmp_path).running
    assert locked(tmp_path / "lock") is None
    holder.close()
    assert not attach_to(tmp_path).running


def attach_to(folder):
    (folder / "started").touch()
    return attach(folder)


@pytest.fixture
def no_signals(monkeypatch):
    """Fail where a process is signalled by its number."""

    def signalled(*_):
        raise AssertionError("a process was signalled by its number")

    monkeypatch.setattr(os, "kill", signalled)
    monkeypatch.setattr(os, "killpg", signalled, raising=False)


@posix
def test_a_stop_reaches_the_training_that_has_the_folder_and_nobody_else(tmp_path, no_signals):
    settings, asked = settings_for(tmp_path / "run", learning={"epochs": 20.0}), []

    def on_event(event):
        if event.kind == "step" and event.values["step"] == 3:
            # Whoever had these numbers, in another container or long ago.
            (settings.folder / "lock").write_text("1 elsewhere\n", encoding="utf-8")
            asked.append(attach(settings.folder).stop(timeout=0))

    record = train(settings, on_event)
    assert asked == [False] and record.results["ended"] == "SIGTERM"
    assert checkpoints(settings.folder) == [record.results["step"]] and record.results["step"] < 10
    assert attach(settings.folder).stop() and not (settings.folder / "stop").exists()


@posix
def test_a_stop_that_nobody_heeded_does_not_stop_the_next_training(tmp_path):
    settings = settings_for(tmp_path / "run", max_steps=2)
    settings.folder.mkdir()
    (settings.folder / "stop").touch()
    assert run(settings)[0].results["ended"] == "max-steps"
    (settings.folder / "stop").touch()
    with locked(settings.folder / "started"):  # launched, so the stop may be meant for it
        assert run(replace(settings, max_steps=5))[0].results["ended"] == "SIGTERM"


@posix
def test_a_training_that_this_process_launched_is_stopped_before_it_begins(tmp_path, monkeypatch):
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr("alexnet.training.launching.python_command", lambda *_: sleeper)
    settings = settings_for(tmp_path / "run")
    launch(settings)
    with pytest.raises(ValueError, match="a training is running in"):
        launch(settings)
    kill, signalled = os.kill, []
    monkeypatch.setattr(os, "kill", lambda pid, _: signalled.append(pid))
    assert not attach(settings.folder).stop(timeout=0)
    assert signalled == [CHILDREN[settings.folder].pid]
    kill(CHILDREN[settings.folder].pid, signal.SIGTERM)
    assert attach(settings.folder).wait(300)


@posix
def test_a_training_of_no_process_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="^num_ranks must be at least 1, got 0$"):
        launch(settings_for(tmp_path / "run"), num_ranks=0)
    assert not (tmp_path / "run").exists()


def test_a_lock_that_a_failing_disk_does_not_take_back_ends_nothing(tmp_path):
    folder = RunFolder(settings_for(tmp_path / "run"), 1)
    folder.lock.close()
    folder.lock = mock.Mock(**{"close.side_effect": OSError(errno.EIO, "Input/output error")})
    folder.close()
    assert folder.lock.close.called


def test_a_disk_without_locks_is_named(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="cannot lock .*lock: No locks available; choose a folder"):
        run(settings_for(tmp_path / "run"))


def test_a_training_is_resumed_from_another_working_folder(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "mine.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(TrainSettings(data="set", recipe="mine.json", out="run", max_steps=3), 2)
    folder.begin(0)
    folder.close()
    asked = []
    monkeypatch.setattr("alexnet.training.launching.launch", lambda *words: asked.append(words))
    monkeypatch.chdir("/")
    attach(tmp_path / "run").resume(max_steps=None)
    ((settings, num_ranks),) = asked
    assert (settings.data, settings.recipe) == (str(tmp_path / "set"), str(tmp_path / "mine.json"))
    assert (settings.out, settings.max_steps, num_ranks) == (str(tmp_path / "run"), None, 2)


def test_a_run_stays_in_its_folder_when_the_process_changes_its_working_folder(tmp_path, whole, monkeypatch):
    settings = replace(interrupted(tmp_path, checkpoint_every="4steps"), out="run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def leave(event):
        if event.kind == "step" and event.values["step"] == 2:
            monkeypatch.chdir(tmp_path / "elsewhere")

    train(settings, leave)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert_same_training(tmp_path / "run", whole)


def test_a_set_by_name_stays_a_name():
    for name in ("default", "cifar10"):
        assert kept(TrainSettings(data=name), 1)["settings"]["data"] == name


def test_settings_of_runs_from_before_parallel_had_its_name_are_read(tmp_path):
    path = tmp_path / "settings.json"
    content = kept(TrainSettings(parallel="data", epochs=3), 2)
    content["settings"]["split"] = content["settings"].pop("parallel")
    path.write_text(json.dumps(content))
    settings, num_ranks = read_kept(path)
    assert (settings.parallel, settings.epochs, num_ranks) == ("data", 3, 2)


HARM = {
    "empty": b"",
    "cut": b'{"format": 1, "settings": {"da',
    "zeros": bytes(200),
    "another program's": b'{"theme": "dark"}',
    "a list": b"[1, 2]",
    "a wrong type": b'{"settings": {"epochs": "many"}, "num_ranks": 1}',
    "a wrong value": b'{"settings": {"seed": -1}, "num_ranks": 1}',
    "a text for a flag": b'{"settings": {"compile": "no"}, "num_ranks": 1}',
    "half a process": b'{"settings": {}, "num_ranks": 0.5}',
}
NEWER = {
    "a newer format": b'{"format": 2, "settings": {}, "num_ranks": 1}',
    "a newer setting": b'{"format": 1, "settings": {"warp": 9}, "num_ranks": 1}',
}


@pytest.mark.parametrize("content", HARM.values(), ids=HARM)
def test_damaged_settings_are_one_sentence_and_written_anew_by_the_training(tmp_path, content):
    settings = settings_for(tmp_path / "run", max_steps=2)
    run(settings)
    path = settings.folder / "settings.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="settings.json is damaged .*resume with the command") as caught:
        attach(settings.folder).resume()
    assert "\n" not in str(caught.value)
    run(replace(settings, max_steps=4))
    assert read_kept(path)[0].max_steps == 4 and checkpoints(settings.folder) == [2, 4]


@pytest.mark.parametrize("content", NEWER.values(), ids=NEWER)
def test_the_folder_of_a_newer_version_is_left_as_it_is(tmp_path, content):
    settings = settings_for(tmp_path / "run", max_steps=2)
    run(settings)
    (settings.folder / "settings.json").write_bytes(content)
    before = {path: path.read_bytes() for path in settings.folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="settings.json was written by a newer .*upgrade alexnet"):
        attach(settings.folder).resume()
    with pytest.raises(ValueError, match="by a newer .*upgrade alexnet to use it, or choose another `--out`"):
        run(replace(settings, max_steps=4))
    assert before == {path: path.read_bytes() for path in settings.folder.rglob("*") if path.is_file()}


def test_weights_that_had_no_room_at_the_end_are_written_by_the_next_start(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "run")
    run(settings)
    before = load_classifier(settings.folder).net.fc8.bias
    (settings.folder / "weights.pt").unlink()
    run(settings)
    assert (settings.folder / "weights.pt").is_file()
    assert torch.equal(load_classifier(settings.folder).net.fc8.bias, before)


def begun(settings):
    """Let a training do a step."""
    run(replace(settings, max_steps=1))


def finished_without_checkpoints(settings):
    run(settings)
    shutil.rmtree(settings.folder / "checkpoints")


def by_a_newer_version(settings):
    begun(settings)
    (settings.folder / "settings.json").write_bytes(NEWER["a newer setting"])


REFUSED = {
    "has the weights of an earlier training": (finished_without_checkpoints, {}),
    "validates every 1epoch, by which": (begun, {"validate_every": "2steps"}),
    "began from weights that were drawn": (begun, {"init_from": "imagenette"}),
    "was written by a newer version": (by_a_newer_version, {}),
}


@pytest.mark.parametrize("sentence", REFUSED)
@pytest.mark.parametrize("function", [train, dry_run])
def test_a_training_and_its_dry_run_refuse_the_same_before_they_compute(
    tmp_path, monkeypatch, function, sentence
):
    prepare, options = REFUSED[sentence]
    learning = {"epochs": 0.4, "plateau_patience": 4, "schedule": "plateau"}
    settings = settings_for(tmp_path / "run", "paper", learning=learning)
    prepare(settings)
    for module in (loop, dry_runs):
        monkeypatch.setattr(module, "make_learner", mock.Mock(side_effect=AssertionError("too late")))
    with pytest.raises(ValueError, match=sentence):
        function(replace(settings, max_steps=2, **options))


def test_a_training_that_begins_anew_does_not_replace_the_weights_of_the_one_before(tmp_path):
    settings = settings_for(tmp_path / "run", learning={"epochs": 0.4})
    run(settings)
    weights = settings.folder / "weights.pt"
    before = weights.read_bytes()
    shutil.rmtree(settings.folder / "checkpoints")
    for source in (None, str(settings.folder), str(weights)):
        with pytest.raises(
            ValueError, match="run has the weights of an earlier .*; move weights.pt elsewhere"
        ):
            run(replace(settings, init_from=source))
        assert weights.read_bytes() == before and (settings.folder / "run.json").is_file()
    weights.rename(tmp_path / "kept.pt")
    records = []

    def look(event):
        if event.kind == "step":
            records.append((settings.folder / "run.json").is_file())

    train(settings, look)
    assert records[0] is False and weights.is_file()


@posix
def test_the_files_of_a_run_follow_the_users_umask(tmp_path):
    before = os.umask(0o077)
    try:
        run(settings_for(tmp_path / "run"))
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*")}
    assert len(modes) > 6 and not any(mode & 0o077 for mode in modes.values()), modes

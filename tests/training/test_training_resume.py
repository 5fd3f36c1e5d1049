"""A training that is stopped, killed or left off goes on, bit by bit as if nothing had happened."""

import contextlib
import os
import signal
import threading
from dataclasses import replace

import pytest

from alexnet.storage import records
from alexnet.training import attach, launch, train
from alexnet.training.launching import CHILDREN
from alexnet.training.log import Log, read_log
from alexnet.training.signals import StopWish, exit_status
from support.trainings import (
    assert_same_bits,
    checkpoints,
    prepared,
    run,
    settings_for,
    state,
    tiny_dataset,
    uninterrupted,
    use,
    wait_for,
    without_times,
)

NUM_STEPS = 10


@pytest.fixture(autouse=True)
def images(monkeypatch):
    use(monkeypatch, tiny_dataset())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing interrupted; it validates at 3, 6, 9 and the end."""
    return uninterrupted(tmp_path_factory.mktemp("module"))


def interrupted(tmp_path, **settings):
    return settings_for(tmp_path / "interrupted", validate_every="3steps", **settings)


def assert_same_training(folder, whole):
    """Compare everything that two finished trainings left, but for what depends on time and place."""
    assert_same_bits(state(folder, NUM_STEPS), state(whole, NUM_STEPS))
    ours, theirs = (records.load(path / "run.json").results for path in (folder, whole))
    assert ours == theirs


def signalling(number, at_step):
    """A listener that sends this process a signal when a step is done."""

    def on_event(event):
        if event.kind == "step" and event.values["step"] == at_step:
            signal.raise_signal(number)

    return on_event


# In a window, at a validation, at an epoch's end, in the next one, at the end of all.
@pytest.mark.parametrize("step", [1, 3, 5, 7, 10])
def test_a_stopped_training_goes_on(tmp_path, whole, step):
    settings = interrupted(tmp_path)
    record = train(settings, signalling(signal.SIGTERM, step))
    assert record.results["ended"] == "SIGTERM" and record.results["signal"] == signal.SIGTERM
    assert record.results["step"] == step and checkpoints(settings.folder) == [step]
    run(settings)
    assert_same_training(settings.folder, whole)
    assert (settings.folder / "weights.pt").is_file()


# Where a window closes anyway; and where a validation is owed, and the next step has other learning rates.
@pytest.mark.parametrize("step", [4, 6])
def test_the_log_goes_on_as_if_nothing_had_happened(tmp_path, whole, step):
    settings = interrupted(tmp_path)
    train(settings, signalling(signal.SIGINT, step))
    run(settings)
    assert without_times(read_log(settings.folder)) == without_times(read_log(whole))
    seconds = [line["seconds"] for line in read_log(settings.folder)]
    assert seconds == sorted(seconds)


def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path, whole):
    class Killed(Exception):
        pass

    def kill(event):
        if event.kind == "window" and event.values["step"] == 8:
            raise Killed

    settings = interrupted(tmp_path, checkpoint_every="5steps")
    with pytest.raises(Killed):
        train(settings, kill)
    assert checkpoints(settings.folder) == [5] and read_log(settings.folder)[-1]["step"] == 8
    for name in ("checkpoints/step-00000009.pt.0a1b2c3d.part", "weights.pt.0a1b2c3d.part"):
        (settings.folder / name).write_bytes(b"half a file")
    with (settings.folder / "log.jsonl").open("a") as file:
        file.write('{"step": 8, "los')  # and half a line
    _, events = run(settings)
    assert [event.values["step"] for event in events if event.kind == "step"] == [6, 7, 8, 9, 10]
    assert_same_training(settings.folder, whole)
    assert not list(settings.folder.rglob("*.part"))


def test_the_log_ends_with_the_last_step_also_between_windows(tmp_path):
    settings = settings_for(tmp_path / "run", max_steps=4, log_every=3, validate_every="9epochs")
    run(settings)
    assert [line["step"] for line in read_log(settings.folder)] == [3, 4]
    run(replace(settings, max_steps=7))
    assert [line["step"] for line in read_log(settings.folder)] == [3, 4, 6, 7]


def test_max_steps_leaves_off_and_more_of_them_go_on(tmp_path, whole):
    for max_steps, expected in ((4, 4), (4, 4), (6, 6), (None, 10)):
        record, _ = run(interrupted(tmp_path, max_steps=max_steps))
        assert record.results["step"] == expected
    assert_same_training(tmp_path / "interrupted", whole)


def test_a_finished_training_stays_finished(tmp_path):
    whole = uninterrupted(tmp_path)
    before = records.load(whole / "run.json").results
    _, events = run(settings_for(whole, validate_every="3steps"))
    assert [event.kind for event in events] == ["plan", "end"]
    assert records.load(whole / "run.json").results == before


def test_a_signal_is_a_wish_and_a_second_ctrl_c_an_order(monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    with StopWish() as wish:
        assert wish.signal == 0
        signal.raise_signal(signal.SIGTERM)
        assert wish.signal == signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert (exit_status(0), exit_status(signal.SIGINT), exit_status(signal.SIGTERM)) == (0, 130, 143)
    if hasattr(signal, "SIGHUP"):
        assert exit_status(signal.SIGHUP) == 129
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        try:
            with StopWish() as wish:
                signal.raise_signal(signal.SIGHUP)
            assert wish.signal == signal.SIGHUP
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
            with StopWish() as wish:
                signal.raise_signal(signal.SIGHUP)
            assert wish.signal == 0 and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with StopWish() as wish:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # which torchrun sends after that of the terminal
    assert wish.signal == signal.SIGINT and exit_status(signal.SIGINT) == 0


def test_training_works_outside_the_main_thread(tmp_path, whole):
    settings, failed = interrupted(tmp_path), []

    def work():
        try:
            train(settings)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(300)
    assert not failed and not thread.is_alive()
    assert_same_training(settings.folder, whole)


@contextlib.contextmanager
def small_disk(num_bytes):
    """Let no file grow beyond so many bytes; what is too much is written in part."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_lines_that_cannot_be_written_wait(tmp_path):
    lines = [{"step": step, "seconds": step / 3} for step in range(1, 5)]
    written = Log(tmp_path, 0)
    assert written.write(lines[0]) == ""
    with small_disk((tmp_path / "log.jsonl").stat().st_size + 5):
        trouble = written.write(lines[1])
        assert "log.jsonl: File too large; training continues" in trouble and "\n" not in trouble
        assert written.write(lines[2]) == "" and read_log(tmp_path) == lines[:1]  # it has been said
    assert written.write(lines[3]) == "" and read_log(tmp_path) == lines


def test_a_disk_that_fills_up_spares_the_last_checkpoint(tmp_path, whole):
    settings = interrupted(tmp_path, checkpoint_every="2steps")
    run(replace(settings, max_steps=4))
    (path,) = {settings.folder / "checkpoints" / f"step-{checkpoints(settings.folder)[-1]:08d}.pt"}
    before = path.read_bytes()
    events = []
    with small_disk(len(before) // 2), pytest.raises(OSError) as caught:
        train(settings, events.append)
    assert "/step-00000010.pt: " in str(caught.value) and str(caught.value).endswith(
        "; the checkpoint of step 4 stays, and the same command resumes from it"
    )
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert len(said) == 3 and all(
        text.endswith("training continues, and the checkpoint of step 4 stays") for text in said
    )
    assert path.read_bytes() == before and checkpoints(settings.folder)[-1] == 4
    assert not list(settings.folder.rglob("*.part"))
    run(settings)
    assert_same_training(settings.folder, whole)


def test_a_log_is_cut_where_a_training_goes_on(tmp_path):
    written = Log(tmp_path, 0)
    for step in (2, 4, 6):
        written.write({"step": step, "seconds": float(step)})
    assert Log(tmp_path, 5).seconds == 4.0 and [line["step"] for line in read_log(tmp_path)] == [2, 4]
    assert read_log(tmp_path / "nowhere") == []


@pytest.mark.slow
def test_a_launched_training_outlives_its_handle_is_saved_by_a_signal_to_all_and_goes_on(tmp_path):
    """Ctrl-C in a terminal reaches the workers of the loader too, and the process that starts them."""
    data = prepared(tmp_path)
    settings = settings_for(
        tmp_path / "launched",
        data=data,
        validate_every="3steps",
        learning={"epochs": 2000.0},
        log_every=1,
        workers=2,
    )
    started = launch(settings, keep_buffers=True)
    assert started.running and started.folder == settings.folder
    with pytest.raises(ValueError, match="a training is running in .*; attach to it"):
        launch(settings)
    found = attach(settings.folder)
    wait_for(found.log, found)
    with pytest.raises(ValueError, match="another training is running in"):
        train(settings)
    process = CHILDREN[settings.folder]
    assert os.getpgid(process.pid) == process.pid > 1  # a group of its own
    os.killpg(process.pid, signal.SIGINT)
    assert started.wait(300) and process.wait(300) == 130, found.output()
    assert found.record().results["ended"] == "SIGINT"
    (step,) = {line["step"] for line in found.log()[-1:]}
    assert checkpoints(settings.folder)[-1] == step == found.record().results["step"]
    assert f"stopped by SIGINT at step {step:,}" in found.output() and "Traceback" not in found.output()
    assert f"alexnet train --data {data}" in found.output()
    again = found.resume(max_steps=step + 2)
    assert again.wait(300) and again.record().results["ended"] == "max-steps"
    assert [line["step"] for line in again.log()] == list(range(1, step + 3))
    assert "going on after step" in again.output() and "not running" in repr(again)


def test_there_is_nothing_to_attach_to(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no training in .*; `alexnet train --out"):
        attach(tmp_path)
    (tmp_path / "started").write_text("1\n", encoding="utf-8")
    nothing = attach(tmp_path)
    assert not nothing.running and nothing.log() == [] and nothing.stop() and "no step yet" in repr(nothing)
    with pytest.raises(ValueError, match="had not begun; start it again with launch"):
        nothing.resume()

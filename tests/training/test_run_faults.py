"""Every file of a run, bad in every way that files have: one sentence, and no good checkpoint is lost."""

import errno
import io
import os
import shutil
import warnings
from dataclasses import replace

import pytest

from alexnet.evaluation.prediction import load_classifier
from alexnet.storage import tensorfile
from alexnet.storage.checkpoints import load, newest_first
from alexnet.training import attach, folder, train
from support.trainings import assert_same_bits, run, settings_for, state, tiny_dataset, use

NEWEST = "checkpoints/step-00000004.pt"
FILES = ("settings.json", "log.jsonl", "run.json", "weights.pt", NEWEST, "lock", "started", "output.txt")
FAULTS = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size * 2 // 3),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another program's": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
}


@pytest.fixture(autouse=True)
def images(monkeypatch):
    use(monkeypatch, tiny_dataset())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The settings of a run that stopped after 4 steps with checkpoints of 2 and 4, and of one of 6 steps."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        use(patch, tiny_dataset())
        for steps in (4, 6):
            folder = tmp_path_factory.mktemp("runs") / "run"
            found[steps] = settings_for(
                folder, max_steps=steps, checkpoint_every="2steps", validate_every="3steps"
            )
            run(found[steps])
    for name in ("started", "output.txt"):
        (found[4].folder / name).write_text("something\n", encoding="utf-8")
    return found


@pytest.fixture
def stopped(runs, tmp_path):
    """The settings of the first run in a copy of its folder, to go on to 6 steps."""
    shutil.copytree(runs[4].folder, tmp_path / "run")
    content = tensorfile.read(tmp_path / "run" / NEWEST) | {"format": "alexnet weights"}
    tensorfile.write(tmp_path / "run" / "weights.pt", content)
    return replace(runs[4], out=str(tmp_path / "run"), max_steps=6)


def one_sentence(function):
    """Call a function, which succeeds or raises one sentence; return that, or nothing."""
    try:
        with warnings.catch_warnings(action="ignore"):
            function()
    except (ValueError, OSError) as error:
        assert str(error) and "\n" not in str(error) and "[Errno" not in str(error), error
        return str(error)
    return ""


def whole_checkpoints(folder):
    """The steps of the checkpoints that can be read, the newest first; fails if one cannot."""
    return [load(path).step for path in newest_first(folder / "checkpoints")]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FILES)
def test_a_training_goes_on_whatever_became_of_a_file(runs, stopped, name, fault):
    FAULTS[fault](stopped.folder / name)
    record, events = run(stopped)
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert all("\n" not in text and name.rpartition("/")[2] in text for text in said)
    quiet = fault == "missing" or name not in (NEWEST, "log.jsonl")
    assert quiet or said or (name, fault) in {("log.jsonl", "empty"), ("log.jsonl", "cut")}
    assert record.results["step"] == 6
    assert_same_bits(state(stopped.folder, 6), state(runs[6].folder, 6))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FILES)
def test_observers_and_predictions_get_what_is_there_or_one_sentence(stopped, name, fault):
    FAULTS[fault](stopped.folder / name)
    launched = attach(stopped.folder)
    assert not launched.running and launched.stop() and launched.output() is not None
    for function in (launched.log, launched.record, lambda: repr(launched)):
        said = one_sentence(function)
        assert not said or f"{stopped.folder / name}" in said
    said = one_sentence(lambda: load_classifier(stopped.folder))
    assert bool(said) == (name == "weights.pt" and fault != "missing")
    assert not said or f"name {stopped.folder / NEWEST} in its place" in said


class Disk:
    """Refuses to have anything written below a folder while ``error`` is set."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.error, self.monkeypatch = str(folder), 0, monkeypatch
        self.guard(io, "open", lambda path, mode="r", *_, **__: set(mode) & set("wax+"))
        for name in ("mkdir", "replace", "unlink"):
            self.guard(os, name, lambda *_, **__: True)

    def guard(self, module, name, writes):
        real = getattr(module, name)

        def guarded(path, *words, **options):
            below = isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder)
            if self.error and below and writes(path, *words, **options):
                raise OSError(self.error, os.strerror(self.error), os.fspath(path))
            return real(path, *words, **options)

        self.monkeypatch.setattr(module, name, guarded)


ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "not allowed": errno.EACCES, "failing": errno.EIO}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_disk_that_fails_for_a_while_costs_nothing(runs, stopped, monkeypatch, error):
    disk, events = Disk(stopped.folder, monkeypatch), []

    def on_event(event):
        events.append(event)
        if event.kind == "step":
            disk.error = error if event.values["step"] == 5 else 0
            assert whole_checkpoints(stopped.folder)

    record = train(replace(stopped, checkpoint_every="1steps", log_every=1), on_event)
    others, *said = [event.values["text"] for event in events if event.kind == "message"]
    assert others.startswith("other settings than this run had so far: --checkpoint-every 1steps, was 2steps")
    assert said and all(f"cannot write {stopped.folder}" in text and "\n" not in text for text in said)
    assert all("training continues" in text for text in said)
    assert record.results["step"] == 6
    log = [line["step"] for line in attach(stopped.folder).log()]
    assert log[-2:] == [5, 6]


def test_where_no_checkpoint_could_be_saved_yet_none_is_said_to_stay(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "run", checkpoint_every="2steps", max_steps=4)
    disk, said = Disk(settings.folder, monkeypatch), []

    def on_event(event):
        if event.kind == "step":
            disk.error = errno.ENOSPC if event.values["step"] == 2 else 0
        if event.kind == "message":
            said.append(event.values["text"])

    train(settings, on_event)
    ends = [text.rpartition("; ")[2] for text in said if "step-00000002.pt" in text]
    assert ends == ["training continues, and no checkpoint was saved"]
    assert whole_checkpoints(settings.folder) == [4]


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOTCONN])
def test_a_folder_that_does_not_respond_for_a_while_costs_nothing(runs, stopped, monkeypatch, error):
    disk, said = Disk(stopped.folder, monkeypatch), []
    disk.guard(os, "stat", lambda *_, **__: True)

    def on_event(event):
        if event.kind == "step":
            disk.error = error if event.values["step"] == 5 else 0
        if event.kind == "message":
            said.append(event.values["text"])

    record = train(replace(stopped, log_every=1), on_event)
    log = stopped.folder / "log.jsonl"
    assert f"cannot write {log}: {os.strerror(error)}; training continues, and its lines wait" in said
    assert record.results["step"] == 6
    assert [line["step"] for line in attach(stopped.folder).log()][-2:] == [5, 6]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("since", [0, 5])
def test_a_disk_that_fails_for_good_keeps_the_last_checkpoint(stopped, monkeypatch, error, since):
    disk = Disk(stopped.folder, monkeypatch)
    disk.error = 0 if since else error

    def on_event(event):
        if event.kind == "step" and event.values["step"] >= since:
            disk.error = error

    said = one_sentence(lambda: train(stopped, on_event))
    assert f"cannot write {stopped.folder}" in said
    ends = "; the checkpoint of step 4 stays, and the same command resumes from it" if since else "`--out`"
    assert said.endswith(ends)
    assert whole_checkpoints(stopped.folder) == [4, 2] and not list(stopped.folder.rglob("*.part"))


@pytest.mark.parametrize("for_good", [False, True])
def test_weights_that_have_no_room_beside_the_last_checkpoint_are_not_said_to_be_there(
    tmp_path, monkeypatch, for_good
):
    settings = settings_for(tmp_path / "run", checkpoint_every="5steps")
    tries, real = [], folder.save_weights

    def save_weights(path, weights):
        tries.append(path)
        if for_good or len(tries) == 1:
            raise OSError(f"cannot write {path}: the disk is full")
        real(path, weights)

    monkeypatch.setattr(folder, "save_weights", save_weights)
    said = one_sentence(lambda: run(settings))
    end = "weights.pt: the disk is full; the checkpoint of step 10 stays, and the same command resumes from"
    assert f"{end} it" in said if for_good else not said
    assert len(tries) == 2 and (settings.folder / "weights.pt").is_file() == (not for_good)


def test_a_folder_of_checkpoints_that_cannot_be_read_is_not_taken_for_empty(stopped, monkeypatch):
    (stopped.folder / "weights.pt").unlink()
    real = os.listdir

    def unreadable(path):
        if str(path).endswith("checkpoints"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    log = (stopped.folder / "log.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", unreadable)
        assert one_sentence(lambda: run(stopped)) == (
            f"cannot read {stopped.folder / 'checkpoints'}: Permission denied"
        )
    assert (stopped.folder / "log.jsonl").read_bytes() == log and (stopped.folder / "run.json").is_file()
    assert whole_checkpoints(stopped.folder) == [4, 2]


@pytest.mark.skipif(os.name != "posix", reason="not everybody may make links on this system")
def test_checkpoints_on_a_disk_that_is_not_there_are_not_taken_for_none(stopped):
    (stopped.folder / "weights.pt").unlink()
    files, away = stopped.folder / "checkpoints", stopped.folder.parent / "away"
    files.rename(away)
    files.symlink_to(stopped.folder.parent / "disk", target_is_directory=True)
    log = (stopped.folder / "log.jsonl").read_bytes()
    assert one_sentence(lambda: run(stopped)) == (
        f"{files} is a link to a folder that is not there; mount its disk, or delete the link"
    )
    assert (stopped.folder / "log.jsonl").read_bytes() == log and (stopped.folder / "run.json").is_file()


def test_a_checkpoint_that_cannot_be_read_is_named_and_kept(stopped, monkeypatch):
    real = io.open

    def unreadable(path, *words, **options):
        if str(path).endswith("step-00000004.pt"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *words, **options)

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", unreadable)
        assert one_sentence(lambda: run(stopped)) == (
            f"cannot read {stopped.folder / NEWEST}: Permission denied"
        )
    assert whole_checkpoints(stopped.folder) == [4, 2]

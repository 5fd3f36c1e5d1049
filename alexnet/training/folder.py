"""The folder of a run: its lock, and the files of the first process except the checkpoints.

checkpoints/     the last two and the best, by step
log.jsonl        see `alexnet.training.log`
tensorboard/     the same for TensorBoard, if it is installed
run.json         the record (see `alexnet.storage.records`)
weights.pt       of a finished training: what prediction needs
settings.json    the settings of the run
lock             locked while a training runs
stop             exists while the training is asked to stop
output.txt       the output of a run that was started by `alexnet.training.launch`
"""

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from alexnet.distributed.ranks import Ranks
from alexnet.shown import typed
from alexnet.storage.checkpoints import Checkpoint, newest_first, save_weights
from alexnet.storage.files import PART, NewerFormat, reason, write_json
from alexnet.storage.records import Record, load
from alexnet.storage.run_files import CHECKPOINTS, LOCK, RECORD, SETTINGS, STARTED, STOP, WEIGHTS
from alexnet.training.board import Board
from alexnet.training.fine_tuning import origin
from alexnet.training.log import VALIDATED, Line, Log
from alexnet.training.plan import Plan
from alexnet.training.settings import TrainSettings, changes_in_words, every, kept, read_kept
from alexnet.training.state import compose_record, write_checkpoint


def locked(path: Path, *, patience: float = 0.0) -> IO[str] | None:
    """Take a file's lock, which ends with the last process that has it open.

    Args:
        path: of the file, which is made where it is missing.
        patience: seconds to wait for it, since `is_locked` takes it for a moment.
    Returns:
        the open file; None if another process has the lock. Windows has no such locks, and gets the file.
    Raises:
        OSError: the file cannot be made, or its disk has no locks.
    """
    end = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("a", encoding="utf-8"))
        while not try_lock(file, alone=True):
            if time.monotonic() >= end:
                return None
            time.sleep(0.01)
        stack.pop_all()  # it stays open
        return file


def is_locked(path: Path) -> bool:
    """Whether a process has a file's lock. Any number of processes may ask at once."""
    try:
        with path.open("rb") as file:
            return not try_lock(file, alone=False)
    except FileNotFoundError:
        return False


def try_lock(file: IO, *, alone: bool) -> bool:
    """Lock an open file, exclusively or shared with other processes; return whether that succeeded.

    Raises:
        OSError: the disk has no locks.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise OSError(f"cannot lock {file.name}: {reason(error)}; choose a folder on another disk") from error
    return True


def is_gone(path: Path) -> bool:
    """Whether a file is missing; False if the disk does not respond."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


@contextlib.contextmanager
def explained(path: Path, cure: str = "") -> Generator[None]:
    """Raise an error with one sentence if something in a folder cannot be written.

    Args:
        path: of the folder or file.
        cure: what can be done.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # it explains itself
            raise
        raise OSError(f"cannot write {error.filename or path}: {reason(error)}{cure}") from error


class RunFolder:
    """The files of a run, opened by its first process.

    Args:
        settings: of the run; they name the folder.
        num_ranks: processes of the training.
    Raises:
        ValueError: another training is running there, or a newer version of the package wrote there.
        OSError: the folder cannot be written to.
    """

    log: Log  # from ``begin`` on, like the board
    board: Board

    def __init__(self, settings: TrainSettings, num_ranks: int):
        self.path = path = settings.folder.absolute()  # this process may change its working folder
        self.settings, self.num_ranks = settings, num_ranks
        self.asked_for = kept(settings, num_ranks)
        self.asked_before = asked_before(path)
        with explained(path, "; choose another `--out`"):
            path.mkdir(parents=True, exist_ok=True)
            self.lock = self.taken()
            for left in path.glob("*.????????" + PART):  # by a process that was killed
                with contextlib.suppress(OSError):
                    left.unlink()
            if not is_locked(path / STARTED):  # else the wish may be meant for this run, which was launched
                (path / STOP).unlink(missing_ok=True)

    def taken(self) -> IO[str]:
        """Take the folder's lock, or raise ValueError."""
        lock = locked(self.path / LOCK, patience=1.0)
        if lock is None:
            raise ValueError(
                f"another training is running in {self.path}; stop it, or choose another `--out`"
            )
        with contextlib.suppress(OSError):  # for people; a full disk is no reason not to begin
            lock.truncate(0)
            print(os.getpid(), socket.gethostname(), file=lock, flush=True)
        return lock

    def begin(self, step: int) -> list[str]:
        """Prepare the files for the steps after this one; later lines of the log are removed.

        The record of a training before one that begins anew goes.

        Args:
            step: updates done.
        Returns:
            sentences for the user: settings that changed, and files that were damaged.
        Raises:
            OSError: the folder cannot be written to.
        """
        with explained(self.path, "; choose another `--out`"):
            if not step:
                (self.path / RECORD).unlink(missing_ok=True)
            write_json(self.path / SETTINGS, self.asked_for)
            self.log = Log(self.path, step)
        self.board = Board(self.path, step)
        changes = ""
        if step and self.asked_before is not None:
            changes = changes_in_words(self.asked_before, (self.settings, self.num_ranks))
        return [sentence for sentence in (changes, self.log.trouble) if sentence]

    def record_unbegun(self, plan: Plan, device: torch.device, ended: dict[str, Any]) -> Record:
        """Return the record of a training that ends before it has begun.

        What was asked for and the record are written where there are none yet: others are of a run that goes
        on.

        Args:
            plan: the training.
            device: on what.
            ended: "ended" and "signal" of its results.
        Raises:
            OSError: they cannot be written.
        """
        if not (self.path / SETTINGS).is_file():
            with explained(self.path, "; choose another `--out`"):
                write_json(self.path / SETTINGS, self.asked_for)
        with contextlib.suppress(OSError, ValueError):
            before = load(self.path / RECORD)
            return replace(before, results=before.results | ended)
        results = {"training": {}, "validations": [], "step": 0, "epochs": 0.0, **ended}
        record = compose_record(plan, device, 0.0, results)
        self.save_record(record)
        return record

    def write(self, line: Line, kernels: Tensor | None = None) -> list[str]:
        """Write a line to the log and to TensorBoard; return what hinders it, in one sentence each.

        Args:
            line: of the log.
            kernels: those of conv1 (K, 3, R, S), to be shown beside it.
        """
        try:
            hindrance = "" if self.is_ours() else "the run's folder was deleted"
        except OSError as error:  # the disk does not respond
            hindrance = reason(error)
        troubles = self.log.write(line, hindrance), self.board.write(line, kernels)
        return [trouble for trouble in troubles if trouble]

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; of the older ones the last and the best stay.

        Raises:
            OSError: it cannot be written; the older checkpoints are all there then.
        """
        self.restore()
        write_checkpoint(self.path, checkpoint)

    def save_weights(self, checkpoint: Checkpoint) -> None:
        """Write what prediction needs of a finished training. Raises OSError: it cannot be written."""
        save_weights(self.path / WEIGHTS, checkpoint)

    def save_record(self, record: Record) -> None:
        """Write the record. Raises OSError: it cannot be written."""
        self.restore()
        with explained(self.path):
            record.save(self.path / RECORD)

    def is_ours(self) -> bool:
        """Whether the folder has the lock that this run took; not if it was deleted.

        Raises:
            OSError: the disk does not respond.
        """
        try:
            return os.path.samestat(os.fstat(self.lock.fileno()), (self.path / LOCK).stat())
        except FileNotFoundError:
            return False

    def restore(self) -> None:
        """Make the folder again where it was deleted under the run, but not the folders above it.

        Without these, it was deleted with everything around it, or its disk is gone.

        Raises:
            OSError: it cannot be made, or another training run has replaced it.
        """
        with explained(self.path):
            if self.is_ours():
                return
            self.path.mkdir(exist_ok=True)
            try:
                lock = self.taken()
            except ValueError as error:
                raise OSError(f"cannot write {self.path}: {error}") from error
            self.lock.close()
            self.lock = lock
            write_json(self.path / SETTINGS, self.asked_for)

    def stop_signal(self) -> int:
        """Return SIGTERM where the training is to stop, else 0.

        Somebody wants it, or the folders above the run's are gone, so that nothing can be saved any more.
        """
        wanted = os.path.exists(self.path / STOP)
        return signal.SIGTERM if wanted or is_gone(self.path.parent) else 0

    def close(self) -> None:
        """Let go of the folder."""
        with contextlib.suppress(OSError):
            (self.path / STOP).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a disk that does not respond lets go by itself
            self.lock.close()


def asked_before(folder: Path) -> tuple[TrainSettings, int] | None:
    """Return the settings of the run in a folder and its processes; None where there are none, or damaged.

    Raises:
        ValueError: a newer version of the package wrote them.
    """
    try:
        return read_kept(folder / SETTINGS)
    except NewerFormat as error:
        raise ValueError(f"{error}, or choose another `--out`") from error
    except (ValueError, OSError):
        return None


def check_folder(plan: Plan) -> None:
    """Raise ValueError unless a training may begin in its folder, or resume there.

    One that begins anew does not replace the weights of one before it, which until the end would be taken for
    its own.

    Raises:
        OSError: the folder of the checkpoints cannot be read.
        ValueError: the run in the folder started from other weights than the settings name, or has left
            weights without a checkpoint; or the schedule does not allow other validations than it had; or a
            newer version of the package wrote it.
    """
    folder = plan.settings.folder.absolute()
    before = asked_before(folder)
    if not newest_first(folder / CHECKPOINTS):
        if (folder / WEIGHTS).is_file():
            raise ValueError(
                f"{folder} has the weights of an earlier training and no checkpoint to resume it from; "
                f"move {WEIGHTS} elsewhere, or choose another `--out`"
            )
    elif before is not None:
        check_origin(folder, before[0].init_from, plan.settings.init_from)
        if plan.recipe.learning.schedule == "plateau":
            check_interval(plan, before[0].validate_every)


def check_origin(folder: Path, before: str | None, now: str | None) -> None:
    """Raise ValueError if the run in a folder started from other weights than are named now."""
    now = now and origin(now)
    if before == now or (before and now and os.path.realpath(before) == os.path.realpath(now)):
        return
    # Without the option, a folder that is named after the settings would be another one.
    cure = f"ask for `--init-from {typed(before)}`" if before else "leave `--init-from` out"
    raise ValueError(
        f"the training in {folder} began from {before or 'weights that were drawn'}, and resumes from its "
        f"own checkpoint; {cure}, or choose another `--out`"
    )


def check_interval(plan: Plan, before: str) -> None:
    """Raise ValueError if "plateau" would judge the validations so far by another interval."""
    was, now = (every(text).steps(plan.steps_per_epoch) for text in (before, plan.settings.validate_every))
    if was != now:
        raise ValueError(
            f"the training in {plan.settings.folder} validates every {before}, by which its learning rates "
            f"are divided; ask for `--validate-every {before}`, or choose another `--out`"
        )


def of_first(folder: RunFolder | None) -> RunFolder:
    """Return the folder for what the first process alone does, which is the one that has it."""
    assert folder is not None
    return folder


def open_folder(settings: TrainSettings, ranks: Ranks) -> RunFolder | None:
    """Take possession of the run's folder in the first process; all processes must call this."""
    opened: list[RunFolder] = []
    ranks.broadcast(lambda: opened.append(RunFolder(settings, ranks.size)))
    return opened[0] if opened else None


def make_results(log: Log, **more: Any) -> dict[str, Any]:
    """Return what a record says of a run: the last training window, all validations, and more.

    Args:
        log: of the run.
        **more: what else the record says.
    """
    validations = [
        {"step": line["step"], "epoch": line["epoch"]} | {name: line[key] for name, key in VALIDATED.items()}
        for line in log.lines
        if "val_top1" in line
    ]
    windows = [line for line in log.lines if "loss" in line]
    training = {name: windows[-1][name] for name in ("loss", "error")} if windows else {}
    return {"training": training, "validations": validations, **more}


def free_bytes(path: Path) -> int:
    """Return the free space where a folder is or will be.

    Raises:
        ValueError: no training can write there: it is or lies in a file, or its drive is missing, or that is
            not permitted.
    """
    place = path
    while not place.exists():
        above = place.absolute().parent
        if above == place:  # a drive of Windows
            raise ValueError(f"cannot write {path}: there is no {place}; choose another `--out`")
        place = above
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        why = "Permission denied" if place.is_dir() else f"{place} is a file"
        raise ValueError(f"cannot write {path}: {why}; choose another `--out`")
    return shutil.disk_usage(os.fspath(place)).free

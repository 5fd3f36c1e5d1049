"""The folder of a run: who may write there, and all that the first process writes but the checkpoints.

checkpoints/     the latest one and the best, by step
log.jsonl        see ``alexnet.training.log``
tensorboard/     the same for TensorBoard, if it is installed
run.json         the record (see ``alexnet.records``)
weights.pt       of a finished training: what prediction needs
settings.json    what was asked for
lock             locked while a training runs, by the process whose number it holds
output.txt       what a run printed that was started by ``alexnet.training.launch``
"""

import os
import shutil
import time
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from alexnet.files import write_json
from alexnet.training.devices import Ranks
from alexnet.training.log import Line, Log, tensorboard_writer, write_kernels, write_scalars
from alexnet.training.settings import TrainSettings, to_dict

LOCK, SETTINGS = "lock", "settings.json"


def locked(path: Path, *, patience: float = 0.0) -> IO[str] | None:
    """Take a file's lock, which ends with the last process that has it open.

    Args:
        path: of the file, which is made where it is missing.
        patience: seconds to wait for it, since ``is_locked`` takes it for a moment.
    Returns:
        the open file; None where somebody else has the lock. Windows has no such locks, and gets the file.
    """
    file = path.open("a", encoding="utf-8")
    try:
        import fcntl
    except ImportError:
        return file
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= end:
                file.close()
                return None
            time.sleep(0.01)


def is_locked(path: Path) -> bool:
    """Whether somebody has a file's lock."""
    if not path.is_file():
        return False
    file = locked(path)
    if file is not None:
        file.close()
    return file is None


def owner_of(path: Path) -> int:
    """Return the number of the process that has a file's lock."""
    return int(path.read_text(encoding="utf-8"))


class RunFolder:
    """The files of a run, opened by its first process.

    Args:
        settings: what was asked for; they name the folder.
        num_ranks: processes of the training.
    Raises:
        ValueError: another training is running there.
        OSError: the folder cannot be written to.
    """

    def __init__(self, settings: TrainSettings, num_ranks: int):
        self.path = path = settings.folder
        path.mkdir(parents=True, exist_ok=True)
        self.lock = locked(path / LOCK, patience=1.0)
        if self.lock is None:
            raise ValueError(f"another training is running in {path}; stop it, or choose another `--out`")
        self.lock.truncate(0)
        print(os.getpid(), file=self.lock, flush=True)
        self.asked_for = {"settings": to_dict(settings), "num_ranks": num_ranks}
        self.log: Log | None = None
        self.tensorboard: Any = None

    def begin(self, step: int) -> None:
        """Get ready to write of what comes after so many steps; the log is cut there.

        Raises:
            OSError: the folder cannot be written to.
        """
        write_json(self.path / SETTINGS, self.asked_for)
        self.log = Log(self.path, step)
        self.tensorboard = tensorboard_writer(self.path)

    def write(self, line: Line, kernels: Tensor | None = None) -> str:
        """Write a line to the log and to TensorBoard; return what hinders it in one sentence, or nothing.

        Args:
            line: of the log. kernels: those of conv1 (K, 3, R, S), to be shown beside it.
        """
        trouble = self.log.write(line)
        if self.tensorboard is not None:
            write_scalars(self.tensorboard, line)
            if kernels is not None:
                write_kernels(self.tensorboard, kernels, line["step"])
        return trouble

    def close(self) -> None:
        """Let go of the folder."""
        if self.tensorboard is not None:
            self.tensorboard.close()
        self.lock.close()


def open_folder(settings: TrainSettings, ranks: Ranks) -> RunFolder | None:
    """Take possession of the run's folder in the first process; all processes must call this."""
    opened: list[RunFolder] = []
    ranks.from_first(lambda: opened.append(RunFolder(settings, ranks.size)))
    return opened[0] if opened else None


def results_of(log: Log, **more: Any) -> dict[str, Any]:
    """Return what a record says of a run: the last training window, all validations, and more.

    Args:
        log: of the run.
    """
    validations = [
        {"step": line["step"], "epoch": line["epoch"]}
        | {name: line["val_" + name] for name in ("top1", "top5", "nll")}
        for line in log.lines
        if "val_top1" in line
    ]
    windows = [line for line in log.lines if "loss" in line]
    training = {name: windows[-1][name] for name in ("loss", "error")} if windows else {}
    return {"training": training, "validations": validations, **more}


def free_bytes(path: Path) -> int:
    """Return the free space where a folder is or will be."""
    while not path.exists():
        path = path.absolute().parent
    return shutil.disk_usage(os.fspath(path)).free

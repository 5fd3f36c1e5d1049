"""The folder of a run: who may write there, and all that the first process writes but the checkpoints.

checkpoints/     the latest one and the best, by step
log.jsonl        see ``alexnet.training.log``
tensorboard/     the same for TensorBoard, if it is installed
run.json         the record (see ``alexnet.records``)
weights.pt       of a finished training: what prediction needs
output.txt       what a run printed that was started by ``alexnet.training.launch``
"""

import os
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from alexnet.training.log import Line, Log, tensorboard_writer, write_kernels, write_scalars

LOCK = "lock"


def locked(path: Path) -> IO[str] | None:
    """Take a file's lock, which ends with the last process that has it open.

    Args:
        path: of the file, which is made where it is missing.
    Returns:
        the open file; None where somebody else has the lock. Windows has no such locks, and gets the file.
    """
    file = path.open("a", encoding="utf-8")
    try:
        import fcntl
    except ImportError:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


class RunFolder:
    """The files of a run, opened by its first process.

    Args:
        path: of the folder.
        step: where the training goes on; the log is cut there.
    Raises:
        ValueError: another training is running there.
        OSError: the folder cannot be written to.
    """

    def __init__(self, path: Path, step: int):
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.lock = locked(path / LOCK)
        if self.lock is None:
            raise ValueError(f"another training is running in {path}; stop it, or choose another `--out`")
        self.log = Log(path, step)
        self.tensorboard = tensorboard_writer(path)

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
    import shutil

    while not path.exists():
        path = path.absolute().parent
    return shutil.disk_usage(os.fspath(path)).free

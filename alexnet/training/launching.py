"""Start a training as a process of its own, which outlives the notebook, and come back to it later.

::

    run = launch(TrainSettings(data="cifar10", out="runs/mine"), num_ranks=2)
    run.log()[-1]                      # the lines of log.jsonl
    run = attach("runs/mine")          # after a restart of the kernel
    run.stop(); run.resume()

It needs the file locks of Linux or macOS.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from alexnet.shown import typed
from alexnet.storage.files import home
from alexnet.storage.records import Record, load
from alexnet.storage.run_files import LOCK, RECORD, SETTINGS, STARTED, STOP
from alexnet.training.folder import explained, is_locked, locked
from alexnet.training.log import Line, read_log
from alexnet.training.settings import TrainSettings, python_command, read_kept

OUTPUT = "output.txt"
# glibc gives large buffers back to the system after every step and must have them cleared again in the next.
# With these it keeps them.
KEEP_BUFFERS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
# By folder, the processes that this one has started: it can signal them and will never meet a stranger.
CHILDREN: dict[Path, subprocess.Popen] = {}


def launch(settings: TrainSettings, num_ranks: int = 1, *, keep_buffers: bool = False) -> "Launched":
    """Start or resume a training run in a process of its own.

    What it prints goes to ``output.txt`` in the run's folder.

    Args:
        settings: what to train.
        num_ranks: processes, one a device; more than 1 are started by torchrun on this machine.
        keep_buffers: on Linux, let the C library keep freed memory: a CPU saves a fifth of the time of a step
            of a small network, and the process stays as large as it ever was.
    Raises:
        ValueError: a training is running in the folder, there is no process, or this system is Windows.
        OSError: the folder cannot be written to.
    """
    if os.name != "posix":
        raise ValueError("launch needs Linux or macOS; run `alexnet train` in a terminal")
    if num_ranks < 1:
        raise ValueError(f"num_ranks must be at least 1, got {num_ranks}")
    folder = settings.folder.absolute()
    running = Launched(folder)
    environment = os.environ | (KEEP_BUFFERS if keep_buffers and sys.platform == "linux" else {})
    with contextlib.ExitStack() as stack:
        with explained(folder, "; choose another `out`"):
            folder.mkdir(parents=True, exist_ok=True)
            started = None if running.running else locked(folder / STARTED, patience=1.0)
            if started is None:
                raise ValueError(f"a training is running in {folder}; attach to it, or stop it first")
            stack.enter_context(started)
            (folder / STOP).unlink(missing_ok=True)  # left by one that ended otherwise
            output = stack.enter_context((folder / OUTPUT).open("ab"))
        # The process inherits the open lock, so it counts as running from now on, before it has begun.
        CHILDREN[folder] = process = subprocess.Popen(
            python_command(replace(settings, out=str(folder)), num_ranks),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[started.fileno()],
            env=environment,
        )
    # Somebody must wait for it, or it stays in the system's list of processes when it has ended.
    threading.Thread(target=process.wait, daemon=True).start()
    return running


def attach(folder: Path | str) -> "Launched":
    """Return the training run in a folder, whether or not it is running.

    Raises:
        FileNotFoundError: there is none.
    """
    path = home(folder).absolute()
    if not any((path / name).is_file() for name in (STARTED, SETTINGS)):
        command = f"alexnet train --out {typed(path)}"
        raise FileNotFoundError(f"there is no training in {path}; `{command}` starts one")
    return Launched(path)


class Launched:
    """A training in a folder, which may be running."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __repr__(self) -> str:
        lines = self.log()
        where = f"step {lines[-1]['step']:,}" if lines else "no step yet"
        return f"<training in {self.folder}, {where}, {'running' if self.running else 'not running'}>"

    @property
    def running(self) -> bool:
        """Whether it is training, or starting to."""
        return is_locked(self.folder / LOCK) or is_locked(self.folder / STARTED)

    def log(self) -> list[Line]:
        """Return the lines of ``log.jsonl`` (see `alexnet.training.log`)."""
        return read_log(self.folder)

    def output(self) -> str:
        """Return what it has printed so far."""
        path = self.folder / OUTPUT
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def record(self) -> Record:
        """Return the record as it was last written, at a validation or at the end.

        Raises:
            FileNotFoundError: there is none as yet.
        """
        return load(self.folder / RECORD)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is not running any more; return whether that is so after so many seconds at most."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.running:
            if end is not None and time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def stop(self, timeout: float = 60) -> bool:
        """Let it finish its step, save and end; return whether it has ended within so many seconds.

        The wish is a file in its folder, which the training looks for after each step and while it computes
        the mean image: this reaches it in another container and on another computer too, where a process's
        number would mean another process.

        Raises:
            OSError: the folder cannot be written to.
        """
        if self.running:
            child = CHILDREN.get(self.folder)
            if child is not None and not is_locked(self.folder / LOCK):
                child.terminate()  # it has nothing to save yet, and is long in beginning
            with explained(self.folder):
                (self.folder / STOP).touch()
        ended = self.wait(timeout)
        if ended:
            with contextlib.suppress(OSError):
                (self.folder / STOP).unlink(missing_ok=True)
        return ended

    def resume(self, **changes: Any) -> "Launched":
        """Go on with it in a new process.

        Args:
            **changes: of its settings, for example max_steps=None.
        Raises:
            ValueError: it is running, or was stopped before it had begun; or what was asked for is damaged.
            OSError: the folder cannot be read or written to.
        """
        try:
            settings, num_ranks = read_kept(self.folder / SETTINGS)
        except FileNotFoundError as error:
            raise ValueError(
                f"the training in {self.folder} had not begun; start it again with launch"
            ) from error
        return launch(replace(settings, **changes, out=str(self.folder)), num_ranks)

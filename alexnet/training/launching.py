"""Start a training as a process of its own, which outlives the notebook, and come back to it later.

    run = launch(TrainSettings(data="cifar10", out="runs/mine"), num_ranks=2)
    run.log()[-1]                      # the lines of log.jsonl
    run = attach("runs/mine")          # after a restart of the kernel
    run.stop(); run.resume()

It needs the file locks and the signals of Linux or macOS.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from alexnet.records import Record, load
from alexnet.training.folder import LOCK, SETTINGS, is_locked, locked, owner_of
from alexnet.training.log import Line, read_log
from alexnet.training.settings import TrainSettings, python_command
from alexnet.training.state import RECORD

OUTPUT, STARTED = "output.txt", "started"
# glibc gives large buffers back to the system after every step and must have them cleared again in the next.
# With these it keeps them.
KEEP_BUFFERS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def launch(settings: TrainSettings, num_ranks: int = 1, *, keep_buffers: bool = False) -> "Launched":
    """Start a training, or go on with one, in a process of its own.

    What it prints goes to ``output.txt`` in the run's folder.

    Args:
        settings: what to train.
        num_ranks: processes, one a device; more than 1 are started by torchrun on this machine.
        keep_buffers: on Linux, let the C library keep freed memory: a CPU saves a fifth of the time of a step
            of a small net, and the process stays as large as it ever was.
    Raises:
        ValueError: a training is running in the folder, or this system is Windows.
        OSError: the folder cannot be written to.
    """
    if os.name != "posix":
        raise ValueError("launch needs Linux or macOS; run `alexnet train` in a terminal")
    folder = settings.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    running = Launched(folder)
    started = None if running.running else locked(folder / STARTED)
    if started is None:
        raise ValueError(f"a training is running in {folder}; attach to it, or stop it first")
    environment = os.environ | (KEEP_BUFFERS if keep_buffers and sys.platform == "linux" else {})
    # The process inherits the open lock, so it counts as running from now on, before it has done anything.
    with started, (folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            python_command(replace(settings, out=str(folder)), num_ranks),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[started.fileno()],
            env=environment,
        )
        started.truncate(0)
        started.write(f"{process.pid}\n")
    # Somebody must wait for it, or it stays in the system's list of processes when it has ended.
    threading.Thread(target=process.wait, daemon=True).start()
    return running


def attach(folder: Path | str) -> "Launched":
    """Return the training in a folder, whoever started it, whether it runs or not.

    Raises:
        FileNotFoundError: there is none.
    """
    path = Path(folder).expanduser().absolute()
    if not any((path / name).is_file() for name in (STARTED, SETTINGS)):
        raise FileNotFoundError(f"there is no training in {path}; `alexnet train --out {path}` starts one")
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
        """Return the lines of ``log.jsonl`` (see ``alexnet.training.log``)."""
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
        """Let it finish its step, save and end; return whether it has ended within so many seconds."""
        if is_locked(self.folder / LOCK):
            os.kill(owner_of(self.folder / LOCK), signal.SIGTERM)
        elif is_locked(self.folder / STARTED):  # it has nothing to save yet
            os.killpg(owner_of(self.folder / STARTED), signal.SIGTERM)
        return self.wait(timeout)

    def resume(self, **changes: Any) -> "Launched":
        """Go on with it in a new process.

        Args:
            changes: of its settings, for example max_steps=None.
        Raises:
            ValueError: it is running, or was stopped before it had begun.
        """
        path = self.folder / SETTINGS
        if not path.is_file():
            raise ValueError(f"the training in {self.folder} had not begun; start it again with launch")
        kept = json.loads(path.read_text(encoding="utf-8"))
        settings = TrainSettings(**(kept["settings"] | changes))
        return launch(replace(settings, out=str(self.folder)), kept["num_ranks"])

"""What a run writes down as it goes: ``log.jsonl`` for curves.

A line of the log is written when a window of steps closes or a validation is done; a step has at most one::

    step, epoch            where the line stands; epoch is a fraction within an epoch
    loss, error            nats and a fraction, means over the window's training images, before their update
    conv1_rate, weight_rate, bias_rate, colour_noise
    images_per_second, wait_share     all devices together; fraction of the time spent waiting for images
    val_top1, val_top5, val_loss      where a validation was done: fractions, and nats
    seconds                of training so far, over all interruptions
"""

import json
import warnings
from pathlib import Path
from typing import Any

from alexnet.storage.files import reason, written_whole

Line = dict[str, Any]
LOG = "log.jsonl"
VALIDATED = {"top1": "val_top1", "top5": "val_top5", "nll": "val_loss"}  # in a line, by a record's names


def read_log(folder: Path | str) -> list[Line]:
    """Return the lines of a run's log, also while it runs; a last line that is not whole is left out.

    Damaged lines, as a power failure leaves them, are left out with a warning.
    """
    path = Path(folder) / LOG
    lines, num_damaged = whole_lines(path)
    if num_damaged:
        warnings.warn(left_out(path, num_damaged), stacklevel=2)
    return lines


def whole_lines(path: Path) -> tuple[list[Line], int]:
    """Return the lines of a log that are whole, and the number of those that are damaged."""
    if not path.is_file():
        return [], 0
    *texts, unfinished = path.read_bytes().split(b"\n")
    if b"\0" in unfinished:  # nobody is writing that
        texts.append(unfinished)
    lines = [line for line in map(line_in, texts) if line is not None]
    return lines, len(texts) - len(lines)


def line_in(text: bytes) -> Line | None:
    """Return a line of the log, None if it is none."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    is_whole = isinstance(line, dict) and isinstance(line.get("step"), int)
    return line if is_whole and isinstance(line.get("seconds"), int | float) else None


def left_out(path: Path, num_damaged: int) -> str:
    """Return a sentence that reports damaged lines."""
    return f"{path}: {num_damaged} damaged {'line' if num_damaged == 1 else 'lines'} left out"


class Log:
    """The file ``log.jsonl`` of a run.

    A training must not end because a line cannot be written: the lines wait, and go with the next one.

    Attributes:
        lines: all so far, those of the interrupted runs too.
        trouble: what is wrong with the file in one sentence, or nothing.

    Args:
        folder: of the run.
        step: where the training resumes; lines of later steps from an interrupted run are removed.
    Raises:
        OSError: the log cannot be read or written.
    """

    def __init__(self, folder: Path, step: int):
        self.path = folder / LOG
        lines, num_damaged = whole_lines(self.path)
        self.trouble = left_out(self.path, num_damaged) if num_damaged else ""
        self.lines = [line for line in lines if line["step"] <= step]
        self.write_all()

    @property
    def seconds(self) -> float:
        """Training time at the last line."""
        return self.lines[-1]["seconds"] if self.lines else 0.0

    def write(self, line: Line, hindrance: str = "") -> str:
        """Append a line; return what hinders it in one sentence, or nothing if that has been said before.

        What is measured later at the step of the last line joins it: a validation that a signal broke off.

        Args:
            line: to be written.
            hindrance: why it must wait, in some words, if the caller knows.
        """
        if self.lines and self.lines[-1]["step"] == line["step"]:
            line = self.take_last() | line
        self.lines.append(line)
        before = self.trouble
        try:
            if not hindrance:
                self.write_new()
        except OSError as error:
            hindrance = reason(error)
        waits = f"cannot write {self.path}: {hindrance}; training continues, and its lines wait"
        self.trouble = waits if hindrance else ""
        return self.trouble if self.trouble != before else ""

    def take_last(self) -> Line:
        """Remove the last line, to be written again with more in it."""
        line = self.lines.pop()
        if self.num_written > len(self.lines):
            self.size, self.num_written = self.size - len(as_bytes([line])), len(self.lines)
        return line

    def write_new(self) -> None:
        """Write the lines that wait, after those that are in the file, or all if it is not whole any more."""
        if not self.path.is_file() or self.path.stat().st_size < self.size:
            self.write_all()
            return
        with self.path.open("r+b") as file:
            file.seek(self.size)
            file.write(as_bytes(self.lines[self.num_written :]))
            file.truncate()  # what a failed write left behind
            self.size, self.num_written = file.tell(), len(self.lines)

    def write_all(self) -> None:
        """Write the file anew, whole or not at all; not where its folder was deleted."""
        content = as_bytes(self.lines)
        self.path.parent.stat()
        with written_whole(self.path) as file:
            file.write(content)
        self.size, self.num_written = len(content), len(self.lines)


def as_bytes(lines: list[Line]) -> bytes:
    """Return lines as JSON; numbers keep every digit."""
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()

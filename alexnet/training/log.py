"""What a run writes down as it goes: ``log.jsonl`` for curves, TensorBoard's files, and the record.

A line of the log is written when a window of steps closes or a validation is done:

    step, epoch            where the line stands; epoch is a fraction within an epoch
    loss, error            nats and a fraction, means over the window's training pictures, before their update
    conv1_rate, weight_rate, bias_rate, colour_noise
    images_per_second, wait_share     all devices together; share of the time spent on waiting for pictures
    val_top1, val_top5, val_nll       where a validation was done: fractions, and nats
    seconds                of training so far, over all interruptions
"""

import errno
import json
import os
from pathlib import Path
from typing import Any

from torch import Tensor

Line = dict[str, Any]
LOG, TENSORBOARD = "log.jsonl", "tensorboard"


def read_log(folder: Path | str) -> list[Line]:
    """Return the lines of a run's log, also while it runs; a last line that is not whole is left out."""
    path = Path(folder) / LOG
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


class Log:
    """The file ``log.jsonl`` of a run.

    A training must not end because a line cannot be written: the lines wait, and go with the next one.

    Attributes:
        lines: all so far, those of the interrupted runs too.

    Args:
        folder: of the run.
        step: where the training goes on; what an interrupted run wrote of later steps is taken out.
    Raises:
        OSError: the log cannot be written.
    """

    def __init__(self, folder: Path, step: int):
        self.path = folder / LOG
        self.lines = [line for line in read_log(folder) if line["step"] <= step]
        temporary = self.path.with_suffix(".part")
        temporary.write_text("".join(map(as_text, self.lines)), encoding="utf-8")
        os.replace(temporary, self.path)
        self.num_written = len(self.lines)

    @property
    def seconds(self) -> float:
        """Training time at the last line."""
        return self.lines[-1]["seconds"] if self.lines else 0.0

    def write(self, line: Line) -> str:
        """Append a line; return what hinders it in one sentence, or nothing."""
        self.lines.append(line)
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(map(as_text, self.lines[self.num_written :])))
        except OSError as error:
            if self.path.exists():
                os.truncate(self.path, size)
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            return f"cannot write {self.path}: {reason}; training goes on, and its lines wait"
        self.num_written = len(self.lines)
        return ""


def as_text(line: Line) -> str:
    """Return a line as JSON; numbers keep every digit."""
    return json.dumps(line, allow_nan=False) + "\n"


def tensorboard_writer(folder: Path):
    """Return a ``SummaryWriter`` for a run, or None where the package tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / TENSORBOARD))


def write_scalars(writer: Any, line: Line) -> None:
    """Give a line of the log to TensorBoard, training and validation in charts of their own."""
    for key, value in line.items():
        if key not in ("step", "colour_noise"):
            name = key.removeprefix("val_")
            writer.add_scalar(f"{'train' if name == key else 'validation'}/{name}", value, line["step"])


def write_kernels(writer: Any, kernels: Tensor, step: int) -> None:
    """Give the kernels of conv1 to TensorBoard as one picture (paper, figure 3).

    Args:
        writer: of ``tensorboard_writer``. kernels: (K, 3, R, S).
    """
    writer.add_image("conv1 kernels", kernel_sheet(kernels), step)


def kernel_sheet(kernels: Tensor, columns: int = 16) -> Tensor:
    """Lay out kernels in rows, each scaled to 0..1 by itself, with black lines of a pixel between them.

    Args:
        kernels: (K, 3, R, S). columns: kernels in a row.
    Returns:
        (3, height, width).
    """
    from torchvision.utils import make_grid

    return make_grid(kernels.detach().float().cpu(), nrow=columns, padding=1, normalize=True, scale_each=True)

"""The same curves for TensorBoard, if it is installed. Its errors never end a training run."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from alexnet.storage.files import reason
from alexnet.training.log import Line

TENSORBOARD = "tensorboard"
HINT = "curves in TensorBoard: none, as it is not installed; pip install tensorboard"


class Board:
    """The file of TensorBoard in a run's folder.

    It is written by the training itself, line by line: ``SummaryWriter`` writes in a thread of its own, whose
    errors come late and end what they meet.

    Attributes:
        missing: why nothing is written, in one sentence; "" while it is.

    Args:
        folder: of the run.
        step: updates done; TensorBoard then leaves out the later ones of a run that was killed.
    """

    def __init__(self, folder: Path, step: int):
        now = time.time()
        name = f"events.out.tfevents.{now:.0f}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self.path = folder / TENSORBOARD / name
        self.missing = ""
        try:
            # protobuf makes the class when it is imported
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyrefly: ignore[missing-module-attribute]
            from torch.utils.tensorboard import RecordWriter

            self.event, self.record_writer = Event, RecordWriter
            self.path.parent.mkdir(exist_ok=True)
            self.path.touch(exist_ok=False)
            begins = SessionLog(status=SessionLog.START)
            self.append(
                [
                    Event(wall_time=now, file_version="brain.Event:2"),
                    Event(wall_time=now, step=step + 1, session_log=begins),
                ]
            )
        except ImportError:
            self.missing = HINT
        except Exception as error:  # of a version that does not fit, or of the disk
            self.missing = f"curves in TensorBoard: none; {why(error)}"

    def write(self, line: Line, kernels: Tensor | None = None) -> str:
        """Write a line of the log; return in one sentence what hinders it, the first time, or nothing.

        Training and validation have charts of their own.

        Args:
            line: of the log.
            kernels: those of conv1 (K, 3, R, S), to be shown beside it (paper, figure 3).
        """
        if self.missing:
            return ""
        try:
            self.append(
                self.event(wall_time=time.time(), step=line["step"], summary=summary)
                for summary in summaries(line, kernels)
            )
        except Exception as error:  # no error here may end the training
            self.missing = f"{why(error)}; training continues without curves in TensorBoard"
        return self.missing

    def append(self, events: Any) -> None:
        """Write events to the file, which must be there."""
        with self.path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            writer = self.record_writer(file)
            for event in events:
                writer.write(event.SerializeToString())


def why(error: Exception) -> str:
    """Return an error in one sentence."""
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {error.filename}: {reason(error)}"
    return " ".join(f"{type(error).__name__}: {error}".split())


def summaries(line: Line, kernels: Tensor | None) -> list[Any]:
    """Return a line of the log, and kernels, as TensorBoard takes them."""
    from torch.utils.tensorboard import summary

    found = [summary.scalar(name, value) for name, value in scalars(line).items()]
    if kernels is not None:
        found.append(summary.image("conv1 kernels", kernel_sheet(kernels), dataformats="NCHW"))  # a grid
    return found


def scalars(line: Line) -> dict[str, float]:
    """Return the numbers of a line under the names of their charts."""
    return {
        f"validation/{key.removeprefix('val_')}" if key.startswith("val_") else f"train/{key}": value
        for key, value in line.items()
        if key not in ("step", "colour_noise")
    }


def kernel_sheet(kernels: Tensor) -> Tensor:
    """Scale each kernel to 0..1 by itself and end it in black lines of a pixel, which divide a grid of them.

    Args:
        kernels: (K, 3, R, S).
    Returns:
        (K, 3, R + 1, S + 1).
    """
    kernels = kernels.detach().float().cpu()
    lowest, highest = kernels.amin((1, 2, 3), keepdim=True), kernels.amax((1, 2, 3), keepdim=True)
    return F.pad((kernels - lowest) / (highest - lowest).clamp(min=1e-5), (0, 1, 0, 1))

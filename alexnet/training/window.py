"""The steps between two lines of the log, added up without waiting for the device."""

import math
import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from alexnet.distributed.ranks import Ranks
from alexnet.optim.step import StepResult


class Diverged(ValueError):
    """The loss, a parameter or a gradient has become NaN or infinite."""


class Mark(NamedTuple):
    """A moment in a window: the time, how long the loader had waited, the images of the window so far."""

    time: float
    waited: float
    num_images: int


class Window:
    """Results of some steps.

    Args:
        step: updates done before the window.
        waited: seconds that the loader has waited so far.
    """

    def __init__(self, step: int, waited: float):
        self.step = step
        self.marks = [Mark(time.perf_counter(), waited, 0)]
        self.results: list[StepResult] = []
        self.norms: list[Tensor] = []

    def add(self, result: StepResult, gradient_norms: Tensor) -> None:
        """Take in one step. gradient_norms: (number of parameters,)."""
        self.results.append(result)
        self.norms.append(gradient_norms)

    def measure_from_here(self, waited: float) -> None:
        """Exclude the steps so far from the speed if more follow: the first steps are slower than usual.

        Args:
            waited: seconds that the loader has waited so far.
        """
        self.marks.append(Mark(time.perf_counter(), waited, self.num_images))

    def leave_out(self, seconds: float) -> None:
        """Subtract time that was spent on something else, such as a checkpoint, from the window."""
        self.marks = [mark._replace(time=mark.time + seconds) for mark in self.marks]

    @property
    def num_images(self) -> int:
        """Images so far, of this process."""
        return sum(result.num_images for result in self.results)

    def check(self, ranks: Ranks, names: list[str]) -> None:
        """Check that all losses are finite, in all processes together; all must call this.

        Args:
            ranks: the processes.
            names: of the parameters, in the order of the gradients' norms.
        Raises:
            Diverged: one is not; the message names the step and the first value that was not finite.
        """
        losses = torch.stack([result.loss for result in self.results]).isfinite().tolist()
        if ranks.max([not all(losses)])[0]:
            step, what = ranks.min(first_not_finite(losses, torch.stack(self.norms), names))
            step += self.step + 1
            raise Diverged(f"training diverged in step {step}: {what} is not finite")

    def line(self, ranks: Ranks, waited: float) -> dict[str, Any]:
        """Return the log's values for the window, over all processes; all must call this.

        Args:
            ranks: the processes.
            waited: seconds that the loader has waited so far.
        """
        images = self.num_images
        loss = math.fsum(torch.stack([result.loss for result in self.results]).double().tolist())
        wrong = int(torch.stack([result.num_wrong for result in self.results]).sum())
        start = next(mark for mark in reversed(self.marks) if mark.num_images < images)
        seconds = time.perf_counter() - start.time
        steps = len(self.results)
        loss, wrong, all_images, steps = ranks.sum([loss, wrong, images, steps])
        return {
            "loss": loss / steps,
            "error": wrong / all_images,
            "images_per_second": (images - start.num_images) * ranks.num_data / seconds,
            "wait_share": min(1.0, (waited - start.waited) / seconds),
        }


def first_not_finite(losses: list[bool], norms: Tensor, names: list[str]) -> tuple[int, str]:
    """Return the first step of a window in which a value was not finite, and which value, as far as is known.

    A non-finite gradient makes its parameter non-finite, and the parameter the loss of the next step.

    Args:
        losses: of each step, whether it was finite.
        norms: (steps, parameters), of the gradients.
        names: of the parameters, the first layer first; the backward pass comes to the last one first.
    Returns:
        the step, 0 for the window's first, and a phrase; (number of steps, "") if all is finite.
    """
    for step, finite in enumerate(losses):
        if not finite:
            return step, "the loss"
        broken = [name for name, good in zip(names, norms[step].isfinite().tolist(), strict=True) if not good]
        if broken:
            return step, f"the gradient of {broken[-1]}"
    return len(losses), ""

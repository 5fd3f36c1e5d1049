"""When a training run is saved, and the checkpoint to resume from."""

import time
from collections.abc import Sequence

from alexnet.storage.checkpoints import Validation, locate
from alexnet.storage.run_files import CHECKPOINTS
from alexnet.training.folder import RunFolder, is_gone, of_first
from alexnet.training.learner import Learner
from alexnet.training.plan import Plan
from alexnet.training.settings import every
from alexnet.training.state import make_checkpoint
from alexnet.training.window import Diverged, Window


class Saves:
    """The checkpoints of a run, seen from one process.

    Attributes:
        step: of the last one; 0 where there is none.
        lacks_weights: whether what prediction needs of a finished training could not be written beside it.

    Args:
        plan: the training.
        learner: what is trained.
        folder: where the first process writes; None in the others.
        step: updates done in the checkpoint from which the training resumes.
        validations: all validations in it.
    """

    def __init__(
        self,
        plan: Plan,
        learner: Learner,
        folder: RunFolder | None,
        step: int,
        validations: Sequence[Validation],
    ):
        self.plan, self.learner, self.ranks, self.folder = plan, learner, learner.ranks, folder
        self.step, self.num_validations = step, len(validations)
        self.lacks_weights = False
        self.time = time.monotonic()

    @property
    def in_words(self) -> str:
        """The checkpoint to resume from, in words."""
        if not self.step:
            return "no checkpoint was saved"
        gone = self.folder is not None and is_gone(locate(self.folder.path / CHECKPOINTS, self.step))
        return f"the checkpoint of step {self.step} {'is gone' if gone else 'stays'}"

    @property
    def way_on(self) -> str:
        """The checkpoint to resume from, and how, in words."""
        goes_on = self.in_words.endswith("stays")
        return self.in_words + (", and the same command resumes from it" if goes_on else "")

    def due_by_steps(self, step: int) -> bool:
        """Whether a checkpoint is due after a step, in all processes."""
        every_steps = self.plan.checkpoint_every
        return every_steps is not None and step % every_steps == 0

    def due_by_clock(self) -> bool:
        """Whether a checkpoint is due by the clock of the first process."""
        asked = every(self.plan.settings.checkpoint_every)
        by_clock = asked.unit == "minutes" and self.ranks.is_first
        return by_clock and time.monotonic() - self.time >= 60 * asked.count

    def save(self, step: int, validations: Sequence[Validation], window: Window, *, finished: bool) -> None:
        """Write a checkpoint if there is none of this state, and in the end the weights beside it.

        All processes must call this.

        Args:
            step: updates done.
            validations: all validations so far.
            window: with the results of the last steps.
            finished: whether the training is at its end.
        Raises:
            Diverged: a parameter is NaN or infinite, so nothing is saved.
            OSError: it cannot be written; OtherFailed in the other processes.
        """
        self.time = time.monotonic()
        is_new = (self.step, self.num_validations) != (step, len(validations))
        if not is_new and not self.lacks_weights:
            return
        if window.results:
            window.check(self.ranks, self.learner.trained)
        broken = self.learner.not_finite()
        if self.ranks.max([bool(broken)])[0]:
            what = broken[0] if broken else "a parameter of another process"
            raise Diverged(f"training diverged by step {step}: {what} is not finite")
        checkpoint = make_checkpoint(self.plan, self.learner, step, validations)
        if is_new:
            self.ranks.broadcast(lambda: of_first(self.folder).save(checkpoint))
            self.step, self.num_validations = step, len(validations)
        self.lacks_weights = finished
        if finished:
            self.ranks.broadcast(lambda: of_first(self.folder).save_weights(checkpoint))
            self.lacks_weights = False

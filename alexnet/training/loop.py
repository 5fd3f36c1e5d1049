"""Training from the first step, or from where it was left off, to the end.

What happens between two steps, always in this order: the window of the log closes, validation, checkpoint,
the end. Whether to stop and whether a checkpoint is due by the clock is agreed on by all processes during
each step, so that all do the same after it.
"""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from alexnet.data.loader import Batch, BatchFailed
from alexnet.devices import compiling_explained, out_of_memory_explained, prepare_device, settle
from alexnet.distributed.ranks import OtherFailed, joined, lost_processes_explained, placed
from alexnet.optim.schedule import Rates
from alexnet.storage.checkpoints import Validation
from alexnet.storage.records import Record, load
from alexnet.storage.run_files import RECORD
from alexnet.training.batches import batches_from, training_loader, validation_loader
from alexnet.training.events import Event, message
from alexnet.training.folder import RunFolder, check_folder, make_results, of_first, open_folder
from alexnet.training.learner import Learner, make_learner
from alexnet.training.log import VALIDATED, Line
from alexnet.training.messages import device_in_words, end_in_words, plan_in_words
from alexnet.training.plan import Plan
from alexnet.training.saves import Saves
from alexnet.training.settings import TrainSettings
from alexnet.training.signals import Stopped, StopWish, asked, name_signal, started_again
from alexnet.training.state import compose_record, planned, resume
from alexnet.training.validation import validate
from alexnet.training.window import Diverged, Window

OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Ignore the event."""


def train(settings: TrainSettings, on_event: OnEvent = ignore) -> Record:
    """Train a network, or resume a training run from the checkpoint in its folder.

    Under torchrun all processes call this with the same settings, and each does its part.

    Args:
        settings: what to train and how.
        on_event: called in the first process with what happens (see `alexnet.training.events`).
    Returns:
        the record of the run, which also lies in the folder as ``run.json``; ``results["ended"]`` says how it
        ended, ``results["signal"]`` is the number of the signal that stopped it, or 0.
    Raises:
        ValueError: the settings do not fit the data, the devices or the checkpoint in the folder.
        FileNotFoundError: there is no such data.
        Diverged: the loss is NaN or infinite; the last checkpoint stays as it is.
        BatchFailed: images cannot be read any more; what was trained is saved.
        OSError: the last checkpoint or the record could not be written.
    """
    with joined(settings.device) as ranks:
        prepare_device(ranks.device, deterministic=settings.deterministic)
        plan = planned(settings, ranks)
        ranks = placed(ranks, plan.layout)
        with (
            out_of_memory_explained(plan.recipe.learning.batch_size),
            compiling_explained(),
            lost_processes_explained() if ranks.size > 1 else contextlib.nullcontext(),
            contextlib.ExitStack() as stack,
        ):
            folder = open_folder(plan.settings, ranks)
            if folder is not None:
                stack.callback(folder.close)
            ranks.broadcast(lambda: check_folder(plan))
            tell = on_event if ranks.is_first else ignore
            wish = stack.enter_context(StopWish())

            def stop_signal() -> int:
                """Return the signal that came to this process, or that its folder stands for, or 0."""
                return wish.signal or (folder.stop_signal() if folder is not None else 0)

            try:
                learner = make_learner(plan, ranks, lambda sentence: tell(message(sentence)), stop_signal)
            except Stopped as stopped:
                ended = {"ended": name_signal(stopped.signal), "signal": stopped.signal}
                record = ranks.broadcast(lambda: of_first(folder).record_unbegun(plan, ranks.device, ended))
                tell(Event("end", {"text": end_in_words(settings, record)}))
                return record
            run = Run(plan, learner, folder, tell, stop_signal)
            stack.callback(run.close)
            with run.divergence_recorded():
                return run.to_the_end()


def ended_before(folder: Path) -> str:
    """Return how the last run in a folder ended, as far as there is a record of it."""
    with contextlib.suppress(OSError, ValueError):
        return load(folder / RECORD).results.get("ended", "")
    return ""


class Run:
    """A training in progress, seen from one process.

    Args:
        plan: the training.
        learner: what is trained.
        folder: where the first process writes; None in the others.
        on_event: as for `train`.
        stop_signal: returns the number of the signal that is to stop the training, or 0.
    """

    def __init__(
        self,
        plan: Plan,
        learner: Learner,
        folder: RunFolder | None,
        on_event: OnEvent,
        stop_signal: Callable[[], int],
    ):
        self.plan, self.learner, self.ranks, self.tell = plan, learner, learner.ranks, on_event
        path = plan.settings.folder if folder is None else folder.path
        self.step, self.validations = resume(plan, learner, path, lambda text: on_event(message(text)))
        self.saves = Saves(plan, learner, folder, self.step, self.validations)
        self.folder, self.stop_signal = folder, stop_signal
        self.ranks.broadcast(self.begin)
        self.loader = training_loader(plan, self.ranks)
        self.validation_loader = validation_loader(plan, self.ranks)
        self.schedule = plan.schedule
        self.used = self.rates(max(self.step - 1, 0))  # a validation may be owed for the last step
        self.log_every = plan.settings.log_every or (50 if self.ranks.device.type == "cuda" else 10)
        self.window, self.stepped = Window(self.step, 0.0), False

    def begin(self) -> None:
        """Get ready to write."""
        folder = of_first(self.folder)
        diverged = ended_before(folder.path) == "diverged"
        if diverged and started_again():
            raise Diverged("the training diverged, and would again in the same steps: it is not tried again")
        for sentence in folder.begin(self.step):
            self.tell(message(sentence))
        self.start = time.monotonic() - folder.log.seconds
        if diverged:
            self.write_record(ended="running", signal=0)

    def to_the_end(self) -> Record:
        """Do steps until the training ends, or all processes agree on a wish to stop; return the record."""
        self.tell(Event("plan", self.plan_values()))
        batches = batches_from(self.loader, self.step, self.ranks.device)
        signal = self.between_steps(asked(self.ranks, self.stop_signal))
        while not (ended := name_signal(signal) or self.ended()):
            agreement = self.ranks.max_async(lambda: (self.stop_signal(), self.saves.due_by_clock()))
            with self.saved_if_unread():
                batch = self.ranks.in_all(lambda: next(batches))
            self.one_step(batch)
            signal, save_now = (int(value) for value in agreement())
            signal = self.between_steps(signal)
            if not signal and (save_now or self.saves.due_by_steps(self.step)):
                self.save_if_possible()
        with self.what_stays_said():
            self.save()
            return self.finish(ended, signal)

    @contextlib.contextmanager
    def what_stays_said(self) -> Generator[None]:
        """Add to the error of the last write the checkpoint to resume from."""
        try:
            yield
        except OSError as error:
            raise OSError(f"{error}; {self.saves.way_on}") from error

    @contextlib.contextmanager
    def divergence_recorded(self) -> Generator[None]:
        """Put into the record that the training diverged, and into the sentence what is left of it."""
        try:
            yield
        except Diverged as error:
            if self.folder is not None:
                with contextlib.suppress(OSError):
                    self.write_record(ended="diverged", signal=0)
            raise Diverged(f"{error}; {self.saves.in_words}") from error

    @contextlib.contextmanager
    def saved_if_unread(self) -> Generator[None]:
        """Save what was trained if images cannot be read, here or in another process, and say so."""
        try:
            yield
        except (BatchFailed, OtherFailed) as error:
            try:
                self.save()
                self.ranks.broadcast(lambda: self.write_record(ended="unreadable", signal=0))
                kept = self.saves.way_on
            except (OSError, OtherFailed) as trouble:
                kept = f"nor can a checkpoint be written ({trouble}): {self.saves.in_words}"
            raise type(error)(f"{error}; {kept}") from error

    def rates(self, step: int | None = None) -> Rates:
        """Return the learning rates for a step; None: for the next one.

        Args:
            step: updates done before it.
        """
        step = self.step if step is None else step
        errors = [validation.error for validation in self.validations if validation.step <= step]
        return self.schedule.rates(self.plan.epoch(step), errors)

    def ended(self) -> str:
        """Return how the training ended; nothing if it continues."""
        if self.rates().finished:
            return "finished"
        max_steps = self.plan.settings.max_steps
        return "max-steps" if max_steps is not None and self.step >= max_steps else ""

    def one_step(self, batch: Batch) -> None:
        """Do an update."""
        starting = not self.stepped
        if starting:  # the workers had to start
            self.window.measure_from_here(self.loader.wait_seconds)
        self.used = self.rates()
        result = self.learner.step(batch, self.step, self.used)
        self.window.add(result, self.learner.gradient_norms())
        self.step += 1
        if starting:  # and torch to compile and to choose
            settle(self.ranks.device)
            self.window.measure_from_here(self.loader.wait_seconds)
            self.stepped = True
        self.tell(Event("step", {"step": self.step}))

    def between_steps(self, signal: int = 0) -> int:
        """Close the window and validate where it is time for it.

        A validation that is due when the training is to stop, or that it breaks off, is left to the one that
        resumes from there.

        Returns:
            the signal that is to stop the training: the one given, or one that came during the validation.
        """
        validating = self.validation_due() and not signal
        line: Line = {}
        ending = validating or signal or self.ended()
        if self.window.results and (self.step % self.log_every == 0 or ending):
            self.window.check(self.ranks, self.learner.trained)
            line = self.window.line(self.ranks, self.loader.wait_seconds)
        if validating:
            rates, signal = self.validated()
            if not math.isfinite(rates.get("nll", 0.0)):
                raise Diverged(f"training diverged by step {self.step}: the validation loss is not finite")
            line |= {VALIDATED[name]: rate for name, rate in rates.items()}
            self.validations += [Validation(self.step, rates["top1"])] if rates else []
        if line:
            self.write(line)
            self.window = Window(self.step, self.loader.wait_seconds)
        return signal

    def validated(self, *, ten_views: bool = False) -> tuple[dict[str, float], int]:
        """Return what `validate` measures and 0; nothing, and the signal, where one breaks it off."""
        loader = self.validation_loader
        assert loader is not None  # or no validation is due
        try:
            with self.saved_if_unread():
                return validate(self.learner, loader, self.stop_signal, ten_views=ten_views), 0
        except Stopped as stopped:
            return {}, stopped.signal

    def validation_due(self) -> bool:
        """Whether it is time for a validation that has not been done yet."""
        if self.validation_loader is None or self.step == 0:
            return False
        done = bool(self.validations) and self.validations[-1].step == self.step
        return not done and (self.step % self.plan.validate_every == 0 or self.rates().finished)

    def save_if_possible(self) -> None:
        """Write a checkpoint; if that fails, the training continues, and the one before it stays."""
        start = time.perf_counter()
        try:
            self.save()
        except (OSError, OtherFailed) as error:
            self.tell(message(f"{error}; training continues, and {self.saves.in_words}"))
        self.window.leave_out(time.perf_counter() - start)

    def save(self) -> None:
        """Write a checkpoint if there is none of this state (see `Saves.save`)."""
        finished = self.rates().finished
        self.saves.save(self.step, self.validations, self.window, finished=finished)

    def write(self, line: Line) -> None:
        """Complete a line of the log, write it and tell it."""
        if self.folder is None:
            return
        line = {
            "step": self.step,
            "epoch": self.plan.epoch(self.step),
            **line,
            "conv1_rate": self.used.conv1_rate,
            "weight_rate": self.used.weight_rate,
            "bias_rate": self.used.bias_rate,
            "colour_noise": self.used.colour_noise,
            "seconds": time.monotonic() - self.start,
        }
        validated = "val_top1" in line
        kernels = self.learner.parameters["conv1.weight"] if validated else None
        troubles = self.folder.write(line, kernels)
        if validated:
            try:
                self.write_record(ended="running", signal=0)
            except OSError as error:
                troubles.append(f"{error}; training continues")
        for trouble in troubles:
            self.tell(message(trouble))
        self.tell(Event("window", line | {"seconds_left": self.seconds_left(line)}))

    def seconds_left(self, line: Line) -> float | None:
        """Return about how long the steps that are left will take, validations not counted."""
        if "images_per_second" not in line:
            return None
        images_left = (self.plan.last_step - self.step) * self.plan.recipe.learning.batch_size
        return images_left / line["images_per_second"]

    def plan_values(self) -> dict[str, Any]:
        """Return what there is to say before the first step."""
        settings = self.plan.settings
        lines = [plan_in_words(self.plan), device_in_words(self.ranks, settings)]
        if self.folder is not None and self.folder.board.missing:
            lines.append(self.folder.board.missing)
        going_on = f", going on after step {self.step:,}" if self.step else ""
        if self.loader.room.note:
            lines.append(self.loader.room.note)
        lines.append(f"folder: {settings.folder}{going_on}")
        return {"text": "\n".join(lines), "step": self.step, "num_steps": self.plan.last_step}

    def finish(self, ended: str, signal: int) -> Record:
        """Measure what is only measured at the end, write the record and say how it ended."""
        more: dict[str, Any] = {"ended": ended, "signal": signal}
        if ended == "finished" and self.validation_loader is not None:
            rates, signal = self.validated(ten_views=True)
            more |= {"ended": name_signal(signal), "signal": signal} if signal else {"ten_views": rates}
        record = self.ranks.broadcast(lambda: self.write_record(**more))
        self.tell(Event("end", {"text": end_in_words(self.plan.settings, record)}))
        return record

    def write_record(self, **more: Any) -> Record:
        """Write the record of the run as far as it has come."""
        folder = of_first(self.folder)
        results = make_results(folder.log, step=self.step, epochs=self.plan.epoch(self.step), **more)
        record = compose_record(self.plan, self.ranks.device, time.monotonic() - self.start, results)
        folder.save_record(record)
        return record

    def close(self) -> None:
        """End the processes that read images."""
        self.loader.close()
        if self.validation_loader is not None:
            self.validation_loader.close()

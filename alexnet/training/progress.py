"""What a person sees of a training: a bar in a terminal, else a plain line every so often."""

import contextlib
import sys
import time
from typing import IO, Any

from tqdm import tqdm

from alexnet.shown import Unfailing, duration, fit
from alexnet.training.events import Event

SECONDS_BETWEEN_LINES = 30


class Progress(contextlib.AbstractContextManager):
    """Shows the events of `alexnet.training.train`; call it with each of them.

    At its end the bar is taken away, so that an error has a line of its own. No training ends because it
    cannot be shown: what cannot be written is lost.

    Args:
        stream: where to; the bar is drawn if it is a terminal.
    """

    def __init__(self, stream: IO[str] | None = None):
        self.stream = Unfailing(stream or sys.stderr)
        self.bar: tqdm | None = None
        self.terminal = self.stream.isatty()
        self.last_line = 0.0

    def __call__(self, event: Event) -> None:
        getattr(self, "on_" + event.kind)(event.values)

    def __exit__(self, *_exception) -> None:
        self.close()

    def on_plan(self, values: dict[str, Any]) -> None:
        """Print the plan."""
        self.say(values["text"])
        if self.terminal:
            self.bar = tqdm(
                total=values["num_steps"],
                initial=values["step"],
                file=self.stream,
                unit="step",
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix}",
            )

    def on_step(self, values: dict[str, Any]) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(values["step"] - self.bar.n)

    def on_window(self, line: dict[str, Any]) -> None:
        """Show the window that closed."""
        if self.bar is not None:
            self.bar.set_postfix_str(describe(line))
        elif "val_top1" in line or time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            self.say(f"step {line['step']}, " + describe(line))
        if "val_top1" in line and self.bar is not None:
            self.say(f"step {line['step']}, " + describe(line))

    def on_message(self, values: dict[str, Any]) -> None:
        """Print a sentence."""
        self.say(values["text"])

    def on_end(self, values: dict[str, Any]) -> None:
        """Take the bar away and say how it ended."""
        self.close()
        self.say(values["text"])

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def say(self, text: str) -> None:
        """Print text above the bar."""
        text = fit(text, self.stream.stream)
        if self.bar is not None:
            self.bar.write(text, file=self.stream)
        else:
            print(text, file=self.stream, flush=True)


def describe(line: dict[str, Any]) -> str:
    """Return a line of the log in words."""
    parts = [f"epoch {line['epoch']:.2f}"]
    if "loss" in line:
        parts.append(f"loss {line['loss']:.3f}, error {line['error']:.1%}")
    if "val_top1" in line:
        parts.append(f"validation: top-1 {line['val_top1']:.1%}, top-5 {line['val_top5']:.1%}")
    if "images_per_second" in line:
        parts.append(f"{line['images_per_second']:,.0f} images/s, waiting {line['wait_share']:.0%}")
    if line.get("seconds_left"):
        parts.append(f"{duration(line['seconds_left'])} left")
    return ", ".join(parts)

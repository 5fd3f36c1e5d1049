"""The events that a training run reports; ``train`` takes a function that receives them."""

from typing import Any, NamedTuple


class Event(NamedTuple):
    """One event. Only the first rank reports events.

    Attributes:
        kind: of the event, with these values:
            "plan"     before the first step: text, step (where it resumes), num_steps
            "step"     an update was done: step
            "window"   a line of the log (see `alexnet.training.log`), with seconds_left
            "message"  text, one sentence
            "end"      text
        values: as listed.
    """

    kind: str
    values: dict[str, Any]


def message(text: str) -> Event:
    """Return the event of one sentence."""
    return Event("message", {"text": text})

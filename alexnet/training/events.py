"""What a training tells while it runs; whoever wants to show it gives ``train`` a function."""

from typing import Any, NamedTuple


class Event(NamedTuple):
    """Something happened. Only the first rank tells.

    Attributes:
        kind: what, with these values:
            "plan"     before the first step: text, step (where it goes on), num_steps
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

"""Ctrl-C, SIGTERM and SIGHUP as a request that is checked between two steps, and within long operations."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from alexnet.data.workers import ENDING
from alexnet.distributed.ranks import Ranks


class Stopped(Exception):
    """A long operation, such as a validation, was interrupted by a signal that all processes know of.

    Attributes:
        signal: its number.
    """

    def __init__(self, signal: int):
        super().__init__(signal)
        self.signal = signal


class StopWish:
    """Inside this context SIGINT, SIGTERM and SIGHUP set ``signal`` instead of ending the process.

    SIGHUP comes when the terminal is closed or the connection lost; started by ``nohup``, which has it
    ignored, the training continues. A second Ctrl-C ends the process at once, except under torchrun, which
    passes the first one on twice. Outside the main thread, where Python does not deliver signals,
    nothing is changed.

    Attributes:
        signal: the number of the signal that came, 0 before.
    """

    def __init__(self):
        self.signal = 0
        self._before = {}

    def __enter__(self) -> "StopWish":
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in ENDING if not (number.name == "SIGHUP" and under_nohup())]
            self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT and not under_torchrun():
            raise KeyboardInterrupt
        self.signal = number


def asked(ranks: Ranks, stop_signal: Callable[[], int]) -> int:
    """Return the signal that came to any of the processes, or 0; all of them must ask.

    Args:
        ranks: the processes.
        stop_signal: returns the number of the signal that came to this one, or 0.
    """
    return int(ranks.max([stop_signal()])[0])


def end_if_asked(ranks: Ranks, stop_signal: Callable[[], int]) -> None:
    """Raise Stopped in all processes if a signal came to any; arguments as for `asked`."""
    if signal_number := asked(ranks, stop_signal):
        raise Stopped(signal_number)


def under_nohup() -> bool:
    """Whether this process is to outlive its terminal."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def exit_status(number: int) -> int:
    """Return the exit status of a training that a signal stopped and that saved its state.

    It is 128 + the signal (130, 143, 129), as shells have it; 0 under torchrun, which would take anything
    else for a failure and start the training again.
    """
    return 128 + number if number and not under_torchrun() else 0


def started_again() -> bool:
    """Whether torchrun started this process in place of one that failed."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def name_signal(number: int) -> str:
    """Return a signal's name; nothing for 0."""
    return signal.Signals(number).name if number else ""

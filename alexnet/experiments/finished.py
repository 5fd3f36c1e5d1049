"""Finished trials, one JSON line each: what an experiment has measured so far, and never measures again."""

import datetime
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from alexnet.checks import made_of
from alexnet.experiments.trial import Outcome, Trial, epochs_to
from alexnet.storage import records
from alexnet.storage.files import reason, take_lock

DIGITS = 5
FIELDS = {  # of every line, and of what type they are
    "trial": str,
    "arm": str,
    "seed": int,
    "num_train": int,
    "data": str,
    "outcome": dict,
    "gave_up": bool,
    "environment": dict,
}


class Finished:
    """The finished trials of an experiment on one data set.

    Attributes:
        lines: all of them, as dictionaries.
    """

    def __init__(self, fingerprint: str, sources: Sequence[Path | Traversable], path: Path | None = None):
        """Read what there is.

        Args:
            fingerprint: of the data set; trials on another one are passed over.
            sources: files of lines; those that are not there are passed over.
            path: of the file to which `add` appends, one of the sources or a new one; None: nothing is added.
        Raises:
            ValueError: a line is none that this version reads.
        """
        self.fingerprint, self.path = fingerprint, path
        self.lines: list[dict[str, Any]] = []
        self.known: dict[str, list[dict[str, Any]]] = {}
        for source in sources:
            for line in read_lines(source):
                if line["data"] == fingerprint:
                    self.keep(line)

    @classmethod
    def of_package(cls, name: str) -> "Finished":
        """Return the finished trials of an experiment that come with the package, all on one data set."""
        source = shipped(name)
        fingerprint = next((line["data"] for line in read_lines(source)), "")
        return cls(fingerprint, [source])

    def keep(self, line: dict[str, Any]) -> None:
        """Take a line in, once; the same trial from another machine is a repetition, and the first counts."""
        same = self.known.setdefault(line["trial"], [])
        if line not in same:
            same.append(line)
            self.lines.append(line)

    def find(self, trial: Trial) -> Outcome | None:
        """Return the outcome of a trial, or None where it has not been run.

        A race that was given up before the trial's limit has not been run.
        """
        for line in self.known.get(trial.digest(self.fingerprint), ()):
            outcome = read_outcome(line["outcome"])
            gave_up = outcome.epochs < trial.epochs - 10**-DIGITS and line["gave_up"]
            if not gave_up:
                return outcome
        return None

    def seeds(self) -> list[int]:
        """Return the seeds that have been run of any arm, whatever its name was then."""
        return sorted({line["seed"] for line in self.lines})

    def add(self, trial: Trial, outcome: Outcome, environment: dict[str, Any]) -> None:
        """Append a trial to the file; several processes may use it.

        Raises:
            OSError: it cannot be written; then nothing of the line is left in the file.
        """
        assert self.path is not None
        gave_up = False
        if trial.stop_error is not None and outcome.epochs >= trial.epochs - 1e-6:
            taken = epochs_to(outcome.errors, trial.stop_error, windows=trial.windows)
            gave_up = math.isinf(taken)  # with its last step it may have arrived
        line = {
            "trial": trial.digest(self.fingerprint),
            "arm": trial.arm,
            "rate": trial.rate,
            "seed": trial.seed,
            "split": trial.split,
            "num_train": trial.num_train,
            "settings": trial.of.settings,
            "windows": trial.windows,
            "stop_error": trial.stop_error,
            "gave_up": gave_up,
            "data": self.fingerprint,
            "outcome": rounded(asdict(outcome)),
            "environment": environment,
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        }
        append_line(self.path, line)
        self.keep(line)


def shipped(name: str) -> Traversable:
    """Return the file of an experiment's trials that comes with the package; it need not exist."""
    return resources.files("alexnet._data") / "records" / "trials" / f"{name}.jsonl"


def read_lines(source: Path | Traversable) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file. A truncated last line, after a crash, is skipped.

    Raises:
        ValueError: a line is damaged, or is none of a trial.
    """
    if not source.is_file():
        return
    *whole, end = source.read_bytes().split(b"\n")
    for number, text in enumerate([*whole, end] if is_json(end) else whole, 1):
        try:
            line = json.loads(text.decode())
            check_line(line)
        except ValueError as error:
            raise ValueError(
                f"line {number} of {source} is not of a finished trial: {error}; delete that line, and the "
                "same command runs the trial again"
            ) from error
        yield line


def check_line(line: Any) -> None:
    """Raise ValueError unless a line has what every trial has."""
    if not isinstance(line, dict):
        raise ValueError("it is no object")
    if missing := FIELDS.keys() - line.keys():
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    for name, kind in FIELDS.items():
        if not isinstance(line[name], kind):
            raise ValueError(f"its {name} is {line[name]!r:.40}")
    if line["num_train"] < 1:
        raise ValueError(f"its num_train is {line['num_train']}")
    try:
        outcome = made_of(Outcome, asdict(read_outcome(line["outcome"])))
    except TypeError as error:
        raise ValueError("its outcome is not whole") from error
    if not (outcome.errors and 0 < outcome.epochs < math.inf and math.isfinite(outcome.seconds)):
        raise ValueError("its outcome is not whole")


def is_json(text: bytes) -> bool:
    """Whether a text is whole JSON, as that of a last line is whose line break alone is missing."""
    try:
        json.loads(text.decode())
    except ValueError:
        return False
    return True


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Append a line to a file whole, or leave the file as it is; a truncated last line goes.

    The lock, of a file beside it, keeps another process's half-written line from being taken for that.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = take_lock(path.with_name(f".{path.name}.lock"))
        try:
            append_whole(path, text.encode())
        finally:
            lock.release()
    except OSError as error:
        raise OSError(
            f"cannot write {path}: {reason(error)}; once it can be written, the same command goes on behind "
            "the trials that are in it"
        ) from error


def append_whole(path: Path, content: bytes) -> None:
    """Append a content behind the last whole line of a file, or nothing if it does not fit."""
    with path.open("ab+", buffering=0) as file:
        end = end_last_line(file)
        try:
            write_all(file, content)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise


def end_last_line(file: Any) -> int:
    """Give a last line its line break if it is whole, or remove it; return the size of the file then."""
    file.seek(0)
    known = file.read()
    whole = known.rfind(b"\n") + 1
    if whole == len(known):
        return whole
    if is_json(known[whole:]):
        return len(known) + write_all(file, b"\n")
    file.truncate(whole)
    return whole


def write_all(file: Any, content: bytes) -> int:
    """Write all of a content to a file without buffer, which may take it in parts; return its size."""
    written = 0
    while written < len(content):
        written += file.write(content[written:])
    return written


def rounded(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome ready for JSON; a number that is none becomes None."""

    def short(value: float) -> float | None:
        return round(value, DIGITS) if math.isfinite(value) else None

    return {
        name: [short(v) for v in value] if isinstance(value, list) else short(value)
        for name, value in outcome.items()
    }


def read_outcome(values: dict[str, Any]) -> Outcome:
    """Return the outcome that `rounded` made the dictionary of; None becomes infinite.

    What a later version keeps besides is passed over.
    """

    def long(value: float | None) -> float:
        return math.inf if value is None else value

    read: dict[str, Any] = {
        name: [long(v) for v in value] if isinstance(value, list) else long(value)
        for name, value in values.items()
        if name in Outcome.__dataclass_fields__
    }
    return Outcome(**read)


def this_environment(device: str) -> dict[str, Any]:
    """Describe software and machine for a line, in short (see `alexnet.storage.records.environment`)."""
    known = records.environment(device)
    return {key: known[key] for key in ("commit", "torch", "device", "instructions", "threads")}

"""Text as people see it: names of files and classes may hold characters that a terminal obeys or hides."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from typing import IO, Any

# Control characters, invisible ones (of which some turn the direction of writing), halves of characters and
# ends of lines, by their Unicode categories.
NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"  # belong to the spelling of Persian, Hindi and others, and to emoji
# What ``printable`` makes of what cannot be seen; and what cannot, but does no harm, as joiners and variants.
UNSEEN = re.compile(
    r"\\(?:[nrt]|x[01][0-9a-f]|x7f|u[0-9a-f]{4}|U[0-9a-f]{8})"
    "|[\u034f\u115f\u1160\u17b4\u17b5\u200c\u200d\u3164\ufe00-\ufe0f\uffa0]"
)


def printable(text: str, keep: str = "") -> str:
    r"""Return text with escapes, such as ``\x1b``, for what a terminal would obey or not show.

    Bytes of a file's name that are not UTF-8 become ``\xe9`` and the like, so every file can hold the text.

    Args:
        text: such as a file's name.
        keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        escaped(c) if unicodedata.category(c) in NOT_SHOWN and c not in keep + JOINERS else c for c in text
    )


def escaped(character: str) -> str:
    """Return a character as an escape."""
    if "\udc80" <= character <= "\udcff":  # a byte that Python could not decode
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def visible(name: str) -> str:
    """Return what is seen of a name, as it is or after `printable`."""
    return UNSEEN.sub("", printable(name))


def fit(text: str, stream: IO[str] | None) -> str:
    """Return text, of one or more lines, as a stream can show it.

    Args:
        text: whatever names are in it.
        stream: where to, which may know few characters.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(text, keep="\n").encode(encoding, "backslashreplace").decode(encoding)


def duration(seconds: float) -> str:
    """Return a time span in the unit that suits it: "45 s", "12 min", "3.4 h", "5.1 days"."""
    for size, unit, digits in ((86400, "days", 1), (3600, "h", 1), (60, "min", 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def typed(*words: object) -> str:
    """Return words as a person types them in the system's own shell: in quotes where these are needed."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)


def say(*lines: object, to: IO[str] | None = None) -> None:
    """Print lines at once.

    Args:
        *lines: one or more.
        to: the stream; None: standard output.
    """
    stream = to or sys.stdout
    print(fit("\n".join(map(str, lines)), stream), file=stream, flush=True)


class Unfailing:
    """A stream that drops text that cannot be written: on a full disk, or to a closed pipe.

    Args:
        stream: where to; None where a process has none.
    """

    def __init__(self, stream: IO[str] | None):
        self.stream = stream

    def write(self, text: str) -> None:
        """Write what can be written."""
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
                self.stream.write(text)

    def flush(self) -> None:
        """Write what waits, if that can be done."""
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self.stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(OSError, ValueError):
            return self.stream is not None and self.stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

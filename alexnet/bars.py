"""Progress bars, redrawn only as often as a reader can see."""

import sys
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN = 0.1, 30.0  # redraws where they replace each other, and in a file, where all of them stay


class Bar(tqdm):
    """A bar of tqdm, which is redrawn ten times a second in a terminal or notebook, elsewhere twice a minute.

    Args:
        args: as for ``tqdm``.
        options: as for ``tqdm``.
    """

    def __init__(self, *args: Any, **options: Any):
        live, elsewhere = SECONDS_BETWEEN
        stream = options.get("file") or sys.stderr
        seconds = live if is_live(stream) else elsewhere
        options["disable"] = options.get("disable") or stream is None
        super().__init__(*args, mininterval=seconds, maxinterval=max(10.0, 2 * seconds), **options)


def is_live(stream: Any) -> bool:
    """Whether what is written last to a stream replaces what was there: in a terminal or a notebook."""
    return stream is not None and (stream.isatty() or type(stream).__module__.startswith("ipykernel"))

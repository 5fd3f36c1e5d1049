"""Fewer searches for garbage in processes that keep most of what they make.

Python searches for objects in circles whenever a few hundred more have been made than dropped. The build of
the book, pytest and the kernels of its notebooks import PyTorch and keep what they read: a tenth to a fifth
of their processor time goes into searches that find little.
"""

import gc


def collect_rarely() -> None:
    """Let this process search for garbage after 50,000 objects, in place of the hundreds of Python."""
    gc.set_threshold(50_000, 20, 100)


def setup(app) -> dict[str, bool]:
    """Register as an extension of Sphinx."""
    collect_rarely()
    return {"parallel_read_safe": True, "parallel_write_safe": True}

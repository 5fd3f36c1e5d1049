"""A page's script is to draw what the drawing function draws in Python; this compares the two."""

import importlib.util
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from alexnet.figures.sliders.explorer import Explorer, make_sliders

CHECKED = 200  # combinations compared


def first_disagreement(draw: Callable, script: str, **ranges: Sequence) -> tuple[dict, str, Any] | None:
    """Look for values for which a script and its drawing function return different HTML.

    Up to 200 combinations are tried: all of them, or a fixed sample with the first and the last.

    Returns:
        None when they agree, else (values, HTML of draw, what the script returned or its error).
    Raises:
        ModuleNotFoundError: mini-racer, the JavaScript engine, is not installed.
    """
    return _compare(Explorer(draw, make_sliders(ranges, {}), 0, "", None, True), script)


def require_agreement(explorer: Explorer, script: str) -> None:
    """Refuse a script that does not do what draw does; without a JavaScript engine, believe it.

    Raises:
        ValueError: the first values for which they differ, and both results.
    """
    if importlib.util.find_spec("py_mini_racer") is None:
        return
    if found := _compare(explorer, script):
        values, drawn, scripted = found
        raise ValueError(f"draw and its JavaScript disagree at {values}: {drawn!r} and {scripted!r}")


def _compare(explorer: Explorer, script: str) -> tuple[dict, str, Any] | None:
    from py_mini_racer import JSEvalException, MiniRacer

    states = range(explorer.num_states)
    if len(states) > CHECKED:
        sample = random.Random(0).sample(states, CHECKED - 2)  # the same at every run
        states = sorted({0, len(states) - 1, *sample})
    engine = MiniRacer()
    engine.eval(f"var compute = {script}; 0")
    for k, state in enumerate(states):
        values = explorer.values(state)
        if explorer.table is not None and k % 2:
            values[explorer.table.name] = explorer.table.edited(values[explorer.table.choice], k)
        drawn = explorer.draw(**values)
        try:
            scripted = engine.eval(f"compute({json.dumps(values)})")
        except JSEvalException as error:
            scripted = str(error)
        if drawn != scripted:
            return values, drawn, scripted
    return None

"""Checks of arguments, with one sentence for what is wrong."""

import math
from dataclasses import fields
from typing import Any


def one_of(field_name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless the value is among those allowed."""
    if value not in allowed:
        raise ValueError(f"{field_name} must be one of {', '.join(allowed)}; got {value!r}")


def check_finite(config: Any) -> None:
    """Raise ValueError if a number among the fields of a dataclass is infinite or NaN."""
    for f in fields(config):
        value = getattr(config, f.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{f.name} must be finite, got {value}")


def whole(name: str, value: int, least: int = 1) -> None:
    """Raise ValueError unless the value is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")

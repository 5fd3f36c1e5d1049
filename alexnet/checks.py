"""Checks of arguments and of values from files, with one sentence for what is wrong."""

import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

Made = TypeVar("Made")
# What msgspec calls the kinds of values, and what people who write JSON call them.
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text in quotes",
    "array": "a list",
    "object": "fields in braces",
}


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'half'?" with the known word that is most like another one; empty if none is."""
    import difflib  # for mistakes alone; every command would wait for it

    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def one_of(field_name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless the value is among those allowed."""
    if value not in allowed:
        meant = near_miss(str(value), allowed)
        raise ValueError(f"{field_name} must be one of {', '.join(allowed)}; got {value!r}{meant}")


def whole(name: str, value: int, least: int = 1, most: float = math.inf) -> None:
    """Raise ValueError unless the value is a whole number of at least `least` and at most `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        allowed = f"of at least {least}" if most == math.inf else f"from {least} to {most:,}"
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")


def number(name: str, value: float, below: float = math.inf) -> None:
    """Raise ValueError unless the value is a finite number of at least 0 and below `below`."""
    if not is_finite(value) or not 0 <= value < below:
        limit = "" if below == math.inf else f" and below {below:g}"
        raise ValueError(f"{name} must be a finite number of at least 0{limit}, got {value!r}")


def positive(name: str, value: float, most: float = math.inf) -> None:
    """Raise ValueError unless the value is a finite number above 0 and at most `most`."""
    if not is_finite(value) or not 0 < value <= most:
        limit = "" if most == math.inf else f" and at most {most:,}"
        raise ValueError(f"{name} must be a finite number above 0{limit}, got {value!r}")


def is_finite(value: Any) -> bool:
    """Whether a value is a number, and neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def made_of(kind: type[Made], values: Any, *, complete: bool = True) -> Made:
    """Return the dataclass whose fields a file gave: every one of its type, and of no other.

    Args:
        kind: of the dataclass, whose fields may be dataclasses too.
        values: of its fields by their names, as the json module reads them.
        complete: refuse values that lack a field, instead of taking its default.
    Raises:
        ValueError: a field is unknown or missing, has a value of another type, or one that is not allowed.
    """
    import msgspec  # costs more than the rest of ``alexnet --help``

    check_names(kind, values, complete)
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(in_words(str(error), values)) from error


def check_names(kind: type, values: Any, complete: bool, part: str = "") -> None:
    """Raise ValueError if a dataclass, or one of its fields that is one, gets a wrong set of fields."""
    if not isinstance(values, Mapping):
        return  # the types are msgspec's matter
    known = {f.name: f.type for f in fields(kind)}
    for name in map(str, values):
        if name not in known:
            raise ValueError(f"{part}there is no field {name!r}{near_miss(name, known)}")
    missing = [name for name in known if name not in values]
    if missing and complete:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise ValueError(f"{part}{', '.join(missing[:4])}{more} {'are' if missing[1:] else 'is'} missing")
    for name, below in known.items():
        if isinstance(below, type) and is_dataclass(below) and name in values:
            check_names(below, values[name], complete, f"{part}{name}: ")


def in_words(error: str, values: Any) -> str:
    """Return msgspec's message with the field in front, the value in it, and in the words of JSON.

    Args:
        error: such as "Expected `int`, got `str` - at `$.net.lrn_n`".
        values: in which that field is found.
    """
    sentence, _, path = error.removesuffix("`").partition(" - at `$")
    wrong_type = re.match("Expected (.+?), got ", sentence)
    if not wrong_type:  # one of __post_init__, which names the field itself
        return f"{path[1:]}: {sentence}" if path else sentence
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        values = values[name or int(index)]
    part, _, field = path[1:].rpartition(".")
    allowed = re.sub("`(.+?)`", lambda kind: " or ".join(map(in_json, kind[1].split(" | "))), wrong_type[1])
    where = f"{part}: {field} " if part else f"{field} " if field else "it "
    return f"{where}must be {allowed}, got {reprlib.repr(values)}"


def in_json(kind: str) -> str:
    """Return what people call a kind of value in JSON."""
    return KINDS.get(kind, kind)

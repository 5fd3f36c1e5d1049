"""Drawing functions run by a JavaScript engine: what they return is what Python returns."""

import functools
import math

import pytest

from alexnet.figures.sliders import first_disagreement, translate_to_javascript

SIDES = {"short": 2, "long": 7}
WORDS = ["<b>", 'a "b"', "{×}"]
UNKNOWN = object()


def mean(values: list[float]) -> float:
    """Return the mean."""
    return sum(value for value in values) / len(values)


def numbers(n: int, x: float = 0.5) -> str:
    thirds = [f"{n // 3} {round(n / 2)} {round(x)} {n**2} {int(x)} {abs(n)}"]
    return f"{thirds[0]} {n:,} {1000 * n:,} {n:+.1f} {x:.1f} {x:.2f} {x:.0f} {1000 * x:,.1f} {n:02}"


def digits(n: int, x: float) -> str:
    return f"{x:.{n}f} {{{mean([n, x, math.floor(x)]):.3f}}}"


def words(side: str, n: int) -> str:
    """Return what a loop, a dict, a condition, a pair and a nested comprehension make."""
    found, length = "", SIDES[side]
    for name, value in SIDES.items():
        found += f"{name}: {value}" if value > n else "-"
    for index, word in enumerate(WORDS):
        if index == n:
            continue
        found += word
    table = [[i * j for j in range(length)] for i in range(n) if i != 1]
    pairs = ", ".join(f"{a}{b}" for a, b in zip("xyz", WORDS, strict=True))
    return f"{found} {table[-1][-1] if len(table) else 'none'} {pairs} {max(length, n)} {'{' + '}'}"


def given(uri: str, moves: dict[str, list[int]], n: int, side: str) -> str:
    return f"{uri} {moves[side][n]}"


def around():
    """Return a function of what is around it."""
    inside = 3

    def draw(n):
        return f"{n + inside}"

    return draw


def hashed(n):
    return f"{hash(n)}"


def unknown(n):
    return f"{UNKNOWN}{n}"


def scientific(n):
    return f"{n:.2e}"


def represented(n):
    return f"{n!r}"


def a_set(n):
    return f"{len({n, 1})}"


def remainder(n):
    return f"{n % 3}"


def empty(n):
    return f"{sum(range(n))}"


GIVEN = functools.partial(given, 'data:"', moves={"short": [1, 2, 3], "long": [4, 5, 6]})


@pytest.mark.parametrize(
    ("draw", "ranges"),
    [
        (numbers, {"n": range(-9, 10), "x": [-1.25, -0.5, 0.0, 0.05, 0.125, 0.5, 0.15625, 1.5, 2.5, 1234.5]}),
        (numbers, {"n": [-1_234_567, 999, 1000, 12_345_678]}),
        (digits, {"n": [1, 2, 3], "x": [0.0625, 0.375, 2.5, 1e-9, 12345.678, 1 / 3]}),
        (words, {"side": list(SIDES), "n": range(4)}),
        (GIVEN, {"n": range(3), "side": list(SIDES)}),
    ],
)
def test_the_page_says_what_python_says(draw, ranges):
    pytest.importorskip("py_mini_racer", reason="no JavaScript engine here: pip install mini-racer")
    assert first_disagreement(draw, translate_to_javascript(draw), **ranges) is None


def test_only_what_a_function_uses_is_written():
    script = translate_to_javascript(digits)
    assert "function flx_mean" in script and "Return the mean" not in script
    assert "WORDS" not in script and "_pyfunc_zip" not in script and "_pyfunc_round" not in script
    assert (
        script.count("_pyfunc_format = ") == 1
        and "\n " not in script
        and script == translate_to_javascript(digits)
    )
    assert "op_mult" not in translate_to_javascript(numbers)  # the page has no lists to repeat


@pytest.mark.parametrize(
    ("draw", "ranges", "values", "said"),
    [
        (remainder, {"n": [1, -1]}, {"n": -1}, "-1"),
        (empty, {"n": [2, 0]}, {"n": 0}, "Reduce of empty array"),
    ],
)
def test_where_javascript_differs_the_comparison_says_so(draw, ranges, values, said):
    pytest.importorskip("py_mini_racer", reason="no JavaScript engine here: pip install mini-racer")
    where, _, scripted = first_disagreement(draw, translate_to_javascript(draw), **ranges)
    assert where == values and said in scripted


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (lambda n: f"{n}", "only a function written with def can run in the page, not <function <lambda>"),
        (print, "only a function written with def can run in the page, not <built-in"),
        (hashed, "^hash, which draw uses, has no form in JavaScript$"),
        (
            unknown,
            "^UNKNOWN must be finite numbers, texts, lists or dicts to be written in JavaScript, got object$",
        ),
        (functools.partial(given, UNKNOWN), "^uri must be finite numbers, .*, got object$"),
        (functools.partial(given, math.nan), "^uri must be finite numbers, .*, got float$"),
        (around(), "^draw uses inside of the function around it; give it as an argument$"),
        (a_set, "^draw cannot be written in JavaScript: .*Set"),
        (scientific, "^draw cannot be written in JavaScript: .*2e.* has no form there$"),
        (represented, "^draw cannot be written in JavaScript: .*!r.* has no form there$"),
    ],
)
def test_what_has_no_form_in_javascript_is_named(draw, text):
    with pytest.raises(ValueError, match=text):
        translate_to_javascript(draw)


def test_a_function_without_its_source_is_named():
    names = {}
    exec("def draw(n):\n    return f'{n}'", names)
    with pytest.raises(ValueError, match="the source of draw is not at hand: write it in a file"):
        translate_to_javascript(names["draw"])

"""The figure of divisors: what it prints is the formula."""

import re

import pytest

from alexnet.figures.chapters import lrn


def numbers(a, n, k, alpha, beta):
    html = lrn.divisors(a, n, k, alpha, beta)
    found = re.findall(r"(paper|code): \S+ \+ (\S+) = (\S+), divisor <b>(\S+)</b>, output (\S+?)[<]", html)
    return {name: tuple(map(float, values)) for name, *values in found}


def test_it_prints_the_formula_with_alpha_and_with_alpha_over_n():
    for a, n, k, alpha, beta in [(100, 5, 2, 1e-4, 0.75), (20, 9, 1, 1e-3, 0.5), (5, 3, 4, 1e-2, 1)]:
        got = numbers(a, n, k, alpha, beta)
        for name, scale in {"paper": alpha, "code": alpha / n}.items():
            squares = sum(scale * a**2 for _ in range(n))
            divisor = (k + squares) ** beta
            assert got[name] == pytest.approx((squares, k + squares, divisor, a / divisor), rel=2e-3)


def test_a_mark_sits_on_its_curve():
    html = lrn.divisors(10, 5, 2, 1e-2, 0.75)
    circles = re.findall(r'<circle cx="(\S+)" cy="(\S+)"', html)
    lines = re.findall(r'<polyline points="([^"]+)"', html)
    assert len(circles) == len(lines) == 2
    for (x, y), points in zip(circles, lines, strict=True):
        assert f"{x},{y}" in points.split()


def test_without_k_there_is_no_constant_line_and_a_divisor_out_of_range_stays_in_the_frame():
    dotted = 'stroke-dasharray="2 3"'
    assert dotted in lrn.divisors(1, 5, 2, 1e-4, 0.75)
    html = lrn.divisors(1, 5, 0, 1e-5, 1)
    assert dotted not in html
    heights = [float(point.split(",")[1]) for point in re.findall(r'points="([^"]+)"', html)[0].split()]
    assert max(heights) == lrn.BOTTOM and min(heights) >= lrn.TOP


def test_the_figure_is_small_and_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    first = lrn.divisor_explorer()
    assert first.html == lrn.divisor_explorer().html and first.num_bytes < 20_000

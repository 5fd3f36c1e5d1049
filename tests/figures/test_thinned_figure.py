"""The figure of thinned networks: what is drawn is the net that answers."""

import itertools
import re

import numpy as np
import pytest
import torch

from alexnet.figures.chapters import dropout


def numbers(text, presentation):
    return re.search(r"network ([\d,]+) of 1,024; (\d+) of 10", text(str(presentation), 0.5)).groups()


def answer(masks, factor=1.0):
    """Compute the answer in loops, from the figure's weights."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 4, generator=generator, dtype=torch.float64)[0].tolist()
    for level, (inputs, outputs) in enumerate([(4, 5), (5, 5), (5, 3)]):
        weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64).tolist()
        if level:
            kept = masks[5 * level - 5 : 5 * level]
            x = [max(0.0, value) * factor * keep for value, keep in zip(x, kept, strict=True)]
        bias = 1 if level < 2 else 0
        x = [sum(w * value for w, value in zip(row, x, strict=True)) + bias for row in weight]
    return np.exp(x) / np.exp(x).sum()


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_the_answer_is_that_of_the_units_that_take_part(p):
    for presentation in ("1", "7", "12"):
        expected = answer(dropout.select_mask(presentation, p).tolist())
        np.testing.assert_allclose(dropout.probabilities(presentation, p), expected, rtol=1e-12)
    at_test = answer([1.0] * 10, 1 - p)
    np.testing.assert_allclose(dropout.probabilities(dropout.TEST, p), at_test, rtol=1e-12)


def test_dropped_units_have_no_connections():
    for presentation in ("1", "2", "3", dropout.TEST):
        mask = [int(unit) for unit in dropout.select_mask(presentation, 0.5)]
        first, second = sum(mask[:5]), sum(mask[5:])
        html = dropout.thinned(presentation, 0.5)
        assert html.count("L") == 4 * first + first * second + second * 3
        assert html.count("<circle") == 17 and html.count("stroke-dasharray") == 10 - first - second


def test_a_network_is_named_by_its_mask():
    for presentation in range(1, dropout.NUM_DRAWS + 1):
        mask = tuple(dropout.select_mask(str(presentation), 0.5).tolist())
        nets = list(itertools.product((0.0, 1.0), repeat=10))
        assert numbers(dropout.in_words, presentation) == (f"{nets.index(mask) + 1:,}", str(int(sum(mask))))


def test_every_presentation_draws_another_network_and_fits_the_page():
    found = {numbers(dropout.thinned, k)[0] for k in range(1, dropout.NUM_DRAWS + 1)}
    assert len(found) == dropout.NUM_DRAWS
    shown = dropout.thinned_networks()
    for presentation, p in itertools.product(("1", "12", dropout.TEST), (0.5, 0.2)):
        assert dropout.in_words(presentation, p) in shown.html

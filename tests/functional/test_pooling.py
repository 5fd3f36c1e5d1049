"""Pooling against windows laid one by one."""

import inspect
import itertools

import numpy as np
import pytest
import torch

from alexnet import paper
from alexnet.functional import average_pool, max_pool, output_size
from references import layers as references

KINDS = pytest.mark.parametrize(
    ("function", "summarise"), [(max_pool, np.max), (average_pool, np.mean)], ids=["max", "average"]
)
WINDOWS = [(3, 2), (2, 2), (3, 1), (5, 3), (4, 2), (2, 3), (1, 1)]


@KINDS
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_it_summarises_each_window(function, summarise, rounding):
    tried = 0
    for (z, s), (height, width) in itertools.product(WINDOWS, [(7, 6), (8, 9), (5, 13), (3, 4)]):
        x = np.random.default_rng(z + s).normal(size=(2, 3, height, width)) - 2
        expected = references.pool(
            x, z, s, rounding, lambda window: summarise(window) if window.size else None
        )
        if not expected.size or np.isnan(expected).any():
            with pytest.raises(ValueError, match="window"):
                function(torch.from_numpy(x), z, s, rounding=rounding)
            continue
        got = function(torch.from_numpy(x), z, s, rounding=rounding)
        np.testing.assert_allclose(got, expected, rtol=1e-12)
        sizes = tuple(output_size(n, z, s, rounding=rounding) for n in (height, width))
        assert tuple(got.shape[2:]) == sizes
        tried += 1
    assert tried >= 20


def test_the_defaults_are_the_papers():
    for function in (max_pool, average_pool):
        parameters = inspect.signature(function).parameters
        assert (parameters["z"].default, parameters["s"].default) == (paper.POOL_SIZE, paper.POOL_STRIDE)


def test_a_window_that_is_cut_off_has_the_mean_of_its_own_pixels():
    x = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]])[None, None]
    got = average_pool(x, rounding="ceil")[0, 0]
    torch.testing.assert_close(got, torch.tensor([[6.0, 7.5], [12.0, 13.5]]))


def test_both_roundings_agree_on_imagenet_and_not_on_cifar():
    for size, floor, ceil in [(55, 27, 27), (27, 13, 13), (13, 6, 6), (32, 15, 16)]:
        x = torch.zeros(1, 1, size, size)
        assert max_pool(x).shape[3] == floor and max_pool(x, rounding="ceil").shape[3] == ceil


@KINDS
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_gradients(function, summarise, rounding):
    x = torch.from_numpy(np.random.default_rng(1).permutation(72).reshape(1, 2, 6, 6) / 7.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: function(x, rounding=rounding), x)


X = torch.zeros(1, 2, 6, 6)
MISTAKES = {
    r"x must be \(N, C, H, W\), got shape \(2, 6, 6\)": lambda: max_pool(X[0]),
    "rounding must be 'floor' or 'ceil', got 'up'": lambda: average_pool(X, rounding="up"),
    "no window of 7 pixels fits into 6 pixels": lambda: max_pool(X, 7),
    "stride must be a whole number of at least 1, got 0": lambda: average_pool(X, 3, 0),
    "the last window would begin beyond the 6 pixels; got z=1, s=3": lambda: max_pool(
        X, 1, 3, rounding="ceil"
    ),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)

"""The two figures of convolution: script and drawing agree, and what they print is counted by hand."""

import re

import numpy as np
import pytest
import torch

from alexnet.figures.chapters import convolution
from references import functional as references

IMAGE = np.random.default_rng(5).integers(0, 10, size=(7, 7))


def test_windows_counts_what_the_reference_counts():
    for n, f, s, p in [
        (224, 11, 4, 0),
        (227, 11, 4, 0),
        (224, 11, 4, 2),
        (13, 3, 2, 1),
        (17, 5, 3, 3),
        (11, 1, 5, 0),
    ]:
        html = convolution.windows(n, f, s, p)
        down, rest = references.windows_that_fit(n, f, s, p)
        up, over = references.windows_that_cover(n, f, s, p)
        assert f"rounded down: <b>{down}</b> (pixels left over: {rest})" in html
        assert f"rounded up: <b>{up}</b> (pixels overhanging: {over})" in html
        assert html.count("#0072B2") == down and html.count("#D55E00") == up - down


def test_sliding_prints_the_products_and_their_sum():
    for kernel, weights in convolution.KERNELS.items():
        html = convolution.sliding(IMAGE.tolist(), kernel, row=3, column=1)
        window = IMAGE[3:6, 1:4]
        printed = [int(v) for v in re.findall(r">(-?\d+)</text>", html)]
        assert printed[:49] == IMAGE.flatten().tolist()
        assert printed[58:67] == (window * weights).flatten().tolist()
        expected = references.correlate_by_the_sum(
            IMAGE[None, None], np.array(weights)[None, None], [0], 1, (0, 0, 0, 0), 1
        )
        assert printed[67:] == expected.flatten().tolist()
        assert f"sum of products: {(window * weights).sum()}<" in html
        assert html.count('fill="#000"') == 49  # the image alone is grey


def test_figures_are_the_same_at_every_run_and_small(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    for make in (convolution.output_sizes, lambda: convolution.sliding_kernel(torch.from_numpy(IMAGE))):
        first = make()
        assert first.html == make().html and first.num_bytes < 30_000


@pytest.mark.parametrize(
    "image", [np.zeros((7, 8)), np.zeros((3, 3)), np.full((7, 7), 10), np.full((7, 7), 0.5)]
)
def test_a_image_that_cannot_be_shown_gets_one_sentence(image):
    with pytest.raises(ValueError, match="must be square, 7 x 7 or more, of numbers 0 to 9, got"):
        convolution.sliding_kernel(image)

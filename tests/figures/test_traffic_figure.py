"""The figure of towers and copies: its numbers by hand."""

import re

import pytest

from alexnet.figures.chapters import traffic

# Bytes an image that a tower sends, forward and backward, by figure 2; logits go forward alone.
CONV2, CONV3, CONV4 = 2 * 4 * 48 * 27 * 27, 2 * 4 * 128 * 13 * 13, 2 * 4 * 192 * 13 * 13
FC6, FC7, FC8 = 2 * 4 * 128 * 6 * 6, 2 * 4 * 2048, 4 * 1000
DENSE = FC6 + FC7 + FC8
PARAMETERS = 60_965_224


def numbers(batch, crossing):
    html = traffic.traffic(
        {crossing: traffic.count_traffic(traffic.configure_net(crossing))}, batch, crossing
    )
    sent = [float(text.replace(",", "")) for text in re.findall(r"<b>([\d,.]+) MB</b>", html)]
    widths = [int(text) for text in re.findall(r"width:(\d+)%", html)]
    each, work, turn = (
        int(re.search(pattern, html)[1].replace(",", ""))
        for pattern in (r"image ([\d,]+) bytes", r"and ([\d,]+) million", r"batches of ([\d,]+)")
    )
    return sent, widths, each, work, turn


def test_the_papers_net_by_hand():
    sent, widths, each, work, turn = numbers(128, "conv3, as in the paper")
    assert each == CONV3 + DENSE
    assert sent == [29.5, 243.9]
    assert widths == [100 * 128 * each // (4 * PARAMETERS), 100]
    assert work == round(724_406_816 / 2 / 1e6)
    assert (turn - 1) * each <= 4 * PARAMETERS < turn * each
    assert numbers(4096, "conv3, as in the paper")[1] == [100, 100 * 4 * PARAMETERS // (4096 * each)]


@pytest.mark.parametrize(
    "crossing, each",
    [
        ("none", DENSE),
        ("conv2 and conv3", CONV2 + CONV3 + DENSE),
        ("conv2 to conv5", CONV2 + CONV3 + 2 * CONV4 + DENSE),
    ],
)
def test_other_exchanges_by_hand(crossing, each):
    assert numbers(1, crossing)[2] == each


def test_megabytes_are_rounded_and_have_commas():
    assert traffic.megabytes(1_249_949_999) == "1,249.9 MB"
    assert traffic.megabytes(1_249_950_000) == "1,250.0 MB"


def test_the_figure_is_small_and_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    first = traffic.towers_or_copies()
    assert first.html == traffic.towers_or_copies().html and first.num_bytes < 20_000

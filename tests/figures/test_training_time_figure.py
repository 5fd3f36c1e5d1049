"""The figure of training times: its numbers by hand."""

import pytest

from alexnet.figures.chapters import training_time


def test_the_papers_training_by_hand():
    html = training_time.training_time("ILSVRC", 90, 208)
    assert "90 epochs of 9,375 steps are 843,750 updates" in html  # 1.2 million / 128 = 9375
    assert "<b>6.0 days</b>" in html and "width:100%" in html  # 108 million / 208 = 519,230 s
    faster = training_time.training_time("ILSVRC", 90, 250)
    assert "<b>5.0 days</b>" in faster and "width:83%" in faster  # 432,000 s of six days


def test_a_batch_that_is_not_full_is_left_out():
    assert "73 steps are 73 updates: <b>15.6 minutes</b>" in training_time.training_time("Imagenette", 1, 10)


@pytest.mark.parametrize(
    "seconds, text",
    [(59, "59 seconds"), (60, "1.0 minutes"), (3_599, "60.0 minutes"), (129_600, "1.5 days")],
)
def test_a_time_has_the_unit_that_it_fills(seconds, text):
    assert training_time.span(seconds) == text


def test_the_figure_is_small_and_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    first = training_time.how_long()
    assert first.html == training_time.how_long().html and first.num_bytes < 20_000

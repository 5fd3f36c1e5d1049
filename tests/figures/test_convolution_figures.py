"""The figure of output sizes: what it prints is counted by hand."""

from alexnet.figures.chapters import convolution
from references import functional as references


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


def test_the_figure_is_the_same_at_every_run_and_small(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    first = convolution.output_sizes()
    assert first.html == convolution.output_sizes().html and first.num_bytes < 30_000


def test_both_kinds_of_pooling_are_counted_and_drawn_at_one_scale():
    for n, s in [(55, 2), (27, 2), (32, 2), (6, 4), (17, 1), (40, 3)]:
        html = convolution.pooled(n, s)
        counts = [
            (references.windows_that_fit(n, z, s, 0)[0], references.windows_that_cover(n, z, s, 0)[0])
            for z in (s, s + 1)
        ]
        for down, up in counts:
            assert f"<b>{down}</b> rounded down, <b>{up}</b> rounded up" in html
        assert html.count("#0072B2") == sum(down for down, _ in counts)
        assert html.count("#D55E00") == sum(up - down for down, up in counts)
        assert html.count(f'viewBox="0 0 {n + s} ') == 2


def test_the_caption_names_the_sizes_of_conv1():
    assert convolution.pooled(55, 2).count("<b>27</b> rounded down") == 2
    assert "<b>28</b> rounded up" in convolution.pooled(55, 2).partition("</svg>")[0]
    assert "<b>27</b> rounded up" in convolution.pooled(55, 2).partition("</svg>")[2]


def test_the_figure_of_pooling_computes_in_the_page(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")
    assert convolution.pooled_sizes().num_bytes < 30_000

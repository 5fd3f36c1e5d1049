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

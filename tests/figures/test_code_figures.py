"""The curves of what binary codes find."""

import pytest

from alexnet.figures.chapters import codes


def test_every_way_has_its_means_and_intervals():
    shares = {"8": {"mean": 0.4, "low": 0.3, "high": 0.55}, "16": {"mean": 0.5, "low": 0.45, "high": 0.6}}
    results = {
        "k": 10,
        "sizes": {"features": 24, "pixels": 9},
        "over_seeds": dict.fromkeys(codes.LOOKS, shares),
        "seeds": [{"features": 0.6}, {"features": 0.8}],
        "pixels": 0.2,
    }
    (axis,) = codes.precision_by_bits(results).axes
    assert len(axis.containers) == len(codes.LOOKS)
    line, _, (bars,) = axis.containers[0]
    assert line.get_ydata().tolist() == pytest.approx([40, 50])
    ends = [[point[1] for point in segment] for segment in bars.get_segments()]
    assert ends == [pytest.approx([30, 55]), pytest.approx([45, 60])]
    flat = {line.get_label(): line.get_ydata()[0] for line in axis.lines if len(set(line.get_ydata())) == 1}
    assert (
        flat["24 features"] == pytest.approx(70)
        and flat["pixels"] == pytest.approx(20)
        and flat["chance"] == 10
    )
    assert [text.get_text() for text in axis.get_xticklabels()] == ["8", "16"]

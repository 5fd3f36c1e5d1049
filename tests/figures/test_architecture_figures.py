"""The two figures of the whole net: the drawing says what the paper says, the table what others count."""

import re

import pytest

from alexnet import paper
from alexnet.figures.chapters import costs, towers
from alexnet.figures.sliders import first_disagreement
from alexnet.models.summary import memory, summary, total
from alexnet.recipes import net_config

MIB = 2**20
PRINTED = {layer.name: layer for layer in paper.LAYERS}
RANGES = {
    "pixels": [64, 96, 224, 448],
    "layer": [*PRINTED][:-1],
    "times": [0.25, 1, 2, 4],
    "batch": [1, 128, 256],
}
LINE = re.compile(r'<tr><th style="text-align:left">(\w+)</th><td>([^<]*)</td>(.*?)</tr>')
NUMBER = re.compile(r'<td style="text-align:right">([\d,]*)<div style="height:4px;width:(\d+)%')


def table(**changes):
    """Read the costs back: {layer: (output, [parameters, millions of multiply-adds, MiB], [shares])}."""
    html = costs.costs(**({"pixels": 224, "layer": "conv1", "times": 1, "batch": 128} | changes))
    found = {}
    for name, output, cells in LINE.findall(html):
        texts = NUMBER.findall(cells)
        counts = [int(text.replace(",", "") or 0) for text, _ in texts]
        found[name] = (output, counts, [int(share) for _, share in texts])
    return found, html


def filled(html, colour):
    """Return the texts of the boxes that have a colour."""
    boxes = re.findall(rf'<rect [^>]*fill="{colour}"[^>]*/><text[^>]*>([^<]*)</text>', html)
    return [text.split(":")[0] for text in boxes]


def test_the_table_of_the_papers_net():
    found, html = table()
    assert list(found) == ["image", *PRINTED, "all"]
    assert found["conv1"][:2] == ("96×55×55", [34_944, 105, 460])  # MiB: 0.4 + 141.8 + 283.6 + 34.2
    assert found["fc6"][:2] == ("4096", [37_752_832, 38, 434])
    assert found["image"][:2] == ("3×224×224", [0, 0, 74])
    assert found["all"][1:] == ([60_965_224, 724, 1627], [100, 100, 100])
    assert found["fc6"][2] == [61, 5, 26]
    assert "parameters × 1.00, multiply-adds × 1.00. Memory: × 0.52 of a GPU" in html


def test_a_change_is_counted_as_the_summary_counts_it():
    found, html = table(pixels=256, layer="conv3", times=2, batch=64)
    channels = (96, 256, 768, 384, 256)
    config = net_config("paper", conv_channels=channels, input_size=256)
    rows = summary(config, batch_size=64).rows
    state, kept, _ = memory(rows)
    assert found["conv3"][0] == "768×15×15"
    parameters, work = (total(rows, count) for count in ("num_parameters", "num_multiply_adds"))
    assert found["all"][1] == [parameters, round(work / 1e6), round((state + kept) / MIB)]
    assert f"parameters × {int(100 * parameters / 60_965_224) / 100:.2f}," in html
    assert f"multiply-adds × {int(100 * work / 724_406_816) / 100:.2f}." in html


def test_kernels_change_in_the_layer_and_in_the_one_above():
    before, after = table()[0], table(layer="conv5", times=2)[0]
    grown = [name for name in PRINTED if before[name][1][0] != after[name][1][0]]
    assert grown == ["conv5", "fc6"]
    halved = table(layer="fc7", times=0.5)[0]
    assert halved["fc7"][0] == "2048" and halved["fc8"][1][0] == 2048 * 1000 + 1000


def test_the_script_says_what_python_says():
    pytest.importorskip("py_mini_racer", reason="no JavaScript engine here: pip install mini-racer")
    script = costs.costs_script()
    assert first_disagreement(costs.costs, script, **RANGES) is None
    for right, wrong in [
        ("Math.ceil(", "Math.floor("),
        ("depth / groups", "depth"),
        ("2 * norms", "norms"),
        ("2 * inputs", "inputs"),
        ("inputs + 1", "inputs"),
    ]:
        assert script.count(right) == 1
        assert first_disagreement(costs.costs, script.replace(right, wrong), **RANGES) is not None


@pytest.mark.parametrize("name", PRINTED)
def test_the_drawing_shows_what_a_layer_reads(name):
    html = towers.towers(name)
    names = ["image", *PRINTED]
    below = names[names.index(name) - 1]
    reads_both = name != "conv1" and PRINTED[name].reads_both_gpus  # the image is one box
    assert filled(html, towers.READER) == [name]
    assert filled(html, towers.READ) == [below] * (2 if reads_both else 1)
    assert html.count('stroke-width="3"') == (2 if reads_both else 1)
    if shape := PRINTED[name].kernel_shape:
        height, width, depth = shape
        assert f"reads {height} × {width} × {depth} = {height * width * depth:,} numbers" in html


def test_the_drawing_has_the_shapes_of_one_tower():
    html = towers.towers("conv1")
    for printed in paper.LAYERS[:5]:
        assert html.count(f">{printed.name}: {printed.num_kernels // 2} × ") == 2
    assert html.count(">norm, pool: 48 × 27 × 27<") == html.count(">norm, pool: 128 × 13 × 13<") == 2
    assert html.count(">pool: 128 × 6 × 6<") == html.count(">fc7: 2,048<") == 2
    assert html.count(">fc8: 1,000<") == html.count(">image: 3 × 224 × 224<") == 1
    crossing = [name for name in PRINTED if PRINTED[name].reads_both_gpus][1:]
    assert f"before {', '.join(crossing[:-1])} and meet in {crossing[-1]}" in towers.towers_in_words("fc6")


def test_both_figures_are_small_and_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")
    for make, limit in ((towers.two_towers, 60_000), (costs.change_a_layer, 20_000)):
        first = make()
        assert first.html == make().html and first.num_bytes < limit

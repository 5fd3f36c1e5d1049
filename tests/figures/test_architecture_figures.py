"""The two figures of the whole net: the drawing says what the paper says, the table what others count."""

import math
import re

import pytest

from alexnet import paper
from alexnet.figures.chapters import costs, towers
from alexnet.models.summary import memory, summary, total
from alexnet.recipes import net_config

MIB = 2**20
PRINTED = {layer.name: layer for layer in paper.LAYERS}
PRINTED_COUNTS = {name: layer.num_kernels for name, layer in PRINTED.items()}
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


def drawn(html, colour):
    """Measure the boxes of a colour: [(channels, rows, columns)], back from the units of the drawing."""
    found = []
    for path in re.findall(rf'<path d="([^"]*)" fill="{colour}" fill-opacity', html):
        for width, height, back in re.findall(r"h([\d.]+)v-([\d.]+)h-[\d.]+zm0-[\d.]+l([\d.]+)", path):
            lengths = float(width), float(height), float(back) / towers.SLANT
            found.append(tuple(round(length / towers.SCALE) for length in lengths))
    return found


def test_the_table_of_the_papers_net():
    found, html = table()
    assert list(found) == ["image", *PRINTED, "all"]
    assert found["conv1"][:2] == ("96×55×55", [34_944, 105, 460])  # MiB: 0.4 + 141.8 + 283.6 + 34.2
    assert found["fc6"][:2] == ("4096", [37_752_832, 38, 434])
    assert found["image"][:2] == ("3×224×224", [0, 0, 74])
    assert found["all"][1:] == ([60_965_224, 724, 1627], [100, 100, 100])
    assert found["fc6"][2] == [61, 5, 26]
    assert "parameters × 1.00, multiply-adds × 1.00. Memory: × 0.52 of a GPU" in html


def summed(rows):
    return [total(rows, "num_parameters"), total(rows, "num_multiply_adds"), sum(memory(rows)[:2])]


@pytest.mark.parametrize(
    ("pixels", "layer", "times", "batch"),
    [
        (256, "conv3", 2, 64),
        (64, "conv1", 0.25, 1),
        (96, "conv2", 0.5, 128),
        (230, "conv4", 4, 256),
        (448, "conv5", 2, 32),
        (320, "fc6", 0.5, 128),
        (224, "fc7", 4, 1),
    ],
)
def test_a_change_is_counted_as_the_summary_counts_it(pixels, layer, times, batch):
    counts = {name: int(units * (times if name == layer else 1)) for name, units in PRINTED_COUNTS.items()}
    *channels, fc6, fc7, _ = counts.values()
    config = net_config("paper", input_size=pixels, conv_channels=channels, dense_units=(fc6, fc7))
    rows = summary(config, batch_size=batch).rows
    parts = {"image": [rows[0]], **{name: [] for name in PRINTED}}
    for row in rows[1:]:
        parts[next(name for name in parts if name[-1] == row.layer[-1])].append(row)
    expected = [[name, "×".join(map(str, own[0].shape)), *summed(own)] for name, own in parts.items()]
    assert costs.make_rows(pixels, layer, times, batch) == expected
    found, html = table(pixels=pixels, layer=layer, times=times, batch=batch)
    parameters, work, num_bytes = summed(rows)
    assert found["all"][1] == [parameters, (work + 500_000) // 10**6, (num_bytes + MIB // 2) // MIB]
    assert f"parameters × {int(100 * parameters / 60_965_224) / 100:.2f}," in html
    assert f"multiply-adds × {int(100 * work / 724_406_816) / 100:.2f}." in html


def test_kernels_change_in_the_layer_and_in_the_one_above():
    before, after = table()[0], table(layer="conv5", times=2)[0]
    grown = [name for name in PRINTED if before[name][1][0] != after[name][1][0]]
    assert grown == ["conv5", "fc6"]
    halved = table(layer="fc7", times=0.5)[0]
    assert halved["fc7"][0] == "2048" and halved["fc8"][1][0] == 2048 * 1000 + 1000


CONV = ((48, 55, 55), (128, 27, 27), (192, 13, 13), (192, 13, 13), (128, 13, 13))
POOLED = ((48, 27, 27), (128, 13, 13), (128, 6, 6))
DENSE = ((64, 32, 1), (64, 32, 1))


def test_everything_is_drawn_to_scale():
    html = towers.towers("conv1")
    boxes = drawn(html, "currentColor") + drawn(html, towers.CHOSEN)
    assert sorted(boxes) == sorted([*2 * (CONV + POOLED + DENSE), (3, 224, 224), (40, 25, 1)])
    for printed, (maps, side, _) in zip(paper.LAYERS, CONV, strict=False):
        size = f">{printed.name}</tspan><tspan x="
        assert printed.num_kernels == 2 * maps and html.count(size) == 2
        assert html.count(f">{side} × {side} × {maps}<") >= 2
    assert [math.prod(DENSE[0]), 40 * 25] == [PRINTED["fc6"].num_kernels // 2, PRINTED["fc8"].num_kernels]
    assert html.count(">2,048 units<") == 4 and html.count(">1,000 units<") == 1


@pytest.mark.parametrize("name", PRINTED)
def test_the_drawing_shows_what_a_layer_reads(name):
    html = towers.towers(name)
    # Of the outputs of a layer, conv3 to conv5 have no pool; fc8 is one sheet.
    boxes = dict(zip(PRINTED, (*CONV, *DENSE, (40, 25, 1)), strict=True))
    below = dict(zip(PRINTED, ((3, 224, 224), *POOLED[:2], CONV[2], CONV[3], POOLED[2], *DENSE), strict=True))
    reads_both = name != "conv1" and PRINTED[name].reads_both_gpus  # the image is one box
    assert drawn(html, towers.CHOSEN) == [boxes[name]]
    side = PRINTED[name].kernel_shape[0] if PRINTED[name].kernel_shape else None
    channels, rows, columns = below[name]
    window = (channels, side or rows, side or columns)
    assert drawn(html, towers.READ) == [window] * (2 if reads_both else 1)
    (blue,) = re.findall(rf'<path d="([^"]*)" stroke="{towers.READ}"', html)
    assert blue.count("z") == (2 if reads_both else 1)  # heads of arrows
    if shape := PRINTED[name].kernel_shape:
        height, width, depth = shape
        assert f"reads {height} × {width} × {depth} = {height * width * depth:,} numbers" in html


def test_green_arrows_lead_to_the_other_gpu():
    (green,) = re.findall(rf'<path d="([^"]*)" stroke="{towers.SENT}"', towers.towers("conv1"))
    crossing = [name for name in PRINTED if PRINTED[name].reads_both_gpus][1:]
    assert green.count("z") == 2 * len(crossing[:-1]) + 1  # both ways, and to the one GPU with fc8
    assert f"before {', '.join(crossing[:-1])} and meet in {crossing[-1]}" in towers.towers_in_words("fc6")


@pytest.mark.slow
def test_both_figures_are_small_and_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    for make, limit in ((towers.two_towers, 80_000), (costs.change_a_layer, 22_000)):
        first = make()
        assert first.html == make().html and first.num_bytes < limit

"""The time line of two GPUs: its durations by hand, from figure 2 of the paper."""

import re

import pytest
from py_mini_racer import MiniRacer

from alexnet import paper
from alexnet.figures.chapters import timeline

STEPS = {way: timeline.phases(*given) for way, given in timeline.WAYS.items()}
PAPERS, FULL, ALONE = timeline.WAYS

# Multiply-adds on an image, of a tower: positions, kernels, numbers that a kernel reads.
CONV1, CONV2, CONV3 = 55**2 * 48 * 11**2 * 3, 27**2 * 128 * 5**2 * 48, 13**2 * 192 * 3**2 * 256
CONV4, CONV5 = 13**2 * 192 * 3**2 * 192, 13**2 * 128 * 3**2 * 192
FC6, FC7, FC8 = 2048 * 256 * 6**2, 2048 * 4096, 1000 * 2048
WORK = {
    "conv1": CONV1, "conv2": CONV2, "conv3": CONV3, "conv4": CONV4,
    "conv5": CONV5, "fc6": FC6, "fc7": FC7, "fc8": FC8,
}  # fmt: skip
# Numbers on an image that a tower sends before a layer, and the sum of the logits after fc8.
SENT = {"conv3": 128 * 13**2, "fc6": 128 * 6**2, "fc7": 2048, "fc8": 1000}


def test_the_papers_step_by_hand():
    forward, backward = [], []
    for layer, count in WORK.items():
        sent = [[layer, "exchange", 4 * 128 * SENT[layer]]] if layer in SENT else []
        compute = [[layer, "forward", 128 * count]]
        forward += compute + sent if layer == "fc8" else sent + compute
        back = [[layer, "backward", 128 * count * (1 if layer == "conv1" else 2)]]
        backward = back + (sent if layer != "fc8" else []) + backward
    assert STEPS[PAPERS] == forward + backward


def test_one_gpu_does_the_work_of_both_and_exchanges_nothing():
    both = [[layer, kind, 2 * amount] for layer, kind, amount in STEPS[PAPERS] if kind != "exchange"]
    assert STEPS[ALONE] == both


def test_reading_both_towers_doubles_the_work_of_grouped_layers_and_sends_more():
    for layer, factor in (("conv1", 1), ("conv2", 2), ("conv3", 1), ("conv4", 2), ("conv5", 2), ("fc6", 1)):
        assert amounts(FULL, layer, "backward") == [factor * n for n in amounts(PAPERS, layer, "backward")]
    assert amounts(FULL, "conv2", "exchange") == [4 * 128 * 48 * 27**2] * 2
    assert amounts(FULL, "conv5", "exchange") == [4 * 128 * 192 * 13**2] * 2
    assert amounts(PAPERS, "conv2", "exchange") == []


def amounts(way, layer, kind):
    return [amount for at, of, amount in STEPS[way] if (at, of) == (layer, kind)]


@pytest.mark.parametrize(("throughput", "bandwidth"), [(791, 6), (100, 0.25)])
def test_the_drawing_says_how_long_each_layer_and_the_step_take(throughput, bandwidth):
    html = timeline.step(STEPS, PAPERS, throughput, bandwidth)
    computing = 128 * (3 * sum(WORK.values()) - CONV1) / throughput / 1e6
    waiting = 4 * 128 * (2 * sum(SENT.values()) - 1000) / bandwidth / 1e6
    said = re.search(r"<b>([\d.]+) ms</b>: ([\d.]+) ms of computing and ([\d.]+) ms of waiting", html)
    expected = [computing + waiting, computing, waiting]
    assert [float(text) for text in said.groups()] == pytest.approx(expected, abs=0.051)
    printed = [float(text) for text in re.findall(r">([\d.]+) ms</span>", html)]
    conv3 = 128 * 3 * CONV3 / throughput / 1e6 + 8 * 128 * SENT["conv3"] / bandwidth / 1e6
    assert len(printed) == len(WORK) + len(timeline.WAYS)
    assert printed[2] == pytest.approx(conv3, abs=0.051)
    alone = 2 * computing
    assert printed[8] == pytest.approx(computing + waiting, abs=0.051)
    assert printed[10] == pytest.approx(alone, abs=0.051)


def test_phases_follow_each_other_on_the_line_without_gap():
    html = timeline.step(STEPS, FULL, 791, 0.1).partition("<p")[0]
    found = re.findall(r"left:([\d.]+)%;width:([\d.]+)%;.*?top:(\d+)%;height:\d+%;background:(#\w+)", html)
    first = sorted((float(left), float(width)) for left, width, top, _ in found if top == "0")
    assert len(first) == len(STEPS[FULL]) and first[0][0] == 0
    for (left, width), (after, _) in zip(first, first[1:], strict=False):
        assert left + width == pytest.approx(after, abs=0.011)
    assert sum(first[-1]) == pytest.approx(100, abs=0.011)
    second = [place for *place, top, _ in found if top == "55"]  # of the other GPU, which computes as long
    computed = [place for *place, top, colour in found if top == "0" and colour != timeline.WAITING]
    assert second == computed


def test_a_gtx_580_does_one_multiply_add_for_each_core_and_cycle():
    assert timeline.PEAK == 791 and paper.BATCH_SIZE == 128


def test_the_page_says_the_time_of_a_step(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    shown = timeline.step_on_two_gpus(number="5.3")
    assert shown.html == timeline.step_on_two_gpus(number="5.3").html and shown.num_bytes < 30_000
    script = re.findall(r"<script>(.*?)</script>", shown.html, re.S)[-1]
    engine = MiniRacer()
    engine.eval(
        "var heard = {}, result = {}, said = {textContent: 'A step takes 9 ms.'};"
        "var view = {querySelector: () => said};"
        "var root = {dataset: {}, querySelectorAll: () => [],"
        " querySelector: (text) => /view/.test(text) ? view : result,"
        " addEventListener(kind, call) { heard[kind] = call; }};"
        "var document = {querySelectorAll: () => [root]};" + script
    )
    engine.eval("heard.input()")
    assert engine.eval("result.textContent === undefined")
    engine.eval("heard.change()")
    assert engine.eval("result.textContent") == "A step takes 9 ms."

"""Convolution by pointing: it prints what PyTorch computes, and the script follows pointer and keys."""

import json
import math
import re
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from py_mini_racer import MiniRacer

from alexnet.figures.chapters import pointing
from alexnet.figures.sliders import Table, explore

IMAGE = np.random.default_rng(5).integers(0, 10, size=(9, 9))
EDGES = pointing.KERNELS["vertical edges"][0]
PANELS = ("image", "kernel", "products", "output")

DOCUMENT = """
function node(more) {
  return {dataset: {}, attributes: {}, listeners: {}, first: {}, hidden: false, textContent: "",
    setAttribute(key, value) { this.attributes[key] = value; },
    closest() { return null; },
    addEventListener(kind, call, first) {
      var calls = first ? this.first : this.listeners;
      (calls[kind] = calls[kind] || []).push(call);
    },
    hear(kind, event) {
      if (this !== root) (root.first[kind] || []).forEach((call) => call({target: this}));
      (this.listeners[kind] || []).forEach((call) => call(event));
    },
    dispatchEvent(event) { this.hear(event.kind, event); if (event.bubbles) root.hear(event.kind, event); },
    ...more};
}
function Event(kind, more) { Object.assign(this, more, {kind: kind}); }
var parts = {spec: node({textContent: JSON.stringify(SPEC)}), view: node({innerHTML: VIEW}), hint: node(),
             caption: node(), spoken: node(), result: node(), refused: node()};
function cell() { return node({value: "", disabled: true, cloneNode: cell}); }
var kept = [];
for (var k = 0; k < CELLS; k++) kept.push(cell());
parts.table = node({style: {}, children: kept, removeChild(one) { kept.splice(kept.indexOf(one), 1); },
                    appendChild(one) { kept.push(one); }});
// The grids of what was drawn last: each lies beside the one before, 90 pixels wide and high.
parts.view.querySelectorAll = () => [...parts.view.innerHTML.matchAll(/data-grid="(\\d+ \\d+)"/g)].map(
  (found, k) => ({dataset: {grid: found[1]}, getBoundingClientRect: () =>
    ({left: 10 + 100 * k, top: 20, width: 90, height: 90})}));
parts.view.querySelector = () =>
  ({textContent: parts.view.innerHTML.match(/data-said[^>]*>(.*)<\\/p>/)[1].replace(/<.*?>/g, "")});
var inputs = SPEC.sliders.map((slider, k) => node({value: String(START[k]), max: slider.values.length - 1,
                                                   parentNode: {lastElementChild: node()}}));
var buttons = SPEC.sliders[0].values.map((text, k) => node({
  style: {}, attributes: {"aria-checked": String(k === 0)}, closest() { return this; },
  getAttribute(key) { return this.attributes[key]; }}));
var controls = inputs.map((input, k) =>
  node({querySelector: () => k ? input : null, querySelectorAll: () => buttons}));
var root = node({querySelector: (text) => text === "[data-points]" ? inputs[3]
                   : parts[text.match(/data-part="(\\w+)"/)[1]],
                 querySelectorAll: (text) => text === "[data-control]" ? controls : inputs.slice(3)});
var document = {querySelectorAll: () => [root, root]};  // the same figure met twice is prepared once
function numbers() { return parts.table.children.map((cell) => cell.value).join(); }
function write(k, text) {
  var field = parts.table.children[k];
  field.value = text;
  parts.table.hear("input", {target: field});
}
function leave(k) { parts.table.hear("focusout", {target: parts.table.children[k]}); }
function step(k, key) {
  var event = {key: key, target: parts.table.children[k], preventDefault() {}, stopPropagation() {}};
  parts.table.hear("keydown", event);
}
function at() { return inputs.slice(3).map((input) => +input.value).join(); }
function move(k, value) {
  inputs[k].value = String(value);
  inputs[k].dispatchEvent(new Event("input", {bubbles: true}));
}
function press(key) {
  parts.view.hear("keydown", {key: key, preventDefault() {}, stopPropagation() {}});
  root.hear("keyup");
}
function point(x, y) { parts.view.hear("pointermove", {clientX: x, clientY: y}); }
function click(x, y) { parts.view.hear("pointerdown", {clientX: x, clientY: y}); root.hear("click"); }
"""


def panels(html):
    """The numbers of each panel, and the place and side of each frame in squares."""
    numbers, frames = {}, {}
    for name, part in zip(PANELS, html.split("<svg")[1:], strict=True):
        numbers[name] = [float(text) for text in re.findall(r">(-?[\d.]+)</text>", part)]
        found = re.search(r'd="M(\d+) (\d+)h(\d+)v\d+h-\d+z" fill="none" stroke="#000"', part)
        frames[name] = found and tuple(int(text) // pointing.CELL for text in found.groups())
    return numbers, frames


@pytest.mark.parametrize("kernel", pointing.KERNELS)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2), (4, 0)])
def test_it_prints_what_pytorch_computes(kernel, stride, padding):
    weights, divisor = (torch.tensor(value) for value in pointing.KERNELS[kernel])
    image = torch.from_numpy(IMAGE).double()[None, None]
    expected = F.conv2d(image, weights[None, None].double() / divisor, stride=stride, padding=padding)[0, 0]
    row, column = len(expected) - 1, 1
    html = pointing.sliding(IMAGE.tolist(), kernel, weights.tolist(), stride, padding, row=row, column=column)
    numbers, frames = panels(html)
    padded = F.pad(image, [padding] * 4)[0, 0]
    top, left, f = stride * row, stride * column, len(weights)
    terms = weights * padded[top : top + f, left : left + f]
    assert numbers["image"] == padded.flatten().tolist()
    assert numbers["kernel"] == weights.flatten().tolist()
    assert numbers["products"] == terms.flatten().tolist()
    rounded = 0.05 + 1e-9 if divisor > 1 else 1e-9
    assert numbers["output"] == pytest.approx(expected.flatten().tolist(), abs=rounded)
    assert frames["image"] == (left, top, f) and frames["output"] == (column, row, 1)
    said = [float(text) for text in re.findall(r"<b>(-?[\d.]+)</b>", html)]
    assert said[0] == terms.sum().item()
    assert said[-1] == pytest.approx(expected[row, column].item(), abs=0.005 + 1e-9)
    assert f"output, {len(expected)} × {len(expected)}<" in html
    assert html.count("dasharray") == len(padded) ** 2 - IMAGE.size


def test_a_position_that_is_not_there_is_the_last_one():
    given = (IMAGE.tolist(), "spot", pointing.KERNELS["spot"][0], 4, 0)
    assert pointing.sliding(*given, row=9, column=5) == pointing.sliding(*given, row=1, column=1)


def test_the_gabor_kernel_is_a_wave_under_a_bell():
    places = range(-2, 3)
    expected = [
        [
            round(4 * math.exp(-(x * x + y * y) / (2 * 1.3**2)) * math.sin(math.pi * (x + y) / 8**0.5))
            for x in places
        ]
        for y in places
    ]
    assert pointing.KERNELS["Gabor"][0] == expected and sum(map(sum, expected)) == 0


@pytest.fixture(scope="module")
def shown():
    return pointing.sliding_kernel(torch.from_numpy(IMAGE), number="2.4")


@pytest.fixture
def engine(shown):
    spec = json.loads(re.search(r'data-part="spec">(.*?)</script>', shown.html, re.S)[1])
    view = re.search(r'data-part="view".*?>(.*?)<div data-part="spoken"', shown.html, re.S)[1]
    engine, cells = MiniRacer(), shown.html.count('type="number"')
    engine.eval(
        f"var SPEC = {json.dumps(spec)}, CELLS = {cells}, START = [0, 0, 0, 3, 2], VIEW = {json.dumps(view)};"
        + DOCUMENT
    )
    for script in re.findall(r"<script>(.*?)</script>", shown.html, re.S):
        engine.eval(script)
    return engine


def test_pointing_at_the_output_or_the_image_moves_the_window(engine):
    assert engine.eval("at()") == "3,2" and engine.eval("inputs[3].max") == 6
    engine.eval("point(110 + 90 * 5.5 / 7, 20 + 90 * 1.5 / 7)")
    assert engine.eval("at()") == "1,5"
    drawn = pointing.sliding(IMAGE.tolist(), "vertical edges", EDGES, 1, 0, 1, 5)
    assert engine.eval("parts.view.innerHTML") == drawn
    engine.eval("click(11, 109)")
    assert engine.eval("at()") == "6,0"
    window = IMAGE[6:9, 0:3]
    said = f"row 6, column 0 add up to {(window[:, 2] - window[:, 0]).sum()}."
    assert engine.eval("parts.result.textContent").endswith(said)
    engine.eval("click(105, 50); click(50, 111)")  # between the two grids, and below one
    assert engine.eval("at()") == "6,0"


def test_arrow_keys_move_the_window_and_stop_at_the_edges(engine):
    for key, place in (("ArrowUp", "2,2"), ("ArrowLeft", "2,1"), ("ArrowLeft", "2,0"), ("ArrowLeft", "2,0")):
        engine.eval(f"press('{key}')")
        assert engine.eval("at()") == place
    engine.eval("for (var k = 0; k < 9; k++) { press('ArrowDown'); press('ArrowRight'); } press('Tab')")
    assert engine.eval("at()") == "6,6"
    assert "row 6, column 6" in engine.eval("parts.result.textContent")


def test_fewer_outputs_take_the_position_along(engine):
    engine.eval("move(3, 6); move(1, 3)")  # stride 4: two outputs in a row and in a column
    assert engine.eval("at()") == "1,1" and engine.eval("inputs[3].max") == engine.eval("inputs[4].max") == 1
    assert "row 1, column 1" in engine.eval("parts.view.attributes['aria-label']")
    engine.eval("move(1, 0); move(2, 2); move(3, 10)")  # stride 1, padding 2
    assert engine.eval("at()") == "10,1" and engine.eval("inputs[3].max") == 10


def drawn_with(engine, weights, kernel="vertical edges"):
    """Whether the view is what Python draws with these weights at the start."""
    return engine.eval("parts.view.innerHTML") == pointing.sliding(
        IMAGE.tolist(), kernel, weights, 1, 0, 3, 2
    )


def test_a_weight_that_is_edited_counts_at_once(engine):
    assert engine.eval("numbers()") == "-1,0,1,-1,0,1,-1,0,1"
    assert engine.eval("kept.every((cell) => !cell.disabled)")
    engine.eval("write(1, '7'); write(5, '-0')")
    edited = [[-1, 7, 1], [-1, 0, 0], [-1, 0, 1]]
    assert drawn_with(engine, edited)
    engine.eval("step(0, 'ArrowUp'); step(8, 'ArrowDown'); step(8, 'Home')")
    assert drawn_with(engine, [[0, 7, 1], [-1, 0, 0], [-1, 0, 0]])
    engine.eval("for (var k = 0; k < 9; k++) step(1, 'ArrowUp')")
    assert drawn_with(engine, [[0, 9, 1], [-1, 0, 0], [-1, 0, 0]]) and engine.eval("kept[1].value") == 9
    assert engine.eval("parts.refused.textContent") == ""


@pytest.mark.parametrize("text", ["1e99", "10", "-9.5", "x", ""])
def test_what_is_no_weight_is_not_taken_and_leaves_its_field_again(engine, text):
    engine.eval(f"write(0, '3'); write(0, '{text}')")
    assert engine.eval("kept[0].attributes['aria-invalid']") == "true"
    said = "Only whole numbers from -9 to 9: row 0, column 0 stays 3."
    assert engine.eval("parts.refused.textContent") == (said if text else "")
    engine.eval("leave(0)")
    assert engine.eval("parts.refused.textContent") == said
    assert engine.eval("kept[0].value") == 3 and engine.eval("kept[0].attributes['aria-invalid']") == "false"
    assert drawn_with(engine, [[3, 0, 1], *EDGES[1:]])
    engine.eval("write(0, '4')")
    assert engine.eval("parts.refused.textContent") == ""


def test_choosing_a_kernel_brings_its_weights(engine):
    engine.eval("write(0, '5'); buttons[0].hear('click')")
    assert drawn_with(engine, EDGES) and engine.eval("numbers()") == "-1,0,1,-1,0,1,-1,0,1"
    engine.eval("buttons[4].hear('click')")
    gabor = pointing.KERNELS["Gabor"][0]
    assert engine.eval("kept.length") == 25 and drawn_with(engine, gabor, "Gabor")
    assert engine.eval("kept[7].attributes['aria-label']") == "row 1, column 2"
    engine.eval("buttons[0].hear('click')")
    assert engine.eval("kept.length") == 9 and drawn_with(engine, EDGES)


def test_a_kernel_of_zeros_and_the_largest_one_are_drawn():
    for weight in (0, 9):
        weights = [[weight] * 3] * 3
        numbers, _ = panels(pointing.sliding([[9] * 9] * 9, "spot", weights, 1, 0, 0, 0))
        assert numbers["products"] == [9 * weight] * 9 and set(numbers["output"]) == {81 * weight}


def test_a_kernel_offers_the_same_weights_in_a_notebook_that_computes():
    given = {"in_page": True, "pointing": ("row", "column"), "alt": "{kernel} {row} {column}", "live": True}
    starts = {name: one[0] for name, one in pointing.KERNELS.items()}
    ranges = {"kernel": [*starts], "stride": [1], "padding": [0], "row": range(7), "column": range(7)}
    table = Table("weights", "kernel", starts, -9, 9)
    live = explore(partial(pointing.sliding, IMAGE.tolist()), table=table, **given, **ranges)
    cells = live.table.children
    assert [cell.value for cell in cells] == sum(EDGES, []) and live.table in live.box.children
    cells[0].value = 20
    assert cells[0].value == 9
    edited = [[9, 0, 1], *EDGES[1:]]
    assert pointing.sliding(IMAGE.tolist(), "vertical edges", edited, 1, 0, 0, 0) in live.view.value
    live.sliders["kernel"].value = 4
    gabor = pointing.KERNELS["Gabor"][0]
    assert len(live.table.children) == 25
    assert pointing.sliding(IMAGE.tolist(), "Gabor", gabor, 1, 0, 0, 0) in live.view.value


def test_a_table_that_does_not_fit_its_figure_gets_one_sentence():
    with pytest.raises(ValueError, match=r"weights of 'a' must be whole numbers from 0 to 3 in rows"):
        Table("weights", "kernel", {"a": [[0, 4]]}, 0, 3)
    with pytest.raises(ValueError, match=r"in rows of one length, got \[\[1\], \[1, 2\]\]"):
        Table("weights", "kernel", {"a": [[1], [1, 2]]}, 0, 3)
    table = Table("weights", "kernel", {"a": [[1]]}, 0, 3)
    with pytest.raises(ValueError, match="a table needs pointing, and the values of 'kernel' must be a, got"):
        explore(pointing.sliding, alt="{kernel}", in_page=True, table=table, kernel=["a", "b"])


def test_pointing_at_the_image_means_the_nearest_window():
    """The grid over the image is cut where a pixel is as near to the centre of one window as to the next."""
    for kernel, stride, padding in (("spot", 1, 0), ("spot", 2, 1), ("Gabor", 3, 2)):
        weights = pointing.KERNELS[kernel][0]
        html = pointing.sliding(IMAGE.tolist(), kernel, weights, stride, padding, 0, 0)
        size, corner, width = re.search(r'data-grid="(\d+) .*? x="(-?\d+)".*? width="(\d+)"', html).groups()
        f = len(weights)
        centres = [pointing.CELL * (stride * i + f / 2) for i in range(int(size))]
        middles = [int(corner) + int(width) * (i + 0.5) / int(size) for i in range(int(size))]
        assert middles == pytest.approx(centres, abs=0.5)


def test_the_figure_points_in_a_notebook_too_and_is_the_same_at_every_run(shown, monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "live")
    assert pointing.sliding_kernel(IMAGE, number="2.4").html == shown.html
    assert shown.num_bytes < 55_000 and 'tabindex="0"' in shown.html
    assert shown.html.count("data-grid") > 2  # drawn already, for readers without script


@pytest.mark.parametrize(
    "image", [np.zeros((7, 8)), np.zeros((3, 3)), np.full((7, 7), 10), np.full((7, 7), 0.5)]
)
def test_an_image_that_cannot_be_shown_gets_one_sentence(image):
    with pytest.raises(ValueError, match="must be square, 7 x 7 or more, of numbers 0 to 9, got"):
        pointing.sliding_kernel(image)

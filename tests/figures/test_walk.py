"""The walk through the trained net: what its script shows agrees with what the package computes."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from py_mini_racer import MiniRacer

import alexnet
from alexnet.evaluation.responses import fields, responses, strongest, window
from alexnet.figures import photographs
from alexnet.figures.chapters import walk

DOCUMENT = """
var listeners = {}, nodes = {};
function node(name) {
  return nodes[name] = nodes[name] || {style: {}, dataset: {}, attributes: {}, hidden: false,
    parentNode: {lastElementChild: {}},
    setAttribute(key, value) { this.attributes[key] = value; },
    getAttribute(key) { return this.attributes[key]; },
    addEventListener(kind, call) { listeners[name + " " + kind] = call; },
    getBoundingClientRect() { return {left: 10, top: 20, width: 240, height: 160}; }};
}
function all(name, count) { return Array.from({length: count}, (_, k) => node(name + k)); }
var counts = {photograph: SPEC.photographs.length, layer: SPEC.layers.length};
function group(kind) {
  return {querySelectorAll: () => all("many " + kind, counts[kind]), addEventListener() {}};
}
var root = {dataset: {},
  querySelector(text) {
    var found = text.match(/data-(part|control)="(\\w+)"/);
    return found[1] === "part" ? node(found[2]) : group(found[2]);
  },
  querySelectorAll: () => all("many top", SPEC.top)};
node("spec").textContent = JSON.stringify(SPEC);
var document = {querySelectorAll: () => [root, root]};
var letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
function atob(text) {
  var six = (letter) => letters.indexOf(letter).toString(2).padStart(6, "0");
  var bits = text.replace(/=/g, "").split("").map(six).join("");
  return bits.match(/.{8}/g).map((byte) => String.fromCharCode(parseInt(byte, 2))).join("");
}
function set(name, value) { node(name).value = value; listeners[name + " input"](); }
"""


@pytest.fixture(scope="module")
def classifier():
    return alexnet.load_classifier("imagenette")


@pytest.fixture(scope="module")
def shown(classifier):
    return walk.walk(classifier, ["cat", "church"], number="8.3")


@pytest.fixture
def engine(shown):
    engine = MiniRacer()
    engine.eval(f"var SPEC = {json.dumps(read_spec(shown))};" + DOCUMENT)
    engine.eval(re.findall(r"<script>(.*?)</script>", shown.html, re.S)[-1])
    return engine


def read_spec(shown):
    return json.loads(re.search(r'data-part="spec">(.*?)</script>', shown.html, re.S)[1])


def percents(engine, name):
    style = json.loads(engine.eval(f"JSON.stringify(node('{name}').style)"))
    return [float(style[key].rstrip("%")) / 100 for key in ("top", "left", "height", "width")]


def click(engine, kind, place):
    engine.eval(f"listeners['many {kind}{place} click']()")


def test_the_square_is_what_the_unit_sees(classifier, engine):
    seen, size = fields(classifier.net.config), classifier.net.config.input_size
    for place, name in enumerate(seen):
        click(engine, "layer", place)
        side = {layer.name: layer.out_size for layer in classifier.net.layers}[name]
        engine.eval(f"set('row', {side - 1}); set('column', 0)")
        expected = window(seen[name], side - 1, 0, size, size)
        assert percents(engine, "field") == pytest.approx([number / size for number in expected]), name
        said = engine.eval("node('said').textContent")
        assert said.startswith(f"{name}, ")
        assert (
            "whole image" if name.startswith("fc") else f"covers {expected[2]} × {expected[3]} of"
        ) in said
        assert engine.eval("node('spoken').textContent").startswith(name)


def test_the_patches_are_those_that_excite_the_map(classifier, engine, shown):
    images = [walk.searched_image(name) for name in photographs.names()]
    found = strongest(classifier, images, walk.TOP)
    spec, seen = read_spec(shown), fields(classifier.net.config)
    for layer, unit in (("conv1", 37), ("conv3", 150)):
        click(engine, "layer", list(seen).index(layer))
        engine.eval(f"set('map', {unit})")
        for rank, place in enumerate(found[layer][unit]):
            image = spec["searched"][place.photograph]
            top, left, height, width = window(
                seen[layer], place.row, place.column, image["height"], image["width"]
            )
            scale = 84 / max(height, width)
            style = json.loads(engine.eval(f"JSON.stringify(node('many top{rank}').style)"))
            assert style["backgroundImage"] == f"url({image['image']})"
            across, down = map(float, re.findall(r"-?[\d.]+(?=px)", style["backgroundPosition"]))
            assert (across, down) == pytest.approx((-left * scale, -top * scale))
            assert float(style["width"].rstrip("px")) == pytest.approx(width * scale)
    silent = next(unit for unit, places in enumerate(found["fc6"]) if places[0].value == 0)
    click(engine, "layer", list(seen).index("fc6"))
    engine.eval(f"set('map', {silent})")
    assert engine.eval("node('many top0').hidden && !node('none').hidden")


def test_pointing_chooses_map_and_unit(engine):
    click(engine, "layer", 0)  # conv1: 12 columns and 8 rows of maps, 23 x 23 units
    engine.eval("listeners['mosaic click']({clientX: 10 + 240 * 3.5 / 12, clientY: 20 + 160 * 2.5 / 8})")
    assert engine.eval("node('map').value") == 2 * 12 + 3
    engine.eval(
        "listeners['enlarged pointermove']({clientX: 10 + 240 * 22.5 / 23, clientY: 20 + 160 * 4.5 / 23})"
    )
    assert engine.eval("[node('row').value, node('column').value].join()") == "4,22"
    engine.eval("listeners['enlarged pointermove']({clientX: 5, clientY: 30})")  # outside: nothing changes
    assert engine.eval("[node('row').value, node('column').value].join()") == "4,22"
    click(engine, "layer", 10)  # fc8 has fewer maps and one place
    assert engine.eval("node('map').value") == 9 and engine.eval("node('row').disabled")
    assert "(parachute)" in engine.eval("node('said').textContent")


def test_another_photograph_has_other_maps_and_words(engine, shown):
    spec = read_spec(shown)
    for place in (1, 0):
        click(engine, "photograph", place)
        layer = spec["start"]["layer"]
        assert engine.eval("node('mosaic').src") == spec["photographs"][place]["mosaics"][layer]
        assert engine.eval("node('answer').textContent") == spec["photographs"][place]["answer"]
    assert engine.eval("node('many photograph0').attributes['aria-checked']") == "true"


def test_a_mosaic_holds_every_map_in_its_place(classifier):
    maps = responses(classifier.net, classifier.transforms(photographs.load("cat")))["pool1"]
    data = base64.b64decode(walk.mosaic(maps).partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)
    assert pixels.shape == (8 * 12, 12 * 12)
    levels = (maps / maps.max()).sqrt()
    for unit in (0, 13, 95):
        top, left = unit // 12 * 12, unit % 12 * 12
        tile = torch.from_numpy(pixels[top : top + 11, left : left + 11]) / 255
        assert (tile - levels[unit]).abs().max() < 0.51 / 15


def test_the_walk_stays_light_and_speaks(shown):
    assert shown.num_bytes < 400_000
    assert (
        "cat, church" in shown.alt
        and "church, drawn." in shown.html
        and shown.html.startswith('<figure class="alexnet-figure" id="figure-8-3"')
    )
    assert "licence" not in shown.html and "CC0" in shown.html


def test_the_walk_begins_at_the_largest_unit_of_the_most_active_map(classifier, shown):
    start = read_spec(shown)["start"]
    maps = responses(classifier.net, classifier.transforms(photographs.load("cat")))["conv2"]
    means = [float(one.mean()) for one in maps]
    assert start["map"] == means.index(max(means))
    assert maps[start["map"], start["row"], start["column"]] == maps[start["map"]].max()

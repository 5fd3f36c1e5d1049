"""The playground: it trains as the package does, in Python and in the page; its buttons and sliders."""

import json
import math
import re

import pytest
import torch
import torch.nn.functional as F
from py_mini_racer import MiniRacer
from torch import nn

from alexnet.figures.chapters import playground, tiny_net
from alexnet.figures.sliders import translate_to_javascript
from alexnet.optim import PaperSGD

TANH = playground.START | {"data": "spirals", "activation": "tanh", "rate": 0.3, "decay": 0.05, "batch": 8}


def build_net(state, activation):
    """The same network in PyTorch."""
    kind = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    layers = [nn.Linear(*sizes) for sizes in zip(tiny_net.SIZES, tiny_net.SIZES[1:], strict=False)]
    place = 0
    for layer in layers:
        rows, columns = layer.weight.shape
        numbers = torch.tensor(state["weights"][place : place + rows * (columns + 1)], dtype=torch.float64)
        place += len(numbers)
        numbers = numbers.reshape(rows, columns + 1)
        layer.weight.data, layer.bias.data = numbers[:, :-1].clone(), numbers[:, -1].clone()
    assert place == len(state["weights"])
    return nn.Sequential(layers[0], kind(), layers[1], kind(), layers[2])


def flatten_weights(net):
    rows = [torch.cat([layer.weight, layer.bias[:, None]], 1).flatten() for layer in net[::2]]
    return torch.cat(rows).detach()


@pytest.mark.parametrize("settings", [playground.START, TANH])
def test_it_trains_as_the_package_does(settings):
    state = tiny_net.fresh(settings)
    net = build_net(state, settings["activation"])
    rates = {"lr": settings["rate"], "momentum": settings["momentum"], "weight_decay": settings["decay"]}
    optimizer = PaperSGD(net.parameters(), **rates)
    points = torch.tensor(state["points"], dtype=torch.float64)
    inputs, labels = points[:, :2], points[:, 2].long()
    loss, wrong = state["curve"][0][1:]
    assert loss == pytest.approx(F.cross_entropy(net(inputs), labels).item(), rel=1e-12)
    assert wrong == (net(inputs).argmax(1) != labels).double().mean().item()
    for _ in range(10):
        tiny_net.advance(state, settings, 1)
        end = state["next"]
        chosen = state["order"][end - settings["batch"] : end]
        optimizer.zero_grad()
        F.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()
    ours = torch.tensor(state["weights"], dtype=torch.float64)
    torch.testing.assert_close(ours, flatten_weights(net), rtol=1e-9, atol=1e-12)
    assert state["curve"][-1][:2] == [
        10,
        pytest.approx(F.cross_entropy(net(inputs), labels).item(), rel=1e-9),
    ]


def test_an_epoch_reads_every_example_once():
    state = tiny_net.fresh(playground.START)
    for _ in range(2):
        read = [tuple(point) for _ in range(4) for point in tiny_net.batch(state, 32)]
        assert sorted(read) == sorted(map(tuple, state["points"])) and len(set(read)) == len(read)
    assert [tuple(point) for point in state["points"]] != read


def test_small_initial_weights_leave_the_loss_at_that_of_guessing():
    settings = playground.START | {"std": 0.01}
    state = tiny_net.fresh(settings)
    tiny_net.advance(state, settings, 40)
    assert state["curve"][-1][1] == pytest.approx(math.log(2), abs=1e-3)


def test_a_training_that_diverges_stops_and_says_so():
    settings = playground.START | {"std": 2, "rate": 1, "batch": 1}
    state = tiny_net.fresh(settings)
    tiny_net.advance(state, settings, 30)
    assert state["diverged"] and state["step"] < 30 and len(state["curve"]) == 2
    tiny_net.advance(state, settings, 1)
    assert len(state["curve"]) == 2
    assert f"After {state['step']} updates the training diverges" in playground.draw(state, settings)


def test_it_draws_what_the_network_says():
    state = tiny_net.fresh(playground.START)
    weights = [0.0] * len(state["weights"])
    weights[-2:] = [0.0, 2.0]  # the logit of class 1, whatever the point is
    drawn = playground.plane(weights, "relu")
    level = int(playground.LEVELS / (1 + math.exp(-2)))
    assert drawn == "".join(
        playground.shaded(0, 10 * row, playground.SIDE, 10, level) for row in range(playground.GRID)
    )
    assert playground.COLOURS[1] in drawn and playground.COLOURS[0] not in drawn
    path = playground.curve([[0, 9.0, 1], [500, 0.5, 0]], "#000")
    middle = (playground.LEFT + playground.RIGHT) / 2, (playground.TOP + playground.BOTTOM) / 2
    assert f'd="M{playground.LEFT:.1f} {playground.TOP:.1f}L{middle[0]:.1f} {middle[1]:.1f}"' in path
    assert playground.curve([], "#000") == ""


DOCUMENT = """
function node(more) {
  return {dataset: {}, attributes: {}, listeners: {}, style: {}, disabled: true, innerHTML: "",
    textContent: "", parentNode: {lastElementChild: {}},
    addEventListener(kind, call) { this.listeners[kind] = call; },
    setAttribute(key, value) { this.attributes[key] = value; },
    getAttribute(key) { return this.attributes[key]; }, ...more};
}
function group(names) {
  var buttons = names.map((name, k) => node({attributes: {"aria-checked": String(k === 0)}}));
  return node({buttons: buttons, querySelectorAll: () => buttons});
}
var parts = {spec: node({textContent: JSON.stringify(SPEC)}), view: node(), hint: node(), spoken: node()};
parts.view.querySelector = () =>
  ({textContent: parts.view.innerHTML.match(/data-said[^>]*>(.*)<\\/p>/)[1]});
var groups = {data: group(SPEC.choices.data), activation: group(SPEC.choices.activation)};
var inputs = Object.keys(SPEC.ranges).map((name) =>
  node({value: String(SPEC.ranges[name].indexOf(START[name])), dataset: {setting: name}}));
var acts = ["start", "one step", "reset"].map((name) => node({dataset: {act: name}}));
var root = {dataset: {}, isConnected: true,
  querySelector: (text) => parts[(text.match(/data-part="(\\w+)"/) || [])[1]] ||
    groups[text.match(/data-control="(\\w+)"/)[1]],
  querySelectorAll: (text) => text === "[data-act]" ? acts : inputs};
var document = {querySelectorAll: () => [root, root]};  // the same figure met twice is prepared once
var later = [];
function setTimeout(call) { later.push(call); }
function frames(count) { for (var k = 0; k < count && later.length; k++) later.shift()(); }
function click(k) { acts[k].listeners.click(); }
function said() { return parts.view.querySelector().textContent; }
"""


@pytest.fixture(scope="module")
def shown():
    return playground.playground(number="11.6")


@pytest.fixture
def engine(shown):
    spec = json.loads(re.search(r'data-part="spec">(.*?)</script>', shown.html, re.S)[1])
    engine = MiniRacer()
    engine.eval(f"var SPEC = {json.dumps(spec)}, START = {json.dumps(playground.START)};" + DOCUMENT)
    engine.eval(re.findall(r"<script>(.*?)</script>", shown.html, re.S)[-1])
    return engine


@pytest.mark.parametrize("settings", [playground.START, TANH])
def test_the_page_trains_as_python_does(settings):
    engine = MiniRacer()
    engine.eval(f"var play = {translate_to_javascript(playground.play)}, settings = {json.dumps(settings)};")
    engine.eval("var state = play({action: 'fresh', settings: settings});")
    engine.eval("state = play({action: 'advance', state: state, settings: settings, steps: 20}); 0")
    ours, theirs = tiny_net.fresh(settings), json.loads(engine.eval("JSON.stringify(state)"))
    tiny_net.advance(ours, settings, 20)
    assert theirs["order"] == ours["order"] and theirs["random"] == ours["random"]
    assert theirs["weights"] == pytest.approx(ours["weights"], rel=1e-9, abs=1e-12)
    assert theirs["curve"][-1] == pytest.approx(ours["curve"][-1], rel=1e-9)
    drawn = engine.eval("play({action: 'draw', state: state, settings: settings})")
    assert drawn == playground.draw(theirs, settings)


def test_the_page_begins_with_what_is_stored(engine, shown):
    stored = re.search(r'data-part="view".*?>(<div.*?)</div><div data-part="spoken"', shown.html, re.S)[1]
    assert engine.eval("parts.view.innerHTML") == stored
    assert "After 60 updates: loss 0." in stored
    assert engine.eval("[...inputs, ...acts].every((one) => !one.disabled) && parts.hint.hidden")


@pytest.mark.slow
def test_start_pause_step_and_reset(engine):
    engine.eval("click(0); frames(3)")
    assert (
        engine.eval("said()").startswith("After 80 updates") and engine.eval("acts[0].textContent") == "pause"
    )
    engine.eval("click(0); frames(3)")
    assert engine.eval("parts.spoken.textContent").startswith("After 80 updates")
    assert engine.eval("acts[0].textContent") == "start"
    engine.eval("click(1)")
    assert engine.eval("parts.spoken.textContent").startswith("After 81 updates")
    engine.eval("click(2)")
    assert engine.eval("said()").startswith("After 0 updates")
    assert '"#888" stroke-width' in engine.eval("parts.view.innerHTML")  # the curve of the run before
    engine.eval("click(0); frames(500)")
    assert engine.eval("said()").startswith("After 1000 updates")
    assert engine.eval("later.length === 0 && acts[0].textContent") == "start"


def test_controls_act_at_once_or_begin_anew(engine):
    engine.eval("inputs[0].value = 6; inputs[0].listeners.input(); click(1)")
    assert engine.eval("said()").startswith("After 61 updates")
    assert engine.eval("inputs[0].attributes['aria-valuetext']") == "1"
    engine.eval("inputs[4].listeners.keydown({key: 'ArrowLeft', preventDefault() {}, stopPropagation() {}})")
    assert engine.eval("said()").startswith("After 0 updates")
    assert engine.eval("inputs[4].attributes['aria-valuetext']") == "0.1"
    before = engine.eval("parts.view.innerHTML")
    engine.eval("click(1); groups.data.buttons[1].listeners.click()")
    assert engine.eval("parts.spoken.textContent").startswith("After 0 updates")
    spirals = tiny_net.fresh(playground.START | {"data": "spirals"})["points"]
    assert playground.dots(spirals, 1) in engine.eval("parts.view.innerHTML") != before


def test_the_figure_is_the_same_at_every_run_and_small(shown):
    assert playground.playground(number="11.6").html == shown.html and shown.num_bytes < 50_000
    assert shown.html.count(" disabled ") == 12 and "Run this cell" in shown.html
    assert "two classes of points" in shown.alt and 'id="figure-11-6"' in shown.html

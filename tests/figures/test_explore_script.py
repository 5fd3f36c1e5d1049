"""Scripts of an interactive figure, run by a JavaScript engine against as little of a page as they need."""

import json
import re

import numpy as np
from py_mini_racer import MiniRacer

from alexnet.figures.encoding import encode_image
from alexnet.figures.sliders import explore

ALT = "The square of {a} is next to {b}."


def grey(a, b):
    """An image of one pixel value, different for every pair."""
    return np.full((4, 4), 0.1 * a + (0.05 if b == "y" else 0.0))


def total(n, m):
    return f"<p>{n} + {m} = <b>{n + m}</b></p>"


DOCUMENT = """
function element(attributes) {
  return {dataset: {}, attributes: {}, listeners: {}, hidden: false, disabled: true,
    setAttribute(name, value) { this.attributes[name] = value; },
    addEventListener(name, call) {
      if (name in this.listeners) throw new Error("prepared twice");
      this.listeners[name] = call;
    }, ...attributes};
}
var image = element({src: "START"});
var parts = {spec: {textContent: JSON.stringify(SPEC)}, view: element({innerHTML: "START"}), hint: element(),
             caption: element(), spoken: element()};
parts.view.querySelector = () => image;
var inputs = [], groups = [];
var controls = SPEC.sliders.map((slider, k) => {
  if (typeof slider.values[0] === "number") {
    inputs[k] = element({value: "0", parentNode: {lastElementChild: element()}});
    return {querySelector: () => inputs[k]};
  }
  var buttons = slider.values.map((value, place) => element({
    style: {}, focus() { focused = this; }, getAttribute(name) { return this.attributes[name]; },
    attributes: {"aria-checked": String(place === 0)}}));
  return groups[k] = element({buttons, querySelector: () => null, querySelectorAll: () => buttons});
});
var focused, root = element({
  querySelector: (text) => parts[text.match(/data-part="(\\w+)"/)[1]],
  querySelectorAll: () => controls});
var document = {querySelectorAll: () => [root, root]};  // the same figure met twice is prepared once
function move(places) {
  inputs.forEach((input, k) => { input.value = String(places[k]); });
  groups.forEach((group, k) => group.buttons[places[k]].listeners.click());
  inputs[0].listeners.input(); inputs[0].listeners.change();
}
"""


def engine_with(shown) -> MiniRacer:
    """A JavaScript engine in which the figure's own script has run."""
    spec = re.search(r'data-part="spec">(.*?)</script>', shown.html, re.S)[1]
    engine = MiniRacer()
    engine.eval(f"var SPEC = {json.dumps(json.loads(spec))};" + DOCUMENT)
    engine.eval(re.findall(r"<script>(.*?)</script>", shown.html, re.S)[-1])
    return engine


def test_the_page_shows_the_frame_of_the_sliders():
    shown = explore(grey, alt=ALT, caption="Now {a}{b}.", live=False, a=[1, 2, 3], b=["x", "y"])
    engine = engine_with(shown)
    assert engine.eval("[...inputs, ...groups[1].buttons].every((one) => !one.disabled) && parts.hint.hidden")
    engine.eval("move([2, 1])")
    assert engine.eval("image.src") == encode_image(grey(3, "y")).uri
    assert engine.eval("image.alt") == engine.eval("parts.spoken.textContent") == ALT.format(a=3, b="y")
    assert engine.eval("parts.caption.textContent") == "Now 3y."
    assert engine.eval("inputs[0].attributes['aria-valuetext']") == "3"
    assert engine.eval("inputs[0].parentNode.lastElementChild.textContent") == "3"
    assert (
        engine.eval("groups[1].buttons.map((one) => one.attributes['aria-checked']).join()") == "false,true"
    )
    engine.eval("move([0, 0])")
    assert engine.eval("image.src") == "START"


def test_arrow_keys_move_a_slider():
    engine = engine_with(explore(grey, alt=ALT, caption="{a}", live=False, a=[1, 2, 3], b=["x"]))
    press = "var seen = []; inputs[0].listeners.keydown({key: KEY, preventDefault() { seen.push(1); }, "
    press += "stopPropagation() { seen.push(2); }})"
    for key, expected in (("ArrowRight", 2), ("ArrowUp", 3), ("ArrowLeft", 2)):
        engine.eval(press.replace("KEY", f"'{key}'"))
        assert engine.eval("seen.length") == 2
        assert engine.eval("parts.spoken.textContent") == ALT.format(a=expected, b="x")
    engine.eval(press.replace("KEY", "'Tab'"))
    assert engine.eval("seen.length") == 0


def test_arrow_keys_go_round_the_buttons_of_a_choice():
    engine = engine_with(explore(grey, alt=ALT, caption="{a}", live=False, a=[1, 2], b=["x", "y"]))
    press = "groups[1].listeners.keydown({key: KEY, preventDefault() {}, stopPropagation() {}})"
    for key, expected in (("ArrowRight", 1), ("ArrowDown", 0), ("ArrowLeft", 1), ("ArrowUp", 0), ("Tab", 0)):
        engine.eval(press.replace("KEY", f"'{key}'"))
        chosen = [str(place == expected).lower() for place in range(2)]
        buttons = "groups[1].buttons.map((one) => one.attributes['aria-checked']).join()"
        assert engine.eval(buttons) == ",".join(chosen)
        assert engine.eval("groups[1].buttons.map((one) => one.tabIndex).join()") == (
            "-1,0" if expected else "0,-1"
        )
        assert engine.eval(f"focused === groups[1].buttons[{expected}]")
        assert engine.eval("parts.spoken.textContent") == ALT.format(a=1, b="xy"[expected])


def test_the_page_computes_where_there_is_a_script():
    shown = explore(
        total, in_page=True, alt="{n} and {m}", caption="{n}!", live=False, n=[5, 7], m=[0.5, 2.25]
    )
    engine = engine_with(shown)
    engine.eval("move([1, 1])")
    assert engine.eval("parts.view.innerHTML") == "<p>7 + 2.25 = <b>9.25</b></p>"
    assert engine.eval("parts.view.attributes['aria-label']") == "7 and 2.25"
    assert engine.eval("parts.caption.textContent") == "7!"

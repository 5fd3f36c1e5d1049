"""One figure, three forms: each shows the right state, and what is stored is the same at every run."""

import html
import json
import re
import subprocess
import sys

import ipywidgets
import numpy as np
import pytest

from alexnet import figures
from alexnet.figures.encoding import encode_drawing, encode_image
from alexnet.figures.sliders import explore, first_disagreement, translate_to_javascript

ALT = "The square of {a} is next to {b}."
SUM = "({n, m}) => `<p>${n} + ${m} = <b>${n + m}</b></p>`"  # what `total` is in JavaScript

PROCESS = """
import numpy as np
from alexnet import figures
from alexnet.figures.chapters.convolution import windows
from alexnet.figures.sliders import explore

def curve(a, b):
    figure, axis = figures.new(width=3, height=2)
    axis.plot([0, a], label=b)
    axis.legend()
    return figure

print(explore(curve, alt="{a}, {b}", live=False, a=[0.5, 1.0], b=["x", "y"]).html)
print(explore(windows, in_page=True, alt="{n}", live=False, n=range(20, 60), f=[3], s=[2], p=[0]).html)
"""


def grey(a, b="x"):
    """An image of one pixel value, different for every pair."""
    return np.full((4, 4), 0.1 * a + (0.05 if b == "y" else 0.0))


def total(n, m):
    return f"<p>{n} + {m} = <b>{n + m}</b></p>"


def ending(a):
    return f"</script>{a}"


def remainder(a):
    """Python gives a remainder the sign of the divisor, JavaScript that of the dividend."""
    return f"{a % 3}"


def read_spec(shown) -> dict:
    return json.loads(re.search(r'data-part="spec">(.*?)</script>', shown.html, re.S)[1])


def test_frames_are_stored_in_the_order_of_the_sliders_and_the_start_once():
    shown = explore(grey, alt=ALT, start={"a": 2, "b": "y"}, live=False, a=[1, 2, 3], b=["x", "y"])
    spec = read_spec(shown)
    expected = [encode_image(grey(a, b)).uri for a in (1, 2, 3) for b in "xy"]
    assert len(set(expected)) == 6 and spec["start"] == 3
    assert spec["frames"] == [uri if k != 3 else None for k, uri in enumerate(expected)]
    assert shown.html.count(expected[3]) == 1 and f'src="{expected[3]}"' in shown.html
    assert spec["alt"][4] == "The square of 3 is next to x." and shown.alt == spec["alt"][3]
    assert shown._repr_mimebundle_()["text/plain"] == "The square of 2 is next to y."
    assert "caption" not in spec and "figcaption" not in shown.html


def test_without_its_script_the_start_is_visible_and_the_controls_sleep():
    shown = explore(
        grey, alt=ALT, caption="Now {a}.", labels={"a": "size <a>"}, live=False, a=[1, 2], b=["x", "y"]
    )
    bare = re.sub(r"<script.*?</script>", "", shown.html, flags=re.S)
    assert bare.count('type="range"') == 1 and bare.count('role="radio"') == 2
    assert bare.count(" disabled ") == 3 and bare.count('aria-checked="true" tabindex="0"') == 1
    assert '<img alt="The square of 1 is next to x."' in bare and "Run this cell" in bare
    assert "size &lt;a&gt;" in bare and "size <a>" not in bare and "Now 1.</span></figcaption>" in bare
    assert 'aria-live="polite"' in bare


def test_text_is_escaped_everywhere():
    evil = '</script><b a="'
    shown = explore(grey, alt="{b} {a}", caption="{b}", live=False, a=[1, 2], b=[evil, "y"])
    assert evil not in shown.html and html.escape(evil) in shown.html
    assert shown.html.count("</script>") == 2
    assert read_spec(shown)["alt"][0] == evil + " 1"


@pytest.mark.slow
def test_stored_form_is_the_same_in_two_processes_and_holds_no_widget(capsys):
    exec(PROCESS, {})
    run = [sys.executable, "-c", PROCESS]
    first = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert first == capsys.readouterr().out and first.count("<figure") == 2
    assert "jupyter" not in first and "widget" not in first and "http" not in first


def test_the_name_of_a_figure_does_not_depend_on_the_bytes_of_its_images():
    def name(draw):
        return re.search(r'data-explore="(\w+)"', explore(draw, alt=ALT, live=False, a=[1, 2], b=["x"]).html)[
            1
        ]

    assert name(grey) == name(lambda a, b: 1 - grey(a, b))


@pytest.mark.parametrize("kind", ["figure", "shown", "html", "encoded"])
def test_draw_may_return_any_of_these(kind):
    def draw(a):
        figure, _ = figures.new(width=1 + a, height=1)
        forms = {"figure": figure, "html": f"<p>{a}</p>", "encoded": encode_image(grey(a), scale=a)}
        forms["shown"] = figures.image(grey(a), alt="grey")
        return forms[kind]

    spec = read_spec(explore(draw, alt="{a}", live=False, a=[1, 3]))
    if kind == "html":
        assert spec["frames"] == [None, "<p>3</p>"] and "widths" not in spec
    elif kind == "shown":
        assert spec["frames"][1] == figures.image(grey(3), alt="grey").html
    elif kind == "figure":
        assert spec["widths"] == [240, 480]
        assert spec["frames"][1] == encode_drawing(draw(3)).uri
    else:
        assert spec["widths"] == [4, 12]


BAD = [
    ({"alt": ""}, ValueError, "alt is empty"),
    ({"alt": "An image."}, ValueError, r"alt must follow the sliders: give it a field such as \{a\}"),
    ({"alt": "{c}"}, ValueError, "alt '{c}' does not fit the sliders a: 'c'"),
    ({"alt": lambda a: ""}, ValueError, "alt is empty"),
    ({"caption": "{a:q}"}, ValueError, "caption .* does not fit"),
    ({"a": []}, ValueError, "a has no values"),
    ({"a": [1, 1]}, ValueError, "a has a value twice: 1, 1"),
    ({"a": "abc"}, TypeError, "a must be a sequence of values, got 'abc'"),
    ({"a": 3}, TypeError, "a must be a sequence of values, got 3"),
    ({"a": [None]}, TypeError, "finite numbers or strings, got None"),
    ({"a": [float("nan")]}, TypeError, "finite numbers or strings, got nan"),
    ({"start": {"a": 7}}, ValueError, "start has a=7, which is not in its range, 1 to 2"),
    ({"start": {"z": 7}}, ValueError, "start names 'z'; the sliders are a"),
    ({"labels": {"z": "zed"}}, ValueError, "labels names 'z'; the sliders are a"),
    ({"draw": lambda a: 3}, TypeError, "draw must return a figure, an image or a string of HTML, got int"),
    ({"draw": lambda a: "x" if a == 1 else grey(a)}, TypeError, "it must keep to one"),
    ({"a": range(31), "draw": lambda a: "x"}, ValueError, "31 combinations are too many .* in_page=True"),
    ({"draw": lambda a: "x" * 200_000}, ValueError, "takes 4..,... bytes, 250,000 at most"),
    ({"in_page": True, "alt": lambda a: f"{a}"}, ValueError, "strings with fields"),
    ({"in_page": True, "alt": "{b}"}, ValueError, "alt has the field 'b'; the sliders are a"),
    (
        {"pointing": ("a", "a"), "in_page": True},
        ValueError,
        r"two of the sliders a, in .* got \('a', 'a'\)",
    ),
    ({"pointing": ("a", "b"), "in_page": True}, ValueError, "two of the sliders a, in their order"),
    ({"in_page": True, "draw": ending}, ValueError, "contains '</script'"),
    ({"in_page": True}, TypeError, "with in_page, draw must return a string"),
    ({"in_page": True, "draw": lambda a: f"{a}"}, ValueError, "only a function written with def"),
    ({"in_page": True, "draw": remainder, "a": [1, -2]}, ValueError, "disagree at {'a': -2}: '1' and '-2'"),
]


@pytest.mark.parametrize(("change", "error", "text"), BAD)
def test_a_mistake_is_named(change, error, text):
    arguments = {"draw": grey, "alt": "Grey {a}", "live": False, "a": [1, 2]} | change
    with pytest.raises(error, match=text):
        explore(arguments.pop("draw"), **arguments)


def test_no_slider_at_all_is_a_mistake():
    with pytest.raises(ValueError, match="the values of at least one keyword"):
        explore(grey, alt="Grey")


def test_numpy_values_and_labels():
    shown = explore(lambda a: f"<p>{a!r}</p>", alt="{a}", live=False, a=np.array([0.1, 1.0]))
    assert read_spec(shown)["sliders"] == [{"name": "a", "values": [0.1, 1.0], "labels": ["0.1", "1"]}]
    assert "<p>0.1</p>" in shown.html
    close = read_spec(explore(lambda a: "x", alt="{a}", live=False, a=[0.12345671, 0.12345672]))
    assert close["sliders"][0]["labels"] == ["0.12345671", "0.12345672"]


def test_script_form_starts_with_the_html_of_draw_and_stores_no_frames():
    shown = explore(
        total, in_page=True, alt="{n} and {m}", start={"n": 40}, live=False, n=range(100), m=range(100)
    )
    assert "<p>40 + 0 = <b>40</b></p>" in shown.html and shown.alt == "40 and 0"
    assert (
        "frames" not in read_spec(shown)
        and translate_to_javascript(total) in shown.html
        and shown.num_bytes < 10_000
    )


def test_disagreement_is_found_and_agreement_is_believed():
    assert first_disagreement(total, SUM, n=range(100), m=range(100)) is None
    wrong = SUM.replace("n + m}", "n - m}")
    values, drawn, scripted = first_disagreement(total, wrong, n=range(3), m=range(3))
    assert (values, drawn, scripted) == ({"n": 0, "m": 1}, total(0, 1), "<p>0 + 1 = <b>-1</b></p>")
    at_the_end = SUM.replace("n + m}", "n + m + (n == 99 && m == 99)}")
    assert first_disagreement(total, at_the_end, n=range(100), m=range(100))[0] == {"n": 99, "m": 99}


def test_live_sliders_compute_in_the_kernel():
    calls = []

    def draw(a, b):
        calls.append((a, b))
        return grey(a, b)

    live = explore(
        draw,
        alt=ALT,
        caption="Now {a}.",
        start={"a": 2},
        labels={"a": "size"},
        live=True,
        a=[1, 2],
        b=["x", "y"],
    )
    assert calls == [(2, "x")] and live.sliders["a"].description == "size"
    assert isinstance(live.view, ipywidgets.HTML) and live.sliders["a"].label == "2"
    assert isinstance(live.sliders["a"], ipywidgets.SelectionSlider)
    assert isinstance(live.sliders["b"], ipywidgets.ToggleButtons)
    live.sliders["b"].value = 1
    assert encode_image(grey(2, "y")).uri in live.view.value
    assert f'alt="{ALT.format(a=2, b="y")}"' in live.view.value and "Now 2.</figcaption>" in live.view.value
    live.sliders["a"].value = 0
    live.sliders["a"].value = 1
    assert encode_image(grey(2, "y")).uri in live.view.value
    assert calls == [(2, "x"), (2, "y"), (1, "y")]  # going back draws nothing again
    assert repr(live) == ALT.format(a=2, b="x") and "script" not in live.view.value


def test_every_form_carries_its_number_and_keeps_it_when_a_slider_moves():
    keywords = {"alt": "{n} and {m}", "caption": "{n}!", "number": "6.2", "n": [5, 7], "m": [1, 2]}
    stored = [
        explore(total, live=False, **keywords).html,
        explore(total, in_page=True, live=False, **keywords).html,
    ]
    for content in stored:
        assert content.startswith('<figure class="alexnet-figure" id="figure-6-2" data-explore=')
        assert '<b>Figure 6.2.</b> <span data-part="caption">5!</span></figcaption>' in content
    live = explore(total, live=True, **keywords)
    live.sliders["n"].value = 1
    assert live.view.value.startswith('<figure class="alexnet-figure" id="figure-6-2" ')
    assert live.view.value.endswith("<b>Figure 6.2.</b> 7!</figcaption></figure>")
    keywords["number"] = "six"
    for form in (True, False):
        with pytest.raises(ValueError, match="number must be"):
            explore(total, live=form, **keywords)


def test_live_form_shows_the_error_of_a_drawing():
    live = explore(lambda a: f"{1 / a}", alt="{a}", live=True, a=[1, 0])
    live.sliders["a"].value = 1
    assert "ZeroDivisionError at {&#x27;a&#x27;: 0}: division by zero" in live.view.value
    live.sliders["a"].value = 0
    assert "1.0" in live.view.value


def test_live_form_displays_a_widget_with_its_alt_text(monkeypatch):
    from alexnet.figures.sliders import live as module

    seen = []
    monkeypatch.setattr(module, "display", lambda data, raw: seen.append((data, raw)))
    live = explore(total, in_page=True, alt="{n} {m}", live=True, n=range(99), m=range(99))
    live._ipython_display_()
    ((data, raw),) = seen
    assert raw and data["text/plain"] == "0 0"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == live.box.model_id


def test_the_environment_chooses_the_form(monkeypatch):
    def form():
        return type(explore(grey, alt=ALT, a=[1, 2], b=["x"])).__name__

    monkeypatch.setenv("ALEXNET_FIGURES", "live")
    assert form() == "Live"
    monkeypatch.setenv("ALEXNET_FIGURES", "static")
    assert form() == "Shown"
    monkeypatch.setenv("ALEXNET_FIGURES", "moving")
    with pytest.raises(ValueError, match="ALEXNET_FIGURES must be live or static, got 'moving'"):
        form()


@pytest.mark.parametrize(
    ("names", "expected"), [(("ZMQInteractiveShell", "Shell"), "Live"), (("TerminalShell",), "Shown")]
)
def test_without_a_wish_a_notebook_is_live(names, expected, monkeypatch):
    import IPython

    shell = object
    for name in names:
        shell = type(name, (shell,), {})
    monkeypatch.delenv("ALEXNET_FIGURES", raising=False)
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell())
    assert type(explore(grey, alt=ALT, a=[1, 2], b=["x"])).__name__ == expected

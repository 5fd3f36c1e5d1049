"""Figures carry their alt text, keep their bytes, and leave nothing behind."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet import figures
from alexnet.figures.encoding import FEW_COLOURS, PALETTE, pixels, signed, stretched
from alexnet.functional.activations import UNITS

DRAW = """
from alexnet import figures
figure, axis = figures.new()
axis.plot([0, 1, 2], [0, 1, 4], **figures.line("relu"))
axis.set(xlabel="epoch", title="$x^2$")
print(figures.show(figure, alt="A curve.").html)
"""


def decoded(shown: figures.Shown, place: int = 0) -> Image.Image:
    """The image inside the HTML."""
    data = re.findall(r'src="data:image/\w+;base64,([^"]+)"', shown.html)[place]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_figure_is_html_with_alt_text_and_caption():
    figure, axis = figures.new(width=4, height=2)
    shown = figures.show(figure, alt='5 < 6 & "quoted"', caption="<b>not bold</b>")
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(shown) == '5 < 6 & "quoted"'
    assert '<img class="alexnet-chart" alt="5 &lt; 6 &amp; &quot;quoted&quot;"' in shown.html
    assert "&lt;b&gt;not bold&lt;/b&gt;</figcaption></figure>" in shown.html
    assert decoded(shown).size == (720, 360) and 'width="480"' in shown.html
    assert shown.num_bytes == len(bundle["text/html"].encode())


@pytest.mark.parametrize("make", [figures.show, figures.image, figures.grid])
def test_a_number_stands_before_the_caption_and_makes_an_anchor(make):
    pixels = np.zeros((2, 2))
    shown = {figures.show: figures.new()[0], figures.image: pixels, figures.grid: [pixels]}[make]
    whole = make(shown, number="6.12", alt="A.", caption="A < b.").html
    assert whole.startswith('<figure class="alexnet-figure" id="figure-6-12" ')
    assert whole.endswith("<b>Figure 6.12.</b> A &lt; b.</figcaption></figure>")
    assert make(shown, number="6.12", alt="A.").html.endswith("<b>Figure 6.12.</b></figcaption></figure>")
    assert " id=" not in make(shown, alt="A.").html


@pytest.mark.parametrize("number", ["6", "6.2.", 6.2, "6.2\n", "", "Figure 6.2"])
def test_a_number_is_that_of_chapter_and_figure(number):
    with pytest.raises(ValueError, match="number must be a string of chapter and figure, such as '6.2'"):
        figures.image(np.zeros((2, 2)), alt="A.", number=number)


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_no_figure_without_alt_text(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(figures.new()[0], alt=alt)
    with pytest.raises(ValueError, match="alt is empty"):
        figures.image(np.zeros((2, 2)), alt=alt)
    with pytest.raises(ValueError, match="alt is empty"):
        figures.grid([np.zeros((2, 2))], alt=alt)


@pytest.mark.slow
def test_the_same_drawing_has_the_same_bytes_in_two_processes_and_needs_no_pyplot(capsys):
    exec(DRAW, {})
    run = [sys.executable, "-c", DRAW + "import sys\nassert 'matplotlib.pyplot' not in sys.modules"]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert output == capsys.readouterr().out and "base64" in output


def test_a_drawing_is_opaque_white_small_and_without_loss():
    figure, axis = figures.new()
    axis.plot(np.sin(np.linspace(0, 9, 200)))
    shown = figures.show(figure, alt="A sine.")
    image = decoded(shown)
    assert image.format == "WEBP" and image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)
    assert len(image.getcolors(FEW_COLOURS)) > 2  # None if there are more of them, as after a loss
    assert shown.num_bytes < 18_000


def test_colours_of_a_drawing_are_nearly_kept_and_many_become_few():
    figure, axis = figures.new()
    axis.axhspan(0, 1, color="#0a6f23")
    filled = decoded(figures.show(figure, alt="Green.")).getcolors(FEW_COLOURS)
    assert any(max(abs(a - b) for a, b in zip(c, (0x0A, 0x6F, 0x23), strict=True)) <= 4 for _, c in filled)
    figure, axis = figures.new()
    red, green = np.meshgrid(np.linspace(0, 1, 30), np.linspace(0, 1, 30))
    axis.imshow(np.stack([red, green, np.full_like(red, 0.5)], axis=2))
    assert len(decoded(figures.show(figure, alt="900 colours.")).getcolors(FEW_COLOURS)) <= PALETTE


def test_charts_alone_may_be_turned_round_on_a_dark_page():
    figure, axis = figures.new()
    axis.imshow(np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8))
    with_photograph = figures.show(figure, alt="Noise.")
    assert decoded(with_photograph).format == "WEBP" and "class" not in with_photograph.html.split("<img")[1]
    grey = figures.image(np.zeros((4, 4)), alt="Black.")
    assert "alexnet-chart" not in grey.html


def test_style_holds_for_all_axes_and_does_not_leak():
    import matplotlib

    before = dict(matplotlib.rcParams)
    figure, axes = figures.new(rows=2, columns=3, sharex=True)
    assert axes.shape == (2, 3) and dict(matplotlib.rcParams) == before
    assert not any(axis.spines[side].get_visible() for axis in axes.flat for side in ("top", "right"))


def test_a_figure_of_pyplot_is_not_shown_twice():
    from matplotlib import pyplot

    figure = pyplot.figure()
    figures.show(figure, alt="Nothing.")
    assert not pyplot.get_fignums()


def test_every_unit_has_a_line_of_its_own():
    looks = [(figures.line(name)["color"], figures.line(name)["linestyle"]) for name in UNITS]
    assert len(set(looks)) == len(looks)
    assert len({colour for colour, _ in looks}) == len({dashes for _, dashes in looks}) == len(UNITS)
    assert figures.line("relu", label="ReLU", linewidth=3)["label"] == "ReLU"
    with pytest.raises(ValueError, match="no colour is set for 'gelu'; the names are relu"):
        figures.line("gelu")


def test_three_by_three_pixels_have_their_colours_in_front_in_a_tensor():
    kernel = torch.rand(3, 3, 3, generator=torch.Generator().manual_seed(1))
    behind = kernel.permute(1, 2, 0).numpy()
    for values in (kernel, behind):
        np.testing.assert_array_equal(np.array(pixels(values)), np.rint(255 * behind).astype(np.uint8))


def test_images_keep_their_pixels_where_they_are_enlarged():
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    shown = figures.image(torch.from_numpy(values), alt="Noise.", scale=20)
    np.testing.assert_array_equal(np.array(decoded(shown)), values.transpose(1, 2, 0))
    assert 'width="140"' in shown.html and "image-rendering:pixelated" in shown.html


@pytest.mark.parametrize(
    ("shape", "place"),
    [((5, 7), (2, 4)), ((3, 5, 7), (slice(None), 2, 4)), ((5, 7, 3), (2, 4, slice(None)))],
)
def test_pixels_take_every_usual_shape(shape, place):
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    image = pixels(values)
    assert image.size == (7, 5) and image.mode == "RGB"
    np.testing.assert_array_equal(image.getpixel((4, 2)), np.broadcast_to(values[place], 3))
    np.testing.assert_array_equal(np.array(image), np.array(pixels(values / 255)))


@pytest.mark.parametrize(
    ("image", "error", "text"),
    [
        (np.zeros((2, 4, 5)), ValueError, r"\(2, 4, 5\)"),
        (np.zeros((0, 4)), ValueError, r"\(0, 4\)"),
        (np.full((2, 2), 1.5), ValueError, "0..1, got 1.5..1.5"),
        (np.full((2, 2), np.nan), ValueError, "0..1, got nan"),
        (np.zeros((2, 2), dtype=np.int64), TypeError, "int64"),
        ("cat.png", TypeError, "str"),
    ],
)
def test_what_is_no_image_is_refused(image, error, text):
    with pytest.raises(error, match=text):
        figures.image(image, alt="Nothing.")


def test_a_image_is_not_a_figure():
    with pytest.raises(TypeError, match="got ndarray; for pixels there is image"):
        figures.show(np.zeros((2, 2)), alt="Zeros.")
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        figures.image(np.zeros((2, 2)), alt="Zeros.", scale=0)


def test_grid_labels_each_image():
    shown = figures.grid(
        [np.zeros((2, 2)), np.ones((2, 2))], alt="Two <squares>", labels=["a&b", "c"], scale=8
    )
    assert 'aria-label="Two &lt;squares&gt;"' in shown.html and shown.alt == "Two <squares>"
    assert re.findall(r'<img alt="([^"]*)"', shown.html) == ["a&amp;b", "c"]
    assert np.array(decoded(shown, 0)).max() == 0 and np.array(decoded(shown, 1)).min() == 255
    unnamed = figures.grid([np.zeros((2, 2))] * 2, alt="Two squares")
    assert re.findall(r'<img alt="([^"]*)"', unnamed.html) == ["image 1 of 2", "image 2 of 2"]
    for images, labels in ([], None), ([np.zeros((2, 2))], ["a", "b"]):
        with pytest.raises(ValueError, match="it needs one for each"):
            figures.grid(images, alt="Squares", labels=labels)


def test_signed_puts_zero_at_white_and_the_signs_apart():
    blue, white, red = signed([[-2.0, 0.0, 2.0]])[0].astype(int)
    assert blue[2] > blue[0] + 50 and red[0] > red[2] + 50 and min(white) > 240
    half = signed([[1.0]], limit=2.0)[0, 0].astype(int)
    assert red[1] < half[1] < white[1]  # with its limit given, half the size has half the colour
    assert (signed(np.zeros((2, 2))) > 240).all()
    for values, limit in (np.zeros(3), None), (np.zeros((2, 2)), 0):
        with pytest.raises(ValueError, match="signed takes values|limit must be positive"):
            signed(values, limit=limit)


def test_stretched_reaches_both_ends():
    np.testing.assert_array_equal(stretched([[-3.0, -1.0, 5.0]]), [[0, 64, 255]])
    assert (stretched(np.full((2, 2), 7.0)) == 128).all()

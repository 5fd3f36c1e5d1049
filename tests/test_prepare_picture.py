"""One picture to 256x256: the filter from its definition, torchvision's sizes, and every odd kind of file."""

import gzip
import io

import numpy as np
import pytest
from archives import encoded, jpeg, pixels
from PIL import Image
from torchvision import transforms

from alexnet.preparation import picture
from alexnet.preparation.picture import Unreadable, decode, standardise
from references_pictures import central_square

WHOLE = jpeg(3)


@pytest.mark.parametrize(("width", "height"), [(23, 16), (16, 23), (9, 16), (7, 5), (8, 8), (31, 8)])
def test_scaling_is_the_triangle_filter_and_the_cut_is_central(width, height):
    array = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = np.asarray(standardise(Image.fromarray(array), 8), np.float64)
    assert got.shape == (8, 8, 3)
    assert abs(got - central_square(array, 8)).max() <= 1  # Pillow rounds to whole numbers twice


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (257, 256), (256, 301), (224, 224), (1000, 331)])
def test_the_result_is_that_of_torchvision(size):
    noise = np.random.default_rng(6).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    theirs = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(256)])(image)
    np.testing.assert_array_equal(np.asarray(standardise(image, 256)), np.asarray(theirs))


def rgb(content, name="a.JPEG"):
    """Decode; return the pixels and the notes."""
    image, notes = decode(name, content)
    assert image.mode == "RGB"
    return np.asarray(image), notes


def test_a_usual_picture_is_taken_as_it_is():
    array, notes = rgb(WHOLE)
    assert notes == []
    assert abs(array.astype(int) - pixels(3)).mean() < 12


def test_a_cmyk_picture_keeps_its_colours():
    array, notes = rgb(encoded(pixels(3), mode="CMYK"))
    assert notes == ["CMYK"]
    assert abs(array.astype(int) - pixels(3)).mean() < 12


@pytest.mark.parametrize("mode", ["L", "1"])
def test_a_grey_picture_becomes_three_equal_channels(mode):
    kind = "JPEG" if mode == "L" else "PNG"
    array, notes = rgb(encoded(pixels(3), kind, mode), f"a.{kind}")
    assert notes == ["greyscale"]
    assert (array == array[..., :1]).all() and np.ptp(array) > 100


def test_a_png_that_is_called_a_jpeg_is_read_and_noted():
    array, notes = rgb(encoded(pixels(3), "PNG"))
    assert notes == ["PNG named JPEG"]
    np.testing.assert_array_equal(array, pixels(3))


@pytest.mark.parametrize("largest", [255, 65535])
def test_sixteen_bits_are_scaled_and_not_clipped(largest):
    line = np.linspace(0, largest, 256).astype(np.uint16).reshape(16, 16)
    array, notes = rgb(encoded(line, "PNG"), "a.png")
    assert notes == ["16-bit"]
    np.testing.assert_array_equal(array[..., 0].ravel(), np.arange(256))


def test_transparency_is_dropped():
    four = np.dstack([pixels(3), np.zeros((44, 52), np.uint8)])
    array, notes = rgb(encoded(four, "PNG"), "a.png")
    assert notes == ["RGBA"]
    np.testing.assert_array_equal(array, pixels(3))


def test_a_palette_with_a_transparent_colour_needs_no_warning():
    buffer = io.BytesIO()
    Image.fromarray(pixels(3)).quantize(8).save(buffer, "PNG", transparency=bytes(range(8)))
    array, notes = rgb(buffer.getvalue(), "a.png")
    assert notes == ["palette"] and len(np.unique(array.reshape(-1, 3), axis=0)) == 8


def test_a_compressed_picture_is_read_and_noted():
    array, notes = rgb(gzip.compress(WHOLE))
    assert notes == ["compressed with gzip"]
    np.testing.assert_array_equal(array, rgb(WHOLE)[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<html>not found</html>", "not a picture"),
        (WHOLE[:3], "not a picture"),
        (WHOLE[: len(WHOLE) * 3 // 4], "damaged"),
        (WHOLE[:-40], "damaged"),
        (encoded(pixels(3), "PNG")[:-60], "damaged"),
        (gzip.compress(WHOLE)[:-20], "damaged"),
        (gzip.compress(b"text"), "not a picture"),
    ],
)
def test_what_is_no_whole_picture_is_refused_with_its_reason(content, reason):
    with pytest.raises(Unreadable, match=f"^{reason}"):
        decode("a.JPEG", content)


def test_a_picture_of_absurd_shape_is_refused_before_it_fills_the_memory():
    with pytest.raises(Unreadable, match="too thin"):
        standardise(Image.new("RGB", (1, 300)), 256)


def test_a_huge_picture_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(Unreadable, match="not a picture|damaged"):
        decode("a.JPEG", WHOLE)


def test_a_stored_jpeg_is_close_to_the_picture():
    image = Image.fromarray(pixels(4, 64, 64))
    stored = np.asarray(Image.open(io.BytesIO(picture.to_jpeg(image))))
    assert abs(stored.astype(int) - np.asarray(image)).mean() < 2

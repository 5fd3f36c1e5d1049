"""One image to 256x256: the filter from its definition, torchvision's sizes, and every odd kind of file."""

import gzip
import io
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from alexnet.data import images
from alexnet.data.formats import added, readable, recognise_format
from alexnet.data.images import Unreadable, decode, open_image, read_bytes, resize_and_crop, to_jpeg, to_rgb
from references.images import central_square
from support.archives import encoded, jpeg, pixels

WHOLE = jpeg(3)


@pytest.mark.parametrize(("width", "height"), [(23, 16), (16, 23), (9, 16), (7, 5), (8, 8), (31, 8)])
def test_scaling_is_the_triangle_filter_and_the_cut_is_central(width, height):
    array = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    got = np.asarray(resize_and_crop(Image.fromarray(array), 8), np.float64)
    assert got.shape == (8, 8, 3)
    assert abs(got - central_square(array, 8)).max() <= 1  # Pillow rounds to whole numbers twice


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (257, 256), (256, 301), (224, 224), (1000, 331)])
def test_the_result_is_that_of_torchvision(size):
    noise = np.random.default_rng(6).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    theirs = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(256)])(image)
    np.testing.assert_array_equal(np.asarray(resize_and_crop(image, 256)), np.asarray(theirs))


def rgb(content, name="a.JPEG"):
    """Decode; return the pixels and the notes."""
    image, notes = decode(name, content)
    assert image.mode == "RGB"
    return np.asarray(image), notes


def test_a_usual_image_is_taken_as_it_is():
    array, notes = rgb(WHOLE)
    assert notes == []
    assert abs(array.astype(int) - pixels(3)).mean() < 12


def test_a_cmyk_image_keeps_its_colours():
    array, notes = rgb(encoded(pixels(3), mode="CMYK"))
    assert notes == ["CMYK"]
    assert abs(array.astype(int) - pixels(3)).mean() < 12


@pytest.mark.parametrize("mode", ["L", "1"])
def test_a_grey_image_becomes_three_equal_channels(mode):
    kind = "JPEG" if mode == "L" else "PNG"
    array, notes = rgb(encoded(pixels(3), kind, mode), f"a.{kind}")
    assert notes == ["greyscale"]
    assert (array == array[..., :1]).all() and np.ptp(array) > 100


def test_a_png_that_is_called_a_jpeg_is_read_and_noted():
    array, notes = rgb(encoded(pixels(3), "PNG"))
    assert notes == ["PNG named JPEG"]
    np.testing.assert_array_equal(array, pixels(3))


@pytest.mark.parametrize(("largest", "note"), [(255, "16-bit with numbers of 8 bits"), (65535, "16-bit")])
def test_sixteen_bits_are_scaled_and_not_clipped(largest, note):
    line = np.linspace(0, largest, 256).astype(np.uint16).reshape(16, 16)
    array, notes = rgb(encoded(line, "PNG"), "a.png")
    assert notes == [note]
    np.testing.assert_array_equal(array[..., 0].ravel(), np.arange(256))


def tiff(bits, line, photometric, kind=1):
    """Return a TIFF of one greyscale line as bytes. kind: 1, whole numbers, or 3, floating-point ones."""
    if bits == 12:
        digits = "".join(f"{number:012b}" for number in line)
        content = bytes(int(digits[start : start + 8], 2) for start in range(0, len(digits), 8))
    else:
        content = np.array(line, "<f4" if kind == 3 else "<u2").tobytes()
    tags = {256: len(line), 257: 1, 258: bits, 259: 1, 262: photometric, 277: 1, 278: 1, 339: kind}
    tags |= {273: 8 + 2 + 12 * 10 + 4, 279: len(content)}  # where the line begins, and its length
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content


@pytest.mark.parametrize(
    ("file", "wanted", "note"),
    [
        (tiff(12, [0, 4095, 2048, 200], 1), [0, 255, 128, 12], "12-bit"),
        (tiff(12, [0, 100, 200, 255], 1), [0, 6, 12, 16], "12-bit"),
        (tiff(16, [0, 65535, 257, 300], 1), [0, 255, 1, 1], "16-bit"),
        (tiff(16, [0, 65535, 257, 300], 0), [255, 0, 254, 254], "16-bit"),
        (tiff(16, [0, 255, 7, 8], 0), [255, 0, 248, 247], "16-bit with numbers of 8 bits"),
        (tiff(32, [0, 1, 0.2, 0.4], 0, kind=3), [255, 0, 204, 153], "floating-point"),
        (b"P5 4 1 1000\n" + struct.pack(">4H", 0, 1, 2, 3), [0, 0, 1, 1], "16-bit"),
        (b"P5 4 1 65535\n" + struct.pack(">4H", 0, 1, 200, 255), [0, 0, 1, 1], "16-bit"),
    ],
)
def test_the_file_tells_which_number_is_white(file, wanted, note):
    array, notes = rgb(file, "a.tif" if file.startswith(b"II") else "a.pgm")
    assert (array[0, :, 0].tolist(), notes) == (wanted, [note])


def test_floating_point_of_0_to_1_is_scaled_to_255():
    line = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    array, notes = rgb(encoded(line, "TIFF"), "a.tif")
    assert notes == ["floating-point"]
    np.testing.assert_array_equal(array[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.full((9, 9), 1.5, np.float32), "floating-point numbers from 1.5 to 1.5, and only 0 to 1"),
        (np.full((9, 9), -0.5, np.float32), "floating-point numbers from -0.5 to"),
        (np.full((9, 9), np.nan, np.float32), "floating-point numbers from nan"),
        (np.full((9, 9), 70000, np.int32), "numbers from 70000 to 70000, and only 16 bits"),
        (np.full((9, 9), -1, np.int32), "numbers from -1 to -1"),
    ],
)
def test_numbers_without_a_known_white_are_refused(samples, reason):
    with pytest.raises(Unreadable, match=f"^{reason}"):
        decode("a.tif", encoded(samples, "TIFF"))


@pytest.mark.parametrize("tags", [{254: 1}, {254: 1, 271: "NIKON CORPORATION"}, {50706: b"\1\4\0\0"}])
def test_the_thumbnail_of_a_raw_file_is_not_taken_for_the_photograph(tags):
    buffer = io.BytesIO()
    Image.fromarray(pixels(3)).save(buffer, "TIFF", tiffinfo=tags)
    with pytest.raises(Unreadable, match="^a camera's raw file, of which only the thumbnail can be read; co"):
        decode("DSC_1.NEF", buffer.getvalue())


@pytest.mark.parametrize(("alpha", "note"), [(0, "transparent, on white"), (255, "RGBA")])
def test_what_is_transparent_lies_on_white(alpha, note):
    four = np.dstack([pixels(3), np.full((44, 52), alpha, np.uint8)])
    array, notes = rgb(encoded(four, "PNG"), "a.png")
    assert notes[-1] == note
    np.testing.assert_array_equal(array, pixels(3) if alpha else np.full((44, 52, 3), 255))


def test_half_transparent_is_half_white():
    array, _ = rgb(encoded(np.dstack([pixels(3), np.full((44, 52), 128, np.uint8)]), "PNG"), "a.png")
    assert abs(array - (255 * 127 + pixels(3) * 128.0) / 255).max() <= 1


def png(depth, colour, row, transparent):
    """Return a PNG of one line as bytes. colour: 0, grey, or 2, RGB; transparent: the content of tRNS."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    width = 8 * len(row) // depth // (1 if colour == 0 else 3)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)),
            chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)),
            chunk(b"IDAT", zlib.compress(b"\0" + row)),
            chunk(b"IEND", b""),
        ]
    )


# Bits, kind, the line, the transparent value; what becomes of the line's red.
TRANSPARENT = {
    "1 bit": (1, 0, bytes([0b10110000]), (0,), [255] * 8),
    "2 bits": (2, 0, bytes([0b00011010]), (1,), [0, 255, 170, 170]),
    "4 bits": (4, 0, bytes([0x05, 0xAF]), (5,), [0, 255, 170, 255]),
    "8 bits": (8, 0, bytes([0, 5, 85, 200]), (5,), [0, 255, 85, 200]),
    "16 bits": (16, 0, struct.pack(">4H", 0, 1000, 1001, 60000), (1000,), [0, 255, 4, 233]),
    "16 bits of which 8 are used": (16, 0, struct.pack(">4H", 0, 7, 8, 200), (7,), [0, 255, 8, 200]),
    "8 bits of RGB": (8, 2, bytes([1, 2, 3, 1, 2, 4]), (1, 2, 3), [255, 1]),
    "16 bits of RGB": (16, 2, bytes([3, 9, 7, 9, 11, 9, 3, 9, 7, 9, 12, 9]), (1000, 2000, 3000), [255, 3]),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_the_transparent_value_of_a_png_is_on_the_scale_of_its_file(kind):
    *file, wanted = TRANSPARENT[kind]
    array, notes = rgb(png(*file), "a.png")
    assert array[0, :, 0].tolist() == wanted and notes[-1] == "transparent, on white"
    if kind != "1 bit":
        array, notes = rgb(png(*file[:3], (3,) * len(file[3])), "a.png")  # no pixel has it
        assert "transparent, on white" not in notes and array[0, :, 0].tolist() != wanted


def test_an_image_that_somebody_holds_is_not_changed():
    with Image.open(io.BytesIO(png(*TRANSPARENT["4 bits"][:-1]))) as image:
        assert np.asarray(to_rgb(image)[0])[0, :, 0].tolist() == TRANSPARENT["4 bits"][-1]
        assert image.info["transparency"] == 5 and image.mode == "L"


def test_a_palette_with_transparent_colours_lies_on_white():
    buffer = io.BytesIO()
    Image.fromarray(pixels(3)).quantize(8).save(buffer, "PNG", transparency=bytes(8))
    array, notes = rgb(buffer.getvalue(), "a.png")
    assert notes == ["palette", "transparent, on white"] and (array == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_every_mode_is_turned_upright(kind, mode):
    if kind not in readable() or (mode == "I;16" and kind not in ("PNG", "TIFF")):
        pytest.skip("this Pillow has no such file")
    tags, buffer = Image.Exif(), io.BytesIO()
    tags[0x0112] = 6  # the top of the image is its right-hand side as stored
    array = np.zeros((20, 24), np.uint16 if mode == "I;16" else np.uint8)
    array[:, :12] = 60000 if mode == "I;16" else 240  # bright on the left
    Image.fromarray(array).convert(mode).save(buffer, kind, exif=tags)
    got, notes = rgb(buffer.getvalue(), f"a.{kind}")
    assert got.shape == (24, 20, 3) and "turned upright" in notes
    assert got[:12].mean() > 200 and got[12:].mean() < 30


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_the_first_of_several_images_is_taken_and_noted(kind):
    buffer, others = io.BytesIO(), [Image.fromarray(pixels(4))]
    Image.fromarray(pixels(3)).save(buffer, kind, save_all=True, append_images=others)
    array, notes = rgb(buffer.getvalue(), f"a.{kind}")
    assert abs(array.astype(int) - pixels(3)).mean() < 12
    assert ("first of several images" in notes) == (kind != "MPO")  # a camera's preview is no other image


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "QOI", "TGA", "BMP", "PPM", "WEBP", "TIFF"])
def test_every_format_is_known_by_its_content_and_read(kind):
    if kind != "TGA" and kind not in readable():
        pytest.skip("this Pillow has no such format")
    content = encoded(pixels(3), kind)
    assert recognise_format(content) == (None if kind == "TGA" else kind)
    array, _ = rgb(content, f"a.{kind.lower()}")
    assert abs(array.astype(int) - pixels(3)).mean() < 12


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, which is read only with the package pillow-heif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC, which is read only with the package pillow-heif"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL, which is read only with the package pillow-jxl-plugin"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF, which the installed Pillow cannot read"),
        (encoded(pixels(3), "PCX"), "PCX, a format that is not read"),
        (encoded(pixels(3), "ICO"), "ICO, a format that is not read"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "SVG, a format that is not read"),
    ],
)
def test_a_format_that_is_not_read_is_called_by_its_name(content, reason, monkeypatch):
    monkeypatch.setattr(images, "readable", lambda: ("JPEG", "PNG"))
    monkeypatch.setattr(images, "added", lambda _name: False)
    with pytest.raises(Unreadable, match=f"^{reason}"):
        decode("a.jpg", content)


def test_a_package_lets_pillow_read_its_format(monkeypatch):
    calls = []
    module = type("Module", (), {"register_heif_opener": lambda: calls.append(1)})
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    assert added.__wrapped__("HEIC") and calls == [1]
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    assert not added.__wrapped__("HEIC")


def test_a_compressed_image_is_read_and_noted():
    array, notes = rgb(gzip.compress(WHOLE))
    assert notes == ["compressed with gzip"]
    np.testing.assert_array_equal(array, rgb(WHOLE)[0])


def changed(content, place):
    """Return bytes with one of them changed."""
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


def without_palette(png):
    """Return a PNG without the chunk that has its colours."""
    at = png.index(b"PLTE")
    return png[: at - 4] + png[at + 8 + int.from_bytes(png[at - 4 : at], "big") :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<html>not found</html>", "not an image"),
        (WHOLE[:3], "damaged JPEG"),
        (WHOLE[: len(WHOLE) * 3 // 4], "damaged"),
        (WHOLE[:-40], "damaged"),
        (encoded(pixels(3), "PNG")[:-60], "damaged"),
        (changed(encoded(pixels(3), "PNG"), 200), "damaged"),
        (without_palette(encoded(pixels(3), "PNG", "P")), "damaged"),
        (gzip.compress(WHOLE)[:-20], "damaged"),
        (gzip.compress(b"text"), "not an image"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_its_reason(content, reason):
    with pytest.raises(Unreadable, match=f"^{reason}"):
        decode("a.JPEG", content)


def test_a_image_of_absurd_shape_is_refused_before_it_fills_the_memory():
    with pytest.raises(Unreadable, match="too thin"):
        resize_and_crop(Image.new("RGB", (1, 300)), 256)


def test_the_limit_of_pixels_is_ours_and_is_named(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # Pillow's own, of which ours does not depend
    assert rgb(WHOLE)[0].shape == (44, 52, 3)
    assert Image.MAX_IMAGE_PIXELS == 500
    monkeypatch.setattr(images, "MAX_PIXELS", 44 * 52 - 1)
    with pytest.raises(Unreadable, match="^52 x 44 pixels, more than the limit of 2,287"):
        decode("a.JPEG", WHOLE)


def test_a_claim_of_many_pixels_is_refused_before_they_are_decoded():
    content = bytearray(encoded(pixels(3), "BMP"))
    content[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(Unreadable, match="^30,000 x 30,000 pixels, more than the limit of 268,435,456"):
        decode("a.bmp", bytes(content))
    content[18:26] = struct.pack("<ii", 15_000, 15_000)
    assert open_image("a.bmp", bytes(content)).size == (15_000, 15_000)  # Pillow alone would refuse this


def test_a_compressed_bomb_is_refused_by_its_limit(monkeypatch):
    monkeypatch.setattr(images, "MAX_GUNZIPPED", 9_999)
    with pytest.raises(Unreadable, match="^compressed with gzip, and more than the limit of 9,999 bytes"):
        decode("a.jpg", gzip.compress(bytes(10_000)))


def test_a_file_of_absurd_size_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 99)
    (tmp_path / "a.jpg").write_bytes(bytes(100))
    with pytest.raises(Unreadable, match="^a file of 100 bytes, more than the limit of 99"):
        read_bytes(tmp_path / "a.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(Unreadable, match="^neither a file nor a folder, but a pipe"):
        read_bytes(tmp_path / "a.jpg")


def test_a_stored_jpeg_is_close_to_the_image():
    image = Image.fromarray(pixels(4, 64, 64))
    stored = np.asarray(Image.open(io.BytesIO(images.to_jpeg(image))))
    assert abs(stored.astype(int) - np.asarray(image)).mean() < 2


def test_a_stored_jpeg_has_colours_at_half_the_resolution():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(to_jpeg(Image.fromarray(pixels)))) as stored:
        assert [layer[1:3] for layer in stored.layer] == [(2, 2), (1, 1), (1, 1)]  # 4:2:0
        assert stored.quantization[0][0] == 2  # 16 of the standard's table at a quality of 95

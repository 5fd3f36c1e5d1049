"""Filters against their printed formulas, resizing against Pillow and torch, bands against single cosines."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from alexnet.transforms import resampling
from alexnet.transforms.resampling import FILTERS, resample, response, split_bands, weights, zone_plate

IMAGE = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (37, 53)))
IN_PILLOW = {"nearest": "BOX", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS"}


def sinc(x):
    return 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)


def keys(x, a=-0.5):
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


BY_THE_BOOK = {
    "nearest": lambda x: 1.0 if -0.5 < x <= 0.5 else 0.0,
    "bilinear": lambda x: max(0.0, 1 - abs(x)),
    "bicubic": keys,
    "lanczos": lambda x: sinc(x) * sinc(x / 3) if abs(x) < 3 else 0.0,
}


def weights_by_the_book(num_in, num_out, name, antialias):
    table = np.zeros((num_out, num_in))
    factor = num_in / num_out
    stretch = max(1, factor) if antialias else 1
    for i, j in np.ndindex(num_out, num_in):
        table[i, j] = BY_THE_BOOK[name]((j + 0.5 - (i + 0.5) * factor) / stretch)
    for i in range(num_out):
        table[i] /= sum(table[i])
    return table


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("num_in", "num_out"), [(20, 5), (23, 7), (7, 19), (8, 8)])
def test_weights_are_the_filter_at_the_middles_of_pixels(name, antialias, num_in, num_out):
    wanted = weights_by_the_book(num_in, num_out, name, antialias)
    found = weights(num_in, num_out, name=name, antialias=antialias).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [(11, 17), (9, 60), (80, 21)])
@pytest.mark.parametrize("name", FILTERS)
def test_with_antialiasing_it_is_pillows(name, size):
    image = Image.fromarray(IMAGE.numpy().astype(np.float32))  # mode F: Pillow does not round it
    wanted = np.asarray(image.resize(size[::-1], Image.Resampling[IN_PILLOW[name]]))
    np.testing.assert_allclose(resample(IMAGE, size, name=name, antialias=True), wanted, atol=2e-3)


@pytest.mark.parametrize(("name", "mode"), [("nearest", "nearest-exact"), ("bilinear", "bilinear")])
def test_without_it_is_what_torch_does_by_default(name, mode):
    wanted = F.interpolate(IMAGE[None, None], size=(12, 16), mode=mode)[0, 0]
    torch.testing.assert_close(resample(IMAGE, (12, 16), name=name, antialias=False), wanted)


def test_other_dimensions_are_left_alone():
    several = IMAGE.expand(2, 3, -1, -1)
    found = resample(several, (5, 6), name="lanczos", antialias=True)
    assert found.shape == (2, 3, 5, 6)
    torch.testing.assert_close(found[1, 2], resample(IMAGE, (5, 6), name="lanczos", antialias=True))


@pytest.mark.parametrize("frequency", [0.0, 0.03, 0.11, 0.31, 0.5])
def test_the_response_is_what_is_left_of_a_wave(frequency):
    row = weights(96, 24, name="bicubic", antialias=True)[11]
    phases = np.linspace(0, 2 * np.pi, 721)
    waves = np.cos(2 * np.pi * frequency * np.arange(96) + phases[:, None])
    largest = abs(waves @ row.numpy()).max()  # over where the wave begins
    assert response(row, torch.tensor([frequency], dtype=torch.float64)).item() == pytest.approx(
        largest, abs=1e-4
    )


@pytest.mark.parametrize(("down", "across", "coarse"), [(8, 10, True), (9, 10, False), (8, 11, False)])
def test_a_cosine_is_coarse_or_fine_as_a_whole(down, across, coarse):
    rows, columns = np.arange(24) + 0.5, np.arange(30) + 0.5
    wave = torch.from_numpy(np.outer(np.cos(np.pi * down * rows / 24), np.cos(np.pi * across * columns / 30)))
    bands = split_bands(wave, (9, 11))
    kept, other = bands if coarse else bands[::-1]
    torch.testing.assert_close(kept, wave)
    torch.testing.assert_close(other, torch.zeros_like(wave))


def test_bands_add_up():
    torch.testing.assert_close(sum(split_bands(IMAGE, (9, 11))), IMAGE)


def test_the_zone_plate_has_its_frequency_where_it_says():
    plate = zone_plate(256, (100, 120))
    assert plate[100, 120] == 1 and plate.shape == (256, 256)
    assert plate[100, 120 + 8] == pytest.approx(math.cos(math.pi * 64 / 256))
    assert plate[100 - 16, 120 + 16] == pytest.approx(math.cos(2 * math.pi))
    ends = plate[100, 120 + 127 : 120 + 130]  # half a period from each pixel to the next
    assert (ends[0] * ends[1] < 0) and (ends[1] * ends[2] < 0)


def test_what_cannot_be_is_said_in_a_sentence():
    with pytest.raises(ValueError, match="^there is no filter 'area'; the names are nearest, bilinear"):
        weights(4, 2, name="area", antialias=True)
    with pytest.raises(ValueError, match="^a row has at least one pixel, got 4 and 0$"):
        weights(4, 0, name="nearest", antialias=True)
    assert resampling.LANCZOS_RADIUS == 3

"""The figures of preparation show what the package does."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.data.images import resize_and_crop
from alexnet.figures.chapters import preparation
from alexnet.transforms.resampling import zone_plate

IMAGE = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (3, 32, 32), dtype=np.uint8))


@pytest.mark.parametrize(("width", "height"), [(500, 350), (350, 500), (1000, 200), (650, 650), (550, 300)])
def test_the_square_is_the_one_that_the_package_cuts_out(width, height):
    html = preparation.centre_cut("data:,x", width, height)
    w, h = map(int, re.search(r"→ (\d+) × (\d+) →", html).groups())
    left, top = map(int, re.search(r"zM(\d+) (\d+)h256", html).groups())
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, width)
    ramp[..., 1] = np.linspace(0, 255, height)[:, None]
    image = Image.fromarray(ramp)
    scaled = image.resize((w, h), Image.Resampling.BILINEAR)
    cut = scaled.crop((left, top, left + 256, top + 256))
    assert np.array_equal(np.asarray(cut), np.asarray(resize_and_crop(image, 256)))
    assert f"keeps <b>{100 * 256**2 / (w * h):.1f}%</b>" in html


def pixels_handed_to(monkeypatch, **sliders):
    """Return the two images that `shrunk` shows."""
    shown = []
    monkeypatch.setattr(preparation.figures, "grid", lambda images, **_: shown.extend(images))
    preparation.shrunk(IMAGE, **sliders)
    return shown


def test_without_antialiasing_nearest_takes_every_fourth_pixel(monkeypatch):
    photograph, rings = pixels_handed_to(monkeypatch, filter="nearest", antialiasing="no")
    torch.testing.assert_close(photograph, IMAGE[:, 2::4, 2::4].double() / 255)
    torch.testing.assert_close(rings, (zone_plate(32, (18, 18))[2::4, 2::4] + 1) / 2)
    assert rings[4, 4] == 1


def test_with_antialiasing_nearest_is_the_mean_of_an_area(monkeypatch):
    photograph, _ = pixels_handed_to(monkeypatch, filter="nearest", antialiasing="yes")
    means = IMAGE.double().reshape(3, 8, 4, 8, 4).mean((2, 4))
    torch.testing.assert_close(photograph, means / 255)


def test_all_states_fit_into_a_page_and_are_the_same_at_every_run(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    first, cut = preparation.shrink_images(IMAGE), preparation.cut_images(IMAGE)
    assert first.html == preparation.shrink_images(IMAGE).html
    assert cut.html == preparation.cut_images(IMAGE).html and cut.num_bytes < 20_000
    assert first.html.count("antialiasing: yes") >= 4

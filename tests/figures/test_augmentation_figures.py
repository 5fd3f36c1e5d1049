"""The two figures of augmentation: script and drawing agree, and what they show is what the package does."""

import re

import numpy as np
import pytest
import torch

from alexnet import paper
from alexnet.data.statistics import Statistics
from alexnet.figures.chapters import augmentation
from alexnet.transforms.colour import colour_shifts

IMAGE = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (3, 16, 16), dtype=np.uint8))
STORED = IMAGE.repeat_interleave(16, 1).repeat_interleave(16, 2)
VECTORS, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
PCA = Statistics(
    mean_image=torch.zeros(3, 16, 16),
    pca_stds=torch.tensor([121.780, 37.094, 19.721], dtype=torch.float64),
    pca_vectors=torch.from_numpy(VECTORS),
    num_images=1,
)


def moves():
    one = paper.PCA_NOISE_STD * torch.eye(3, dtype=torch.float64)
    return {reading: colour_shifts(one, PCA, reading=reading).tolist() for reading in augmentation.READINGS}


def test_a_crop_is_framed_and_cut_where_it_lies():
    html = augmentation.crop("data:,x", top=7, left=30, flipped="no")
    assert "M30 7h224v224h-224z" in html and '<rect x="30" y="7" width="224" height="224"' in html
    assert 'x="-30" y="-7"' in html and "scale(-1 1)" not in html
    assert "scale(-1 1)" in augmentation.crop("data:,x", top=7, left=30, flipped="yes")


def test_crops_are_counted_from_one_to_2178_and_the_papers_are_2048():
    states = [(top, left, flip) for top in range(33) for left in range(33) for flip in ("no", "yes")]
    pages = [augmentation.crop("data:,x", *state) for state in states]
    counts = [int(re.search(r"<b>(\d+)</b> of 2178", page)[1]) for page in pages]
    assert counts == list(range(1, 2179))
    assert sum(f"among the paper's {paper.AUGMENTATION_FACTOR}<" in page for page in pages) == 2048


@pytest.mark.parametrize(("top", "left"), [(16, 16), (0, 0), (32, 0), (5, 20)])
def test_shared_pixels_are_counted_one_by_one(top, left):
    seen = np.zeros((2, 256, 256), bool)
    seen[0, top : top + 224, left : left + 224] = True
    seen[1, 16:240, 16:240] = True
    share = seen.all(0).sum() / 224**2
    assert f"has {share:.1%} of its pixels in common" in augmentation.crop("data:,x", top, left, "no")


@pytest.mark.parametrize("reading", augmentation.READINGS)
def test_the_shift_shown_is_the_packages(reading):
    alphas = paper.PCA_NOISE_STD * torch.tensor([[2.0, -1, 3]], dtype=torch.float64)
    shift = colour_shifts(alphas, PCA, reading=reading)[0].tolist()
    html = augmentation.shifted("data:,x", moves(), "key", 2, -1, 3, reading)
    assert f"<b>{', '.join(f'{v:+.1f}' for v in shift)}</b>" in html
    intercepts = [float(found) for found in re.findall(r'intercept="([^"]+)"', html)]
    assert intercepts == pytest.approx([v / 255 for v in shift], abs=1e-4)


def test_figures_are_the_same_at_every_run_and_small(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")  # explore refuses a page that says something else
    for make in (lambda: augmentation.crops(STORED), lambda: augmentation.colour_noise(IMAGE, PCA)):
        first = make()
        assert first.html == make().html and first.num_bytes < 150_000


def test_two_figures_of_one_page_have_filters_of_their_own(monkeypatch):
    monkeypatch.setenv("ALEXNET_FIGURES", "static")
    pages = [augmentation.colour_noise(image, PCA).html for image in (IMAGE, IMAGE.flip(-1))]
    ids = [set(re.findall(r"alexnet-colour-noise-\w+", page)) for page in pages]
    assert [len(found) for found in ids] == [1, 1] and ids[0] != ids[1]


def test_a_image_of_another_size_gets_one_sentence():
    with pytest.raises(ValueError, match="a stored image has 256 x 256 pixels, got 16 x 16$"):
        augmentation.crops(IMAGE)

"""Crops, reflections, colour noise and the mean against slow loops; draws against what they should be."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF

from alexnet import paper, transforms
from alexnet.config import AugmentConfig
from alexnet.data.statistics import Statistics
from alexnet.recipes import CODE2012, PAPER
from alexnet.transforms import crops, training
from alexnet.transforms.colour import add_colour, colour_shifts, draw_colour_shifts
from alexnet.transforms.crops import Crops, crop_and_flip, draw_crops
from alexnet.transforms.ten_crop import prepare_centre, ten_crops
from alexnet.transforms.training import draw_augmentation, prepare_training
from references import transforms as references

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
# Loud: an odd room of 7, an asymmetric mean, an oblique PCA with unequal deviations, far from unit scale.
SIZE, SIDE, OFFSETS = 6, 13, 8
RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (9, 3, SIDE, SIDE), dtype=np.uint8)
X = torch.from_numpy(IMAGES)
MEAN = RNG.uniform(60, 190, (3, SIDE, SIDE)).astype(np.float32)
VECTORS, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
STDS = np.array([121.780, 37.094, 19.721])  # of the file that came with cuda-convnet2
STATISTICS = Statistics(
    mean_image=torch.from_numpy(MEAN),
    pca_stds=torch.from_numpy(STDS),
    pca_vectors=torch.from_numpy(VECTORS),
    num_images=9,
)
LOUD = AugmentConfig(
    size=SIZE, num_offsets=OFFSETS, colour_noise="std", colour_noise_std=0.5, colour_divisor=1.7
)
READINGS = pytest.mark.parametrize("reading", ["std", "eigenvalue", "eigenvalue-255"])
MEANS = pytest.mark.parametrize("mean", ["under-crop", "centre"])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_crops(num=9):
    return draw_crops(num, num_offsets=OFFSETS, generator=seeded(3))


def arrays(drawn):
    return drawn.top.numpy(), drawn.left.numpy(), drawn.flip.numpy()


def cut(crop_function, images=IMAGES, size=SIZE):
    return crop_function(torch.from_numpy(images), some_crops(len(images)), size).numpy()


@pytest.mark.parametrize("crop_function", [crop_and_flip, crops.gather, crops.cut_one_by_one])
@pytest.mark.parametrize("images", [IMAGES, IMAGES[:, 1:].astype(np.float32), IMAGES[:, :, :, ::-1].copy()])
def test_crops_are_copied_pixel_by_pixel(crop_function, images):
    assert 0 < some_crops().flip.sum() < 9
    expected = references.crop_by_pixel(images, *arrays(some_crops()), SIZE)
    np.testing.assert_array_equal(cut(crop_function, images), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_crops_of_oblong_and_strided_images(device):
    images = torch.from_numpy(RNG.integers(0, 256, (5, 11, 2, 17), dtype=np.uint8)).transpose(1, 2)
    drawn = Crops(torch.tensor([0, 1, 6, 3, 6]), torch.tensor([12, 0, 3, 12, 5]), torch.arange(5) % 2 == 0)
    expected = references.crop_by_pixel(images.numpy(), *arrays(drawn), 5)
    np.testing.assert_array_equal(crop_and_flip(images.to(device), drawn, 5).cpu().numpy(), expected)
    np.testing.assert_array_equal(crops.gather(images.to(device), drawn, 5).cpu().numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.int64])
def test_crops_have_any_dtype(dtype):
    images = (X % 2).to(dtype)
    cropped = crop_and_flip(images, some_crops(), SIZE)
    assert cropped.dtype == dtype
    assert torch.equal(cropped.double(), crop_and_flip(X % 2, some_crops(), SIZE).double())


def test_crops_hand_the_gradient_to_their_pixels():
    leaf = X.float().requires_grad_()
    crop_and_flip(leaf, some_crops(), SIZE).sum().backward()
    assert leaf.grad.sum().item() == 9 * 3 * SIZE**2


def test_no_images_give_no_crops():
    none = some_crops()[:0]
    assert crop_and_flip(X[:0], none, SIZE).shape == (0, 3, SIZE, SIZE)


def test_a_crop_can_be_the_whole_image():
    drawn = Crops(torch.zeros(9, dtype=torch.int64), torch.zeros(9, dtype=torch.int64), torch.arange(9) < 4)
    whole = crop_and_flip(X, drawn, SIDE).numpy()
    np.testing.assert_array_equal(whole[:4], IMAGES[:4, :, :, ::-1])
    np.testing.assert_array_equal(whole[4:], IMAGES[4:])


def test_draws_are_uniform_independent_and_reach_both_ends():
    num, offsets = 40_000, 5
    top, left, flip = arrays(draw_crops(num, num_offsets=offsets, generator=seeded()))
    cells = np.zeros((offsets, offsets, 2))
    np.add.at(cells, (top, left, flip.astype(int)), 1)
    expected = num / cells.size
    assert abs(cells - expected).max() < 5 * np.sqrt(expected)


def test_the_paper_counts_2048_and_the_code_2178():
    counts = [recipe.augment.num_offsets**2 * (1 + recipe.augment.flip) for recipe in (PAPER, CODE2012)]
    assert counts == [paper.AUGMENTATION_FACTOR, 2178]
    for recipe in (PAPER, CODE2012):
        top = draw_crops(20_000, num_offsets=recipe.augment.num_offsets, generator=seeded()).top
        assert sorted(set(top.tolist())) == list(range(recipe.augment.num_offsets))


def test_a_group_shares_one_draw_and_the_next_has_its_own():
    top, left, flip = arrays(draw_crops(70, num_offsets=1000, group=32, generator=seeded()))
    for values in (top, left, flip):
        assert len(values) == 70
        for part in (values[:32], values[32:64], values[64:]):
            assert (part == part[0]).all()
    assert len(set(top)) == len(set(left)) == 3
    many = draw_crops(32 * 2000, num_offsets=9, group=32, generator=seeded()).flip.view(2000, 32)[:, 0]
    assert 900 < many.sum() < 1100


def test_without_reflections_there_are_none():
    assert not draw_crops(1000, num_offsets=3, flip=False, generator=seeded()).flip.any()


def covariance():
    return VECTORS @ np.diag(STDS**2) @ VECTORS.T


# What the covariance of the shifts must be in terms of C, that of the pixels, with alpha of deviation 1.
THEORY = {
    "std": lambda c: c,
    "eigenvalue": lambda c: c @ c / 255**2,
    "eigenvalue-255": lambda c: c @ c,
}


@READINGS
def test_the_reading_follows_from_the_covariance_of_the_pixels(reading):
    per_component = colour_shifts(torch.eye(3, dtype=torch.float64), STATISTICS, reading=reading).numpy()
    np.testing.assert_allclose(per_component.T @ per_component, THEORY[reading](covariance()), rtol=1e-9)


def test_the_eigenvalue_readings_are_the_printed_sum():
    alphas = RNG.normal(size=(4, 3))
    on_levels = [references.colour_shift_as_printed(a, VECTORS, STDS**2) for a in alphas]
    on_fractions = [references.colour_shift_as_printed(a, VECTORS, (STDS / 255) ** 2) * 255 for a in alphas]
    for reading, expected in (("eigenvalue-255", on_levels), ("eigenvalue", on_fractions)):
        got = colour_shifts(torch.from_numpy(alphas), STATISTICS, reading=reading).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("reading", "levels"),
    [
        ("std", [12.18, 3.71, 1.97]),
        ("eigenvalue", [5.82, 0.54, 0.15]),
        ("eigenvalue-255", [1483, 137.6, 38.9]),
    ],
)
def test_the_size_of_the_noise_along_each_component_in_grey_levels(reading, levels):
    shifts = draw_colour_shifts(40_000, STATISTICS, reading=reading, generator=seeded()).numpy() @ VECTORS
    np.testing.assert_allclose(shifts.std(0), levels, rtol=0.03)
    correlation = np.corrcoef(shifts.T) - np.eye(3)
    assert abs(correlation).max() < 0.03 and abs(shifts.mean(0) / shifts.std(0)).max() < 0.03


def test_each_image_has_a_draw_of_its_own_also_within_a_group():
    config = replace(LOUD, crop_group=32)
    drawn = draw_augmentation(64, config=config, statistics=STATISTICS, generator=seeded(), colour_noise=True)
    assert len(set(drawn.shifts[:, 0].tolist())) == 64 and len(set(drawn.crops.top.tolist())) <= 2


@pytest.mark.parametrize("flip", [True, False])
def test_a_recipe_says_how_everything_is_drawn(flip):
    config = replace(LOUD, crop_group=4, flip=flip)
    drawn = draw_augmentation(9, config=config, statistics=STATISTICS, generator=seeded(), colour_noise=True)
    generator = seeded()
    expected = draw_crops(9, num_offsets=OFFSETS, group=4, flip=flip, generator=generator)
    np.testing.assert_array_equal(arrays(drawn.crops), arrays(expected))
    shifts = draw_colour_shifts(9, STATISTICS, reading="std", std=0.5, generator=generator)
    assert torch.equal(drawn.shifts, shifts)


def test_colour_is_added_before_the_division():
    x, shifts = torch.from_numpy(RNG.normal(size=(2, 3, 4, 4))), torch.from_numpy(RNG.normal(size=(2, 3)))
    np.testing.assert_allclose(
        add_colour(x, shifts, 1.7).numpy(), (x.numpy() + shifts.numpy()[:, :, None, None]) / 1.7, rtol=1e-12
    )
    torch.testing.assert_close(add_colour(x, shifts), x + shifts[:, :, None, None], rtol=0, atol=0)


def batch(config=LOUD, seed=0, colour_noise=True, device="cpu"):
    return prepare_training(
        X.to(device), config=config, statistics=STATISTICS, generator=seeded(seed), colour_noise=colour_noise
    )


@MEANS
@pytest.mark.parametrize("device", DEVICES)
def test_a_training_batch_is_what_the_loops_make_of_it(mean, device):
    config = replace(LOUD, mean=mean)
    drawn = draw_augmentation(9, config=config, statistics=STATISTICS, generator=seeded(), colour_noise=True)
    subtract = references.subtract_under_crop if mean == "under-crop" else references.subtract_centre
    pixels = subtract(IMAGES, MEAN, *arrays(drawn.crops), SIZE)
    expected = (pixels + drawn.shifts.numpy()[:, :, None, None]) / 1.7
    got = batch(config, device=device)
    assert got.dtype == torch.float32 and got.device.type == device
    np.testing.assert_allclose(got.cpu().numpy(), expected, rtol=1e-5, atol=1e-4)
    quiet = batch(config, colour_noise=False, device=device).cpu().numpy()
    np.testing.assert_allclose(quiet, pixels, rtol=1e-6, atol=1e-5)


def test_the_two_means_differ_so_that_the_loops_can_tell():
    both = [batch(replace(LOUD, mean=mean)) for mean in ("under-crop", "centre")]
    assert (both[0] - both[1]).abs().amax((1, 2, 3)).min() > 1


def test_no_colour_noise_is_the_same_said_by_the_recipe_or_by_the_epoch():
    torch.testing.assert_close(
        batch(replace(LOUD, colour_noise="none")), batch(colour_noise=False), rtol=0, atol=0
    )


def test_a_seed_gives_one_batch_and_another_seed_another():
    assert torch.equal(batch(seed=1), batch(seed=1))
    assert not torch.equal(batch(seed=1), batch(seed=2))


@MEANS
def test_a_batch_may_be_cut_in_parts(mean, monkeypatch):
    config = replace(LOUD, mean=mean)
    drawn = draw_augmentation(9, config=config, statistics=STATISTICS, generator=seeded(), colour_noise=True)
    whole = transforms.augment(X, drawn, config=config, statistics=STATISTICS)
    parts = [
        transforms.augment(X[part], drawn[part], config=config, statistics=STATISTICS)
        for part in (slice(0, 4), slice(4, 9))
    ]
    assert torch.equal(torch.cat(parts), whole)
    for images_at_once in (0, 2):
        monkeypatch.setattr(training, "CACHED_VALUES", images_at_once * IMAGES[0].size)
        assert torch.equal(transforms.augment(X, drawn, config=config, statistics=STATISTICS), whole)


def test_the_recipes_at_full_size():
    images = torch.from_numpy(RNG.integers(0, 256, (3, 3, 256, 256), dtype=np.uint8))
    mean = Statistics(
        mean_image=torch.full((3, 256, 256), 127.5),
        pca_stds=STATISTICS.pca_stds,
        pca_vectors=STATISTICS.pca_vectors,
        num_images=3,
    )
    for recipe in (PAPER, CODE2012):
        x = prepare_training(
            images, config=recipe.augment, statistics=mean, generator=seeded(), colour_noise=False
        )
        assert x.shape == (3, paper.INPUT_CHANNELS, paper.INPUT_SIZE, paper.INPUT_SIZE)
        assert x.min() == -127.5 and x.max() == 127.5


def test_the_centre_by_hand():
    expected = IMAGES[:, :, 3:9, 3:9] - MEAN[:, 3:9, 3:9]  # a room of 7: 3 before, 4 behind
    np.testing.assert_array_equal(prepare_centre(X, size=SIZE, statistics=STATISTICS).numpy(), expected)
    even = prepare_centre(X, size=7, statistics=STATISTICS).numpy()
    np.testing.assert_array_equal(even, (IMAGES - MEAN)[:, :, 3:10, 3:10])


def torchvisions(images, size):
    """torchvision reflects first, and so its sixth view is the reflection of the corner at the top right."""
    views = TF.ten_crop(images, size)
    return [*views[:5], *(views[place] for place in (6, 5, 8, 7, 9))]


@pytest.mark.parametrize("size", [5, 7])  # an even room, where torchvision has the same centre
def test_the_ten_views_are_torchvisions(size):
    views = list(ten_crops(X, size=size, statistics=STATISTICS))
    assert len(views) == paper.NUM_TEST_CROPS
    assert all(map(torch.equal, views, torchvisions(X - torch.from_numpy(MEAN), size)))
    views = list(ten_crops(X, size=size, statistics=STATISTICS, mean="centre"))
    centre = TF.center_crop(torch.from_numpy(MEAN), size)
    assert all(
        torch.equal(view, theirs - centre) for view, theirs in zip(views, torchvisions(X, size), strict=True)
    )


def test_the_fifth_view_is_the_centre():
    views = list(ten_crops(X, size=SIZE, statistics=STATISTICS))
    assert torch.equal(views[4], prepare_centre(X, size=SIZE, statistics=STATISTICS))


TALL, SMALL = X[:, :, :, :-1], X[:, :, :5, :5]
CENTRE = {"size": SIZE, "statistics": STATISTICS}
MISTAKES = {
    r"images must be square, got 13 x 12; `alexnet data prepare`": lambda: prepare_centre(TALL, **CENTRE),
    "images of 5 pixels are smaller than a crop of 6 pixels": lambda: ten_crops(SMALL, **CENTRE),
    r"uint8 \(N, C, H, W\), got torch.float32": lambda: prepare_centre(X.float(), **CENTRE),
    r"got torch.uint8 \(3, 13, 13\)": lambda: prepare_centre(X[0], **CENTRE),
    r"images are \(3, 12, 12\) but the mean image is \(3, 13, 13\)": lambda: prepare_centre(
        X[:, :, 1:, 1:], **CENTRE
    ),
    "mean must be one of under-crop, centre; got 'none'": lambda: ten_crops(X, mean="none", **CENTRE),
    "size must be a whole number of at least 1, got 0": lambda: ten_crops(X, size=0, statistics=STATISTICS),
    "a crop of 6 pixels at 8 does not lie within an image 13 pixels high, .* 0 to 7": lambda: batch(
        replace(LOUD, num_offsets=9), seed=1
    ),
    "at 9 does not lie within an image 13 pixels wide": lambda: crop_and_flip(
        X[:1], Crops(torch.tensor([7]), torch.tensor([9]), torch.tensor([False])), SIZE
    ),
    "at -1 does not lie within": lambda: crop_and_flip(
        X[:1], Crops(torch.tensor([-1]), torch.tensor([0]), torch.tensor([False])), SIZE
    ),
    "there are 8 images but crops for 9": lambda: crop_and_flip(X[:8], some_crops(), SIZE),
    "reading must be one of std, eigenvalue, eigenvalue-255; got 'none'": lambda: draw_colour_shifts(
        3, STATISTICS, reading="none", generator=seeded()
    ),
    "num_images must be a whole number": lambda: draw_crops(0, num_offsets=3, generator=seeded()),
    "num_offsets must be a whole number": lambda: draw_crops(3, num_offsets=0, generator=seeded()),
    "group must be a whole number": lambda: draw_crops(3, num_offsets=3, group=0, generator=seeded()),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)

"""Local contrast normalisation against the formula, pixel by pixel."""

import numpy as np
import pytest
import torch

from alexnet.functional import local_contrast_norm


def reflected(index, size):
    """The pixel that stands for one beyond the edge: the edge itself is not repeated."""
    index = -index if index < 0 else index
    return 2 * (size - 1) - index if index >= size else index


def averaged(x, size, std):
    """The weighted mean round each pixel over all maps of an image (C, H, W)."""
    num_maps, height, width = x.shape
    middle, found = size // 2, np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            total = weights = 0.0
            for i in range(size):
                for j in range(size):
                    weight = np.exp(-((i - middle) ** 2 + (j - middle) ** 2) / (2 * std**2))
                    at = reflected(row + i - middle, height), reflected(column + j - middle, width)
                    total += weight * sum(x[c, at[0], at[1]] for c in range(num_maps)) / num_maps
                    weights += weight
            found[row, column] = total / weights
    return found


def by_the_formula(x, size, std):
    v = x - averaged(x, size, std)
    s = np.sqrt(averaged(v**2, size, std) + 1e-8)
    return v / np.maximum(s, s.mean())


@pytest.mark.parametrize(("size", "std"), [(9, 2.0), (5, 1.3)])
def test_it_is_the_printed_formula(size, std):
    x = np.random.default_rng(3).normal(1.0, 2.0, size=(2, 3, 6, 7))
    found = local_contrast_norm(torch.from_numpy(x), size=size, std=std)
    np.testing.assert_allclose(found, [by_the_formula(image, size, std) for image in x], rtol=1e-6, atol=1e-9)


def test_its_derivative_is_that_of_differences():
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(local_contrast_norm, x.requires_grad_())


def test_gain_and_bias_of_the_light_change_nothing():
    x = 50 * torch.rand(1, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    changed = local_contrast_norm(0.5 * x + 60)
    torch.testing.assert_close(changed, local_contrast_norm(x), rtol=1e-6, atol=1e-8)


def test_an_image_without_contrast_gives_zeros_and_a_finite_derivative():
    x = torch.full((1, 2, 6, 6), 3.0, requires_grad=True)
    y = local_contrast_norm(x)
    y.sum().backward()
    assert y.abs().max() < 1e-2 and x.grad.isfinite().all()


def test_the_window_is_that_of_jarrett_et_al_where_none_is_named():
    x = torch.rand(1, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(local_contrast_norm(x), local_contrast_norm(x, size=9, std=2.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_has_no_nan_and_the_same_values(dtype):
    flat = torch.ones(1, 3, 12, 12, dtype=dtype, requires_grad=True)
    y = local_contrast_norm(flat)
    y.sum().backward()
    assert y.dtype == dtype and y.isfinite().all() and flat.grad.isfinite().all()
    x = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(2)).to(dtype)
    torch.testing.assert_close(
        local_contrast_norm(x).float(), local_contrast_norm(x.float()), rtol=0.02, atol=0.01
    )

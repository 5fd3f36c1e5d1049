"""Nearest neighbours against distances counted in loops."""

import numpy as np
import pytest
import torch

from alexnet.evaluation.neighbours import nearest, precision


def by_the_sum(features, query):
    """Return every Euclidean distance (Q, N), number by number."""
    distances = np.zeros((len(query), len(features)))
    for q, wanted in enumerate(query):
        for n, row in enumerate(features):
            distances[q, n] = sum((float(a) - float(b)) ** 2 for a, b in zip(wanted, row, strict=True)) ** 0.5
    return distances


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_nearest_are_those_of_the_loops_in_order(chunk):
    rng = np.random.default_rng(3)
    features, query = rng.normal(size=(23, 7)), rng.normal(size=(5, 7))
    expected = by_the_sum(features, query)
    found = nearest(torch.from_numpy(features), torch.from_numpy(query), 6, chunk=chunk)
    order = expected.argsort(axis=1)[:, :6]
    np.testing.assert_array_equal(found.indices.numpy(), order)
    np.testing.assert_allclose(found.distances.numpy(), np.take_along_axis(expected, order, 1), rtol=1e-12)


def test_pixels_are_compared_without_overflow():
    images = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    images[0], images[1], images[2, 0, 0, 0] = 255, 250, 9
    found = nearest(images, torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 3)
    assert found.indices.tolist() == [[2, 1, 0]]
    assert found.distances[0].tolist() == pytest.approx([9.0, 250 * 48**0.5, 255 * 48**0.5], rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_image_finds_itself_at_distance_zero(dtype):
    features = 1000 + torch.rand(40, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    found = nearest(features, features[30:31], 2, chunk=8)
    assert found.indices[0, 0] == 30 and found.distances[0, 0] == 0


@pytest.mark.parametrize("chunk", [2, 5, 100])
def test_of_equal_distances_the_lower_index_comes_first(chunk):
    features = torch.tensor([[3.0], [1.0], [-1.0], [1.0], [-1.0], [3.0], [-3.0], [0.5]])
    assert nearest(features, torch.zeros(1, 1), 6, chunk=chunk).indices.tolist() == [[7, 1, 2, 3, 4, 0]]


def test_among_many_equal_distances_too():
    features = np.random.default_rng(5).integers(0, 3, size=(3000, 1))
    found = nearest(torch.from_numpy(features), torch.zeros(1, 1, dtype=torch.int64), 2500, chunk=700)
    np.testing.assert_array_equal(found.indices[0].numpy(), features[:, 0].argsort(kind="stable")[:2500])


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_lie_between_one_and_the_images(k):
    with pytest.raises(ValueError, match=f"k must be from 1 to the 4 images that are searched, got {k}"):
        nearest(torch.zeros(4, 2), torch.zeros(1, 2), k)


@pytest.mark.parametrize("shape", [(1, 3), (2,), (1, 1, 2)])
def test_shapes_must_match(shape):
    with pytest.raises(ValueError, match=r"searched, \(4, 2\), and the queries, \("):
        nearest(torch.zeros(4, 2), torch.zeros(shape), 1)


def test_precision_counts_the_class_of_the_query_among_the_nearest():
    found = torch.tensor([[2, 2, 1, 2], [0, 1, 1, 1]])
    shares = precision(found, torch.tensor([2, 1]), (1, 2, 4))
    assert shares.tolist() == [[1, 0], [1, 0.5], [0.75, 0.75]]
    with pytest.raises(ValueError, match=r"ks must be from 1 to the 4 that were found, got \(1, 5\)"):
        precision(found, torch.tensor([2, 1]), (1, 5))

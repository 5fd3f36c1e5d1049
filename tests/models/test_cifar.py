"""The small networks for CIFAR-10: what `alexnet.models.cifar` adds to torch's layers."""

import itertools

import pytest
import torch

from alexnet.models.cifar import LocallyConnected2d


def test_a_local_layer_is_an_inner_product_at_each_position_with_kernels_of_its_own():
    generator = torch.Generator().manual_seed(5)
    layer = LocallyConnected2d(2, 3, 3, size=4, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    x = torch.randn(2, 2, 4, 4, generator=generator, dtype=torch.float64)
    padded = torch.zeros(2, 2, 6, 6, dtype=torch.float64)
    padded[:, :, 1:5, 1:5] = x
    y = layer(x)
    assert y.shape == (2, 3, 4, 4)
    for image, out, row, column in itertools.product(range(2), range(3), range(4), range(4)):
        kernel = layer.weight[4 * row + column, :, out].reshape(2, 3, 3)
        expected = layer.bias[out, row, column].item()
        for channel, i, j in itertools.product(range(2), range(3), range(3)):
            expected += (padded[image, channel, row + i, column + j] * kernel[channel, i, j]).item()
        assert y[image, out, row, column].item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(layer, (x.requires_grad_(),))

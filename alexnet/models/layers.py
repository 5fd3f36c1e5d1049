"""The layers of AlexNet that torch does not have, as modules over `alexnet.functional` (paper 3.3, 4.2).

Letters in shapes: N images, C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet import paper
from alexnet.functional.dropout import check_probability, dropout, dropout_at_test, inverted_dropout
from alexnet.functional.lrn import local_response_norm, spatial_response_norm


class Conv2d(nn.Conv2d):
    """A convolution with as many zeros on each side as the sizes need.

    224 pixels, read by windows of 11 with stride 4, give 55 positions only with three zeros of padding, and
    three cannot be divided evenly between two sides (paper 3.5).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        *,
        sides: tuple[int, int, int, int],
        groups: int = 1,
    ):
        """Build the layer.

        Args:
            in_channels: channels that it reads.
            out_channels: its kernels.
            kernel_size: height and width of a kernel, in pixels.
            stride: pixels between neighbouring windows.
            sides: zeros on the left, right, top and bottom, in pixels.
            groups: parts of the channels that are kept apart.
        """
        even = len(set(sides)) == 1
        padding = sides[0] if even else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=padding, groups=groups)
        self.sides = () if even else sides

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        return super().forward(F.pad(input, self.sides) if self.sides else input)

    def extra_repr(self) -> str:
        """Name the sizes, for ``print``."""
        return super().extra_repr() + (f", zeros={self.sides}" if self.sides else "")


class PartOfLinear(nn.Linear):
    """What one tower adds to the outputs of a dense layer; the biases are added once, to the sum of all."""

    def forward(self, input: Tensor) -> Tensor:
        """Multiply (N, in_features) by the weights: (N, out_features)."""
        return F.linear(input, self.weight)


class LocalResponseNorm(nn.Module):
    """Normalisation across neighbouring channels; see `functional.local_response_norm` (paper 3.3)."""

    def __init__(
        self,
        *,
        n: int = paper.LRN_N,
        k: float = paper.LRN_K,
        alpha: float = paper.LRN_ALPHA,
        beta: float = paper.LRN_BETA,
        divide_alpha: bool = False,
        groups: int = 1,
    ):
        super().__init__()
        self.constants = {"n": n, "k": k, "alpha": alpha, "beta": beta}
        self.constants |= {"divide_alpha": divide_alpha, "groups": groups}

    def forward(self, x: Tensor) -> Tensor:
        return local_response_norm(x, **self.constants)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.constants.items())


class SpatialResponseNorm(nn.Module):
    """Normalisation over a window of pixels of the same channel; see `functional.spatial_response_norm`.

    The defaults are the 2012 code's for its ImageNet network; its networks for CIFAR-10 have others.
    """

    def __init__(
        self,
        *,
        size: int = 5,
        k: float = 1.0,
        alpha: float = 1e-3,
        beta: float = 0.75,
        divide_alpha: bool = True,
    ):
        super().__init__()
        self.constants = {"size": size, "k": k, "alpha": alpha, "beta": beta, "divide_alpha": divide_alpha}

    def forward(self, x: Tensor) -> Tensor:
        return spatial_response_norm(x, **self.constants)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.constants.items())


class Dropout(nn.Module):
    """Dropout as the paper has it: a mask in training, outputs times 1 - p at test (paper 4.2).

    Args:
        p: probability with which an output is set to zero, at least 0 and below 1.
        inverted: the other kind, which divides by 1 - p in training and does nothing at test.
    Raises:
        ValueError: p is out of range.
    """

    def __init__(self, p: float = paper.DROPOUT_PROBABILITY, *, inverted: bool = False):
        super().__init__()
        check_probability(p)
        self.p, self.inverted = p, inverted

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Drop outputs of x (N, U).

        Args:
            x: outputs of a layer.
            mask: in training, which of them are kept, as from `functional.dropout_mask`; if None, it is
                drawn from torch's global generator. At test it is not looked at.
        Raises:
            ValueError: the mask has another shape than x.
        """
        return drop(x, mask, self.p, self.inverted, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inverted={self.inverted}"


def drop(x: Tensor, mask: Tensor | None, p: float, inverted: bool, training: bool) -> Tensor:
    """Do what `Dropout` does, whose arguments these are."""
    if not training:
        return x if inverted else dropout_at_test(x, p)
    if mask is None:
        mask = torch.empty_like(x).bernoulli_(1 - p)
    return inverted_dropout(x, mask, p) if inverted else dropout(x, mask)


# torch.fx leaves calls of these as they are: they look at values that it does not know.
for name in ("drop", "local_response_norm", "spatial_response_norm"):
    torch.fx.wrap(name)

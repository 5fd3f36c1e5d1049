"""The layers of AlexNet that torch does not have, as modules over ``alexnet.functional`` (paper 3.3, 4.2).

Letters in shapes: N images, C channels, H height, W width.
"""

import torch
from torch import Tensor, nn

from alexnet import paper
from alexnet.functional.dropout import check_probability, dropout, dropout_at_test, inverted_dropout
from alexnet.functional.lrn import local_response_norm, spatial_response_norm


class LocalResponseNorm(nn.Module):
    """Normalisation across neighbouring channels; see ``functional.local_response_norm`` (paper 3.3)."""

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
    """Normalisation over a window of pixels of the same channel; see ``functional.spatial_response_norm``.

    The defaults are the 2012 code's for its ImageNet net; its nets for CIFAR-10 have others.
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
            mask: in training, which of them are kept, as from ``functional.dropout_mask``; if None, it is
                drawn from torch's global generator. At test it is not looked at.
        Raises:
            ValueError: the mask has another shape than x.
        """
        if not self.training:
            return x if self.inverted else dropout_at_test(x, self.p)
        if mask is None:
            mask = torch.empty_like(x).bernoulli_(1 - self.p)
        return inverted_dropout(x, mask, self.p) if self.inverted else dropout(x, mask)

    def extra_repr(self) -> str:
        return f"p={self.p}, inverted={self.inverted}"

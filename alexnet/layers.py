"""The layers of AlexNet that torch does not have, as modules over ``alexnet.functional`` (paper 3.3, 4.2).

Letters in shapes: N images, C channels, H height, W width.
"""

import torch
from torch import Tensor, nn

from alexnet import paper
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
    """Normalisation over a window of pixels of the same channel; see ``functional.spatial_response_norm``."""

    def forward(self, x: Tensor) -> Tensor:
        return spatial_response_norm(x)


class Dropout(nn.Module):
    """Dropout as the paper has it: a mask in training, outputs times 1 - p at test (paper 4.2).

    Args:
        p: probability with which an output is set to zero.
        inverted: the other kind, which divides by 1 - p in training and does nothing at test.
    """

    def __init__(self, p: float = paper.DROPOUT_PROBABILITY, *, inverted: bool = False):
        super().__init__()
        self.p, self.inverted = p, inverted

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Drop outputs x (N, units); in training by the mask of ones and zeros, drawn if None."""
        if not self.training:
            return x if self.inverted else x * (1 - self.p)
        if mask is None:
            mask = torch.empty_like(x).bernoulli_(1 - self.p)
        kept = x * mask.to(x.dtype)
        return kept / (1 - self.p) if self.inverted else kept

    def extra_repr(self) -> str:
        return f"p={self.p}, inverted={self.inverted}"

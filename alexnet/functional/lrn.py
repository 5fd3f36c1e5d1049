"""Response normalisation: across neighbouring channels, and over a window of pixels (paper 3.3).

Letters in shapes: N images, C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.functional.geometry import whole


def local_response_norm(
    x: Tensor,
    *,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    divide_alpha: bool = False,
    groups: int = 1,
) -> Tensor:
    """Divide each activation by a power of the energy of the n channels round it (paper 3.3).

        b_i = a_i / (k + alpha * sum_j a_j**2) ** beta,   max(0, i - n // 2) <= j <= min(C - 1, i + (n - 1) // 2)

    Args:
        x: (N, C, H, W) activations, any floating dtype.
        n: channels in the window; an even one takes one more on the low side, as the 2012 code does.
        k, alpha, beta: constants, dimensionless.
        divide_alpha: put alpha / n for alpha, as the 2012 code and torch do.
        groups: normalise within each of that many equal blocks of channels, for example the towers.
    Returns:
        (N, C, H, W), the dtype of x.
    Raises:
        ValueError: x is not (N, C, H, W) of a floating dtype, n or groups is not a positive whole number, or
            the groups do not divide the channels.
    """
    whole("n", n)
    whole("groups", groups)
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be (N, C, H, W) of a floating dtype, got {x.dtype} {tuple(x.shape)}")
    if x.shape[1] % groups:
        raise ValueError(f"groups must divide the channels, got {x.shape[1]} channels, {groups} groups")
    wide = x.to(torch.promote_types(x.dtype, torch.float32)).unflatten(1, (groups, x.shape[1] // groups))
    depth = wide.shape[2]
    padded = F.pad(wide * wide, (0, 0, 0, 0, n // 2, (n - 1) // 2))
    energy = sum(padded[:, :, start : start + depth] for start in range(n))
    scale = alpha / n if divide_alpha else alpha
    return (wide / (k + scale * energy) ** beta).flatten(1, 2).to(x.dtype)

"""Local contrast normalisation, to which section 3.3 of the paper compares its own (Jarrett et al. 2009)."""

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE, STD = 9, 2.0
EPSILON = 1e-8  # added to the mean square, whose root has no derivative at 0


def gaussian_window(size: int, std: float) -> Tensor:
    """Return (size, size) weights that fall with the distance from the middle like a Gaussian; sum 1."""
    distance = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    window = torch.exp(-(distance[:, None] ** 2 + distance**2) / (2 * std**2))
    return window / window.sum()


def local_contrast_norm(x: Tensor, *, size: int = SIZE, std: float = STD) -> Tensor:
    """Subtract the mean round each pixel, over all feature maps, and divide by the standard deviation there.

    ::

        v_c = x_c - mean(w * x),   s = sqrt(mean(w * v**2)),   y_c = v_c / max(mean of s over the image, s)

    where w * is the weighted sum over a window of pixels and mean(...) that over the feature maps.

    Args:
        x: (N, C, H, W), reflected at its edges.
        size: pixels along each side of the window, odd, and at most twice as many as x has, less one.
        std: standard deviation of the window's weights, in pixels.
    Returns:
        (N, C, H, W).
    """
    given, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))  # float16 has no 1e-8
    window = gaussian_window(size, std).to(x)[None, None]
    margin = (size // 2,) * 4

    def around(values: Tensor) -> Tensor:
        means = values.mean(1, keepdim=True).contiguous()  # (N, 1, H, W)
        return F.conv2d(F.pad(means, margin, mode="reflect"), window)

    v = x - around(x)
    s = (around(v**2) + EPSILON).sqrt()
    return (v / s.maximum(s.mean((2, 3), keepdim=True))).to(given)

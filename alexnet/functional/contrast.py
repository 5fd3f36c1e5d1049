"""Local contrast normalisation, to which section 3.3 of the paper compares its own (Jarrett et al. 2009)."""

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE, STD = 9, 2.0
EPSILON = 1e-8  # added to the mean square, whose root has no derivative at 0


def averaging_matrix(length: int, size: int, std: float) -> Tensor:
    """Return (length, length): in column i the weights of the values in the mean round value i.

    They fall with the distance like a Gaussian, over ``size`` values, and sum to 1; a value beyond an edge is
    the one that the edge reflects.
    """
    distance = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-(distance**2) / (2 * std**2))
    values = torch.eye(length, dtype=torch.float64)[None]
    reflected = F.pad(values, (size // 2, size // 2), mode="reflect")[0]
    return reflected.unfold(1, size, 1) @ (weights / weights.sum())


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
    # The Gaussian of two dimensions is one along the rows times one along the columns.
    rows, columns = (averaging_matrix(length, size, std).to(x) for length in x.shape[2:])

    def around(values: Tensor) -> Tensor:
        return (rows.T @ values.mean(1) @ columns).unsqueeze(1)  # (N, 1, H, W)

    v = x - around(x)
    s = (around(v.square()) + EPSILON).sqrt()
    return (v * s.maximum(s.mean((2, 3), keepdim=True)).reciprocal()).to(given)

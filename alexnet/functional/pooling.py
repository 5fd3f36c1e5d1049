"""Pooling with windows that may overlap (paper 3.4).

Letters in shapes: N images, C channels, H height, W width, P, Q height and width of the output.
"""

import torch.nn.functional as F
from torch import Tensor

from alexnet.functional.geometry import output_size


def max_pool(x: Tensor, z: int = 3, s: int = 2, *, rounding: str = "floor") -> Tensor:
    """Take the maximum of z x z pixels, with windows s pixels apart (paper 3.4); s < z makes them overlap.

    Args:
        x: (N, C, H, W) of a floating dtype.
        z: pixels of a window along each side.
        s: pixels from one window to the next.
        rounding: "floor" leaves out what does not fill a window at the far edges; "ceil", the 2012 code's,
            adds a window there, truncated at the edge.
    Returns:
        (N, C, P, Q), P = ``output_size(H, z, s, rounding=rounding)`` and Q likewise.
    Raises:
        ValueError: x is not (N, C, H, W), a number is not whole and positive, the rounding is unknown, no
            window fits, or the window that "ceil" adds has no pixel, for which s must exceed z.
    """
    check(x, z, s, rounding)
    return F.max_pool2d(x, z, s, ceil_mode=rounding == "ceil")


def average_pool(x: Tensor, z: int = 3, s: int = 2, *, rounding: str = "floor") -> Tensor:
    """Take the mean of z x z pixels, with windows s pixels apart, as the 2012 code does for CIFAR-10.

    Args, Returns and Raises as for `max_pool`; a truncated window has the mean of its own pixels.
    """
    check(x, z, s, rounding)
    return F.avg_pool2d(x, z, s, ceil_mode=rounding == "ceil")


def check(x: Tensor, z: int, s: int, rounding: str) -> None:
    """Raise ValueError unless x is (N, C, H, W) and every window has a pixel."""
    if x.ndim != 4:
        raise ValueError(f"x must be (N, C, H, W), got shape {tuple(x.shape)}")
    for size in x.shape[2:]:
        if (output_size(size, z, s, rounding=rounding) - 1) * s >= size:
            raise ValueError(f"the last window would begin beyond the {size} pixels; got z={z}, s={s}")

"""Convolution of images, written out: as a sum, as a product of matrices, as one big matrix (paper 3.2, 3.5).

Letters for shapes: N images, C channels in, K channels out (kernels), G groups, H W input, R S kernel, P Q
output. Padding is zeros: one number of pixels for all sides, or (left, right, top, bottom), the order of
``torch.nn.functional.pad``.
"""

import torch
from torch import Tensor

from alexnet.checks import whole
from alexnet.functional.geometry import Padding, Size, check_groups, four_sides, output_size, pair


def im2col(x: Tensor, kernel_size: Size, *, stride: int = 1, padding: Padding = 0) -> Tensor:
    """Copy every window of the images into a column, so that a convolution becomes one product of matrices.

    Args:
        x: (N, C, H, W) images.
        kernel_size: R = S, or (R, S).
        stride: pixels from one window to the next.
        padding: zeros around the image.
    Returns:
        (N, C * R * S, P * Q): a column for each window; its numbers in the order channel, row, column.
    Raises:
        ValueError: x is not 4-D, a number is out of range, or no window fits.
    """
    if x.ndim != 4:
        raise ValueError(f"the images must be (N, C, H, W), got shape {tuple(x.shape)}")
    kernel_height, kernel_width = pair("kernel_size", kernel_size)
    _output_shape(x, (kernel_height, kernel_width), stride, padding)
    padded = torch.nn.functional.pad(x, four_sides(padding))
    windows = padded.unfold(2, kernel_height, stride).unfold(3, kernel_width, stride)  # (N, C, P, Q, R, S)
    return windows.permute(0, 1, 4, 5, 2, 3).flatten(4).flatten(1, 3)


def cross_correlate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: Padding = 0,
    groups: int = 1,
) -> Tensor:
    """Slide kernels over images and sum the products: what deep learning calls convolution (paper 3.5).

    ::

        y[n, k, p, q] = bias[k] + sum over c, r, s of
                        weight[k, c, r, s] x[n, c, p * stride + r, q * stride + s]

    With G groups (grouped convolution), kernels and channels are divided into G equal parts, and the kernels
    of a part read the channels of the same part alone: with two groups, what two GPUs compute that exchange
    nothing (paper 3.2).

    Args:
        x: (N, C, H, W) images, floating.
        weight: (K, C / G, R, S) kernels, same dtype as x.
        bias: (K,) or None.
        stride: pixels from one window to the next.
        padding: zeros around the image.
        groups: G; divides C and K.
    Returns:
        (N, K, P, Q), same dtype and device as x.
    Raises:
        ValueError: shapes or dtypes do not go together, a number is out of range, or no window fits.
    """
    _check_kernels(x, weight, bias, groups)
    kernel_size = (weight.shape[2], weight.shape[3])
    columns = im2col(x, kernel_size, stride=stride, padding=padding)
    columns = columns.unflatten(1, (groups, -1))  # (N, G, C/G * R * S, P * Q)
    kernels = weight.flatten(1).unflatten(0, (groups, -1))  # (G, K/G, C/G * R * S)
    y = (kernels @ columns).flatten(1, 2)  # (N, K, P * Q)
    y = y.unflatten(2, _output_shape(x, kernel_size, stride, padding))  # (N, K, P, Q)
    return y if bias is None else y + bias[:, None, None]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: Padding = 0,
    groups: int = 1,
) -> Tensor:
    """Convolve as mathematics defines it: every kernel turned by 180 degrees, then `cross_correlate`.

    ::

        y[n, k, p, q] = bias[k] + sum over c, r, s of
                        weight[k, c, R - 1 - r, S - 1 - s] x[n, c, p * stride + r, q * stride + s]

    Args, Returns and Raises as for `cross_correlate`.
    """
    _check_kernels(x, weight, bias, groups)
    return cross_correlate(x, weight.flip(2, 3), bias, stride=stride, padding=padding, groups=groups)


def as_matrix(
    weight: Tensor, height: int, width: int, *, stride: int = 1, padding: Padding = 0, groups: int = 1
) -> Tensor:
    """Write a convolutional layer as the weight matrix of the dense layer that does the same.

    Args:
        weight: (K, C / G, R, S) kernels.
        height: H of the images.
        width: W of the images.
        stride: as for `cross_correlate`.
        padding: as for `cross_correlate`.
        groups: as for `cross_correlate`.
    Returns:
        (K * P * Q, C * H * W): this matrix times a flattened image is the flattened `cross_correlate`.
    Raises:
        ValueError: as for `cross_correlate`.
    """
    whole("height", height)
    whole("width", width)
    whole("groups", groups)
    if weight.ndim != 4:
        raise ValueError(f"the kernels must be (K, C / groups, R, S), got shape {tuple(weight.shape)}")
    channels = groups * weight.shape[1]
    # Image i is black but for pixel i, so what the layer makes of it is column i of the matrix.
    images = torch.eye(channels * height * width, dtype=weight.dtype, device=weight.device)
    images = images.unflatten(1, (channels, height, width))
    return cross_correlate(images, weight, stride=stride, padding=padding, groups=groups).flatten(1).T


def _output_shape(x: Tensor, kernel_size: tuple[int, int], stride: int, padding: Padding) -> tuple[int, int]:
    left, right, top, bottom = four_sides(padding)
    return (
        output_size(x.shape[2] + top + bottom, kernel_size[0], stride),
        output_size(x.shape[3] + left + right, kernel_size[1], stride),
    )


def _check_kernels(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    if x.ndim != 4:
        raise ValueError(f"the images must be (N, C, H, W), got shape {tuple(x.shape)}")
    if weight.ndim != 4:
        raise ValueError(f"the kernels must be (K, C / groups, R, S), got shape {tuple(weight.shape)}")
    if not x.is_floating_point() or x.dtype != weight.dtype:
        raise ValueError(
            f"images and kernels must have the same floating dtype, got {x.dtype} and {weight.dtype}"
        )
    check_groups(x.shape[1], weight.shape[0], groups)
    if weight.shape[1] != x.shape[1] // groups:
        raise ValueError(
            f"kernels for {x.shape[1]} channels in {groups} groups must be {x.shape[1] // groups} deep, "
            f"got {weight.shape[1]}"
        )
    if bias is not None and bias.dtype != x.dtype:
        raise ValueError(f"images and bias must have the same dtype, got {x.dtype} and {bias.dtype}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"the bias must be one number for each of the {weight.shape[0]} kernels, "
            f"got shape {tuple(bias.shape)}"
        )

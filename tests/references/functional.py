"""Slow references, written from the printed formula, one output at a time; they import numpy alone."""

import numpy as np


def correlate_by_the_sum(x, weight, bias, stride, sides, groups):
    """The sum of products under each window; what lies outside the image counts as zero.

    x (N, C, H, W), weight (K, C / groups, R, S), bias (K,), sides (left, right, top, bottom).
    """
    left, right, top, bottom = sides
    num, _, height, width = x.shape
    kernels, depth, rows, columns = weight.shape
    out_height = (height + top + bottom - rows) // stride + 1
    out_width = (width + left + right - columns) // stride + 1
    y = np.empty((num, kernels, out_height, out_width))
    for n, k, p, q in np.ndindex(y.shape):
        first_channel = k // (kernels // groups) * depth
        y[n, k, p, q] = bias[k]
        for c, r, s in np.ndindex(depth, rows, columns):
            i, j = p * stride + r - top, q * stride + s - left
            if 0 <= i < height and 0 <= j < width:
                y[n, k, p, q] += weight[k, c, r, s] * x[n, first_channel + c, i, j]
    return y


def convolve_by_the_sum(image, kernel):
    """Full convolution of 2-D arrays: y[i, j] = sum over r, s of kernel[r, s] * image[i - r, j - s]."""
    y = np.zeros(np.add(image.shape, kernel.shape) - 1)
    for i, j in np.ndindex(y.shape):
        for r, s in np.ndindex(kernel.shape):
            if 0 <= i - r < image.shape[0] and 0 <= j - s < image.shape[1]:
                y[i, j] += kernel[r, s] * image[i - r, j - s]
    return y


def windows_that_fit(n, kernel_size, stride, padding):
    """Lay window after window on the padded axis: (how many fit, pixels left over behind the last)."""
    count, end = 0, kernel_size
    while end <= n + 2 * padding:
        count += 1
        end += stride
    return count, n + 2 * padding - (end - stride)


def windows_that_cover(n, kernel_size, stride, padding):
    """Lay windows until they cover the padded axis: (how many, pixels by which the last overhangs)."""
    count, end = 1, kernel_size
    while end < n + 2 * padding:
        count += 1
        end += stride
    return count, end - (n + 2 * padding)


def pixels_seen(unit, layers):
    """The pixels that one unit above all the layers depends on, found window by window downwards."""
    units = {unit}
    for kernel_size, stride, padding in reversed(layers):
        units = {u * stride - padding + offset for u in units for offset in range(kernel_size)}
    return units

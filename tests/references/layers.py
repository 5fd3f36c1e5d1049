"""Slow references of the layers between the convolutions, written from print; they import numpy alone."""

import numpy as np


def channel_window(i, n, num_channels, groups):
    """The channels in the window of n round channel i that exist in its group."""
    depth = num_channels // groups
    first = i // depth * depth
    wanted = range(i - n // 2, i - n // 2 + n)  # the 2012 code's: from i - n/2 in whole numbers, n of them
    return [j for j in wanted if first <= j < first + depth]


def channel_energies(x, n, k, alpha, groups):
    """k + alpha * sum of the squares in the window of every activation; x (N, C, H, W)."""
    energies = np.empty_like(x)
    for image, i, row, column in np.ndindex(x.shape):
        window = channel_window(i, n, x.shape[1], groups)
        energies[image, i, row, column] = k + alpha * sum(x[image, j, row, column] ** 2 for j in window)
    return energies


def local_response_norm(x, n, k, alpha, beta, groups=1):
    """The formula of 3.3."""
    return x / channel_energies(x, n, k, alpha, groups) ** beta


def local_response_norm_gradient(x, g, n, k, alpha, beta, groups=1):
    """The derivative by every x[.., j, ..] of sum(g * y), one term of the chain rule at a time."""
    energies = channel_energies(x, n, k, alpha, groups)
    gradient = np.zeros_like(x)
    for image, i, row, column in np.ndindex(x.shape):
        at = (image, slice(None), row, column)
        a, s, upstream = x[at], energies[at][i], g[at][i]
        gradient[at][i] += upstream / s**beta
        for j in channel_window(i, n, x.shape[1], groups):
            gradient[at][j] += upstream * a[i] * -beta * s ** (-beta - 1) * alpha * 2 * a[j]
    return gradient


def spatial_response_norm(x, size, k, alpha, beta):
    """The same formula over size x size pixels of one channel, as far as they lie in the image."""
    y = np.empty_like(x)
    for image, channel, row, column in np.ndindex(x.shape):
        energy = k
        for r in range(row - size // 2, row - size // 2 + size):
            for c in range(column - size // 2, column - size // 2 + size):
                if 0 <= r < x.shape[2] and 0 <= c < x.shape[3]:
                    energy += alpha * x[image, channel, r, c] ** 2
        y[image, channel, row, column] = x[image, channel, row, column] / energy**beta
    return y


def pool(x, z, s, rounding, summarise):
    """Lay windows of z x z pixels every s pixels and summarise what lies in each; x (N, C, H, W).

    floor: windows lie within the image. ceil: windows follow until the image is covered; the last is cut off.
    """

    def starts(size):
        found = [0] if rounding == "ceil" or z <= size else []
        while found and (found[-1] + s + z <= size if rounding == "floor" else found[-1] + z < size):
            found.append(found[-1] + s)
        return found

    rows, columns = starts(x.shape[2]), starts(x.shape[3])
    y = np.empty((*x.shape[:2], len(rows), len(columns)))
    for image, channel, p, q in np.ndindex(y.shape):
        window = x[image, channel, rows[p] : rows[p] + z, columns[q] : columns[q] + z]
        y[image, channel, p, q] = summarise(window)
    return y

"""Slow references for augmentation and statistics, from the printed definitions; they import numpy alone."""

import numpy as np


def crop_by_pixel(images, top, left, flip, size):
    """Copy pixel after pixel: images (N, C, H, W), and N offsets and reflections -> (N, C, size, size)."""
    cut = np.empty((*images.shape[:2], size, size), images.dtype)
    for n, c, i, j in np.ndindex(cut.shape):
        column = size - 1 - j if flip[n] else j
        cut[n, c, i, j] = images[n, c, top[n] + i, left[n] + column]
    return cut


def subtract_under_crop(images, mean, top, left, flip, size):
    """The whole image less the whole mean image, of which the crop and its reflection are taken."""
    return crop_by_pixel(images.astype(np.float64) - mean, top, left, flip, size)


def subtract_centre(images, mean, top, left, flip, size):
    """The crop, reflected or not, less the centre crop of the mean image as it is."""
    room = mean.shape[1] - size
    centre = crop_by_pixel(mean[None], [room // 2], [room // 2], [False], size)
    return crop_by_pixel(images.astype(np.float64), top, left, flip, size) - centre


def covariance_by_the_sum(images):
    """3x3 covariance of the RGB values of all pixels of all images (N, 3, H, W), divided by their number."""
    pixels = [image[:, i, j].astype(np.float64) for image in images for i, j in np.ndindex(image.shape[1:])]
    mean = sum(pixels) / len(pixels)
    return sum(np.outer(pixel - mean, pixel - mean) for pixel in pixels) / len(pixels)


def colour_shift_as_printed(alphas, vectors, eigenvalues):
    """[p1, p2, p3][alpha1 lambda1, alpha2 lambda2, alpha3 lambda3]^T (paper 4.1); p_i = vectors[:, i]."""
    shift = np.zeros(3)
    for i in range(3):
        shift += vectors[:, i] * alphas[i] * eigenvalues[i]
    return shift


def average_of_softmaxes(views):
    """views (V, N, K) of logits -> (N, K)."""
    probabilities = np.zeros(views.shape[1:])
    for logits in views:
        for n, row in enumerate(logits):
            powers = [np.exp(value) for value in row]
            probabilities[n] += np.array(powers) / sum(powers) / len(views)
    return probabilities

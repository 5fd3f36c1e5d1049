"""Nearest neighbours of an image, by the network's features or by pixels (paper 6.1, figure 4).

Letters in shapes: N images to search, Q queries, D numbers that describe an image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Neighbours(NamedTuple):
    """The nearest images of each query, the nearest first.

    Attributes:
        distances: (Q, k) float64, Euclidean.
        indices: (Q, k) int64, rows of what was searched.
    """

    distances: Tensor
    indices: Tensor


@torch.no_grad()
def nearest(features: Tensor, query: Tensor, k: int, *, chunk: int = 256) -> Neighbours:
    """Find the k nearest by Euclidean distance, exactly: every distance is computed, in float64.

    Args:
        features: (N, D), such as the 4096 outputs of fc7; or (N, ...), such as images (N, 3, H, W) uint8,
            whose pixels are then compared.
        query: (Q, D) or (Q, ...), of the same kind. A query that is among the features finds itself first.
        k: how many, at most N.
        chunk: rows that are looked at together, which bounds the memory to about 8 * chunk * D bytes.
    Returns:
        distances and indices; of equal distances the lower index comes first.
    Raises:
        ValueError: k is not from 1 to N, or the shapes do not match.
    """
    if features.ndim < 2 or features.shape[1:] != query.shape[1:]:
        raise ValueError(
            f"what is searched, {tuple(features.shape)}, and the queries, {tuple(query.shape)}, must be "
            "(N, ...) and (Q, ...) with equal numbers for each image"
        )
    if not 1 <= k <= len(features):
        raise ValueError(f"k must be from 1 to the {len(features)} images that are searched, got {k}")
    wanted = query.flatten(1).double()
    found = Neighbours(wanted.new_empty(len(query), 0), wanted.new_empty(len(query), 0, dtype=torch.int64))
    for start in range(0, len(features), chunk):
        rows = features[start : start + chunk].flatten(1).double()
        # Not by the expanded square, whose rounding would part an image from itself.
        distances = torch.cdist(wanted, rows, compute_mode="donot_use_mm_for_euclid_dist")
        indices = torch.arange(start, start + len(rows), device=rows.device).expand_as(distances)
        both = zip(found, (distances, indices), strict=True)
        found = first(Neighbours(*(torch.cat(pair, dim=1) for pair in both)), k)
    return found


def first(candidates: Neighbours, k: int) -> Neighbours:
    """Keep the k nearest of each query; where distances are equal, the order is kept."""
    distances, order = candidates.distances.sort(dim=1, stable=True)
    return Neighbours(distances[:, :k], candidates.indices.gather(1, order)[:, :k])


def precision(found: Tensor, wanted: Tensor, ks: Sequence[int]) -> Tensor:
    """Return for each query the fraction of its k nearest neighbours that are of its class.

    Args:
        found: (Q, K) classes of the nearest of each query, the nearest first.
        wanted: (Q,) classes of the queries.
        ks: numbers of neighbours counted, each from 1 to K.
    Returns:
        (len(ks), Q) float64.
    Raises:
        ValueError: a k is out of range.
    """
    if not all(1 <= k <= found.shape[1] for k in ks):
        raise ValueError(f"ks must be from 1 to the {found.shape[1]} that were found, got {tuple(ks)}")
    hits = (found == wanted[:, None]).double()
    return torch.stack([hits[:, :k].mean(1) for k in ks])

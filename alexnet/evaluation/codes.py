"""Short binary codes of features, and the search by them (paper 6.1, its last paragraph).

A code has B bits; its distance from another is the number of bits in which they differ (Hamming's), which an
XOR and a count of ones give.

Letters in shapes: N images, D numbers that describe an image, B bits of a code, Q queries.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

BITS_OF_A_BYTE = np.array([number.bit_count() for number in range(256)], dtype=np.uint8)
# numpy 2 counts by the processor's own instruction.
count_ones = np.bitwise_count if hasattr(np, "bitwise_count") else BITS_OF_A_BYTE.take


def pack(bits: Tensor) -> Tensor:
    """Put eight bits into a byte.

    Args:
        bits: (N, B) bool.
    Returns:
        (N, B / 8, rounded up) uint8; bits that are missing to a whole byte are 0.
    """
    return torch.from_numpy(np.packbits(bits.numpy(), axis=1))


def hamming(queries: Tensor, codes: Tensor) -> Tensor:
    """Return in how many bits codes differ from queries.

    Args:
        queries: (Q, bytes) uint8, as of `pack`.
        codes: (N, bytes) uint8.
    Returns:
        (Q, N) int16.
    Raises:
        ValueError: the codes have different lengths.
    """
    if queries.shape[1] != codes.shape[1]:
        raise ValueError(
            f"queries of {queries.shape[1]} bytes cannot be compared with {codes.shape[1]} bytes"
        )
    differing = np.zeros((len(queries), len(codes)), dtype=np.int16)
    for asked, stored in zip(queries.numpy().T, codes.numpy().T, strict=True):
        differing += count_ones(asked[:, None] ^ stored)
    return torch.from_numpy(differing)


def tied_precision(distances: Tensor, same: Tensor, k: int) -> Tensor:
    """Return the precision at k where many images are equally far away.

    Of the images at the distance at which the k-th lies some are within the k, and which ones is chance. They
    count with the mean over all orders that they can have.

    Args:
        distances: (Q, N) whole numbers from 0.
        same: (Q, N) bool, whether an image has the query's class.
        k: neighbours counted, from 1 to N.
    Returns:
        (Q,) float64.
    Raises:
        ValueError: k is out of range.
    """
    if not 1 <= k <= distances.shape[1]:
        raise ValueError(f"k must be from 1 to the {distances.shape[1]} images that are searched, got {k}")
    last = distances.kthvalue(k, dim=1, keepdim=True).values
    nearer, tied = distances < last, distances == last
    room = k - nearer.sum(1)
    of_tied = (tied & same).sum(1).double() / tied.sum(1)
    return ((nearer & same).sum(1) + room * of_tied) / k


def principal_directions(features: Tensor, count: int) -> Tensor:
    """Return the directions in which features vary most, unit vectors as columns, (D, count).

    Args:
        features: (N, D), of mean 0.
        count: of directions, at most D.
    """
    _, directions = torch.linalg.eigh(features.T @ features)
    return directions.flip(1)[:, :count]


def quantisation_loss(rotated: Tensor) -> Tensor:
    """Return the squared distance of bits (N, B) from their signs, a sum for each image, their mean (0-d)."""
    return (rotated.sign() - rotated).square().sum(1).mean()


def rotation(projected: Tensor, *, iterations: int = 50, seed: int = 0) -> Tensor:
    """Turn features so that their signs lose little: iterative quantisation (ITQ).

    Gong and Lazebnik (2011) take by turns the best codes for a rotation, which are the signs, and the best
    rotation for these codes, a problem of Procrustes that a singular value decomposition solves. No step
    increases `quantisation_loss`.

    Args:
        projected: (N, B) features of mean 0 in their first principal directions.
        iterations: of both steps.
        seed: of the rotation to begin with.
    Returns:
        (B, B), orthogonal: the codes are the signs of ``projected @ rotation``.
    """
    size, generator = projected.shape[1], torch.Generator().manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=projected.dtype))
    for _ in range(iterations):
        left, _, right = torch.linalg.svd(projected.T @ (projected @ turn).sign())
        turn = left @ right
    return turn


class AutoEncoder(nn.Module):
    """A network that reconstructs its input from a code of bits.

    The units of the code are logistic; their activations are rounded to 0 or 1 on the way forward, and on the
    way back the gradient passes as if they had not been ("straight through").

    Args:
        inputs: D.
        hidden: units of the one hidden layer on either side of the code.
        bits: B.
    """

    def __init__(self, inputs: int, hidden: int, bits: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, bits))
        self.decoder = nn.Sequential(nn.Linear(bits, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction (N, D) of features (N, D)."""
        activation = self.encoder(x).sigmoid()
        rounded = activation + (activation.round() - activation).detach()
        return self.decoder(rounded)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Return the bits (N, B), bool, of features (N, D)."""
        return self.encoder(x) > 0

    def fit(
        self, x: Tensor, *, rate: float, epochs: int, batch_size: int = 128, seed: int = 0
    ) -> list[float]:
        """Train to reconstruct features (N, D) with the least mean squared error, by Adam.

        Args:
            x: the features.
            rate: learning rate, which falls to 0 along half a cosine.
            epochs: passes through the features.
            batch_size: images a step.
            seed: of their order.
        Returns:
            The mean loss of each epoch.
        """
        steps = epochs * -(-len(x) // batch_size)
        optimizer = torch.optim.Adam(self.parameters(), rate)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        generator, losses = torch.Generator().manual_seed(seed), []
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.randperm(len(x), generator=generator).split(batch_size):
                loss = F.mse_loss(self(x[chosen]), x[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                falling.step()
                total += loss.item() * len(chosen)
            losses.append(total / len(x))
        return losses

"""What training needs to know of its images: their mean image (paper 2) and their colours' PCA (paper 4.1).

Letters in shapes: N images, C = 3 channels, H height, W width.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alexnet.storage.files import read_arrays, write_arrays

FILE_NAME = "statistics.npz"
PIXELS_AT_ONCE = 2**16


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Mean image and colour PCA of the training images, all in pixel values of 0 to 255.

    The PCA is that of the covariance of raw RGB values over every pixel of every training image, as paper
    4.1 has it ("the set of RGB pixel values throughout the ImageNet training set"), not of what is left when
    the mean image is subtracted. The two differ by the variance of the mean image from pixel to pixel, which
    on ImageNet is below 1% of the whole.

    Attributes:
        mean_image: (3, H, W) float32, the mean of each pixel.
        pca_stds: (3,) float64, standard deviation along each principal component, the largest first.
        pca_vectors: (3, 3) float64; column i is the unit vector of component i, rows are red, green, blue.
            Its sign is such that its red part is not negative.
        num_images: how many images they were computed from.
        fingerprint: of the data set; "" if it has none.
    """

    mean_image: Tensor = field(repr=False)
    pca_stds: Tensor
    pca_vectors: Tensor
    num_images: int
    fingerprint: str = ""

    def to(self, device: torch.device | str) -> "Statistics":
        """Return the same with the mean image on a device; draws happen on the CPU, and so the PCA stays."""
        return replace(self, mean_image=self.mean_image.to(device))


class Sums:
    """What the statistics are computed from, added up image by image in whole numbers, so exactly.

    Attributes:
        numbers: int64: of how many images; the sums over all their pixels of the products of two channels,
            9; the sum of the images, C * H * W. They have room for a thousand million images of 256x256.

    Args:
        shape: (3, H, W) of every image.
        numbers: sums to continue with; None: of no images.
    """

    def __init__(self, shape: Sequence[int], numbers: Tensor | None = None):
        self.shape = tuple(shape)
        if numbers is None:
            numbers = torch.zeros(10 + math.prod(shape), dtype=torch.int64)
        self.numbers = numbers

    @property
    def num_images(self) -> int:
        """How many images were added."""
        return int(self.numbers[0])

    def add(self, images: Tensor) -> None:
        """Add images. images: (N, 3, H, W) uint8, on the CPU."""
        self.numbers[0] += len(images)
        self.numbers[1:10] += colour_products(images).flatten()
        image_sum = self.numbers[10:].view(self.shape)
        # One by one, which stays in the processor's cache: many times as fast as the batch as a whole.
        for image in images:
            image_sum += image

    def statistics(self, fingerprint: str) -> Statistics:
        """Return the statistics of the images; ValueError if there are none.

        Args:
            fingerprint: of their data set.
        """
        if self.num_images == 0:
            raise ValueError("there are no images to compute statistics of")
        image_sum, products = self.numbers[10:].view(self.shape), self.numbers[1:10].view(3, 3)
        sums = image_sum.sum((1, 2)).tolist()
        num_pixels = self.num_images * image_sum[0].numel()
        stds, vectors = principal_components(covariance(sums, products.numpy().astype(object), num_pixels))
        return Statistics(
            mean_image=(image_sum.double() / self.num_images).float(),
            pca_stds=torch.from_numpy(stds),
            pca_vectors=torch.from_numpy(vectors),
            num_images=self.num_images,
            fingerprint=fingerprint,
        )


def compute_statistics(batches: Iterable[Tensor], *, fingerprint: str = "") -> Statistics:
    """Compute the statistics in one pass; sums are exact, so the order of the images makes no difference.

    Args:
        batches: (N, 3, H, W) uint8, on the CPU; N may vary.
        fingerprint: of the data set, kept with the result.
    Raises:
        ValueError: there are no images, or they are not uint8 (N, 3, H, W) of one size.
    """
    sums: Sums | None = None
    for images in batches:
        check_batch(images, () if sums is None else sums.shape)
        sums = sums or Sums(images.shape[1:])
        sums.add(images)
    return (sums or Sums((3, 1, 1))).statistics(fingerprint)


def check_batch(images: Tensor, shape: Sequence[int]) -> None:
    """Raise ValueError unless the images are uint8 (N, 3, H, W), of the given shape unless that is empty."""
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    if shape and tuple(images.shape[1:]) != tuple(shape):
        raise ValueError(f"images differ in size: {tuple(shape)} and then {tuple(images.shape[1:])}")


def colour_products(images: Tensor) -> Tensor:
    """Return the sums over all pixels of the products of two channels: (3, 3) int64, exact."""
    total = torch.zeros(3, 3, dtype=torch.float64)
    # Small images many at once, large ones one by one: each product is of about as many pixels as fit into
    # the processor's cache.
    for some in images.split(max(1, PIXELS_AT_ONCE // math.prod(images.shape[2:]))):
        pixels = some.transpose(0, 1).flatten(1).double()  # (3, N * H * W)
        total += pixels @ pixels.T  # whole numbers: exact up to 2**53, which is 138e9 pixels of 255**2
    return total.long()


def covariance(sums: list[int], products: np.ndarray, num_pixels: int) -> np.ndarray:
    """Return mean(x y) - mean(x) mean(y) of each pair of channels, (3, 3), rounded once at the end.

    Args:
        sums: of each channel.
        products: of each pair, (3, 3). All are Python integers, which do not overflow.
        num_pixels: how many pixels were summed.
    """
    exact = products * num_pixels - np.outer(np.array(sums, dtype=object), sums)
    return (exact / num_pixels**2).astype(np.float64)


def principal_components(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard deviations (3,), largest first, and unit vectors (3, 3) in columns, red part >= 0.

    Args:
        matrix: (3, 3) covariance.
    """
    variances, vectors = np.linalg.eigh(matrix)
    stds, vectors = np.sqrt(variances[::-1].clip(min=0)), vectors[:, ::-1]
    return stds, vectors * np.where(vectors[0] < 0, -1.0, 1.0)


def save(statistics: Statistics, path: Path) -> None:
    """Write statistics to a file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_arrays(
        path,
        {
            "mean_image": statistics.mean_image.cpu().numpy(),
            "pca_stds": statistics.pca_stds.numpy(),
            "pca_vectors": statistics.pca_vectors.numpy(),
            "num_images": np.array(statistics.num_images),
            "fingerprint": np.array(statistics.fingerprint),
        },
    )


def load(path: Path, *, fingerprint: str, num_images: int) -> Statistics:
    """Read the statistics of a data set.

    Args:
        path: the file.
        fingerprint: of the data set whose statistics are wanted.
        num_images: how many training images it has.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or was computed from another data set.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}; `alexnet.data.first_pass.obtain_statistics` computes it"
        )
    try:
        content = read_arrays(path, [f.name for f in fields(Statistics)])
        statistics = Statistics(
            mean_image=torch.from_numpy(content["mean_image"]),
            pca_stds=torch.from_numpy(content["pca_stds"]),
            pca_vectors=torch.from_numpy(content["pca_vectors"]),
            num_images=int(content["num_images"]),
            fingerprint=str(content["fingerprint"]),
        )
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it, and it is computed anew") from error
    if (statistics.fingerprint, statistics.num_images) != (fingerprint, num_images):
        raise ValueError(
            f"{path} was computed from {statistics.num_images:,} images of the data set "
            f"{statistics.fingerprint}, not from the {num_images:,} of {fingerprint}; delete it, and it is "
            "computed anew"
        )
    return statistics

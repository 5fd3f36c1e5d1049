"""What training needs to know of its pictures: their mean image (paper 2) and their colours' PCA (paper 4.1).

Letters in shapes: N images, C = 3 channels, H height, W width.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import Split
from alexnet.files import write_arrays

FILE_NAME = "statistics.npz"
IMAGES_PER_READ = 64
PIXELS_AT_ONCE = 2**16


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Mean image and colour PCA of the training pictures, all in grey levels of 0 to 255.

    The PCA is that of the covariance of raw RGB values over every pixel of every training picture, as paper
    4.1 has it ("the set of RGB pixel values throughout the ImageNet training set"), not of what is left when
    the mean image is subtracted. The two differ by the variance of the mean image from pixel to pixel, which
    on ImageNet is below 1% of the whole.

    Attributes:
        mean_image: (3, H, W) float32, the mean of each pixel.
        pca_stds: (3,) float64, standard deviation along each principal component, the largest first.
        pca_vectors: (3, 3) float64; column i is the unit vector of component i, rows are red, green, blue.
            Its sign is such that its red part is not negative.
        num_images: how many pictures they were computed from.
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


def compute_statistics(batches: Iterable[Tensor], *, fingerprint: str = "") -> Statistics:
    """Compute the statistics in one pass; sums are exact, so the order of the pictures makes no difference.

    Args:
        batches: (N, 3, H, W) uint8, on the CPU; N may vary.
        fingerprint: of the data set, kept with the result.
    Raises:
        ValueError: there are no pictures, or they are not uint8 (N, 3, H, W) of one size.
    """
    num_images, image_sum, products = 0, torch.zeros((), dtype=torch.int64), np.zeros((3, 3), dtype=object)
    for images in batches:
        check_batch(images, image_sum.shape)
        if num_images == 0:
            image_sum = torch.zeros(images.shape[1:], dtype=torch.int64)
        # One by one, which stays in the processor's cache: many times as fast as the batch as a whole.
        for image in images:
            image_sum += image
        products += colour_products(images)
        num_images += len(images)
    if num_images == 0:
        raise ValueError("there are no pictures to compute statistics of")
    num_pixels = num_images * image_sum[0].numel()
    stds, vectors = principal_components(covariance(image_sum.sum((1, 2)).tolist(), products, num_pixels))
    return Statistics(
        mean_image=(image_sum.double() / num_images).float(),
        pca_stds=torch.from_numpy(stds),
        pca_vectors=torch.from_numpy(vectors),
        num_images=num_images,
        fingerprint=fingerprint,
    )


def check_batch(images: Tensor, shape: torch.Size) -> None:
    """Raise ValueError unless the images are uint8 (N, 3, H, W), of the given shape unless that is empty."""
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"pictures must be uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    if shape and images.shape[1:] != shape:
        raise ValueError(f"pictures differ in size: {tuple(shape)} and then {tuple(images.shape[1:])}")


def colour_products(images: Tensor) -> np.ndarray:
    """Return the sums over all pixels of the products of two channels: (3, 3) Python integers, exact."""
    total = torch.zeros(3, 3, dtype=torch.float64)
    # Small pictures many at once, large ones one by one: each product is of about as many pixels as fit into
    # the processor's cache.
    for some in images.split(max(1, PIXELS_AT_ONCE // images[0, 0].numel())):
        pixels = some.transpose(0, 1).flatten(1).double()  # (3, N * H * W)
        total += pixels @ pixels.T  # whole numbers: exact up to 2**53, which is 138e9 pixels of 255**2
    return total.numpy().astype(np.int64).astype(object)


def covariance(sums: list[int], products: np.ndarray, num_pixels: int) -> np.ndarray:
    """Return mean(x y) - mean(x) mean(y) of each pair of channels, (3, 3), rounded once at the end.

    Args:
        sums: of each channel. products: of each pair, (3, 3). All are Python integers, which do not overflow.
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
        num_images: how many training pictures it has.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or was computed from another data set.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; `statistics_of` computes it")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            statistics = Statistics(
                mean_image=torch.from_numpy(content["mean_image"]),
                pca_stds=torch.from_numpy(content["pca_stds"]),
                pca_vectors=torch.from_numpy(content["pca_vectors"]),
                num_images=int(content["num_images"]),
                fingerprint=str(content["fingerprint"]),
            )
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it, and it is computed anew") from error
    if (statistics.fingerprint, statistics.num_images) != (fingerprint, num_images):
        raise ValueError(
            f"{path} was computed from {statistics.num_images:,} pictures of the data set "
            f"{statistics.fingerprint}, not from the {num_images:,} of {fingerprint}; delete it, and it is "
            "computed anew"
        )
    return statistics


def statistics_of(pictures: PreparedSet, *, progress: bool = True) -> Statistics:
    """Return the statistics of a set's training pictures: from the file beside it, or computed and kept.

    Args:
        pictures: as ``alexnet.data.prepared`` opens them. One in memory has no folder, and keeps nothing.
        progress: show a progress bar while computing.
    Raises:
        ValueError: the file is damaged or of another data set.
        OSError: it cannot be written.
    """
    train = pictures.train
    path = None if pictures.path is None else pictures.path / FILE_NAME
    if path is not None and path.is_file():
        return load(path, fingerprint=pictures.fingerprint, num_images=len(train))
    statistics = compute_statistics(in_turn(train, progress=progress), fingerprint=pictures.fingerprint)
    if path is not None:
        save(statistics, path)
    return statistics


def in_turn(split: Split, *, progress: bool) -> Iterator[Tensor]:
    """Yield all pictures of a split in batches, in the stored order."""
    with tqdm(total=len(split), desc="mean image", unit=" pictures", disable=not progress) as bar:
        for start in range(0, len(split), IMAGES_PER_READ):
            images = split.read(range(start, min(start + IMAGES_PER_READ, len(split))))
            yield images
            bar.update(len(images))

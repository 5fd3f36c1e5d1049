"""The trained networks that come with the package, by name.

::

    weights/NAME.safetensors          what `load_classifier` and ``create_model(weights=...)`` read
    weights/NAME.md                   what they are: data, recipe, errors, licence
    records/NAME.json                 the record of their training
    records/NAME-conv1.safetensors    conv1's kernels after some epochs, of this training and others
    records/NAME-patches.safetensors  the patch embedding of a vision transformer trained on the same images
"""

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from torch import Tensor

from alexnet.checks import one_of
from alexnet.storage import safe

FOLDER = Path(str(resources.files("alexnet._data")))


def weights_path(folder: Path, name: str) -> Path:
    """Return where the weights of a network lie in a folder like that of the package's data."""
    return folder / "weights" / f"{name}{safe.SUFFIX}"


def card_path(folder: Path, name: str) -> Path:
    """Return where its model card lies there."""
    return folder / "weights" / f"{name}.md"


def record_path(folder: Path, name: str) -> Path:
    """Return where the record of its training lies there."""
    return folder / "records" / f"{name}.json"


def kernels_path(folder: Path, name: str) -> Path:
    """Return where its kernels of conv1 lie there."""
    return folder / "records" / f"{name}-conv1{safe.SUFFIX}"


def patches_path(folder: Path, name: str) -> Path:
    """Return where the patch embedding of a transformer trained on its images lies there."""
    return folder / "records" / f"{name}-patches{safe.SUFFIX}"


def names() -> tuple[str, ...]:
    """Return the names of the networks that are there, in sorted order."""
    return tuple(sorted(path.stem for path in (FOLDER / "weights").glob(f"*{safe.SUFFIX}")))


def path(name: str) -> Path:
    """Return the file of a network's weights.

    Raises:
        ValueError: there is none of that name.
    """
    one_of("network", name, names())
    return weights_path(FOLDER, name)


def kernels(name: str) -> dict[int, dict[int, Tensor]]:
    """Return conv1's kernels as a network learned them, and others by the same recipe.

    Args:
        name: one of ``names``.
    Returns:
        seed: epoch: (K, 3, R, S) float32, after so many passes through the training images, the earliest
        first; the network that ships comes first.
    Raises:
        ValueError: there is no network of that name.
    """
    one_of("network", name, names())
    stored, told = safe.read(kernels_path(FOLDER, name))
    return {
        seed: {epoch: stored[f"{seed}/{epoch}"].float() for epoch in epochs}
        for seed, epochs in in_order(stored, (told or {}).get("seeds", [])).items()
    }


def patch_embedding(name: str) -> Tensor:
    """Return the kernels of a vision transformer's patch embedding, learned from a network's images.

    Args:
        name: of the network, one of ``names``.
    Returns:
        (K, 3, R, R) float32, for a convolution with stride R.
    Raises:
        ValueError: there is no network of that name.
        FileNotFoundError: no transformer was trained on its images.
    """
    one_of("network", name, names())
    stored, _ = safe.read(patches_path(FOLDER, name))
    return stored["embedding.weight"].float()


def in_order(stored: Iterable[str], seeds: Sequence[int]) -> dict[int, list[int]]:
    """Return the epochs of each seed in order, from names such as "0/40"; the seeds in the order given."""
    pairs = [tuple(map(int, key.split("/"))) for key in stored]
    return {seed: sorted(epoch for of, epoch in pairs if of == seed) for seed in seeds}

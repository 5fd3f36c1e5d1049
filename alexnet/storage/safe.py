"""Weights as safetensors: a format that many programs read, and from which no code can be run.

The parameters stand under their names; the statistics of the training images, if there are any, begin with
"statistics."; everything else is JSON in the file's metadata.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor

from alexnet.storage.files import written_whole
from alexnet.storage.tensorfile import Damaged

SUFFIX = ".safetensors"
STATISTICS = "statistics."
FIELD = "alexnet"  # of the metadata: everything that is no tensor


def write(
    path: Path, weights: dict[str, Tensor], statistics: dict[str, Tensor], rest: dict[str, Any]
) -> None:
    """Write weights, whole or not at all.

    Args:
        path: of the file.
        weights: parameters by name.
        statistics: of the training images, by name.
        rest: what JSON can hold.
    Raises:
        OSError: it cannot be written; nothing of it remains.
    """
    tensors = weights | {STATISTICS + name: tensor for name, tensor in statistics.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written_whole(path) as file:
        file.write(serialised(tensors, {FIELD: json.dumps(rest)}))


def read(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Read a file of tensors.

    Args:
        path: of the file, which this package or another program wrote.
        device: where the tensors are put.
    Returns:
        tensors by name; and what `write` was given as ``rest``, None where another program wrote the file.
    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is not whole, or none of this kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
            told = (file.metadata() or {}).get(FIELD)
        return tensors, None if told is None else json.loads(told)
    except (SafetensorError, ValueError) as error:
        raise Damaged(f"{path} is damaged, or is no safetensors file: {error}") from error

"""Weights as safetensors: a format that many programs read, and from which no code can be run.

The parameters stand under their names; the statistics of the training images, if there are any, begin with
"statistics."; everything else is JSON in the file's metadata.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialised
from safetensors.torch import save as serialised
from torch import Tensor

from alexnet.storage.files import reason, written_whole
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
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        content = path.read_bytes()  # safe_open reads no path that is not UTF-8
    except OSError as error:
        raise OSError(f"cannot read {path}: {reason(error)}") from error
    try:
        tensors = {name: tensor.to(device) for name, tensor in deserialised(content).items()}
        told = metadata_in(content).get(FIELD)
        return tensors, None if told is None else json.loads(told)
    except (SafetensorError, ValueError) as error:
        raise Damaged(f"{path} is damaged, or is no safetensors file: {error}") from error


def metadata_in(content: bytes) -> dict[str, str]:
    """Return the metadata of a whole file: it begins with the length of its header, which is JSON."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}

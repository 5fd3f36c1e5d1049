"""Files of tensors and plain values: written whole or not at all, read without running code from them."""

import errno
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alexnet.storage.files import reason, written_whole


class Damaged(ValueError):
    """A file is not whole, or is not what its name says; the same file from before may be."""


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a dictionary, whole or not at all: a file that was there stays until the new one is safe on disk.

    Tensors are written one by one from where they are, so there is never a second copy of all of them.

    Args:
        path: of the file; its folder is made where it is missing.
        content: tensors, numbers, texts, None, and lists, tuples and dictionaries of these.
    Raises:
        ValueError: it holds something else.
        OSError: it cannot be written, for example because the disk is full; nothing of it remains.
    """
    content = plain(content)
    try:
        with written_whole(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        # torch tells of a failed write by a RuntimeError of its own, raised on top of the OSError.
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if not isinstance(cause, OSError):
            raise
        raise OSError(why_not_written(path, num_bytes(content), cause)) from error


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a dictionary that `write` wrote; checksums are verified, and no code from the file is run.

    Args:
        path: of the file.
        device: where the tensors are put.
    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is not whole, or not of this kind.
        ValueError: it would run code.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        check_whole(path)
        content = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL (\S+)", str(error))
        raise ValueError(
            f"{path} was refused, and nothing of it run: it asks for {name[1] if name else 'code'}, where a "
            "file of this package has only tensors and plain values"
        ) from error
    except Damaged:
        raise
    except (RuntimeError, ValueError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamReader" not in str(error):
            raise  # no fault of the file: a device that is not there, no memory
        raise Damaged(f"{path} is damaged") from error
    except OSError as error:
        raise OSError(f"cannot read {path}: {reason(error)}") from error
    if not isinstance(content, dict):
        raise Damaged(f"{path} is no file of this package: it holds a {type(content).__name__}")
    return content


def check_whole(path: Path) -> None:
    """Check the form and the checksums of a file, which ``torch.load`` hardly looks at.

    Raises:
        Damaged: the file breaks off, is damaged, or is not of the kind that torch writes.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if not start.strip(b"\0"):  # what a power failure leaves of a file
            raise Damaged(f"{path} is damaged")
        if start != b"PK\3\4":
            raise Damaged(f"{path} is no file of this package")
        try:
            with zipfile.ZipFile(file) as archive:
                names, damaged = archive.namelist(), archive.testzip()
        except Exception as error:  # zipfile stumbles over damage in many ways, and has no one class for them
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which is a seek before the start
                raise
            raise Damaged(f"{path} is damaged") from error
    if damaged:
        raise Damaged(f"{path} is damaged")
    if not any(name.endswith("/data.pkl") for name in names):
        raise Damaged(f"{path} is no file of this package")
    if any(name.endswith("/constants.pkl") for name in names):  # by which torch tells it
        raise Damaged(f"{path} is no file of this package, but a program (TorchScript)")


def plain(value: Any, name: str = "") -> Any:
    """Return the value with detached tensors, and plain types instead of their subclasses and of tuples.

    Raises:
        ValueError: something in it could not be read again.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, dict):
        return {str(key): plain(part, f"{name}.{key}".lstrip(".")) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, f"{name}[{number}]") for number, part in enumerate(value)]
    if value is None:
        return None
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise ValueError(f"{name} is a {type(value).__name__}, neither a tensor nor a plain value")


def num_bytes(value: Any) -> int:
    """Return the bytes of all tensors in a dictionary or list."""
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(num_bytes, parts))


def why_not_written(path: Path, needed: int, error: OSError) -> str:
    """Return one sentence about a failed write."""
    free = f", {shutil.disk_usage(path.parent).free / 1e6:.0f} MB are free" if path.parent.is_dir() else ""
    return f"cannot write {path}: {reason(error)}; {needed / 1e6:.0f} MB are needed{free}"

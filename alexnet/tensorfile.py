"""Files of tensors and plain values: written whole or not at all, read without running code from them."""

import errno
import os
import pickle
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PART = ".part"  # ends the name of a file that is being written


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
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=PART)
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        # torch tells of a failed write by a RuntimeError of its own, raised on top of the OSError.
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if not isinstance(cause, OSError):
            raise
        raise OSError(why_not_written(path, num_bytes(content), cause)) from error


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a dictionary that ``write`` wrote; checksums are verified, and no code from the file is run.

    Args:
        path: of the file.
        device: where the tensors are put.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or not of this kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    check_whole(path)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL (\S+)", str(error))
        raise ValueError(
            f"{path} was refused, and nothing of it run: it asks for {name[1] if name else 'code'}, where a "
            "file of this package has only tensors and plain values"
        ) from error
    except (RuntimeError, ValueError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamReader" not in str(error):
            raise  # no fault of the file: a device that is not there, no memory
        raise ValueError(f"{path} is damaged; take an older one") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no file of this package: it holds a {type(content).__name__}")
    return content


def check_whole(path: Path) -> None:
    """Check the form and the checksums of a file, which ``torch.load`` hardly looks at.

    Raises:
        ValueError: the file breaks off, is damaged, or is not of the kind that torch writes.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            raise ValueError(f"{path} is no file of this package")
        try:
            with zipfile.ZipFile(file) as archive:
                names, damaged = archive.namelist(), archive.testzip()
        except Exception:  # zipfile stumbles over damage in many ways, and has no one class for them
            damaged = True
    if damaged:
        raise ValueError(f"{path} is damaged; take an older one")
    if not any(name.endswith("/data.pkl") for name in names):
        raise ValueError(f"{path} is no file of this package")


def plain(value: Any, name: str = "") -> Any:
    """Return the value with detached tensors, and plain types in place of their subclasses and of tuples.

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
    reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
    free = f", {shutil.disk_usage(path.parent).free / 1e6:.0f} MB are free" if path.parent.is_dir() else ""
    return f"cannot write {path}: {reason}; {needed / 1e6:.0f} MB are needed{free}"


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the folder's names; a system without such a call sees to it by itself."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

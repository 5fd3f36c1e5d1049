"""A record: what a run measured, and everything needed to judge the number. Stored as JSON.

Every number that the book, the README or a caption quotes is read from a record. The project's own records
lie in ``data/records`` and are installed with the package.
"""

import contextlib
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

import alexnet
from alexnet.storage.files import NewerFormat, write_json


@dataclass(frozen=True, kw_only=True)
class Record:
    """One experiment's outcome with its provenance.

    Attributes:
        experiment: the name under which ``alexnet experiment`` runs it.
        scale: one sentence: which data, how much of it, how many seeds.
        data: name, source, sizes and fingerprint of the data set.
        config: everything that was chosen.
        seeds: of the runs that the results are taken over.
        environment: versions, device, threads (see `environment`).
        seconds: wall time of all runs together.
        results: the numbers; their layout is the experiment's own.
        notes: further facts needed to judge them, written by hand; usually empty.
    """

    experiment: str
    scale: str
    data: dict[str, Any]
    config: dict[str, Any]
    seeds: list[int]
    environment: dict[str, Any]
    seconds: float
    results: dict[str, Any]
    notes: str = ""

    def save(self, path: str | os.PathLike) -> None:
        """Write the record as JSON, whole or not at all."""
        write_json(Path(path), asdict(self))


def load(name_or_path: str | os.PathLike) -> Record:
    """Read a record: one that the project ships, by its experiment's name, or any, by its .json file's path.

    Raises:
        FileNotFoundError: there is none of that name or at that path.
        NewerFormat: a newer version of the package wrote it.
        ValueError: the file is not a record.
    """
    text = str(name_or_path)
    is_path = text.endswith(".json")
    source = Path(text) if is_path else resources.files("alexnet._data") / "records" / f"{text}.json"
    if not source.is_file():
        if is_path:
            raise FileNotFoundError(
                f"there is no record {text!r}; a training writes it at its first validation or its end"
            )
        raise FileNotFoundError(
            f"there is no record {text!r}; `alexnet experiment {text}` makes one if it is known"
        )
    try:
        values = json.loads(source.read_bytes())
        unknown = ", ".join(sorted(values.keys() - {f.name for f in fields(Record)}))
        if unknown and {"experiment", "results"} <= values.keys():
            raise NewerFormat(
                f"{source} was written by a newer version of alexnet: it has {unknown}; "
                "upgrade alexnet to use it"
            )
        return Record(**values)
    except NewerFormat:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{source} is not a record: {error}; what made it can make it again") from error


def environment(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Describe the software and the machine that a run used.

    The digits of a training depend on the processor's instruction set. "commit" is that of the code, or None
    where it is not known.
    """
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "alexnet": alexnet.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a plain text, which a checkpoint can hold
        "numpy": np.__version__,
        "system": platform.system(),
        "device": f"{device.type}: {name}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


#: Folders of a clone whose files decide on what a run computes; its own results among ``data`` do not.
CODE = ("alexnet", "benchmarks", "tools", "data/recipes")


@lru_cache(maxsize=1)
def commit() -> str | None:
    """Name the commit of the package: of its clone, with "-dirty" where the code has changes, or of pip."""
    clone = Path(alexnet.__file__).resolve().parent.parent
    if (clone / ".git").exists():
        name = ["describe", "--always", "--abbrev=12", "--exclude=*"]
        changes = ["status", "--porcelain", "--untracked-files=no", "--", *CODE]
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # no git, or a clone that it distrusts
            said, changed = (
                subprocess.run(
                    ["git", "-C", str(clone), *words], capture_output=True, text=True, check=True, timeout=30
                ).stdout.strip()
                for words in (name, changes)
            )
            return f"{said}-dirty" if changed else said
        return None
    with contextlib.suppress(metadata.PackageNotFoundError, ValueError, KeyError):
        address = metadata.distribution("alexnet-book").read_text("direct_url.json")
        return json.loads(address or "{}")["vcs_info"]["commit_id"]
    return None


def _processor() -> str:
    """Name the processor: /proc/cpuinfo knows it on Linux, where ``platform`` says only x86_64."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

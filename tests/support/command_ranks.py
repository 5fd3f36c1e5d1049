"""The command in several processes, as torchrun would start it. They import this, so it has no pytest."""

import os
import socket
import sys
import time
from pathlib import Path

import torch.multiprocessing

from alexnet.cli.main import main
from alexnet.data.workers import processes


def run_everywhere(words: list[str], num_ranks: int, folder: Path, *, seconds: float = 120) -> list[tuple]:
    """Run ``alexnet`` with these words in each of so many processes.

    Returns:
        for each (exit status, what it printed, its errors); -1 for one that did not end within the time.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    how = {"join": False, "daemon": True, "start_method": processes().get_start_method()}
    given = (num_ranks, port, words, str(folder))
    workers = torch.multiprocessing.start_processes(run_rank, given, num_ranks, **how)
    deadline = time.monotonic() + seconds
    while not workers.join(timeout=1) and time.monotonic() < deadline:
        pass
    for process in workers.processes:
        process.kill()
    return [result(folder / str(rank)) for rank in range(num_ranks)]


def run_rank(rank: int, num_ranks: int, port: int, words: list[str], folder: str) -> None:
    """Run the command as one of the processes and write down how it went."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": num_ranks, "LOCAL_WORLD_SIZE": num_ranks}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({key: str(value) for key, value in place.items()})
    printed = {kind: Path(folder, f"{rank}.{kind}") for kind in ("out", "err", "status")}
    with printed["out"].open("w") as out, printed["err"].open("w") as err:
        sys.stdout, sys.stderr = out, err
        status = main(words)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    printed["status"].write_text(str(status))


def result(path: Path) -> tuple[int, str, str]:
    """Read what a process wrote down."""
    status = path.with_suffix(".status")
    texts = (path.with_suffix(kind).read_text() for kind in (".out", ".err"))
    return int(status.read_text()) if status.exists() else -1, *texts

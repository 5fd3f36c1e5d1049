"""The device of this process, and its rank among those that train together."""

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh

from alexnet.devices import device_named
from alexnet.distributed.parallel import Layout, connect, make_mesh

Value = TypeVar("Value")


class OtherFailed(ValueError):
    """Another process could not do something, and says why itself."""


@dataclass(frozen=True)
class Ranks:
    """Which part of a training this process has. The default is all of it.

    Attributes:
        device: that it computes on.
        rank: which of all processes this is, from 0.
        size: how many processes there are.
        data_rank: which part of a batch it reads; the towers of a network read the same.
        num_data: into how many parts a batch is divided.
        mesh: of all processes; None for a process alone.
        group: for numbers on the CPU, of all processes; None for a process alone.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    data_rank: int = 0
    num_data: int = 1
    mesh: DeviceMesh | None = None
    group: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and tells what happens."""
        return self.rank == 0

    def max(self, values: Sequence[float]) -> list[float]:
        """Return the largest of all processes' values, place by place; all processes must ask."""
        return self._reduce(values, "MAX")

    def max_async(self, values: Callable[[], Sequence[float]]) -> Callable[[], list[float]]:
        """Ask for the largest of all processes' values while other work continues.

        Args:
            values: returns those of this process; a process alone is asked at the end, when nobody waits.
        Returns:
            what waits for the answer and returns it.
        """
        if self.size == 1:
            return lambda: list(values())
        tensor = torch.tensor(values(), dtype=torch.float64)
        work = dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.group, async_op=True)

        def answer() -> list[float]:
            work.wait()
            return tensor.tolist()

        return answer

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of all processes' values, place by place; all processes must ask."""
        return self._reduce(values, "SUM")

    def _reduce(self, values: Sequence[float], operation: str) -> list[float]:
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, getattr(dist.ReduceOp, operation), group=self.group)
        return tensor.tolist()

    def min(self, value: Value) -> Value:
        """Return the smallest of all processes' values, which may be tuples; all processes must ask."""
        if self.size == 1:
            return value
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.group)
        return min(values)

    def broadcast(self, function: Callable[[], Value]) -> Value:
        """Call a function in the first process and return its value in all; all processes must ask.

        Args:
            function: its value is small and can be pickled.
        Raises:
            OtherFailed: in the other processes, where the function raised ValueError or OSError in the first.
        """
        value: Any = None
        error: Exception | None = None
        if self.is_first:
            try:
                value = function()
            except (ValueError, OSError) as caught:
                error = caught
        if self.size > 1:
            shared = [value, error and str(error)]
            dist.broadcast_object_list(shared, 0, group=self.group)
            value, failure = shared
            if failure and not self.is_first:
                raise OtherFailed(failure)
        if error:
            raise error
        return value

    def in_all(self, function: Callable[[], Value]) -> Value:
        """Call a function in all processes, and return its value if it succeeds in all.

        Raises:
            OtherFailed: where it raised ValueError or OSError, in all processes but the first of them.
        """
        value: Any = None
        error: Exception | None = None
        try:
            value = function()
        except (ValueError, OSError) as caught:
            error = caught
        if not self.max([error is not None])[0]:
            return value
        rank, sentence = self.min((self.size if error is None else self.rank, str(error)))
        if error and rank == self.rank:
            raise error
        raise OtherFailed(sentence)

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum of all processes' tensors on the CPU, element by element; all processes must ask."""
        if self.size > 1:
            tensor = tensor.clone()
            dist.all_reduce(tensor, group=self.group)
        return tensor


def world_size() -> int:
    """Return how many processes torchrun started for this training, 1 where it did not."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def num_nodes() -> int:
    """Return on how many computers torchrun started the processes of this training."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


@contextlib.contextmanager
def joined(device: str) -> Generator[Ranks]:
    """Join the processes of a training, if there are several; yield what is known of this one so far.

    Where they are joined already they stay so: a script that torchrun started can train several networks in
    turn.

    Args:
        device: "auto", "cpu" or "cuda"; of several processes each takes the GPU of its number, and a process
            alone may also be given "cuda:N".
    Raises:
        ValueError: there is no such device, or several processes are to share one.
    """
    if world_size() == 1:
        yield Ranks(device_named(device))
        return
    ours = not dist.is_initialized()
    named = device_named(device)
    if named.index is not None:
        raise ValueError(
            f"of several processes each takes the GPU of its own number; choose `--device cuda`, not {device}"
        )
    on_cpu = named.type == "cpu"
    try:
        if ours:
            connect(use_gpus=not on_cpu)
        yield Ranks(
            device=torch.device("cpu") if on_cpu else torch.device("cuda", torch.cuda.current_device()),
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            group=dist.new_group(backend="gloo"),
        )
    finally:
        if ours and dist.is_initialized():
            dist.destroy_process_group()


def placed(ranks: Ranks, layout: Layout) -> Ranks:
    """Return this process's part of a training that is laid out like this; all processes must call this."""
    if ranks.size == 1:
        return ranks
    mesh = make_mesh(layout, ranks.device)
    data_rank = mesh.get_local_rank("data")
    return replace(ranks, mesh=mesh, data_rank=data_rank, num_data=layout.data_parallel)


@contextlib.contextmanager
def lost_processes_explained() -> Generator[None]:
    """Report in one sentence that another process of the training has ended."""
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error).lower()):
            raise
        raise ValueError(
            "another process of this training ended or cannot be reached; the last checkpoint stays, and the "
            "same command resumes from it"
        ) from error

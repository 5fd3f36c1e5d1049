"""What a training run needs on one GPU, on two and on many: its command, the division of work, the memory."""

from dataclasses import dataclass

from alexnet.config import NetConfig
from alexnet.distributed import parallel
from alexnet.models.summary import memory, summary
from alexnet.training import TrainSettings
from alexnet.training.settings import command_line


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of a training run on each of several GPUs.

    Attributes:
        num_gpus: of all nodes together.
        num_nets: whole networks side by side.
        num_towers: GPUs over which each network is split.
        batch_per_net: images of an update that each network processes.
        num_bytes: memory that a GPU needs, by the count of `alexnet.models.summary`.
    """

    num_gpus: int
    num_nets: int
    num_towers: int
    batch_per_net: int
    num_bytes: int


def share(net: NetConfig, batch_size: int, num_gpus: int) -> Share:
    """Divide a network and its batches among GPUs like ``alexnet train``: first the towers, then the batch.

    Args:
        net: to train.
        batch_size: images in an update, all GPUs together.
        num_gpus: of all nodes together.
    Raises:
        ValueError: they cannot be divided evenly.
    """
    places = parallel.layout(num_gpus, net)
    if batch_size % places.data_parallel:
        raise ValueError(
            f"a batch of {batch_size} images cannot be divided evenly among {places.data_parallel} networks; "
            "choose a batch_size that is a multiple of them"
        )
    batch_per_net = batch_size // places.data_parallel
    counted = summary(net, batch_size=batch_per_net)
    return Share(
        num_gpus=num_gpus,
        num_nets=places.data_parallel,
        num_towers=places.towers,
        batch_per_net=batch_per_net,
        num_bytes=sum(memory(counted.tower_rows if places.towers > 1 else counted.rows)),
    )


def command(settings: TrainSettings, gpus_per_node: int, num_nodes: int = 1) -> str:
    """Return the command for a training run; on several nodes, the one to type on each of them.

    Args:
        settings: what to train; its folder must be one that the first node can write to.
        gpus_per_node: processes on each node, one a GPU.
        num_nodes: computers; see `alexnet.training.settings.command_line`.
    """
    return command_line(settings, gpus_per_node * num_nodes, num_nodes)

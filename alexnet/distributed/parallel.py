"""Training on many devices: model parallelism by towers, and data parallelism by parts of the batch.

The processes, one a device, form a mesh (data, tower). Along "tower" a network is split as on the paper's two
GPUs (3.2): every process holds one tower, all towers of a network read the same images, and exchange feature
maps and logits (`alexnet.distributed.collectives`). Along "data" networks are copies of each other and read
different images; their gradients are averaged. Towers are innermost, so that those of a network have
neighbouring ranks and share a machine. torchrun starts the processes::

    torchrun --standalone --nproc_per_node=2 -m alexnet train ...
    torchrun --nnodes=N --nproc_per_node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST -m alexnet train ...

The store by which they find each other listens on all addresses of the machine, without a password, and
torchrun has no option for that; a network that strangers reach needs a firewall before it.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.nn.parallel import DistributedDataParallel

from alexnet.checks import one_of
from alexnet.config import PARALLEL, NetConfig
from alexnet.distributed.collectives import all_gather, all_reduce
from alexnet.distributed.towers import (
    COPIED,
    State,
    Tower,
    halo,
    join_tensors,
    same_bits,
    split,
    split_tensor,
    tower_masks,
    whole_shape,
    with_halo,
)
from alexnet.models.alexnet import AlexNet, Masks
from alexnet.models.stages import make_stages

AXES = ("data", "tower")


class Layout(NamedTuple):
    """The number of whole networks that run in parallel, and of the devices of each."""

    data_parallel: int
    towers: int


def layout(world_size: int, config: NetConfig, parallel: str = "auto") -> Layout:
    """Divide the processes among networks and towers.

    Args:
        world_size: how many there are, one a device.
        config: the network.
        parallel: "towers": every tower on a device of its own; "data": whole networks on every device, towers
            as groups; "auto": "towers" if there is more than one process.
    Raises:
        ValueError: there is no such division, or the processes are no multiple of the towers.
    """
    one_of("parallel", parallel, PARALLEL)
    towers = 1 if parallel == "data" or (parallel == "auto" and world_size == 1) else config.towers
    if world_size % towers:
        raise ValueError(
            f"the {towers} towers of the network {config.name!r} cannot be divided among {world_size} "
            f"processes; start a multiple of {towers} with torchrun --nproc_per_node, or keep networks whole "
            "with `--parallel data`"
        )
    return Layout(world_size // towers, towers)


def connect(*, use_gpus: bool = True) -> torch.device:
    """Join the processes that torchrun started, and return this one's device: a GPU each, or the CPU.

    Args:
        use_gpus: where there are any.
    Raises:
        ValueError: torchrun did not start this process, or it has no GPU to itself.
    """
    if "LOCAL_RANK" not in os.environ:
        raise ValueError(
            "this process was not started by torchrun; use `torchrun --standalone --nproc_per_node=2 ...`"
        )
    local_rank = int(os.environ["LOCAL_RANK"])
    if not (use_gpus and torch.cuda.is_available()):
        dist.init_process_group("gloo", **rendezvous())
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"process {local_rank} has no GPU: there are {torch.cuda.device_count()}; "
            "start as many with torchrun --nproc_per_node"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    dist.init_process_group("nccl", device_id=device, **rendezvous())
    return device


def rendezvous() -> dict[str, Any]:
    """Return where the processes find each other, as arguments of ``init_process_group``.

    torchrun keeps one store for all its starts of them (--max-restarts), in which those that were killed have
    left addresses where nobody answers. So each start uses keys of its own. On several machines the starts
    are not counted alike; there torchrun itself must be told to make new stores, by the environment variable
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1.
    """
    store, rank, world_size = next(dist.rendezvous("env://"))
    alone = os.environ.get("GROUP_WORLD_SIZE", "1") == "1"
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if alone else "0"
    return {"store": dist.PrefixStore(f"start-{start}", store), "rank": rank, "world_size": world_size}


def make_mesh(places: Layout, device: torch.device) -> DeviceMesh:
    """Return the mesh (data, tower) of all processes; each of them must call this."""
    return init_device_mesh(device.type, places, mesh_dim_names=AXES)


class ParallelAlexNet(nn.Module):
    """A network that this process holds in part, as one tower, or as a whole.

    Called like `AlexNet` in all processes of a network at a time and with the same images and masks, it
    returns the logits in each.

    Attributes:
        tower: this process's part, a `Tower`, or the whole `AlexNet` if nothing is split; its
            parameters have the names of the whole network's.
        mesh: of `make_mesh`.
    """

    def __init__(self, config: NetConfig, mesh: DeviceMesh, *, generator: torch.Generator | None = None):
        """Build this process's part, on the CPU.

        Args:
            config: the network.
            mesh: with as many towers as the network, or one for whole networks.
            generator: draws the initial weights of the whole network; seeded alike in all processes, so that
                they are those of ``AlexNet(config, generator=generator)``.
        Raises:
            ValueError: the mesh has another number of towers, or a normalisation spans more than two.
        """
        super().__init__()
        self.config, self.mesh = config, mesh
        self.group = mesh.get_group("tower")
        self.num_towers, self.index = dist.get_world_size(self.group), mesh.get_local_rank("tower")
        if self.num_towers not in (1, config.towers):
            raise ValueError(
                f"the network {config.name!r} has {config.towers} towers, the mesh has {self.num_towers}"
            )
        whole = AlexNet(config, generator=generator)
        if self.num_towers > 2 and any(stage.crossing == "edges" for stage in make_stages(config)):
            raise ValueError(f"a normalisation can span two towers at most, got {self.num_towers}")
        self.tower: AlexNet | Tower = whole if self.num_towers == 1 else Tower(config)
        if self.num_towers > 1:
            self.tower.load_state_dict(split(whole.state_dict(), config)[self.index])

    def forward(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits.

        Args:
            images: (N, 3, H, W).
            masks: for training: of ``draw_masks`` with ``mask_generator``, whole.
        Returns:
            (N, num_classes).
        Raises:
            ValueError: the images have another shape, or masks are missing.
        """
        if isinstance(self.tower, AlexNet):
            return self.tower(images, masks)
        x = self.tower.check(images)
        masks = tower_masks(self.tower, masks, self.index)
        for stage in self.tower.stages:
            x = self.tower.run(stage, self.cross(stage.crossing, x), masks)
        return x

    def cross(self, crossing: str, x: Tensor) -> Tensor:
        """Return the input of a stage, of which x is this tower's part."""
        if not crossing:
            return x
        if crossing == "sum":
            return all_reduce(x, self.group)
        if crossing == "gather":
            return all_gather(x, self.group)
        edges = all_gather(halo(x, self.index, self.config), self.group).chunk(2, dim=1)
        return with_halo(x, edges[1 - self.index], self.index)


def data_parallel(net: ParallelAlexNet) -> nn.Module:
    """Return the network, already on its device, made to average its gradients with those of its copies.

    Each copy's loss is the mean over its own images. The average of the copies' gradients is the gradient of
    the mean over all images if, and only if, each copy has equally many of them; `alexnet.data.loader`
    refuses a batch that cannot be divided evenly. Where there are no copies, the network itself is returned.
    """
    group = net.mesh.get_group("data")
    if dist.get_world_size(group) == 1:
        return net
    # Nothing is unused. But after its first backward pass DDP would else lay the gradients out anew, in which
    # three or more of them are added in another order: a training that resumes would differ in the last bits.
    return DistributedDataParallel(
        net, process_group=group, gradient_as_bucket_view=True, find_unused_parameters=True
    )


def gather_state(values: Mapping[str, Tensor], net: ParallelAlexNet) -> State | None:
    """Put the towers' parameters, or velocities, together; all processes must call this.

    Args:
        values: this tower's, by name: ``net.tower.state_dict()``, or its velocities.
        net: the network.
    Returns:
        those of the network on one device, new tensors on the CPU, in the first process; None in the others.
    Raises:
        ValueError: in the first process, the towers' copies of fc8.bias have drifted apart.
    """
    if net.mesh.get_local_rank("data") > 0:
        return None
    whole = {}
    for name, part in values.items():
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(net.num_towers)]
        dist.all_gather(parts, part.contiguous(), group=net.group)
        if net.index == 0:
            whole[name] = join_tensors(name, parts).cpu()
    return whole or None


def scatter_state(state: Mapping[str, Tensor] | None, net: ParallelAlexNet) -> State:
    """Divide parameters, or velocities, of the network on one device; all processes must call this.

    Args:
        state: in the first process the whole network's, by name, on any device; not read in the others.
        net: the network.
    Returns:
        this tower's, on its device and of its dtype, for ``net.tower.load_state_dict`` or
        `alexnet.optim.sgd.load_velocities`.
    Raises:
        ValueError: in the first process, before anything is sent: they are not those of this network.
    """
    state, parts = state or {}, net.tower.state_dict()
    shapes = {name: whole_shape(name, part.shape, net.num_towers) for name, part in parts.items()}
    first = dist.get_rank() == 0
    if first and {name: tensor.shape for name, tensor in state.items()} != shapes:
        raise ValueError(f"these are not the parameters of the network {net.config.name!r} on one device")
    own = {}
    for name, part in parts.items():
        tensor = state[name].to(part).contiguous() if first else part.new_empty(shapes[name])
        dist.broadcast(tensor, 0)
        own[name] = split_tensor(name, tensor, net.num_towers)[net.index].clone()
    return own


def check_replicas(net: ParallelAlexNet) -> None:
    """Check that what several processes have is equal bit by bit; all processes must call this.

    Towers have copies of the biases of fc8, networks side by side have copies of everything. Nothing but
    equal gradients keeps them equal, and a network whose copies differ computes wrong results without an
    error.

    Raises:
        ValueError: in every process, some have drifted apart.
    """
    parameters = net.tower.state_dict()
    drifted = torch.zeros(len(parameters), dtype=torch.int32, device=net.tower.fc8.bias.device)
    for index, (name, own) in enumerate(parameters.items()):
        for group in [net.mesh.get_group("data"), *[net.group] * (name in COPIED)]:
            if dist.get_world_size(group) == 1:
                continue
            first = own.clone(memory_format=torch.contiguous_format)
            dist.broadcast(first, dist.get_global_rank(group, 0), group=group)
            drifted[index] += not same_bits(first, own)
    dist.all_reduce(drifted)
    names = [name for name, count in zip(parameters, drifted.tolist(), strict=True) if count]
    if names:
        raise ValueError(
            f"the processes' copies of {', '.join(names)} have drifted apart, and nothing that they compute "
            "counts from there on; a checkpoint from before is whole"
        )

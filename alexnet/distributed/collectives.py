"""The two operations with which the towers of a network exchange tensors between processes, with gradients.

Every tower computes the loss from the same logits. There is one loss all the same, and what follows for the
gradients is stated with each operation. Both work on any device and dtype that the processes' backend knows,
and all towers must call them in the same order.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def all_gather(part: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Return the parts of all towers side by side.

    Args:
        part: (N, C / T, ...), this tower's feature maps or units.
        group: the T towers, in order.
    Returns:
        (N, C, ...).
    """
    return AllGather.apply(part, group)


def all_reduce(part: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Return the sum of the parts of all towers, the same bits in each.

    Args:
        part: (N, K), of the logits for example.
        group: the towers.
    """
    return AllReduce.apply(part, group)


class AllGather(torch.autograd.Function):
    """y = the parts of all towers side by side.

    Every tower continues with all of y, so the gradient of a part is the sum of all towers' gradients for it.
    That is a sum of different things, not an average of copies: nothing is divided.
    """

    @staticmethod
    def forward(ctx, part: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group, part = group, part.contiguous()
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size(group))]
        dist.all_gather(parts, part, group=group)
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        parts = gradient.chunk(dist.get_world_size(ctx.group), dim=1)
        parts = [part.clone(memory_format=torch.contiguous_format) for part in parts]
        for tower, part in enumerate(parts):
            dist.reduce(part, dist.get_global_rank(ctx.group, tower), group=ctx.group)
        return parts[dist.get_rank(ctx.group)], None


class AllReduce(torch.autograd.Function):
    """y = the sum of the towers' parts.

    Every tower has the whole gradient of y, which is that of its part. The derivatives of torch's own
    collectives would add up the towers' copies of it, and so count the loss once for each tower.
    """

    @staticmethod
    def forward(ctx, part: Tensor, group: dist.ProcessGroup) -> Tensor:
        total = part.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None

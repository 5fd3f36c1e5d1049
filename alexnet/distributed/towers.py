"""Model parallelism: the part of the network on each tower, and the exchange between towers (paper 3.2).

Kernels and units are divided: each tower has an equal part of those of conv1 to fc7, tower a the first part.
Of fc8 it has the weights that read its own units, and so makes a part of every logit; the biases of fc8 are
added to the sum of the parts, and every tower has a copy of them.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from alexnet.config import NetConfig
from alexnet.models.alexnet import Masks, add_children, check_images, run
from alexnet.models.stages import Stage, dropout_inputs, make_children, make_stages
from alexnet.models.traffic import halo_width

State = dict[str, Tensor]
COPIED = ("fc8.bias",)  # parameters that every tower has whole


class Tower(nn.Module):
    """One tower of a network: its part of every layer, under the names of the whole network's.

    Attributes:
        config: the network, all towers together.
        stages: what is computed between two crossings, in order.
    """

    fc8: nn.Linear  # in every tower

    def __init__(self, config: NetConfig):
        """Build the part of one tower; its parameters hold no values before `split` ones are loaded."""
        super().__init__()
        self.config, self.stages = config, make_stages(config)
        add_children(self, make_children(config, config.towers))

    def check(self, images: Tensor) -> Tensor:
        """Return the images if they have the shape that the network reads."""
        return check_images(images, self.config)

    def run(self, stage: Stage, x: Tensor, masks: Masks | None) -> Tensor:
        """Compute one stage of whatever crossed into it.

        Args:
            stage: one of ``stages``.
            x: what its first layer reads; before the stage "sum", the sum of what the towers make of fc8.
            masks: of `tower_masks`.
        """
        children = [(name, self.get_submodule(name)) for name in stage.children]
        if stage.crossing == "edges":  # the feature maps of the other tower are read and not computed
            (_, norm), *children = children
            own = stage.layers[0].out_channels // self.config.towers
            x = norm(x)
            x = x.narrow(1, (x.shape[1] - own) // 2, own)
        x = run(children, x, masks)
        return x + self.fc8.bias if stage.crossing == "sum" else x


def split_dim(name: str) -> int:
    """Return the axis along which a parameter is divided: kernels, units, or the inputs of fc8."""
    return 1 if name == "fc8.weight" else 0


def split(state: Mapping[str, Tensor], config: NetConfig) -> list[State]:
    """Divide the parameters of the network on one device, or their velocities, among its towers.

    Args:
        state: as from ``AlexNet.state_dict``; in part, too.
        config: the network, with T towers.
    Returns:
        T dictionaries with the same names; their tensors are views of those given.
    Raises:
        ValueError: a tensor cannot be dealt out evenly.
    """
    states: list[State] = [{} for _ in range(config.towers)]
    for name, tensor in state.items():
        for tower, part in zip(states, split_tensor(name, tensor, config.towers), strict=True):
            tower[name] = part
    return states


def split_tensor(name: str, tensor: Tensor, towers: int) -> Sequence[Tensor]:
    """Deal out one parameter; Args and Raises as for `split`."""
    if name in COPIED:
        return (tensor,) * towers
    dim = split_dim(name)
    if tensor.ndim <= dim or tensor.shape[dim] % towers:
        raise ValueError(f"{name} of shape {tuple(tensor.shape)} cannot be dealt out to {towers} towers")
    return tensor.chunk(towers, dim)


def join(states: Sequence[Mapping[str, Tensor]], config: NetConfig) -> State:
    """Combine the towers' parameters, or velocities, into those of the network on one device.

    Args:
        states: one a tower, tower a first, on whatever device; in part, too.
        config: the network.
    Returns:
        the same names with new tensors, on the device of tower a's.
    Raises:
        ValueError: there are not as many states as towers, their names differ, or their copies of what every
            tower has are not equal bit by bit.
    """
    if len(states) != config.towers:
        raise ValueError(f"the network {config.name!r} has {config.towers} towers, got {len(states)} states")
    names = states[0].keys()
    if any(state.keys() != names for state in states):
        raise ValueError("the states of the towers do not have the same names")
    return {name: join_tensors(name, [state[name] for state in states]) for name in names}


def join_tensors(name: str, parts: Sequence[Tensor]) -> Tensor:
    """Put the towers' parts of one parameter together; Args and Raises as for `join`."""
    parts = [part.to(parts[0].device) for part in parts]
    if name not in COPIED:
        return torch.cat(parts, split_dim(name))
    if not all(same_bits(parts[0], part) for part in parts):
        raise ValueError(f"the towers' copies of {name} have drifted apart")
    return parts[0].clone()


def whole_shape(name: str, shape: Sequence[int], towers: int) -> torch.Size:
    """Return the shape of a parameter on one device, given the shape of a tower's part."""
    whole = list(shape)
    if name not in COPIED:
        whole[split_dim(name)] *= towers
    return torch.Size(whole)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one shape and dtype hold the same bits, so that NaN equals NaN."""
    return torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))


def tower_masks(tower: Tower, masks: Masks | None, index: int) -> Masks | None:
    """Return what one tower needs of the masks of the whole network, on its device.

    fc6 and fc7 read the activations of all towers, fc8 those of its own tower alone.

    Args:
        tower: whose they are to be.
        masks: of `alexnet.models.draw_masks`; None outside training.
        index: 0 for tower a.
    Raises:
        ValueError: there are none in training; towers that drew their own would drop different activations.
    """
    if masks is None:
        if tower.training and dropout_inputs(tower.config):
            raise ValueError("towers need the same dropout masks in training: give those of draw_masks")
        return None
    towers, device = tower.config.towers, tower.fc8.weight.device
    own = {name: mask.chunk(towers, dim=1)[index] if name == "fc8" else mask for name, mask in masks.items()}
    return {name: mask.to(device) for name, mask in own.items()}


def halo(x: Tensor, tower: int, config: NetConfig) -> Tensor:
    """Return the halo: the feature maps at the border of two towers that the other's normalisation reads.

    Args:
        x: (N, C / 2, H, W), the feature maps of one tower.
        tower: 0 or 1, to return its last or first feature maps.
        config: the network, whose normalisations determine the number of these maps.
    """
    width = halo_width(config, x.shape[1])
    return x.narrow(1, x.shape[1] - width if tower == 0 else 0, width)


def with_halo(x: Tensor, received: Tensor, tower: int) -> Tensor:
    """Add the halo, the other tower's maps at the border, on one side and as many zeros on the other.

    Args:
        x: (N, C / 2, H, W), the feature maps of one tower.
        received: the other one's `halo`.
        tower: 0 or 1.
    """
    end = torch.zeros_like(received)
    return torch.cat((end, x, received) if tower == 0 else (received, x, end), dim=1)

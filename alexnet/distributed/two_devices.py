"""The paper's two GPUs in one process: a tower on each, and all that goes between them (3.2, figure 2)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from alexnet.config import NetConfig
from alexnet.distributed.towers import State, Tower, halo, split, tower_masks, with_halo
from alexnet.models.alexnet import AlexNet, Masks
from alexnet.models.stages import Stage


class Exchange(NamedTuple):
    """What tower a and tower b sent for a layer, in bytes; in the backward pass as many come back."""

    layer: str
    from_a: int
    from_b: int


class TwoDeviceAlexNet(nn.Module):
    """A network of two towers on two devices; called like `AlexNet`, it returns logits on the first device.

    Attributes:
        towers: a and b.
        exchanges: those of the last call, in order.

    Args:
        config: a network of two towers.
        devices: of tower a and of tower b.
        generator: draws the initial weights.
    Raises:
        ValueError: the network does not have two towers.
    """

    def __init__(
        self,
        config: NetConfig,
        devices: tuple[str, str] = ("cuda:0", "cuda:1"),
        *,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if config.towers != 2:
            raise ValueError(
                f"two devices need a network of two towers, got {config.name!r} of {config.towers}"
            )
        self.config, self.devices = config, devices
        self.exchanges: list[Exchange] = []
        self.tower_a, self.tower_b = (Tower(config).to(device) for device in devices)
        self.towers = self.tower_a, self.tower_b
        self.tower_b.fc8.bias = self.tower_a.fc8.bias  # tower a alone adds the biases
        self.load(AlexNet(config, generator=generator).state_dict())

    def forward(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Compute the logits (N, num_classes) of images (N, 3, H, W); training needs masks."""
        self.exchanges = []
        where = zip(self.towers, self.devices, strict=True)
        x = [tower.check(images).to(device) for tower, device in where]
        own = [tower_masks(tower, masks, index) for index, tower in enumerate(self.towers)]
        *stages, last = self.towers[0].stages
        for stage in stages:
            x = self.cross(stage, *x)
            each = zip(self.towers, x, own, strict=True)
            x = [tower.run(stage, part, its) for tower, part, its in each]
        # Tower b has no use for a's part.
        _, part_of_b = self.exchange("fc8", x[0][:, :0], x[1])
        return self.towers[0].run(last, x[0] + part_of_b, None)

    def cross(self, stage: Stage, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Give each tower the feature maps or units of the other one that the stage reads."""
        if stage.crossing == "gather":
            from_a, from_b = self.exchange(stage.layers[0].name, a, b)
            return torch.cat((a, from_b), dim=1), torch.cat((from_a, b), dim=1)
        if stage.crossing == "edges":
            edges = halo(a, 0, self.config), halo(b, 1, self.config)
            from_a, from_b = self.exchange(stage.layers[0].name, *edges)
            return with_halo(a, from_b, 0), with_halo(b, from_a, 1)
        return a, b

    def exchange(self, layer: str, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Send a to tower b and b to tower a; nothing else moves between devices."""
        self.exchanges.append(Exchange(layer, a.nbytes, b.nbytes))
        return a.to(self.devices[1]), b.to(self.devices[0])

    def load(self, state: State) -> None:
        """Load the parameters of the network on one device."""
        for tower, part in zip(self.towers, split(state, self.config), strict=True):
            tower.load_state_dict(part)

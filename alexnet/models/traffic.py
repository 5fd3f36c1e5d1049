"""What towers and replicas send each other in a training step, in bytes (paper 3.2)."""

from typing import NamedTuple

from alexnet.config import NetConfig
from alexnet.models.architecture import list_layers
from alexnet.models.stages import make_stages


class Traffic(NamedTuple):
    """What one tower sends, in a training step, where something crosses.

    Attributes:
        layer: what computes with it.
        crossing: "edges", "gather" or "sum", as in `alexnet.models.stages`.
        forward: bytes in the forward pass.
        backward: bytes in the backward pass.
    """

    layer: str
    crossing: str
    forward: int
    backward: int


def halo_width(config: NetConfig, own_maps: int) -> int:
    """Return how many of the other tower's feature maps a normalisation reads, if it has `own_maps`."""
    return min(config.lrn_n // 2, own_maps)


def communication(config: NetConfig, batch_size: int, *, bytes_per_number: int = 4) -> list[Traffic]:
    """Return what each tower sends in a training step, crossing by crossing.

    * "gather": forward its own feature maps or units, to every other tower; backward as many gradients of
      theirs.
    * "edges": the same, only with the feature maps at the border of the two towers.
    * "sum": forward 2 (T - 1) / T of the logits, as in any sum over T devices that leaves the result on all;
      backward nothing, since every tower computes the loss and has the gradient of the logits.

    Args:
        config: the network, with T towers.
        batch_size: images that the towers train on together.
        bytes_per_number: 4 for float32, 2 for bfloat16.
    """
    bytes_per_value, towers = batch_size * bytes_per_number, config.towers
    rows = []
    for stage in make_stages(config):
        if stage.crossing == "sum":
            logits = config.num_classes * bytes_per_value
            rows.append(Traffic("fc8", "sum", 2 * (towers - 1) * logits // towers, 0))
        elif stage.crossing:
            layer = stage.layers[0]
            maps = layer.in_channels // towers
            maps = halo_width(config, maps) if stage.crossing == "edges" else maps
            sent = (towers - 1) * maps * layer.in_size**2 * bytes_per_value
            rows.append(Traffic(layer.name, stage.crossing, sent, sent))
    return rows


def gradient_traffic(config: NetConfig, replicas: int, *, bytes_per_number: int = 4) -> int:
    """Return the bytes that each of `replicas` whole networks sends in a step to average its gradients.

    As in any sum over R devices that leaves the result on all, that is 2 (R - 1) / R of the parameters.
    """
    parameters = sum(layer.num_parameters for layer in list_layers(config))
    return 2 * (replicas - 1) * parameters * bytes_per_number // replicas

"""Weights of torchvision's AlexNet, under the names of this one's parameters."""

from torch import Tensor


def from_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of ``torchvision.models.alexnet`` to those of the network "torchvision".

    torchvision's weights want images scaled to 0..1 and normalised channel by channel.

    Raises:
        ValueError: the parameters are not those of torchvision's AlexNet.
    """
    modules = {"features.0": "conv1", "features.3": "conv2", "features.6": "conv3", "features.8": "conv4"}
    modules |= {"features.10": "conv5", "classifier.1": "fc6", "classifier.4": "fc7", "classifier.6": "fc8"}
    wanted = {
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in modules.items()
        for kind in ("weight", "bias")
    }
    if state.keys() != wanted.keys():
        odd = sorted(state.keys() ^ wanted.keys())[0]
        raise ValueError(f"these are not the parameters of torchvision.models.alexnet: {odd} is amiss")
    return {wanted[name]: tensor for name, tensor in state.items()}

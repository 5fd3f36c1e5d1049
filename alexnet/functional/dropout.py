"""Dropout as the paper has it, and the inverted kind that libraries have (paper 4.2).

Letters in shapes: N images, U units.
"""

import torch
from torch import Tensor


def dropout_mask(
    num_images: int,
    num_units: int,
    *,
    p: float = 0.5,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independently for every image which units are kept (paper 4.2).

    Args:
        num_images: N, images of a batch.
        num_units: U, units of a layer.
        p: probability with which a unit is dropped, at least 0 and below 1.
        generator: draws on its own device, so that a CPU generator gives the same mask for every device.
        device: of the mask.
        dtype: of the mask.
    Returns:
        (N, U): 1 where a unit is kept, 0 where it is dropped.
    Raises:
        ValueError: p is out of range.
    """
    check_probability(p)
    mask = torch.empty(num_images, num_units, device=generator.device)
    return mask.bernoulli_(1 - p, generator=generator).to(device=device, dtype=dtype)


def dropout(x: Tensor, mask: Tensor) -> Tensor:
    """Set the outputs of dropped units to zero and leave the others as they are, in training (paper 4.2).

    Args:
        x: (N, U) outputs.
        mask: (N, U) of `dropout_mask`, any dtype.
    Raises:
        ValueError: the shapes differ.
    """
    if x.shape != mask.shape:
        raise ValueError(f"a mask {tuple(mask.shape)} does not fit outputs {tuple(x.shape)}")
    return x * mask.to(x.dtype)


def dropout_at_test(x: Tensor, p: float = 0.5) -> Tensor:
    """Multiply the outputs of all units by 1 - p: at test, after training with `dropout` (paper 4.2).

    Raises:
        ValueError: p is out of range.
    """
    check_probability(p)
    return x * (1 - p)


def inverted_dropout(x: Tensor, mask: Tensor, p: float = 0.5) -> Tensor:
    """Do the division by 1 - p in training, so that nothing is left for the test; as torchvision's AlexNet.

    Raises:
        ValueError: the shapes differ, or p is out of range.
    """
    check_probability(p)
    return dropout(x, mask) / (1 - p)


def to_inverted(
    weight: Tensor, rate: float, weight_decay: float, *, p: float = 0.5
) -> tuple[Tensor, float, float]:
    """Convert a layer that reads the outputs of `dropout` to one that reads those of `inverted_dropout`.

    With q = 1 - p, weights q * w on inputs 1 / q as large give the same outputs and pass the same derivative
    down. The derivative by them is 1 / q as large, and must move them q times as far as it moved w: so the
    learning rate is q**2 as large. Weight decay acts through its product with the learning rate, which must
    not change. Both networks then follow the same path under the paper's rule (paper 5) and under
    ``torch.optim.SGD``, with momentum. Biases and the other layers stay as they are. For p = 1/2: half the
    initial weights, a quarter of the learning rate and four times the decay, for the weights of fc7 and fc8.

    Args:
        weight: of the layer that reads the units under dropout, any shape.
        rate: learning rate with which that weight is trained.
        weight_decay: with which that weight is trained.
        p: probability with which a unit is dropped.
    Returns:
        weight, learning rate and weight decay of the same layer for inverted dropout.
    Raises:
        ValueError: p is out of range.
    """
    check_probability(p)
    kept = 1 - p
    return weight * kept, rate * kept**2, weight_decay / kept**2


def check_probability(p: float) -> None:
    """Raise ValueError unless p is at least 0 and below 1."""
    if not 0 <= p < 1:
        raise ValueError(f"p must be at least 0 and below 1, got {p!r}")

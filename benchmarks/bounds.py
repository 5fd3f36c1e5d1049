"""What a device can do at best: multiply-adds, bytes moved, and the time that a training step cannot beat."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from timing import interleaved

from alexnet.config import NetConfig
from alexnet.models.architecture import list_layers

# Bytes moved for each byte of weights, were everything else free: read forward and backward, the gradient
# written, and in the update weight, gradient and velocity read and two of them written.
WEIGHT_PASSES = 8
# And for each byte of a layer's output: written, read backward, its gradient written and read.
MAP_PASSES = 4
BACK_AND_FORTH = 3  # a backward pass multiplies twice as often as the forward pass


@contextmanager
def multiplications(precision: str) -> Iterator[None]:
    """Let float32 products on a GPU round to TF32, or not, and restore what was set before.

    Args:
        precision: "tf32", or another name, under which float32 stays float32.
    """
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = precision == "tf32"
        yield
    finally:
        for backend, setting in zip(backends, before, strict=True):
            backend.allow_tf32 = setting


def number_type(precision: str) -> torch.dtype:
    """Return the type of the numbers that are multiplied."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def multiply_adds_a_second(device: torch.device, precision: str, *, size: int, repeats: int = 5) -> float:
    """Return the largest rate at which a product of two matrices (size, size) was computed."""
    a, b = (torch.randn(size, size, device=device, dtype=number_type(precision)) for _ in range(2))
    out = torch.empty_like(a)
    with multiplications(precision):
        seconds = interleaved({"product": lambda: torch.mm(a, b, out=out)}, repeats=repeats)
    return size**3 / min(seconds["product"].wall)


def bytes_a_second(device: torch.device, *, size: int, repeats: int = 5) -> float:
    """Return the largest rate at which `size` bytes were copied, counting those read and those written."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = interleaved({"copy": lambda: target.copy_(source)}, repeats=repeats)
    return 2 * size / min(seconds["copy"].wall)


def step_multiply_adds(config: NetConfig, num_images: int) -> int:
    """Return the multiply-adds of a training step; conv1 passes no gradient on to the images."""
    layers = [layer for layer in list_layers(config) if layer.num_multiply_adds]
    every = BACK_AND_FORTH * sum(layer.num_multiply_adds for layer in layers)
    return num_images * (every - layers[0].num_multiply_adds)


def step_bytes(config: NetConfig, num_images: int, precision: str) -> int:
    """Return the bytes that a training step must move, if each layer were one pass over its output."""
    layers = list_layers(config)
    weights = 4 * sum(layer.num_parameters for layer in layers)
    maps = number_type(precision).itemsize * sum(layer.num_neurons for layer in layers)
    return WEIGHT_PASSES * weights + MAP_PASSES * maps * num_images


def least_seconds(config: NetConfig, num_images: int, precision: str, rates: tuple[float, float]) -> float:
    """Return the time that a training step takes at least, by its multiplications and by its bytes.

    Args:
        config: the network.
        num_images: of the batch.
        precision: of the multiplications.
        rates: multiply-adds a second and bytes a second.
    """
    work = step_multiply_adds(config, num_images) / rates[0]
    return max(work, step_bytes(config, num_images, precision) / rates[1])

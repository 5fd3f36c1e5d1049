"""How long do the trials of an experiment train, against plain PyTorch and against the arithmetic alone?

    python benchmarks/trials.py [--images N] [--repeats N] [--json PATH]

What is timed is an epoch on one thread, with crops, reflections, colour noise and dropout, of two networks:
the base of the experiment "parts", and a thinner one on maps of 15, 7 and 3 pixels, where the fixed cost of
an operation weighs more. Plain PyTorch is the same network with ``nn.LocalResponseNorm`` and
``torch.optim.SGD``, and maps with the channels first. The bound is that of the multiply-adds: one product of
matrices with as many. Three further lines say where our time goes: an epoch without response normalisation,
one that only makes the batches, and one that only takes the steps of the optimiser.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from timing import compared, interleaved
from torch import Tensor, nn

from alexnet.data import synthetic
from alexnet.devices import keep_buffers
from alexnet.experiments.arms import Arm
from alexnet.experiments.parts import ARMS
from alexnet.experiments.trial import make_inputs
from alexnet.functional import lrn
from alexnet.models import summary, total
from alexnet.optim import PaperSGD, shuffled_batches, train_step
from alexnet.recipes import PAPER, adapt_to_images, net_config
from alexnet.storage.files import write_json
from alexnet.storage.records import environment

PLAIN = "plain PyTorch, batch 128"
THIN: dict[str, Any] = {
    "conv_channels": (32, 32, 64, 64, 32),
    "conv1_stride": 2,
    "input_size": 29,
    "rounding": "floor",
    "num_classes": 10,
}
SIDE = 1024
PASSES = 3  # forward, gradient by the inputs, gradient by the weights


def make_epoch(
    arm: Arm,
    images: Tensor,
    labels: Tensor,
    *,
    plain: bool = False,
    memory: torch.memory_format = torch.channels_last,
) -> Callable[[], Any]:
    """Return what trains an arm's network for an epoch, with its maps in this order of memory."""
    inputs = make_inputs(arm, images)
    generator = torch.Generator().manual_seed(0)
    net = arm.build(generator, num_classes=10).train()
    groups = arm.rate_groups(net, 1e-6)
    if plain:
        for name in [name for name, _ in net.named_children()]:
            if name.startswith("norm"):
                setattr(net, name, nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
        optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=1e-6)
    else:
        net, optimizer = net.to(memory_format=memory), PaperSGD(groups)

    def epoch() -> None:
        batches = shuffled_batches(images, labels, batch_size=arm.learning.batch_size, generator=generator)
        for x, y in batches:
            model = partial(net, **arm.draw_masks(len(x), generator, "cpu"))
            ready = inputs.training(x, generator)
            train_step(model, optimizer, ready.contiguous(memory_format=memory), y)

    return epoch


def products(arm: Arm, count: int) -> Callable[[], Any]:
    """Return what multiplies matrices with as many multiply-adds as an epoch has."""
    needed = PASSES * count * total(summary(arm.net).rows, "num_multiply_adds")
    a, b = torch.randn(2, SIDE, SIDE)
    rows = max(1, round(needed / SIDE**2))  # of a tall matrix
    tall = a.repeat(rows // SIDE + 1, 1)[:rows]
    return lambda: tall @ b


def preparation(arm: Arm, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return what shuffles and augments the images of an epoch, and trains on none."""
    inputs, generator = make_inputs(arm, images), torch.Generator().manual_seed(0)

    def epoch() -> None:
        for x, _ in shuffled_batches(images, labels, batch_size=arm.learning.batch_size, generator=generator):
            inputs.training(x, generator)
            arm.draw_masks(len(x), generator, "cpu")

    return epoch


def optimiser(arm: Arm, count: int) -> Callable[[], None]:
    """Return what takes the optimiser's steps of an epoch, by gradients that stay the same."""
    net = arm.build(torch.Generator().manual_seed(0), num_classes=10)
    steps = PaperSGD(arm.rate_groups(net.to(memory_format=torch.channels_last), 1e-6))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def epoch() -> None:
        for _ in range(-(-count // arm.learning.batch_size)):
            steps.step()

    return epoch


@contextmanager
def passes_alone() -> Iterator[None]:
    """Sum the windows of response normalisation by passes over memory, also where channels are few."""
    fits = lrn.fits_band
    lrn.fits_band = lambda *_: False
    try:
        yield
    finally:
        lrn.fits_band = fits


def by_passes(epoch: Callable[[], Any]) -> Callable[[], None]:
    """Return an epoch without the matrix products of `alexnet.functional.lrn_band`."""

    def run() -> None:
        with passes_alone():
            epoch()

    return run


def make_bases() -> dict[str, Arm]:
    """Return the arms that are timed, by the names of their networks."""
    base = replace(ARMS["colour"], net=ARMS["dropout"].net)
    config = net_config("small", **THIN)
    augment = adapt_to_images(PAPER, config, image_size=32).augment
    thin = replace(base, net=config, augment=replace(augment, colour_noise="std"))
    return {"base of parts": base, "thinner": thin}


def make_functions(base: Arm, images: Tensor, labels: Tensor) -> dict[str, Callable[[], Any]]:
    """Return what is timed of an arm, by the names of the results."""
    small = replace(base, learning=replace(base.learning, batch_size=32))
    bare = replace(base, net=replace(base.net, lrn=False))
    first = torch.contiguous_format
    return {
        PLAIN: make_epoch(base, images, labels, plain=True, memory=first),
        "ours before: batch 32, channels first, windows by passes": by_passes(
            make_epoch(small, images, labels, memory=first)
        ),
        "ours, batch 32, windows by passes": by_passes(make_epoch(small, images, labels)),
        "ours, batch 32": make_epoch(small, images, labels),
        "ours, batch 128": make_epoch(base, images, labels),
        "without response normalisation": make_epoch(bare, images, labels),
        "making the batches alone": preparation(base, images, labels),
        "the optimiser's steps alone": optimiser(base, len(images)),
        "the multiply-adds alone": products(base, len(images)),
    }


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1024, help="images of an epoch")
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_buffers()
    found = synthetic(num_train=arguments.images, num_test=10, seed=0)
    results: dict[str, dict[str, Any]] = {}
    for network, base in make_bases().items():
        functions = make_functions(base, found.train_images, found.train_labels)
        seconds = interleaved(functions, repeats=arguments.repeats)
        print(f"{network:56} {'images/s':>9}  times as fast as {PLAIN} (quartiles)")
        results[network] = {name: compared(its, seconds[PLAIN]) for name, its in seconds.items()}
        for name, its in results[network].items():
            ratio = its["times_as_fast"]
            print(
                f"{name:56} {arguments.images / its['seconds']['median']:9.0f}  {ratio['median']:.2f} "
                f"({ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f})"
            )
    if arguments.json:
        settings = {"images": arguments.images, "repeats": arguments.repeats}
        write_json(
            arguments.json, {"environment": environment("cpu"), "settings": settings, "results": results}
        )


if __name__ == "__main__":
    main()

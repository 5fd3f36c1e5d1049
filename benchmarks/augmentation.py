"""How much longer is a training step with data augmentation than without it (paper 4.1)?

    python benchmarks/augmentation.py [--batch N] [--repeats N] [--device D] [--record PATH]

A step of the paper's network, from stored images of 256x256 pixels, once with the crops, reflections and PCA
colours of the paper, once with the centre of every image. The paper computes these on the CPU while the GPU
trains; the package does it on the device of the network. Both take turns, so that the ratio holds on a busy
machine too. With --record it becomes the record "augmentation-time", which the ledger of claims reads.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from timing import interleaved
from torch import Tensor

from alexnet.data.statistics import compute_statistics
from alexnet.devices import keep_buffers
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.optim import PaperSGD, param_groups, train_step
from alexnet.recipes import PAPER
from alexnet.storage.records import Record, environment
from alexnet.transforms.ten_crop import prepare_centre
from alexnet.transforms.training import prepare_training

STORED = 256  # pixels
WITH, WITHOUT = "with augmentation", "without"


def make_step(images: Tensor, device: torch.device) -> Callable[[Callable[[Tensor], Tensor]], None]:
    """Return what trains a network by one step on images that a function makes of the stored ones."""
    net = AlexNet(PAPER.net, generator=torch.Generator().manual_seed(0)).to(device).train()
    memory = torch.channels_last if device.type == "cpu" else torch.contiguous_format
    net = net.to(memory_format=memory)
    optimizer = PaperSGD(param_groups(net, PAPER.learning))
    labels = torch.arange(len(images), device=device) % PAPER.net.num_classes
    generator = torch.Generator().manual_seed(0)

    def step(prepare: Callable[[Tensor], Tensor]) -> None:
        masks = draw_masks(PAPER.net, len(images), generator=generator, device=device)
        ready = prepare(images).contiguous(memory_format=memory)
        train_step(partial(net, masks=masks), optimizer, ready, labels)

    return step


def measure(batch: int, repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Return the seconds of every round, with augmentation and without."""
    generator = torch.Generator().manual_seed(0)
    stored = torch.randint(256, (batch, 3, STORED, STORED), dtype=torch.uint8, generator=generator)
    statistics = compute_statistics([stored])
    images = stored.to(device)
    augmented = partial(
        prepare_training,
        config=PAPER.augment,
        statistics=statistics,
        generator=generator,
        colour_noise=True,
    )
    centre = partial(prepare_centre, size=PAPER.augment.size, statistics=statistics)
    step = make_step(images, device)
    taken = interleaved({WITH: partial(step, augmented), WITHOUT: partial(step, centre)}, repeats=repeats)
    return {name: [round(seconds, 5) for seconds in rounds.wall] for name, rounds in taken.items()}


def main() -> None:
    """Measure, print, and write the record that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128, help="images of a step")
    parser.add_argument("--repeats", type=int, default=15, help="rounds that count")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--record", type=Path, help="where to write the record augmentation-time")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    keep_buffers()
    seconds = measure(arguments.batch, arguments.repeats, device)
    for name, rounds in seconds.items():
        print(f"{name:20} {1e3 * min(rounds):9.1f} ms at best, {1e3 * max(rounds):9.1f} at worst")
    if arguments.record:
        kind = "a GPU" if device.type == "cuda" else f"a processor, {torch.get_num_threads()} threads"
        Record(
            experiment="augmentation-time",
            scale=f"{arguments.repeats} rounds of a training step on {arguments.batch} random images, {kind}",
            data={},
            config={"batch": arguments.batch, "repeats": arguments.repeats},
            seeds=[0],
            environment=environment(device),
            seconds=round(sum(map(sum, seconds.values())), 3),
            results={"seconds": seconds},
        ).save(arguments.record)


if __name__ == "__main__":
    main()

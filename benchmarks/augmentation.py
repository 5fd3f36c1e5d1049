"""How much longer is a training step with data augmentation than without it (paper 4.1)?

    python benchmarks/augmentation.py [--batch N] [--repeats N] [--device D] [--record PATH]

A step of the paper's network, from stored images of 256x256 pixels, once with the crops, reflections and PCA
colours of the paper, once with the centre of every image. As in the paper, the CPU makes a batch while the
device trains on the one before; where the device is the CPU, both share it. The two ways take turns, so that
the ratio holds on a busy machine too. With --record it becomes the record "augmentation-time", which the
ledger of claims reads.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
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


class Ahead:
    """Makes batches in a thread, one ahead of the step that asks for the next."""

    def __init__(self, make: Callable[[], Tensor]):
        self.make, self.thread = make, ThreadPoolExecutor(1)
        self.coming = self.thread.submit(make)

    def next(self) -> Tensor:
        """Return the batch that was being made, and begin the one after it."""
        batch = self.coming.result()
        self.coming = self.thread.submit(self.make)
        return batch


def make_step(num_images: int, device: torch.device) -> Callable[[Ahead], None]:
    """Return what trains a network by one step on the next batch of so many images."""
    net = AlexNet(PAPER.net, generator=torch.Generator().manual_seed(0)).to(device).train()
    memory = torch.channels_last if device.type == "cpu" else torch.contiguous_format
    net = net.to(memory_format=memory)
    optimizer = PaperSGD(param_groups(net, PAPER.learning))
    labels = torch.arange(num_images, device=device) % PAPER.net.num_classes
    generator = torch.Generator().manual_seed(0)

    def step(batches: Ahead) -> None:
        masks = draw_masks(PAPER.net, num_images, generator=generator, device=device)
        ready = batches.next().to(device).contiguous(memory_format=memory)
        train_step(partial(net, masks=masks), optimizer, ready, labels)
        wait([batches.coming])  # or a slow batch would be made in the time of the other way

    return step


def measure(batch: int, repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Return the seconds of every round, with augmentation and without."""
    generator = torch.Generator().manual_seed(0)
    stored = torch.randint(256, (batch, 3, STORED, STORED), dtype=torch.uint8, generator=generator)
    statistics = compute_statistics([stored])
    augment = partial(
        prepare_training,
        stored,
        config=PAPER.augment,
        statistics=statistics,
        generator=generator,
        colour_noise=True,
    )
    centre = partial(prepare_centre, stored, size=PAPER.augment.size, statistics=statistics)
    step = make_step(batch, device)
    ways = {name: partial(step, Ahead(make)) for name, make in ((WITH, augment), (WITHOUT, centre))}
    taken = interleaved(ways, repeats=repeats)
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

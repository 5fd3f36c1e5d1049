"""How long does a training step take on two devices, as two towers and as two copies, and how long on one?

    python benchmarks/two_ranks.py [--net NAME] [--batch N] [--threads N] [--repeats N] [--json PATH]

It starts two processes by torchrun. Without GPUs each has half of the threads, and the step on one device,
which the first process does while the second waits, has them all. The network that the paper trained on one
GPU, with half the kernels (3.2), gets what one of two devices has. What two processes could reach at most is
shown by two that train half of the batch each and send nothing. All take turns, so that the ratios hold on a
busy machine too; the times do not. With --record they become the record "two-gpu-time".
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from timing import interleaved, ratios, summary
from torch import nn

from alexnet.config import NetConfig
from alexnet.distributed.parallel import ParallelAlexNet, connect, data_parallel, layout, make_mesh
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.traffic import communication, gradient_traffic
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.recipes import net_config, recipe_named
from alexnet.seeds import mask_generator
from alexnet.storage.files import write_json
from alexnet.storage.records import Record, environment

ONE = "one device"
HALF = "half network"  # on one device with the threads of one of two: the paper's net on one GPU
APART = "two halves of the batch, nothing sent"
SPLITS = {"two towers": "towers", "two copies": "data"}


def choose_memory_order(device: torch.device) -> torch.memory_format:
    """Return the order of memory in which `alexnet train` computes on a device."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def training_step(
    net: nn.Module, config: NetConfig, num_images: int, device: torch.device, num_threads: int
) -> Callable[[], None]:
    """Return what trains a network, in the device's order of memory, by one step on random images."""
    optimizer = PaperSGD(param_groups(net, recipe_named("code2012").learning))
    size = config.input_size
    images = 60 * torch.randn(num_images, config.input_channels, size, size, device=device)
    images = images.contiguous(memory_format=choose_memory_order(device))
    labels = torch.arange(num_images, device=device) % config.num_classes

    def step() -> None:
        torch.set_num_threads(num_threads)
        masks = draw_masks(config, num_images, generator=mask_generator(0, 0, 0, device), device=device)
        F.cross_entropy(net(images, masks), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def steps_to_compare(
    config: NetConfig, batch: int, device: torch.device, threads: int
) -> dict[str, Callable[[], None]]:
    """Return the ways to do a step on a batch; each ends when both processes have done it."""
    steps = {ONE: lambda: None, HALF: lambda: None}

    def placed(net: nn.Module) -> nn.Module:
        return net.to(device).to(memory_format=choose_memory_order(device))

    one_of_two = max(threads // 2, 1)
    if dist.get_rank() == 0:
        steps[ONE] = training_step(placed(AlexNet(config)), config, batch, device, threads)
        half = halve_net(config)
        steps[HALF] = training_step(placed(AlexNet(half)), half, batch, device, one_of_two)
    for name, split in SPLITS.items():
        places = layout(2, config, split)
        net = data_parallel(placed(ParallelAlexNet(config, make_mesh(places, device))))
        share = batch // places.data_parallel
        steps[name] = training_step(net, config, share, device, one_of_two)
    steps[APART] = training_step(placed(AlexNet(config)), config, batch // 2, device, one_of_two)
    return {name: lambda step=step: (step(), dist.barrier()) for name, step in steps.items()}


def halve_net(config: NetConfig) -> NetConfig:
    """Return the network with one tower and half the kernels in all convolutional layers but the last."""
    *halved, last = config.conv_channels
    return replace(config, towers=1, conv_channels=(*(channels // 2 for channels in halved), last))


def measure(arguments: argparse.Namespace) -> None:
    """Measure in one of the two processes; the first one prints and writes what was found."""
    device = connect()
    torch.manual_seed(0)
    config = net_config(arguments.net)
    steps = steps_to_compare(config, arguments.batch, device, arguments.threads)
    seconds = {name: its.wall for name, its in interleaved(steps, repeats=arguments.repeats).items()}
    sent = {
        ONE: 0,
        HALF: 0,
        APART: 0,
        "two towers": sum(row.forward + row.backward for row in communication(config, arguments.batch)),
        "two copies": gradient_traffic(config, 2),
    }
    if dist.get_rank() == 0:
        results = {
            name: {
                "seconds": summary(times),
                "times_as_fast_as_one": ratios(seconds[ONE], times),
                "bytes_sent": sent[name],
            }
            for name, times in seconds.items()
        }
        report(results, arguments.batch)
        if arguments.json:
            names = ("net", "batch", "threads", "repeats")
            settings = {name: getattr(arguments, name) for name in names} | {"backend": dist.get_backend()}
            found = {"environment": environment(device), "settings": settings, "results": results}
            write_json(arguments.json, found)
        if arguments.record:
            make_record(arguments, seconds, device).save(arguments.record)
    dist.destroy_process_group()


def make_record(arguments: argparse.Namespace, seconds: dict[str, list[float]], device) -> Record:
    """Return the rounds of the paper's claim: two towers, and the half network on one device."""
    found = {name: [round(taken, 4) for taken in seconds[name]] for name in (HALF, "two towers")}
    kind = "GPUs" if device.type == "cuda" else "processes of one processor"
    return Record(
        experiment="two-gpu-time",
        scale=f"{arguments.repeats} rounds of a training step on {arguments.batch} random images, {kind}",
        data={},
        config={name: getattr(arguments, name) for name in ("net", "batch", "threads", "repeats")},
        seeds=[0],
        environment=environment(device),
        seconds=sum(map(sum, found.values())),
        results={"seconds": found},
    )


def report(results: dict, batch: int) -> None:
    """Print a line for each way."""
    print(f"{'a step':37} {'ms':>8} {'images/s':>9} {'ratio':>6} {'quartiles':14} MB sent by each")
    for name, found in results.items():
        median, ratio = found["seconds"]["median"], found["times_as_fast_as_one"]
        quartiles = f"{ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f}"
        print(
            f"{name:37} {1e3 * median:8.1f} {batch / median:9.1f} {ratio['median']:6.2f} {quartiles:14} "
            f"{found['bytes_sent'] / 1e6:.1f}"
        )


def main() -> None:
    """Start the two processes, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="code2012", help="a net of two towers")
    parser.add_argument("--batch", type=int, default=32, help="images of a step, an even number")
    parser.add_argument("--threads", type=int, default=2, help="threads on the CPU, both processes together")
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count")
    parser.add_argument("--json", type=Path, help="where to write the results")
    parser.add_argument("--record", type=Path, help="where to write the record two-gpu-time")
    arguments = parser.parse_args()
    if arguments.batch % 2:
        parser.error(f"two copies cannot share {arguments.batch} images evenly; choose an even --batch")
    if "LOCAL_RANK" in os.environ:
        measure(arguments)
        return
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    # Threads that spin while they wait would slow each other down fourfold where a core is busy otherwise.
    environ = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    sys.exit(subprocess.run([*torchrun, __file__, *sys.argv[1:]], env=environ).returncode)


if __name__ == "__main__":
    main()

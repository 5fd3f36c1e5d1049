"""How does the cost grow with images, classes, pixels, batch, towers, processes and stored features?

    python benchmarks/growth.py [--threads N] [--repeats N] [--tiny] [--json PATH]

Each of them takes a few sizes while all else stays, and the sizes take turns. The exponent is the slope of
the straight line through the logarithms: 1 where twice the size costs twice the time, 0 where it costs
nothing. That of the two largest sizes stands beside it, since fixed costs flatten the beginning. With --json
a figure is drawn beside that file.
"""

import argparse
import functools
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from PIL import Image
from timing import interleaved, summary
from two_ranks import choose_memory_order, training_step

from alexnet import figures
from alexnet.config import NetConfig
from alexnet.data.prepare.run import prepare
from alexnet.distributed.parallel import ParallelAlexNet, connect, data_parallel, layout, make_mesh
from alexnet.evaluation.neighbours import nearest
from alexnet.figures import photographs
from alexnet.figures.encoding import drawn
from alexnet.models.alexnet import AlexNet
from alexnet.recipes import net_config
from alexnet.storage.files import write_json
from alexnet.storage.records import environment

CPU = torch.device("cpu")
CODE_LENGTH, QUERIES = 256, 16  # numbers in a stored feature; queries of a search
BATCH = 32
SIZES = {
    "images prepared": (100, 200, 400, 800),
    "classes": (10, 100, 1000, 10_000),
    "pixels of a side": (128, 160, 192, 224, 288),
    "images in a batch": (1, 4, 16, 64, 128),
    "towers": (1, 2, 4, 8),
    "processes": (1, 2, 4),
    "features searched": (10_000, 100_000, 1_000_000),
}
TINY = {
    "images prepared": (4, 8),
    "classes": (10, 100),
    "pixels of a side": (64, 96),
    "images in a batch": (1, 2),
    "towers": (1, 2),
    "processes": (1, 2),
    "features searched": (1_000, 2_000),
}
TIMED = {
    "images prepared": "preparing a data set of photographs, one process",
    "classes": f"a training step on {BATCH} images",
    "pixels of a side": f"a training step on {BATCH} images",
    "images in a batch": "a training step",
    "towers": f"a training step on {BATCH} images, as many channels in all",
    "processes": f"a training step on {BATCH} images, divided among whole networks, a thread each",
    "features searched": f"{QUERIES} queries of {CODE_LENGTH} numbers, all distances computed",
}


def make_step(config: NetConfig, num_images: int, threads: int) -> Callable[[], None]:
    """Return what does a training step of a network, which is made when it is first called."""

    @functools.cache
    def make() -> Callable[[], None]:
        net = AlexNet(config).to(memory_format=choose_memory_order(CPU))
        return training_step(net, config, num_images, CPU, threads)

    return lambda: make()()


def preparing(num_images: int, folder: Path) -> Callable[[], None]:
    """Return what prepares so many photographs; each call writes a new set."""
    originals = folder / f"{num_images}"
    stored = [photographs.load(name).permute(1, 2, 0).numpy() for name in photographs.names()]
    for place in range(num_images):
        path = originals / f"{place % 2}" / f"{place}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored[place % len(stored)]).save(path, quality=95)

    def run() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            prepare("folder", [originals], Path(target) / "set", workers=0, progress=False)

    return run


def searching(num_features: int) -> Callable[[], object]:
    """Return what looks for the neighbours of a few queries among so many features."""
    features = torch.rand(num_features, CODE_LENGTH, generator=torch.Generator().manual_seed(0))
    return lambda: nearest(features, features[:QUERIES], 10)


def on_processes(count: int, tiny: bool) -> Callable[[], float]:
    """Return what measures, by torchrun, the seconds of a step on so many processes."""
    words = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}", __file__]
    environ = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

    def run() -> float:
        command = [sys.executable, *words, *(["--tiny"] if tiny else [])]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
        return float(done.stdout.split()[-1])

    return run


def one_of_them(tiny: bool) -> None:
    """Be one of the processes; the first prints the median of the seconds of a step."""
    device = connect(use_gpus=False)
    torch.manual_seed(0)
    config = base(tiny)
    places = layout(dist.get_world_size(), config, "data")
    net = ParallelAlexNet(config, make_mesh(places, device)).to(memory_format=choose_memory_order(device))
    net = data_parallel(net)
    step = training_step(net, config, BATCH // dist.get_world_size(), device, 1)
    taken = interleaved({"step": lambda: (step(), dist.barrier())}, repeats=3)
    if dist.get_rank() == 0:
        print(statistics.median(taken["step"].wall))
    dist.destroy_process_group()


def base(tiny: bool) -> NetConfig:
    """Return the network of all training steps."""
    return net_config("small" if tiny else "code2012")


def make_functions(
    quantity: str, sizes: Sequence[int], folder: Path, threads: int, tiny: bool
) -> dict[int, Callable]:
    """Return what is timed for each size."""
    config = base(tiny)
    makers: dict[str, Callable[[int], Callable]] = {
        "images prepared": lambda size: preparing(size, folder),
        "classes": lambda size: make_step(replace(config, num_classes=size), BATCH, threads),
        "pixels of a side": lambda size: make_step(replace(config, input_size=size), BATCH, threads),
        "images in a batch": lambda size: make_step(config, size, threads),
        "towers": lambda size: make_step(replace(config, towers=size), BATCH, threads),
        "features searched": searching,
    }
    return {size: makers[quantity](size) for size in sizes}


def measure_sizes(
    quantity: str, sizes: Sequence[int], folder: Path, arguments: argparse.Namespace
) -> dict[int, list[float]]:
    """Measure each size of a quantity, in turns."""
    if quantity == "processes":  # each start of them measures a few steps itself
        runs = {size: on_processes(size, arguments.tiny) for size in sizes}
        return {size: [run() for _ in range(2)] for size, run in runs.items()}
    functions = make_functions(quantity, sizes, folder, arguments.threads, arguments.tiny)
    named = {str(size): function for size, function in functions.items()}
    return {int(name): its.wall for name, its in interleaved(named, repeats=arguments.repeats).items()}


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms."""
    return statistics.linear_regression(list(map(math.log, sizes)), list(map(math.log, seconds))).slope


def measured(times: Mapping[int, list[float]]) -> dict:
    """Return what was found for a quantity: its sizes, the times of each, and the exponents."""
    sizes, medians = list(times), [statistics.median(its) for its in times.values()]
    return {
        "sizes": sizes,
        "seconds": [summary(its) for its in times.values()],
        "exponent": exponent(sizes, medians),
        "exponent_of_the_last_two": exponent(sizes[-2:], medians[-2:]),
    }


def draw(results: Mapping[str, Mapping], path: Path) -> None:
    """Draw seconds against sizes, an axis for each quantity, and write a PNG."""
    columns = 4
    rows = -(-len(results) // columns)
    figure, axes = figures.new(width=9.6, height=2.4 * rows, rows=rows, columns=columns)
    for axis in axes.flat[len(results) :]:
        axis.set_axis_off()
    for axis, (quantity, found) in zip(axes.flat, results.items(), strict=False):
        medians = [its["median"] for its in found["seconds"]]
        axis.plot(found["sizes"], medians, **figures.line("train", label=None), marker="o")
        middle = math.sqrt(min(medians) * max(medians))
        axis.set(xscale="log", yscale="log", xlabel=quantity, ylabel="seconds")
        axis.set(ylim=(min(middle / 6, min(medians) / 2), max(middle * 6, max(medians) * 2)))
        axis.set_xticks(found["sizes"], [f"{size:,}" for size in found["sizes"]])
        axis.minorticks_off()
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(f"exponent {found['exponent']:.2f}")
    drawn(figure, 100).save(path)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads on the CPU")
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--json", type=Path, help="where to write the results, and the figure as .png")
    arguments = parser.parse_args()
    if "LOCAL_RANK" in os.environ:
        one_of_them(arguments.tiny)
        return
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for quantity, sizes in (TINY if arguments.tiny else SIZES).items():
            found = measured(measure_sizes(quantity, sizes, Path(folder), arguments))
            results[quantity] = {"timed": TIMED[quantity], **found}
            medians = ", ".join(f"{its['median']:.3g} s" for its in found["seconds"])
            print(f"{quantity}, {', '.join(map(str, sizes))}: {medians}; exponent {found['exponent']:.2f}")
    if arguments.json:
        settings = {"repeats": arguments.repeats}
        write_json(
            arguments.json, {"environment": environment(CPU), "settings": settings, "results": results}
        )
        draw(results, arguments.json.with_suffix(".png"))


if __name__ == "__main__":
    main()

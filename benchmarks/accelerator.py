"""Is the network right on this accelerator, how fast is it, and how fast could it be?

    python benchmarks/accelerator.py [--device cuda] [--minutes 10] [--json PATH]
    python benchmarks/accelerator.py --device cpu --tiny      the same in a minute, with a narrow network

First what must be equal is compared: logits and gradients in every precision, eager, compiled and as a CUDA
graph, with float64 on the CPU; the first step of a training started by torchrun, a process for each GPU, with
that of one process; and the loss that a training reaches in bfloat16, compiled, with float32. Then training
steps are measured against torchvision's AlexNet and against what the multiplications and the bytes of a step
take at least, at the rates that this device reaches in a product of matrices and in a copy. What has been
found is written after every part, so that an interrupted run leaves a file; parts for which no time is left
are named. On a CPU nothing is compiled; with --tiny torchvision's network stays whole, so that no ratio means
anything.
"""

import argparse
import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from bounds import bytes_a_second, least_seconds, multiplications, multiply_adds_a_second
from timing import interleaved, ratios, summary
from torch import Tensor, nn

import alexnet
from alexnet import paper
from alexnet.config import NetConfig
from alexnet.models.alexnet import AlexNet, Masks, draw_masks
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.recipes import net_config, recipe_named
from alexnet.storage.checkpoints import load, weights_file
from alexnet.storage.files import write_json
from alexnet.storage.records import environment
from alexnet.training.log import read_log

PRECISIONS = ("float32", "tf32", "bfloat16")
# The largest relative difference from float64 that counts as right, by the bits of a product: 24, 11 and 8.
TOLERANCES = {"float32": 1e-4, "tf32": 2e-2, "bfloat16": 4e-1}
MODES = {"eager": None, "compiled": {}, "CUDA graph": {"mode": "reduce-overhead"}}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BURST = 10  # steps of one measurement on a GPU
EPOCHS, DAY = 90, 24 * 3600
OURS, THEIRS = "ours", "torchvision"


class Report:
    """What has been found so far, printed and kept in a file."""

    def __init__(self, path: Path | None, found: dict):
        self.path, self.found = path, found

    def add(self, part: str, name: str, content: dict, line: str) -> None:
        """Keep what was found under a name of a part, and print a line of it."""
        self.found.setdefault(part, {})[name] = content
        print(f"{part:12} {name:44} {line}", flush=True)
        if self.path:
            write_json(self.path, self.found)


def make_config(tiny: bool) -> NetConfig:
    """Return the network of the code of 2012, or one so narrow that a CPU is done at once."""
    if not tiny:
        return net_config("code2012")
    narrow = {"conv_channels": (8, 12, 8, 12, 8), "dense_units": (32, 32), "num_classes": 10}
    return net_config("code2012", **narrow)


def modes(device: torch.device) -> list[str]:
    """Return the ways to run a network that are tried on a device; compiling for a CPU takes minutes."""
    return list(MODES) if device.type == "cuda" else ["eager"]


def run_as(net: nn.Module, mode: str) -> Callable[..., Tensor]:
    """Return what computes as a network does, in a mode."""
    options = MODES[mode]
    return net if options is None else torch.compile(net, **options)


def batch(config: NetConfig, num_images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return random images of the size of pixel values less their mean, and labels."""
    size, generator = config.input_size, torch.Generator().manual_seed(1)
    images = 60 * torch.randn(num_images, config.input_channels, size, size, generator=generator)
    return images.to(device), (torch.arange(num_images) % config.num_classes).to(device)


def gradients(
    called: Callable[..., Tensor], net: nn.Module, images: Tensor, labels: Tensor, masks: Masks, half: bool
) -> dict[str, Tensor]:
    """Return the logits and the gradient of every parameter, in float64 on the CPU."""
    net.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        logits = called(images, masks)
    F.cross_entropy(
        logits.to(logits.dtype if logits.dtype == torch.float64 else torch.float32), labels
    ).backward()
    found = {"logits": logits.detach()} | {name: p.grad for name, p in net.named_parameters()}
    return {name: x.to("cpu", torch.float64, copy=True) for name, x in found.items()}


def compare_numerics(report: Report, device: torch.device, num_images: int) -> None:
    """Compare logits and gradients in every precision and mode with float64 on the CPU.

    The network is the trained one that ships: in one with initial weights the biases of 1 are so much larger
    than what an image changes that little of its gradients is left in bfloat16.
    """
    net = alexnet.load_classifier("imagenette").net.train().requires_grad_()
    config = net.config
    masks = draw_masks(config, num_images, generator=torch.Generator().manual_seed(2))
    images, labels = batch(config, num_images, torch.device("cpu"))
    net.double()
    wide = {name: mask.double() for name, mask in masks.items()}
    exact = gradients(net, net, images.double(), labels, wide, half=False)
    net = net.float().to(device)
    images, labels = images.to(device), labels.to(device)
    masks = {name: mask.to(device) for name, mask in masks.items()}
    for precision in PRECISIONS if device.type == "cuda" else ("float32", "bfloat16"):
        for mode in modes(device):
            torch.compiler.reset()
            called = run_as(net, mode)
            with multiplications(precision):
                for _ in range(3 if mode == "CUDA graph" else 1):  # it is recorded in the second call
                    found = gradients(called, net, images, labels, masks, precision == "bfloat16")
            off = {name: ((found[name] - x).norm() / x.norm()).item() for name, x in exact.items()}
            worst = max(off, key=off.__getitem__)
            content = {"worst": worst, "difference": off[worst], "limit": TOLERANCES[precision]}
            content["right"] = off[worst] <= content["limit"]
            line = f"differs by {off[worst]:.1e} ({worst}), limit {content['limit']:g}"
            report.add("numerics", f"{precision}, {mode}", content, verdict(content) + line)


def verdict(content: dict) -> str:
    """Return the first word of a line."""
    return "right: " if content["right"] else "WRONG: "


def train(folder: Path, *words: str, num_ranks: int = 1, steps: int) -> None:
    """Train by the command line; with more ranks than one, or on a GPU with NCCL, by torchrun."""
    how = (
        ["torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}", "-m"] if num_ranks else []
    )
    command = [sys.executable, "-m", *how, "alexnet", "train", "--data", "default", "--net", "small"]
    command += ["--recipe", "code2012", "--workers", "0", "--max-steps", str(steps), "--out", str(folder)]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")


def compare_trainings(report: Report, device: torch.device, steps: int) -> None:
    """Compare the first step in several processes with one, and bfloat16 with float32 after some steps.

    Later steps cannot be compared number by number: rounding decides which of two equal inputs a maximum is
    taken from, and the weights of two trainings drift apart.
    """
    on = ["--device", device.type]
    counts = [1, *[n for n in (2, 4, 8) if n <= torch.cuda.device_count()]] if device.type == "cuda" else [2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder / "one", *on, num_ranks=0, steps=1)
        first = read_velocities(folder / "one")
        for count in counts:
            train(folder / f"ranks{count}", num_ranks=count, steps=1)
            found = read_velocities(folder / f"ranks{count}")
            off = max(((found[key] - x).norm() / x.norm()).item() for key, x in first.items())
            content = {"difference": off, "limit": 1e-2, "right": off <= 1e-2}
            backend = "NCCL" if device.type == "cuda" else "gloo"
            line = f"the first update differs by {off:.1e}, limit 0.01"
            report.add("trainings", f"{count} ranks, {backend}", content, verdict(content) + line)
        half = ["--precision", "bfloat16", *(["--compile"] if device.type == "cuda" else [])]
        train(folder / "float32", *on, num_ranks=0, steps=steps)
        train(folder / "bfloat16", *on, *half, num_ranks=0, steps=steps)
        whole, less = (read_log(folder / which) for which in ("float32", "bfloat16"))
        ends = [log[-1]["loss"] for log in (whole, less)]
        content = {"losses": ends, "right": abs(ends[1] - ends[0]) < 0.1 * ends[0], "steps": steps}
        line = f"loss {ends[1]:.3f} after {steps} steps, in float32 {ends[0]:.3f}, may differ by a tenth"
        report.add("trainings", " ".join(half[1:]), content, verdict(content) + line)


def read_velocities(folder: Path) -> dict[str, Tensor]:
    """Return the velocities in the last checkpoint of a run."""
    return load(weights_file(folder)).velocities


def make_steps(
    which: str, config: NetConfig, memory: str, mode: str, num_images: int, precision: str, device
):
    """Return what does training steps, as many as one measurement has, of our network or torchvision's."""
    images, labels = batch(config, num_images, device)
    images = images.contiguous(memory_format=FORMATS[memory])
    if which == OURS:
        net: nn.Module = AlexNet(config)
        optimizer: torch.optim.Optimizer = PaperSGD(param_groups(net, recipe_named("code2012").learning))
    else:
        net, images = torchvision.models.alexnet(num_classes=config.num_classes), images / 60
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    net.to(device, memory_format=FORMATS[memory])
    generator = torch.Generator(device).manual_seed(0)
    called, half = run_as(net, mode), precision == "bfloat16"

    def step() -> None:
        masks = [draw_masks(config, num_images, generator=generator, device=device)] if which == OURS else []
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = called(images, *masks)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    def burst() -> None:
        with multiplications(precision):
            for _ in range(BURST if device.type == "cuda" else 1):
                step()

    return burst


def groups(device: torch.device, batches: list[int]) -> Iterator[tuple[int, str, list[tuple[str, str, str]]]]:
    """Yield (batch, precision, ways) of what is measured side by side, the most wanted first."""
    eager = [(which, memory, "eager") for which in (OURS, THEIRS) for memory in FORMATS]
    fused = [(which, "channels_last", mode) for mode in modes(device)[1:] for which in (OURS, THEIRS)]
    precisions = PRECISIONS if device.type == "cuda" else ("float32",)
    for num_images in batches:
        for precision in reversed(precisions):
            yield num_images, precision, eager + fused


def measure(report: Report, config: NetConfig, device: torch.device, arguments: argparse.Namespace) -> None:
    """Measure training steps in every precision and mode until the time is over."""
    size = 512 if arguments.tiny else 8192 if device.type == "cuda" else 2048
    moved = bytes_a_second(device, size=2**24 if arguments.tiny else 2**30)
    per_step = BURST if device.type == "cuda" else 1
    for num_images, precision, ways in groups(device, arguments.batch):
        name = f"batch {num_images}, {precision}"
        if time.monotonic() > arguments.end:
            report.add("left out", name, {}, "no time was left")
            continue
        peak = multiply_adds_a_second(device, precision, size=size)
        least = least_seconds(config, num_images, precision, (peak, moved))
        torch.compiler.reset()
        try:
            make = functools.partial(
                make_steps, config=config, num_images=num_images, precision=precision, device=device
            )
            steps = {way: make(way[0], memory=way[1], mode=way[2]) for way in ways}
            seconds = {way: its.wall for way, its in interleaved(steps, repeats=arguments.repeats).items()}
        except torch.OutOfMemoryError:
            report.add("left out", name, {}, "the device has too little memory")
            continue
        reference = seconds[THEIRS, "channels_last", "eager"]
        for way, taken in seconds.items():
            one = [t / per_step for t in taken]
            content = {"seconds": summary(one), "times_as_fast": ratios(reference, taken)}
            content |= {"images_a_second": num_images / content["seconds"]["median"]}
            if way[0] == OURS:
                content |= {"least_seconds": least, "part_of_bound": least / content["seconds"]["median"]}
            line = (
                f"{content['images_a_second']:9,.0f} images/s, {content['times_as_fast']['median']:.2f} times"
            )
            line += f", {content['part_of_bound']:.0%} of the bound" if way[0] == OURS else ""
            report.add("speed", f"{name}, {', '.join(way)}", content, line)
        bounds = {"multiply_adds_a_second": peak, "bytes_a_second": moved, "least_seconds": least}
        line = f"{2e-12 * peak:.1f} TFLOP/s, {1e-9 * moved:,.0f} GB/s: "
        line += f"at most {num_images / least:,.0f} images/s"
        report.add("bounds", name, bounds, line)


def project(report: Report) -> None:
    """Say what our fastest step makes of the paper's 90 epochs: arithmetic, images at hand."""
    ours = {name: found for name, found in report.found.get("speed", {}).items() if f"{OURS}," in name}
    for precision in PRECISIONS:
        rates = {n: f["images_a_second"] for n, f in ours.items() if f"{paper.BATCH_SIZE}, {precision}," in n}
        if not rates:
            continue
        best = max(rates, key=rates.__getitem__)
        hours = EPOCHS * paper.ILSVRC_NUM_TRAIN / rates[best] / 3600
        content = {"from": best, "hours_at_best": {count: hours / count for count in (1, 2, 8)}}
        line = (
            "on 1, 2, 8 devices at best "
            + ", ".join(f"{hours / count:.2f}" for count in (1, 2, 8))
            + " hours"
        )
        report.add("90 epochs", precision, content, line)


def main() -> int:
    """Compare, measure, and write what was asked for; the exit status is 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--minutes", type=float, default=10, help="after which no new part begins")
    parser.add_argument("--batch", type=int, nargs="+", default=[paper.BATCH_SIZE, 1024], help="images")
    parser.add_argument("--repeats", type=int, default=7, help="rounds that count")
    parser.add_argument("--tiny", action="store_true", help="a narrow network and small batches")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; try the script with `--device cpu --tiny`")
    device = torch.device(arguments.device)
    arguments.end = time.monotonic() + 60 * arguments.minutes
    arguments.batch = [8] if arguments.tiny else arguments.batch
    config = make_config(arguments.tiny)
    settings = {name: getattr(arguments, name) for name in ("batch", "repeats", "minutes", "tiny")}
    settings["gpus"] = torch.cuda.device_count()
    report = Report(arguments.json, {"environment": environment(device), "settings": settings})
    compare_numerics(report, device, num_images=4 if arguments.tiny else 32)
    compare_trainings(report, device, steps=6 if arguments.tiny else 60)
    measure(report, config, device, arguments)
    project(report)
    checks = [each for part in ("numerics", "trainings") for each in report.found[part].values()]
    return 0 if all(each["right"] for each in checks) else 1


if __name__ == "__main__":
    sys.exit(main())

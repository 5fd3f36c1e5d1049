"""Where does the time of a training step go, layer by layer, and how near is each to what the machine can do?

    python benchmarks/roofline.py [--net NAME] [--batch N] [--threads N] [--repeats N] [--json PATH]

Each layer is timed alone, forward and backward, on the activations that it has in the network: the layers up
to the dense ones a few images at a time and channels last, as `alexnet train` computes them, the others on
the whole batch. A layer takes at least as long as its multiplications at the rate of a product of large
matrices, or its bytes at the rate of a copy, each output moved four times and each weight three. Both rates
are measured first. The update moves each weight five times.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from bounds import BACK_AND_FORTH, MAP_PASSES, bytes_a_second, multiply_adds_a_second
from timing import interleaved, ratios, summary
from torch import Tensor, nn

from alexnet import paper
from alexnet.models.alexnet import AlexNet
from alexnet.models.blocks import block_length
from alexnet.models.layers import Dropout
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.recipes import net_config, recipe_named
from alexnet.storage.files import write_json
from alexnet.storage.records import environment

WEIGHT_PASSES, UPDATE_PASSES = 3, 5
CPU = torch.device("cpu")


def both_ways(child: nn.Module, x: Tensor, pieces: int, first: bool) -> Callable[[], None]:
    """Return what sends so many pieces of activations through a layer and their gradients back."""
    x = x.detach().requires_grad_(not first)  # images need no gradient
    gradient = torch.randn_like(child(x))
    wanted = [*child.parameters(), *([] if first else [x])]

    def run() -> None:
        for _ in range(pieces):
            torch.autograd.grad(child(x), wanted, gradient)

    return run


def prepare_layers(net: AlexNet, images: Tensor) -> dict[str, tuple[Callable[[], None], int, int]]:
    """Return for each layer what computes it, its multiply-adds and the bytes that it moves, for a batch."""
    num_images, length = len(images), block_length(net, images)
    maps, dense = net.parts()
    work = {layer.name: layer.num_multiply_adds for layer in net.layers}
    found, x, pieces = {}, images[:length], -(-num_images // length)
    for name, child in [*maps, *dense]:
        if name == "flatten":
            x, pieces = torch.cat([x] * pieces)[:num_images], 1
        with torch.no_grad():
            out = child(x)
        if name != "flatten" and not isinstance(child, Dropout):
            factor = BACK_AND_FORTH - (name == "conv1")
            weights = sum(p.numel() for p in child.parameters())
            moved = MAP_PASSES * out[0].numel() * num_images + WEIGHT_PASSES * weights * pieces
            run = both_ways(child, x, pieces, name == "conv1")
            found[name] = run, factor * work.get(name, 0) * num_images, 4 * moved
        x = out
    return found


def prepare_update(net: AlexNet) -> tuple[Callable[[], None], int, int]:
    """Return what updates all weights, its multiply-adds and the bytes that it moves."""
    optimizer = PaperSGD(param_groups(net, recipe_named("code2012").learning))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    num = sum(p.numel() for p in net.parameters())
    return optimizer.step, 0, 4 * UPDATE_PASSES * num


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="code2012", help="the network")
    parser.add_argument("--batch", type=int, default=paper.BATCH_SIZE, help="images")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads on the CPU")
    parser.add_argument("--repeats", type=int, default=7, help="rounds that count")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = net_config(arguments.net)
    net = AlexNet(config).to(memory_format=torch.channels_last)
    size = config.input_size
    images = 60 * torch.randn(arguments.batch, config.input_channels, size, size)
    images = images.contiguous(memory_format=torch.channels_last)
    parts = prepare_layers(net, images) | {"update": prepare_update(net)}
    peak, moved = multiply_adds_a_second(CPU, "float32", size=2048), bytes_a_second(CPU, size=2**28)
    runs = {name: run for name, (run, *_) in parts.items()}
    seconds = {name: its.wall for name, its in interleaved(runs, repeats=arguments.repeats).items()}
    whole = [sum(times) for times in zip(*seconds.values(), strict=True)]
    results = {}
    print(
        f"{2e-9 * peak:.0f} GFLOP/s, {1e-9 * moved:.1f} GB/s\n{'':12} {'ms':>8} {'share':>6} {'at least':>9}"
    )
    for name, (_, multiply_adds, num_bytes) in parts.items():
        least = {"multiplications": multiply_adds / peak, "bytes": num_bytes / moved}
        bound = max(least, key=least.__getitem__)
        results[name] = {
            "seconds": summary(seconds[name]),
            "share": ratios(seconds[name], whole),
            "least_seconds": least[bound],
            "bound": bound,
        }
        median, share = results[name]["seconds"]["median"], results[name]["share"]["median"]
        print(f"{name:12} {1e3 * median:8.1f} {share:6.1%} {1e3 * least[bound]:9.1f} by {bound}")
    if arguments.json:
        settings = {"net": arguments.net, "batch": arguments.batch, "repeats": arguments.repeats}
        rates = {"multiply_adds_a_second": peak, "bytes_a_second": moved}
        found = {"environment": environment(CPU), "settings": settings, "rates": rates, "results": results}
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()

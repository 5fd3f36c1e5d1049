"""How many times as fast as torch's is local response normalisation, on the maps of conv1 and conv2?

    python benchmarks/lrn.py [--threads N] [--repeats N] [--batch N] [--device cuda] [--json PATH]

Both take turns in one process, so that the ratios hold on a busy machine too; the times do not.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from timing import compared, interleaved, summary
from torch import Tensor

from alexnet import paper
from alexnet.functional import local_response_norm
from alexnet.storage.files import write_json
from alexnet.storage.records import environment

MAPS = {"conv1": (96, 55, 55), "conv2": (256, 27, 27)}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def torchs(x: Tensor) -> Tensor:
    """The paper's normalisation by torch's function, which divides alpha by n."""
    alpha = paper.LRN_ALPHA * paper.LRN_N
    return F.local_response_norm(x, paper.LRN_N, alpha, paper.LRN_BETA, paper.LRN_K)


def training(function: Callable[[Tensor], Tensor], x: Tensor, g: Tensor) -> None:
    """There and back."""
    torch.autograd.grad(function(x), x, g)


def inference(function: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """There alone."""
    with torch.no_grad():
        function(x)


def compare(shape: tuple[int, ...], memory: torch.memory_format, device: str, repeats: int) -> dict:
    """Time both functions, in training and in inference, on activations so large that the sum matters."""
    generator = torch.Generator().manual_seed(1)
    draws = (torch.randn(shape, generator=generator) for _ in range(2))
    x, g = (draw.to(device).contiguous(memory_format=memory) for draw in draws)
    x = x.mul_(50).relu_().requires_grad_()
    torch.testing.assert_close(local_response_norm(x), torchs(x))
    seconds = interleaved(
        {
            "training, torch": lambda: training(torchs, x, g),
            "training": lambda: training(local_response_norm, x, g),
            "inference, torch": lambda: inference(torchs, x),
            "inference": lambda: inference(local_response_norm, x),
        },
        repeats=repeats,
    )
    return {
        mode: compared(seconds[mode], seconds[f"{mode}, torch"])
        | {"seconds_torch": summary(seconds[f"{mode}, torch"].wall)}
        for mode in ("training", "inference")
    }


def report(name: str, result: dict) -> None:
    """Print a line for each mode."""
    for mode, found in result.items():
        ours, theirs, ratio = found["seconds"], found["seconds_torch"], found["times_as_fast"]
        print(
            f"{name:22} {mode:10} {1e3 * theirs['median']:8.1f} {1e3 * ours['median']:8.1f} "
            f"{ratio['median']:8.1f} {ratio['quartile_1']:6.1f} to {ratio['quartile_3']:.1f}",
            flush=True,
        )


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads on the CPU")
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count")
    parser.add_argument("--batch", type=int, default=paper.BATCH_SIZE, help="images")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{'milliseconds':33} {'torch':>8} {'ours':>8} {'ratio':>8} quartiles")
    results = {}
    for map_name, shape in MAPS.items():
        for format_name, memory in FORMATS.items():
            name = f"{map_name} {format_name}"
            results[name] = compare((arguments.batch, *shape), memory, arguments.device, arguments.repeats)
            report(name, results[name])
    if arguments.json:
        settings = {"batch": arguments.batch, "repeats": arguments.repeats, "dtype": "float32"}
        found = {"environment": environment(arguments.device), "settings": settings, "results": results}
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()

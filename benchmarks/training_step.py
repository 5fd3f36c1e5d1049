"""How long does a training step of the paper's network take, against torchvision's, which has no LRN?

    python benchmarks/training_step.py [--batch N] [--threads N] [--repeats N] [--device cuda] [--compile]
        [--precision bfloat16] [--json PATH]

A step is forward, loss, backward and update, with dropout masks; random images lie on the device. The
networks take turns in one process, so that the ratios hold on a busy machine too; the times do not. Also
measured: inference, the logits alone; and the crops, flips and colour noise of a batch of stored images, as a
share of a step.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
import torchvision
from timing import compared, interleaved, ratios
from torch import Tensor, nn

from alexnet import paper
from alexnet.data.statistics import Statistics
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.blocks import in_blocks
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.recipes import recipe_named
from alexnet.storage.files import write_json
from alexnet.storage.records import environment
from alexnet.transforms.training import prepare_training

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
THEIRS = "torchvision contiguous"


class Steps(NamedTuple):
    """What is timed of a network: a step of its training, and the logits of a batch."""

    training: Callable[[], None]
    inference: Callable[[], None]


def make_steps(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    draw: Callable[[], dict],
    arguments: argparse.Namespace,
) -> Steps:
    """Return what trains a network by one step, and what computes its logits."""
    labels = torch.arange(len(images), device=images.device) % paper.ILSVRC_NUM_CLASSES
    called = torch.compile(net) if arguments.compile else net
    if isinstance(net, AlexNet) and arguments.device == "cpu" and not arguments.compile:
        called = partial(in_blocks, net)  # as `alexnet train` does, and `alexnet evaluate`
    half = arguments.precision == "bfloat16"

    def train() -> None:
        net.train()
        optimizer.zero_grad()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            logits = called(images, **draw())
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    @torch.inference_mode()
    def infer() -> None:
        net.eval()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            called(images)

    return Steps(train, infer)


def torchvisions(memory: torch.memory_format, arguments: argparse.Namespace) -> Steps:
    """Those of ``torchvision.models.alexnet``, as its training script does them."""
    net = torchvision.models.alexnet(weights=None).to(arguments.device, memory_format=memory)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    images = random_images(arguments).to(memory_format=memory) / 60
    return make_steps(net, optimizer, images, dict, arguments)


def ours(name: str, memory: torch.memory_format, arguments: argparse.Namespace) -> Steps:
    """Those of a recipe's network, all towers on the one device."""
    recipe = recipe_named(name)
    net = AlexNet(recipe.net).to(arguments.device, memory_format=memory)
    optimizer = PaperSGD(param_groups(net, recipe.learning))
    generator = torch.Generator().manual_seed(0)

    def draw() -> dict:
        return {
            "masks": draw_masks(recipe.net, arguments.batch, generator=generator, device=arguments.device)
        }

    return make_steps(net, optimizer, random_images(arguments).to(memory_format=memory), draw, arguments)


def random_images(arguments: argparse.Namespace) -> Tensor:
    """Return (N, 3, 224, 224) of the size of grey levels less their mean."""
    size = paper.INPUT_SIZE
    return 60 * torch.randn(arguments.batch, paper.INPUT_CHANNELS, size, size, device=arguments.device)


def augmentation(arguments: argparse.Namespace) -> Callable[[], Tensor]:
    """The augmentation of a batch by the recipe of the code, on the device."""
    size = paper.IMAGE_SIZE
    stored = torch.randint(0, 256, (arguments.batch, 3, size, size), dtype=torch.uint8)
    statistics = Statistics(
        mean_image=torch.full((3, size, size), 120.0),
        pca_stds=torch.tensor([121.8, 37.1, 19.7], dtype=torch.float64),
        pca_vectors=torch.eye(3, dtype=torch.float64),
        num_images=1,
    ).to(arguments.device)
    stored, generator = stored.to(arguments.device), torch.Generator().manual_seed(0)
    config = recipe_named("code2012").augment
    return lambda: prepare_training(
        stored, config=config, statistics=statistics, generator=generator, colour_noise=True
    )


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=paper.BATCH_SIZE, help="images")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads on the CPU")
    parser.add_argument("--repeats", type=int, default=7, help="rounds that count")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of layers")
    parser.add_argument("--compile", action="store_true", help="torch.compile every net")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    steps = {f"torchvision {name}": torchvisions(memory, arguments) for name, memory in FORMATS.items()}
    for net in ("paper", "code2012"):
        steps |= {f"{net} {name}": ours(net, memory, arguments) for name, memory in FORMATS.items()}
    functions = {name: of.training for name, of in steps.items()} | {"augmentation": augmentation(arguments)}
    seconds = interleaved(functions, repeats=arguments.repeats)
    inference = interleaved({name: of.inference for name, of in steps.items()}, repeats=arguments.repeats)
    results = {name: compared(its, seconds[THEIRS]) for name, its in seconds.items()}
    results |= {f"{name}, inference": compared(its, inference[THEIRS]) for name, its in inference.items()}
    print(f"{'':36} {'seconds':>8} {'images/s':>9}  times as fast as {THEIRS} (quartiles)")
    for name, found in results.items():
        ratio, median = found["times_as_fast"], found["seconds"]["median"]
        print(
            f"{name:36} {median:8.3f} {arguments.batch / median:9.0f}  {ratio['median']:.2f} "
            f"({ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f})"
        )
    share = ratios(seconds["augmentation"].wall, seconds["code2012 contiguous"].wall)
    print(f"augmentation as a share of a step of code2012: {share['median']:.1%}")
    if arguments.json:
        settings = {key: getattr(arguments, key) for key in ("batch", "repeats", "precision", "compile")}
        found = {"environment": environment(arguments.device), "settings": settings, "results": results}
        write_json(arguments.json, found | {"augmentation_share": share})


if __name__ == "__main__":
    main()

"""A small vision transformer: what its patch embedding learns from the images of a trained AlexNet.

`python -m tools.patches FOLDER --record data/records/NAME.json` trains on the training images of a prepared
set and counts the errors on its validation images. Beside the record it writes the kernels of the embedding
in half precision, NAME.safetensors. The recipe lasts a few minutes of a core; nothing of it was tuned.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet.config import AugmentConfig
from alexnet.data.loader import epoch_order
from alexnet.data.prepared import PreparedSet, open_prepared
from alexnet.data.splits import Split
from alexnet.data.statistics import Statistics, compute_statistics
from alexnet.seeds import AUGMENTATION, make_generator
from alexnet.storage import records, safe
from alexnet.transforms.ten_crop import prepare_centre
from alexnet.transforms.training import prepare_training
from tools.baselines import batches, describe_data, error

SCALE = 64.0  # pixel values less the mean are divided by it, which brings them near unit variance


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network and its training.

    Attributes:
        crop: side of the square that the network reads, in pixels.
        patch: side of a patch, and the stride of the embedding.
        width: numbers that describe a patch: kernels of the embedding.
        heads: of the attention.
        layers: of the transformer.
        epochs: passes through the training images.
        batch_size: images a step.
        rate: the highest learning rate of AdamW, after a rise and before a fall to 0.
        rise: fraction of the steps in which it rises.
        weight_decay: of AdamW.
        smoothing: of the labels.
    """

    crop: int = 96
    patch: int = 16
    width: int = 96
    heads: int = 3
    layers: int = 2
    epochs: int = 10
    batch_size: int = 64
    rate: float = 1e-3
    rise: float = 0.1
    weight_decay: float = 0.05
    smoothing: float = 0.1


class VisionTransformer(nn.Module):
    """Patches, their positions, a transformer, and a linear layer on the mean of what it makes of them."""

    def __init__(self, config: Config, num_classes: int):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            4 * config.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.embedding = nn.Conv2d(3, config.width, config.patch, stride=config.patch)
        self.positions = nn.Parameter(0.02 * torch.randn((config.crop // config.patch) ** 2, config.width))
        last = nn.LayerNorm(config.width)
        self.encoder = nn.TransformerEncoder(layer, config.layers, last, enable_nested_tensor=False)
        self.head = nn.Linear(config.width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 3, crop, crop)."""
        patches = self.embedding(images).flatten(2).mT
        return self.head(self.encoder(patches + self.positions).mean(1))


def train(config: Config, dataset: PreparedSet, seed: int) -> tuple[VisionTransformer, dict[str, Any]]:
    """Train to the end of the schedule.

    Args:
        config: of network and training.
        dataset: with training and validation images.
        seed: of all that is random.
    Returns:
        The network in evaluation mode, the mean loss of every epoch, and the top-1 errors on both splits.
    """
    statistics, num_images = compute_statistics(batches(dataset.train)), len(dataset.train)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = VisionTransformer(config, len(dataset.classes))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=config.weight_decay, fused=True)
    steps = config.epochs * math.ceil(num_images / config.batch_size)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.rate, total_steps=steps, pct_start=config.rise, cycle_momentum=False
    )
    losses = []
    for epoch in range(config.epochs):
        total = 0.0
        for images, labels in training_batches(config, dataset, statistics, seed, epoch):
            loss = F.cross_entropy(net(images), labels, label_smoothing=config.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
            total += loss.item() * len(labels)
        losses.append(total / num_images)
        print(f"epoch {epoch + 1} of {config.epochs}: loss {losses[-1]:.3f}", flush=True)
    net.eval()
    errors = {name: top1(net, config, dataset.split(name), statistics) for name in ("train", "val")}
    return net, {"losses": losses, "top1": errors}


def training_batches(
    config: Config, dataset: PreparedSet, statistics: Statistics, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the images of an epoch in random order as the network reads them, and their labels."""
    generator = make_generator(seed, epoch, AUGMENTATION)
    augment = AugmentConfig(
        size=config.crop,
        num_offsets=statistics.mean_image.shape[-1] - config.crop + 1,
        colour_noise="std",
        mean="centre",
    )
    labels = torch.as_tensor(dataset.train.labels)
    for chosen in epoch_order(len(labels), seed, epoch).split(config.batch_size):
        images = prepare_training(
            dataset.train.read(chosen),
            config=augment,
            statistics=statistics,
            generator=generator,
            colour_noise=True,
        )
        yield images / SCALE, labels[chosen]


@torch.no_grad()
def top1(net: VisionTransformer, config: Config, split: Split, statistics: Statistics) -> float:
    """Return the top-1 error on the centres of the images of a split, a fraction."""
    centres = (prepare_centre(images, size=config.crop, statistics=statistics) for images in batches(split))
    scores = torch.cat([net(centre / SCALE) for centre in centres])
    return error(scores, torch.as_tensor(split.labels))


def main() -> None:
    """Train on the set that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", metavar="FOLDER", help="a prepared set with training and validation images")
    parser.add_argument("--record", metavar="FILE", required=True, help="write a record to this .json file")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)")
    asked = parser.parse_args()
    dataset, config, started, path = open_prepared(asked.data), Config(), time.monotonic(), Path(asked.record)
    environment = records.environment()
    net, results = train(config, dataset, asked.seed)
    print(f"top-1 {results['top1']['val']:.1%}", flush=True)
    kernels = {"embedding.weight": net.embedding.weight.half()}
    safe.write(path.with_suffix(safe.SUFFIX), kernels, {}, {"seed": asked.seed})
    records.Record(
        experiment=path.stem,
        scale=f"a small vision transformer, {len(dataset.train):,} training images, one seed",
        data=describe_data(dataset),
        config=asdict(config) | {"scale": SCALE},
        seeds=[asked.seed],
        environment=environment,
        seconds=time.monotonic() - started,
        results=results | {"processor_seconds": time.process_time()},
    ).save(path)


if __name__ == "__main__":
    main()

"""Narrow nets with weights as if they had learned something, and images for them, on disk."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from alexnet import config, recipes
from alexnet.data.prepare.run import prepare
from alexnet.models.alexnet import AlexNet
from alexnet.storage import checkpoints
from alexnet.storage.checkpoints import Checkpoint, Weights

CLASSES = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu")
NAMES = ("the ant", "the bee", "the cow", "the dog", "the elk", "the fox", "the gnu")
STORED, CROP = 20, 16  # pixels
NARROW = {"conv_channels": (8, 12, 8, 12, 8), "dense_units": (12, 16), "input_size": CROP}


def recipe(base="code2012", *, num_classes=7, **changes):
    """A recipe whose net reads CROP pixels of STORED."""
    net = recipes.net_config("small", base=base, num_classes=num_classes, **(NARROW | changes))
    return recipes.adapt_to_images(recipes.recipe_named(base), net, image_size=STORED)


def weights(base="code2012", *, seed=0, classes=CLASSES, names=NAMES, size=STORED, **changes):
    """What prediction needs, drawn at random so that the class depends on the image."""
    of = recipe(base, num_classes=len(classes), **changes)
    generator = torch.Generator().manual_seed(seed)
    net = AlexNet(of.net, generator=generator).eval()
    mean_image = 127 + 20 * torch.randn(3, size, size, generator=generator)
    state = net.state_dict()
    for name, tensor in state.items():
        scale = 60 if name == "conv1.weight" else 1  # grey levels
        tensor.normal_(
            0, 2 / tensor[0].numel() ** 0.5 / scale if tensor.ndim > 1 else 0.1, generator=generator
        )
    crop = of.net.input_size
    samples = torch.from_numpy(np.stack([image(n, crop, crop) for n in range(64)]))
    with torch.no_grad():  # centre and scale the logits, which differ little from image to image
        logits = net(samples.permute(0, 3, 1, 2) - mean_image[:, :crop, :crop])
        scale = 2 / logits.std(0)
        state["fc8.bias"].copy_((state["fc8.bias"] - logits.mean(0)) * scale)
        state["fc8.weight"].mul_(scale[:, None])
    return Weights(
        weights=state,
        statistics={
            "mean_image": mean_image,
            "pca_stds": torch.tensor([121.0, 37.0, 19.0], dtype=torch.float64),
            "pca_vectors": torch.eye(3, dtype=torch.float64),
            "num_images": torch.tensor(12345),
        },
        recipe=json.dumps(config.to_dict(of)),
        classes=list(classes),
        names=list(names),
        fingerprint="0123456789abcdef",
        environment={},
    )


def saved(path: Path, **options) -> Path:
    """Write a file of weights (options as for ``weights``)."""
    checkpoints.save_weights(path, weights(**options))
    return path


def saved_checkpoint(path: Path, **options) -> Path:
    """Write a checkpoint that a training could go on from."""
    whole = weights(**options)
    values = {name: getattr(whole, name) for name in Weights.__dataclass_fields__}
    state = {"epoch": 1, "step": 7, "images_seen": 56, "validations": [], "seed": 0}
    checkpoints.save(path, Checkpoint(velocities=whole.weights, **values, **state))
    return path


def image(seed, width=STORED, height=STORED):
    """An image of few colours and large areas (height, width, 3) uint8, and some noise."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (4, 4, 3))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    noise = rng.integers(-20, 21, (height, width, 3))
    return np.clip(colours[rows][:, columns] + noise, 0, 255).astype(np.uint8)


def write_images(folder: Path, counts: dict[str, int], classes=CLASSES) -> Path:
    """Write PNGs to folder/<split>/<class>/, of other sizes than the net's; counts is per split."""
    for split, count in counts.items():
        for number in range(count):
            name = classes[number * 2 % len(classes)]
            path = folder / split / name / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = {"width": 24 + number, "height": 31} if number % 2 else {"width": 40, "height": 22}
            Image.fromarray(image(100 * len(split) + number, **size)).save(path)
    return folder


def prepared(folder: Path, target: Path, size=STORED) -> Path:
    """Prepare a folder of images as ``alexnet data prepare folder --raw`` does."""
    options = {"size": size, "raw": True, "missing_classes": True}
    prepare("folder", [folder], target, workers=0, progress=False, **options)
    return target


def probabilities(of: Weights, images: np.ndarray, num_views: int) -> np.ndarray:
    """Compute (N, classes) image by image and crop by crop, in float64 (paper 4.1)."""
    settings = config.from_dict(json.loads(of.recipe))
    net = AlexNet(settings.net).double().eval()
    net.load_state_dict(of.weights)
    mean, room, rows = of.statistics["mean_image"].double().numpy(), STORED - CROP, []
    middle = mean[:, room // 2 : room // 2 + CROP, room // 2 : room // 2 + CROP]
    places = [(0, 0), (0, room), (room, 0), (room, room), (room // 2, room // 2)]
    for image in images.astype(np.float64):
        views = []
        for top, left in places if num_views == 10 else places[4:]:
            window = slice(top, top + CROP), slice(left, left + CROP)
            for mirrored in (False, True)[: 1 + (num_views == 10)]:
                crop, under = image[:, *window], mean[:, *window]
                if mirrored:
                    crop, under = crop[:, :, ::-1], under[:, :, ::-1]
                views.append(crop - (middle if settings.augment.mean == "centre" else under))
        with torch.no_grad():
            logits = net(torch.from_numpy(np.stack(views))).numpy()
        softmax = np.exp(logits - logits.max(1, keepdims=True))
        rows.append((softmax / softmax.sum(1, keepdims=True)).mean(0))
    return np.stack(rows)

"""Prepare small sets in this process, and look at what came out."""

import hashlib

import numpy as np
from PIL import Image

from alexnet.data.images import resize_and_crop
from alexnet.data.prepare.run import prepare
from alexnet.data.prepared import open_set
from support.archives import jpeg, pixels, write

SIZE = 16


def made(kind, sources, target, **options):
    """Prepare a set in this process, two images in a shard; return it and what was said."""
    options = {"workers": 0, "size": SIZE, "progress": False, "images_per_shard": 2, **options}
    said = prepare(kind, sources, target, **options)
    return open_set(target), said


def close_to(image, seed):
    """Tell whether a stored image is the one of a seed, as far as two JPEGs let it be."""
    wanted = np.asarray(resize_and_crop(Image.fromarray(pixels(seed)), SIZE), int)
    return abs(image.numpy().transpose(1, 2, 0).astype(int) - wanted).mean() < 10


def contents(folder, *, but=()):
    """Return the name and a hash of every file of a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name not in but
    }


def one_folder(folder, count=7):
    """Write a set of two classes."""
    names = {f"train/{'ab'[i % 2]}/{i}.jpg": jpeg(i) for i in range(count)}
    return write(folder / "photos", names | {"val/a/v.jpg": jpeg(90), "val/b/w.jpg": jpeg(91)})

"""Images for training, per second and core: a prepared set against torchvision's usual way.

    python benchmarks/input_pipeline.py ORIGINALS [--batch N] [--repeats N] [--json PATH]

ORIGINALS holds <class>/<image>. The usual way decodes them anew in every epoch and does the rest on the
processor: ImageFolder, RandomResizedCrop(224), RandomHorizontalFlip, ToTensor, Normalize. A prepared set has
them at 256x256; its batches are bytes, which the device crops and reflects. Here the processor does that too,
and in the rows "with all augmentation" also the colour noise and the mean of the paper's recipe.

All take turns on the same images in one process with one thread, so that the ratios hold on a busy machine;
the rates do not. The size of the originals decides: say it with the result. Two things follow with all cores:
the rows "read by N processes", batches of the JPEG set from the loader's processes, and the fraction of its
time that a training of code2012 waits for them.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from timing import Rounds, compared, interleaved
from torchvision import datasets, transforms

from alexnet.data.loader import Loader, epoch_order
from alexnet.data.prepare.run import prepare
from alexnet.data.prepared import open_set
from alexnet.data.splits import Split
from alexnet.data.statistics import Statistics, compute_statistics
from alexnet.devices import usable_cores
from alexnet.recipes import RECIPES
from alexnet.storage.files import write_json
from alexnet.storage.records import environment
from alexnet.transforms.crops import crop_and_flip, draw_crops
from alexnet.transforms.training import prepare_training

SIZE = 224
BASELINE = "ImageFolder"


def usual_way(originals: Path, batch: int) -> Iterator[torch.Tensor]:
    """Yield batches as the ImageNet example of PyTorch makes them."""
    steps = [
        transforms.RandomResizedCrop(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    images = datasets.ImageFolder(str(originals), transforms.Compose(steps))
    for epoch in itertools.count():
        for indices in epoch_order(len(images), 0, epoch).split(batch):
            if len(indices) == batch:
                yield torch.stack([images[i][0] for i in indices.tolist()])


def prepared_way(split: Split, batch: int, statistics: Statistics | None) -> Iterator[torch.Tensor]:
    """Yield batches of a prepared set, cropped and reflected; with statistics, as the recipe has them."""
    loader = Loader(split, batch, drop_last=True, workers=0)
    generator = torch.Generator().manual_seed(0)
    for epoch in itertools.count():
        for images, _, _ in loader.epoch(epoch):
            if statistics is None:
                crops = draw_crops(batch, num_offsets=images.shape[-1] - SIZE + 1, generator=generator)
                yield crop_and_flip(images, crops, SIZE)
            else:
                config = RECIPES["paper"].augment
                yield prepare_training(
                    images, config=config, statistics=statistics, generator=generator, colour_noise=True
                )


def mean_size(originals: Path) -> str:
    """Say how large the originals are on average."""
    files = [path for path, _ in datasets.ImageFolder(str(originals)).samples]
    sizes = [datasets.folder.pil_loader(path).size for path in files[::10]]
    width, height = (sum(side) / len(sizes) for side in zip(*sizes, strict=True))
    kilobytes = sum(Path(path).stat().st_size for path in files) / len(files) / 1e3
    return f"{width:.0f} x {height:.0f} pixels and {kilobytes:.0f} kB on average"


def ways(originals: Path, folder: Path, batch: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Return, by name, what makes the next batch in each way; sets are prepared in an empty folder."""
    found = {BASELINE: usual_way(originals, batch)}
    for form in ("JPEG", "raw"):
        target = folder / form
        prepare("folder", [originals], target, workers=0, raw=form == "raw", progress=False)
        (split,) = open_set(target).splits.values()
        statistics = compute_statistics([split.read(range(batch))])  # a few images will do: only time counts
        found[f"prepared, {form}"] = prepared_way(split, batch, None)
        found[f"prepared, {form}, with all augmentation"] = prepared_way(split, batch, statistics)
    return {name: stream.__next__ for name, stream in found.items()}


def read_by_processes(folder: Path, batch: int, repeats: int) -> dict[str, Rounds]:
    """Return what a batch takes of the prepared JPEG set, by the number of processes that read."""
    (split,) = open_set(folder / "JPEG").splits.values()
    counts = [2**power for power in range(usable_cores().bit_length())]
    loaders = {count: Loader(split, batch, drop_last=True, workers=count) for count in counts}
    epochs = {
        f"prepared, JPEG, read by {count} process{'es' * (count > 1)}": lambda loader=loader: list(
            loader.epoch()
        )
        for count, loader in loaders.items()
    }
    seconds = interleaved(epochs, repeats=repeats)
    for loader in loaders.values():
        loader.close()
    num_batches = len(split) // batch
    return {
        name: Rounds(*([x / num_batches for x in its] for its in taken)) for name, taken in seconds.items()
    }


def wait_share(folder: Path, batch: int) -> float:
    """Return which fraction of its time a training of code2012 waits for the images of the JPEG set."""
    words = ["train", "--data", folder / "JPEG", "--recipe", "code2012", "--batch-size", str(batch)]
    command = [sys.executable, "-m", "alexnet", *words, "--dry-run", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["wait_share"]


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("originals", type=Path, help="a folder of <class>/<image>")
    parser.add_argument("--batch", type=int, default=128, help="images (128)")
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count (9)")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        functions = ways(arguments.originals, Path(folder), arguments.batch)
        seconds = interleaved(functions, repeats=arguments.repeats)
        seconds |= read_by_processes(Path(folder), arguments.batch, arguments.repeats)
        waiting = wait_share(Path(folder), arguments.batch)
    results: dict[str, dict] = {name: compared(times, seconds[BASELINE]) for name, times in seconds.items()}
    for name in seconds.keys() - functions.keys():  # the time of processes that still run is not known
        results[name] = {key: results[name][key] for key in ("seconds", "times_as_fast")}
    size = mean_size(arguments.originals)
    print(f"originals: {size}")
    print(f"{'':40} {'images/s':>10} {'ratio':>7}  quartiles")
    for name, found in results.items():
        ratio, rate = found["times_as_fast"], arguments.batch / found["seconds"]["median"]
        between = f"{ratio['quartile_1']:.1f} to {ratio['quartile_3']:.1f}"
        print(f"{name:40} {rate:10,.0f} {ratio['median']:7.1f}  {between}")
    print(f"a training of code2012 waits {waiting:.1%} of its time for images")
    if arguments.json:
        settings = {"batch": arguments.batch, "repeats": arguments.repeats, "originals": size}
        content = {"environment": environment("cpu"), "settings": settings, "results": results}
        content["wait_share"] = waiting
        write_json(arguments.json, content)


if __name__ == "__main__":
    main()

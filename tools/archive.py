"""Count what the layer files of 2012 define: convolutional layers, GPUs, parameters.

`python -m tools.archive FOLDER --record data/records/archive-networks.json` reads `layers/layers-NET.cfg` of
a clone of the authors' archive (see `alexnet.lab_notes.ARCHIVE`). Sizes follow the archive's `layer.py`: the
last window may pass the edge.
"""

import argparse
import configparser
import time
from dataclasses import dataclass
from operator import floordiv
from pathlib import Path

from alexnet import lab_notes
from alexnet.storage import records

CROP = 224  # pixels; the files do not say, the data providers of the archive do
SAME = {"cmrnorm", "rnorm", "cnorm", "blur", "href", "hs"}  # as many outputs as inputs


@dataclass(frozen=True)
class Layer:
    """A layer of a file: shape of its output, parameters, most convolutions on a way from the image to it."""

    channels: int
    side: int
    parameters: int = 0
    convolutions: int = 0

    @property
    def size(self) -> int:
        """How many numbers it outputs for an image."""
        return self.channels * self.side**2


def numbers(section: configparser.SectionProxy, key: str, default: str = "") -> list[int]:
    """Return the integers of an entry, one for each input of the layer."""
    return [int(part) for part in section.get(key, default).split(",")]


def windows(side: int, width: int, stride: int, padding: int = 0) -> int:
    """Return how many windows of this width fit along a side, the last of which may pass the edge."""
    return 1 - (-(2 * padding + side - width) // stride)


def read_layer(section: configparser.SectionProxy, below: list[Layer]) -> Layer | None:
    """Return a layer, given those that it reads; None for costs and others that hold no parameters."""
    kind = section["type"]
    deepest = max((layer.convolutions for layer in below), default=0)
    if kind == "conv":
        ones, depths = "1" + ",1" * (len(below) - 1), section.get("filterChannels")
        filters, channels, widths = (numbers(section, key) for key in ("filters", "channels", "filterSize"))
        groups = numbers(section, "groups", ones)
        strides, paddings = numbers(section, "stride"), numbers(section, "padding")
        filters = [n * g for n, g in zip(filters, groups, strict=True)]  # the file gives them by group
        depths = numbers(section, "filterChannels") if depths else map(floordiv, channels, groups)
        weights = sum(n * d * w**2 for n, d, w in zip(filters, depths, widths, strict=True))
        side = windows(below[0].side, widths[0], strides[0], paddings[0])
        return Layer(filters[0], side, weights + filters[0], deepest + 1)
    if kind == "pool":
        side = windows(below[0].side, section.getint("sizeX"), section.getint("stride"))
        return Layer(below[0].channels, side, convolutions=deepest)
    if kind == "nailbed":
        side = -(-below[0].side // section.getint("stride"))
        return Layer(below[0].channels, side, convolutions=deepest)
    if kind == "fc":
        outputs = section.getint("outputs")
        return Layer(outputs, 1, outputs * (sum(layer.size for layer in below) + 1), deepest)
    if kind == "concat":
        return Layer(sum(layer.size for layer in below), 1, convolutions=deepest)
    if kind in SAME:
        return Layer(below[0].channels, below[0].side, convolutions=deepest)
    return None


def read_network(path: Path) -> dict:
    """Return what a layer file defines.

    Returns:
        layers: how many convolutional layers, those of all towers as one. path: the most convolutions on a
        way from the image to the output. gpus: how many the file names. parameters: weights and biases; None
        where the last layer is a tree of classes, which the archive lacks.
    """
    file = configparser.ConfigParser(inline_comment_prefixes=("#",), interpolation=None)
    file.optionxform = str  # names of entries stay as they are written
    file.read_string(path.read_text())
    layers = {"data": Layer(3, CROP)}
    for name in file.sections():
        inputs = file[name].get("inputs", "").replace(" ", "").split(",")
        if found := read_layer(file[name], [layers[one] for one in inputs if one in layers]):
            layers[name] = found
    trees = any(file[name]["type"] == "treefc" for name in file.sections())
    return {
        "layers": len({name.rstrip("abcd") for name in file.sections() if file[name]["type"] == "conv"}),
        "path": max(layer.convolutions for layer in layers.values()),
        "gpus": len({gpu for name in file.sections() for gpu in file[name].get("gpu", "0").split(",")}),
        "parameters": None if trees else sum(layer.parameters for layer in layers.values()),
    }


def main() -> None:
    """Read the archive and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a clone of the archive")
    parser.add_argument("--record", metavar="FILE", required=True, help="the .json file to write")
    options = parser.parse_args()
    files, started = sorted((options.folder / "layers").glob("layers-*.cfg")), time.monotonic()
    if not files:
        parser.error(f"{options.folder} has no layers/layers-*.cfg; clone {lab_notes.ARCHIVE} there")
    networks = {path.stem.removeprefix("layers-"): read_network(path) for path in files}
    records.Record(
        experiment=Path(options.record).stem,
        scale=f"the {len(networks)} layer files of the archive, counted without training",
        data={"source": lab_notes.ARCHIVE, "revision": lab_notes.REVISION},
        config={"crop": CROP},
        seeds=[],
        environment=records.environment(),
        seconds=round(time.monotonic() - started, 3),
        results=networks,
    ).save(options.record)


if __name__ == "__main__":
    main()

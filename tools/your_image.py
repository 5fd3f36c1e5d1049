"""Sphinx extension: what the page `your-image` needs to run the trained network in the reader's browser.

The build writes it beside the page as scripts, since a page that was opened from a file can load nothing
else: the network's weights with the list of its steps, and the images that the page offers. The page loads
each of them only when it is asked for. Its own scripts are in book/_assets/your-image.
"""

import base64
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from alexnet.data.loading import convert_to_image, load_image
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.prediction import load_classifier
from alexnet.figures import photographs, scenes
from alexnet.figures.encoding import encode_image
from alexnet.models.architecture import Layer
from alexnet.models.layers import Conv2d, Dropout, LocalResponseNorm, SpatialResponseNorm
from alexnet.storage import records, shipped
from alexnet.storage.safe import STATISTICS

NETWORK = "imagenette"
PAGE = "your-image"
FOLDER = "_static/your-image"  # in the built book
ASSETS = Path(__file__).resolve().parents[1] / "book" / "_assets"
# Loaded in this order, with the network, when the reader has chosen the first image.
ON_DEMAND = (
    "_static/vendor/tfjs/tf-core.es2017.min.js",
    "_static/vendor/tfjs/tf-backend-cpu.es2017.min.js",
    f"{FOLDER}/network.js",
    f"{FOLDER}/weights.js",
)
EXAMPLES = ("church", "golf ball", "cat", "coffee", "rocket")  # two drawn scenes, three photographs
THUMBNAIL = 96  # pixels of each side
COMMAND = f"alexnet predict {NETWORK} PHOTO"
PLACE = re.compile(r"<!-- your image: (\w+) -->")


def setup(app) -> dict[str, bool]:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("source-read", insert)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def insert(app, name: str, source: list[str]) -> None:
    """Write what depends on the network where comments of the page ask for it.

    Args:
        app: the application of Sphinx.
        name: of the page.
        source: its text, alone in a list.
    """
    if name == PAGE:
        values = parts()
        source[0] = PLACE.sub(lambda found: values[found[1]], source[0])


def parts() -> dict[str, str]:
    """Return what the page may ask for, by name."""
    classifier = load_classifier(NETWORK)
    side = classifier.net.config.input_size
    *names, last = classifier.names
    return {
        "opening": opening(classifier.image_size),
        "command": COMMAND,
        "examples": "\n".join(map(button, EXAMPLES)),
        "credits": credits(),
        "classes": f"{', '.join(names)} and {last}",
        "accuracy": f"{records.load(NETWORK).results['validations'][-1]['top1']:.1%}",
        "pixels": f"{side}×{side}",
        "megabytes": megabytes(),
    }


def opening(image_size: int) -> str:
    """Return the tag that the tool begins with, which tells the page's script what it must know at once."""
    told = {
        "scripts": " ".join(ON_DEMAND),
        "megabytes": megabytes(),
        "image-size": image_size,
        "command": COMMAND,
    }
    attributes = " ".join(f'data-{name}="{value}"' for name, value in told.items())
    return f'<div class="your-image" data-your-image {attributes}>'


def megabytes() -> str:
    """Return the size of what is loaded for the first image."""
    ours = sum((ASSETS / name.removeprefix("_static/")).stat().st_size for name in ON_DEMAND[:-1])
    return f"{(ours + len(scripts()['weights.js'])) / 1e6:.1f}"


def button(name: str) -> str:
    """Return the button of an example, with the centre of it."""
    image = encode_image(load_image(load_example(name), THUMBNAIL))
    shows = f"{name}, drawn" if name in scenes.names() else name
    return (
        f'<button type="button" data-example="{name}" data-script="{FOLDER}/{name_script(name)}">'
        f'<img src="{image.uri}" width="{THUMBNAIL}" height="{THUMBNAIL}" alt="{shows}">'
        f'<span aria-hidden="true">{name}</span></button>'
    )


def credits() -> str:
    """Return the sentence that says where the examples come from."""
    drawn = " and ".join(name for name in EXAMPLES if name in scenes.names())
    taken = "; ".join(photographs.credit(name) for name in EXAMPLES if name in photographs.names())
    return f"*{drawn.capitalize()} are drawn; {taken}.*"


def add_scripts(app, name: str, template: str, context: dict, doctree) -> None:
    """Let the page, and no other one, load its own scripts; the arguments are Sphinx's."""
    if name == PAGE:
        for script in ("pixels.js", "page.js"):
            app.add_js_file(f"your-image/{script}", loading_method="defer")
        app.add_css_file("your-image/page.css")


def write(app, exception: Exception | None) -> None:
    """Write the scripts with the network and with the images, when the pages are finished.

    Args:
        app: the application of Sphinx.
        exception: what ended the build, if anything did.
    """
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in scripts().items():
        (folder / name).write_text(text, encoding="utf-8")


@cache
def scripts() -> dict[str, str]:
    """Return the scripts that hold data, by the names of their files."""
    bytes_ = shipped.path(NETWORK).read_bytes()
    network = {"description": description(load_classifier(NETWORK)), "bytes": encoded(bytes_)}
    texts = {"weights.js": f"yourImage.network = {json.dumps(network)};\n"}
    for name in EXAMPLES:
        example = json.dumps(encoded(encode_example(name)))
        texts[name_script(name)] = f"(yourImage.examples ??= {{}})[{json.dumps(name)}] = {example};\n"
    return texts


def name_script(name: str) -> str:
    """Return the name of the script with an example."""
    return f"{name.replace(' ', '-')}.js"


def encoded(content: bytes) -> str:
    """Return bytes as text of base64."""
    return base64.b64encode(content).decode()


def encode_example(name: str) -> bytes:
    """Return an example as a PNG, whose pixels every browser reads alike."""
    data = io.BytesIO()
    convert_to_image(load_example(name)).save(data, "png", optimize=True)
    return data.getvalue()


def load_example(name: str) -> Tensor:
    """Return an example, (3, H, W) uint8."""
    return scenes.load(name) if name in scenes.names() else photographs.load(name)


def description(classifier: Classifier) -> dict[str, Any]:
    """Return what the page's script must know of a network besides its weights, ready for JSON.

    Args:
        classifier: the trained network.
    Returns:
        the classes, the sizes of images, the name of the mean image among the weights, and the steps in the
        order of computation, each with its ``kind`` and the constants that it needs.
    Raises:
        ValueError: a layer is of a kind that the page's script cannot compute.
    """
    layers = {layer.name: layer for layer in classifier.net.layers}
    return {
        "names": list(classifier.names),
        "imageSize": classifier.image_size,
        "inputSize": classifier.net.config.input_size,
        "mean": f"{STATISTICS}mean_image",
        "steps": [
            {"name": name, **step}
            for name, module in classifier.net.named_children()
            for step in yield_steps(name, module, layers.get(name))
        ],
    }


def yield_steps(name: str, module: nn.Module, layer: Layer | None) -> Iterator[dict[str, Any]]:
    """Yield the step that a module is, none for one that does nothing at test.

    Args:
        name: of the module.
        module: a child of the network.
        layer: its entry in the table of layers, if it has one.
    Raises:
        ValueError: the page's script cannot compute it.
    """
    match module:
        case Conv2d():
            sides = module.sides or (module.padding[0],) * 4
            yield {"kind": "conv", "stride": module.stride[0], "padding": sides, "groups": module.groups}
        case LocalResponseNorm():
            yield {"kind": "norm"} | channel_constants(name, **module.constants)
        case SpatialResponseNorm():
            yield {"kind": "spatial"} | pixel_constants(**module.constants)
        case nn.MaxPool2d():
            window, stride = module.kernel_size, module.stride
            end = (layer.out_size - 1) * stride + window
            yield {"kind": "pool", "size": window, "stride": stride, "beyond": max(end - layer.in_size, 0)}
        case nn.ReLU():
            yield {"kind": "relu"}
        case nn.Flatten():
            yield {"kind": "flatten"}
        case nn.Linear():
            yield {"kind": "dense"}
        case Dropout():
            if not module.inverted:
                yield {"kind": "scale", "by": 1 - module.p}
        case _:
            raise ValueError(f"the page {PAGE} cannot compute {name}, {type(module).__name__}")


def channel_constants(name: str, *, n: int, alpha: float, divide_alpha: bool, **rest) -> dict[str, Any]:
    """Return the constants of a normalisation across channels as TensorFlow.js wants them.

    Raises:
        ValueError: its window has an even number of channels.
    """
    if n % 2 == 0:
        raise ValueError(
            f"the page {PAGE} cannot compute {name}: TensorFlow.js has no window of {n} channels"
        )
    return rest | {"radius": n // 2, "alpha": alpha / n if divide_alpha else alpha}


def pixel_constants(*, size: int, alpha: float, divide_alpha: bool, **rest) -> dict[str, Any]:
    """Return the constants of a normalisation over pixels, alpha being the factor of the sum."""
    return rest | {"size": size, "alpha": alpha / size**2 if divide_alpha else alpha}

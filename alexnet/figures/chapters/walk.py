"""A walk through a trained network: an image, every layer's feature maps, receptive fields, examples."""

import base64
import hashlib
import html
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from alexnet.data.loading import convert_to_image, load_image
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.prediction import predict
from alexnet.evaluation.responses import Place, fields, responses, strongest
from alexnet.figures import photographs, scenes, style
from alexnet.figures.encoding import encode_image
from alexnet.figures.sliders.static import (
    LABEL_STYLE,
    RADIOS,
    UNSEEN_STYLE,
    choice,
    in_script,
    read_script,
)

TOP = 4  # photographs shown for each map
SEARCHED_SIDE = 168  # shorter side in pixels of the photographs that are searched
ENLARGED = 3  # CSS pixels for each pixel that the network reads
FIRST = 2  # conv2, the layer shown first
LEVELS = 16  # of grey in a mosaic
NONE = 255  # instead of a photograph: no photograph activates the unit
SCRIPT = ("alexnet.figures.chapters", "walk.js")
COLUMNS = {96: 12, 128: 16, 192: 16, 768: 32}  # of a mosaic, by the number of its maps
FRAME_STYLE = "position:absolute;box-sizing:border-box;pointer-events:none;border:2px solid #E69F00"


def walk(classifier: Classifier, names: Sequence[str], *, number: str | None = None) -> style.Shown:
    """Let the reader send images through a network and see every layer, map and unit, without a kernel.

    Args:
        classifier: the trained network.
        names: of the images to choose from, free photographs or drawn scenes; what excites a map is looked
            for in all of `photographs`.
        number: of the figure, as in `figures.show`.
    """
    spec = {
        "input": classifier.net.config.input_size,
        "top": TOP,
        "start": {"photograph": 0, "layer": FIRST} | brightest(classifier, names[0]),
        "photographs": [seen_by(classifier, name) for name in names],
        "searched": [searched(name, classifier) for name in photographs.names()],
        "layers": layers(classifier),
    }
    script = read_script(*SCRIPT)
    ident = hashlib.sha256((in_script(spec["start"]) + script).encode()).hexdigest()[:12]
    alt = (
        f"An image ({', '.join(names)}), the feature maps of every layer of a trained network, the receptive "
        "field of a chosen unit, and the patches of free photographs that activate its feature map most."
    )
    credits = "; ".join(photographs.credit(name) for name in photographs.names())
    caption = (
        "From layer to layer the receptive field grows and the feature maps shrink. A trained network. "
        "Black: zero; white: the largest activation of the layer; brightness follows the square "
        f"root. The frame on the image is the receptive field of the chosen unit. Photographs: {credits}."
    )
    parts = [
        choice("photograph", "image", names, spec["start"]["photograph"]),
        choice("layer", "layer", [layer["name"] for layer in spec["layers"]], spec["start"]["layer"]),
        '<div data-part="hint" style="font-size:.85em">Run this cell to use the controls.</div>',
        view(spec, html.escape(alt)),
        f'<div data-part="spoken" aria-live="polite" style="{UNSEEN_STYLE}"></div>',
        style.caption_tag(html.escape(caption), number),
        f'<script type="application/json" data-part="spec">{in_script(spec)}</script>',
        f'<script>({script})("{ident}", {read_script(*RADIOS)});</script>',
    ]
    opening = (
        f'<figure class="alexnet-figure"{style.anchor(number)} data-walk="{ident}" '
        'data-lm-suppress-shortcuts="true" style="margin:0 0 1em;position:relative">'
    )
    return style.Shown(f"{opening}{''.join(parts)}</figure>", alt)


def image_named(name: str) -> Tensor:
    """Return a drawn scene or a photograph, (3, height, width) uint8."""
    return scenes.load(name) if name in scenes.names() else photographs.load(name)


def brightest(classifier: Classifier, name: str) -> dict[str, int]:
    """Return the most active map of the layer shown first, and its largest unit's row and column."""
    maps = list(responses(classifier.net, classifier.transforms(image_named(name))).values())[FIRST]
    chosen = int(maps.mean((1, 2)).argmax())
    row, column = divmod(int(maps[chosen].argmax()), maps.shape[2])
    return {"map": chosen, "row": row, "column": column}


def seen_by(classifier: Classifier, name: str) -> dict:
    """Return the page's data of an image: itself, the network's prediction, a mosaic for each layer."""
    photograph = image_named(name)
    size, stored = classifier.net.config.input_size, classifier.image_size
    fine = load_image(photograph, ENLARGED * stored)
    edge = ENLARGED * ((stored - size) // 2)
    fine = fine[:, edge : edge + ENLARGED * size, edge : edge + ENLARGED * size]
    maps = responses(classifier.net, classifier.transforms(photograph))
    (answers,) = predict(classifier, [photograph], top=3)
    said = ", ".join(f"{what} {share:.0%}" for what, share in answers)
    return {
        "image": encode_image(fine).uri,
        "shows": f"{name}, drawn." if name in scenes.names() else f"{photographs.credit(name)}.",
        "answer": f"Prediction, out of ten classes: {said}.",
        "mosaics": [mosaic(maps[layer] if layer != "fc8" else maps[layer].softmax(0)) for layer in maps],
    }


def mosaic(maps: Tensor) -> str:
    """Draw the feature maps (C, H, W) of a layer as a PNG, a pixel for each unit; return its data URI."""
    count, height, width = maps.shape
    columns, gap = COLUMNS.get(count, count), int(width > 1)
    levels = (maps.clamp(min=0) / maps.max().clamp(min=1e-12)).sqrt() * (LEVELS - 1)
    tiles = np.zeros((-(-count // columns) * columns, height + gap, width + gap), dtype=np.uint8)
    tiles[:count, :height, :width] = levels.round().numpy()
    rows = tiles.reshape(-1, columns, height + gap, width + gap).swapaxes(1, 2)
    image = Image.fromarray(rows.reshape(-1, columns * (width + gap)), "P")
    image.putpalette([level * 255 // (LEVELS - 1) for level in range(LEVELS) for _ in range(3)])
    data = io.BytesIO()
    image.save(data, "png", bits=4, optimize=True)
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def searched_image(name: str) -> Tensor:
    """Return a photograph, (3, height, width) uint8, at the scale of the search."""
    image = convert_to_image(photographs.load(name))
    share = SEARCHED_SIDE / min(image.size)
    size = (round(image.width * share), round(image.height * share))
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def searched(name: str, classifier: Classifier) -> dict:
    """Return the page's data of a photograph that is searched; dense units see its centre."""
    image = searched_image(name)
    height, width = image.shape[1:]
    side = round(SEARCHED_SIDE * classifier.net.config.input_size / classifier.image_size)
    return {
        "image": encode_image(image).uri,
        "shows": photographs.credit(name),
        "height": height,
        "width": width,
        "centre": [(height - side) // 2, (width - side) // 2, side, side],
    }


def layers(classifier: Classifier) -> list[dict]:
    """Return the page's data of each layer: size of its mosaic, receptive fields, strongest activations."""
    config = classifier.net.config
    images = [searched_image(name) for name in photographs.names()]
    found = strongest(classifier, images, TOP)
    sizes = {layer.name: (layer.out_channels, layer.out_size) for layer in classifier.net.layers}
    described = []
    for name, field in fields(config).items():
        maps, size = sizes[name]
        layer = {"name": name, "maps": maps, "size": size, "gap": int(size > 1), "field": list(field)}
        layer |= {
            "columns": COLUMNS.get(maps, maps),
            "whole": name.startswith("fc"),
            "tops": coded(found[name]),
        }
        described.append(layer | ({"names": list(classifier.names)} if name == "fc8" else {}))
    return described


def coded(units: Sequence[Sequence[Place]]) -> str:
    """Write photograph, row and column of the strongest activations as base64, three bytes each."""
    places = [place for unit in units for place in unit]
    rows = [(place[:3] if place.value > 0 else (NONE, 0, 0)) for place in places]
    return base64.b64encode(bytes(number for row in rows for number in row)).decode()


def view(spec: dict, alt: str) -> str:
    """The photograph beside the enlarged map, the mosaic and the patches; the script sets positions."""
    side, first = ENLARGED * spec["input"], spec["photographs"][0]
    maps = first["mosaics"][spec["start"]["layer"]]
    image_style = "display:block;width:100%;height:auto;margin:0;filter:none;image-rendering:pixelated"
    dim = "box-shadow:0 0 0 999px rgba(0,0,0,.45)"
    photograph = (
        f'<div style="flex:0 1 {side}px;min-width:0"><div style="position:relative;overflow:hidden">'
        f'<img data-part="photograph" alt="{html.escape(first["shows"])}" src="{first["image"]}" '
        f'width="{side}" style="{image_style}">'
        f'<div data-part="field" style="{FRAME_STYLE};{dim}"></div></div>'
        f'<div data-part="answer" style="font-size:.85em">{html.escape(first["answer"])}</div></div>'
    )
    enlarged = (
        '<div><div data-part="enlarged" style="position:relative;width:230px;height:230px;cursor:crosshair;'
        'touch-action:none;background-color:#000;background-repeat:no-repeat;image-rendering:pixelated">'
        f'<div data-part="unit" style="{FRAME_STYLE}"></div></div>'
        f"{''.join(slider(name) for name in ('map', 'row', 'column'))}</div>"
    )
    mosaics = (
        '<div style="position:relative;overflow:hidden;max-width:576px;cursor:pointer;background:#000">'
        f'<img data-part="mosaic" alt="all feature maps" src="{maps}" width="576" style="{image_style}">'
        f'<div data-part="chosen" style="{FRAME_STYLE};margin:-1px"></div></div>'
    )
    tops = "".join(
        '<div data-top role="img" aria-label="a patch" style="background-repeat:no-repeat"></div>'
        for _ in range(TOP)
    )
    return (
        f'<div data-part="view" role="group" aria-label="{alt}" style="{style.ROW_STYLE};align-items:start">'
        f'{photograph}{enlarged}</div><p data-part="said" style="margin:.4em 0"></p>{mosaics}'
        '<p style="margin:.6em 0 .3em;font-size:.85em">What activates this map most in ten photographs:'
        '<span data-part="none" hidden> nothing does</span></p>'
        f'<div style="{style.ROW_STYLE};min-height:84px">{tops}</div>'
    )


def slider(name: str) -> str:
    """One labelled range input; the script gives it its end."""
    return (
        f'<label style="{LABEL_STYLE};flex-wrap:nowrap"><span style="min-width:4em">{name}</span><input '
        f'type="range" data-part="{name}" min="0" max="0" value="0" step="1" disabled autocomplete="off" '
        'aria-valuetext="0" style="flex:1 1 6em;min-width:0"><span aria-hidden="true" style="min-width:2em">0'
        "</span></label>"
    )

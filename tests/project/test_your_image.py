"""What the build gives to the page `your-image`, and what its scripts compute, without a browser."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from py_mini_racer import MiniRacer
from safetensors.torch import save
from torch import nn

from alexnet import net_config
from alexnet.data.images import resize_and_crop
from alexnet.data.statistics import Statistics
from alexnet.evaluation.classifier import Classifier
from alexnet.models import AlexNet
from alexnet.storage import shipped
from tools import your_image

PAGE = Path(__file__).resolve().parents[2] / "book" / "your-image.md"
# What a browser has and the bare engine lacks. TensorFlow.js tries WebAssembly, which waits for ever there.
BROWSER = """
delete globalThis.WebAssembly;
var self = globalThis, window = globalThis, performance = Date;
"""
PLATFORM = "tf.setPlatform('test', { isTypedArray: ArrayBuffer.isView, now: Date.now }); 0"
SIZES = [(112, 112), (113, 112), (37, 211), (301, 127), (1, 5), (225, 114), (90, 701)]


@pytest.fixture(scope="module")
def engine() -> MiniRacer:
    """An engine with the runtime and the page's scripts that need no page."""
    engine = MiniRacer()
    engine.eval(BROWSER)
    for name in your_image.ON_DEMAND[:-1]:
        engine.eval((your_image.ASSETS / name.removeprefix("_static/")).read_text(encoding="utf-8") + ";0")
    engine.eval(PLATFORM)
    engine.eval((your_image.ASSETS / "your-image" / "pixels.js").read_text(encoding="utf-8"))
    return engine


def give(engine: MiniRacer, name: str, content: bytes) -> None:
    """Make bytes a Uint8Array of that name."""
    text = json.dumps(content.decode("latin-1"))
    engine.eval(f"var {name} = Uint8Array.from({text}, (c) => c.charCodeAt(0)); 0")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_script_scales_and_crops_as_the_package_does(engine, width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    give(engine, "rgba", pixels.tobytes())
    rows = f"(top, count) => rgba.subarray(top * {width} * 4, (top + count) * {width} * 4)"
    script = f"JSON.stringify([...yourImage.resizeAndCrop({rows}, {width}, {height}, 112)])"
    expected = np.asarray(resize_and_crop(Image.fromarray(pixels[..., :3].copy()), 112))
    np.testing.assert_array_equal(json.loads(engine.eval(script)), expected.ravel())


def test_the_script_reads_numbers_of_half_precision(engine):
    every = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    give(
        engine,
        "file",
        save({"halves": every, "floats": torch.tensor([[1.5, -2.0]]), "count": torch.tensor(3)}),
    )
    read = json.loads(
        engine.eval("""JSON.stringify(yourImage.readTensors(file), (_, value) =>
        value instanceof Float32Array ? [...value].map((x) => (isFinite(x) ? x : String(x))) : value)""")
    )
    assert read["floats"] == {"shape": [1, 2], "values": [1.5, -2.0]} and "count" not in read
    values = np.array([float(value) for value in read["halves"]["values"]])
    np.testing.assert_array_equal(values, every.double().numpy())


def make_classifier(**changes) -> Classifier:
    """A small network with random weights, whose normalisations change its activations by far."""
    options = {"conv_channels": (8, 12, 8, 8, 4), "dense_units": (6, 10), "num_classes": 3, "input_size": 99}
    loud = {
        "dropout": 0.3,
        "lrn_k": 1.5,
        "lrn_alpha": 0.3,
        "lrn_beta": 0.6,
        "weight_std": 0.05,
        "conv3_5_weight_std": 0.05,
        "std_by_fan_in": True,
    }
    config = replace(net_config("paper"), **options | loud | changes)
    generator = torch.Generator().manual_seed(0)
    net = AlexNet(config, generator=generator).eval().requires_grad_(False)
    if config.spatial_norm:
        net.spatial_norm2.constants["alpha"] = 3.0
    mean_image = 255 * torch.rand(3, config.input_size + 5, config.input_size + 5, generator=generator)
    statistics = Statistics(
        mean_image=mean_image,
        pca_stds=torch.ones(3),
        pca_vectors=torch.eye(3),
        num_images=1,
        fingerprint="",
    )
    names = tuple("abc")
    return Classifier(name="x", net=net, classes=names, names=names, statistics=statistics, mean="centre")


VARIANTS = {
    "printed": {},
    "2012": {
        "norm1_before_relu": True, "spatial_norm": True, "lrn_divide_alpha": True, "lrn_per_tower": True,
    },
    "one tower": {"towers": 1, "lrn": False, "rounding": "floor", "dropout_inverted": True},
    "zeros on two sides, pools over the edge": {"input_size": 100, "lrn_n": 3, "pool_size": 4},
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_the_script_computes_what_the_package_does(engine, name):
    classifier = make_classifier(**VARIANTS[name])
    size = classifier.image_size
    pixels = torch.randint(
        256, (3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    weights = classifier.net.state_dict() | {"statistics.mean_image": classifier.statistics.mean_image}
    give(engine, "file", save(weights))
    give(engine, "pixels", pixels.permute(1, 2, 0).contiguous().numpy().tobytes())
    engine.eval(f"""var found = null;
        yourImage.makeNetwork({json.dumps(your_image.description(classifier))}, file).then(
            (ask) => {{ found = ask(pixels); found.first.values = [...found.first.values]; }},
            (error) => {{ found = {{ error: error.stack }}; }}); 0""")
    found = json.loads(engine.eval("JSON.stringify(found)"))
    (x,) = classifier.views(pixels[None])
    expected = classifier.net(x)[0]
    first = classifier.net.conv1(x)[0].permute(1, 2, 0)
    near = {"rtol": 1e-4, "atol": 1e-4 * expected.abs().max().item()}
    torch.testing.assert_close(torch.tensor(found["logits"], dtype=torch.float32), expected, **near)
    torch.testing.assert_close(
        torch.tensor(found["probabilities"], dtype=torch.float32), expected.softmax(0), rtol=1e-4, atol=1e-6
    )
    assert (found["first"]["size"], found["first"]["count"]) == (first.shape[0], 8)
    torch.testing.assert_close(
        torch.tensor(found["first"]["values"], dtype=torch.float32), first.flatten(), rtol=1e-4, atol=1e-2
    )


def test_layers_that_the_script_cannot_compute_are_named():
    with pytest.raises(ValueError, match="norm1: TensorFlow.js has no window of 4 channels"):
        your_image.description(make_classifier(lrn_n=4))
    with pytest.raises(ValueError, match="cannot compute strange, Tanh"):
        list(your_image.yield_steps("strange", nn.Tanh(), None))


@pytest.mark.slow
def test_the_build_writes_the_network_that_ships_and_the_examples(tmp_path):
    class App:
        outdir = tmp_path
        builder = type("Builder", (), {"format": "html"})

    your_image.write(App, RuntimeError("the build failed"))
    assert not list(tmp_path.iterdir())
    your_image.write(App, None)
    engine = MiniRacer()
    engine.eval("var yourImage = {};")
    for path in (tmp_path / your_image.FOLDER).iterdir():
        engine.eval(path.read_text(encoding="utf-8") + "0")
    written = json.loads(engine.eval("JSON.stringify(yourImage)"))
    assert base64.b64decode(written["network"]["bytes"]) == shipped.path("imagenette").read_bytes()
    names = written["network"]["description"]["names"]
    assert names[0] == "tench" and len(names) == 10  # the page says how many
    assert set(written["examples"]) == set(your_image.EXAMPLES)
    for name, content in written["examples"].items():
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        np.testing.assert_array_equal(image.transpose(2, 0, 1), your_image.load_example(name))


def test_the_page_is_given_all_that_it_asks_for_and_no_other_page_is():
    text = PAGE.read_text(encoding="utf-8")
    source = [text]
    your_image.insert(None, "index", source)
    assert source == [text]
    your_image.insert(None, "your-image", source)
    assert set(your_image.PLACE.findall(text)) == set(your_image.parts()) and "<!--" not in source[0]
    assert "tench, English springer" in source[0] and source[0].count("<button") == len(your_image.EXAMPLES)


def test_the_runtime_is_small_and_comes_with_its_licence():
    folder = your_image.ASSETS / "vendor" / "tfjs"
    told = (folder / "README.md").read_text(encoding="utf-8")
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    scripts = list(folder.glob("*.js"))
    assert [f"_static/vendor/tfjs/{path.name}" in your_image.ON_DEMAND for path in scripts] == [True, True]
    assert all(path.name in told for path in scripts) and sum(path.stat().st_size for path in scripts) < 1.5e6
    texts = "".join(path.read_text(encoding="utf-8") for path in scripts)
    version = told.removeprefix("TensorFlow.js ").partition(",")[0]
    assert f'version_core="{version}"' in texts and f'version_cpu="{version}"' in texts

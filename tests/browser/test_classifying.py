"""The page that classifies the reader's own image, in a browser that may read no file beside the page."""

import base64
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from alexnet import load_classifier
from alexnet.data.loading import load_image
from tests.browser.conftest import PAGES, Opened, missing
from tools import your_image

NAME = "your-image"
SAID = '[data-part="said"]'
DONE = """() => !document.querySelector('[data-part="result"]').hidden
    || document.querySelector('.your-image-problem')"""
CHURCH = "document.querySelector('[data-part=\"said\"]').textContent.startsWith('church: ')"
RESULT = """() => ({ pixels: [...yourImage.last.pixels], logits: yourImage.last.logits,
    probabilities: yourImage.last.probabilities })"""
GIVE = """([kind, name, type, content]) => {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    if (name) data.items.add(new File([bytes], name, { type }));
    const how = { bubbles: true, cancelable: true };
    const event = kind === "drop" ? new DragEvent("drop", { ...how, dataTransfer: data })
        : new ClipboardEvent("paste", { ...how, clipboardData: data });
    document.querySelector("[data-your-image]").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def strict(launch):
    """Chromium as readers have it: a page that was opened from a file may read no other file."""
    return launch()


@pytest.fixture(scope="module")
def page(strict):
    """The page, opened from its file, with its network loaded by the first of the tests."""
    opened = Opened(strict, NAME, viewport={"width": 1200, "height": 900})
    yield opened
    assert opened.errors == [] and opened.elsewhere == []
    opened.context.close()


@pytest.fixture(scope="module")
def classifier():
    return load_classifier("imagenette")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def smooth(width: int, height: int, channels: int) -> np.ndarray:
    """A few waves of every colour: (height, width, channels) uint8."""
    y, x, c = np.mgrid[:height, :width, :channels].astype(float)
    waves = np.sin(x / 17 + c) + np.cos(y / 11 - 2 * c) + np.sin((x + 2 * y) / 29 + c)
    return np.clip(128 + 60 * waves, 0, 255).astype(np.uint8)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    return encoded(Image.fromarray(smooth(300, 181, 3)), "jpeg", quality=95, exif=exif.tobytes())


def with_gamma() -> bytes:
    """An image that asks to be shown brighter, which the package ignores."""
    information = PngInfo()
    information.add(b"gAMA", (100_000).to_bytes(4, "big"))
    return encoded(Image.fromarray(smooth(200, 150, 3)), "png", pnginfo=information)


# Each with how far a pixel may differ: a canvas rounds transparency its own way, and JPEGs are decoded with
# rounding of the decoder's choice.
FILES = {
    "odd.png": (lambda: encoded(noise(301, 127), "png"), 0),
    "large.png": (lambda: encoded(noise(613, 1201), "png", compress_level=1), 0),
    "tiny.png": (lambda: encoded(noise(3, 5), "png"), 0),
    "transparent.png": (lambda: encoded(Image.fromarray(smooth(150, 131, 4)), "png"), 2),
    "grey.png": (lambda: encoded(Image.fromarray(smooth(140, 230, 1)[..., 0]), "png"), 0),
    "gamma.png": (with_gamma, 0),
    "turned.jpg": (turned, 4),
    "picture.webp": (lambda: encoded(noise(99, 250), "webp", lossless=True), 0),
}


def give(page: Opened, kind: str, name: str, content: bytes) -> None:
    """Choose, drop or paste a file, and wait until the page has answered."""
    if kind == "choose":
        file = {"name": name, "mimeType": "", "buffer": content}
        page.tab.set_input_files('[data-part="file"]', file)
    else:
        page.run(GIVE, [kind, name, "image/png", base64.b64encode(content).decode()])
    page.tab.wait_for_function(DONE)


def check(page: Opened, classifier, content: bytes, name: str, most: int) -> None:
    """Compare what the page has computed with the package."""
    found = page.run(RESULT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        pixels = load_image(path, classifier.image_size)
    there = torch.tensor(found["pixels"], dtype=torch.uint8).reshape(pixels.shape[1], pixels.shape[2], 3)
    there = there.permute(2, 0, 1)
    assert (there.int() - pixels.int()).abs().max() <= most
    (x,) = classifier.views(there[None])
    logits = classifier.net(x)[0]
    torch.testing.assert_close(torch.tensor(found["logits"]), logits, rtol=1e-3, atol=1e-3)
    shares = torch.tensor(found["probabilities"], dtype=torch.float32)
    torch.testing.assert_close(shares, logits.softmax(0), rtol=1e-3, atol=1e-6)
    (x,) = classifier.views(pixels[None])
    torch.testing.assert_close(
        shares, classifier.net(x)[0].softmax(0), rtol=0, atol=1e-3 if most == 0 else 0.05
    )
    best = shares.topk(5)
    bars = [row.split() for row in page.tab.locator('[data-part="bars"] tr').all_inner_texts()]
    assert [" ".join(words[:-1]) for words in bars] == [classifier.names[k] for k in best.indices]
    assert [words[-1] for words in bars] == [f"{100 * share:.1f}%" for share in best.values]
    assert page.tab.inner_text(SAID).startswith(f"{name}: {classifier.names[best.indices[0]]}, ")


def on_demand(page: Opened) -> list[str]:
    """What the page has loaded of that which waits for an image."""
    names = {path.rpartition("/")[2] for path in your_image.ON_DEMAND}
    return [name for name in (address.rpartition("/")[2] for address in page.asked) if name in names]


@pytest.mark.parametrize("start", ["file", "http"])
def test_a_photograph_of_the_book_is_classified_as_by_the_package(strict, served, classifier, start):
    page = Opened(strict, NAME, start=served if start == "http" else PAGES.as_uri())
    assert on_demand(page) == []
    page.tab.get_by_role("button", name="cat").click()
    page.tab.wait_for_function(DONE)
    check(page, classifier, your_image.encode_example("cat"), "cat", 0)
    assert on_demand(page) == [path.rpartition("/")[2] for path in your_image.ON_DEMAND]
    assert page.errors == [] and page.elsewhere == []
    page.context.close()


@pytest.mark.parametrize("name", FILES)
def test_an_image_of_the_reader_is_classified_as_by_the_package(page, classifier, name):
    make, most = FILES[name]
    content = make()
    give(page, "choose", name, content)
    check(page, classifier, content, name, most)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_images_may_be_dropped_and_pasted(page, classifier, kind):
    content = encoded(noise(120, 130), "png")
    give(page, kind, f"{kind}.png", content)
    check(page, classifier, content, f"{kind}.png", 0)


def test_nothing_is_asked_for_when_an_image_is_classified(page):
    give(page, "choose", "first.png", FILES["tiny.png"][0]())
    before = list(page.asked)
    give(page, "choose", "second.png", FILES["odd.png"][0]())
    assert page.asked == before


def test_what_is_no_image_is_refused_with_a_sentence(page):
    give(page, "choose", "notes.txt", b"no image at all")
    said = page.tab.inner_text(SAID)
    assert said.startswith("notes.txt is no image that this browser reads; JPEG, PNG and WebP files work.")
    assert page.tab.locator('[data-part="result"]').is_hidden()
    whole = FILES["odd.png"][0]()
    give(page, "choose", "half.png", whole[:40])
    assert page.tab.inner_text(SAID).startswith("half.png is no image that this browser reads")
    give(page, "drop", "", b"")
    assert page.tab.inner_text(SAID).startswith("Only files can be dropped here")
    give(page, "choose", "odd.png", whole)
    assert page.tab.inner_text(SAID).startswith("odd.png: ")


def test_too_large_a_file_is_refused(page):
    sentence = page.run("""async () => {
        const file = new File([new Uint8Array(100e6 + 1)], "large.tif");
        return yourImage.readImage(file, 112).catch((error) => error.message);
    }""")
    assert sentence == "large.tif has 100 million bytes; this page reads up to 100 million."


def test_a_runtime_that_does_not_load_is_named_and_may_be_tried_again(strict, served):
    page = Opened(strict, NAME, start=served)
    page.tab.route("**/tf-core*", lambda route: route.abort())
    page.tab.get_by_role("button", name="church").click()
    page.tab.wait_for_function(DONE)
    said = page.tab.inner_text(SAID)
    assert said.startswith("The network cannot run in this browser: ") and "tf-core" in said
    assert "alexnet predict imagenette PHOTO" in said
    page.tab.unroute("**/tf-core*")
    page.tab.get_by_role("button", name="church").click()
    page.tab.wait_for_function(CHURCH)
    page.context.close()


def test_an_image_that_still_waits_says_nothing_about_the_next_one(strict, served):
    page = Opened(strict, NAME, start=served)
    held = []
    page.tab.route("**/weights.js", lambda route: held.append(route))
    with page.tab.expect_request("**/weights.js"):
        page.tab.get_by_role("button", name="church").click()
    page.run("""(() => {
        const { makeNetwork } = yourImage;
        yourImage.makeNetwork = async (...given) => {
            const ask = await makeNetwork(...given);
            setTimeout(() => { window.isMade = true; }, 300); // when the church would have its say
            return ask;
        };
    })()""")
    give(page, "choose", "notes.txt", b"no image at all")
    held[0].continue_()
    page.tab.wait_for_function("window.isMade")
    assert page.tab.inner_text(SAID).startswith("notes.txt is no image")
    assert page.tab.locator('[data-part="progress"]').is_hidden()
    page.context.close()


def test_the_keyboard_suffices_for_the_tool(page):
    page.run("""document.querySelector('[data-part="file"]').addEventListener("click", (event) => {
        event.preventDefault(); // instead of the dialog
        window.asks = true;
    })""")
    page.tab.locator('[data-part="file"]').focus()
    page.tab.keyboard.press("Space")
    page.tab.wait_for_function("window.asks")
    page.tab.keyboard.press("Tab")
    assert page.run("document.activeElement.dataset.example") == your_image.EXAMPLES[0]
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_function(CHURCH)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_beside_a_result(chapter, theme):
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe is not installed: pip install --group browser")
    page = chapter(NAME)
    page.run("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    give(page, "choose", "odd.png", FILES["odd.png"][0]())
    found = Axe().run(page.tab).response["violations"]
    assert [(rule["id"], [node["html"][:80] for node in rule["nodes"]][:3]) for rule in found] == []


@pytest.mark.parametrize("width", [360, 390, 1200])
def test_a_result_does_not_scroll_sideways(page, width):
    page.tab.set_viewport_size({"width": width, "height": 900})
    assert page.run("document.documentElement.scrollWidth - window.innerWidth") <= 0


@pytest.mark.parametrize("reader", ["without scripts", "on paper"])
def test_the_command_stands_where_the_tool_cannot_work(strict, reader):
    page = Opened(strict, NAME, java_script_enabled=reader == "on paper")
    if reader == "on paper":
        assert page.tab.locator(".your-image-elsewhere").is_hidden()
        page.tab.emulate_media(media="print")
    assert (
        page.tab.locator(".your-image-elsewhere")
        .inner_text()
        .endswith("alexnet predict imagenette PHOTO does the same.")
    )
    assert page.tab.locator('[data-part="tool"]').is_hidden()
    page.context.close()

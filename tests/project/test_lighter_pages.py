"""What pages load later, or not at all."""

import base64
import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from tools import lighter_pages

THEME = pytest.importorskip("pydata_sphinx_theme", reason="the book is not installed").__path__[0]
DESIGN = '<link rel="stylesheet" href="_static/sphinx-design.min.css?v=6" />'
TABS = '<script data-sd-tabs-storage-prefix="tab-" src="_static/design-tabs.js?v=f"></script>'


def png(width: int, height: int) -> str:
    """An image, inside its address, that noise keeps from being small."""
    data = io.BytesIO()
    Image.effect_noise((width, height), 90).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def test_images_become_files_that_wait_and_keep_their_room(tmp_path):
    first, second = png(80, 40), png(60, 60)
    page = f'<div class="cell x"><img alt="A" src="{first}" width="160" style="height:auto">'
    page += f'<script>["{second}", "{first}"]</script>'
    light = lighter_pages.lighten(page, tmp_path)
    assert "base64" not in light and light.count("_images/") == 3
    assert re.search(
        r'<img alt="A" src="_images/\w{16}\.png" width="160" .*? height="80" loading="lazy">', light
    )
    for address, original in zip(re.findall(r"_images/\w+\.png", light), (first, second), strict=False):
        assert (tmp_path / address).read_bytes() == base64.b64decode(original.partition(",")[2])
    assert lighter_pages.lighten(light, tmp_path) == light  # after a build that left the page as it was


def test_a_small_image_stays_inside(tmp_path):
    page = '<div class="cell x"><img alt="A" src="data:image/png;base64,AAAA" width="9">'
    assert lighter_pages.lighten(page, tmp_path) == page and not [*tmp_path.iterdir()]


def test_images_of_a_page_that_reads_their_pixels_stay_inside(tmp_path):
    page = f'<div data-your-image><img src="{png(80, 40)}" width="96" height="96">'
    assert lighter_pages.lighten(page, tmp_path) == page and not [*tmp_path.iterdir()]


def test_the_style_of_cards_is_loaded_by_pages_that_have_some(tmp_path):
    page = f"<head>\n{DESIGN}\n{TABS}\n<link></head>"
    assert lighter_pages.lighten(page, tmp_path) == "<head>\n<link></head>"
    cards = page + '<div class="a sd-card">'
    assert lighter_pages.lighten(cards, tmp_path) == cards


@pytest.fixture
def built(tmp_path):
    """A folder of pages with the theme's style and font; one page and one script name an icon."""
    for folder, kind in (("styles", "css"), ("vendor/fontawesome/webfonts", "ttf")):
        source, target = f"{THEME}/theme/pydata_sphinx_theme/static/{folder}", tmp_path / "_static" / folder
        target.mkdir(parents=True)
        for path in Path(source).glob(f"*.{kind}"):
            (target / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a.html").write_text('<i class="fa-solid fa-bars"></i>')
    (tmp_path / "_static" / "b.js").write_text('icon("fa-list")')
    return tmp_path


def test_icons_that_are_used_stay_and_no_others(built):
    app = SimpleNamespace(outdir=built, builder=SimpleNamespace(format="html"))
    lighter_pages.finish(app, None)
    style = (built / "_static/styles/pydata-sphinx-theme.css").read_text()
    assert ".fa-bars:before" in style and ".fa-list:before" in style and ".fa-truck:before" not in style
    assert ".fa-solid" in style and 'fa-solid-900.woff) format("woff")' in style
    font = built / "_static/vendor/fontawesome/webfonts/fa-solid-900.woff"
    characters = TTFont(font).getBestCmap()
    assert {0xF0C9, 0xF03A} <= characters.keys() and 0xF0D1 not in characters and font.stat().st_size < 10_000
    lighter_pages.finish(app, None)
    assert (built / "_static/styles/pydata-sphinx-theme.css").read_text() == style


def test_a_build_that_failed_is_left_alone(built):
    before = (built / "_static/styles/pydata-sphinx-theme.css").read_text()
    lighter_pages.finish(SimpleNamespace(outdir=built), RuntimeError())
    assert (built / "_static/styles/pydata-sphinx-theme.css").read_text() == before

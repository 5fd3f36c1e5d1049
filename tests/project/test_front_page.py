"""The front page: its table and its picture."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import cover, ledger

ROOT = Path(__file__).resolve().parents[2]


def test_picture_and_icon_are_those_of_the_network_that_ships():
    stored = np.asarray(Image.open(cover.PATH).convert("RGB"))
    np.testing.assert_array_equal(stored, np.asarray(cover.draw()))
    np.testing.assert_array_equal(
        np.asarray(Image.open(cover.ICON).convert("RGB")), np.asarray(cover.draw_icon())
    )
    assert "book/_assets/kernels.png" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_card_that_is_a_link_holds_no_other():
    text = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    cards = re.findall(r"^:::\{grid-item-card\}(.*?)^:::$", text, re.DOTALL | re.MULTILINE)
    assert len(cards) == 3
    assert [card for card in cards if ":link:" in card and "](" in card] == []


@pytest.mark.slow
def test_a_page_may_ask_for_some_claims():
    source = ["<!-- the table of claims: input-224 params -->\n\n<!-- the table of claims -->"]
    ledger.insert(None, "index", source)
    some, every = source[0].split("\n\n")
    assert [line.split("`")[1] for line in some.splitlines()[2:]] == ["input-224", "params"]
    assert every == ledger.table() and len(every.splitlines()) == 2 + 37
    with pytest.raises(KeyError):
        ledger.insert(None, "index", ["<!-- the table of claims: nonsense -->"])

"""The photographs are there without a network, and everyone is credited."""

import importlib.util
import socket
import sys

import pytest
import torch

from alexnet.figures import photographs


@pytest.mark.parametrize("name", photographs.names())
def test_every_photograph_loads_without_network(name, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    image = photographs.load(name)
    credit = photographs.CREDITS[name]
    assert image.dtype == torch.uint8 and image.shape[0] == 3 and image.is_contiguous()
    height, width = image.shape[1:]
    assert f"{width} x {height}" in credit.shows
    assert image.float().std() > 20  # an image, not a blank
    assert (image.float().std(0).mean() > 2) == ("grey" not in credit.shows)


def test_channels_are_red_green_blue():
    table = photographs.load("coffee")[:, 330:390, 20:120].float().mean((1, 2))  # brown wood
    assert table[0] > table[1] > table[2]


def test_every_photograph_has_author_and_free_licence():
    for name, credit in photographs.CREDITS.items():
        assert credit.author and credit.licence in {"CC0", "public domain"}
        assert photographs.credit(name).endswith(f"(photograph: {credit.author}, {credit.licence})")


def test_wrong_name_and_missing_files_say_what_to_do(monkeypatch, tmp_path):
    for ask in photographs.load, photographs.credit:
        with pytest.raises(ValueError, match="no photograph 'dog'; the names are astronaut, cat"):
            ask("dog")
    monkeypatch.setattr(photographs, "_folder", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match="chelsea.png is missing: pip install --force-reinstall"):
        photographs.load("cat")
    monkeypatch.undo()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        photographs.load("cat")


def test_scikit_image_itself_is_not_imported(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in {"skimage", "pooch"}]:
        monkeypatch.delitem(sys.modules, name)
    photographs.load("cat")
    assert not {name.partition(".")[0] for name in sys.modules} & {"skimage", "pooch"}

"""The small vision transformer: that it reads patches, learns, and that what ships came from it."""

from dataclasses import asdict, replace

import pytest
import torch

from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import MemorySplit
from alexnet.storage import records, shipped
from tools import patches

SMALL = patches.Config(crop=16, patch=4, width=8, heads=2, layers=1, epochs=6, batch_size=8, rate=0.01)


def two_colours(count):
    """Noise that is red or blue, (count, 3, 20, 20), with its labels."""
    labels = torch.arange(count) % 2
    images = torch.randint(60, 120, (count, 3, 20, 20), generator=torch.Generator().manual_seed(count))
    images[labels == 0, 0] += 100
    images[labels == 1, 2] += 100
    return MemorySplit(images.byte(), labels)


def some_set():
    return PreparedSet(
        name="colours",
        source="noise",
        classes=("r", "b"),
        names=("red", "blue"),
        fingerprint="",
        splits={"train": two_colours(48), "val": two_colours(20)},
        path=None,
    )


def test_it_learns_and_repeats_itself():
    net, results = patches.train(SMALL, some_set(), 0)
    again, _ = patches.train(SMALL, some_set(), 0)
    other, _ = patches.train(replace(SMALL, epochs=1), some_set(), 1)
    assert results["losses"][-1] < results["losses"][0] and len(results["losses"]) == 6
    assert results["top1"]["val"] < 0.2
    assert torch.equal(net.embedding.weight, again.embedding.weight)
    assert not torch.equal(net.embedding.weight, other.embedding.weight)


def test_every_patch_is_told_from_the_others_by_its_position():
    net = patches.VisionTransformer(SMALL, 2).eval()
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    moved = torch.cat([image[:, :, 4:], image[:, :, :4]], 2)  # the same patches elsewhere
    torch.testing.assert_close(net.embedding(moved), net.embedding(image).roll(-1, 2))
    assert (net(moved) - net(image)).abs().max() > 1e-5
    with torch.no_grad():
        net.positions.zero_()
    torch.testing.assert_close(net(moved), net(image))


def test_what_ships_is_the_embedding_of_the_record():
    record, network = records.load("imagenette-patches"), records.load("imagenette")
    config = patches.Config()
    assert record.data == network.data and record.config == asdict(config) | {"scale": patches.SCALE}
    kernels = shipped.patch_embedding("imagenette")
    assert kernels.shape == (config.width, 3, config.patch, config.patch) and kernels.dtype == torch.float32
    assert len(record.results["losses"]) == config.epochs
    assert record.results["top1"]["train"] < record.results["top1"]["val"] < 0.9


def test_an_embedding_that_is_not_there_is_named(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="imagenette"):
        shipped.patch_embedding("imagenet")
    monkeypatch.setattr(shipped, "names", lambda: ("mine",))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="mine-patches"):
        shipped.patch_embedding("mine")

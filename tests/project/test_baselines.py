"""The control for the training on Imagenette: features that forget what they should, and a classifier."""

import pytest
import torch

from alexnet.storage import records
from tools import baselines


def test_a_colour_histogram_counts_colours_and_forgets_places():
    image = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    image[0, 0, :, :1], image[0, 2, :, 1:] = 255, 40  # a quarter red, the rest dark blue
    found = baselines.colour_histogram(image)[0]
    red, blue = 7 * baselines.BINS**2, 40 * baselines.BINS // 256
    assert found.nonzero().flatten().tolist() == [blue, red]
    torch.testing.assert_close(found[[red, blue]], torch.tensor([0.25, 0.75]).sqrt())
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    mixed = image.flatten(2)[..., order].reshape(image.shape)
    assert torch.equal(baselines.colour_histogram(mixed)[0], found)


def test_oriented_gradients_forget_colours_and_tell_directions():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[:, :2, ::8] = 200
    others = torch.cat([stripes, stripes.transpose(2, 3), stripes.flip(1)])
    found = baselines.gradient_histogram(others)
    assert found.shape == (3, 7 * 7 * 4 * 9) and torch.equal(found[0], found[2])
    assert (found[0] - found[1]).norm() > 0.5 * found[0].norm()


def samples(num, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % 6
    means = 3 * torch.eye(6, 12)
    return means[labels] + torch.randn(num, 12, generator=generator), labels


def test_the_classifier_learns_and_decay_holds_it_back():
    (x, y), (asked, right) = samples(300, 0), samples(600, 1)
    free, held = (baselines.fit(x, y, decay)(asked) for decay in (1e-3, 10.0))
    assert baselines.error(free, right) < 0.25
    assert held.std(1).mean() < 0.2 * free.std(1).mean()


def test_the_decay_is_chosen_without_the_images_that_are_counted(monkeypatch):
    monkeypatch.setattr(baselines, "DECAYS", (1e6, 1e-1, 1e7))
    train, (asked, right) = samples(300, 0), samples(600, 1)
    chosen = baselines.held_out(train[1])
    assert train[1][chosen].bincount().tolist() == [5] * 6
    found = baselines.measure(train, (asked, right))
    wrong = baselines.measure(train, (asked, (right + 1) % 3))
    assert found["decay"] == wrong["decay"] and found["held_out_errors"] == wrong["held_out_errors"]
    assert found["top5"] < found["top1"] < 0.3 and wrong["top1"] > 0.7


def test_a_decay_at_the_edge_of_those_tried_is_no_result(monkeypatch):
    monkeypatch.setattr(baselines, "DECAYS", (1e3, 1e4))
    with pytest.raises(ValueError, match="is at the edge of those tried: widen DECAYS"):
        baselines.measure(samples(90, 0), samples(30, 1))


def test_the_record_is_of_the_images_that_the_network_saw():
    record, network = records.load("imagenette-baselines"), records.load("imagenette-code2012")
    assert record.data["images"] == network.data["images"] and set(record.results) == set(baselines.FEATURES)
    tried = record.config["decays"]
    for found in record.results.values():
        assert tried[0] < found["decay"] < tried[-1] and 0 < found["top5"] < found["top1"] < 0.9

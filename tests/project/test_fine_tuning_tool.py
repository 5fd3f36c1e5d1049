"""The comparison of pre-training with a start from scratch: what is drawn and held out, and the record."""

from types import SimpleNamespace

import pytest
import torch

from alexnet.experiments.intervals import gains, mean_interval
from alexnet.models.create import HEAD_PARAMETERS
from alexnet.storage import records
from tools import fine_tuning
from tools.fine_tuning import SCRATCH, TUNED, Comparison, Images


def some(count, classes=5):
    """Images that all differ, in so many classes."""
    generator = torch.Generator().manual_seed(count)
    side = fine_tuning.SIDE
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
    return Images(images, torch.arange(count) % classes)


def test_so_many_of_each_class_are_chosen_and_the_few_are_among_the_many():
    labels = torch.arange(60) % 3
    few, many = (fine_tuning.first_of_each(labels, count, seed=1) for count in (5, 12))
    assert labels[few].bincount().tolist() == [5] * 3 and labels[many].bincount().tolist() == [12] * 3
    assert not (few & ~many).any()
    assert not torch.equal(few, fine_tuning.first_of_each(labels, 5, seed=2))


def test_a_start_takes_all_weights_but_the_last_layers():
    start = fine_tuning.body(fine_tuning.trained(fine_tuning.recipe_for(0.003, 1.0, 5), some(8), 1))
    still = fine_tuning.trained(fine_tuning.recipe_for(0.0, 1.0, 5), some(8), 2, start)
    drawn = fine_tuning.trained(fine_tuning.recipe_for(0.0, 1.0, 5), some(8), 2)
    for name, tensor in still.state()[0].items():
        assert torch.equal(tensor, drawn.state()[0][name] if name in HEAD_PARAMETERS else start[name]), name


def test_a_training_learns_to_tell_colours():
    data = some(60, classes=3)
    for label in range(3):
        data.images[data.labels == label, label] //= 4
    learner = fine_tuning.trained(fine_tuning.recipe_for(0.003, 20.0, 3), data, 0)
    assert fine_tuning.wrong(learner, data).sum() == 0
    assert fine_tuning.wrong(learner, Images(data.images, (data.labels + 1) % 3)).all()


def test_a_search_ends_between_two_worse_rates():
    rate, tried = fine_tuning.search(0.003, lambda rate: abs(torch.tensor(rate / 0.03).log()).item())
    assert rate == 0.0316 and list(tried) == ["0.001", "0.00316", "0.01", "0.0316", "0.1"]


def test_the_interval_of_seeds_and_images_knows_both():
    same = fine_tuning.bootstrapped(torch.full((3, 50), 0.5), repeats=20)
    assert same == [0.5, 0.5]
    by_seed = torch.tensor([[0.0], [1.0]]).expand(2, 50)
    assert fine_tuning.bootstrapped(by_seed, repeats=200) == [0.0, 1.0]
    low, high = fine_tuning.bootstrapped((torch.arange(100) % 2).float().expand(2, 100), repeats=400)
    assert 0.35 < low < 0.45 and 0.55 < high < 0.65


@pytest.mark.slow
def test_each_arm_has_the_rate_that_is_best_on_images_that_it_has_not_seen(monkeypatch):
    monkeypatch.setattr(fine_tuning, "HELD_OUT", 4)
    monkeypatch.setattr(fine_tuning, "EPOCHS", {"2": 5.0, "all": 3.0})
    monkeypatch.setattr(fine_tuning, "TWICE", "2")
    best, runs = {SCRATCH: 0.0316, TUNED: 0.00316}, []

    def trained(recipe, data, seed, start=None):
        runs.append((recipe.learning, data, seed, start))
        return SimpleNamespace(rate=recipe.learning.rate, arm=SCRATCH if start is None else TUNED, data=data)

    def wrong(learner, data):
        known = {image.sum().item() for image in learner.data.images}
        if len(data.labels) == 20:  # held out
            assert not known & {image.sum().item() for image in data.images}
        off = abs(torch.tensor(learner.rate / best[learner.arm]).log10().item())
        return torch.arange(len(data.labels)) < len(data.labels) * min(0.3 * off, 1)

    monkeypatch.setattr(fine_tuning, "trained", trained)
    monkeypatch.setattr(fine_tuning, "wrong", wrong)
    monkeypatch.setattr(fine_tuning, "body", lambda learner: {"conv1.weight": learner.rate})
    kept = []
    comparison = Comparison(some(60), some(55), some(30), seeds=[0, 1], epochs=fine_tuning.EPOCHS, start=0.01)
    fine_tuning.measure(comparison, lambda results: kept.append(list(results)))
    assert kept == [["pretraining", "sizes"]] * 2 + [["pretraining", "sizes", "twice_as_long"]]
    last = runs[-4:]  # twice as long: both arms, both seeds
    assert [(learning.epochs, len(data.labels), seed) for learning, data, seed, _ in last] == [
        (10.0, 10, 0), (10.0, 10, 1), (10.0, 10, 0), (10.0, 10, 1),
    ]  # fmt: skip
    assert [learning.rate for learning, *_ in last] == pytest.approx([0.0316] * 2 + [0.00316] * 2, rel=2e-3)
    assert [start is None for *_, start in last] == [True, True, False, False]
    assert not torch.equal(last[0][1].images, last[1][1].images)  # each seed has others


def test_the_record_has_every_arm_tuned_inside_what_was_tried():
    record, network = records.load("fine-tuning"), records.load("imagenette")
    assert record.data["fingerprint"] == network.data["fingerprint"]
    assert {"50", "200"} <= record.results["sizes"].keys() and len(record.seeds) >= 5
    for found in record.results["sizes"].values():
        for arm in (SCRATCH, TUNED):
            assert [run["seed"] for run in found[arm]["runs"]] == record.seeds
            tried = [float(rate) for rate in found[arm]["held_out_errors"]]
            assert min(tried) < found[arm]["rate"] < max(tried)
        low, high = found["bootstrap"]
        assert low <= mean_interval(gains(found, TUNED, SCRATCH)).mean <= high

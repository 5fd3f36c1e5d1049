"""The tools that write the records of what the trained networks answer and find."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from alexnet.evaluation.neighbours import nearest
from alexnet.storage import records
from tools import answers, retrieval

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def probabilities(*choices):
    """Answers that are sure of one class of six."""
    return 0.05 + 0.7 * torch.nn.functional.one_hot(torch.tensor(choices), 6).double()


def test_confusion_counts_labels_by_rows():
    found = torch.tensor(answers.confusion(probabilities(0, 1, 1, 2, 1, 1), LABELS))
    assert found[:3, :3].tolist() == [[1, 0, 1], [0, 2, 0], [0, 2, 0]] and found.sum() == 6


def test_two_ways_are_compared_on_the_same_images():
    before = torch.tensor([1, 1, 0, 0, 0, 0, 0, 0, 1.0]).double()
    after = torch.tensor([1, 0, 1, 1, 1, 1, 1, 0, 1.0]).double()
    found = answers.compared(before, after)
    assert (found["mended"], found["spoiled"]) == (5, 1)
    assert found["mcnemar_p"] == pytest.approx(2 * 7 / 2**6)  # 0, 1 of 6 coins, both sides
    assert found["gain"]["mean"] == pytest.approx(4 / 9) and found["gain"]["num_values"] == 9
    assert answers.compared(before, before)["mcnemar_p"] == 1.0
    assert set(answers.compared(before / 2 + after / 2, after)) == {"gain"}  # a mean of networks has no pairs


def test_the_error_of_so_many_views_is_that_of_all_choices():
    choices = (0, 1, 2, 0, 1, 2), (1, 1, 2, 1, 1, 0), (0, 0, 0, 0, 0, 0)
    views = torch.stack([probabilities(*each) for each in choices])
    found = answers.error_by_views(views, LABELS)
    assert found[0] == pytest.approx((0 + 3 + 4) / 3 / 6) and len(found) == 3
    assert found[2] == answers.rates(views.mean(0), LABELS)["top1"]


def test_an_average_is_compared_with_its_networks():
    nets = [probabilities(0, 1, 2, 0, 1, 1), probabilities(0, 1, 2, 1, 1, 1), probabilities(0, 2, 2, 0, 0, 1)]
    found = answers.of_average(nets, LABELS)
    assert found["wrong_in_all"] == 1 and found["top1"] == pytest.approx(1 / 6)
    assert found["over_one"]["mean"] == pytest.approx(5 / 6 - (5 + 4 + 3) / 18)
    assert found["nll"] == answers.rates(sum(nets) / 3, LABELS)["nll"]


def test_one_networks_numbers_fit_together():
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(10, 40, 6, generator=generator).double().softmax(2)
    labels = torch.arange(40) % 6
    found = answers.of_network(views, labels)
    assert found["by_views"][0] == pytest.approx(sum(each["top1"] for each in found["crops_alone"]) / 10)
    assert found["by_views"][9] == found["ten_crops"]["top1"] and found["centre"] == found["crops_alone"][4]
    right = sum(found["confusion"][k][k] for k in range(6))
    assert 1 - right / 40 == pytest.approx(found["centre"]["top1"])
    gain = found["centre"]["top1"] - found["ten_crops"]["top1"]
    assert found["ten_against_centre"]["gain"]["mean"] == pytest.approx(gain)


def test_two_runs_of_a_seed_are_refused(monkeypatch):
    monkeypatch.setattr(answers.records, "load", lambda path: SimpleNamespace(seeds=[3]))
    monkeypatch.setattr(answers, "load_classifier", lambda run: run)
    with pytest.raises(SystemExit, match="the same seed, so they are one network"):
        answers.networks([Path("a"), Path("b")])


def test_the_search_finds_what_the_exact_search_finds(monkeypatch):
    monkeypatch.setattr(retrieval, "QUERIES", 3)
    generator = torch.Generator().manual_seed(0)
    searched, queries = (50 * torch.randn(n, 7, generator=generator).double() + 200 for n in (40, 8))
    exact = nearest(searched, queries, 40)
    found = retrieval.search(searched, queries, 40)
    assert torch.equal(found, exact.indices)
    assert retrieval.places(searched, queries, found[:, 4]).tolist() == [5] * 8


@pytest.mark.parametrize("side", [2, 3])
def test_pixels_are_means_of_squares(side):
    images = torch.arange(3 * 6 * 6).reshape(1, 3, 6, 6).float()
    classifier = SimpleNamespace(views=lambda images: (images,))
    found = retrieval.make_pixel_function(classifier, side)(images)
    assert found.shape == (1, 3 * (6 // side) ** 2) and found[0, 0] == images[0, 0, :side, :side].mean()


@pytest.mark.parametrize("name", ["imagenette-answers", "imagenette-retrieval"])
def test_the_records_are_of_the_networks_that_were_trained(name):
    record, trained = records.load(name), records.load("imagenette")
    assert record.data["fingerprint"] == trained.data["fingerprint"]
    assert record.seeds == trained.seeds[: len(record.seeds)]


def test_the_record_repeats_the_errors_of_the_training():
    found, trained = records.load("imagenette-answers").results["seeds"], records.load("imagenette")
    entries = trained.results.get("seeds", [{"seed": trained.seeds[0]} | trained.results])
    for one, other in zip(found, entries, strict=True):
        assert one["seed"] == other["seed"]
        assert one["centre"]["top1"] == pytest.approx(other["validations"][-1]["top1"], abs=3 / 3925)
        assert one["ten_crops"]["top1"] == pytest.approx(other["ten_views"]["top1"], abs=3 / 3925)

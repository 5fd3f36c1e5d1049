"""The contest in miniature: what is counted, what is learned of descriptors, and the record."""

from math import sqrt

import numpy as np
import pytest
import torch

from alexnet.data.splits import MemorySplit
from alexnet.storage import records, shipped
from tools import contest


def test_an_error_has_wilsons_interval():
    found = contest.counted(torch.arange(100) < 25)
    z, n, p = 1.959964, 100, 0.25
    middle, half = (p + z * z / 2 / n), z * sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    expected = [(middle + sign * half) / (1 + z * z / n) for sign in (-1, 1)]
    assert found["wrong"] == 25 and found["error"] == p
    assert found["interval"] == pytest.approx(expected, rel=1e-6)


def test_mcnemar_looks_at_the_images_that_one_alone_has_right():
    other, network = torch.zeros(40, dtype=torch.bool), torch.zeros(40, dtype=torch.bool)
    other[:12], network[12:15] = True, True
    other[30:], network[30:] = True, True  # both are wrong, which tells nothing
    found = contest.mcnemar(other, network)
    assert (found["right_by_network_alone"], found["right_by_this_alone"]) == (12, 3)
    assert found["p"] == pytest.approx(2 * sum((1, 15, 105, 455)) / 2**15)
    assert contest.mcnemar(network, network)["p"] == 1


def test_the_best_k_guesses_count():
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    labels = torch.tensor([1, 0])
    assert [contest.wrong(scores, labels, k).tolist() for k in (1, 2, 3)] == [
        [True, True],
        [False, True],
        [False, False],
    ]


def test_the_decay_is_chosen_without_the_images_that_are_judged():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(240) % 6
    features = 2 * torch.eye(6, 12)[labels] + torch.randn(240, 12, generator=generator)
    found, scores = contest.measured((features[:180], labels[:180]), (features[180:], labels[180:]))
    _, others = contest.measured((features[:180], labels[:180]), (-features[180:], labels[180:]))
    tried = [float(decay) for decay in found["held_out_errors"]]
    assert min(tried) < found["decay"] < max(tried) and found["dimensions"] == 12
    assert contest.wrong(scores, labels[180:], 1).float().mean() < 0.4
    assert contest.wrong(others, labels[180:], 1).float().mean() > 0.8


def some_images(count):
    """Noise that is smooth in one direction or the other, (count, 3, 40, 40) uint8, and which direction."""
    noise = np.random.default_rng(0).normal(size=(count, 40, 40)).cumsum(2)
    noise[1::2] = noise[1::2].transpose(0, 2, 1)
    grey = np.clip(128 + 12 * noise, 0, 255).astype(np.uint8)
    return torch.from_numpy(np.repeat(grey[:, None], 3, 1)), torch.arange(count) % 2


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("sklearn")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"COMPONENTS": 8, "MODES": 4, "ATOMS": 12, "PER_IMAGE": 4}.items():
            patch.setattr(contest, name, value)
        yield contest.Learned(contest.descriptors(some_images(12)[0]))


def test_fisher_vectors_have_length_1_and_tell_directions(learned):
    images, which = some_images(40)
    found = learned.codes(images)["Fisher vectors"]
    assert found.shape == (40, 4 + 2 * 4 * (8 + 2))  # by mode its weight; mean and variance of each number
    torch.testing.assert_close(found.norm(dim=1), torch.ones(40))
    middles = torch.stack([found[:20][which[:20] == side].mean(0) for side in (0, 1)])
    assert ((found[20:] @ middles.T).argmax(1) == which[20:]).float().mean() > 0.9


def test_sparse_codes_keep_the_largest_in_the_image_and_in_its_quarters(learned):
    found = learned.codes(some_images(6)[0])["sparse coding"].reshape(6, 5, 2 * 12)
    assert torch.equal(found[:, 0], found[:, 1:].amax(1)) and found.max() > 0.1
    blank = learned.codes(torch.full((1, 3, 40, 40), 77, dtype=torch.uint8))["sparse coding"]
    assert blank.shape == (1, 120) and torch.isfinite(blank).all()


def test_features_are_made_once_for_all_systems_that_share_them():
    images, labels = some_images(6)
    split, seen = MemorySplit(images, labels), []

    def describe(some):
        seen.append(len(some))
        return {"one": some.float().flatten(1), "two": some[:, 0].float().flatten(1)}

    found = list(contest.described(describe, split, contest.part(split, 2)))
    assert seen == [6, 2] and [name for name, _, _ in found] == ["one", "two"]
    assert torch.equal(found[1][1][1], images[[0, 5], 0].float().flatten(1))


def test_the_record_is_of_the_images_that_the_network_learned_from():
    record, network = records.load("imagenette-contest"), records.load(contest.NETWORK)
    assert record.data == network.data and contest.NETWORK in shipped.names()
    (last,) = network.results["validations"][-1:]
    count = network.data["images"]["val"]
    assert record.results["AlexNet"]["top1"]["wrong"] == round(last["top1"] * count)
    for name, found in record.results.items():
        for k in ("top1", "top5"):
            low, high = found[k]["interval"]
            assert found[k]["error"] == found[k]["wrong"] / count and low < found[k]["error"] < high
        if name != "AlexNet":
            tried = [float(decay) for decay in found["held_out_errors"]]
            assert min(tried) < found["decay"] < max(tried) and found["mcnemar"]["corrected_p"] <= 1

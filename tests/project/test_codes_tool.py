"""The tool that measures binary codes: each way to make them, what it searches, the record it wrote."""

from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch

from alexnet.data.prepared import PreparedSet
from alexnet.data.splits import MemorySplit
from alexnet.experiments.intervals import mean_interval
from alexnet.storage import records
from tools import codes, retrieval

CLASSES = 4


@pytest.fixture(autouse=True)
def small(monkeypatch):
    sizes = {
        "BITS": (8, 16),
        "SEARCHED_AT": 8,
        "HIDDEN": 16,
        "EPOCHS": 10,
        "BATCH": 16,
        "K": 3,
        "AVERAGED": 2,
    }
    for name, value in sizes.items():
        monkeypatch.setattr(codes, name, value)


def clusters(count, seed, size=24):
    """Features of classes that lie apart, with their labels."""
    centres = 2 * torch.randn(CLASSES, size, generator=torch.Generator().manual_seed(9))
    labels = torch.arange(count) % CLASSES
    return centres[labels] + torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), labels


@pytest.mark.parametrize(
    "learn",
    [lambda *a: codes.by_auto_encoder(*a, rate=0.01), codes.by_quantisation, codes.by_projection],
    ids=["auto-encoder", "ITQ", "projection"],
)
def test_codes_find_the_class_of_images_they_were_not_learned_from(learn):
    (known, labels), (new, asked) = clusters(160, 1), clusters(40, 2)
    x, queries = codes.standardised(known, new)
    code = learn(x, 16, 0)
    assert code(queries).shape == (40, 16) and code(queries).dtype == torch.bool
    assert codes.compute_precision(code, (x, labels), (queries, asked)) > 0.7
    shuffled = labels[torch.randperm(160, generator=torch.Generator().manual_seed(0))]
    assert codes.compute_precision(code, (x, shuffled), (queries, asked)) < 0.5
    assert torch.equal(learn(x, 16, 0)(queries), code(queries))
    assert not torch.equal(learn(x, 16, 1)(queries), code(queries))


def test_precision_by_codes_is_that_of_the_exact_search_where_bits_are_the_features():
    generator = torch.Generator().manual_seed(0)
    bits = torch.rand(60, 90, generator=generator) < 0.5
    labels = torch.arange(60) % 3
    known, asked = (bits[:50].float(), labels[:50]), (bits[50:].float(), labels[50:])
    away = (known[0][None] != asked[0][:, None]).sum(2).double() + torch.arange(50) / 100
    same = labels[away.argsort(1)[:, :3]] == asked[1][:, None]
    found = codes.compute_precision(lambda x: x > 0.5, known, asked)
    assert abs(found - same.double().mean().item()) < 0.1
    assert codes.exact_precision(known, asked) == pytest.approx(found, abs=0.1)


def test_training_images_alone_set_mean_and_unit():
    (known, _), (new, _) = clusters(50, 1), clusters(20, 2)
    x, queries = codes.standardised(7 * known + 3, 7 * new + 3)
    assert x.mean(0).abs().max() < 1e-5 and x.square().mean() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(
        queries - x[:20], (new - known[:20]) / (known - known.mean(0)).square().mean().sqrt()
    )


def images_by_class(count):
    """Noise around one image for each class, (count, 3, 8, 8)."""
    features, labels = clusters(count, count, 3 * 8 * 8)
    return MemorySplit((128 + 20 * features).clamp(0, 255).byte().reshape(-1, 3, 8, 8), labels)


@pytest.mark.slow
def test_every_seed_is_measured_and_their_interval(monkeypatch):
    def network(sign):
        features = SimpleNamespace(features=lambda x: (sign * x).relu().flatten(1))
        return SimpleNamespace(views=lambda images: (images.float() - 128,), net=features)

    monkeypatch.setattr(codes, "speeds", lambda searched, queries: {"shapes": [len(searched), len(queries)]})
    splits = {"train": images_by_class(80), "val": images_by_class(20)}
    names = tuple("abcd")
    some = {"name": "some", "source": "noise", "fingerprint": "", "path": None}
    found = codes.measure(
        {3: network(1), 5: network(-1)}, PreparedSet(**some, classes=names, names=names, splits=splits)
    )
    assert [run["seed"] for run in found["seeds"]] == [3, 5]
    assert found["sizes"] == {"features": 192, "pixels": 48} and found["queries_per_second"]["shapes"] == [
        80,
        20,
    ]
    for name, by_bits in found["over_seeds"].items():
        for bits, interval in by_bits.items():
            each = [run["codes"][name][bits] for run in found["seeds"]]
            assert interval["mean"] == pytest.approx(sum(each) / 2) and 0.25 < interval["mean"] <= 1
    for choice in found["auto_encoder"]["search"].values():
        tried = [float(rate) for rate in choice["held_out_precisions"]]
        assert min(tried) < choice["rate"] < max(tried)


@pytest.mark.filterwarnings("ignore:builtin type [Ss]wig:DeprecationWarning")
def test_speeds_are_those_of_searches_that_agree():
    faiss = pytest.importorskip("faiss")
    (searched, _), (queries, _) = clusters(60, 1), clusters(20, 2)
    found = codes.speeds(searched, queries)
    assert list(found) == ["features", "8", "16"]
    assert all(each["ours"] > 0 and each["faiss"] > 0 for each in found.values())
    index = faiss.IndexFlatL2(24)
    index.add(searched.numpy())
    ours = retrieval.search(searched.double(), queries.double(), 3)
    assert torch.equal(torch.from_numpy(index.search(queries.numpy(), 3)[1]), ours)


def test_the_record_is_of_the_networks_and_the_search_of_the_other_records():
    record, retrieved = records.load("imagenette-codes"), records.load("imagenette-retrieval")
    assert record.data == retrieved.data and record.seeds == retrieved.seeds
    for run, shares in zip(record.results["seeds"], retrieved.results["trained"], strict=True):
        assert run["features"] == pytest.approx(shares[str(record.results["k"])]["mean"], abs=2e-3)
    for name, by_bits in record.results["over_seeds"].items():
        for bits, interval in by_bits.items():
            each = [run["codes"][name][bits] for run in record.results["seeds"]]
            assert interval == pytest.approx(asdict(mean_interval(each)))
    for choice in record.results["auto_encoder"]["search"].values():
        tried = choice["held_out_precisions"]
        best = max(tried, key=tried.__getitem__)
        assert float(best) == pytest.approx(choice["rate"], rel=1e-3)
        assert min(map(float, tried)) < choice["rate"] < max(map(float, tried))

"""``alexnet evaluate`` against predictions made and counted one by one, on any number of processes."""

import json
import sys

import numpy as np
import pytest
import torch

from alexnet import config
from alexnet.cli.main import main
from alexnet.data.prepared import open_prepared
from alexnet.evaluation.classifier import make_classifier
from alexnet.evaluation.ensemble import evaluate_nets, log_average_nets, make_results, table
from alexnet.evaluation.errors import Counts, average_nets
from alexnet.evaluation.prediction import load_classifier
from support import trained
from support.command_ranks import run_everywhere

NETS = {"one.pt": {}, "two.pt": {"base": "paper", "seed": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared set with 11 images to validate on, and two nets."""
    folder = tmp_path_factory.mktemp("evaluation")
    trained.write_images(folder / "images", {"train": 7, "val": 11})
    trained.prepared(folder / "images", folder / "set")
    for name, options in NETS.items():
        trained.saved(folder / name, **options)
    return folder


def one_by_one(folder, views, split="val"):
    """Probabilities of each net and of their average, and the labels."""
    dataset = open_prepared(folder / "set").split(split)
    images = dataset.read(range(len(dataset))).numpy()
    of_nets = [trained.probabilities(trained.weights(**options), images, views) for options in NETS.values()]
    return [*of_nets, (of_nets[0] + of_nets[1]) / 2], dataset.labels.tolist()


def counted(probabilities, labels):
    """Count errors image by image, by sorting."""
    orders = [row.argsort()[::-1].tolist() for row in probabilities]
    top1 = sum(label != order[0] for order, label in zip(orders, labels, strict=True))
    top5 = sum(label not in order[:5] for order, label in zip(orders, labels, strict=True))
    loss = -sum(np.log(row[label]) for row, label in zip(probabilities, labels, strict=True))
    return {"top1": top1 / len(labels), "top5": top5 / len(labels), "nll": loss / len(labels)}


def evaluate(folder, *options, nets=NETS):
    """Run the command and return what it wrote."""
    words = [*(str(folder / name) for name in nets), "--data", str(folder / "set"), "--device", "cpu"]
    assert main(["evaluate", *words, "--workers", "0", "--json", str(folder / "out.json"), *options]) == 0
    return json.loads((folder / "out.json").read_text())


def test_json_without_a_file_is_all_that_is_printed(folder, capsys):
    written = evaluate(folder)
    assert "top-1" in capsys.readouterr().out
    words = [*(str(folder / name) for name in NETS), "--data", str(folder / "set"), "--device", "cpu"]
    assert main(["evaluate", *words, "--workers", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == written


@pytest.mark.parametrize(
    ("views", "split", "batch_size"), [(1, "val", 128), (1, "val", 1), (10, "val", 4), (1, "train", 5)]
)
def test_errors_are_those_counted_one_by_one(folder, views, split, batch_size, capsys):
    got = evaluate(folder, "--views", str(views), "--split", split, "--batch-size", str(batch_size))
    probabilities, labels = one_by_one(folder, views, split)
    for result, predicted in zip(rows(got), probabilities, strict=True):
        expected = counted(predicted, labels)
        assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    assert got["data"]["split"] == split and got["data"]["images"] == len(labels)
    assert [net["checkpoint"] for net in got["nets"]] == [str(folder / name) for name in NETS]
    printed = capsys.readouterr()
    assert not printed.err
    lines = printed.out.splitlines()
    assert f"{len(labels)} images ({split})" in lines[0]
    for line, result in zip(lines[2:], rows(got), strict=True):
        assert line.split()[-3:] == [f"{result['top1']:.2%}", f"{result['top5']:.2%}", f"{result['nll']:.4f}"]
    assert lines[-1].startswith("average of 2")


def test_the_samples_tell_views_and_nets_apart(folder):
    (one, two, average), labels = one_by_one(folder, 1)
    results = [counted(rows, labels) for rows in (one, two, average, one_by_one(folder, 10)[0][0])]
    assert len({result["nll"] for result in results}) == 4
    assert 0 < results[0]["top5"] < results[0]["top1"] < 1


def test_a_net_alone_has_no_average(folder):
    got = evaluate(folder, nets=["two.pt"])
    assert len(got["nets"]) == 1 and got["average"] is None


def test_half_precision_comes_near(folder):
    whole, half = evaluate(folder), evaluate(folder, "--precision", "bfloat16")
    for one, other in zip(whole["nets"], half["nets"], strict=True):
        assert one["nll"] != other["nll"] == pytest.approx(one["nll"], rel=0.05)


@pytest.mark.slow
def test_every_image_counts_once_on_any_number_of_processes(folder, tmp_path):
    # 11 images in batches of 9 for three processes: the last has 2, and one process has nothing of it.
    alone = evaluate(folder)
    words = ["evaluate", *(str(folder / name) for name in NETS), "--data", str(folder / "set")]
    words += ["--device", "cpu", "--workers", "0", "--batch-size", "9", "--json", str(folder / "ranks.json")]
    printed = run_everywhere(words, 3, tmp_path)
    assert [status for status, *_ in printed] == [0, 0, 0], printed
    together = json.loads((folder / "ranks.json").read_text())
    for one, other in zip(rows(alone), rows(together), strict=True):
        assert (one["top1"], one["top5"]) == (other["top1"], other["top5"])
        assert other["nll"] == pytest.approx(one["nll"], rel=1e-6)
    assert "11 images" in printed[0][1] and not printed[1][1] and not printed[2][1]


def test_a_set_without_validation_images_is_divided_as_training_divides_it(folder, tmp_path):
    trained.write_images(tmp_path / "images", {"train": 21, "test": 5})
    trained.prepared(tmp_path / "images", tmp_path / "set")
    (tmp_path / "recipe.json").write_text(json.dumps(config.to_dict(trained.recipe())))
    words = f"train --data {tmp_path / 'set'} --recipe {tmp_path / 'recipe.json'} --out {tmp_path / 'run'}"
    words += " --batch-size 4 --max-steps 1 --validate-every 1step --device cpu --workers 0"
    assert main(words.split()) == 0
    (validation,) = json.loads((tmp_path / "run" / "run.json").read_text())["results"]["validations"]
    found = {}
    for split in ("val", "train", "test"):
        words = f"evaluate {tmp_path / 'run'} --data {tmp_path / 'set'} --device cpu --workers 0"
        words += f" --split {split} --json {tmp_path / split}.json"
        assert main(words.split()) == 0
        found[split] = json.loads((tmp_path / f"{split}.json").read_text())
        assert found[split]["data"]["split"] == split
    assert found["val"]["nets"][0]["nll"] == pytest.approx(validation["nll"], rel=1e-6)
    counts = {split: results["data"]["images"] for split, results in found.items()}
    assert counts["val"] and counts["val"] + counts["train"] == 21 and counts["test"] == 5


def test_an_evaluation_needs_no_stream_for_errors(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    words = f"evaluate {folder / 'one.pt'} --data {folder / 'set'} --device cpu --workers 0"
    assert main(words.split()) == 0
    assert "11 images" in capsys.readouterr().out


def rows(written):
    """The results of each net and of the average."""
    return [*written["nets"], written["average"]]


def test_features_come_with_logits_and_labels_in_the_sets_order(folder):
    evaluate(folder, "--features", str(folder / "new" / "features.npz"), "--batch-size", "4", nets=["one.pt"])
    (rows, _, _), labels = one_by_one(folder, 1)
    with np.load(folder / "new" / "features.npz", allow_pickle=False) as found:
        assert set(found.files) == {"logits", "features", "labels", "classes", "names"}
        assert found["features"].shape == (11, 16) and (found["features"] > 0).any()
        weights = trained.weights().weights
        logits = found["features"] / 2 @ weights["fc8.weight"].numpy().T + weights["fc8.bias"].numpy()
        np.testing.assert_allclose(found["logits"], logits, rtol=1e-4, atol=1e-4)
        softmax = np.exp(found["logits"]) / np.exp(found["logits"]).sum(1, keepdims=True)
        np.testing.assert_allclose(softmax, rows, atol=1e-5)
        assert found["labels"].tolist() == labels
        assert tuple(found["classes"]) == trained.CLASSES and tuple(found["names"]) == trained.NAMES
    assert [path.name for path in (folder / "new").iterdir()] == ["features.npz"]


def test_a_run_that_was_trained_is_evaluated_and_predicts(folder, tmp_path, capsys):
    (tmp_path / "recipe.json").write_text(json.dumps(config.to_dict(trained.recipe())))
    words = f"train --data {folder / 'set'} --recipe {tmp_path / 'recipe.json'} --out {tmp_path / 'run'}"
    words += " --batch-size 4 --max-steps 1 --validate-every 1step --device cpu --workers 0"
    assert main(words.split()) == 0
    got = evaluate(folder, nets=[tmp_path / "run"])
    (validation,) = json.loads((tmp_path / "run" / "run.json").read_text())["results"]["validations"]
    for key in ("top1", "top5", "nll"):
        assert got["nets"][0][key] == pytest.approx(validation[key], rel=1e-6)
    dataset = open_prepared(folder / "set")
    classifier = load_classifier(tmp_path / "run")
    assert (classifier.classes, classifier.names) == (dataset.classes, dataset.names)
    expected = dataset.train.read(range(len(dataset.train))).double().mean(0)
    torch.testing.assert_close(classifier.statistics.mean_image.double(), expected, atol=1e-4, rtol=0)
    assert main(["predict", str(tmp_path / "run"), str(folder / "images/val/ant/000.png")]) == 0
    assert "* ant" in capsys.readouterr().out


def test_a_set_may_have_some_of_the_classes_alone(folder, tmp_path, capsys):
    few = ("fox", "bee", "dog")
    trained.write_images(tmp_path / "images", {"val": 6}, classes=few)
    trained.prepared(tmp_path / "images", tmp_path / "set")
    trained.saved(tmp_path / "one.pt")
    got = evaluate(tmp_path, nets=["one.pt"])
    assert "the images show 3 of the 7 classes that the network distinguishes" in capsys.readouterr().out
    dataset = open_prepared(tmp_path / "set")
    rows = trained.probabilities(trained.weights(), dataset.val.read(range(6)).numpy(), 1)
    labels = [trained.CLASSES.index(dataset.classes[label]) for label in dataset.val.labels.tolist()]
    assert got["nets"][0]["nll"] == pytest.approx(counted(rows, labels)["nll"], rel=1e-4)


def test_the_average_is_that_of_probabilities_also_of_tiny_ones():
    probabilities = torch.rand(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    probabilities /= probabilities.sum(2, keepdim=True)
    expected = average_nets(list(probabilities))
    torch.testing.assert_close(log_average_nets(list(probabilities.log())).exp(), expected)
    tiny = torch.tensor([[-2000.0, 0.0]], dtype=torch.float64)
    assert log_average_nets([tiny, tiny]).tolist() == [[-2000.0, 0.0]]


def test_a_net_that_diverged_is_always_wrong_and_the_file_can_still_be_written(folder):
    weights = trained.weights()
    weights.weights["fc8.weight"].fill_(float("nan"))
    net = make_classifier(weights, name="broken")
    images = torch.zeros(2, 3, 20, 20, dtype=torch.uint8)
    (counts,) = evaluate_nets([net], [(images, torch.tensor([0, 6]))])
    assert make_results(counts, 7) == {"top1": 1.0, "top5": 1.0, "nll": None}
    assert "not finite" in table([("broken", make_results(counts, 7))])


@pytest.mark.parametrize("name", ["a", "imagenette", "a-longer-name.pt"])
def test_a_column_ends_where_its_head_ends(name):
    head, line = table([(name, {"top1": 0.25, "top5": 0.1, "nll": 0.5})]).splitlines()
    assert len(head) == len(line)
    for words, number in (("top-1", "25.00%"), ("top-5", "10.00%")):
        assert head.index(words) + len(words) == line.index(number) + len(number)


def test_of_few_classes_there_is_no_top5():
    counts = Counts(num_images=4, wrong={1: 1, 5: 0}, loss_sum=2.0)
    assert make_results(counts, 6)["top5"] == 0
    result = make_results(counts, 5)
    assert result == {"top1": 0.25, "top5": None, "nll": 0.5}
    lines = table([("net", result)]).splitlines()
    assert lines[1].split() == ["net", "25.00%", "-", "0.5000"]
    assert lines[2] == "with five classes or fewer, five guesses are never wrong: no top-5"

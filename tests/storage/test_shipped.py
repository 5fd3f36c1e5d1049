"""Trained networks that come with the package: the tool that makes them of a run, and their way back."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import alexnet
from alexnet import config
from alexnet.cli.main import main
from alexnet.evaluation.prediction import predict_probabilities
from alexnet.storage import checkpoints, records, shipped
from support import trained
from support.trainings import STEPS_PER_EPOCH, run, settings_for, state, tiny_dataset, use
from tools import ship

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run_of_nette(tmp_path_factory):
    """The folder of a finished training on images that call themselves Imagenette."""
    folder = tmp_path_factory.mktemp("shipped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use(patch, replace(tiny_dataset(), name="Imagenette"))
        run(settings_for(folder, checkpoint_every="1epoch"))
    return folder


@pytest.fixture
def mine(run_of_nette, tmp_path, monkeypatch):
    """The folder of what ships, with a network called mine."""
    ship.ship([run_of_nette], [run_of_nette / "checkpoints"], "mine", tmp_path, "Generated images.")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    return tmp_path


def images(size):
    return [torch.from_numpy(trained.image(n, size, size)).permute(2, 0, 1) for n in range(8)]


def test_a_network_that_ships_answers_as_its_run_within_half_precision(run_of_nette, mine):
    ours, theirs = alexnet.load_classifier("mine"), alexnet.load_classifier(run_of_nette)
    assert (ours.classes, ours.names, ours.mean) == (theirs.classes, theirs.names, theirs.mean)
    assert torch.equal(ours.statistics.mean_image, theirs.statistics.mean_image)
    for name, tensor in ours.net.state_dict().items():
        whole = theirs.net.state_dict()[name]
        assert tensor.dtype == torch.float32 and torch.equal(tensor, whole.half().float())
    pair = [predict_probabilities(each, images(ours.image_size)) for each in (ours, theirs)]
    assert pair[0].shape == (8, 10) and not torch.equal(*pair)
    torch.testing.assert_close(*pair, rtol=5e-3, atol=1e-4)
    net = alexnet.create_model(weights="mine")
    assert net.training and net.config == theirs.net.config
    assert torch.equal(net.fc8.weight, ours.net.fc8.weight)
    assert alexnet.create_model(weights="mine", num_classes=3).fc8.out_features == 3


def test_the_files_are_made_of_the_run(run_of_nette, mine):
    record, before = records.load(mine / "records/mine.json"), records.load(run_of_nette / "run.json")
    steps = [step for step, _, _ in record.results["log"]]
    assert steps == [2, 4, 5, 6, 8, 10] and record.experiment == "mine"
    same = replace(record, experiment="train", notes="", results=before.results)
    assert asdict(same) == asdict(before) and before.results.items() <= record.results.items()
    card = (mine / "weights/mine.md").read_text(encoding="utf-8")
    assert card == ship.card(record, checkpoints.load_weights(mine / "weights/mine.safetensors"), "mine")
    assert record.notes == "Generated images." and "\n\nGenerated images.\n\n" in card
    kernels = shipped.kernels("mine")
    assert list(kernels) == [0] and list(kernels[0]) == [1, 2]
    for epoch, tensor in kernels[0].items():
        weights, _, _ = state(run_of_nette, epoch * STEPS_PER_EPOCH)
        assert torch.equal(tensor, weights["conv1.weight"].half().float())


@pytest.fixture
def with_another_seed(run_of_nette, tmp_path):
    """The run beside a copy of it that says that it had seed 5, and other errors."""
    other = tmp_path / "other"
    shutil.copytree(run_of_nette, other)
    values = json.loads((other / "run.json").read_bytes())
    values |= {"seeds": [5], "seconds": 7.0}
    values["results"]["validations"][-1] |= {"top1": 0.5, "top5": 0.25}
    values["results"]["ten_views"] |= {"top1": 0.5, "top5": 0.25}
    (other / "run.json").write_text(json.dumps(values), encoding="utf-8")
    return [run_of_nette, other]


def test_other_seeds_add_their_errors_and_kernels(with_another_seed, tmp_path, monkeypatch):
    first, data = records.load(with_another_seed[0] / "run.json"), tmp_path / "data"
    histories = [run / "checkpoints" for run in with_another_seed]
    ship.ship(with_another_seed, histories, "mine", data)
    record = records.load(data / "records/mine.json")
    assert record.seeds == [0, 5] and record.scale.endswith("2 seeds")
    assert record.results["validations"] == first.results["validations"]
    assert [(run["seed"], run["seconds"]) for run in record.results["seeds"]] == [
        (0, first.seconds),
        (5, 7.0),
    ]
    top1 = first.results["validations"][-1]["top1"]
    found = record.results["over_seeds"]["centre"]["top1"]
    assert found["mean"] == pytest.approx((top1 + 0.5) / 2) and found["num_values"] == 2
    # Of two values, Student's factor is 12.706 and the error of the mean half their distance.
    assert found["high"] - found["mean"] == pytest.approx(12.706 * abs(top1 - 0.5) / 2, abs=1e-3)
    card = (data / "weights/mine.md").read_text(encoding="utf-8")
    assert (
        f"| mean of seeds 0 and 5 with its 95% interval, centre of each | top-1 {found['mean']:.1%} [" in card
    )
    monkeypatch.setattr(shipped, "FOLDER", data)
    assert {seed: list(epochs) for seed, epochs in shipped.kernels("mine").items()} == {0: [1, 2], 5: [1, 2]}
    # The checkpoints may be gone when another run comes.
    empty = tmp_path / "empty"
    empty.mkdir()
    ship.ship(with_another_seed, [empty, empty], "mine", data)
    assert list(shipped.kernels("mine")[0]) == [1, 2]


def test_runs_that_are_no_repetition_are_refused(with_another_seed, tmp_path):
    run, other = with_another_seed
    with pytest.raises(SystemExit, match="run is no repetition of .* with another seed: see its run.json"):
        ship.ship([run, run], [run, run], "mine", tmp_path / "data")
    values = json.loads((other / "run.json").read_bytes())
    values["config"]["recipe"]["learning"]["rate"] = 0.5
    (other / "run.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(SystemExit, match="other is no repetition of"):
        ship.ship([run, other], [run, other], "mine", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_cards_numbers_are_those_of_the_record(run_of_nette):
    record, weights = (
        records.load(run_of_nette / "run.json"),
        checkpoints.load_weights(run_of_nette / "weights.pt"),
    )
    rates = [{"top1": 0.123 + 0.1 * n, "top5": 0.023 + 0.1 * n} for n in range(3)]
    results = record.results | {"validations": rates[:2], "ten_views": rates[2], "epochs": 17.0}
    card = ship.card(replace(record, results=results, seeds=[4], seconds=150.0), weights, "mine")
    rows = dict(
        line.strip("| ").split(" | ")
        for line in card.splitlines()
        if line.count("|") == 3 and "| |" not in line and "---" not in line
    )
    assert rows["error on 12 validation images, centre of each"] == "top-1 22.3%, top-5 12.3%"
    assert rows["the same, average of ten crops (section 4.1)"] == "top-1 32.3%, top-5 22.3%"
    assert rows["recipe"].startswith("`data/recipes/tiny.json`") and rows["recipe"].endswith("; seed 4")
    assert "17 epochs in batches of 8, learning rate 0.01," in rows["recipe"]
    assert rows["training"].endswith(" of a CPU, 2 minutes")
    assert (
        rows["training images"]
        == f"43 of Imagenette, stored at 32x32 pixels; fingerprint {weights.fingerprint}"
    )
    net = alexnet.create_model(weights=run_of_nette)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    assert "4, 4, 4, 4 and 4 kernels" in rows["network"] and f"; {parameters:,} parameters" in rows["network"]
    assert "those of conv1 5x5 pixels with stride 1; 8 and 8 units" in rows["network"]


def test_only_a_finished_training_on_imagenette_ships(run_of_nette, tmp_path):
    path, values = tmp_path / "run.json", json.loads((run_of_nette / "run.json").read_bytes())
    values["results"]["ended"] = "max-steps"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(SystemExit, match="is not over; the command that started it resumes it"):
        ship.ship([tmp_path], [tmp_path], "mine", tmp_path)
    values["data"]["name"] = "CIFAR-10"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(SystemExit, match="tells of Imagenette, and .* was trained on CIFAR-10"):
        ship.ship([tmp_path], [tmp_path], "mine", tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_not_known_is_one_sentence(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = "^there is no checkpoint min, and no trained network of that name, only mine, torchvision; "
    for ask in (alexnet.load_classifier, lambda name: alexnet.create_model(weights=name)):
        with pytest.raises(FileNotFoundError, match=said + "did you mean 'mine'[?]$"):
            ask("min")
    with pytest.raises(ValueError, match="network must be one of mine; got 'min'"):
        shipped.kernels("min")
    (tmp_path / "min").mkdir()  # a folder is asked for its checkpoints
    with pytest.raises(FileNotFoundError, match="there is no checkpoint in the folder min"):
        alexnet.load_classifier("min")


def test_predict_takes_a_name(mine, tmp_path, capsys):
    Image.fromarray(trained.image(3, 50, 40)).save(tmp_path / "image.png")
    assert main(["predict", "mine", str(tmp_path / "image.png"), "--top", "1"]) == 0
    guess = alexnet.predict(alexnet.load_classifier("mine"), [tmp_path / "image.png"], top=1)[0][0][0]
    assert guess in capsys.readouterr().out


def test_the_network_of_the_book_is_that_of_its_record_and_its_recipe():
    classifier, record = alexnet.load_classifier("imagenette"), records.load("imagenette")
    file = shipped.path("imagenette")
    assert shipped.names() == ("imagenette",) and file.stat().st_size < 6_000_000
    weights = checkpoints.load_weights(file)
    card = (file.parent / "imagenette.md").read_text(encoding="utf-8")
    assert card == ship.card(record, weights, "imagenette")
    recipe = config.from_dict(json.loads((ROOT / "data/recipes/imagenette.json").read_bytes()))
    assert config.from_dict(json.loads(weights.recipe)) == recipe == config.from_dict(record.config["recipe"])
    assert classifier.net.config == recipe.net and weights.fingerprint == record.data["fingerprint"]
    assert record.results["epochs"] == recipe.learning.epochs == max(shipped.kernels("imagenette")[0])
    assert classifier.names[0] == "tench" and classifier.classes[0] == "n01440764"
    rows = predict_probabilities(classifier, images(classifier.image_size))
    assert rows.shape == (8, 10) and rows.std(0).max() > 0.01  # they depend on the image


def test_its_kernels_changed_as_it_learned_and_the_last_are_its_own():
    kernels, net = shipped.kernels("imagenette")[0], alexnet.create_model(weights="imagenette")
    assert {1, 2, 5, 10, 20} < set(kernels)
    last = kernels[max(kernels)]
    assert torch.equal(last, net.conv1.weight.detach())
    distances = [float((tensor - last).norm()) for tensor in kernels.values()]
    assert distances == sorted(distances, reverse=True) and distances[-1] == 0

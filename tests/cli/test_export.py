"""Trained weights as safetensors, and back."""

import errno
import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from alexnet import create_model, load_classifier
from alexnet.cli.main import main
from alexnet.data.loading import load_image
from alexnet.evaluation.prediction import predict_probabilities
from alexnet.models import pretrained
from alexnet.storage import checkpoints, safe
from support import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "run"
    trained.saved(folder / "weights.pt")
    return folder


def test_a_run_is_exported_and_predicts_the_same(run, tmp_path, capsys):
    file = tmp_path / "mine.safetensors"
    assert main(["export", str(run), str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    ours, theirs = load_classifier(run), load_classifier(file)
    assert theirs.classes == ours.classes and theirs.names == ours.names and theirs.mean == ours.mean
    images = [
        torch.from_numpy(trained.image(n, trained.STORED, trained.STORED)).permute(2, 0, 1) for n in range(3)
    ]
    for views in (1, 10):
        assert torch.equal(
            predict_probabilities(ours, images, views=views),
            predict_probabilities(theirs, images, views=views),
        )
    with safe_open(file, "pt") as content:
        names = set(content.keys())
    assert {"conv1.weight", "fc8.bias", "statistics.mean_image"} <= names
    whole, again = (checkpoints.load_weights(checkpoints.weights_file(path)) for path in (run, file))
    assert whole.recipe == again.recipe and whole.environment == again.environment


def test_half_precision_is_half_the_size_and_read_as_float32(run, tmp_path):
    files = [tmp_path / "whole.safetensors", tmp_path / "half.safetensors"]
    for file, more in zip(files, ([], ["--half"]), strict=True):
        assert main(["export", str(run), str(file), *more]) == 0
    whole, half = (checkpoints.load_weights(file) for file in files)
    for name, tensor in whole.weights.items():
        assert half.weights[name].dtype == torch.float32
        assert torch.equal(half.weights[name], tensor.half().float())
    assert torch.equal(half.statistics["mean_image"], whole.statistics["mean_image"])
    saved = files[0].stat().st_size - files[1].stat().st_size
    assert abs(saved - 2 * sum(tensor.numel() for tensor in whole.weights.values())) < 200


def test_a_network_is_created_from_a_run(run):
    classifier = load_classifier(run)
    net = create_model(weights=run).eval()
    assert net.config == classifier.net.config
    pixels = trained.image(5, 40, 30)
    for image in (torch.from_numpy(pixels).permute(2, 0, 1), Image.fromarray(pixels)):
        x = classifier.transforms(image)
        assert x.shape == (3, trained.CROP, trained.CROP) and x.dtype == torch.float32
        assert torch.equal(net(x[None]), classifier.net(x[None]))
        expected = classifier.log_probabilities(load_image(image, trained.STORED)[None])
        torch.testing.assert_close(net(x[None]).double().log_softmax(1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "RUN", "a.pt"], "a.pt must end in .safetensors"),
        (["export", "nowhere", "a.safetensors"], "there is no checkpoint nowhere"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(run, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("RUN", str(run)) for word in words]) == 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_torchvisions_weights_are_not_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({name: torch.zeros(shape) for name, shape in pretrained.ours().items()}, "theirs.pth")
    for source in ("torchvision", "theirs.pth"):
        assert main(["export", source, "a.safetensors"]) == 2
        assert capsys.readouterr().err == (
            f"alexnet: {source} is torchvision's network, which has neither a recipe nor a mean image to "
            "export; name a run's folder, a file in it, or imagenette\n"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


def test_a_damaged_file_is_named(run, tmp_path):
    file = tmp_path / "cut.safetensors"
    main(["export", str(run), str(file)])
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match="cut.safetensors is damaged, or is no safetensors file"):
        load_classifier(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told | {"version": 99}, "its format is 99"),
        (lambda told: told | {"recipe": told["recipe"].replace('"net"', '"future": 1, "net"')}, "future"),
    ],
)
def test_what_is_wrong_with_a_file_of_this_package_is_told(change, message, run, tmp_path):
    file = tmp_path / "mine.safetensors"
    main(["export", str(run), str(file)])
    tensors, told = safe.read(file)
    safe.write(file, tensors, {}, change(told))
    for ask in (load_classifier, lambda path: create_model(weights=path)):
        with pytest.raises(ValueError, match=message):
            ask(file)


def test_a_file_is_read_under_any_name(run, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this disk has names in UTF-8 alone")
    file = folder / "mine.safetensors"
    assert main(["export", str(run), str(file)]) == 0
    assert load_classifier(file).classes == load_classifier(run).classes


def test_a_file_that_cannot_be_read_is_not_called_missing(run, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    file = tmp_path / "mine.safetensors"
    main(["export", str(run), str(file)])
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(OSError, match="cannot read .*: Permission denied"):
        load_classifier(file)

"""AlexNets of torchvision and of other programs as classifiers: the files that people have."""

import argparse

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from alexnet.evaluation.prediction import load_classifier, predict_probabilities
from alexnet.evaluation.pretrained import make_classifier
from alexnet.models import pretrained
from alexnet.models.torchvision import from_torchvision
from support import trained


@pytest.fixture(scope="module")
def torchvisions():
    """Torchvision's net; in a matrix each row is the one above moved by one, to stay small in a file."""
    net = torchvision.models.alexnet()
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in net.state_dict().items():
        fan_in = tensor[0].numel() if tensor.ndim > 1 else 100
        if tensor.ndim == 2:
            row = torch.randn(sum(tensor.shape), generator=generator) * (2 / fan_in) ** 0.5
            state[name] = row.as_strided(tensor.shape, (1, 1))
        else:
            state[name] = torch.randn(tensor.shape, generator=generator) * (2 / fan_in) ** 0.5
    net.load_state_dict(state, assign=True)
    return net.eval()


@pytest.fixture(scope="module")
def theirs(torchvisions):
    return dict(torchvisions.state_dict())


def test_torchvisions_weights_give_what_torchvision_gives(torchvisions, theirs, tmp_path):
    torch.save(theirs, tmp_path / "theirs.pth")
    classifier = load_classifier(tmp_path / "theirs.pth")
    images = torch.from_numpy(np.stack([trained.image(n, 256, 256) for n in range(3)])).permute(0, 3, 1, 2)
    transforms = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()
    with torch.no_grad():
        expected = nn.functional.softmax(torchvisions(transforms(images)).double(), dim=1)
    got = predict_probabilities(classifier, list(images))
    assert expected.std(0).max() > 1e-3, "these images tell nothing"
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-7)
    assert classifier.classes[:2] == ("n01440764", "n01443537")
    assert classifier.names[:2] == ("tench", "goldfish")
    assert "mean [0.485, 0.456, 0.406]" in classifier.remark and "[0.229, 0.224, 0.225]" in classifier.remark


def test_torchvisions_weights_are_found_by_name_and_never_downloaded(theirs, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match="weights are not in torch's cache; save https://.* as .*, or give"
    ):
        load_classifier("torchvision")
    pretrained_path = tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    pretrained_path.parent.mkdir(parents=True)
    # The older of torch's two forms of a file.
    torch.save(theirs, pretrained_path, _use_new_zipfile_serialization=False)
    assert load_classifier("torchvision").name == "torchvision"


with torch.device("meta"):
    SHAPES = {name: tensor.shape for name, tensor in torchvision.models.alexnet().state_dict().items()}


def loaded(content, path):
    """Write a file as other programs do and read it as a classifier."""
    torch.save(content, path)
    return load_classifier(path)


@pytest.fixture(scope="module")
def ten(theirs):
    """The parameters of a network with ten classes."""
    return theirs | {
        f"classifier.6.{kind}": theirs[f"classifier.6.{kind}"][:10] for kind in ("weight", "bias")
    }


def renamed(state, change):
    return {change(name): tensor for name, tensor in state.items()}


CHECKPOINTS = {
    "pytorch/examples": lambda state: {
        "epoch": 9,
        "arch": "alexnet",
        "state_dict": renamed(state, lambda name: name.replace("features.", "features.module.")),
        "best_acc1": torch.tensor(56.5),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0]}]},
    },
    "DataParallel": lambda state: {"state_dict": renamed(state, "module.{}".format), "epoch": 90},
    "torch.compile": lambda state: {"model": renamed(state, "_orig_mod.{}".format)},
    "Lightning": lambda state: {"state_dict": renamed(state, "model.{}".format), "global_step": 3},
    "a backbone": lambda state: {"state_dict": renamed(state, "backbone.{}".format)},
    "wrappers within each other": lambda state: renamed(state, "learner.module.any_name.alexnet.{}".format),
    "our names in a wrapper": lambda state: renamed(from_torchvision(state), "alexnet.{}".format),
    "by itself": lambda state: state,
    "our names": lambda state: {"state_dict": from_torchvision(state), "epoch": 1},
    "half precision": lambda state: {"state_dict": {name: tensor.half() for name, tensor in state.items()}},
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_the_parameters_in_checkpoints_of_other_programs_are_found(kind):
    state = {name: torch.randn(shape[:1]) for name, shape in SHAPES.items()}
    got = pretrained.state_in(CHECKPOINTS[kind](state))
    wanted = from_torchvision(state) if "our names" in kind else state
    assert got.keys() == wanted.keys()
    for name, tensor in got.items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, wanted[name], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["pytorch/examples", "our names"])
def test_a_checkpoint_of_another_program_with_ten_classes_is_a_classifier(kind, ten, tmp_path):
    got = loaded(CHECKPOINTS[kind](ten), tmp_path / "x.pth")
    assert torch.equal(got.net.fc8.bias, ten["classifier.6.bias"])
    assert got.classes == tuple("0123456789") and got.names[3] == "class 3"
    assert got.remark.endswith("; the file does not name its classes, so they are numbered")
    assert predict_probabilities(got, [torch.zeros(3, 256, 256, dtype=torch.uint8)]).shape == (1, 10)


@pytest.mark.parametrize(
    ("extra", "classes"),
    [
        ({"classes": [*"abcdefghij"]}, tuple("abcdefghij")),
        ({"state_dict": {}}, None),
        ({"class_to_idx": {name: 9 - i for i, name in enumerate("abcdefghij")}}, tuple("jihgfedcba")),
        ({"classes": ["a", "b"]}, None),
        ({"class_to_idx": {"a": 1}}, None),
        ({"class_to_idx": {"a": 1, "b": None}}, None),
    ],
)
def test_classes_are_those_that_the_file_names(extra, classes):
    assert pretrained.classes_in(extra, 10) == classes


def test_classes_with_names_are_not_numbered(ten):
    names = tuple("abcdefghij")
    got = make_classifier(pretrained.Found(from_torchvision(ten), names), name="x")
    assert got.classes == got.names == names and "numbered" not in got.remark


AMISS = {"features.0.weight": torch.zeros(64, 3, 11, 11)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"layer1.0.conv1.weight": torch.zeros(2)},
            "x.pth has the parameters of another network, such as layer1",
        ),
        (
            {"state_dict": {"fc.weight": torch.zeros(2)}},
            "the parameters of another network, such as fc.weight",
        ),
        (
            {"model": {}, "args": argparse.Namespace()},
            "x.pth was refused, .* asks for argparse.Namespace.*state_dict",
        ),
        (
            {"net.fc.weight": torch.zeros(2), "net.fc.bias": torch.zeros(2)},
            "the parameters of another network, such as net.fc.bias",
        ),
        (AMISS | {"more": torch.zeros(2)}, "the parameters of another network, such as more;"),
        (AMISS, "the parameters of another network, as classifier.1.bias is missing;"),
        ({"weight": torch.zeros(2, device="meta")}, "x.pth is no checkpoint of this package"),
        ({"state_dict": {}}, "x.pth is no checkpoint of this package"),
        ([1, 2], "x.pth is no file of this package"),
    ],
)
def test_what_is_no_alexnet_is_named_in_one_sentence(content, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        loaded(content, tmp_path / "x.pth")


def test_our_network_without_its_recipe_is_refused_by_name(tmp_path):
    state = {"state_dict": trained.weights().weights}
    with pytest.raises(
        ValueError, match=r"an AlexNet that is not torchvision's \(conv1.weight is .*give the file"
    ):
        loaded(state, tmp_path / "x.pth")

"""Networks by name, with weights of any origin."""

from dataclasses import replace

import pytest
import torch
import torchvision

import alexnet
from alexnet.models.alexnet import AlexNet
from alexnet.models.create import create_model, list_models
from alexnet.recipes import NETS, net_config
from support import trained
from support.narrow import seeded

TINY = {"conv_channels": (8, 8, 8, 8, 8), "dense_units": (16, 16), "num_classes": 7}


def test_the_names_are_those_of_the_networks():
    assert alexnet.list_models() == list(NETS) and alexnet.list_models is list_models
    assert list_models("without-*") == [name for name in NETS if name.startswith("without-")]
    assert list_models("resnet*") == []


def test_a_network_by_name_is_that_of_its_configuration():
    net = create_model("small", base="code2012", num_classes=10, generator=seeded(3))
    config = net_config("small", base="code2012", num_classes=10)
    assert net.config == config and net.training
    state = AlexNet(config, generator=seeded(3)).state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert create_model(**TINY).config.name == "paper"
    with torch.device("meta"):
        assert create_model("torchvision").fc8.out_features == 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet50"}, "net must be one of paper, code2012, merged"),
        ({"name": ""}, "net must be one of paper, code2012, merged"),
        ({"weights": "imagenette", "num_classes": 0}, "num_classes must be a whole number from 2 to"),
        ({"name": "paper", "depth": 3}, "a network has no field 'depth'"),
        ({"weights": "imagenette", "depth": 3}, "a network has no field 'depth'"),
        ({"weights": "imagenette", "base": "code2012"}, "a network has no field 'base'"),
        ({"name": "paper", "weights": "nowhere.pt"}, "there is no checkpoint nowhere.pt"),
        ({"weights": {}}, "a state dict holds tensors under the names of parameters"),
        ({"weights": {"conv1.weight": torch.zeros(1)}}, "does not tell its network; give its name"),
        (
            {"name": "small", "weights": {"conv1.weight": torch.zeros(1)}},
            "the state dict does not fit the network",
        ),
        (
            {"name": "small", "weights": {"fc8.bias": torch.tensor(1.0)}},
            r"the state dict does not fit the network 'small': conv1.bias is missing",
        ),
    ],
)
def test_what_cannot_be_built_is_one_sentence(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        create_model(**arguments)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return torchvision.models.alexnet(num_classes=3).eval()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["mapping", "file", "pytorch/examples", "safetensors"])
def test_torchvisions_weights_give_torchvisions_logits(theirs, tmp_path, form):
    state = weights = theirs.state_dict()
    if form != "mapping":
        weights = tmp_path / ("theirs.safetensors" if form == "safetensors" else "theirs.pth")
    if form == "file":
        torch.save(state, weights)
    elif form == "pytorch/examples":
        named = {name.replace("features.", "features.module."): tensor for name, tensor in state.items()}
        torch.save({"epoch": 3, "arch": "alexnet", "state_dict": named}, weights)
    elif form == "safetensors":
        from safetensors.torch import save_file

        save_file(state, weights)
    net = create_model(weights=weights).eval()
    images = torch.randn(2, 3, 224, 224, generator=seeded(1))
    with torch.no_grad():
        torch.testing.assert_close(net(images), theirs(images), rtol=1e-4, atol=1e-5)
    if form == "mapping":
        others = create_model("torchvision", num_classes=5, weights=weights, generator=seeded(2))
        assert others.fc8.weight.shape == (5, 4096) and torch.equal(others.fc7.weight, net.fc7.weight)
        assert abs(others.fc8.weight.std() - 0.01) < 0.001  # initial weights
        assert create_model("torchvision", weights=weights, num_classes=3, base="code2012").config.towers == 1


def test_the_subpackages_are_there_after_an_import():
    assert callable(alexnet.data.load_or_default) and alexnet.models.create.create_model is create_model


def test_the_generator_draws_the_new_last_layer_beside_weights_too():
    state = create_model("small", **TINY, generator=seeded(1)).state_dict()
    nets = [
        create_model("small", weights=state, **TINY | {"num_classes": 5}, generator=seeded(seed))
        for seed in (2, 2, 3)
    ]
    assert torch.equal(nets[0].fc8.weight, nets[1].fc8.weight)
    assert not torch.equal(nets[0].fc8.weight, nets[2].fc8.weight)
    assert torch.equal(nets[0].fc7.weight, state["fc7.weight"])


def test_changes_come_on_top_of_the_net_of_the_weights(tmp_path):
    path = trained.saved(tmp_path / "net.pt")
    net = create_model(weights=path, dropout=0.25)
    assert net.config == replace(trained.recipe().net, dropout=0.25)
    assert torch.equal(net.fc8.bias, trained.weights().weights["fc8.bias"])


def test_weights_are_not_read_as_those_of_another_network_of_the_same_shapes(tmp_path):
    path = trained.saved(tmp_path / "net.pt")  # of the network "small" of the code of 2012
    config = create_model("small", weights=path, base="code2012", **trained.NARROW).config
    assert config == trained.recipe().net
    sentence = (
        "net.pt has the weights of the network 'small-code2012', whose lrn_.* leave the name out, or give"
    )
    with pytest.raises(ValueError, match=sentence):
        create_model("small", weights=path, **trained.NARROW)
    plain = trained.saved(tmp_path / "plain.pt", lrn=False, spatial_norm=False)
    assert not create_model("small", weights=plain, **trained.NARROW | {"lrn": False}).config.lrn_divide_alpha
    asked = trained.NARROW | {"base": "code2012", "lrn_alpha": 0.25}
    assert create_model("small", weights=path, **asked).config.lrn_alpha == 0.25

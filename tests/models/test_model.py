"""The net against slow compositions of the paper and of the 2012 code, and every net against its table."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from alexnet.distributed.towers import Tower
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.architecture import list_layers
from alexnet.models.stages import make_stages
from alexnet.models.torchvision import from_torchvision
from alexnet.recipes import CODE2012, DIFFERENCES, NETS, PAPER, RECIPES, net_config
from references import net as references_net
from support.narrow import CONSTANTS, loud, narrow, random_images, run_by_layers, seeded

REFERENCES = {"paper": references_net.paper_net, "code2012": references_net.code2012_net}
BOTH = pytest.mark.parametrize("name", RECIPES)


def convert_to_numpy(tensors):
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def assert_same(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-11, atol=1e-11 * abs(expected).max())


# Against the slow compositions


@BOTH
def test_every_layer_is_what_the_reference_computes(name):
    net = loud(narrow(name))
    images = random_images(net.config)
    expected = REFERENCES[name](images.numpy(), convert_to_numpy(dict(net.named_parameters())), CONSTANTS)
    with torch.no_grad():
        outputs = run_by_layers(net, images)
        assert_same(net(images), expected["fc8"])
    assert set(outputs) - set(expected) == ({"conv5"} if name == "code2012" else set())
    for layer, output in expected.items():
        assert_same(outputs[layer], output)
        assert abs(output).max() > 1, layer


@BOTH
def test_training_multiplies_by_the_masks_alone(name):
    net = loud(narrow(name)).train()
    images = random_images(net.config, 3)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 3, generator=seeded(5)).items()}
    assert {key: tuple(mask.shape) for key, mask in masks.items()} == {"fc7": (3, 14), "fc8": (3, 10)}
    parameters = convert_to_numpy(dict(net.named_parameters()))
    expected = REFERENCES[name](images.numpy(), parameters, CONSTANTS, convert_to_numpy(masks))
    assert_same(net(images, masks), expected["fc8"])
    assert (net(images, masks) - net.eval()(images)).abs().max() > 1


@BOTH
def test_features_are_the_last_hidden_units_before_dropout(name):
    net = loud(narrow(name))
    images = random_images(net.config)
    expected = REFERENCES[name](images.numpy(), convert_to_numpy(dict(net.named_parameters())), CONSTANTS)
    assert_same(net.features(images), expected["fc7"])
    torch.testing.assert_close(net.eval().head(net.features(images)), net(images), rtol=0, atol=0)
    one_less = loud(narrow(name, removed=("fc7",)))
    assert_same(one_less.features(images), run_by_layers(one_less, images)["fc6"].detach().numpy())
    none = loud(narrow(name, removed=("fc6", "fc7")))
    assert none.features(images).shape == (2, 24 * 2 * 2)


FIRST_TO_DIFFER = {"D1": "norm1", "D2": "norm1", "D3": "conv1", "D4": "spatial_norm2", "D5": "conv3"}
NET_DIFFERENCES = [difference for difference in DIFFERENCES if difference.part == "net"]


@pytest.mark.parametrize("difference", NET_DIFFERENCES, ids=lambda difference: difference.id)
def test_each_difference_of_the_net_changes_the_output(difference):
    text = narrow(weight_std=0.1)
    configs = text, replace(text, **{difference.field: difference.code})
    nets = [AlexNet(config, generator=seeded(1)).double().eval() for config in configs]
    images = random_images(text)
    with torch.no_grad():
        written, run = (run_by_layers(net, images) for net in nets)
    assert (written["fc8"] / run["fc8"] - 1).abs().max() > 1e-4
    differ = [layer for layer in run if layer not in written or not torch.equal(written[layer], run[layer])]
    assert differ[0] == FIRST_TO_DIFFER[difference.id]


def test_the_towers_of_the_text_meet_at_the_seam_alone():
    text, code = (loud(narrow(lrn_per_tower=apart)) for apart in (False, True))
    with torch.no_grad():
        written, run = (run_by_layers(net, random_images(net.config)) for net in (text, code))
    for layer, maps in (("norm1", [3, 4]), ("norm2", [5, 6])):
        x = written["conv" + layer[-1]]
        apart = code.get_submodule(layer)(x) - text.get_submodule(layer)(x)
        assert apart.abs().amax((0, 2, 3)).nonzero().flatten().tolist() == maps
    assert not torch.equal(written["norm1"], run["norm1"])


def test_without_communication_before_conv3_the_towers_are_two_nets():
    net = loud(narrow("code2012"))
    images = random_images(net.config)
    with torch.no_grad():
        before = run_by_layers(net, images)
        net.conv2.weight[:6] += 1  # in tower a
        after = run_by_layers(net, images)
    assert torch.equal(before["pool2"][:, 6:], after["pool2"][:, 6:])
    changed = (before["conv3"] != after["conv3"]).any(dim=0).any(dim=1).any(dim=1)
    assert changed[8:].any() and changed[:8].any()


# Every net


@pytest.mark.parametrize("base", RECIPES)
@pytest.mark.parametrize("name", NETS)
def test_modules_agree_with_the_table(name, base):
    config = net_config(name, base=base)
    with torch.device("meta"):
        net = AlexNet(config).eval()
        outputs = run_by_layers(net, torch.empty(2, 3, config.input_size, config.input_size))
    for layer in list_layers(config):
        counted = sum(p.numel() for p in net.get_submodule(layer.name).parameters())
        assert counted == layer.num_parameters
        pixels = (layer.out_size,) * 2 if layer.kind != "dense" else ()
        assert outputs[layer.name].shape == (2, layer.out_channels, *pixels)
    learning = [layer.name for layer in list_layers(config) if layer.has_parameters]
    assert list(net.state_dict()) == [f"{name}.{kind}" for name in learning for kind in ("weight", "bias")]


def test_without_values_none_are_drawn(monkeypatch):
    """Torch would import its compiler for it: two seconds more for each prediction."""
    monkeypatch.setattr(torch.Tensor, "normal_", None)
    with torch.device("meta"):
        assert AlexNet(net_config("small")).conv1.weight.is_meta
    with pytest.raises(TypeError):
        AlexNet(net_config("small"))


@pytest.mark.parametrize("name", [name for name in NETS if net_config(name).towers == 2])
def test_two_towers_have_all_parameters_of_the_net(name):
    with torch.device("meta"):
        whole = AlexNet(net_config(name))
        tower = Tower(net_config(name))
    for key, parameter in whole.named_parameters():
        share = tower.get_parameter(key)
        axis = 1 if key == "fc8.weight" else 0
        wanted = list(parameter.shape)
        wanted[axis] //= 1 if key == "fc8.bias" else 2
        assert list(share.shape) == wanted


def test_crossings():
    def crossings(config):
        return [
            (stage.crossing, stage.layers[0].name if stage.layers else "") for stage in make_stages(config)
        ]

    gathers = [("gather", "conv3"), ("gather", "fc6"), ("gather", "fc7"), ("", "fc8"), ("sum", "")]
    assert crossings(CODE2012.net) == [("", "conv1"), *gathers]
    assert crossings(PAPER.net) == [("", "conv1"), ("edges", "norm1"), ("edges", "norm2"), *gathers]
    assert crossings(net_config("merged")) == [("", "conv1"), ("", "fc8"), ("sum", "")]
    assert crossings(net_config("no-lrn")) == [("", "conv1"), *gathers]
    assert crossings(net_config("without-fc6"))[-4:] == [("gather", "conv3"), *gathers[2:]]
    assert crossings(net_config("sixth-conv"))[3:5] == [("gather", "conv3"), ("gather", "conv6")]


def test_the_full_net_computes_and_learns_once():
    net = AlexNet(CODE2012.net, generator=seeded(0))
    logits = net(random_images(CODE2012.net, 1, torch.float32))
    assert logits.shape == (1, 1000) and logits.isfinite().all()
    with torch.no_grad():
        assert net.eval().features(random_images(CODE2012.net, 1, torch.float32)).shape == (1, 4096)


# torchvision's net


class GivenDropout(nn.Module):
    """torch's dropout with the mask given instead of drawn."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x * self.mask * 2 if self.training else x


@pytest.mark.slow
def test_torchvisions_weights_give_torchvisions_logits_and_gradients():
    with torch.device("meta"):
        theirs = torchvision.models.alexnet(weights=None)
        ours = AlexNet(net_config("torchvision"))
    theirs.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in theirs.parameters():
            spread = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.normal_(0, spread, generator=seeded(parameter.numel()))
    ours.load_state_dict(from_torchvision(theirs.state_dict()), assign=True)
    images = torch.randn(2, 3, 224, 224, generator=seeded(2))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=1e-4, atol=1e-4)
    masks = draw_masks(ours.config, 2, generator=seeded(4))
    assert {name: mask.shape[1] for name, mask in masks.items()} == {"fc6": 9216, "fc7": 4096}
    theirs.classifier[0], theirs.classifier[3] = (GivenDropout(masks[name]) for name in ("fc6", "fc7"))
    logits = ours.train()(images, masks), theirs.train()(images)
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)
    wanted = [ours.conv1.weight, ours.fc8.weight], [theirs.features[0].weight, theirs.classifier[6].weight]
    pairs = [
        torch.autograd.grad(y.square().sum(), weights) for y, weights in zip(logits, wanted, strict=True)
    ]
    for mine, other in zip(*pairs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_other_weights_are_not_torchvisions():
    with pytest.raises(ValueError, match="not the parameters of torchvision.models.alexnet: .* is amiss"):
        from_torchvision({"conv9": torch.zeros(1)})


def test_building_a_network_loads_no_computer_algebra(monkeypatch):
    """Which takes a second, and which torch imports in order to make a tensor like one without values."""
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.symbolic_shapes", None)  # whose import now fails
    assert AlexNet(net_config("small")).fc8.weight.isfinite().all()
    with torch.device("meta"):
        assert AlexNet(net_config("small")).fc8.weight.is_meta

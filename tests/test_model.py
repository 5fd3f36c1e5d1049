"""The net against slow compositions of the paper and of the 2012 code; masks, initial values, modes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import references_net
from alexnet import paper
from alexnet.architecture import layers_of
from alexnet.config import CODE2012, DIFFERENCES, NETS, PAPER, RECIPES, net_config
from alexnet.model import AlexNet, Stage, draw_masks, dropout_inputs, from_torchvision, stages_of

# 68 pixels make 16, 8, 4 and 2: three zeros beside the picture, as 224 does, and every last pool overhangs.
NARROW = {
    "conv_channels": (8, 12, 16, 20, 24),
    "dense_units": (14, 10),
    "num_classes": 5,
    "input_size": 68,
    "lrn_n": 3,
    "lrn_k": 1.3,
    "lrn_alpha": 2e-3,
    "lrn_beta": 0.6,
}
CONSTANTS = {key: NARROW[f"lrn_{key}"] for key in ("n", "k", "alpha", "beta")}
REFERENCES = {"paper": references_net.paper_net, "code2012": references_net.code2012_net}
BOTH = pytest.mark.parametrize("name", RECIPES)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def narrow(name="paper", **changes):
    return replace(RECIPES[name].net, **(NARROW | changes))


def loud(config, seed=3):
    """Build a float64 net whose signals stay large enough that every constant shows in every layer."""
    net = AlexNet(config).double().eval()
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            spread = 2.5 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 1.0
            parameter.normal_(0, spread, generator=generator)
    return net


def pictures(config, num=2, dtype=torch.float64):
    size = config.input_size
    return 60 * torch.randn(num, config.input_channels, size, size, generator=seeded(11), dtype=dtype)


def numpy_of(tensors):
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def run_by_layers(net, x, masks=None):
    """Run a net one layer at a time: the output of each by name."""
    outputs = {}
    for stage in net.stages:
        for layer in stage.layers:
            outputs[layer.name] = x = net.run(Stage("", (layer,)), x, masks)
    outputs["fc8"] = net.run(net.stages[-1], x, masks)
    return outputs


def assert_same(got, expected):
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-11, atol=1e-11 * abs(expected).max())


# Against the slow compositions


@BOTH
def test_every_layer_is_what_the_reference_computes(name):
    net = loud(narrow(name))
    images = pictures(net.config)
    expected = REFERENCES[name](images.numpy(), numpy_of(dict(net.named_parameters())), CONSTANTS)
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
    images = pictures(net.config, 3)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 3, generator=seeded(5)).items()}
    assert {key: tuple(mask.shape) for key, mask in masks.items()} == {"fc7": (3, 14), "fc8": (3, 10)}
    parameters = numpy_of(dict(net.named_parameters()))
    expected = REFERENCES[name](images.numpy(), parameters, CONSTANTS, numpy_of(masks))
    assert_same(net(images, masks), expected["fc8"])
    assert (net(images, masks) - net.eval()(images)).abs().max() > 1


@BOTH
def test_features_are_the_last_hidden_units_before_dropout(name):
    net = loud(narrow(name))
    images = pictures(net.config)
    expected = REFERENCES[name](images.numpy(), numpy_of(dict(net.named_parameters())), CONSTANTS)
    assert_same(net.features(images), expected["fc7"])
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
    images = pictures(text)
    with torch.no_grad():
        written, run = (run_by_layers(net, images) for net in nets)
    assert (written["fc8"] / run["fc8"] - 1).abs().max() > 1e-4
    differ = [layer for layer in run if layer not in written or not torch.equal(written[layer], run[layer])]
    assert differ[0] == FIRST_TO_DIFFER[difference.id]


def test_the_towers_of_the_text_meet_at_the_seam_alone():
    text, code = (loud(narrow(lrn_per_tower=apart)) for apart in (False, True))
    with torch.no_grad():
        written, run = (run_by_layers(net, pictures(net.config)) for net in (text, code))
    for layer, maps in (("norm1", [3, 4]), ("norm2", [5, 6])):
        x = written["conv" + layer[-1]]
        apart = code.get_submodule(layer)(x) - text.get_submodule(layer)(x)
        assert apart.abs().amax((0, 2, 3)).nonzero().flatten().tolist() == maps
    assert not torch.equal(written["norm1"], run["norm1"])


def test_without_communication_before_conv3_the_towers_are_two_nets():
    net = loud(narrow("code2012"))
    images = pictures(net.config)
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
    for layer in layers_of(config):
        counted = sum(p.numel() for p in net.get_submodule(layer.name).parameters())
        assert counted == layer.num_parameters
        pixels = (layer.out_size,) * 2 if layer.kind != "dense" else ()
        assert outputs[layer.name].shape == (2, layer.out_channels, *pixels)
    learning = [layer.name for layer in layers_of(config) if layer.has_parameters]
    assert list(net.state_dict()) == [f"{name}.{kind}" for name in learning for kind in ("weight", "bias")]


@pytest.mark.parametrize("name", [name for name in NETS if net_config(name).towers == 2])
def test_two_towers_have_all_parameters_of_the_net(name):
    with torch.device("meta"):
        whole = AlexNet(net_config(name))
        tower = AlexNet(net_config(name), tower_only=True)
    for key, parameter in whole.named_parameters():
        share = tower.get_parameter(key)
        axis = 1 if key == "fc8.weight" else 0
        wanted = list(parameter.shape)
        wanted[axis] //= 1 if key == "fc8.bias" else 2
        assert list(share.shape) == wanted
    assert "one tower" in repr(tower) and "one tower" not in repr(whole)


def test_crossings():
    def crossings(config):
        return [
            (stage.crossing, stage.layers[0].name if stage.layers else "")
            for stage in stages_of(config, layers_of(config))
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
    logits = net(pictures(CODE2012.net, 1, torch.float32))
    assert logits.shape == (1, 1000) and logits.isfinite().all()
    with torch.no_grad():
        assert net.eval().features(pictures(CODE2012.net, 1, torch.float32)).shape == (1, 4096)


# torchvision's net


class GivenDropout(nn.Module):
    """torch's dropout with the mask given instead of drawn."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return x * self.mask * 2 if self.training else x


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


# Masks


def test_masks_keep_each_unit_with_its_probability():
    config = narrow(dense_units=(512, 512), dropout=0.2)
    masks = draw_masks(config, 64, generator=seeded(8))
    for mask in masks.values():
        assert mask.dtype == torch.float32 and set(mask.unique().tolist()) == {0.0, 1.0}
        assert abs(mask.mean() - 0.8) < 0.01  # 4.5 standard deviations
        assert (mask.mean(0) - 0.8).abs().max() < 0.3 and (mask.mean(1) - 0.8).abs().max() < 0.1
    again = draw_masks(config, 64, generator=seeded(8))
    assert all(torch.equal(masks[name], again[name]) for name in masks)
    other = draw_masks(config, 64, generator=seeded(9))
    assert not any(torch.equal(masks[name], other[name]) for name in masks)
    assert not torch.equal(masks["fc7"], masks["fc8"])


def test_which_layers_read_under_dropout():
    assert dropout_inputs(PAPER.net) == {"fc7": 4096, "fc8": 4096}
    assert dropout_inputs(net_config("torchvision")) == {"fc6": 9216, "fc7": 4096}
    assert dropout_inputs(net_config("without-fc6")) == {"fc8": 4096}
    assert dropout_inputs(net_config("without-fc7")) == {"fc8": 4096}
    assert dropout_inputs(net_config("paper", dropout=0.0)) == {}
    assert draw_masks(net_config("paper", dropout=0.0), 2, generator=seeded(0)) == {}


def test_without_dropout_training_and_test_agree():
    net = loud(narrow(dropout=0.0))
    images = pictures(net.config)
    torch.testing.assert_close(net.train()(images), net.eval()(images), rtol=0, atol=0)


def test_without_masks_training_draws_from_torchs_generator():
    net = loud(narrow()).train()
    images = pictures(net.config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first, second = net(images), net(images)
        torch.manual_seed(1)
        again = net(images)
    assert torch.equal(first, again) and not torch.equal(first, second)


# Initial values


@BOTH
def test_weights_and_biases_start_as_the_paper_says(name):
    config = narrow(name, conv_channels=(32, 64, 64, 64, 64), dense_units=(128, 128), num_classes=100)
    net = AlexNet(config, generator=seeded(6))
    for layer in layers_of(config):
        if not layer.has_parameters:
            continue
        module = net.get_submodule(layer.name)
        later = layer.name in ("conv3", "conv4", "conv5") and name == "code2012"
        z = (module.weight.detach() / (0.03 if later else paper.INITIAL_WEIGHT_STD)).flatten()
        error = len(z) ** -0.5
        assert abs(z.mean()) < 4 * error and abs(z.std() - 1) < 3 * error
        assert abs((z.abs() > 2).double().mean() - 0.0455) < error  # 5 standard deviations; normal it is
        one = layer.name in paper.INITIAL_BIAS_ONE
        assert module.bias.unique().tolist() == [1.0 if one else 0.0]


def test_the_generator_alone_decides_the_weights():
    def weights(seed):
        return AlexNet(narrow(), generator=seeded(seed)).state_dict()

    before = torch.get_rng_state()
    first, again, other = weights(1), weights(1), weights(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first if "weight" in key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        assert torch.equal(AlexNet(narrow()).state_dict()["fc8.weight"], first["fc8.weight"])


# Modes of running it


def test_channels_last_gives_the_same():
    net = loud(narrow("code2012"))
    images = pictures(net.config)
    expected = net(images)
    turned = images.to(memory_format=torch.channels_last)
    got = net.to(memory_format=torch.channels_last)(turned)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-9)


@BOTH
def test_autocast_to_bfloat16_stays_near_and_learns(name):
    net = loud(narrow(name)).float()
    images = pictures(net.config, dtype=torch.float32)
    expected = net(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images)
    assert (logits.float() - expected).abs().max() < 0.05 * expected.abs().max()
    logits.float().square().sum().backward()
    gradients = [parameter.grad for parameter in net.parameters()]
    assert all(g.dtype == torch.float32 and g.isfinite().all() and g.any() for g in gradients)


@BOTH
def test_compilation_takes_the_whole_net_in_one_graph(name):
    """torch.compile without its last step, which needs a C++ compiler and most of a minute."""
    net = loud(narrow(name)).train()
    images = pictures(net.config)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 2, generator=seeded(5)).items()}
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    logits, expected = compiled(images, masks), net(images, masks)
    torch.testing.assert_close(logits, expected, rtol=1e-11, atol=1e-9)
    weights = list(net.parameters())
    both = [torch.autograd.grad(y.square().sum(), weights) for y in (logits, expected)]
    torch.testing.assert_close(*both, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 68, 67), (2, 3, 224, 224), (3, 68, 68), (2, 1, 68, 68)])
def test_pictures_of_another_shape_are_refused(shape):
    net = AlexNet(narrow())
    for call in (net, net.features):
        with pytest.raises(
            ValueError, match=r"the net 'paper' reads images \(N, 3, 68, 68\), got \("
        ) as caught:
            call(torch.zeros(shape))
        assert str(shape) in str(caught.value) and "\n" not in str(caught.value)

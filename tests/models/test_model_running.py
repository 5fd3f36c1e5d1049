"""Running the net: masks, initial values, memory formats, bfloat16, compilation, wrong images."""

import pytest
import torch
import torch.nn.functional as F

from alexnet import paper
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.architecture import list_layers
from alexnet.models.layers import Conv2d, PartOfLinear
from alexnet.models.stages import dropout_inputs
from alexnet.recipes import PAPER, RECIPES, net_config
from support.narrow import loud, narrow, random_images, seeded

BOTH = pytest.mark.parametrize("name", RECIPES)


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
    images = random_images(net.config)
    torch.testing.assert_close(net.train()(images), net.eval()(images), rtol=0, atol=0)


def test_without_masks_training_draws_from_torchs_generator():
    net = loud(narrow()).train()
    images = random_images(net.config)
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
    for layer in list_layers(config):
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
    images = random_images(net.config)
    expected = net(images)
    turned = images.to(memory_format=torch.channels_last)
    got = net.to(memory_format=torch.channels_last)(turned)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-9)


@BOTH
def test_autocast_to_bfloat16_stays_near_and_learns(name):
    net = loud(narrow(name)).float()
    images = random_images(net.config, dtype=torch.float32)
    expected = net(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images)
    assert (logits.float() - expected).abs().max() < 0.05 * expected.abs().max()
    logits.float().square().sum().backward()
    gradients = [parameter.grad for parameter in net.parameters()]
    assert all(g.dtype == torch.float32 and g.isfinite().all() and g.any() for g in gradients)


@pytest.mark.slow
def test_compilation_takes_the_whole_net_in_one_graph():
    """torch.compile without its last step, which needs a C++ compiler and most of a minute."""
    net = loud(narrow("code2012")).train()
    images = random_images(net.config)
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 2, generator=seeded(5)).items()}
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    logits, expected = compiled(images, masks), net(images, masks)
    torch.testing.assert_close(logits, expected, rtol=1e-11, atol=1e-9)
    weights = list(net.parameters())
    both = [torch.autograd.grad(y.square().sum(), weights) for y in (logits, expected)]
    torch.testing.assert_close(*both, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 68, 67), (2, 3, 224, 224), (3, 68, 68), (2, 1, 68, 68)])
def test_images_of_another_shape_are_refused(shape):
    net = AlexNet(narrow())
    for call in (net, net.features):
        with pytest.raises(
            ValueError, match=r"the network 'paper' reads images \(N, 3, 68, 68\), got \("
        ) as caught:
            call(torch.zeros(shape))
        assert str(shape) in str(caught.value) and "\n" not in str(caught.value)


def test_layers_take_their_input_under_torchs_name_for_it():
    images = torch.rand(2, 3, 9, 9)
    layers = [(Conv2d(3, 4, 3, 2, sides=(0, 1, 0, 1)), images), (PartOfLinear(9, 4), images)]
    assert all(torch.equal(layer(input=x), layer(x)) for layer, x in layers)


def test_the_head_drops_what_its_mask_says():
    net = loud(narrow()).train()
    masks = {key: mask.double() for key, mask in draw_masks(net.config, 3, generator=seeded(5)).items()}
    features = torch.randn(3, 10, dtype=torch.float64, generator=seeded(6))
    expected = F.linear(features * masks["fc8"], net.fc8.weight, net.fc8.bias)
    torch.testing.assert_close(net.head(features, masks), expected)

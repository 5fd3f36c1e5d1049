"""The split of a net into towers and back, what has to cross at a seam, and how many bytes that is."""

import pytest
import torch

from alexnet.distributed.towers import Tower, halo, join, split, tower_masks, whole_shape, with_halo
from alexnet.functional.lrn import local_response_norm
from alexnet.models.alexnet import AlexNet
from alexnet.models.traffic import communication, gradient_traffic
from alexnet.optim.sgd import velocities
from alexnet.recipes import NETS, net_config
from support.one_device import OneDevice, draw_step_masks, narrow, seeded

SPLIT_NETS = [name for name in NETS if net_config(name).towers > 1]


def narrowed(name):
    """A net of NETS with few maps."""
    channels = tuple(8 + 4 * index for index, _ in enumerate(net_config(name).conv_channels))
    small = {"kernel_sizes": (5, 5, 3, 3, 3), "conv1_stride": 1, "input_size": 24, "num_classes": 6}
    return net_config(name, conv_channels=channels, dense_units=(12, 16), **small)


@pytest.mark.parametrize("name", SPLIT_NETS)
def test_towers_get_halves_and_give_them_back(name):
    config = narrowed(name)
    whole = AlexNet(config, generator=seeded()).state_dict()
    for tensor in whole.values():
        tensor.normal_(generator=seeded())
    states = split(whole, config)
    for index, state in enumerate(states):
        Tower(config).load_state_dict(state)
        for parameter, part in state.items():
            assert whole_shape(parameter, part.shape, 2) == whole[parameter].shape
            assert torch.equal(part, half(parameter, whole[parameter], index))
    joined = join(states, config)
    assert list(joined) == list(whole)
    assert all(torch.equal(joined[parameter], whole[parameter]) for parameter in whole)
    assert all(joined[parameter].data_ptr() != whole[parameter].data_ptr() for parameter in whole)


def half(parameter, tensor, index):
    """Half the kernels or units, in order; of the output layer the weights of half its inputs."""
    if parameter == "fc8.bias":
        return tensor
    if parameter == "fc8.weight":
        inputs = tensor.shape[1] // 2
        return tensor[:, :inputs] if index == 0 else tensor[:, inputs:]
    outputs = tensor.shape[0] // 2
    return tensor[:outputs] if index == 0 else tensor[outputs:]


def test_velocities_are_dealt_out_alike():
    one = OneDevice("paper")
    one.step(0)
    whole = velocities(one.net, one.optimizer)
    joined = join(split(whole, one.config), one.config)
    assert all(torch.equal(joined[name], whole[name]) and whole[name].any() for name in whole)


def test_towers_that_do_not_fit_together_are_refused():
    config = narrow("paper")
    states = split(AlexNet(config).state_dict(), config)
    with pytest.raises(ValueError, match="the network 'small' has 2 towers, got 3 states"):
        join([*states, states[0]], config)
    with pytest.raises(ValueError, match="do not have the same names"):
        join([states[0], {}], config)
    with pytest.raises(ValueError, match=r"conv1.weight of shape \(7, 3\) cannot be dealt out to 2 towers"):
        split({"conv1.weight": torch.zeros(7, 3)}, config)
    with pytest.raises(ValueError, match=r"fc8.weight of shape \(4,\) cannot be dealt out"):
        split({"fc8.weight": torch.zeros(4)}, config)


@pytest.mark.parametrize("value, drifted", [(float("nan"), False), (1.0, False), (1.0 + 2**-23, True)])
def test_copies_must_have_the_same_bits(value, drifted):
    config, one = narrow("paper"), torch.ones(3)
    other = torch.full((3,), value)
    states = [{"fc8.bias": one if value == 1 or drifted else other.clone()}, {"fc8.bias": other}]
    if drifted:
        with pytest.raises(ValueError, match="the towers' copies of fc8.bias have drifted apart"):
            join(states, config)
    else:
        assert torch.equal(join(states, config)["fc8.bias"].isnan(), other.isnan())


@pytest.mark.parametrize("n", [1, 2, 4, 5, 9, 20])
def test_the_seam_is_all_that_a_normalisation_lacks(n):
    config = narrow("paper", lrn_n=n)
    x = torch.randn(2, 8, 3, 3, generator=seeded(), dtype=torch.float64)
    expected = local_response_norm(x, n=n, alpha=1.0)
    halves = x.chunk(2, dim=1)
    for tower, own in enumerate(halves):
        received = halo(halves[1 - tower], 1 - tower, config)
        assert received.shape[1] == min(n // 2, 4)
        y = local_response_norm(with_halo(own, received, tower), n=n, alpha=1.0)
        width = received.shape[1]
        got = y[:, width : width + 4]
        torch.testing.assert_close(got, expected.chunk(2, dim=1)[tower], rtol=1e-13, atol=0)


def test_a_tower_reads_the_units_of_all_towers_except_in_the_output_layer():
    config = narrow("paper", dropout_before=True)
    masks = draw_step_masks(config, 0, 0, 3)
    tower = Tower(config)
    assert list(masks) == ["fc6", "fc7"]
    assert all(torch.equal(tower_masks(tower, masks, 1)[name], masks[name]) for name in masks)
    config = narrow("paper")
    masks = draw_step_masks(config, 0, 0, 3)
    tower = Tower(config)
    parts = [tower_masks(tower, masks, index) for index in (0, 1)]
    assert torch.equal(parts[0]["fc7"], masks["fc7"]) and torch.equal(parts[1]["fc7"], masks["fc7"])
    assert torch.equal(torch.cat([part["fc8"] for part in parts], dim=1), masks["fc8"])
    assert tower_masks(tower.eval(), None, 0) is None
    with pytest.raises(ValueError, match="same dropout masks in training: give those of draw_masks"):
        tower_masks(tower.train(), None, 0)


# Numbers that cross for one image, from figure 2 of the paper, both towers together.
CONV3, FC6, FC7, LOGITS = 13 * 13 * 256, 6 * 6 * 256, 4096, 1000
EDGES = {"norm1": 55 * 55 * 4, "norm2": 27 * 27 * 4}


@pytest.mark.parametrize("name", ["code2012", "paper"])
def test_what_the_nets_of_the_paper_send(name):
    rows = communication(net_config(name), 128)
    numbers = {**(EDGES if name == "paper" else {}), "conv3": CONV3, "fc6": FC6, "fc7": FC7}
    assert {row.layer: row.forward for row in rows} == {
        **{layer: 128 * 4 * count // 2 for layer, count in numbers.items()},
        "fc8": 128 * 4 * LOGITS,
    }
    assert [row.backward for row in rows] == [row.forward for row in rows[:-1]] + [0]
    assert [row.layer for row in rows] == [*numbers, "fc8"]


def test_at_the_papers_batch_towers_send_an_eighth_of_what_copies_send():
    sent = sum(row.forward + row.backward for row in communication(net_config("code2012"), 128))
    assert sent == 29_478_912
    assert gradient_traffic(net_config("code2012"), 2) == 4 * 60_965_224
    assert gradient_traffic(net_config("code2012"), 4) == 3 / 2 * 4 * 60_965_224
    assert 8 < gradient_traffic(net_config("code2012"), 2) / sent < 9
    half = sum(row.forward for row in communication(net_config("code2012"), 128, bytes_per_number=2))
    assert half == sum(row.forward for row in communication(net_config("code2012"), 64))


def test_a_net_of_one_tower_sends_nothing():
    config = net_config("merged")
    assert sum(row.forward + row.backward for row in communication(config, 128)) == 0
    (state,) = split({"fc8.weight": torch.ones(2, 3), "fc8.bias": torch.ones(2)}, config)
    assert (state["fc8.weight"].shape, state["fc8.bias"].shape) == ((2, 3), (2,))

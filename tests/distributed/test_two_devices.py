"""Two devices in one process against one device, in float64."""

import pytest
import torch

from alexnet.distributed.towers import join
from alexnet.distributed.two_devices import TwoDeviceAlexNet
from alexnet.models.traffic import communication
from alexnet.optim.sgd import PaperSGD, param_groups, velocities
from alexnet.recipes import net_config
from support.one_device import STEPS, OneDevice, assert_equal, data, do_step, make_learning, narrow, seeded

NETS = {
    "code2012": {},
    "paper": {},
    "sixth": {"conv_channels": (8, 12, 8, 12, 8, 4)},
    "conv2 crosses": {"crossing": ("conv2", "conv3")},
    "no dense": {"removed": ("fc6", "fc7")},
    "no conv3": {"removed": ("conv3",), "dropout_before": True, "dropout_inverted": True},
}
GPUS = torch.cuda.device_count()
DEVICES = ("cuda:0", "cuda:1") if GPUS > 1 else ("cpu", "cuda:0") if GPUS else ("cpu", "cpu")
RTOL = 1e-12 if not GPUS else 1e-9


class TwoDevices(OneDevice):
    """The training of ``OneDevice`` with a tower on each of two devices."""

    def __init__(self, base, **changes):
        super().__init__(base, **changes)
        self.net = TwoDeviceAlexNet(self.config, DEVICES, generator=seeded()).double()
        self.optimizer = PaperSGD(param_groups(self.net, make_learning(base)))

    def step(self, step):
        labels = self.labels.to(DEVICES[0])
        logits = do_step(self.net, self.images, labels, self.masks(step), self.optimizer)
        return logits.cpu(), self.join(lambda tower: {n: p.grad for n, p in tower.named_parameters()})

    def join(self, values):
        return {name: x.cpu() for name, x in join([*map(values, self.net.towers)], self.config).items()}


@pytest.mark.parametrize("name", NETS)
def test_two_devices_train_as_one(name):
    base = "code2012" if name == "code2012" else "paper"
    one, two = OneDevice(base, **NETS[name]), TwoDevices(base, **NETS[name])
    for step in range(STEPS):
        logits, gradients = one.step(step)
        got, got_gradients = two.step(step)
        assert_equal({"logits": got}, {"logits": logits}, RTOL)
        assert_equal(got_gradients, gradients, RTOL)
    assert_equal(two.join(lambda tower: tower.state_dict()), one.net.state_dict(), RTOL)
    assert_equal(
        two.join(lambda tower: velocities(tower, two.optimizer)), velocities(one.net, one.optimizer), RTOL
    )
    evaluated = {"logits": two.net.eval()(two.images).cpu()}
    assert_equal(evaluated, {"logits": one.net.eval()(one.images)}, RTOL)


@pytest.mark.parametrize("name", NETS)
def test_the_exchanges_are_what_is_counted(name):
    two = TwoDevices("code2012" if name == "code2012" else "paper", **NETS[name])
    for _ in range(2):  # the list is that of the last call
        two.step(0)
    *rows, logits = communication(two.config, len(two.images), bytes_per_number=8)
    expected = [(row.layer, row.forward, row.forward) for row in rows] + [("fc8", 0, logits.forward)]
    assert two.net.exchanges == expected


@pytest.mark.parametrize("layer", ["norm1", "norm2", "conv3", "fc6", "fc7", "fc8"])
def test_nothing_that_crosses_can_be_left_out(layer, monkeypatch):
    one, two = OneDevice("paper"), TwoDevices("paper")
    exchange = two.net.exchange

    def deaf(name, a, b):
        return [0 * x if name == layer else x for x in exchange(name, a, b)]

    monkeypatch.setattr(two.net, "exchange", deaf)
    expected, _ = one.step(0)
    got, _ = two.step(0)
    assert (got - expected).abs().max() > 0.1


def test_gradients_go_back_the_way_that_maps_came(monkeypatch):
    one, two = OneDevice("paper"), TwoDevices("paper")
    exchange = two.net.exchange

    def without_return(name, a, b):
        return [x.detach() if name == "conv3" else x for x in exchange(name, a, b)]

    monkeypatch.setattr(two.net, "exchange", without_return)
    (expected, gradients), (got, got_gradients) = one.step(0), two.step(0)
    assert_equal({"logits": got}, {"logits": expected}, RTOL)
    with pytest.raises(AssertionError, match="conv1.weight differs"):
        assert_equal(got_gradients, gradients, RTOL)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="two devices need a network of two towers, got 'merged' of 1"):
        TwoDeviceAlexNet(net_config("merged"), ("cpu", "cpu"))
    net = TwoDeviceAlexNet(narrow("paper"), ("cpu", "cpu"))
    with pytest.raises(ValueError, match="reads images"):
        net(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="same dropout masks"):
        net(data()[0].float())

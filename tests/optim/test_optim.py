"""The printed update rule: against loops, against torch's rule before and after a cut, and its groups."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from alexnet import paper
from alexnet.config import LearningConfig
from alexnet.optim.sgd import GROUPS, PaperSGD, find_group, load_velocities, param_groups, velocities
from alexnet.recipes import CODE2012, PAPER
from references import optim as references_optim

LOUD = {"momentum": 0.6, "weight_decay": 0.21}
RATES = (0.37, 0.37, 0.05, 0.4, 1e-3)


class Net(nn.Module):
    """Layers with the paper's names, small, in float64."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = nn.Conv2d(2, 3, 3)
        self.conv2 = nn.Conv2d(3, 4, 3)
        self.fc8 = nn.Linear(4, 5)
        self.double()
        for parameter in self.parameters():
            parameter.data.normal_(generator=generator)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def make_weight(start):
    return nn.Parameter(torch.tensor(start))


def set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate


def test_the_defaults_are_the_papers():
    defaults = {name: p.default for name, p in inspect.signature(PaperSGD).parameters.items()}
    assert defaults["lr"] == paper.LEARNING_RATE
    assert defaults["momentum"] == paper.MOMENTUM
    assert defaults["weight_decay"] == paper.WEIGHT_DECAY


def test_it_is_the_printed_rule():
    shapes = [(3, 4), (5,), (2, 3, 2, 2)]
    parameters = [make_weight(numbers(*shape, seed=shape)) for shape in shapes]
    expected = [(p.detach().numpy().copy(), np.zeros(p.shape)) for p in parameters]
    optimizer = PaperSGD(parameters, **LOUD)
    for step, rate in enumerate(RATES):
        set_rate(optimizer, rate)
        for index, parameter in enumerate(parameters):
            gradient = numbers(*parameter.shape, seed=(step, index))
            parameter.grad = torch.tensor(gradient)
            expected[index] = references_optim.printed_update(
                *expected[index], gradient, rate=rate, momentum=0.6, decay=0.21
            )
        optimizer.step()
        for parameter, (weight, velocity) in zip(parameters, expected, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), weight, rtol=1e-12)
            np.testing.assert_allclose(optimizer.velocity(parameter).numpy(), velocity, rtol=1e-12)


def test_a_small_rate_loses_little_to_the_kernels_way_of_taking_it():
    weight, gradient = numbers(50, seed=1), numbers(50, seed=2)
    parameter = make_weight(weight)
    parameter.grad = torch.tensor(gradient)
    optimizer = PaperSGD([parameter], lr=1e-5, **LOUD)
    optimizer.step()
    rounded = 1 - (1 - 1e-5)
    assert abs(rounded - 1e-5) <= 2**-54
    np.testing.assert_allclose(
        optimizer.velocity(parameter).numpy(), -rounded * (gradient + 0.21 * weight), rtol=1e-12
    )


def pull(parameter):
    """A gradient that depends on the weights: of a bowl with another curvature in each direction."""
    return (parameter.detach() - 0.3) * torch.linspace(0.1, 2, parameter.numel(), dtype=torch.float64)


def test_at_a_constant_rate_torchs_rule_goes_the_same_way():
    ours, torchs = make_weight(numbers(6)), make_weight(numbers(6))
    printed = PaperSGD([ours], lr=0.13, **LOUD)
    usual = torch.optim.SGD([torchs], lr=0.13, **LOUD)
    for _ in range(40):
        ours.grad, torchs.grad = pull(ours), pull(torchs)
        printed.step()
        usual.step()
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            printed.velocity(ours), -0.13 * usual.state[torchs]["momentum_buffer"], rtol=1e-11, atol=1e-15
        )


def test_after_a_cut_the_two_rules_part_by_the_predicted_amount():
    ours, torchs = make_weight(numbers(6)), make_weight(numbers(6))
    printed, usual = PaperSGD([ours], lr=0.2, **LOUD), torch.optim.SGD([torchs], lr=0.2, **LOUD)

    def step(number):
        ours.grad = torchs.grad = torch.tensor(numbers(6, seed=number))
        printed.step()
        usual.step()

    for number in range(10):
        step(number)
    velocity = printed.velocity(ours).numpy().copy()
    set_rate(printed, 0.05)
    set_rate(usual, 0.05)
    for num_steps in range(1, 31):
        step(num_steps + 100)
        lead = references_optim.lead_after_a_cut(
            velocity, before=0.2, after=0.05, momentum=0.6, decay=0.21, num_steps=num_steps
        )
        np.testing.assert_allclose((ours - torchs).detach().numpy(), lead, rtol=1e-11)


def test_after_the_papers_cut_steps_are_nine_times_larger_for_about_twenty_steps():
    ours, torchs = make_weight(np.ones(1)), make_weight(np.ones(1))
    rates = {"lr": 0.01, "momentum": paper.MOMENTUM, "weight_decay": 0.0}
    printed, usual = PaperSGD([ours], **rates), torch.optim.SGD([torchs], **rates)
    ours.grad = torchs.grad = torch.ones(1, dtype=torch.float64)
    for _ in range(400):  # until the velocity no longer grows
        printed.step()
        usual.step()
    set_rate(printed, 0.001)
    set_rate(usual, 0.001)
    ratios = []
    for _ in range(60):
        before = ours.item(), torchs.item()
        printed.step()
        usual.step()
        ratios.append((ours.item() - before[0]) / (torchs.item() - before[1]))
    steps = np.arange(1, 61)
    np.testing.assert_allclose(ratios, 1 + 9 * paper.MOMENTUM**steps, rtol=1e-9)
    assert ratios[0] == pytest.approx(9.1) and ratios[19] > 2 > ratios[20]


def test_a_frozen_group_keeps_its_weights_and_its_velocity():
    frozen, free = make_weight(numbers(4)), make_weight(numbers(4))
    optimizer = PaperSGD([{"params": [frozen]}, {"params": [free]}], lr=0.1, **LOUD)
    frozen.grad = free.grad = torch.ones(4, dtype=torch.float64)
    optimizer.step()
    kept = frozen.detach().clone(), optimizer.velocity(frozen).clone()
    other = free.detach().clone()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert torch.equal(frozen, kept[0]) and torch.equal(optimizer.velocity(frozen), kept[1])
    assert not torch.equal(free, other)
    optimizer.param_groups[0]["lr"] = 0.1
    optimizer.step()
    want, _ = references_optim.printed_update(
        *(tensor.numpy() for tensor in kept), np.ones(4), rate=0.1, momentum=0.6, decay=0.21
    )
    np.testing.assert_allclose(frozen.detach().numpy(), want, rtol=1e-12)


def test_parameters_without_a_gradient_are_passed_over():
    with_gradient, without = make_weight(numbers(3)), make_weight(numbers(3))
    with_gradient.grad = torch.ones(3, dtype=torch.float64)
    optimizer = PaperSGD([without, with_gradient], lr=0.1)
    optimizer.step()
    assert torch.equal(without, make_weight(numbers(3))) and not torch.equal(with_gradient, without)
    with_gradient.grad = None
    after = with_gradient.detach().clone()
    optimizer.step()
    assert torch.equal(with_gradient, after)


def test_a_closure_computes_the_gradient():
    parameter = make_weight(np.ones(2))
    optimizer = PaperSGD([parameter], lr=0.1, weight_decay=0.0)

    def closure():
        loss = (3 * parameter).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 6
    np.testing.assert_allclose(parameter.detach().numpy(), 1 - 0.1 * 3, rtol=1e-12)


def test_single_precision_has_single_precisions_rounding():
    weight, gradient = numbers(1000, seed=1), numbers(1000, seed=2)
    parameter = nn.Parameter(torch.tensor(weight, dtype=torch.float32))
    parameter.grad = torch.tensor(gradient, dtype=torch.float32)
    optimizer = PaperSGD([parameter], lr=1e-5)
    optimizer.step()
    assert parameter.dtype == optimizer.velocity(parameter).dtype == torch.float32
    want = -1e-5 * (gradient + 0.0005 * weight)
    np.testing.assert_allclose(optimizer.velocity(parameter).numpy(), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "want"),
    [
        (PAPER, {"weight": (0.01, 5e-4), "bias": (0.01, 5e-4)}),
        (CODE2012, {"weight": (0.01, 5e-4), "bias": (0.02, 0.0)}),
    ],
    ids=["paper", "code2012"],
)
def test_the_groups_of_both_recipes(recipe, want):
    net = Net()
    optimizer = PaperSGD(param_groups(net, recipe.learning))
    groups = {group["name"]: group for group in optimizer.param_groups}
    want |= {f"conv1.{kind}": numbers for kind, numbers in want.items()}
    assert {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()} == want
    assert {group["momentum"] for group in groups.values()} == {0.9}
    members = {name: {id(p) for p in group["params"]} for name, group in groups.items()}
    assert members == {
        "conv1.weight": {id(net.conv1.weight)},
        "conv1.bias": {id(net.conv1.bias)},
        "weight": {id(net.conv2.weight), id(net.fc8.weight)},
        "bias": {id(net.conv2.bias), id(net.fc8.bias)},
    }
    assert tuple(groups) == GROUPS


def test_a_net_without_conv1_has_no_group_for_it():
    groups = param_groups(nn.Sequential(nn.Linear(2, 2, bias=False)), PAPER.learning)
    assert [group["name"] for group in groups] == ["weight"]


def test_the_layers_name_decides_wherever_it_stands():
    assert find_group("tower_a.conv1.weight") == "conv1.weight"
    assert find_group("tower_a.conv1.bias") == "conv1.bias"
    assert find_group("conv10.weight") == "weight"
    with pytest.raises(ValueError, match="the parameter 'fc6.scale' is neither a weight nor a bias"):
        find_group("fc6.scale")


def train(net, optimizer, steps):
    for step in steps:
        for number, parameter in enumerate(net.parameters()):
            parameter.grad = torch.tensor(numbers(*parameter.shape, seed=(step, number)))
        optimizer.step()


def test_a_training_goes_on_from_its_velocities_as_if_nothing_had_happened():
    whole, first, second = Net(), Net(), Net()
    optimizer = PaperSGD(param_groups(whole, CODE2012.learning))
    train(whole, optimizer, range(6))
    begun = PaperSGD(param_groups(first, CODE2012.learning))
    train(first, begun, range(3))
    second.load_state_dict(first.state_dict())
    resumed = PaperSGD(param_groups(second, CODE2012.learning))
    load_velocities(second, resumed, {k: v.clone() for k, v in velocities(first, begun).items()})
    train(second, resumed, range(3, 6))
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert list(velocities(whole, optimizer)) == [name for name, _ in whole.named_parameters()]


def test_torchs_own_state_dict_works_too():
    net = Net()
    optimizer = PaperSGD(param_groups(net, PAPER.learning))
    train(net, optimizer, range(2))
    copy = PaperSGD(param_groups(net, PAPER.learning))
    copy.load_state_dict(optimizer.state_dict())
    for name, velocity in velocities(net, copy).items():
        assert torch.equal(velocity, velocities(net, optimizer)[name]) and velocity.abs().sum() > 0


def test_velocities_of_another_net_are_refused():
    net = Net()
    optimizer = PaperSGD(param_groups(net, PAPER.learning))
    own = velocities(net, optimizer)
    with pytest.raises(ValueError, match="not those of this network: they differ in fc8.bias"):
        load_velocities(net, optimizer, {k: v for k, v in own.items() if k != "fc8.bias"})
    with pytest.raises(ValueError, match="they differ in fc9.bias"):
        load_velocities(net, optimizer, own | {"fc9.bias": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"velocity of fc8.bias has another shape: \(1,\) for \(5,\)"):
        load_velocities(net, optimizer, own | {"fc8.bias": torch.zeros(1)})


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lr": -0.1}, "lr must not be negative, got -0.1"),
        ({"lr": float("nan")}, "lr must not be negative, got nan"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1, got -0.1"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1e-4}, "weight_decay must not be negative, got -0.0001"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        PaperSGD([make_weight(numbers(2))], **wrong)
    with pytest.raises(ValueError, match=sentence):
        PaperSGD([{"params": [make_weight(numbers(2))], **wrong}])


def test_a_layers_factor_is_in_the_rate_that_its_group_begins_with():
    learning = LearningConfig(rate=0.3, bias_rate_factor=2.0, rate_factors=(("conv2", 0.25), ("fc8", 0.0)))
    found = {(group["name"], group["factor"]): group["lr"] for group in param_groups(Net(), learning)}
    weights = {("conv1.weight", 1.0): 0.3, ("weight", 0.25): 0.3 / 4, ("weight", 0.0): 0.0}
    biases = {("conv1.bias", 1.0): 0.6, ("bias", 0.25): 0.6 / 4, ("bias", 0.0): 0.0}
    assert found == weights | biases

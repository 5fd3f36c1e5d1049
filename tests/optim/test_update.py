"""The printed rule and its fused form are one rule, and each gets the tensors that it reads right."""

import inspect
import sys

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.optim import sgd
from alexnet.optim.sgd import PaperSGD, fused_update, printed_update
from references import optim as references_optim

LOUD = {"momentum": 0.6, "weight_decay": 0.21}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensor(*shape, seed=0, dtype=torch.float64):
    return torch.tensor(numbers(*shape, seed=seed), dtype=dtype)


def make_weight(start):
    return nn.Parameter(torch.tensor(start))


LAYOUTS = {
    "channels last": lambda g: g.contiguous(memory_format=torch.channels_last),
    "expanded": lambda g: g[:, :1, :1, :1].expand(g.shape),
    "every second": lambda g: g.repeat_interleave(2, -1)[..., ::2],
    "transposed": lambda g: g.transpose(2, 3).contiguous().transpose(2, 3),
}


LAID_OUT = [("gradient", layout) for layout in LAYOUTS]
LAID_OUT += [("parameter", layout) for layout in LAYOUTS if layout != "expanded"]  # one place a weight


@pytest.mark.parametrize(("of", "layout"), LAID_OUT)
def test_tensors_in_any_order_of_memory(layout, of):
    weight, gradient = torch.tensor(numbers(4, 3, 5, 5, seed=1)), torch.tensor(numbers(4, 3, 5, 5, seed=2))
    if of == "gradient":
        gradient = LAYOUTS[layout](gradient)
    else:
        weight = LAYOUTS[layout](weight)
    parameter, other = nn.Parameter(weight), make_weight(numbers(7))
    parameter.grad, other.grad = gradient, torch.ones(7, dtype=torch.float64)
    want, _ = references_optim.printed_update(
        weight.numpy(), np.zeros(weight.shape), gradient.numpy(), rate=0.37, momentum=0.6, decay=0.21
    )
    PaperSGD([parameter, other], lr=0.37, **LOUD).step()
    np.testing.assert_allclose(parameter.detach().numpy(), want, rtol=1e-12)
    np.testing.assert_allclose(
        other.detach().numpy(), numbers(7) - 0.37 * (1 + 0.21 * numbers(7)), rtol=1e-12
    )


@pytest.fixture
def chosen(monkeypatch):
    """The shapes of the weights that each form was given."""
    shapes = {"printed": [], "fused": []}

    def printed(weight, *others, **rates):
        shapes["printed"].append(tuple(weight.shape))
        printed_update(weight, *others, **rates)

    def fused(triples, **rates):
        shapes["fused"] += [tuple(weight.shape) for weight, _, _ in triples]
        fused_update(triples, **rates)

    monkeypatch.setattr(sgd, "printed_update", printed)
    monkeypatch.setattr(sgd, "fused_update", fused)
    return shapes


ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-6}


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ROUNDING)
def test_both_forms_are_one_rule(dtype, memory):
    shapes = [(4, 3, 5, 5), (2, 4, 3, 3)]
    starts = [tensor(*shape, dtype=dtype).contiguous(memory_format=memory) for shape in shapes]
    printed = [(w.clone(), torch.zeros_like(w)) for w in starts]
    fused = [(w.clone(), torch.zeros_like(w)) for w in starts]
    exact = [(w.double().numpy(), np.zeros(w.shape)) for w in starts]
    for step, lr in enumerate((0.37, 0.37, 0.05)):
        gradients = [torch.empty_like(w).copy_(tensor(*w.shape, seed=(step, 1))) for w in starts]
        for (w, v), g in zip(printed, gradients, strict=True):
            printed_update(w, v, g, lr=lr, **LOUD)
        fused_update([(*pair, g) for pair, g in zip(fused, gradients, strict=True)], lr=lr, **LOUD)
        exact = [
            references_optim.printed_update(*pair, g.double().numpy(), rate=lr, momentum=0.6, decay=0.21)
            for pair, g in zip(exact, gradients, strict=True)
        ]
    for pairs in zip(printed, fused, exact, strict=True):
        for one, other, right in zip(*pairs, strict=True):
            tolerance = {"rtol": 0, "atol": ROUNDING[dtype] * np.abs(right).max()}
            assert one.dtype == other.dtype == dtype
            np.testing.assert_allclose(one.double().numpy(), right, **tolerance)
            np.testing.assert_allclose(other.double().numpy(), right, **tolerance)


def test_tensors_alike_are_fused_and_those_in_another_order_are_not(chosen):
    alike, unlike = make_weight(numbers(4, 3, 5, 5)), make_weight(numbers(2, 3, 5, 5))
    single = nn.Parameter(torch.ones(6))
    alike.grad, single.grad = torch.ones_like(alike), torch.ones(6)
    unlike.grad = torch.ones(2, 3, 5, 5, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    PaperSGD([alike, unlike, single, make_weight(numbers(7))], lr=0.1).step()
    assert chosen == {"printed": [(2, 3, 5, 5)], "fused": [(4, 3, 5, 5), (6,)]}


STRANGE = {
    "half": lambda: (torch.ones(3, dtype=torch.float16), torch.ones(3, dtype=torch.float16)),
    "bfloat": lambda: (torch.ones(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)),
    "complex": lambda: (torch.ones(3, dtype=torch.complex64), torch.ones(3, dtype=torch.complex64)),
    "sparse": lambda: (
        torch.ones(3),
        torch.sparse_coo_tensor([[0, 1, 2]], torch.ones(3), (3,), check_invariants=True),
    ),
    "meta": lambda: (torch.ones(3, device="meta"), torch.ones(3, device="meta")),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_the_kernel_does_not_know_or_gets_wrong_is_updated_too(kind, chosen):
    weight, gradient = STRANGE[kind]()
    parameter = nn.Parameter(weight)
    parameter.grad = gradient
    optimizer = PaperSGD([parameter], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert chosen == {"printed": [(3,)], "fused": []}
    if kind != "meta":
        torch.testing.assert_close(optimizer.velocity(parameter), torch.full_like(weight, -0.15))
        torch.testing.assert_close(parameter.detach(), torch.full_like(weight, 0.85))


def test_a_velocity_of_another_dtype_is_kept_in_it(chosen):
    parameter = nn.Parameter(torch.ones(3, dtype=torch.float64))
    parameter.grad = torch.ones(3, dtype=torch.float64)
    optimizer = PaperSGD([parameter], lr=0.1, weight_decay=0.0)
    optimizer.state[parameter]["velocity"] = torch.zeros(3)
    optimizer.step()
    assert chosen["printed"] and optimizer.velocity(parameter).dtype == torch.float32
    torch.testing.assert_close(parameter.detach(), torch.full((3,), 0.9, dtype=torch.float64))


def test_without_momentum_it_is_gradient_descent(chosen):
    ours, torchs = make_weight(numbers(6)), make_weight(numbers(6))
    optimizer = PaperSGD([ours], lr=0.2, momentum=0, weight_decay=0.21)
    plain = torch.optim.SGD([torchs], lr=0.2, weight_decay=0.21)
    for step in range(3):
        before = ours.detach().clone()
        ours.grad = torchs.grad = tensor(6, seed=step)
        optimizer.step()
        plain.step()
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=0)
        torch.testing.assert_close(optimizer.velocity(ours), (ours - before).detach())
    assert chosen["fused"] == []


def test_the_first_optimizer_does_not_import_torchs_compiler(monkeypatch):
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        # torch remembers here, once it has imported the compiler, that it need not do so again.
        function = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        monkeypatch.delattr(function, "__dynamo_disable", raising=False)
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # whose import now fails
    parameter = make_weight(numbers(3))
    parameter.grad = tensor(3)
    optimizer = PaperSGD([parameter], lr=0.1)
    optimizer.step()
    optimizer.zero_grad()
    assert parameter.grad is None
    optimizer.load_state_dict(optimizer.state_dict())

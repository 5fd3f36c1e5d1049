"""Dropout: what is drawn, what is applied, and that both kinds can follow one path."""

import inspect

import pytest
import torch
import torch.nn.functional as F

from alexnet import functional, paper
from alexnet.functional import dropout, dropout_at_test, dropout_mask, inverted_dropout, to_inverted
from alexnet.models.layers import Dropout


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def test_a_mask_keeps_each_unit_with_probability_one_minus_p():
    mask = dropout_mask(400, 500, p=0.2, generator=seeded())
    assert mask.shape == (400, 500) and mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    # 200,000 draws: the mean's standard deviation is 0.0009; that of a row's 0.018, of a column's 0.02.
    assert abs(mask.mean() - 0.8) < 0.005
    assert abs(mask.mean(0) - 0.8).max() < 0.1 and abs(mask.mean(1) - 0.8).max() < 0.1


def test_images_units_and_seeds_have_masks_of_their_own():
    mask = dropout_mask(64, 512, generator=seeded())
    assert len(mask.unique(dim=0)) == 64 and len(mask.unique(dim=1).T) == 512
    assert torch.equal(mask, dropout_mask(64, 512, generator=seeded()))
    assert not torch.equal(mask, dropout_mask(64, 512, generator=seeded(4)))
    generator = seeded()
    first, second = (dropout_mask(64, 512, generator=generator) for _ in range(2))
    assert torch.equal(first, mask) and abs((first == second).float().mean() - 0.5) < 0.02


def test_the_dtype_does_not_change_the_draw():
    wanted = dropout_mask(5, 7, p=0.3, generator=seeded())
    for dtype in (torch.float64, torch.bfloat16, torch.bool):
        got = dropout_mask(5, 7, p=0.3, generator=seeded(), dtype=dtype)
        assert got.dtype == dtype and torch.equal(got.float(), wanted)
    assert dropout_mask(5, 7, generator=seeded(), device="meta").device.type == "meta"
    assert dropout_mask(5, 7, p=0, generator=seeded()).eq(1).all()


def test_the_papers_kind_scales_at_test_and_the_inverted_kind_in_training():
    x = torch.tensor([[2.0, -3.0, 5.0]])
    mask = torch.tensor([[1, 0, 1]])
    torch.testing.assert_close(dropout(x, mask), torch.tensor([[2.0, 0.0, 5.0]]))
    torch.testing.assert_close(dropout_at_test(x, 0.2), torch.tensor([[1.6, -2.4, 4.0]]))
    torch.testing.assert_close(dropout_at_test(x), x / 2)
    torch.testing.assert_close(inverted_dropout(x, mask, 0.2), torch.tensor([[2.5, 0.0, 6.25]]))
    torch.testing.assert_close(inverted_dropout(x, mask), torch.tensor([[4.0, 0.0, 10.0]]))
    assert dropout(x.bfloat16(), mask).dtype == torch.bfloat16


def test_the_derivative_passes_through_kept_units_alone():
    x = torch.randn(4, 6, dtype=torch.float64, generator=seeded(), requires_grad=True)
    mask = dropout_mask(4, 6, generator=seeded())
    (gx,) = torch.autograd.grad(dropout(x, mask).sum(), x)
    torch.testing.assert_close(gx, mask.double())
    assert torch.autograd.gradcheck(lambda x: inverted_dropout(x, mask, 0.3), x)


def test_the_default_probability_is_the_papers():
    for function in (dropout_mask, dropout_at_test, inverted_dropout, to_inverted):
        assert inspect.signature(function).parameters["p"].default == paper.DROPOUT_PROBABILITY
    assert Dropout().p == paper.DROPOUT_PROBABILITY


def test_the_mean_over_all_masks_is_the_output_at_test_of_a_linear_layer():
    p, x = 0.3, torch.randn(1, 5, dtype=torch.float64, generator=seeded())
    weight = torch.randn(4, 5, dtype=torch.float64, generator=seeded(5))
    masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=x.dtype)] * 5)
    probability = (1 - p) ** masks.sum(1) * p ** (5 - masks.sum(1))
    outputs = dropout(x.expand(32, 5), masks) @ weight.T
    torch.testing.assert_close((probability @ outputs)[None], dropout_at_test(x, p) @ weight.T)


def path(kind, p, hidden, dense, *, optimizer, num_steps=6):
    """Train fc6 -> dropout -> fc7 -> dropout -> fc8 for some steps; return (logits, parameters, at test)."""
    rate, decay = 0.05, 0.1
    first = hidden.clone().requires_grad_()
    biases = [torch.full((size,), 0.2, dtype=hidden.dtype, requires_grad=True) for size in (7, 6, 3)]
    later, groups = [], [{"params": [first, *biases], "lr": rate, "weight_decay": decay}]
    for weight in dense:
        settings = (weight.clone(), rate, decay)
        weight, its_rate, its_decay = to_inverted(*settings, p=p) if kind == "inverted" else settings
        later.append(weight.requires_grad_())
        groups.append({"params": [weight], "lr": its_rate, "weight_decay": its_decay})
    dropped = {"paper": dropout, "inverted": lambda x, mask: inverted_dropout(x, mask, p)}[kind]
    at_test = {"paper": lambda x: dropout_at_test(x, p), "inverted": lambda x: x}[kind]

    def forward(x, drop):
        for weight, bias in zip([first, *later], biases, strict=True):
            x = F.linear(x, weight, bias) if weight is first else F.linear(drop(torch.relu(x)), weight, bias)
        return x

    stepper, generator, seen = optimizer(groups), seeded(9), []
    for _ in range(num_steps):
        x = torch.randn(8, 5, dtype=hidden.dtype, generator=generator)
        labels = torch.randint(3, (8,), generator=generator)
        masks = iter(
            [dropout_mask(8, 7, p=p, generator=generator), dropout_mask(8, 6, p=p, generator=generator)]
        )
        logits = forward(x, lambda x, masks=masks: dropped(x, next(masks)))
        stepper.zero_grad()
        F.cross_entropy(logits, labels).backward()
        stepper.step()
        seen.append(logits.detach())
    return torch.stack(seen), [first, *later, *biases], forward(x, at_test).detach()


OPTIMIZERS = {
    "momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "plain": torch.optim.SGD,
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("p", [0.5, 0.2])
def test_both_kinds_follow_one_path(p, optimizer):
    weights = [torch.randn(s, dtype=torch.float64, generator=seeded(6)) / 2 for s in [(7, 5), (6, 7), (3, 6)]]
    logits, parameters, test = path("paper", p, weights[0], weights[1:], optimizer=optimizer)
    others = path("inverted", p, weights[0], weights[1:], optimizer=optimizer)
    assert (logits[0] - logits[-1]).abs().max() > 0.1
    torch.testing.assert_close(others[0], logits, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(others[2], test, rtol=1e-11, atol=1e-12)
    for index, (ours, theirs) in enumerate(zip(parameters, others[1], strict=True)):
        factor = 1 - p if index in (1, 2) else 1
        torch.testing.assert_close(theirs, ours * factor, rtol=1e-11, atol=1e-12)


def test_for_one_half_it_is_half_the_weight_a_quarter_of_the_rate_and_four_times_the_decay():
    weight, rate, decay = to_inverted(torch.tensor([[3.0, -2.0]]), paper.LEARNING_RATE, paper.WEIGHT_DECAY)
    assert weight.tolist() == [[1.5, -1.0]]
    assert (rate, decay) == (paper.LEARNING_RATE / 4, paper.WEIGHT_DECAY * 4)


def test_the_module_draws_or_takes_a_mask_in_training_and_scales_at_test():
    x = torch.randn(40, 50, dtype=torch.float64, generator=seeded())
    mask = dropout_mask(40, 50, p=0.2, generator=seeded())
    for inverted, trained, tested in [
        (False, dropout(x, mask), dropout_at_test(x, 0.2)),
        (True, inverted_dropout(x, mask, 0.2), x),
    ]:
        module = Dropout(0.2, inverted=inverted)
        assert torch.equal(module(x, mask), trained)
        torch.manual_seed(5)
        drawn = module(x)
        torch.manual_seed(5)
        assert torch.equal(module(x), drawn) and not torch.equal(module(x), drawn)
        factor = 1 / 0.8 if inverted else 1
        kept = drawn.ne(0)
        assert abs(kept.double().mean() - 0.8) < 0.05
        torch.testing.assert_close(drawn[kept], x[kept] * factor)
        module.eval()
        assert torch.equal(module(x), tested) and torch.equal(module(x, mask), tested)
        assert repr(module) == f"Dropout(p=0.2, inverted={inverted})"


X = torch.zeros(2, 3)
MISTAKES = {
    "p must be at least 0 and below 1, got 1": lambda: dropout_mask(2, 3, p=1, generator=seeded()),
    "p must be .* got -0.1": lambda: dropout_at_test(X, -0.1),
    "p must be .* got 1.5": lambda: inverted_dropout(X, X, 1.5),
    "p must be .* got nan": lambda: to_inverted(X, 0.1, 0.1, p=float("nan")),
    "p must be .* got 2": lambda: Dropout(2),
    r"a mask \(3,\) does not fit outputs \(2, 3\)": lambda: functional.dropout(X, X[0]),
    r"a mask \(2, 2\) does not fit": lambda: Dropout()(X, X[:, :2]),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)

"""Binary codes against loops, and what the two ways to learn them promise."""

import math
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from alexnet.evaluation import codes


def random_bits(count, bits, seed=0):
    return torch.rand(count, bits, generator=torch.Generator().manual_seed(seed)) < 0.4


@pytest.mark.parametrize("bits", [5, 16, 70])
def test_hamming_counts_the_bits_that_differ(bits):
    asked, stored = random_bits(4, bits), random_bits(9, bits, 1)
    expected = [[sum(bool(a != b) for a, b in zip(q, c, strict=True)) for c in stored] for q in asked]
    packed = [codes.pack(each) for each in (asked, stored)]
    assert packed[0].shape == (4, -(-bits // 8)) and packed[0].dtype == torch.uint8
    assert codes.hamming(*packed).tolist() == expected


def test_a_byte_has_the_same_number_of_ones_without_numpy_2(monkeypatch):
    packed = codes.pack(random_bits(3, 40)), codes.pack(random_bits(7, 40, 1))
    expected = codes.hamming(*packed)
    monkeypatch.setattr(codes, "count_ones", codes.BITS_OF_A_BYTE.take)
    assert torch.equal(codes.hamming(*packed), expected)


def test_codes_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="queries of 2 bytes cannot be compared with 3 bytes"):
        codes.hamming(torch.zeros(1, 2, dtype=torch.uint8), torch.zeros(1, 3, dtype=torch.uint8))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_ties_count_with_the_mean_over_all_orders(k):
    distances = torch.tensor([[1, 0, 1, 1, 3], [2, 2, 2, 0, 2], [0, 1, 2, 3, 4]])
    same = torch.tensor(
        [[True, False, True, False, True], [True, False, False, False, False], [False, True] * 2 + [True]]
    )
    for away, hit, found in zip(distances, same, codes.tied_precision(distances, same, k), strict=True):
        shares = []
        for order in permutations(range(5)):
            nearest = sorted(order, key=lambda image: away[image])[:k]  # noqa: B023  (sorted within the loop)
            shares.append(sum(bool(hit[image]) for image in nearest) / k)
        assert found.item() == pytest.approx(sum(shares) / len(shares))


@pytest.mark.parametrize("k", [0, 4])
def test_k_is_checked(k):
    with pytest.raises(ValueError, match=f"k must be from 1 to the 3 images that are searched, got {k}"):
        codes.tied_precision(torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool), k)


def some_features(count=300, size=12):
    """Features of mean 0 whose directions differ in variance."""
    generator = torch.Generator().manual_seed(3)
    mixed = (
        torch.randn(count, size, generator=generator).double()
        @ torch.randn(size, size, generator=generator).double()
    )
    return mixed - mixed.mean(0)


def test_principal_directions_are_those_of_the_singular_values():
    features = some_features()
    directions = codes.principal_directions(features, 4)
    _, _, right = torch.linalg.svd(features, full_matrices=False)
    torch.testing.assert_close((right[:4] @ directions).abs(), torch.eye(4).double(), atol=1e-9, rtol=0)


def test_iterative_quantisation_loses_less_with_every_step_and_stays_a_rotation():
    features = some_features()
    projected = features @ codes.principal_directions(features, 6)
    turns = [codes.rotation(projected, iterations=steps, seed=1) for steps in range(8)]
    for turn in turns:
        torch.testing.assert_close(turn.T @ turn, torch.eye(6).double())
    losses = [codes.quantisation_loss(projected @ turn).item() for turn in turns]
    assert all(after <= before + 1e-9 for before, after in zip(losses, losses[1:], strict=False)), losses
    assert losses[-1] < losses[0] - 0.05, losses
    again = codes.rotation(projected, iterations=3, seed=1)
    assert torch.equal(again, turns[3]) and not torch.equal(codes.rotation(projected, seed=2), turns[3])


def test_the_loss_of_signs_is_the_squared_distance_from_them():
    found = codes.quantisation_loss(torch.tensor([[0.5, -3.0], [2.0, 1.0]]))
    assert found.item() == pytest.approx(((0.25 + 4) + (1 + 0)) / 2)


def test_an_auto_encoder_learns_a_code_that_tells_clusters_apart():
    centres = 3 * (2 * random_bits(4, 10, 5).double() - 1).float()
    labels = torch.arange(200) % 4
    x = centres[labels] + 0.1 * torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    network = codes.AutoEncoder(10, 16, 6)
    losses = network.fit(x, rate=0.01, epochs=30, batch_size=20)
    assert len(losses) == 30 and losses[-1] < losses[0] / 4, losses
    away = codes.hamming(*[codes.pack(network.codes(x))] * 2)
    same = labels[:, None] == labels
    assert away[same].float().mean() + 1 < away[~same].float().mean()


def test_the_decoder_sees_bits_and_the_encoder_the_gradient_of_its_activations():
    torch.manual_seed(0)
    network = codes.AutoEncoder(5, 8, 4)
    x = torch.randn(7, 5)
    torch.testing.assert_close(network(x), network.decoder(network.codes(x).float()))
    code = network.codes(x).float().requires_grad_()
    (wanted,) = torch.autograd.grad(network.decoder(code).square().sum(), code)
    logits = network.encoder(x)
    slope = logits.sigmoid() * (1 - logits.sigmoid())
    parameters = list(network.encoder.parameters())
    expected = torch.autograd.grad(logits, parameters, wanted * slope)
    found = torch.autograd.grad(network(x).square().sum(), parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_an_auto_encoder_is_trained_by_adam_at_a_rate_that_falls_along_half_a_cosine():
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(codes.AutoEncoder(6, 8, 4))
    losses = networks[0].fit(x, rate=0.02, epochs=3, batch_size=20, seed=7)
    optimizer, generator, step = (
        torch.optim.Adam(networks[1].parameters()),
        torch.Generator().manual_seed(7),
        0,
    )
    for loss_of_epoch in losses:
        total = 0.0
        for chosen in torch.randperm(50, generator=generator).split(20):  # 20, 20 and 10 images
            optimizer.param_groups[0]["lr"] = 0.02 * (1 + math.cos(math.pi * step / 9)) / 2
            optimizer.zero_grad()
            loss = F.mse_loss(networks[1](x[chosen]), x[chosen])
            loss.backward()
            optimizer.step()
            step, total = step + 1, total + loss.item() * len(chosen)
        assert loss_of_epoch == pytest.approx(total / 50, rel=1e-5)
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)

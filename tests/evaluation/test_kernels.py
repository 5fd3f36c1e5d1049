"""What kernels look like, against slow formulas and kernels whose stripes are known."""

import math

import pytest
import torch

from alexnet.evaluation import kernels as looks
from references import kernels as slow


def loud(*size):
    """Kernels with unequal colours and large means, so that no term is small."""
    generator = torch.Generator().manual_seed(1)
    w = torch.randn(*size, generator=generator, dtype=torch.float64)
    return 3 * w + torch.tensor([5.0, -7.0, 1.0], dtype=torch.float64)[:, None, None]


def gabor(frequency, degrees, phase=0.7, colours=(1.0, 1.0, 1.0), size=11):
    """Stripes of a known frequency and direction under a Gaussian, rows counted down."""
    y, x = torch.meshgrid(*[torch.arange(size).double() - size // 2] * 2, indexing="ij")
    turn = math.radians(degrees)
    across = x * math.sin(turn) + y * math.cos(turn)  # at right angles to stripes that rise by the angle
    wave = torch.cos(2 * math.pi * frequency * across + phase) * torch.exp(-(x**2 + y**2) / 18)
    return torch.tensor(colours).double()[:, None, None] * wave


def test_colourfulness_follows_the_formula():
    w = loud(4, 3, 5, 4)
    expected = [slow.colourfulness(kernel) for kernel in w.tolist()]
    assert looks.colourfulness(w).tolist() == pytest.approx(expected)
    assert looks.colourfulness(torch.ones(1, 3, 2, 2)).item() == 0
    opponent = torch.tensor([1.0, 0.0, -1.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert looks.colourfulness(opponent).item() == pytest.approx(1)
    noise = torch.randn(400, 3, 11, 11, generator=torch.Generator().manual_seed(0))
    assert looks.colourfulness(noise).mean().item() == pytest.approx(2 / 3, abs=0.01)


def test_the_spectrum_follows_the_formula():
    w = loud(2, 3, 3, 4)
    found, along = looks.spectrum(w), torch.fft.fftfreq(looks.GRID).tolist()
    assert found.shape == (2, looks.GRID, looks.GRID) and found[:, 0, 0].abs().max() < 1e-9
    for row, column in ((0, 5), (7, 0), (13, 60), (32, 21)):
        expected = [slow.power(kernel, along[row], along[column]) for kernel in w.tolist()]
        assert found[:, row, column].tolist() == pytest.approx(expected)


def test_selectivity_follows_the_formula(monkeypatch):
    monkeypatch.setattr(looks, "GRID", 8)
    w = loud(3, 3, 4, 3)
    expected = [slow.selectivity(kernel, torch.fft.fftfreq(8).tolist()) for kernel in w.tolist()]
    assert looks.gratings(w).selectivity.tolist() == pytest.approx(expected)
    assert max(expected) - min(expected) > 0.05  # the three differ, so that a mix-up shows


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 165])
@pytest.mark.parametrize("frequency", [0.12, 0.2, 0.3])
def test_a_gabor_gives_its_orientation_and_frequency(degrees, frequency):
    shown = torch.stack([gabor(frequency, degrees), gabor(frequency, degrees, 2.1, (1.0, -0.5, 0.2))])
    found = looks.gratings(shown)
    assert found.frequency.tolist() == pytest.approx([frequency] * 2, abs=0.02)
    apart = (found.orientation - degrees + 90) % 180 - 90
    assert apart.abs().max() < 6
    assert found.selectivity.min() > 0.6


def test_a_spot_prefers_no_direction():
    y, x = torch.meshgrid(*[torch.arange(11).double() - 5] * 2, indexing="ij")
    spot = torch.exp(-(x**2 + y**2) / 8).expand(1, 3, 11, 11)
    assert looks.gratings(spot).selectivity.item() < 0.05


def test_towers_that_differ_are_told_from_towers_that_do_not():
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(96, generator=generator)
    alike, apart = looks.tower_gap(noise), looks.tower_gap(noise.sort().values)
    assert apart.size == pytest.approx(0.5, abs=0.1) and apart.chance == 0
    assert apart.dealt == pytest.approx(alike.dealt, rel=0.05) and alike.chance > 0.05
    assert alike.size == pytest.approx((noise[:48].mean() - noise[48:].mean()).abs().item())
    # Four numbers have three ways to be dealt: gaps 2, 1 and 0, each as likely.
    few = looks.tower_gap(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert few.size == 2 and few.dealt == pytest.approx(1, abs=0.03)
    assert few.chance == pytest.approx(1 / 3, abs=0.02)


def test_power_by_frequency_is_counted_in_loops_too(monkeypatch):
    monkeypatch.setattr(looks, "GRID", 8)
    w, edges = loud(3, 3, 5, 4), [0.05, 0.25, 0.3, 0.45]
    power, along = looks.spectrum(w).sum(0), torch.fft.fftfreq(8).tolist()
    expected, total = [0.0] * 3, 0.0
    for row, y in enumerate(along):
        for column, x in enumerate(along):
            total += power[row, column].item()
            for place in range(3):
                if edges[place] <= math.hypot(x, y) < edges[place + 1]:
                    expected[place] += power[row, column].item()
    found = looks.by_frequency(w, torch.tensor(edges))
    assert found.tolist() == pytest.approx([each / total for each in expected]) and found.sum() < 1
    assert looks.by_frequency(w, torch.tensor([0.0, 0.3, 0.8])).sum().item() == pytest.approx(1)


def test_power_lies_at_the_frequency_of_the_stripes():
    edges = torch.linspace(0, 0.5, 6)
    found = looks.by_frequency(gabor(0.25, 30)[None], edges)
    assert found.argmax() == 2 and found[2] > 0.6


def test_principal_components_are_those_of_the_covariance():
    w = loud(9, 3, 2, 2)
    found = looks.principal_components(w)
    rows = w.flatten(1) - w.flatten(1).mean(0)
    values, directions = torch.linalg.eigh(rows.T @ rows)
    expected = values.flip(0)[: len(found.variance)] / values.sum()
    torch.testing.assert_close(found.variance, expected, atol=1e-12, rtol=1e-6)
    flat = found.patterns.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(9).double(), atol=1e-9, rtol=0)
    for place in range(4):
        assert abs(flat[place] @ directions[:, -1 - place]).item() == pytest.approx(1)
    assert found.patterns.shape == (9, 3, 2, 2)

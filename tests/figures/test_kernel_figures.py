"""The kernels of conv1: sorted, by tower, for the trainings and epochs there are."""

import numpy as np
import torch

from alexnet import figures
from alexnet.evaluation.kernels import by_frequency, colourfulness, principal_components
from alexnet.figures.chapters import kernels as drawn
from alexnet.storage import shipped


def noise(count, seed=0):
    return torch.randn(count, 3, 11, 11, generator=torch.Generator().manual_seed(seed))


def test_a_mosaic_sorts_by_colourfulness_and_keeps_the_kernels():
    shown = noise(10) * torch.linspace(1, 9, 10)[:, None, None, None]
    shown[3] = shown[3].mean(0)  # grey
    pixels = drawn.mosaic(shown[: drawn.ACROSS])
    assert pixels.shape == (3, 13, 13 * drawn.ACROSS)
    order = colourfulness(shown[: drawn.ACROSS]).argsort().tolist()
    assert order[0] == 3
    for place, which in enumerate(order):
        tile = pixels[:, 1:12, 13 * place + 1 : 13 * place + 12].astype(float)
        assert np.abs(tile - figures.stretched(shown[which]).astype(float)).max() <= 255 / 15 / 2 + 1
    assert len(np.unique(pixels)) <= drawn.LEVELS


def test_some_epochs_of_the_first_training_and_the_end_of_all_are_shown():
    trained = {
        4: {1: noise(4), 2: noise(4, 1), 5: noise(4, 2), 40: noise(4, 3)},
        7: {1: noise(4), 40: noise(4, 5)},
    }
    states = drawn.chosen(trained)
    assert list(states) == ["seed 4, epoch 1", "seed 4, epoch 5", "seed 4, epoch 40", "seed 7, epoch 40"]
    assert states["seed 7, epoch 40"] is trained[7][40] and drawn.last_epoch(states) == 40


def test_the_page_holds_every_training_and_starts_at_the_end_of_the_first(monkeypatch):
    trained = {0: {1: noise(16), 40: noise(16, 1)}, 1: {40: noise(16, 2)}}
    monkeypatch.setattr(shipped, "kernels", lambda name: trained)
    shown = drawn.learned("imagenette", number="12.4")
    assert "seed 0, epoch 40" in shown.alt and shown.num_bytes < 200_000
    for state in ("seed 0, epoch 1", "seed 1, epoch 40"):
        assert state in shown.html


def test_the_chart_has_a_point_for_each_kernel_where_its_stripes_lie():
    x = torch.arange(11.0)
    upright = torch.cos(2 * torch.pi * 0.25 * x).expand(1, 3, 11, 11)  # stripes at 90 degrees
    figure = drawn.stripes(torch.cat([upright, noise(3)]))
    left, right = (axis.collections[0] for axis in figure.axes[:2])
    assert [len(points.get_offsets()) for points in (left, right)] == [2, 2]
    across, up = left.get_offsets()[0]
    assert abs(across) < 0.01 and abs(up - 0.25) < 0.02
    assert left.get_array()[0] < 0.01  # grey


def test_components_stand_in_their_order_beside_the_kernels_of_conv1():
    conv1, embedding = noise(16), torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    shown = drawn.beside_conv1(conv1, embedding, alt="both", caption="Some.", number="12.7")
    assert shown.html.count("<img") == 2 and "first 28 components" in shown.html
    pixels = drawn.tiled(principal_components(embedding).patterns[:28], 7)
    assert pixels.shape == (3, 4 * 10, 7 * 10)
    (second,) = drawn.tiled(principal_components(embedding).patterns[1:2], 1)[None]
    assert np.array_equal(pixels[:, :10, 10:20], second)


def test_both_spectra_are_drawn_of_every_layer():
    layers = {"one": noise(12), "other": noise(20, 3)}
    left, right = drawn.spectra(layers).axes
    for axis in (left, right):
        assert [line.get_label() for line in axis.lines] == list(layers)
    assert abs(left.lines[0].get_ydata()[-1] - 100) < 1e-3
    power = torch.as_tensor(right.lines[1].get_ydata())
    torch.testing.assert_close(power, 100 * by_frequency(layers["other"], drawn.BANDS))

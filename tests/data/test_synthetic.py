"""The generated default set: stable, balanced, too hard for a linear model, learnable by a small ConvNet."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from alexnet.data import generated, synthetic
from alexnet.evaluation.errors import error_rates
from alexnet.models.cifar import four_layer_net
from alexnet.optim.step import shuffled_batches, train_step

NUM_TRAIN, NUM_TEST = 5000, 1000


@pytest.fixture(scope="module")
def dataset():
    return synthetic(num_train=NUM_TRAIN, num_test=NUM_TEST, seed=0)


def prepared(images: torch.Tensor) -> torch.Tensor:
    """Scale to about mean 0 and variance 1, in the layout that is fast on a CPU."""
    return ((images.float() - 120) / 65).contiguous(memory_format=torch.channels_last)


def measure_error(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    batches = ((prepared(x), y) for x, y in zip(images.split(500), labels.split(500), strict=True))
    return error_rates(net.eval(), batches, ks=(1,))["top1"]


def trained(images: torch.Tensor, labels: torch.Tensor, *, epochs: int) -> nn.Module:
    """Train the small network of the 2012 code, without regularisation."""
    generator = torch.Generator().manual_seed(0)
    net = four_layer_net("relu", initialisation="scaled", generator=generator, channels=(16, 16, 32))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(epochs):
        for x, y in shuffled_batches(images, labels, batch_size=25, generator=generator):
            train_step(net, optimizer, prepared(x), y)
    return net


def test_shapes_types_names_and_source(dataset):
    assert dataset.name == "synthetic" and dataset.source == "generated default set, seed 0 (not CIFAR-10)"
    assert dataset.train_images.shape == (NUM_TRAIN, 3, 32, 32) and dataset.train_images.dtype == torch.uint8
    assert dataset.test_images.shape == (NUM_TEST, 3, 32, 32) and dataset.test_images.dtype == torch.uint8
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == torch.int64
    assert len(set(dataset.classes)) == 10
    assert dataset.train_labels.bincount().tolist() == [NUM_TRAIN // 10] * 10
    assert dataset.test_labels.bincount().tolist() == [NUM_TEST // 10] * 10


def test_labels_have_64_bits_also_where_numpys_integers_have_32(monkeypatch):
    real = np.arange  # as on Windows before numpy 2
    monkeypatch.setattr(np, "arange", lambda *given, **how: real(*given, **{"dtype": np.int32} | how))
    few = synthetic(num_train=11, num_test=12)
    assert few.train_labels.dtype == few.test_labels.dtype == torch.int64


def test_the_same_seed_gives_the_same_images_wherever_it_runs():
    """Goes red when the drawing changes, or numpy's PCG64 or its methods draw otherwise.

    If the drawing was changed on purpose, write the new fingerprint here and say so in the changelog: every
    record made on the default set is then about other images.
    """
    assert synthetic(num_train=20, num_test=10, seed=0).fingerprint == "b1a909cf19410483"


def test_a_changed_set_changes_no_other():
    synthetic(num_train=20, num_test=10).train_images.zero_()
    assert synthetic(num_train=20, num_test=10).fingerprint == "b1a909cf19410483"
    assert synthetic(num_train=20, num_test=10).train_images.any()


def test_another_seed_and_the_test_images_are_others():
    first, second = (synthetic(num_train=20, num_test=20, seed=seed) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint
    assert "seed 1" in second.source
    every = torch.cat([first.train_images, first.test_images, second.train_images, second.test_images])
    assert len({image.numpy().tobytes() for image in every}) == 80


@pytest.mark.parametrize("count", [1, 7, generated.CHUNK, generated.CHUNK + 1])
def test_any_number_of_images(count):
    made = synthetic(num_train=count, num_test=1)
    assert len(made.train_images) == len(made.train_labels) == count


@pytest.mark.parametrize("wrong", [{"num_train": 0}, {"num_test": -1}, {"seed": -1}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must"):
        synthetic(**wrong)


def test_every_shape_is_drawn_as_its_name_says():
    """Areas of the shapes on their frame, by counting, against geometry."""
    line = np.linspace(-1.2, 1.2, 481, dtype=np.float32)
    u, v = np.meshgrid(line, line)
    areas = {name: float((shape(u, v) > 0).mean() * 2.4**2) for name, shape in generated.SHAPES.items()}
    block = 1.76**2  # the square that stripes, checks and dots fill
    expected = {
        "disc": np.pi,
        "ring": np.pi * (1 - 0.56**2),
        "square": block,
        "frame": 1.8**2 - 1,
        "triangle": 3 * np.sqrt(3) * 0.55**2,
        "cross": 2 * 2 * 0.6 - 0.6**2,
        "stripes": block / 2,
        "checks": block / 2,
        "dots": 9 * np.pi * 0.19**2,
    }
    for name, area in expected.items():
        assert areas[name] == pytest.approx(area, rel=0.04), name
    assert 0.8 < areas["crescent"] < 1.9


def test_neither_colour_nor_brightness_tells_the_class(dataset):
    """Classes differ in their mean colour by less than a tenth of how much images within a class do."""
    means = dataset.train_images.float().mean((2, 3))  # (N, 3)
    by_class = torch.stack([means[dataset.train_labels == label].mean(0) for label in range(10)])
    assert (by_class.std(0) < 0.1 * means.std(0)).all()


@pytest.mark.slow
def test_a_linear_model_fails(dataset):
    """Logistic regression on the pixels, with the L2 penalty that suits the test images best."""
    x, test = prepared(dataset.train_images).flatten(1), prepared(dataset.test_images).flatten(1)
    errors = []
    for penalty in (1e-2, 1.0):
        weights = torch.zeros(10, x.shape[1] + 1, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights], max_iter=30, line_search_fn="strong_wolfe")

        def closure(weights=weights, optimizer=optimizer, penalty=penalty):
            optimizer.zero_grad()
            logits = F.linear(x, weights[:, :-1], weights[:, -1])
            loss = F.cross_entropy(logits, dataset.train_labels) + penalty * weights.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        guesses = F.linear(test, weights[:, :-1], weights[:, -1]).argmax(1)
        errors.append((guesses != dataset.test_labels).float().mean().item())
    assert min(errors) > 0.7, errors


@pytest.mark.slow
def test_a_small_convolutional_network_does_well(dataset):
    """A linear model misclassifies more than seven of ten images (above)."""
    net = trained(dataset.train_images, dataset.train_labels, epochs=2)
    assert measure_error(net, dataset.test_images, dataset.test_labels) < 0.55


@pytest.mark.slow
def test_overfitting_can_be_seen(dataset):
    images, labels = dataset.train_images[:200], dataset.train_labels[:200]
    net = trained(images, labels, epochs=20)
    train_error = measure_error(net, images, labels)
    test_error = measure_error(net, dataset.test_images, dataset.test_labels)
    assert train_error < 0.4 and test_error > train_error + 0.1, (train_error, test_error)

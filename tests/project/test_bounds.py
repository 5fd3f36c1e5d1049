"""What a training step takes at least, against counts by hand."""

import bounds
import pytest
import torch
from timing import Rounds

from alexnet.recipes import net_config

CODE = net_config("code2012")
# Outputs, inputs of one unit, and how many weights the layer has, from the paper's figure 2 and section 3.5.
CONV = [
    (55 * 55 * 96, 11 * 11 * 3, 96),
    (27 * 27 * 256, 5 * 5 * 48, 256),
    (13 * 13 * 384, 3 * 3 * 256, 384),
    (13 * 13 * 384, 3 * 3 * 192, 384),
    (13 * 13 * 256, 3 * 3 * 192, 256),
]
DENSE = [(4096, 9216), (4096, 4096), (1000, 4096)]


def test_a_step_multiplies_three_times_as_often_as_a_forward_pass_but_for_the_images_gradient():
    forward = [outputs * fan_in for outputs, fan_in, _ in CONV] + [n * fan_in for n, fan_in in DENSE]
    assert bounds.step_multiply_adds(CODE, 2) == 2 * (3 * sum(forward) - forward[0])


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("tf32", 4), ("bfloat16", 2)])
def test_a_step_moves_its_weights_and_its_maps(precision, size):
    weights = sum(kernels * (fan_in + 1) for _, fan_in, kernels in CONV)
    weights += sum(n * (fan_in + 1) for n, fan_in in DENSE)
    pooled = 27 * 27 * 96 + 13 * 13 * 256 + 6 * 6 * 256
    normalised = 55 * 55 * 96 + 27 * 27 * 256 * 2  # the second one also across space
    maps = sum(outputs for outputs, *_ in CONV) + sum(n for n, _ in DENSE) + pooled + normalised
    assert bounds.step_bytes(CODE, 3, precision) == 8 * 4 * weights + 4 * size * 3 * maps


def test_the_slower_of_both_decides():
    work, moved = bounds.step_multiply_adds(CODE, 4), bounds.step_bytes(CODE, 4, "float32")
    assert bounds.least_seconds(CODE, 4, "float32", (work / 2, moved)) == 2
    assert bounds.least_seconds(CODE, 4, "float32", (work, moved / 3)) == pytest.approx(3)


def test_rates_are_those_of_the_fastest_round(monkeypatch):
    monkeypatch.setattr(
        bounds, "interleaved", lambda functions, repeats: {next(iter(functions)): Rounds([4, 2, 8], [])}
    )
    assert bounds.multiply_adds_a_second(torch.device("cpu"), "float32", size=10) == 1000 / 2
    assert bounds.bytes_a_second(torch.device("cpu"), size=10) == 20 / 2


def test_rounding_of_products_is_as_it_was_also_after_a_failure():
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    with pytest.raises(RuntimeError), bounds.multiplications("tf32"):
        assert all(backend.allow_tf32 for backend in backends)
        with bounds.multiplications("float32"):
            assert not any(backend.allow_tf32 for backend in backends)
        raise RuntimeError
    assert [backend.allow_tf32 for backend in backends] == before

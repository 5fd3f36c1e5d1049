"""Convolution against the printed sums and against torch; sizes, fields and costs against counting."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alexnet import functional, paper
from alexnet.functional import ReceptiveField
from references import functional as references

# Loud settings: odd, prime and unequal sizes, a stride, four different sides, three groups.
LOUD = {"shape": (2, 6, 11, 13), "kernels": (9, 2, 5, 3), "stride": 2, "sides": (3, 0, 1, 2), "groups": 3}
PLAIN = {"shape": (3, 2, 7, 5), "kernels": (5, 2, 2, 3), "stride": 1, "sides": (0, 0, 0, 0), "groups": 1}
WIDE = {"shape": (1, 4, 5, 17), "kernels": (2, 2, 3, 7), "stride": 3, "sides": (2, 2, 2, 2), "groups": 2}
CASES = pytest.mark.parametrize("case", [LOUD, PLAIN, WIDE], ids=["loud", "plain", "wide"])


def numbers(case):
    rng = np.random.default_rng(7)
    kernels = case["kernels"]
    return rng.normal(size=case["shape"]), rng.normal(size=kernels), rng.normal(size=kernels[0])


def tensors(case):
    return [torch.from_numpy(array) for array in numbers(case)]


def settings(case):
    return {"stride": case["stride"], "padding": case["sides"], "groups": case["groups"]}


@CASES
def test_cross_correlation_is_the_printed_sum(case):
    expected = references.correlate_by_the_sum(*numbers(case), case["stride"], case["sides"], case["groups"])
    got = functional.cross_correlate(*tensors(case), **settings(case))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-12)


@CASES
def test_cross_correlation_is_torchs_convolution(case):
    x, weight, bias = tensors(case)
    expected = F.conv2d(F.pad(x, case["sides"]), weight, bias, stride=case["stride"], groups=case["groups"])
    torch.testing.assert_close(functional.cross_correlate(x, weight, bias, **settings(case)), expected)
    without = functional.cross_correlate(x, weight, **settings(case))
    torch.testing.assert_close(without + bias[:, None, None], expected)


@pytest.mark.parametrize("wrong", [{"stride": 1}, {"sides": (0, 3, 1, 2)}, {"sides": (3, 0, 2, 1)}])
def test_each_setting_is_visible(wrong):
    right = references.correlate_by_the_sum(*numbers(LOUD), 2, (3, 0, 1, 2), 3)
    case = LOUD | wrong
    other = references.correlate_by_the_sum(*numbers(case), case["stride"], case["sides"], 3)
    assert other.shape != right.shape or abs(other - right).max() > 0.1


def test_groups_are_separate_networks_side_by_side():
    x, weight, bias = tensors(LOUD)
    thirds = zip(x.split(2, 1), weight.split(3), bias.split(3), strict=True)
    parts = [functional.cross_correlate(*third) for third in thirds]
    torch.testing.assert_close(functional.cross_correlate(x, weight, bias, groups=3), torch.cat(parts, 1))
    swapped = torch.cat([x[:, 2:4], x[:, :2], x[:, 4:]], 1)
    moved = functional.cross_correlate(swapped, weight, bias, groups=3)
    assert (moved[:, :6] - torch.cat(parts, 1)[:, :6]).abs().max() > 0.1
    torch.testing.assert_close(moved[:, 6:], parts[2])


def test_convolution_is_the_printed_sum():
    rng = np.random.default_rng(3)
    image, kernel = rng.normal(size=(7, 11)), rng.normal(size=(3, 5))
    full = references.convolve_by_the_sum(image, kernel)
    got = functional.convolve(torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None])
    np.testing.assert_allclose(got[0, 0].numpy(), full[2:-2, 4:-4], rtol=1e-12, atol=1e-12)
    padded = functional.convolve(
        torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None], padding=(4, 4, 2, 2)
    )
    np.testing.assert_allclose(padded[0, 0].numpy(), full, rtol=1e-12, atol=1e-12)


def test_convolution_is_numpys_along_a_line():
    rng = np.random.default_rng(4)
    line, kernel = rng.normal(size=13), rng.normal(size=4)
    x, weight = (torch.from_numpy(array)[None, None, None] for array in (line, kernel))
    expected = np.convolve(line, kernel, mode="valid")
    np.testing.assert_allclose(functional.convolve(x, weight)[0, 0, 0].numpy(), expected, rtol=1e-12)


def test_convolution_keeps_groups_bias_stride_and_sides():
    x, weight, bias = tensors(LOUD)
    expected = F.conv2d(F.pad(x, LOUD["sides"]), weight.rot90(2, (2, 3)), bias, stride=2, groups=3)
    torch.testing.assert_close(functional.convolve(x, weight, bias, **settings(LOUD)), expected)


@CASES
def test_im2col_is_torchs_unfold(case):
    x, weight, _ = tensors(case)
    kernel_size = tuple(weight.shape[2:])
    expected = F.unfold(F.pad(x, case["sides"]), kernel_size, stride=case["stride"])
    got = functional.im2col(x, kernel_size, stride=case["stride"], padding=case["sides"])
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_im2col_by_hand():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    expected = torch.tensor([[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7], [8, 9, 10], [9, 10, 11]])
    torch.testing.assert_close(functional.im2col(x, (3, 2))[0], expected.to(x.dtype))


@CASES
def test_the_matrix_does_what_the_layer_does(case):
    x, weight, _ = tensors(case)
    matrix = functional.as_matrix(weight, *case["shape"][2:], **settings(case))
    expected = F.conv2d(F.pad(x, case["sides"]), weight, stride=case["stride"], groups=case["groups"])
    torch.testing.assert_close(x.flatten(1) @ matrix.T, expected.flatten(1))


@pytest.mark.parametrize("function", [functional.cross_correlate, functional.convolve])
def test_gradients(function):
    case = {"shape": (2, 4, 5, 4), "kernels": (2, 2, 3, 2)}
    inputs = [tensor.requires_grad_() for tensor in tensors(case)]
    assert torch.autograd.gradcheck(
        lambda x, w, b: function(x, w, b, stride=2, padding=(1, 0, 2, 1), groups=2), inputs
    )


def test_float32_stays_float32_and_strided_memory_is_read_right():
    x, weight, bias = (tensor.float() for tensor in tensors(PLAIN))
    turned = x.transpose(2, 3).contiguous().transpose(2, 3)
    assert not turned.is_contiguous()
    got = functional.cross_correlate(turned, weight, bias)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, F.conv2d(x, weight, bias))


SIZES = list(itertools.product([1, 2, 5, 11, 12, 17], [1, 2, 3, 5], [1, 2, 3, 4], [0, 1, 2]))


def test_floor_counts_the_windows_that_fit():
    for n, kernel_size, stride, padding in SIZES:
        count, rest = references.windows_that_fit(n, kernel_size, stride, padding)
        if count == 0:
            with pytest.raises(ValueError, match=f"no window of {kernel_size} pixels fits into {n} pixels"):
                functional.output_size(n, kernel_size, stride, padding)
        else:
            assert functional.output_size(n, kernel_size, stride, padding) == count
            assert functional.leftover(n, kernel_size, stride, padding) == rest


def test_ceil_counts_the_windows_that_cover():
    for n, kernel_size, stride, padding in SIZES:
        if kernel_size > n + 2 * padding:
            continue
        count, overhang = references.windows_that_cover(n, kernel_size, stride, padding)
        assert functional.output_size(n, kernel_size, stride, padding, rounding="ceil") == count
        assert functional.leftover(n, kernel_size, stride, padding, rounding="ceil") == -overhang


def test_pooling_has_the_same_sizes():
    for n, kernel_size, stride in itertools.product([6, 7, 8, 13, 32], [2, 3, 5], [1, 2, 3]):
        for rounding in ("floor", "ceil"):
            if kernel_size < stride:
                continue  # torch then drops windows that begin beyond the input
            pooled = F.max_pool1d(torch.zeros(1, 1, n), kernel_size, stride, ceil_mode=rounding == "ceil")
            assert functional.output_size(n, kernel_size, stride, rounding=rounding) == pooled.shape[2]


def test_ceil_padding_makes_the_floor_rule_give_the_ceil_sizes():
    left, right, top, bottom = functional.ceil_padding(17, 11, (5, 3), stride=3, padding=1)
    assert (left, top) == (1, 1)
    rows, columns = (functional.output_size(n, k, 3, 1, rounding="ceil") for n, k in [(17, 5), (11, 3)])
    assert functional.output_size(17 + top + bottom, 5, 3) == rows
    assert functional.output_size(11 + left + right, 3, 3) == columns
    assert (right, bottom) == (3, 2)


def test_the_riddle_of_224():
    conv1 = paper.LAYERS[0]
    rule = (conv1.kernel_shape[0], conv1.stride)
    assert functional.output_size(paper.INPUT_SIZE, *rule) == 54
    assert functional.output_size(227, *rule) == paper.CONV1_MAP_SIZE
    assert functional.output_size(paper.INPUT_SIZE, *rule, rounding="ceil") == paper.CONV1_MAP_SIZE
    assert functional.output_size(paper.INPUT_SIZE, *rule, padding=2) == paper.CONV1_MAP_SIZE
    assert functional.ceil_padding(paper.INPUT_SIZE, paper.INPUT_SIZE, *rule) == (0, 3, 0, 3)


ALEXNET = [(11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]


@pytest.mark.parametrize("layers", [ALEXNET, [(5, 3, 1), (2, 1, 0), (7, 2, 4)]], ids=["alexnet", "loud"])
def test_receptive_fields_hold_the_pixels_that_a_unit_depends_on(layers):
    for depth, field in enumerate(functional.receptive_field(layers), start=1):
        for unit in (0, 3):
            first = field.start + unit * field.stride
            assert references.pixels_seen(unit, layers[:depth]) == set(range(first, first + field.size))


def test_receptive_fields_of_the_paper_by_hand():
    fields = functional.receptive_field(ALEXNET)
    assert fields[0] == ReceptiveField(size=11, stride=4, start=0)
    assert fields[2] == ReceptiveField(size=19 + 4 * 8, stride=8, start=-16)
    assert fields[-1] == ReceptiveField(size=195, stride=32, start=-64)
    assert functional.receptive_field([]) == []


def test_parameters_and_multiply_adds_are_those_of_torchs_layers():
    conv = torch.nn.Conv2d(6, 9, (5, 3), groups=3)
    assert functional.conv_num_parameters(6, 9, (5, 3), groups=3) == sum(p.numel() for p in conv.parameters())
    assert functional.conv_num_parameters(6, 9, (5, 3), groups=3, bias=False) == conv.weight.numel()
    # A sum of ones counts its terms.
    ones = functional.cross_correlate(torch.ones(1, 6, 11, 13), torch.ones(9, 2, 5, 3), stride=2, groups=3)
    got = functional.conv_num_multiply_adds(6, 9, (5, 3), (4, 6), groups=3)
    assert tuple(ones.shape[2:]) == (4, 6) and got == ones.sum()
    dense = torch.nn.Linear(7, 5)
    assert functional.dense_num_parameters(7, 5) == sum(p.numel() for p in dense.parameters())
    assert functional.dense_num_parameters(7, 5, bias=False) == 35
    assert functional.dense_num_multiply_adds(7, 5) == torch.ones(7).expand(5, 7).sum()


X, W = torch.zeros(1, 4, 9, 9), torch.zeros(6, 4, 3, 3)
correlate = functional.cross_correlate
MISTAKES = {
    "n must be a whole number of at least 1, got 0": lambda: functional.output_size(0, 3),
    "kernel_size must be a whole number of at least 1, got 2.5": lambda: functional.output_size(9, 2.5),
    "stride must be a whole number of at least 1, got 0": lambda: functional.output_size(9, 3, 0),
    "padding must be a whole number of at least 0, got -1": lambda: functional.output_size(9, 3, 1, -1),
    "got True": lambda: functional.output_size(9, True),
    "rounding must be 'floor' or 'ceil', got 'up'": lambda: functional.output_size(9, 3, rounding="up"),
    "no window of 10 pixels fits into 9 pixels": lambda: functional.im2col(X, (3, 10)),
    "kernel_size must be one number or": lambda: functional.im2col(X, (3, 3, 3)),
    "padding must be one number or": lambda: correlate(X, W, padding=(1, 1)),
    "padding must be a whole number": lambda: correlate(X, W, padding=(0, -1, 0, 0)),
    "stride must be a whole number": lambda: correlate(X, W, stride=0),
    r"images must be \(N, C, H, W\), got shape \(4, 9, 9\)": lambda: correlate(X[0], W),
    r"got shape \(9, 9\)": lambda: functional.im2col(X[0, 0], 3),
    r"kernels must be \(K, C / groups, R, S\)": lambda: functional.convolve(X, W[0]),
    r"kernels must be .*, got shape \(3, 3\)": lambda: functional.as_matrix(W[0, 0], 9, 9),
    "same floating dtype, got torch.float32 and torch.float64": lambda: correlate(X, W.double()),
    "got torch.int64 and torch.int64": lambda: correlate(X.long(), W.long()),
    "groups must divide both channels, got 4 in, 6 out, 4 groups": lambda: correlate(X, W, groups=4),
    "4 channels in 2 groups must be 2 deep, got 4": lambda: correlate(X, W, groups=2),
    "bias must have the same dtype, got torch.float32 and torch.float64": lambda: correlate(
        X, W, torch.zeros(6).double()
    ),
    "one number for each of the 6 kernels": lambda: correlate(X, W, torch.zeros(4)),
    "groups must be a whole number": lambda: functional.as_matrix(W, 9, 9, groups=0),
    "height must be a whole number": lambda: functional.as_matrix(W, 0, 9),
    "layer 1 must be .kernel_size, stride, padding.": lambda: functional.receptive_field([(3, 1, 0), (3, 1)]),
    "stride of layer 1 must be": lambda: functional.receptive_field([(3, 1, 0), (3, 0, 0)]),
    "groups must divide both channels, got 3 in": lambda: functional.conv_num_parameters(3, 6, 5, groups=2),
    "output must be a whole number": lambda: functional.conv_num_multiply_adds(3, 6, 5, 0),
    "in_features must be a whole number": lambda: functional.dense_num_parameters(0, 5),
    "out_features must be a whole number": lambda: functional.dense_num_multiply_adds(5, 0),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        MISTAKES[sentence]()
    assert "\n" not in str(caught.value)

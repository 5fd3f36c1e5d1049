"""The layer table: its sums are the counts of the paper and of torch, its memory is counted by hand."""

import argparse

import pytest
import torch

from alexnet import paper
from alexnet.cli import summary as command
from alexnet.distributed.towers import Tower
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.models.summary import memory, summary, text, total
from alexnet.recipes import NETS, PAPER, net_config

MIB = 2**20


def row(rows, name):
    return next(row for row in rows if row.layer == name)


@pytest.mark.parametrize("name", NETS)
def test_the_whole_net_is_what_torch_counts(name):
    config = net_config(name)
    counted = summary(config, batch_size=2)
    with torch.device("meta"):
        num_parameters = sum(p.numel() for p in AlexNet(config).parameters())
    assert total(counted.rows, "num_parameters") == num_parameters
    assert total(counted.rows, "parameter_bytes") == 3 * 4 * num_parameters


@pytest.mark.parametrize("name", NETS)
def test_a_tower_is_what_torch_counts(name):
    config = net_config(name, num_classes=7)
    counted = summary(config)
    with torch.device("meta"):
        tower = Tower(config)
    for one in counted.tower_rows[1:]:
        parameters = tower.get_submodule(one.layer).parameters()
        assert one.num_parameters == sum(p.numel() for p in parameters)
    assert (counted.rows == counted.tower_rows) == (config.towers == 1)


def test_totals_of_the_paper():
    counted = summary(PAPER.net)
    assert [row.layer for row in counted.rows][:4] == ["input", "conv1", "norm1", "pool1"]
    counts = ("num_parameters", "num_multiply_adds", "num_neurons")
    assert [total(counted.rows, count) for count in counts] == [60_965_224, 724_406_816, 659_272]
    halves = [60_965_224 - 1000, 724_406_816, 659_272 - 1000]  # every tower has the biases and outputs of fc8
    towers = [total(counted.tower_rows, count) for count in counts]
    assert towers == [halves[0] // 2 + 1000, halves[1] // 2, halves[2] // 2 + 1000]


def test_rows_of_the_paper():
    counted = summary(PAPER.net)
    conv2 = row(counted.rows, "conv2")
    assert (conv2.kind, conv2.shape, conv2.kernel, conv2.stride) == ("conv", (256, 27, 27), (5, 5, 48), 1)
    assert row(counted.tower_rows, "conv2").shape == (128, 27, 27)
    assert row(counted.tower_rows, "conv2").kernel == (5, 5, 48)
    assert row(counted.tower_rows, "fc7").shape == (2048,)
    assert row(counted.tower_rows, "fc8").shape == (1000,)
    for printed in paper.LAYERS[:5]:
        assert row(counted.rows, printed.name).kernel == printed.kernel_shape


def test_memory_by_hand():
    """Numbers that one GPU keeps of two images, layer by layer, as the docstring of the module says."""
    counted = summary(PAPER.net, batch_size=2)
    conv1, conv2 = 48 * 55 * 55, 128 * 27 * 27
    kept = {
        "input": 3 * 224 * 224,
        "conv1": conv1,
        "norm1": 2 * conv1 + 2 * 55 * 55,  # outputs, denominators, two maps of the other tower
        "pool1": 48 * 27 * 27,
        "conv2": conv2,
        "norm2": 2 * conv2 + 2 * 27 * 27,
        "pool2": 128 * 13 * 13,
        "conv3": (192 + 128) * 13 * 13,  # its maps, and those of pool2 that came from the other tower
        "conv4": 192 * 13 * 13,
        "conv5": 128 * 13 * 13,
        "pool5": 128 * 6 * 6,
        "fc6": 2048 + 128 * 6 * 6,
        "fc7": 2048 + 2048 + 2 * 4096,  # units, those of the other tower, masks and outputs of dropout
        "fc8": 1000 + 2 * 2048,
    }
    assert {row.layer: row.activation_bytes for row in counted.tower_rows} == {
        name: 2 * 4 * numbers for name, numbers in kept.items()
    }
    whole = {row.layer: row.activation_bytes for row in counted.rows}
    assert whole["norm1"] == 2 * 4 * 4 * conv1 and whole["fc7"] == 2 * 4 * (4096 + 2 * 4096)
    assert row(counted.rows, "conv1").gradient_bytes == 2 * 4 * 2 * conv1
    assert row(counted.rows, "input").gradient_bytes == 0


def test_gradients_are_counted_for_every_output_once():
    counted = summary(net_config("half"), batch_size=3)
    assert all(row.gradient_bytes <= row.activation_bytes for row in counted.rows)
    assert row(counted.rows, "norm1").gradient_bytes == 3 * 4 * 48 * 55 * 55


def test_a_tower_fits_a_gpu_of_the_paper_and_by_this_count_the_whole_net_would_too():
    counted = summary(PAPER.net, batch_size=paper.BATCH_SIZE)
    limit = paper.GPU_MEMORY_GIB * 2**30
    state, kept, gradients = (part / MIB for part in memory(counted.tower_rows))
    assert (round(state), round(kept), round(state + kept + gradients)) == (349, 521, 1177)
    assert 0.6 < sum(memory(counted.rows)) / limit < 1
    assert sum(memory(summary(PAPER.net, batch_size=256).rows)) > limit


def test_torch_keeps_about_as_much_as_is_counted():
    """What autograd keeps of a small net, each storage once, parameters aside.

    torch recomputes the denominators of the normalisation, and keeps an index for each pooled activation.
    """
    config = net_config("small", towers=1)
    net = AlexNet(config, generator=torch.Generator().manual_seed(0))
    masks = draw_masks(config, 4, generator=torch.Generator().manual_seed(1))
    kept = {p.untyped_storage().data_ptr() for p in net.parameters()}
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            sizes[storage.data_ptr()] = storage
        return tensor

    images = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(2))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = net(images, masks)
    assert logits.shape == (4, 1000)
    saved = sum(storage.nbytes() for storage in sizes.values())
    counted = total(summary(config, batch_size=4).rows, "activation_bytes")
    assert 0.7 * counted < saved < 1.3 * counted


def test_the_text_shows_every_layer_and_the_sums():
    shown = text(summary(PAPER.net))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "paper: 2 towers, 1000 classes, batches of 128"
    words = {line.split()[0]: line.split() for line in lines if line}
    assert words["conv1"][1:7] == ["96x55x55", "11x11x3,", "stride", "4", "34,944", "290,400"]
    assert words["norm1"][1:] == ["96x55x55", "283.6"]
    assert words["total"][1:4] == ["60,965,224", "659,272", "724,406,816"]
    assert [word for line in lines if line.startswith("both") for word in line.split()[1:]] == [
        "869.8",
        "1,626.7",
    ]
    assert "a tower on each" not in text(summary(net_config("half")))


def run(words, capsys):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["summary", *words])
    assert arguments.run(arguments) == 0
    return capsys.readouterr().out


def test_the_command_shows_a_net(capsys):
    assert run(["paper"], capsys) == text(summary(PAPER.net)) + "\n"
    words = ["no-overlap", "--base", "code2012", "--batch-size", "7", "--classes", "10"]
    config = net_config("no-overlap", base="code2012", num_classes=10)
    assert run(words, capsys) == text(summary(config, batch_size=7)) + "\n"


def test_without_a_name_the_command_lists_the_nets(capsys):
    lines = run([], capsys).splitlines()
    assert [line.split()[0] for line in lines[1:-2]] == list(NETS)
    assert next(line for line in lines if line.startswith("merged")).split()[1:3] == ["1", "62,378,344"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["vgg"], "net must be one of paper, .*; got 'vgg'"),
        (["half", "--base", "keras"], "base must be one of paper, code2012; got 'keras'"),
        (["half", "--batch-size", "0"], "batch_size must be a whole number of at least 1, got 0"),
        (["half", "--classes", "1"], "num_classes must be a whole number from 2 to 1,000,000, got 1"),
    ],
)
def test_a_mistake_gets_one_sentence(words, sentence, capsys):
    with pytest.raises(ValueError, match=sentence):
        run(words, capsys)

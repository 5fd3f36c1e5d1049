"""The counts of the archive's layer files: by hand on a small file, and the shipped record's."""

import pytest
import torch
from torch import nn

from alexnet.models.summary import summary, total
from alexnet.recipes import PAPER
from alexnet.storage import records
from tools import archive

SMALL = """
[data]
type=data

[blur]
type=blur
inputs=data
gpu=0

[small]
type=nailbed
inputs=blur
stride=4

[conv1a]
type=conv
inputs=data
channels=3
filters=8
filterSize=11
stride=4
padding=0
gpu=0

# this tower reads the small image
[conv1b]
type=conv
inputs=small
channels=3
filters=8
filterSize=3
stride=1
padding=1  # a border of zeros
gpu=1

[pool1a]
type=pool
inputs=conv1a
sizeX=3
stride=2

[pool1b]
type=pool
inputs=conv1b
sizeX=2
stride=2

[conv2a]
type=conv
inputs=pool1a,pool1b
channels=8,8
filters=6,3
groups=1,2
filterSize=5,3
stride=1,1
padding=2,1

[conv2d]
type=conv
inputs=pool1b
channels=8
filters=2
filterSize=1
stride=1
padding=0

[conv2c]
type=conv
inputs=pool1a
channels=8
filters=4
groups=2
filterChannels=8
randSparse=1
filterSize=1
stride=1
padding=0
gpu=2

[fc]
type=fc
inputs=conv2a,conv2c,conv2d
outputs=10
"""


def test_a_small_file_is_counted_as_the_layers_that_it_means(tmp_path):
    path = tmp_path / "layers-small.cfg"
    path.write_text(SMALL)
    image, small = torch.zeros(1, 3, 224, 224), torch.zeros(1, 3, 56, 56)
    conv1a, conv1b = nn.Conv2d(3, 8, 11, stride=4, padding=0), nn.Conv2d(3, 8, 3, padding=1)
    pools = nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 2, ceil_mode=True)
    maps = pools[0](conv1a(nn.functional.pad(image, (0, 3, 0, 3)))), pools[1](conv1b(small))
    assert maps[0].shape == (1, 8, 27, 27) and maps[1].shape == (1, 8, 28, 28)
    of_a, of_b = nn.Conv2d(8, 6, 5, padding=2), nn.Conv2d(8, 6, 3, padding=1, groups=2, bias=False)
    drawn = nn.Conv2d(8, 8, 1)  # two groups of four kernels, each reads eight maps drawn at random
    alone = nn.Conv2d(8, 2, 1)  # what it reads is one larger than what the other tower reads
    sizes = [layer(read).numel() for layer, read in ((of_a, maps[0]), (drawn, maps[0]), (alone, maps[1]))]
    modules = (conv1a, conv1b, of_a, of_b, drawn, alone, nn.Linear(sum(sizes), 10))
    count = sum(value.numel() for module in modules for value in module.parameters())
    assert archive.read_network(path) == {"layers": 2, "path": 2, "gpus": 3, "parameters": count}


def test_a_tree_of_classes_leaves_the_parameters_open(tmp_path):
    path = tmp_path / "layers-tree.cfg"
    path.write_text(SMALL.replace("type=fc", "type=treefc"))
    assert archive.read_network(path)["parameters"] is None


def test_the_record_agrees_with_the_paper_and_with_the_count_in_the_authors_notes():
    found = records.load("archive-networks").results
    rows = summary(PAPER.net).rows
    assert found["145"] == {
        "layers": 5,
        "path": 5,
        "gpus": 2,
        "parameters": total(rows, "num_parameters"),
    }
    assert found["114"]["parameters"] == 140_523_240  # layer-params-114.cfg, line 184
    assert found["145-half"]["gpus"] == 1


def test_a_folder_without_layer_files_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["archive", str(tmp_path), "--record", str(tmp_path / "found.json")])
    with pytest.raises(SystemExit):
        archive.main()
    assert "has no layers/layers-*.cfg; clone https://" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

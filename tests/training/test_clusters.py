"""What several GPUs have of a training: by hand, and as the command that does it would be read."""

import shlex
from types import SimpleNamespace

import pytest

from alexnet.cli import train
from alexnet.models.summary import make_rows
from alexnet.recipes import PAPER
from alexnet.training import TrainSettings
from alexnet.training.clusters import command, share
from alexnet.training.messages import end_in_words


def test_towers_come_first_then_the_batch():
    shares = [share(PAPER.net, 128, gpus) for gpus in (1, 2, 16)]
    found = [(one.num_nets, one.num_towers, one.batch_per_net) for one in shares]
    assert found == [(1, 1, 128), (1, 2, 128), (8, 2, 16)]


@pytest.mark.parametrize("gpus, batch, parts", [(1, 128, 1), (2, 128, 2), (4, 64, 2)])
def test_memory_is_that_of_what_the_gpu_holds(gpus, batch, parts):
    rows = make_rows(PAPER.net, batch, parts)
    by_hand = sum(row.parameter_bytes + row.activation_bytes + row.gradient_bytes for row in rows)
    assert share(PAPER.net, 128, gpus).num_bytes == by_hand


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="128 images cannot be divided evenly among 3 networks"):
        share(PAPER.net, 128, 6)


def test_one_node_needs_no_meeting_place():
    settings = TrainSettings(recipe="code2012")
    assert command(settings, 1) == "alexnet train --data default --recipe code2012"
    assert command(settings, 2).startswith("torchrun --standalone --nproc-per-node=2 -m alexnet train ")


def test_several_nodes_meet_at_a_host_with_words_that_alexnet_understands():
    words = shlex.split(command(TrainSettings(data="my images", seed=3), 8, 2))
    assert words[0] == "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"  # see distributed.parallel.rendezvous
    assert words[1:4] == ["torchrun", "--nnodes=2", "--nproc-per-node=8"]
    assert "--rdzv-endpoint=HOST:29500" in words and "--max-restarts=3" in words
    asked = parsed(words[words.index("train") :])
    assert (asked.data, asked.seed) == ("my images", 3)


def parsed(words):
    import argparse

    parser = argparse.ArgumentParser()
    train.add(parser.add_subparsers())
    return parser.parse_args(words)


def test_the_command_that_resumes_on_several_nodes_has_all_of_them(monkeypatch):
    for name, value in (("LOCAL_RANK", 0), ("WORLD_SIZE", 16), ("GROUP_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    results = {"ended": "SIGTERM", "signal": 15, "step": 7, "epochs": 0.1}
    said = end_in_words(TrainSettings(), SimpleNamespace(results=results))
    assert said.endswith(command(TrainSettings(), 8, 2)) and "--nproc-per-node=8" in said

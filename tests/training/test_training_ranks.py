"""Training on two devices: a tower on each or a half of the batch, stopped, killed, started again."""

import threading

import pytest
import torch

from alexnet.optim.sgd import velocities
from alexnet.storage import records
from alexnet.training import launch
from alexnet.training.log import read_log
from support import rank_runs
from support.trainings import (
    assert_same_bits,
    by_hand,
    checkpoints,
    prepared,
    run,
    settings_for,
    state,
    tiny_dataset,
    tiny_recipe,
    use,
    wait_for,
)

NUM_STEPS = 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of the runs that two processes made (see ``rank_runs``)."""
    folder = tmp_path_factory.mktemp("ranks")
    done = []
    # In a thread, where it leaves the handlers of signals alone.
    agent = threading.Thread(target=lambda: done.append(rank_runs.under_an_agent(folder)), daemon=True)
    agent.start()
    agent.join(300)
    assert done
    return folder


def assert_close(one, other):
    for ours, theirs in zip(one[:2], other[:2], strict=True):
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=1e-6, msg=name)


def test_two_towers_train_as_one_device_does(runs, tmp_path, monkeypatch):
    use(monkeypatch, tiny_dataset())
    record, _ = run(settings_for(tmp_path / "one", validate_every="3steps", checkpoint_every="3steps"))
    whole = records.load(runs / "whole" / "run.json")
    assert whole.config["ranks"] == {"data_parallel": 1, "towers": 2}
    assert_close(state(runs / "whole", NUM_STEPS), state(tmp_path / "one", NUM_STEPS))
    ours, theirs = read_log(runs / "whole"), read_log(tmp_path / "one")
    assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in theirs], rel=1e-4)
    assert [line["error"] for line in ours] == [line["error"] for line in theirs]
    assert whole.results["validations"][-1] == pytest.approx(record.results["validations"][-1], rel=1e-4)


def test_halves_of_the_batch_train_as_the_whole_does(runs):
    record = records.load(runs / "data" / "run.json")
    assert record.config["ranks"] == {"data_parallel": 2, "towers": 1}
    images = tiny_dataset()
    net, optimizer, seen = by_hand(tiny_recipe(), images, NUM_STEPS, seed=0, num_data=2)
    assert_close(state(runs / "data", NUM_STEPS), (net.state_dict(), velocities(net, optimizer)))
    line = read_log(runs / "data")[0]
    assert line["loss"] == pytest.approx((seen[0][0] + seen[1][0]) / 2, rel=1e-5)
    assert line["error"] == (seen[0][1] + seen[1][1]) / 16
    assert record.results["validations"][-1]["step"] == NUM_STEPS


@pytest.mark.parametrize(("name", "num_data"), [("tuned", 1), ("tuned-data", 2)])
def test_a_start_from_trained_weights_and_rates_by_layer_are_as_on_one_device(runs, name, num_data):
    recipe, (start, _, _) = tiny_recipe(rate_factors=rank_runs.RATE_FACTORS), state(runs / "whole", NUM_STEPS)
    net, optimizer, _ = by_hand(recipe, tiny_dataset(), 4, seed=0, num_data=num_data, weights=start)
    found = state(runs / name, 4)
    assert_close(found, (net.state_dict(), velocities(net, optimizer)))
    moved = {key.split(".")[0] for key, tensor in found[0].items() if not torch.equal(tensor, start[key])}
    assert moved == {"conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"}


@pytest.mark.parametrize("name", ["stopped", "killed"])
def test_an_interruption_leaves_no_trace(runs, name):
    assert_same_bits(state(runs / name, NUM_STEPS), state(runs / "whole", NUM_STEPS))
    ours, theirs = (records.load(runs / which / "run.json").results for which in (name, "whole"))
    assert ours == theirs and ours["ended"] == "finished"


def test_two_processes_on_the_run_can_be_stopped(tmp_path):
    settings = settings_for(tmp_path / "run", data=prepared(tmp_path), learning={"epochs": 2000.0}, workers=0)
    launched = launch(settings, num_ranks=2)
    wait_for(launched.log, launched)
    assert launched.stop(), launched.output()
    (step,) = checkpoints(settings.folder)[-1:]
    assert launched.record().results["step"] == step == launched.log()[-1]["step"]
    output = launched.output()
    assert f"stopped by SIGTERM at step {step:,}" in output and "Traceback" not in output, output
    assert "  torchrun --standalone --nproc-per-node=2 -m alexnet train --data" in output

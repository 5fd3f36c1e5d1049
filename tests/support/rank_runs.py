"""What each process of the test of training on several devices does, and the agent that starts them.

In a folder they leave runs that nothing interrupted ("whole", "data"), one that a signal to one process
stopped and that went on ("stopped"), one whose first process was killed ("killed"), and two that start from
the weights of "whole" ("tuned", "tuned-data").
"""

import os
import signal
from unittest import mock

import torch.distributed as dist

from alexnet.data.workers import ENDING, processes
from alexnet.distributed.parallel import connect
from alexnet.training import plan, train
from support.trainings import run, settings_for, tiny_dataset

RATE_FACTORS = (("conv1", 0.0), ("conv3", 0.25))
OPTIONS = {"validate_every": "3steps", "checkpoint_every": "3steps"}


def at_step(step, number):
    """A listener that sends the process that has it, the first one, a signal when a step is done."""

    def on_event(event):
        if event.kind == "step" and event.values["step"] == step:
            os.kill(os.getpid(), number)

    return on_event


def under_an_agent(folder):
    """Run ``main`` as ``torchrun --standalone --nproc-per-node=2 --max-restarts=1`` would, in less time.

    Its agent runs in this process, and the two that it starts share what the fork server has imported.
    """
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch  # not every torch has it

    alone = {"min_nodes": 1, "max_nodes": 1, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    how = {"nproc_per_node": 2, "max_restarts": 1, "start_method": processes().get_start_method()}
    with mock.patch.dict(os.environ):  # the agent adds to it
        elastic_launch(LaunchConfig(run_id="runs", **alone, **how), main)(folder)


def main(folder):
    first_time = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    # A loader may have started the fork server, and then it is deaf to the signals that ask to end.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    plan.open_prepared = lambda name: tiny_dataset()
    connect(use_gpus=False)  # once for all trainings, which leave it as it is
    if first_time:
        run(settings_for(folder / "whole", **OPTIONS))
        run(settings_for(folder / "data", parallel="data", **OPTIONS))
        tuning = {"init_from": str(folder / "whole"), "learning": {"rate_factors": RATE_FACTORS}}
        run(settings_for(folder / "tuned", max_steps=4, **tuning, **OPTIONS))
        run(settings_for(folder / "tuned-data", parallel="data", max_steps=4, **tuning, **OPTIONS))
        record = train(settings_for(folder / "stopped", **OPTIONS), at_step(4, signal.SIGTERM))
        # It is agreed on during the next step.
        assert (record.results["step"], record.results["ended"]) == (5, "SIGTERM"), record.results
        run(settings_for(folder / "stopped", **OPTIONS))
    train(settings_for(folder / "killed", **OPTIONS), at_step(8 if first_time else 0, signal.SIGKILL))
    dist.destroy_process_group()

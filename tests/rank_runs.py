"""What each process of the test of training on several devices does; torchrun starts this file.

    torchrun --standalone --nproc-per-node=2 --max-restarts=1 tests/rank_runs.py FOLDER

In FOLDER it leaves runs that nothing interrupted ("whole", "data"), one that a signal to one process stopped
and that went on ("stopped"), and one whose first process was killed ("killed").
"""

import os
import signal
import sys
from pathlib import Path

import torch.distributed as dist
from trainings import run, settings_for, tiny_pictures

from alexnet.parallel import connect
from alexnet.training import plan, train

FIRST_TIME = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
OPTIONS = {"validate_every": "3steps", "checkpoint_every": "3steps"}


def at_step(step, number):
    """A listener that sends the process that has it, the first one, a signal when a step is done."""

    def on_event(event):
        if event.kind == "step" and event.values["step"] == step:
            os.kill(os.getpid(), number)

    return on_event


def main(folder):
    plan.pictures_of = lambda name: tiny_pictures()
    connect(use_gpus=False)  # once for all trainings, which leave it as it is
    if FIRST_TIME:
        run(settings_for(folder / "whole", **OPTIONS))
        run(settings_for(folder / "data", split="data", **OPTIONS))
        record = train(settings_for(folder / "stopped", **OPTIONS), at_step(4, signal.SIGTERM))
        # It is agreed on during the next step.
        assert (record.results["step"], record.results["ended"]) == (5, "SIGTERM"), record.results
        run(settings_for(folder / "stopped", **OPTIONS))
    train(settings_for(folder / "killed", **OPTIONS), at_step(8 if FIRST_TIME else 0, signal.SIGKILL))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

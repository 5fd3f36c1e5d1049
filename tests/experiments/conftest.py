"""Images, arms and outcomes for the tests of the experiments."""

import math

import pytest
import torch

from alexnet.config import LearningConfig
from alexnet.data import synthetic
from alexnet.experiments import execution, experiment
from alexnet.experiments.arms import Arm, FourLayerConfig
from alexnet.experiments.experiment import Experiment
from alexnet.experiments.trial import Outcome


@pytest.fixture(autouse=True)
def this_process(monkeypatch):
    """Leave the process as it was: a trial settles its threads and what counts as 0."""
    monkeypatch.setattr(execution, "keep_buffers", lambda: None)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def guesses_count(monkeypatch):
    """Let trainings of a few steps, which only guess, count as if they had learned something."""
    monkeypatch.setattr(experiment, "GUESSING", math.inf)


@pytest.fixture(scope="session")
def examples():
    """Images that are easy to tell apart: each class has a colour of its own under noise."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.randint(0, 10, (400,), generator=generator)
    colours = torch.randint(0, 256, (10, 3, 1, 1), generator=generator)
    noise = torch.randint(-40, 41, (400, 3, 32, 32), generator=generator)
    return (colours[labels] + noise).clamp(0, 255).to(torch.uint8), labels


@pytest.fixture(scope="session")
def tiny_set():
    """A data set of 140 and 20 generated images."""
    return synthetic(num_train=140, num_test=20, seed=2)


@pytest.fixture
def tiny():
    """Make the arm of a small four-layer network, and an experiment of such arms."""

    def make(*names, **changes):
        learning = LearningConfig(schedule="constant", epochs=1, batch_size=20, rate=0.01, weight_decay=0.0)
        arms = {
            name: Arm(
                about=f"the arm {name}",
                net=FourLayerConfig(unit=name, channels=(4, 4, 4)),
                learning=learning,
                unit_variance=True,
            )
            for name in names
        }
        fields = {"name": "tiny", "description": "a test", "network": "a tiny network", "arms": arms}
        fields |= {"num_train": 100, "seeds": (0, 1)}
        return Experiment(**(fields | changes))

    return make


@pytest.fixture
def outcome():
    """Make an outcome of a few numbers."""

    def make(error=0.3, **changes):
        fields = {
            "errors": [0.5],
            "losses": [1.5],
            "train_error": error / 2,
            "train_loss": 0.5,
            "error": error,
            "loss": 1.0,
            "epochs": 1.0,
            "seconds": 2.0,
        }
        return Outcome(**(fields | changes))

    return make

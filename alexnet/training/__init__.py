"""``alexnet train``: training that can be stopped and resumed, on one device or many."""

from alexnet.training.dry_runs import DryRun, dry_run
from alexnet.training.launching import Launched, attach, launch
from alexnet.training.loop import train
from alexnet.training.settings import TrainSettings
from alexnet.training.window import Diverged

__all__ = ["Diverged", "DryRun", "Launched", "TrainSettings", "attach", "dry_run", "launch", "train"]

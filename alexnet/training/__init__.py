"""``alexnet train``: training that can be stopped and goes on, on one device or many."""

from alexnet.training.loop import train
from alexnet.training.settings import TrainSettings

__all__ = ["TrainSettings", "train"]

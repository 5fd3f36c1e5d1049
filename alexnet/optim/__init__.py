"""The update rule, the learning-rate schedules, and the training step (paper 5)."""

from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.optim.step import shuffled_batches, train_step

__all__ = ["PaperSGD", "param_groups", "shuffled_batches", "train_step"]

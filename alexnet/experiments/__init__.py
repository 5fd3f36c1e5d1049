"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import relu_vs_tanh

EXPERIMENTS = {relu_vs_tanh.NAME: relu_vs_tanh}

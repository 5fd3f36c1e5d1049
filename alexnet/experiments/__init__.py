"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import ablations, lrn, relu_vs_tanh

EXPERIMENTS = {module.NAME: module for module in (relu_vs_tanh, lrn, ablations)}

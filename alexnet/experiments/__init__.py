"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import ablations, normalisation, relu_vs_tanh

EXPERIMENTS = {module.NAME: module for module in (relu_vs_tanh, normalisation, ablations)}

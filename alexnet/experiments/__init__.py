"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import conv_local, lrn, parts, relu_speed

EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in (relu_speed, lrn, conv_local, parts)}

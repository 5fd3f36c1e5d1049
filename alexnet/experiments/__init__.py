"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import conv_local, dropout_speed, early_learning, lrn, parts, relu_speed

MODULES = (relu_speed, conv_local, lrn, parts, dropout_speed, early_learning)
EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in MODULES}

"""The experiments, by the name under which ``alexnet experiment`` runs them."""

from alexnet.experiments import (
    conv_local,
    dropout_convergence,
    dropout_speed,
    early_learning,
    lrn,
    parts,
    relu_speed,
)

#: Of two that measure a claim the one that settles it best comes first.
MODULES = (relu_speed, conv_local, lrn, parts, dropout_convergence, dropout_speed, early_learning)
EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in MODULES}

"""The pure mathematics of the network: tensors and numbers in, tensors and numbers out."""

from alexnet.functional.activations import (
    SCALED_TANH_A,
    SCALED_TANH_B,
    UNITS,
    abs_tanh,
    relu,
    scaled_tanh,
    sigmoid,
    slope,
    tanh,
    threshold_unit,
    unit_by_name,
)
from alexnet.functional.contrast import local_contrast_norm
from alexnet.functional.conv import as_matrix, convolve, cross_correlate, im2col
from alexnet.functional.dropout import dropout, dropout_at_test, dropout_mask, inverted_dropout, to_inverted
from alexnet.functional.geometry import (
    ReceptiveField,
    ceil_padding,
    conv_num_multiply_adds,
    conv_num_parameters,
    dense_num_multiply_adds,
    dense_num_parameters,
    leftover,
    output_size,
    receptive_field,
)
from alexnet.functional.lrn import local_response_norm, spatial_response_norm
from alexnet.functional.pooling import average_pool, max_pool

__all__ = [
    "SCALED_TANH_A",
    "SCALED_TANH_B",
    "UNITS",
    "ReceptiveField",
    "abs_tanh",
    "as_matrix",
    "average_pool",
    "ceil_padding",
    "conv_num_multiply_adds",
    "conv_num_parameters",
    "convolve",
    "cross_correlate",
    "dense_num_multiply_adds",
    "dense_num_parameters",
    "dropout",
    "dropout_at_test",
    "dropout_mask",
    "im2col",
    "inverted_dropout",
    "leftover",
    "local_contrast_norm",
    "local_response_norm",
    "max_pool",
    "output_size",
    "receptive_field",
    "relu",
    "scaled_tanh",
    "sigmoid",
    "slope",
    "spatial_response_norm",
    "tanh",
    "threshold_unit",
    "to_inverted",
    "unit_by_name",
]

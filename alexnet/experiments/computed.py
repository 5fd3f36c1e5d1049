"""The claims that can be computed: what the paper prints, beside what the package says."""

import torch

from alexnet import paper
from alexnet.experiments.finding import EXACT, Finding
from alexnet.experiments.intervals import CONTRADICTED
from alexnet.functional import dropout_at_test, local_response_norm, output_size
from alexnet.functional.lrn_formula import channel_formula
from alexnet.models import list_layers, summary, total
from alexnet.optim import PaperSGD
from alexnet.recipes import CODE2012, PAPER

NEARLY = 0.02  # a total printed with two digits, the others cut off, may lie this part below the true one


def compared(agrees: bool, ours: str, basis: str) -> Finding:
    """Judge a claim that can be computed."""
    return Finding(ours=ours, verdict=EXACT if agrees else CONTRADICTED, basis=f"computed: {basis}")


def near(printed: float, ours: float) -> bool:
    """Whether a printed round number is the true one."""
    return abs(ours - printed) <= NEARLY * printed


def params() -> Finding:
    ours = total(summary(PAPER.net).rows, "num_parameters")
    return compared(near(paper.NUM_PARAMETERS, ours), f"{ours:,}", "weights and biases of all layers")


def initial_values_of_file() -> str:
    """Say how the initial weights and biases of the file of #145 differ from the printed ones (paper 5)."""
    of_paper, of_file = ({layer.name: layer for layer in list_layers(one.net)} for one in (PAPER, CODE2012))
    learned = [(layer, of_file[name]) for name, layer in of_paper.items() if layer.num_parameters]
    others = {
        file.name: file.weight_std for printed, file in learned if file.weight_std != printed.weight_std
    }
    biases = [file.name for printed, file in learned if file.bias != printed.bias]
    stds = " and ".join(f"{std:g}" for std in sorted(set(others.values())))
    weights = f"weights of {', '.join(others)} with a standard deviation of {stds}" if others else ""
    parts = [part for part in (weights, f"the biases of {', '.join(biases)}" if biases else "") if part]
    return f"the file of #145 starts as printed{' but for ' if parts else ''}{' and '.join(parts)}"


def neurons() -> Finding:
    ours = total(summary(PAPER.net).rows, "num_neurons")
    return compared(near(paper.NUM_NEURONS, ours), f"{ours:,}", "outputs of all layers that have weights")


def neurons_per_layer() -> Finding:
    ours = [row.num_neurons for row in summary(PAPER.net).rows if row.num_neurons]
    agrees = ours == [layer.num_neurons for layer in paper.LAYERS]
    return compared(agrees, " · ".join(f"{count:,}" for count in ours), "outputs of each layer")


def layer_shapes() -> Finding:
    convolutions = [layer for layer in list_layers(PAPER.net) if layer.kind == "conv"]
    ours = [
        (layer.out_channels, (layer.kernel_size,) * 2 + (layer.in_channels // layer.groups,))
        for layer in convolutions
    ]
    printed = [(layer.num_kernels, layer.kernel_shape) for layer in paper.LAYERS if layer.kernel_shape]
    shown = ", ".join(f"{count} of {'×'.join(map(str, shape))}" for count, shape in ours)
    return compared(ours == printed, shown, "the network's kernels")


def input_224() -> Finding:
    conv1 = list_layers(PAPER.net)[0]
    sizes = {
        rounding: output_size(paper.INPUT_SIZE, conv1.kernel_size, stride=conv1.stride, rounding=rounding)
        for rounding in ("floor", "ceil")
    }
    shown = f"{sizes['floor']} without padding, {sizes['ceil']} with zeros on the right and at the bottom"
    return compared(sizes["floor"] == paper.CONV1_MAP_SIZE, shown, "224 pixels, kernels of 11, stride 4")


def conv_share() -> Finding:
    rows = summary(PAPER.net).rows
    whole = total(rows, "num_parameters")
    shares = {row.layer: row.num_parameters / whole for row in rows if row.kind == "conv"}
    largest = max(shares, key=shares.__getitem__)
    agrees = shares[largest] <= paper.CONV_LAYER_PARAMETER_SHARE
    return compared(agrees, f"up to {shares[largest]:.2%} ({largest})", "parameters of each layer")


def gpu_connectivity() -> Finding:
    printed, below = {layer.name: layer for layer in paper.LAYERS}, 3
    ours, of_text, by_depth = [], [], []
    for layer in (layer for layer in list_layers(PAPER.net) if layer.kind == "conv"):
        told = printed[layer.name]
        assert told.kernel_shape is not None
        ours.append(layer.groups)
        of_text.append(1 if told.reads_both_gpus else paper.NUM_GPUS)
        by_depth.append(below / told.kernel_shape[-1])
        below = told.num_kernels
    shown = f"groups of {', '.join(map(str, ours))}"
    basis = "the layers' groups against the text, and against the printed depths of the kernels"
    return compared(ours == of_text == by_depth, shown, basis)


def lrn_formula() -> Finding:
    generator = torch.Generator().manual_seed(0)
    x = 100 * torch.randn(2, 96, 5, 5, generator=generator, dtype=torch.float64)
    constants = {"n": paper.LRN_N, "k": paper.LRN_K, "alpha": paper.LRN_ALPHA, "beta": paper.LRN_BETA}
    apart = (local_response_norm(x) - channel_formula(x, **constants)).abs().max().item()
    shown = "differs by rounding alone" if apart < 1e-12 else f"differs by {apart:.1g}"
    return compared(
        apart < 1e-12,
        shown,
        "the layer against the formula as printed, float64; the authors' networks used other forms of it",
    )


def aug_factor() -> Finding:
    num_offsets = paper.IMAGE_SIZE - paper.INPUT_SIZE + 1
    ours = 2 * num_offsets**2
    how = f"{num_offsets} × {num_offsets} positions of 224 pixels in 256, with horizontal flips"
    return compared(ours == paper.AUGMENTATION_FACTOR, f"{ours:,}", how)


def dropout_mean() -> Finding:
    generator = torch.Generator().manual_seed(0)
    x, weights = torch.randn(6, generator=generator).double(), torch.randn(4, 6, generator=generator).double()
    masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 6)  # all 64
    means = (masks * x @ weights.T).log_softmax(1).mean(0).softmax(0)
    apart = (means - (weights @ dropout_at_test(x, p=0.5)).softmax(0)).abs().max().item()
    hidden = torch.randn(4, 6, generator=generator).double()
    inner = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 4)  # all 16 of the second layer
    second = inner[None] * (masks * x @ hidden.T).relu()[:, None]  # (64, 16, 4)
    thinned = (second @ weights[:, :4].T).log_softmax(2).mean((0, 1)).softmax(0)
    halved = dropout_at_test((hidden @ dropout_at_test(x, p=0.5)).relu(), p=0.5)
    beyond = (thinned - (weights[:, :4] @ halved).softmax(0)).abs().max().item()
    shown = f"exact for one layer and a softmax; with a second layer of ReLUs {beyond:.3f} off in probability"
    return compared(apart < 1e-12, shown, "the means over all masks of 6 units, and of 6 and 4")


def update_rule() -> Finding:
    generator = torch.Generator().manual_seed(0)
    w, velocity, gradient = torch.randn(3, 5, generator=generator).double()
    velocity.zero_()
    parameter = torch.nn.Parameter(w.clone())
    optimizer = PaperSGD([parameter], lr=0.3)
    for _ in range(3):
        parameter.grad = gradient.clone()
        optimizer.step()
        velocity = paper.MOMENTUM * velocity - paper.WEIGHT_DECAY * 0.3 * w - 0.3 * gradient
        w = w + velocity
    apart = (parameter.detach() - w).abs().max().item()
    shown = "differs by rounding alone" if apart < 1e-12 else f"differs by {apart:.1g}"
    return compared(
        apart < 1e-12, shown, "three steps of the optimizer against the two printed lines, float64"
    )

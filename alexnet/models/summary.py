"""A network's layers with what they cost in parameters, arithmetic and memory (paper 3.5, figure 2).

How the memory of training is counted, in float32: weights and biases, their gradients and their velocities;
and what the forward pass leaves for the backward pass, namely the images, the output of every layer (ReLU
overwrites its input), the denominators of response normalisation, dropout's masks and outputs, and what came
from other towers. The buffers of libraries and of the loader of images are not counted. This is a plain
implementation's; the package computes the denominators again in the backward pass.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alexnet import paper
from alexnet.checks import whole
from alexnet.config import NetConfig
from alexnet.models.architecture import Layer, list_layers
from alexnet.models.stages import dropout_inputs
from alexnet.models.traffic import communication

BYTES_PER_NUMBER = 4
COPIES_OF_PARAMETERS = 3  # the parameters, their gradients, their velocities
COUNTS = ("num_parameters", "num_neurons", "num_multiply_adds")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer, in the whole network or in one tower; the images are the first row.

    Attributes:
        layer: as in `alexnet.models.architecture.Layer`; "input" for the images.
        kind: as in `alexnet.models.architecture.Layer`; "input" for the images.
        shape: (channels, height, width) of its output, or (units,).
        kernel: (height, width, depth) of a convolution's kernel; None elsewhere.
        stride: in pixels; 1 for a dense layer and for a norm.
        num_parameters: weights and biases.
        num_multiply_adds: on one image.
        num_neurons: outputs of a layer that learns, on one image; 0 for the others.
        parameter_bytes: parameters, gradients and velocities.
        activation_bytes: what it leaves for the backward pass of a batch.
        gradient_bytes: the gradients of its outputs on a batch.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    kernel: tuple[int, int, int] | None = None
    stride: int = 1
    num_parameters: int = 0
    num_neurons: int = 0
    num_multiply_adds: int = 0
    parameter_bytes: int = 0
    activation_bytes: int = 0
    gradient_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A network's layers with their costs.

    Attributes:
        config: the network.
        batch_size: images in an update, on which memory is counted.
        rows: the network on one GPU.
        tower_rows: one of its towers on a GPU; the same rows where there is one.
    """

    config: NetConfig
    batch_size: int
    rows: tuple[Row, ...]
    tower_rows: tuple[Row, ...]


def summary(config: NetConfig, *, batch_size: int = paper.BATCH_SIZE) -> Summary:
    """Count what a network costs, in all and on each GPU.

    Raises:
        ValueError: the batch size is below 1, or the images are too small for the network.
    """
    whole("batch_size", batch_size)
    return Summary(
        config=config,
        batch_size=batch_size,
        rows=make_rows(config, batch_size, 1),
        tower_rows=make_rows(config, batch_size, config.towers),
    )


def total(rows: Iterable[Row], count: str) -> int:
    """Sum one of a row's counts over the layers, for example "num_parameters"."""
    return sum(getattr(row, count) for row in rows)


def make_rows(config: NetConfig, batch_size: int, num_parts: int) -> tuple[Row, ...]:
    """Return the rows of the network (num_parts = 1) or of one of its towers (num_parts = towers)."""
    bytes_per_value = batch_size * BYTES_PER_NUMBER
    traffic = communication(config, batch_size) if num_parts > 1 else []
    received = {t.layer: t.forward for t in traffic if t.crossing != "sum"}  # as much as is sent
    masks = dropout_inputs(config)
    numbers = config.input_channels * config.input_size**2
    rows = [
        Row(
            layer="input",
            kind="input",
            shape=(config.input_channels, config.input_size, config.input_size),
            activation_bytes=numbers * bytes_per_value,
        )
    ]
    for layer in list_layers(config):
        mask = masks.get(layer.name, 0) // (num_parts if layer.name == "fc8" else 1)
        extra = 2 * mask * bytes_per_value + received.get(layer.name, 0)
        rows.append(make_row(layer, bytes_per_value, num_parts, extra))
    return tuple(rows)


def make_row(layer: Layer, bytes_per_value: int, num_parts: int, extra_bytes: int) -> Row:
    """Return one layer's row; every tower has all outputs and biases of fc8, and its part of the rest."""
    last = layer.name == "fc8"
    channels = layer.out_channels if last else layer.out_channels // num_parts
    biases = layer.out_channels if layer.has_parameters else 0
    weights = (layer.num_parameters - biases) // num_parts
    num_parameters = weights + (biases if last else biases // num_parts)
    outputs = channels * layer.out_size**2
    kept = 2 * outputs if layer.kind == "norm" else outputs
    depth = layer.in_channels // layer.groups
    return Row(
        layer=layer.name,
        kind=layer.kind,
        shape=(channels,) if layer.kind == "dense" else (channels, layer.out_size, layer.out_size),
        kernel=(layer.kernel_size, layer.kernel_size, depth) if layer.kind == "conv" else None,
        stride=layer.stride,
        num_parameters=num_parameters,
        num_neurons=outputs if layer.has_parameters else 0,
        num_multiply_adds=layer.num_multiply_adds // num_parts,
        parameter_bytes=COPIES_OF_PARAMETERS * num_parameters * BYTES_PER_NUMBER,
        activation_bytes=kept * bytes_per_value + extra_bytes,
        gradient_bytes=outputs * bytes_per_value,
    )


def text(counted: Summary) -> str:
    """Return a summary as a table for the terminal, with the memory of a GPU below it."""
    config = counted.config
    towers = f"{config.towers} towers" if config.towers > 1 else "1 tower"
    title = f"{config.name}: {towers}, {config.num_classes} classes, batches of {counted.batch_size}"
    heads = ("layer", "output", "kernel", "parameters", "neurons", "multiply-adds", "state MiB", "kept MiB")
    sums = ("total", "", "", *numbers(total(counted.rows, count) for count in COUNTS))
    lines = [heads, *map(cells, counted.rows), (*sums, *map(mebibytes, memory(counted.rows)[:2]))]
    return "\n".join([title, "", *align(lines, texts=3), "", *memory_lines(counted)])


def brief(several: Iterable[Summary]) -> str:
    """Return a line for each of several networks."""
    heads = ("net", "towers", "parameters", "neurons", "multiply-adds", "state MiB", "kept MiB")
    lines: list[tuple[str, ...]] = [heads]
    for counted in several:
        counts = numbers(total(counted.rows, count) for count in COUNTS)
        sizes = map(mebibytes, memory(counted.rows)[:2])
        lines.append((counted.config.name, str(counted.config.towers), *counts, *sizes))
    return "\n".join(align(lines, texts=1))


def cells(row: Row) -> tuple[str, ...]:
    """Return one row as texts; empty ones where a layer has none of a thing."""
    kernel = "x".join(map(str, row.kernel)) if row.kernel else ""
    kernel += f", stride {row.stride}" if row.kernel and row.stride > 1 else ""
    output = "x".join(map(str, row.shape))
    state = mebibytes(row.parameter_bytes) if row.parameter_bytes else ""
    counts = numbers(getattr(row, count) for count in COUNTS)
    return (row.layer, output, kernel, *counts, state, mebibytes(row.activation_bytes))


def memory(rows: Iterable[Row]) -> tuple[int, int, int]:
    """Return the bytes of parameters, of what the backward pass reads, and of the gradients of outputs."""
    rows = tuple(rows)
    return total(rows, "parameter_bytes"), total(rows, "activation_bytes"), total(rows, "gradient_bytes")


def memory_lines(counted: Summary) -> list[str]:
    """Return the lines on the memory of a GPU that has one tower, and of one that has the whole network."""
    columns = {"a tower on each": memory(counted.tower_rows), "all on one": memory(counted.rows)}
    if counted.config.towers == 1:
        del columns["a tower on each"]
    parts = columns.values()
    limit = mebibytes(paper.GPU_MEMORY_GIB * 2**30)
    lines = [
        ("memory of a GPU in training, MiB", *columns),
        ("state: parameters, gradients, velocities", *(mebibytes(part[0]) for part in parts)),
        ("kept: what the backward pass reads", *(mebibytes(part[1]) for part in parts)),
        ("both", *(mebibytes(sum(part[:2])) for part in parts)),
        ("and the gradients of all outputs at once", *(mebibytes(sum(part)) for part in parts)),
        ("a GPU of the paper", *[limit] * len(columns)),
    ]
    note = "Numbers are float32; the buffers of libraries and of the loader are not counted."
    return [*align(lines, texts=1), note]


def numbers(counts: Iterable[int]) -> tuple[str, ...]:
    """Return counts as texts, nothing for 0."""
    return tuple(f"{count:,}" if count else "" for count in counts)


def mebibytes(num_bytes: int) -> str:
    """Return bytes in MiB (2**20 bytes), to a tenth."""
    return f"{num_bytes / 2**20:,.1f}"


def align(lines: Sequence[tuple[str, ...]], *, texts: int) -> list[str]:
    """Put cells under one another, in the first `texts` columns to the left, in the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]

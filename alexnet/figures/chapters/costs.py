"""The costs of a changed paper network: parameters, arithmetic and memory of every layer (paper 3.5)."""

import math

from alexnet import paper
from alexnet.figures.sliders import explore
from alexnet.functional.geometry import four_sides
from alexnet.models.architecture import list_layers
from alexnet.models.stages import dropout_inputs
from alexnet.models.summary import BYTES_PER_NUMBER, COPIES_OF_PARAMETERS, summary, total
from alexnet.recipes import PAPER

LAYERS = {layer.name: layer for layer in list_layers(PAPER.net)}
PARTS = tuple(layer for layer in LAYERS.values() if layer.has_parameters)
MIB = 2**20
CHANNELS, POOL_SIZE, POOL_STRIDE = PAPER.net.input_channels, PAPER.net.pool_size, PAPER.net.pool_stride
# [name, kernels, their size, stride, padding, groups, whether a normalisation follows, and a pool]
CONVOLUTIONS: list[list] = [
    [part.name, part.out_channels, part.kernel_size, part.stride, four_sides(part.padding)[0], part.groups]
    + [int(f"{kind}{part.name[-1]}" in LAYERS) for kind in ("norm", "pool")]
    for part in PARTS
    if part.kind == "conv"
]
# [name, units, whether dropout is applied to its inputs]
DENSE: list[list] = [
    [part.name, part.out_channels, int(part.name in dropout_inputs(PAPER.net))]
    for part in PARTS
    if part.kind == "dense"
]
PAPERS = [total(summary(PAPER.net).rows, count) for count in ("num_parameters", "num_multiply_adds")]
LIMIT = paper.GPU_MEMORY_GIB * 2**30

HEAD = (
    '<table style="width:100%;max-width:560px;font-size:.85em;border-collapse:collapse">'
    '<tr><th style="text-align:left">layer</th><th style="text-align:left">output</th>'
    '<th style="text-align:right">parameters</th><th style="text-align:right">multiply-adds, millions</th>'
    '<th style="text-align:right">memory, MiB</th></tr>'
)


def change_a_layer(*, number: str | None = None):
    """Let the reader change the image's size, one layer's kernels or the batch, and see what it costs.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        costs,
        in_page=True,
        pixels=[64, 96, 128, 160, 192, 224, 256, 320, 384, 448],
        layer=[part.name for part in PARTS[:-1]],
        times=[0.25, 0.5, 1, 2, 4],
        batch=[1, 32, 64, 128, 256],
        start={"pixels": paper.INPUT_SIZE, "times": 1, "batch": paper.BATCH_SIZE},
        labels={"times": "its kernels ×"},
        number=number,
        alt="Parameters, multiply-adds and memory of every layer, for images of {pixels} pixels, with "
        "{times} times the kernels in {layer} and batches of {batch}.",
        caption="Parameters sit in the dense layers, arithmetic in the convolutions. The paper's network, "
        "both towers counted together; bars: a layer's fraction of the total. Memory: parameters with their "
        "gradients and velocities, and the activations that the layer, with the normalisation and pooling "
        "that follow it, keeps for the backward pass of a batch.",
    )


def costs(pixels: int, layer: str, times: float, batch: int) -> str:
    """Write, as HTML, what the paper's network costs with other images, kernels or batches."""
    rows = make_rows(pixels, layer, times, batch)
    sums = [sum(row[k] for row in rows) for k in (2, 3, 4)]
    drawn = "".join(table_line(row[0], row[1], row[2:], sums) for row in rows)
    return (
        f"{HEAD}{drawn}{table_line('all', '', sums, sums)}</table><p>Compared with the paper's network: "
        f"parameters × {ratio(sums[0], PAPERS[0])}, multiply-adds × {ratio(sums[1], PAPERS[1])}. "
        f"Memory: × {ratio(sums[2], LIMIT)} of a GPU of the paper.</p>"
    )


def make_rows(pixels: int, layer: str, times: float, batch: int) -> list[list]:
    """Return name, output, parameters, multiply-adds and bytes of the image and the layers that learn.

    A layer counts with the normalisation and the pool after it. The same as `alexnet.models.summary`, in
    arithmetic that a page can do; a test compares the two.
    """
    depth, side = CHANNELS, pixels
    rows = [make_row("image", f"{depth}×{side}×{side}", 0, 0, depth * side * side, batch)]
    for name, kernels, size, stride, padding, groups, norms, pooled in CONVOLUTIONS:
        count = int(kernels * times) if name == layer else kernels
        weights = count * depth // groups * size * size
        side = math.ceil((side + 2 * padding - size) / stride) + 1
        output, work = f"{count}×{side}×{side}", weights * side * side
        kept = (1 + 2 * norms) * count * side * side
        if pooled:
            side = math.ceil((side - POOL_SIZE) / POOL_STRIDE) + 1
            kept += count * side * side
        rows.append(make_row(name, output, weights + count, work, kept, batch))
        depth = count
    inputs = depth * side * side
    for name, units, dropped in DENSE:
        count = int(units * times) if name == layer else units
        kept = count + 2 * dropped * inputs
        rows.append(make_row(name, f"{count}", (inputs + 1) * count, inputs * count, kept, batch))
        inputs = count
    return rows


def make_row(name: str, output: str, parameters: int, work: int, kept: int, batch: int) -> list:
    """Return a row of `make_rows`; kept are the numbers of one image for the backward pass."""
    num_bytes = BYTES_PER_NUMBER * (batch * kept + COPIES_OF_PARAMETERS * parameters)
    return [name, output, parameters, work, num_bytes]


def table_line(head: str, output: str, counts: list[int], sums: list[int]) -> str:
    """Write a line of the table: parameters, millions of multiply-adds, MiB; each fraction as a bar."""
    millions, mebibytes = (counts[1] + 500_000) // 1_000_000, (counts[2] + MIB // 2) // MIB
    cells = (
        f'<td style="text-align:right">{f"{shown:,}" if count else ""}'
        f'<div style="height:4px;width:{100 * count // whole}%;background:#0072B2"></div></td>'
        for count, shown, whole in zip(counts, (counts[0], millions, mebibytes), sums, strict=True)
    )
    return f'<tr><th style="text-align:left">{head}</th><td>{output}</td>{"".join(cells)}</tr>'


def ratio(number: int, of: int) -> str:
    """Return a ratio to two places, cut."""
    hundredths = 100 * number // of
    return f"{hundredths // 100}.{hundredths % 100:02}"

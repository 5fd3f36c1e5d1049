"""What a change of the paper's net costs: parameters, arithmetic and memory of every layer (paper 3.5)."""

import json
from dataclasses import replace

from alexnet import paper
from alexnet.config import NetConfig
from alexnet.figures.sliders import explore
from alexnet.functional.geometry import four_sides
from alexnet.models.architecture import layers_of
from alexnet.models.summary import COPIES_OF_PARAMETERS, Row, summary, total
from alexnet.recipes import PAPER

LAYERS = {layer.name: layer for layer in layers_of(PAPER.net)}
PARTS = tuple(layer for layer in LAYERS.values() if layer.has_parameters)
MIB = 2**20

# The arithmetic of `costs`, once more in JavaScript. Names in capitals are filled in from the configuration.
COSTS_SCRIPT = """({pixels, layer, times, batch}) => {
  const up = (n, f, s, p) => Math.ceil((n + 2 * p - f) / s) + 1, rows = [];
  let depth = CHANNELS, side = pixels;
  rows.push(["image", `${depth}×${side}×${side}`, 0, 0, depth * side * side]);
  for (const [name, count, f, s, p, groups, norms, pooled] of CONVOLUTIONS) {
    const k = name === layer ? count * times : count, weights = k * depth / groups * f * f;
    side = up(side, f, s, p);
    const row = [name, `${k}×${side}×${side}`, weights + k, weights * side * side, k * side * side];
    row[4] += 2 * norms * row[4];
    if (pooled) side = up(side, POOL_SIZE, POOL_STRIDE, 0), row[4] += k * side * side;
    rows.push(row);
    depth = k;
  }
  let inputs = depth * side * side;
  DENSE.forEach(([name, count], i) => {
    const k = name === layer ? count * times : count;
    rows.push([name, `${k}`, (inputs + 1) * k, inputs * k, k + (i ? 2 * inputs : 0)]);
    inputs = k;
  });
  for (const row of rows) row[4] = 4 * (batch * row[4] + COPIES * row[2]);
  const sums = [2, 3, 4].map(i => rows.reduce((sum, row) => sum + row[i], 0));
  const commas = n => String(n).replace(/\\B(?=(\\d{3})+$)/g, ",");
  const cell = (n, sum, shown) => `<td style="text-align:right">${n ? commas(shown) : ""}` +
    `<div style="height:4px;width:${Math.floor(100 * n / sum)}%;background:#0072B2"></div></td>`;
  const line = (head, output, numbers) => `<tr><th style="text-align:left">${head}</th><td>${output}</td>` +
    cell(numbers[0], sums[0], numbers[0]) + cell(numbers[1], sums[1], Math.floor(numbers[1] / 1e6 + 0.5)) +
    cell(numbers[2], sums[2], Math.floor(numbers[2] / 1048576 + 0.5)) + "</tr>";
  const ratio = (n, of) => {
    const hundredths = Math.floor(100 * n / of);
    return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")}`;
  };
  return `HEAD` + rows.map(row => line(row[0], row[1], row.slice(2))).join("") + line("all", "", sums) +
    `</table><p>Against the paper's net: parameters × ${ratio(sums[0], PAPERS[0])}, multiply-adds ` +
    `× ${ratio(sums[1], PAPERS[1])}. Memory: × ${ratio(sums[2], LIMIT)} of a GPU of the paper.</p>`;
}"""
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
        script=costs_script(),
        pixels=[64, 96, 128, 160, 192, 224, 256, 320, 384, 448],
        layer=[part.name for part in PARTS[:-1]],
        times=[0.25, 0.5, 1, 2, 4],
        batch=[1, 32, 64, 128, 256],
        start={"pixels": paper.INPUT_SIZE, "times": 1, "batch": paper.BATCH_SIZE},
        labels={"times": "its kernels ×"},
        number=number,
        alt="Parameters, multiply-adds and memory of every layer, for images of {pixels} pixels, with "
        "{times} times the kernels in {layer} and batches of {batch}.",
        caption="The paper's net, both towers counted together. Bars: a layer's share. Memory: parameters "
        "with their gradients and velocities, and what the layer, with the normalisation and pool that "
        "follow it, leaves for the backward pass of a batch.",
    )


def costs(pixels: int, layer: str, times: float, batch: int) -> str:
    """Write, as HTML, what the paper's net costs with other images, kernels or batches."""
    parts = by_part(summary(changed(pixels, layer, times), batch_size=batch).rows)
    sums = sums_of([row for rows in parts for row in rows])
    drawn = [
        table_line(rows[0].layer, "×".join(map(str, rows[0].shape)), sums_of(rows), sums) for rows in parts
    ]
    drawn[0] = drawn[0].replace(">input<", ">image<")
    parameters, work, _ = papers_sums()
    return (
        HEAD
        + "".join(drawn)
        + table_line("all", "", sums, sums)
        + f"</table><p>Against the paper's net: parameters × {ratio(sums[0], parameters)}, multiply-adds "
        f"× {ratio(sums[1], work)}. Memory: × {ratio(sums[2], limit())} of a GPU of the paper.</p>"
    )


def changed(pixels: int, layer: str, times: float) -> NetConfig:
    """Return the paper's net for images of another size, with `times` the kernels or units in one layer."""
    counts = {part.name: int(part.out_channels * (times if part.name == layer else 1)) for part in PARTS}
    *channels, fc6, fc7, _ = counts.values()
    return replace(PAPER.net, input_size=pixels, conv_channels=tuple(channels), dense_units=(fc6, fc7))


def by_part(rows: tuple[Row, ...]) -> list[list[Row]]:
    """Put the image, and each layer that learns with the normalisation and pool after it, together."""
    parts: list[list[Row]] = []
    for row in rows:
        if row.kind in ("norm", "pool"):
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def sums_of(rows: list[Row]) -> tuple[int, int, int]:
    """Return the parameters, the multiply-adds and the bytes of some rows."""
    num_bytes = total(rows, "parameter_bytes") + total(rows, "activation_bytes")
    return total(rows, "num_parameters"), total(rows, "num_multiply_adds"), num_bytes


def papers_sums() -> tuple[int, int, int]:
    """Return the parameters, the multiply-adds and the bytes of the paper's net."""
    return sums_of(list(summary(PAPER.net).rows))


def limit() -> int:
    """Return the bytes of a GPU of the paper."""
    return paper.GPU_MEMORY_GIB * 2**30


def table_line(head: str, output: str, counts: tuple[int, int, int], sums: tuple[int, int, int]) -> str:
    """Write a line of the table: parameters, millions of multiply-adds, MiB; each with its share as a bar."""
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


def costs_script() -> str:
    """Return the script of `change_a_layer`, with the numbers of the paper's net filled in."""
    convolutions = [
        [part.name, part.out_channels, part.kernel_size, part.stride, four_sides(part.padding)[0]]
        + [part.groups, int(f"norm{part.name[-1]}" in LAYERS), int(f"pool{part.name[-1]}" in LAYERS)]
        for part in PARTS
        if part.kind == "conv"
    ]
    filled = {
        "CHANNELS": PAPER.net.input_channels,
        "CONVOLUTIONS": convolutions,
        "POOL_SIZE": PAPER.net.pool_size,
        "POOL_STRIDE": PAPER.net.pool_stride,
        "DENSE": [[part.name, part.out_channels] for part in PARTS if part.kind == "dense"],
        "COPIES": COPIES_OF_PARAMETERS,
        "PAPERS": papers_sums(),
        "LIMIT": limit(),
    }
    script = COSTS_SCRIPT.replace("HEAD", HEAD)
    for name, value in filled.items():
        script = script.replace(name, json.dumps(value))
    return script

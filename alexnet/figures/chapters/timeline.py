"""The time line of a training step on two GPUs: computing, exchanging, waiting (paper 3.2)."""

from dataclasses import replace
from functools import partial

from alexnet import paper
from alexnet.config import NetConfig
from alexnet.figures.sliders import explore
from alexnet.models.summary import summary
from alexnet.models.traffic import communication
from alexnet.recipes import CODE2012

GTX580_CORES = 512
GTX580_GHZ = 1.544  # bit-tech.net/reviews/tech/graphics/nvidia-geforce-gtx-580-review/2/
PEAK = round(GTX580_CORES * GTX580_GHZ)  # billion multiply-adds a second, one for each core and cycle
PCI_EXPRESS = 6  # GB a second, of the nominal 8 of PCI Express 2.0 with 16 lanes
ALL_LAYERS = ("conv2", "conv3", "conv4", "conv5")  # dense layers always read both towers
WAYS = {
    "two GPUs, as in the paper": (CODE2012.net, paper.NUM_GPUS),
    "two GPUs, every layer reads both": (replace(CODE2012.net, crossing=ALL_LAYERS), paper.NUM_GPUS),
    "one GPU": (CODE2012.net, 1),
}
FORWARD, BACKWARD, WAITING = "#0072B2", "#56B4E9", "#D55E00"


def step_on_two_gpus(*, number: str | None = None):
    """Let the reader choose connectivity, GPU and connection, and see where the time of a step goes.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        partial(step, {way: phases(config, num_gpus) for way, (config, num_gpus) in WAYS.items()}),
        in_page=True,
        way=list(WAYS),
        throughput=[50, 100, 150, 200, 250, 300, 400, 500, 600, PEAK, 1500, 3000, 6000, 12_000, 25_000],
        bandwidth=[0.1, 0.25, 0.5, 1, 2, 4, PCI_EXPRESS, 12, 25, 50, 300],
        start={"throughput": PEAK, "bandwidth": PCI_EXPRESS},
        labels={"way": "network"},
        number=number,
        alt="Time line of a training step on 128 images, {way}, at {throughput} billion multiply-adds a "
        "second on each GPU and {bandwidth} GB a second between them.",
        caption="With the paper's connectivity both GPUs compute nearly all the time. Dark blue: forward "
        "pass; light blue: backward pass, with twice the multiply-adds except in conv1 (images need no "
        "gradient); orange: both GPUs wait for an exchange. Throughput: billion multiply-adds a second on "
        "each GPU, at first the peak of a GTX 580; bandwidth: GB a second. Pooling and normalisation are not "
        "counted.",
    )


def phases(config: NetConfig, num_gpus: int) -> list[list]:
    """Return what a GPU does in a training step on the paper's batch, in order.

    Args:
        config: the network.
        num_gpus: 1 for the whole network on one GPU, or one for each tower.
    Returns:
        lists of the layer, "forward", "backward" or "exchange", and the multiply-adds or the bytes sent.
    """
    counted = summary(config)
    rows = counted.rows if num_gpus == 1 else counted.tower_rows
    work = {row.layer: paper.BATCH_SIZE * row.num_multiply_adds for row in rows if row.num_multiply_adds}
    sent = {} if num_gpus == 1 else {row.layer: row for row in communication(config, paper.BATCH_SIZE)}
    forward, backward = [], []
    for layer, count in work.items():
        computing = [[layer, "forward", count]]
        exchanging = [[layer, "exchange", sent[layer].forward]] if layer in sent else []
        # Logits are added up after they are computed; all else is gathered before.
        is_sum = layer in sent and sent[layer].crossing == "sum"
        forward += computing + exchanging if is_sum else exchanging + computing
        # The gradients of the weights, and, except for the images, of what the layer reads.
        gradients = [[layer, "backward", count if layer == "conv1" else 2 * count]]
        if layer in sent and sent[layer].backward:
            gradients.append([layer, "exchange", sent[layer].backward])
        backward = gradients + backward
    return forward + backward


def step(steps: dict[str, list[list]], way: str, throughput: int, bandwidth: float) -> str:
    """Draw the time line of a step and, below it, the time of all ways, as HTML.

    Args:
        steps: for each way, what `phases` returns.
        way: a key of steps.
        throughput: of each GPU, billion multiply-adds a second.
        bandwidth: of the connection, in each direction, GB a second.
    """
    done = timed(steps[way], throughput, bandwidth)
    total, waiting = sum_times(done, ""), sum_times(done, "exchange")
    drawn, seen = "", ""
    for layer, _, _, _ in done:
        if f" {layer} " in seen:
            continue
        seen += f" {layer} "
        own = [phase for phase in done if phase[0] == layer]
        bars = "".join([lanes(phase, total, way) for phase in own])
        drawn += row(layer, bars, f"{sum([phase[3] for phase in own]):.1f} ms", 18)
    longest = max([sum_times(timed(steps[name], throughput, bandwidth), "") for name in steps])
    compared = ""
    for name in steps:
        other = timed(steps[name], throughput, bandwidth)
        whole, idle = sum_times(other, ""), sum_times(other, "exchange")
        bars = bar(0, 100 * (whole - idle) / longest, 0, 100, FORWARD)
        if idle:
            bars += bar(100 * (whole - idle) / longest, 100 * idle / longest, 0, 100, WAITING)
        head = f"<b>{name}</b>" if name == way else name
        compared += f'<div style="font-size:.85em">{head}</div>{row("", bars, f"{whole:.1f} ms", 10)}'
    return (
        f'<div style="max-width:640px">{drawn}<p data-said style="margin:.4em 0">A step takes '
        f"<b>{total:.1f} ms</b>: {total - waiting:.1f} ms of computing and {waiting:.1f} ms of waiting "
        f"({100 * waiting / total:.1f}%).</p>{compared}</div>"
    )


def timed(phases: list[list], throughput: int, bandwidth: float) -> list[list]:
    """Return layer, kind, start and duration of each phase, in milliseconds."""
    done, now = [], 0.0
    for layer, kind, amount in phases:
        took = amount / (1_000_000 * (bandwidth if kind == "exchange" else throughput))
        done.append([layer, kind, now, took])
        now += took
    return done


def sum_times(done: list[list], kind: str) -> float:
    """Return the milliseconds of all phases of a kind, or of all where it is empty."""
    total = 0.0
    for phase in done:
        if kind in ("", phase[1]):
            total += phase[3]
    return total


def lanes(phase: list, total: float, way: str) -> str:
    """Draw a phase on the lane of each GPU; while they exchange, both wait."""
    left, width = 100 * phase[2] / total, 100 * phase[3] / total
    if phase[1] == "exchange":
        return bar(left, width, 0, 100, WAITING)
    colour = FORWARD if phase[1] == "forward" else BACKWARD
    if way == "one GPU":
        return bar(left, width, 25, 50, colour)
    return bar(left, width, 0, 45, colour) + bar(left, width, 55, 45, colour)


def bar(left: float, width: float, top: int, height: int, colour: str) -> str:
    """Draw a bar in a lane, whose sides are percentages of the lane's."""
    return (
        f'<div style="position:absolute;left:{left:.2f}%;width:{width:.2f}%;min-width:1px;'
        f'top:{top}%;height:{height}%;background:{colour}"></div>'
    )


def row(head: str, bars: str, tail: str, height: int) -> str:
    """Put bars on a line of the time axis between its head and its tail."""
    before = f'<span style="flex:0 0 3.2em">{head}</span>' if head else ""
    return (
        f'<div style="display:flex;align-items:center;gap:.6em;font-size:.85em;margin:.15em 0">{before}'
        f'<div style="flex:1;position:relative;height:{height}px;background:rgba(128,128,128,.15)">'
        f"{bars}</div>"
        f'<span style="flex:0 0 5.5em;text-align:right">{tail}</span></div>'
    )

"""A figure that computes: what two GPUs send as towers of one network and as copies of it (paper 3.2)."""

from dataclasses import replace
from functools import partial

from alexnet import paper
from alexnet.config import NetConfig
from alexnet.figures.sliders import explore
from alexnet.models.summary import summary, total
from alexnet.models.traffic import communication, gradient_traffic
from alexnet.recipes import CODE2012

# Convolutions that read both towers. The maps for normalisation stay in their tower, as in the 2012 code.
CROSSINGS = {
    "none": (),
    "conv3, as in the paper": ("conv3",),
    "conv2 and conv3": ("conv2", "conv3"),
    "conv2 to conv5": ("conv2", "conv3", "conv4", "conv5"),
}
TOWERS, COPIES = "#0072B2", "#D55E00"


def towers_or_copies(*, number: str | None = None):
    """Let the reader choose the batch and where towers cross, and see what each GPU sends in a step.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        partial(traffic, {name: count_traffic(configure_net(name)) for name in CROSSINGS}),
        in_page=True,
        batch=[1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096],
        crossing=list(CROSSINGS),
        start={"batch": paper.BATCH_SIZE, "crossing": "conv3, as in the paper"},
        labels={"batch": "batch, images", "crossing": "convolutions that read both towers"},
        number=number,
        alt="Data that each of two GPUs sends in a training step on {batch} images: as a tower of a network "
        "whose towers exchange feature maps before these convolutions: {crossing}; and as a copy of the "
        "network.",
        caption="With a small batch the towers send less, with a large one the copies. Blue: model "
        "parallelism, the network is split and both GPUs read the batch. Orange: data parallelism, the batch "
        "is split and both GPUs have the network. Forward and backward pass in float32; dense layers always "
        "read both towers.",
    )


def traffic(counts: dict[str, dict], batch: int, crossing: str) -> str:
    """Describe and draw the data that each of two GPUs sends in a step, as HTML.

    Args:
        counts: for each crossing, what `count_traffic` returns.
        batch: images.
        crossing: a key of counts.
    """
    layers, copies, work = counts[crossing]["layers"], counts[crossing]["copies"], counts[crossing]["work"]
    each = sum(num_bytes for _, num_bytes in layers)
    sent = batch * each
    parts = ", ".join(f"{layer} {megabytes(batch * num_bytes)}" for layer, num_bytes in layers)
    return (
        f'<div style="max-width:520px">{bar("a tower sends", sent, max(sent, copies), TOWERS)}'
        f"{bar('a copy sends', copies, max(sent, copies), COPIES)}<p>Towers: {parts}; for each image "
        f"{each:,} bytes and {work:,} million multiply-adds a tower. They send more than copies "
        f"from batches of {copies // each + 1:,} images on.</p></div>"
    )


def configure_net(crossing: str) -> NetConfig:
    """Return the network of the 2012 code with other exchanges between its towers."""
    return replace(CODE2012.net, crossing=CROSSINGS[crossing])


def count_traffic(config: NetConfig) -> dict:
    """Return what a tower sends for each layer, in bytes an image; what a copy sends; a tower's work."""
    work = total(summary(config, batch_size=1).tower_rows, "num_multiply_adds")
    return {
        "layers": [[row.layer, row.forward + row.backward] for row in communication(config, 1)],
        "copies": gradient_traffic(config, paper.NUM_GPUS),
        "work": (work + 500_000) // 1_000_000,
    }


def bar(head: str, num_bytes: int, longest: int, colour: str) -> str:
    """Draw one bar with its number above it."""
    return (
        f'<div>{head}: <b>{megabytes(num_bytes)}</b></div><div style="height:12px;'
        f'width:{100 * num_bytes // longest}%;background:{colour}"></div>'
    )


def megabytes(num_bytes: int) -> str:
    """Write bytes in units of a million, to a tenth."""
    tenths = (num_bytes + 50_000) // 100_000
    return f"{tenths // 10:,}.{tenths % 10} MB"

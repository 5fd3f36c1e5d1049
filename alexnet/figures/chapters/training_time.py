"""A figure that computes: how long epochs of a data set take at so many images a second (paper 5)."""

from alexnet import paper
from alexnet.figures.sliders import explore

# Training images: CIFAR-10, Imagenette, ILSVRC by the paper's round number, the Fall 2009 half (6).
SETS = {
    "CIFAR-10": 50_000,
    "Imagenette": 9_469,
    "ILSVRC": paper.ILSVRC_NUM_TRAIN,
    "ImageNet 2009, half": paper.IMAGENET2009_NUM_IMAGES // 2,
}
BATCH = paper.BATCH_SIZE
PAPERS_SECONDS = paper.TRAINING_DAYS[1] * 86_400  # its six days
COLOUR = "#0072B2"


def how_long(*, number: str | None = None):
    """Let the reader choose data, epochs and speed, and see how long the training takes.

    Args:
        number: of the figure, as in `figures.show`.
    """
    return explore(
        training_time,
        in_page=True,
        images=list(SETS),
        epochs=[1, 5, 10, 30, 90],
        rate=[10, 30, 100, 208, 250, 1000, 3000, 10_000, 30_000, 100_000],
        start={"images": "ILSVRC", "epochs": 90, "rate": 208},
        labels={"images": "data set", "rate": "images per second"},
        number=number,
        alt="How long {epochs} epochs of the data set {images} take at {rate} images per second.",
        caption="Ninety epochs of ILSVRC take days at hundreds of images per second, and hours at thousands. "
        "ILSVRC: by the paper's round 1.2 million images. Updates on batches of 128; an incomplete last "
        "batch is left out, and validation is not counted.",
    )


def training_time(images: str, epochs: int, rate: int) -> str:
    """Describe the number of updates of a training run and its duration, as HTML.

    Args:
        images: one of ``SETS``.
        epochs: passes over them.
        rate: images a second.
    """
    each = SETS[images] // BATCH
    steps = epochs * each
    seconds = steps * BATCH // rate
    width = min(100, 100 * seconds // PAPERS_SECONDS)
    return (
        f'<div style="max-width:520px"><div>{epochs:,} epochs of {each:,} steps are '
        f'{steps:,} updates: <b>{span(seconds)}</b></div><div style="height:12px;width:{width}%;'
        f'background:{COLOUR}"></div><p>A full bar is the six days of the paper.</p></div>'
    )


def span(seconds: int) -> str:
    """Write a time in days, hours, minutes or seconds, to a tenth."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        tenths = (10 * seconds + size // 2) // size
        if seconds >= size:
            return f"{tenths // 10:,}.{tenths % 10} {unit}"
    return f"{seconds} seconds"

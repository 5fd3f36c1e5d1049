"""A gallery of nearest neighbours among drawn scenes: by features and by pixels (paper 6.1)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from alexnet import figures
from alexnet.data.loading import convert_to_image, load_image
from alexnet.evaluation.neighbours import Neighbours
from alexnet.figures.encoding import encode_image
from alexnet.figures.sliders import explore
from alexnet.figures.style import image_tag

SHARES = (0.85, 1.0)  # of the shorter side that a crop takes
THUMBNAIL = 64  # pixels of an image in the gallery


def crops(images: Sequence[Tensor], size: int, generator: torch.Generator) -> Tensor:
    """Take one crop of random size and position from each image, and flip crops at random.

    Args:
        images: (3, height, width) uint8.
        size: S in pixels, to which crops are scaled.
        generator: of the draws.
    Returns:
        (N, 3, S, S) uint8.
    """
    cut = []
    for image in images:
        height, width = image.shape[1:]
        share, down, right, coin = torch.rand(4, generator=generator).tolist()
        side = round(min(height, width) * (SHARES[0] + share * (SHARES[1] - SHARES[0])))
        top, left = int(down * (height - side)), int(right * (width - side))
        crop = image[:, top : top + side, left : left + side]
        cut.append(load_image(crop.flip(2) if coin < 0.5 else crop, size))
    return torch.stack(cut)


def leave_out(found: Neighbours, own: Tensor) -> Neighbours:
    """Take from the neighbours of each query the one that is to be left out, and close the gap.

    Args:
        found: of Q queries, (Q, k) each.
        own: (Q,) the row to leave out of each, which must be among its neighbours.
    Returns:
        (Q, k - 1) each.
    """
    kept = found.indices != own[:, None]
    return Neighbours(*(part[kept].reshape(len(own), -1) for part in found))


def gallery(
    searched: Tensor,
    queries: Tensor,
    found: Mapping[str, Tensor],
    alike: Mapping[str, Tensor],
    *,
    caption: str,
    number: str | None = None,
):
    """Let the reader choose a query and what is compared, and see the nearest images.

    Args:
        searched: (N, 3, S, S) uint8.
        queries: (Q, 3, S, S) uint8.
        found: rows of searched, the nearest first, (Q, k), by what was compared, such as "pixels".
        alike: (Q, k) bool, whether they are of the query's kind.
        caption: below; it may name the fields {query} and {by}.
        number: of the figure, as in `figures.show`.
    """

    def draw(query: int, by: str) -> str:
        cells = [cell(queries[query], "the query", "transparent")]
        for row, same in zip(found[by][query].tolist(), alike[by][query].tolist(), strict=True):
            colour = figures.COLOURS["test"] if same else "transparent"
            cells.append(cell(searched[row], "of its kind" if same else "of another kind", colour))
        total = f"{int(alike[by][query].sum())} of {found[by].shape[1]} are of its kind."
        return f'<div style="display:flex;flex-wrap:wrap;gap:.4em">{"".join(cells)}</div><p>{total}</p>'

    return explore(
        draw,
        query=range(len(queries)),
        by=list(found),
        number=number,
        alt="Query {query}, a drawing, and the drawings nearest to it by {by}.",
        caption=caption,
    )


def cell(image: Tensor, words: str, colour: str) -> str:
    """One small image in a frame, with a mark below."""
    small = encode_image(convert_to_image(image).resize((THUMBNAIL, THUMBNAIL)))
    mark = {"the query": "query", "of its kind": "✓"}.get(words, "·")
    return (
        f'<div style="border:3px solid {colour};padding:1px">{image_tag(small, alt=f"a drawing, {words}")}'
        f'<div style="font-size:.75em;text-align:center">{mark}</div></div>'
    )

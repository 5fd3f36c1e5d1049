"""Response normalisation across few channels: the sums over windows as one matrix product.

Where the channels of a pixel lie side by side in memory and are few, a product with a band matrix of ones is
the fastest way to sum over each one's neighbours; its cost grows with the square of the channels. A square
that is no number, or too large for one, makes all channels of its pixel NaN.

Letters in shapes: N images, C channels, H height, W width, M rows of C channels, one a pixel.
"""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from alexnet.functional.lrn_fused import NormSpec, inverse_power

MOST_CHANNELS = 64
BLOCK_BYTES = 500_000  # of rows that a thread takes at a time
KEPT_BYTES = (
    16_000_000  # up to this size the energies are kept for the way back; larger ones are computed again
)


def fits_band(x: Tensor, spec: NormSpec) -> bool:
    """Whether this form does what the specification says on these activations, and faster."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and 1 < x.shape[1] <= MOST_CHANNELS
        and x.numel() > 0
        and not x.is_contiguous()  # channels last, and more than a pixel
        and all(window == (0, 0) for axis, window in enumerate(spec.windows) if axis != 2)
        and spec.k > 0
    )


class BandNorm(torch.autograd.Function):
    """`ResponseNorm` by matrix products: the same formulas, see there."""

    @staticmethod
    def forward(ctx, x: Tensor, spec: NormSpec) -> Tensor:
        y, band = torch.empty_like(x), band_matrix(x.shape[1], spec.windows[2], spec.groups, x.dtype)
        keeping = ctx.needs_input_grad[0] and x.nbytes <= KEPT_BYTES
        energies = torch.empty_like(x) if keeping else None
        for x_rows, y_rows, *kept in rows(x, y, *([] if energies is None else [energies])):
            energy = compute_energy(x_rows, band, spec, out=kept[0] if kept else None)
            torch.mul(x_rows, inverse_power(energy, spec.beta), out=y_rows)
        ctx.save_for_backward(x, energies)
        ctx.spec = spec
        return y

    @staticmethod
    # pyrefly: ignore[bad-override]  # torch declares it for any number of outputs
    def backward(ctx, g: Tensor) -> tuple[Tensor, None]:
        (x, energies), spec = ctx.saved_tensors, ctx.spec
        if torch.is_grad_enabled():  # the derivative will itself be differentiated
            return torch.autograd.grad(spec.formula(x), x, g, create_graph=True)[0], None
        g = g.contiguous(memory_format=torch.channels_last)
        gx, band = torch.empty_like(x), band_matrix(x.shape[1], spec.windows[2], spec.groups, x.dtype)
        factor = -2 * spec.alpha * spec.beta
        for x_rows, g_rows, gx_rows, *kept in rows(x, g, gx, *([] if energies is None else [energies])):
            energy = kept[0] if kept else compute_energy(x_rows, band, spec)
            direct = inverse_power(energy, spec.beta).mul_(g_rows)
            mirrored = torch.mm(torch.mul(direct, x_rows).div_(energy), band.T, out=torch.empty_like(x_rows))
            torch.addcmul(direct, x_rows, mirrored, value=factor, out=gx_rows)
        return gx, None


@functools.lru_cache(maxsize=32)
def band_matrix(channels: int, window: tuple[int, int], groups: int, dtype: torch.dtype) -> Tensor:
    """Return (C, C): 1 in row j of column i where j is in the window round i and in its group, or 0."""
    low, high = window
    channel = torch.arange(channels, device="cpu")
    apart, group = channel[:, None] - channel, channel // (channels // groups)
    return ((apart >= -low) & (apart <= high) & (group[:, None] == group)).to(dtype)


def rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield blocks of rows (M, C) of channels_last tensors (N, C, H, W) that a core's cache holds."""
    channels = tensors[0].shape[1]
    count = max(1, BLOCK_BYTES * torch.get_num_threads() // (tensors[0].itemsize * channels))
    views = [tensor.permute(0, 2, 3, 1).view(-1, channels) for tensor in tensors]
    yield from zip(*(view.split(count) for view in views), strict=True)


def compute_energy(x_rows: Tensor, band: Tensor, spec: NormSpec, out: Tensor | None = None) -> Tensor:
    """Return k + alpha * (sum of the squares in each one's window), (M, C).

    Into memory that is given, since autocast would else compute the product in half precision.
    """
    k = torch.full((), spec.k, dtype=x_rows.dtype, device=x_rows.device)
    out = torch.empty_like(x_rows) if out is None else out
    return torch.addmm(k, x_rows * x_rows, band, alpha=spec.alpha, out=out)

"""Response normalisation in few passes over memory: what ``lrn_formula`` computes, a few images at a time.

Letters in shapes: N images, C = G * D channels in G groups of D, H height, W width.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from alexnet.functional.lrn_formula import computing_dtype, guard_zero

# The few arrays of this size that a block of images needs fit together into the cache that a core has to
# itself, and do not travel to main memory between one pass and the next.
BLOCK_BYTES = 500_000


class NormSpec(NamedTuple):
    """What an activation is divided by: (k + alpha * sum of the squares in a window round it) ** beta.

    Attributes:
        formula: the same function of x as printed, for cases that cannot use the fused form.
        groups: G; no window reaches into another group.
        windows: along the axes (N, G, D, H, W), how many neighbours count on the (low side, high side).
        k: added to the sum, not negative.
        alpha: factor of the sum, not negative.
        beta: the power, not negative.
    """

    formula: Callable[[Tensor], Tensor]
    groups: int
    windows: tuple[tuple[int, int], ...]
    k: float
    alpha: float
    beta: float


class ResponseNorm(torch.autograd.Function):
    """``NormSpec.formula`` with few passes over memory and nothing but x kept for the way back.

    With the energy s = k + alpha * window(x**2) and g the derivative by y = x * s**-beta, that by x is

    ::

        g * s**-beta - 2 * alpha * beta * x * mirrored_window(g * x * s**-beta / s)
    """

    @staticmethod
    def forward(ctx, x: Tensor, spec: NormSpec) -> Tensor:
        ctx.save_for_backward(x)
        ctx.spec = spec
        y = torch.empty_like(x)
        buffer = buffers(x, spec.windows, spec.k)
        for x_block, y_block in blocks(x, y, groups=spec.groups):
            x_block = x_block.to(computing_dtype(x))
            energy = compute_energy(x_block, buffer(x_block.shape), spec)
            torch.mul(x_block, inverse_power(energy, spec.beta), out=y_block)
        return y

    @staticmethod
    # pyrefly: ignore[bad-override]  # torch declares it for any number of outputs
    def backward(ctx, g: Tensor) -> tuple[Tensor, None]:
        (x,), spec = ctx.saved_tensors, ctx.spec
        if torch.is_grad_enabled():  # the derivative will itself be differentiated
            return torch.autograd.grad(spec.formula(x), x, g, create_graph=True)[0], None
        gx = torch.empty_like(x)
        buffer = buffers(x, spec.windows, spec.k)
        mirrored_buffer = buffers(x, [window[::-1] for window in spec.windows], 0.0)
        for x_block, g_block, gx_block in blocks(x, g, gx, groups=spec.groups):
            x_block, g_block = x_block.to(computing_dtype(x)), g_block.to(computing_dtype(x))
            energy = compute_energy(x_block, buffer(x_block.shape), spec)
            direct = inverse_power(energy, spec.beta).mul_(g_block)
            mirrored = mirrored_buffer(x_block.shape)
            torch.mul(direct, x_block, out=mirrored.inner).div_(energy)
            factor = -2 * spec.alpha * spec.beta
            torch.addcmul(direct, x_block, mirrored.window_sums(), value=factor, out=gx_block)
        return gx, None


def memory_order(x: Tensor) -> tuple[int, ...]:
    """Return the order of the axes (N, G, D, H, W) in the memory of a contiguous or channels_last tensor."""
    return (0, 1, 2, 3, 4) if x.is_contiguous() else (0, 3, 4, 1, 2)


def blocks(x: Tensor, *others: Tensor, groups: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield slices of a few images at a time, of x and the other tensors of its shape, axes in memory order.

    On the CPU a block fits into the caches; elsewhere it is the whole batch.
    """
    if x.numel() == 0:
        return
    num_images = len(x)
    if x.device.type == "cpu":
        num_bytes = x[0].numel() * computing_dtype(x).itemsize
        num_images = max(1, BLOCK_BYTES * torch.get_num_threads() // num_bytes)
    split = (groups, x.shape[1] // groups)
    views = [tensor.unflatten(1, split).permute(memory_order(x)) for tensor in (x, *others)]
    yield from zip(*(view.split(num_images) for view in views), strict=True)


class PaddedBuffer:
    """An array with margins along its windows, in which sums over windows are sums of shifted flat arrays.

    Attributes:
        inner: what lies between the margins; the caller fills it.
        margin: a scalar tensor, which fills the margins.
    """

    def __init__(self, shape: Sequence[int], windows: Sequence[tuple[int, int]], margin: Tensor):
        self.margin = margin
        self.lengths = [low + high + 1 for low, high in windows]
        padded = [size + length - 1 for size, length in zip(shape, self.lengths, strict=True)]
        self.whole = margin.expand(padded).clone(memory_format=torch.contiguous_format)
        self.inner = self.whole
        for axis, (low, _) in enumerate(windows):
            self.inner = self.inner.narrow(axis, low, shape[axis])

    def window_sums(self) -> Tensor:
        """Return the sum over each element's window, in the shape of ``inner``."""
        sums = self.whole.flatten()
        for length, stride in zip(self.lengths, self.whole.stride(), strict=True):
            sums = running_sums(sums, length, stride)
        return sums.as_strided(self.inner.shape, self.whole.stride())


def buffers(
    x: Tensor, windows: Sequence[tuple[int, int]], total: float
) -> Callable[[torch.Size], PaddedBuffer]:
    """Return the function from a block's shape to its buffer, whose margins have windows of that total."""
    in_order = [windows[axis] for axis in memory_order(x)]
    cells = math.prod(low + high + 1 for low, high in windows)
    margin = torch.full((), total / cells, dtype=computing_dtype(x), device=x.device)
    return functools.cache(lambda shape: PaddedBuffer(shape, in_order, margin))


def compute_energy(block: Tensor, buffer: PaddedBuffer, spec: NormSpec) -> Tensor:
    """Return k + alpha * (sum of the squares in the window round each element).

    Each square includes an equal part of k, as do the margins, which saves a pass over the sums.
    """
    torch.addcmul(buffer.margin, block, block, value=spec.alpha, out=buffer.inner)
    return guard_zero(buffer.window_sums(), spec.k)


def running_sums(flat: Tensor, length: int, stride: int) -> Tensor:
    """Return flat[i] + flat[i + stride] + ... (length terms) for every i that has them, by doubling."""
    sums, num_terms = flat, 1
    for bit in f"{length:b}"[1:]:
        shift = num_terms * stride
        sums, num_terms = sums[:-shift] + sums[shift:], 2 * num_terms
        if bit == "1":
            sums = sums[: len(sums) - stride].add_(flat[num_terms * stride :])
            num_terms += 1
    return sums


def inverse_power(energy: Tensor, beta: float) -> Tensor:
    """Return energy**-beta; for the paper's beta by two reciprocal roots, which are several times as fast."""
    if beta != 0.75:
        return energy**-beta
    root = energy.rsqrt()
    return root.div_(root.rsqrt())

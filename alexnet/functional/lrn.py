"""Response normalisation: across neighbouring channels, and over a window of pixels (paper 3.3).

Letters in shapes: N images, C = G * D channels in G groups of D, H height, W width.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from alexnet.checks import whole

# About the share of the cache that a core has to itself: the few arrays of this size that a block of
# images needs then do not travel to main memory between one pass and the next.
BLOCK_BYTES = 1_250_000


class Rule(NamedTuple):
    """What an activation is divided by: (k + scale * sum of the squares in a window round it) ** beta.

    Attributes:
        groups: G; no window reaches into another group.
        windows: along the axes (N, G, D, H, W), how many neighbours count on the (low side, high side).
        k, scale, beta: not negative.
    """

    groups: int
    windows: tuple[tuple[int, int], ...]
    k: float
    scale: float
    beta: float


def local_response_norm(
    x: Tensor,
    *,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    divide_alpha: bool = False,
    groups: int = 1,
) -> Tensor:
    """Divide each activation by a power of the energy of the n channels round its own (paper 3.3).

    ::

        b_i = a_i / (k + alpha * sum_j a_j**2) ** beta,   i - n // 2 <= j <= i + (n - 1) // 2

    where j stays within the channels, or within those of a group. With k = 0, alpha = 1, beta = 1/2 and
    n = 2 * C every pixel's vector of channels is divided by its l2 norm. Where k is 0 and all squares of a
    window are 0, or too small for the dtype, the result is 0 and so is its derivative.

    Args:
        x: (N, C, H, W) activations of a floating dtype, on any device.
        n: channels in the window; an even one has one more on the low side, as in the 2012 code.
        k, alpha, beta: not negative.
        divide_alpha: put alpha / n for alpha, as do the 2012 code and ``torch.nn.functional``, also at the
            edges, where the window has fewer channels.
        groups: equal blocks of channels that are normalised separately, such as the towers.
    Returns:
        (N, C, H, W), with the dtype of x, also under autocast, and the order of its memory (channels_last
        stays so). Half precision is computed in float32, because squares overflow float16 from 256 on.
        It can be differentiated any number of times, and compiles to one graph.
    Raises:
        ValueError: x is not (N, C, H, W) of a floating dtype, n or groups is not a positive whole number, the
            groups do not divide the channels, or a constant is negative.
    """
    check(x, k=k, alpha=alpha, beta=beta)
    whole("n", n)
    whole("groups", groups)
    if x.shape[1] % groups:
        raise ValueError(f"groups must divide the channels, got {x.shape[1]} channels, {groups} groups")
    windows = ((0, 0), (0, 0), neighbours(n, x.shape[1] // groups), (0, 0), (0, 0))
    scale = alpha / n if divide_alpha else alpha
    return response_norm(x, Rule(groups, windows, k, scale, beta))


def spatial_response_norm(
    x: Tensor,
    *,
    size: int = 5,
    k: float = 1.0,
    alpha: float = 1e-3,
    beta: float = 0.75,
    divide_alpha: bool = True,
) -> Tensor:
    """Divide each activation by a power of the energy of the pixels round it in the same channel.

    The 2012 code has this after the second local response normalisation; the paper does not mention it. The
    formula is that of ``local_response_norm``, with the sum over size x size pixels, as far as they lie
    within the image. The defaults are those of the 2012 code.

    Args:
        x: (N, C, H, W) activations of a floating dtype, on any device.
        size: pixels along each side of the window; an even one has one more above and on the left.
        k, alpha, beta: not negative.
        divide_alpha: put alpha / size**2 for alpha, also at the edges.
    Returns:
        (N, C, H, W), as from ``local_response_norm``.
    Raises:
        ValueError: x is not (N, C, H, W) of a floating dtype, the size is not a positive whole number, or a
            constant is negative.
    """
    check(x, k=k, alpha=alpha, beta=beta)
    whole("size", size)
    windows = ((0, 0), (0, 0), (0, 0), neighbours(size, x.shape[2]), neighbours(size, x.shape[3]))
    scale = alpha / size**2 if divide_alpha else alpha
    return response_norm(x, Rule(1, windows, k, scale, beta))


def check(x: Tensor, **constants: float) -> None:
    """Raise ValueError unless x is (N, C, H, W) of a floating dtype and no constant is negative."""
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be (N, C, H, W) of a floating dtype, got {x.dtype} {tuple(x.shape)}")
    for name, value in constants.items():
        if not value >= 0:
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def neighbours(n: int, size: int) -> tuple[int, int]:
    """Return how many neighbours a window of n has on the (low side, high side) of an axis of that size."""
    most = max(size - 1, 0)
    return min(n // 2, most), min((n - 1) // 2, most)


def response_norm(x: Tensor, rule: Rule) -> Tensor:
    """Normalise by the rule. Compilers, tracers and transforms of torch.func get the formula as it stands."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
        return expression(x, rule)
    if not x.is_contiguous(memory_format=torch.channels_last):
        x = x.contiguous()
    return ResponseNorm.apply(x, rule)


def expression(x: Tensor, rule: Rule) -> Tensor:
    """Normalise by the formula as it stands; autograd follows it any number of times."""
    wide = x.to(computing_dtype(x)).unflatten(1, (rule.groups, x.shape[1] // rule.groups))
    sums = F.pad(wide * wide, [side for window in rule.windows[:0:-1] for side in window])
    for axis, (low, high) in enumerate(rule.windows):
        size = wide.shape[axis]
        sums = sum(sums.narrow(axis, start, size) for start in range(low + high + 1))
    energy = zero_to_infinity(rule.k + rule.scale * sums, rule)
    return (wide * energy**-rule.beta).flatten(1, 2).to(x.dtype)


class ResponseNorm(torch.autograd.Function):
    """``expression`` with few passes over memory and nothing but x kept for the way back.

    With the energy s = k + scale * window(x**2) and g the derivative by y = x * s**-beta, that by x is

    ::

        g * s**-beta - 2 * scale * beta * x * mirrored_window(g * x * s**-beta / s)
    """

    @staticmethod
    def forward(ctx, x: Tensor, rule: Rule) -> Tensor:
        ctx.save_for_backward(x)
        ctx.rule = rule
        y = torch.empty_like(x)
        room = rooms(x, rule.windows, rule.k)
        for x_block, y_block in blocks(x, y, groups=rule.groups):
            x_block = x_block.to(computing_dtype(x))
            energy = energy_of(x_block, room(x_block.shape), rule)
            torch.mul(x_block, inverse_power(energy, rule.beta), out=y_block)
        return y

    @staticmethod
    def backward(ctx, g: Tensor) -> tuple[Tensor, None]:
        (x,), rule = ctx.saved_tensors, ctx.rule
        if torch.is_grad_enabled():  # the derivative will itself be differentiated
            return torch.autograd.grad(expression(x, rule), x, g, create_graph=True)[0], None
        gx = torch.empty_like(x)
        room = rooms(x, rule.windows, rule.k)
        mirrored_room = rooms(x, [window[::-1] for window in rule.windows], 0.0)
        for x_block, g_block, gx_block in blocks(x, g, gx, groups=rule.groups):
            x_block, g_block = x_block.to(computing_dtype(x)), g_block.to(computing_dtype(x))
            energy = energy_of(x_block, room(x_block.shape), rule)
            direct = inverse_power(energy, rule.beta).mul_(g_block)
            mirrored = mirrored_room(x_block.shape)
            torch.mul(direct, x_block, out=mirrored.inner).div_(energy)
            factor = -2 * rule.scale * rule.beta
            torch.addcmul(direct, x_block, mirrored.window_sums(), value=factor, out=gx_block)
        return gx, None


def computing_dtype(x: Tensor) -> torch.dtype:
    """Return float64 for float64 and float32 for every other floating dtype."""
    return torch.promote_types(x.dtype, torch.float32)


def memory_order(x: Tensor) -> tuple[int, ...]:
    """Return the order of the axes (N, G, D, H, W) in the memory of a contiguous or channels_last tensor."""
    return (0, 1, 2, 3, 4) if x.is_contiguous() else (0, 3, 4, 1, 2)


def blocks(x: Tensor, *others: Tensor, groups: int) -> Iterator[tuple[Tensor, ...]]:
    """Yield views of a few images at a time, of x and the other tensors of its shape, axes in memory's order.

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


class Room:
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


def rooms(x: Tensor, windows: Sequence[tuple[int, int]], total: float) -> Callable[[torch.Size], Room]:
    """Return the function from a block's shape to its room, whose margins have windows of that total."""
    in_order = [windows[axis] for axis in memory_order(x)]
    cells = math.prod(low + high + 1 for low, high in windows)
    margin = torch.full((), total / cells, dtype=computing_dtype(x), device=x.device)
    return functools.cache(lambda shape: Room(shape, in_order, margin))


def energy_of(block: Tensor, room: Room, rule: Rule) -> Tensor:
    """Return k + scale * (sum of the squares in the window round each element).

    Each square brings its equal share of k along, as the margins do, which saves a pass over the sums.
    """
    torch.addcmul(room.margin, block, block, value=rule.scale, out=room.inner)
    return zero_to_infinity(room.window_sums(), rule)


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


def zero_to_infinity(energy: Tensor, rule: Rule) -> Tensor:
    """Replace an energy of 0, which only k = 0 allows, by infinity, so that nothing is divided by 0."""
    return energy.masked_fill(energy == 0, torch.inf) if rule.k == 0 else energy


def inverse_power(energy: Tensor, beta: float) -> Tensor:
    """Return energy**-beta; for the paper's beta by two reciprocal roots, which are several times as fast."""
    if beta != 0.75:
        return energy**-beta
    root = energy.rsqrt()
    return root.div_(root.rsqrt())

"""Response normalisation in few passes over memory: what ``lrn_formula`` computes, piece by piece.

Letters in shapes: N images, C = G * D channels in G groups of D, H height, W width; the axes (N, G, D, H, W)
in the order of memory are taken as (L, ..., T), those before the windows, those with windows, those behind.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from alexnet.functional.lrn_formula import computing_dtype

# The few arrays of this size that a piece needs fit together into the cache that a core has to itself, and do
# not travel to main memory between one pass and the next. Smaller ones would be more calls of PyTorch.
PIECE_BYTES = 300_000


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
        layout = Layout(x, spec)
        arrays = layout.arrays(spec.k)
        for x_piece, y_piece in layout.pieces(x, y):
            x_piece = x_piece.to(computing_dtype(x))
            squares = arrays(x_piece.shape)
            energy = compute_energy(x_piece, squares, spec)
            inverse_power(energy, spec.beta, out=squares.power, spare=energy)
            torch.mul(x_piece, squares.power_inside, out=y_piece)
        return y

    @staticmethod
    # pyrefly: ignore[bad-override]  # torch declares it for any number of outputs
    def backward(ctx, g: Tensor) -> tuple[Tensor, None]:
        (x,), spec = ctx.saved_tensors, ctx.spec
        if torch.is_grad_enabled():  # the derivative will itself be differentiated
            return torch.autograd.grad(spec.formula(x), x, g, create_graph=True)[0], None
        gx = torch.empty_like(x)
        layout = Layout(x, spec)
        arrays, mirrored_arrays = layout.arrays(spec.k), layout.arrays(0.0, mirrored=True)
        factor = -2 * spec.alpha * spec.beta
        for x_piece, g_piece, gx_piece in layout.pieces(x, g, gx):
            x_piece, g_piece = x_piece.to(computing_dtype(x)), g_piece.to(computing_dtype(x))
            squares, mirrored = arrays(x_piece.shape), mirrored_arrays(x_piece.shape)
            energy = compute_energy(x_piece, squares, spec)
            inverse_power(energy, spec.beta, out=squares.power, spare=squares.spare)
            direct = squares.power_inside.mul_(g_piece)
            torch.mul(direct, x_piece, out=mirrored.inner).div_(squares.sums_inside)
            mirrored.add_windows()
            torch.addcmul(direct, x_piece, mirrored.sums_inside, value=factor, out=gx_piece)
        return gx, None


class Layout:
    """Where the windows lie in the memory of a contiguous or channels_last tensor, and in which pieces.

    Attributes:
        windows: along the axes (L, ..., T), as in `NormSpec`.
    """

    def __init__(self, x: Tensor, spec: NormSpec):
        self.format = torch.contiguous_format if x.is_contiguous() else torch.channels_last
        self.order = (0, 1, 2, 3, 4) if x.is_contiguous() else (0, 3, 4, 1, 2)
        self.split = (spec.groups, x.shape[1] // spec.groups)
        self.dtype, self.device = computing_dtype(x), x.device
        windows = [spec.windows[axis] for axis in self.order]
        places = [place for place, window in enumerate(windows) if window != (0, 0)] or [len(windows) - 1]
        self.first, self.last = places[0], places[-1]
        self.windows = [(0, 0), *windows[self.first : self.last + 1], (0, 0)]

    def view(self, x: Tensor) -> Tensor:
        """Return a tensor (N, C, H, W) as (L, ..., T)."""
        axes = x.contiguous(memory_format=self.format).unflatten(1, self.split).permute(self.order)
        return axes.unsqueeze(-1).flatten(self.last + 1).flatten(0, self.first - 1)

    def pieces(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Yield parts of tensors (N, C, H, W) as (L, ..., T); on the CPU such that the caches hold them."""
        views = [self.view(x) for x in tensors]
        if not views[0].numel():
            return
        before, *windowed, after = views[0].shape
        if self.device.type == "cpu":
            most = max(1, PIECE_BYTES * torch.get_num_threads() // self.dtype.itemsize)
            count = max(1, round(after * math.prod(windowed) / most))  # fewer and larger rather than halved
            after = math.ceil(after / count)
            before = max(1, most // (math.prod(windowed) * after))
        for rows in zip(*(view.split(before) for view in views), strict=True):
            yield from zip(*(part.split(after, -1) for part in rows), strict=True)

    def arrays(self, total: float, *, mirrored: bool = False) -> Callable[[torch.Size], "Arrays"]:
        """Return the function from a piece's shape to its arrays; windows of margins have that total."""
        windows = [window[::-1] for window in self.windows] if mirrored else self.windows
        cells = math.prod(low + high + 1 for low, high in windows)
        margin = torch.full((), total / cells, dtype=self.dtype, device=self.device)
        return functools.cache(lambda shape: Arrays(shape, windows, margin))


class Arrays:
    """What a piece needs, allocated once: an array with margins along its windows, and flat ones of its size.

    In the flat arrays, sums over windows are sums of shifted arrays, and every pass is one over contiguous
    memory; what they hold between the margins is a view of them.

    Attributes:
        margin: a scalar tensor, which fills the margins.
        inner: what lies between the margins; the caller fills it.
        sums: flat, the sums over each element's window after ``add_windows``.
    """

    def __init__(self, shape: Sequence[int], windows: Sequence[tuple[int, int]], margin: Tensor):
        self.margin = margin
        lengths = [low + high + 1 for low, high in windows]
        padded = [size + length - 1 for size, length in zip(shape, lengths, strict=True)]
        self.whole = margin.expand(padded).clone(memory_format=torch.contiguous_format)
        self.inner = self.whole
        for axis, (low, _) in enumerate(windows):
            self.inner = self.inner.narrow(axis, low, shape[axis])
        self.flat: list[Tensor] = []
        self.additions: list[tuple[Tensor, Tensor, Tensor]] = []
        self.sums = self.whole.flatten()
        for length, stride in zip(lengths, self.whole.stride(), strict=True):
            self.sums = self.plan_sums(self.sums, length, stride)

    def plan_sums(self, flat: Tensor, length: int, stride: int) -> Tensor:
        """Return where flat[i] + flat[i + stride] + ... (length terms) will be, for every i that has them.

        By doubling: two terms, four of those, and for an odd number one more.
        """
        sums, num_terms = flat, 1
        for bit in f"{length:b}"[1:]:
            shift = num_terms * stride
            pair = sums[:-shift], sums[shift:]
            doubled = self.other_than(flat, sums)[: len(pair[0])]
            self.additions.append((*pair, doubled))
            sums, num_terms = doubled, 2 * num_terms
            if bit == "1":
                term = flat[num_terms * stride :]
                sums = sums[: len(term)]
                self.additions.append((sums, term, sums))
                num_terms += 1
        return sums

    def other_than(self, *taken: Tensor) -> Tensor:
        """Return a flat array in which none of those taken lies."""
        places = {one.data_ptr() for one in taken}
        for one in self.flat:
            if one.data_ptr() not in places:
                return one
        self.flat.append(torch.empty_like(self.whole).flatten())
        return self.flat[-1]

    def add_windows(self) -> None:
        """Compute ``sums``."""
        for one, other, out in self.additions:
            torch.add(one, other, out=out)

    def inside(self, flat: Tensor) -> Tensor:
        """Return what belongs to ``inner`` of an array that was computed from ``sums``."""
        return flat.as_strided(self.inner.shape, self.whole.stride())

    @cached_property
    def sums_inside(self) -> Tensor:
        """The sums, in the shape of ``inner``."""
        return self.inside(self.sums)

    @cached_property
    def power(self) -> Tensor:
        """A flat array for what is computed from the sums."""
        return self.other_than(self.sums)[: len(self.sums)]

    @cached_property
    def power_inside(self) -> Tensor:
        """The same, in the shape of ``inner``."""
        return self.inside(self.power)

    @cached_property
    def spare(self) -> Tensor:
        """Another, where the sums are still needed."""
        return self.other_than(self.sums, self.power)[: len(self.sums)]


def compute_energy(piece: Tensor, arrays: Arrays, spec: NormSpec) -> Tensor:
    """Return k + alpha * (sum of the squares in the window round each element), flat.

    Each square includes an equal part of k, as do the margins, which saves a pass over the sums.
    """
    torch.addcmul(arrays.margin, piece, piece, value=spec.alpha, out=arrays.inner)
    arrays.add_windows()
    if spec.k == 0:  # only then may an energy be 0, by which nothing is divided: see `guard_zero`
        arrays.sums.masked_fill_(arrays.sums == 0, torch.inf)
    return arrays.sums


def inverse_power(
    energy: Tensor, beta: float, *, out: Tensor | None = None, spare: Tensor | None = None
) -> Tensor:
    """Return energy**-beta; for the paper's beta by two roots, which are several times as fast.

    Args:
        energy: to be raised.
        beta: the power.
        out: of the same shape, for the result.
        spare: of the same shape, may be overwritten, and may be energy itself.
    """
    if beta != 0.75:
        return torch.pow(energy, -beta, out=out)
    root = torch.rsqrt(energy, out=out)
    return root.mul_(torch.sqrt(root, out=spare))

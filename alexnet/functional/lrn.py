"""Response normalisation: across neighbouring channels, and over a window of pixels (paper 3.3).

``lrn_formula`` has the formulas as they are printed, ``lrn_fused`` the fast form, ``lrn_band`` that for few
channels; this module chooses between them.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from alexnet.checks import whole
from alexnet.functional.lrn_band import BandNorm, fits_band
from alexnet.functional.lrn_formula import channel_formula, neighbours, pixel_formula
from alexnet.functional.lrn_fused import NormSpec, ResponseNorm


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
        k: k of the formula, not negative.
        alpha: alpha of the formula, not negative.
        beta: beta of the formula, not negative.
        divide_alpha: use alpha / n instead of alpha, like the 2012 code and ``torch.nn.functional``, also at
            the edges, where the window has fewer channels.
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
    alpha = alpha / n if divide_alpha else alpha
    formula = partial(channel_formula, n=n, k=k, alpha=alpha, beta=beta, groups=groups)
    return response_norm(x, NormSpec(formula, groups, windows, k, alpha, beta))


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
    formula is that of `local_response_norm`, with the sum over size x size pixels, as far as they lie
    within the image. The defaults are those of the 2012 code.

    Args:
        x: (N, C, H, W) activations of a floating dtype, on any device.
        size: pixels along each side of the window; an even one has one more above and on the left.
        k: k of the formula, not negative.
        alpha: alpha of the formula, not negative.
        beta: beta of the formula, not negative.
        divide_alpha: use alpha / size**2 instead of alpha, also at the edges.
    Returns:
        (N, C, H, W), as from `local_response_norm`.
    Raises:
        ValueError: x is not (N, C, H, W) of a floating dtype, the size is not a positive whole number, or a
            constant is negative.
    """
    check(x, k=k, alpha=alpha, beta=beta)
    whole("size", size)
    windows = ((0, 0), (0, 0), (0, 0), neighbours(size, x.shape[2]), neighbours(size, x.shape[3]))
    alpha = alpha / size**2 if divide_alpha else alpha
    formula = partial(pixel_formula, size=size, k=k, alpha=alpha, beta=beta)
    return response_norm(x, NormSpec(formula, 1, windows, k, alpha, beta))


def check(x: Tensor, **constants: float) -> None:
    """Raise ValueError unless x is (N, C, H, W) of a floating dtype and no constant is negative."""
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"x must be (N, C, H, W) of a floating dtype, got {x.dtype} {tuple(x.shape)}")
    for name, value in constants.items():
        if not value >= 0:
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def response_norm(x: Tensor, spec: NormSpec) -> Tensor:
    """Normalise by the fused form, where nobody needs to see or to transform the formula."""
    if is_transformed(x):
        return spec.formula(x)
    if not x.is_contiguous(memory_format=torch.channels_last):
        x = x.contiguous()
    return (BandNorm if fits_band(x, spec) else ResponseNorm).apply(x, spec)


def is_transformed(x: Tensor) -> bool:
    """Whether a compiler, a tracer, torch.func or forward-mode differentiation sees x, or x has no memory."""
    return (
        type(x) not in (Tensor, nn.Parameter)
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
        or forward_ad.unpack_dual(x).tangent is not None
    )

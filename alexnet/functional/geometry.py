"""Sizes, receptive fields and costs of convolution, pooling and dense layers: whole numbers (paper 3.5).

Letters: C channels in, K channels out (kernels), G groups, H W input, R S kernel, P Q output, in pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

from alexnet.checks import whole

Size = int | tuple[int, int]  #: one number for both axes, or (height, width)
Padding = int | tuple[int, int, int, int]  #: one number for all sides, or (left, right, top, bottom)


class ReceptiveField(NamedTuple):
    """Receptive fields along one axis of the input: unit i sees `size` pixels from start + i * stride.

    Attributes:
        size: pixels of the receptive field of one unit.
        stride: pixels between the receptive fields of neighbouring units.
        start: first pixel that unit 0 sees; negative if it lies in the padding.
    """

    size: int
    stride: int
    start: int


def output_size(
    n: int, kernel_size: int, stride: int = 1, padding: int = 0, *, rounding: str = "floor"
) -> int:
    """Return how many windows there are along one axis, in convolution and in pooling alike.

    ::

        floor:  floor((n + 2 * padding - kernel_size) / stride) + 1
        ceil:   ceil((n + 2 * padding - kernel_size) / stride) + 1

    "floor" takes only windows that fit, as today's libraries do; "ceil" adds one that overhangs the far edge
    if pixels would be left over, as the 2012 code did. torch's ``ceil_mode`` is "ceil" as well, except
    that it drops a last window that begins beyond the input.

    Args:
        n: pixels of the input along the axis.
        kernel_size: pixels of the window, of a kernel or of a pool.
        stride: pixels from one window to the next.
        padding: pixels added at each of the two ends.
        rounding: "floor" or "ceil".
    Returns:
        the number of outputs along the axis, at least 1.
    Raises:
        ValueError: a number is not whole or out of range, the rounding is unknown, or no window fits.
    """
    whole("n", n)
    whole("kernel_size", kernel_size)
    whole("stride", stride)
    whole("padding", padding, least=0)
    if rounding not in ("floor", "ceil"):
        raise ValueError(f"rounding must be 'floor' or 'ceil', got {rounding!r}")
    room = n + 2 * padding - kernel_size
    size = 1 + (room // stride if rounding == "floor" else -(-room // stride))
    if size < 1:
        raise ValueError(
            f"no window of {kernel_size} pixels fits into {n} pixels with padding {padding} at each end"
        )
    return size


def leftover(n: int, kernel_size: int, stride: int = 1, padding: int = 0, *, rounding: str = "floor") -> int:
    """Return the pixels at the far end that no window reads; negative: the last window overhangs by as many.

    Args and Raises as for `output_size`.
    """
    last_window = (output_size(n, kernel_size, stride, padding, rounding=rounding) - 1) * stride
    return n + 2 * padding - (last_window + kernel_size)


def ceil_padding(
    height: int, width: int, kernel_size: Size, stride: int = 1, padding: int = 0
) -> tuple[int, int, int, int]:
    """Return the padding with which the floor rule gives the result of the ceil rule: 224 to 55, as in 2012.

    Args:
        height: H of the input.
        width: W of the input.
        kernel_size: the window, R = S or (R, S).
        stride: pixels from one window to the next.
        padding: pixels on each of the four sides, before the ceil rule adds its own.
    Returns:
        (left, right, top, bottom): `padding`, and on the right and at the bottom the overhang on top of it.
    Raises:
        ValueError: as for `output_size`.
    """
    kernel_height, kernel_width = pair("kernel_size", kernel_size)
    right = padding - leftover(width, kernel_width, stride, padding, rounding="ceil")
    bottom = padding - leftover(height, kernel_height, stride, padding, rounding="ceil")
    return padding, right, padding, bottom


def receptive_field(layers: Sequence[tuple[int, int, int]]) -> list[ReceptiveField]:
    """Compute the receptive field of one unit, layer by layer, along one axis.

    Args:
        layers: (kernel_size, stride, padding) of each convolution or pooling, the first one first; the
            padding is that of the near side (left or top).
    Returns:
        one `ReceptiveField` a layer.
    Raises:
        ValueError: a layer is not three whole numbers in range.
    """
    fields = []
    size, step, start = 1, 1, 0
    for index, layer in enumerate(layers):
        if len(layer) != 3:
            raise ValueError(f"layer {index} must be (kernel_size, stride, padding), got {layer!r}")
        kernel_size, stride, padding = layer
        whole(f"kernel_size of layer {index}", kernel_size)
        whole(f"stride of layer {index}", stride)
        whole(f"padding of layer {index}", padding, least=0)
        size += (kernel_size - 1) * step
        start -= padding * step
        step *= stride
        fields.append(ReceptiveField(size, step, start))
    return fields


def conv_num_parameters(
    in_channels: int, out_channels: int, kernel_size: Size, *, groups: int = 1, bias: bool = True
) -> int:
    """Return the weights of a convolutional layer, plus one bias a kernel; the image's size plays no part.

    Args:
        in_channels: C, channels in.
        out_channels: K, channels out.
        kernel_size: R = S, or (R, S).
        groups: G, into which both are divided.
        bias: whether each kernel has one.
    Raises:
        ValueError: a number is not whole and positive, or the groups do not divide both channels.
    """
    kernel_height, kernel_width = pair("kernel_size", kernel_size)
    check_groups(in_channels, out_channels, groups)
    return out_channels * (in_channels // groups * kernel_height * kernel_width + bias)


def conv_num_multiply_adds(
    in_channels: int, out_channels: int, kernel_size: Size, output: Size, *, groups: int = 1
) -> int:
    """Return the multiplications, each with its addition, of a convolutional layer on one image.

    Every window counts in full, also where it reads padding. A bias starts a sum, so it costs nothing more.

    Args:
        in_channels: C, channels in.
        out_channels: K, channels out.
        kernel_size: R = S, or (R, S).
        output: P = Q, or (P, Q).
        groups: G, into which both are divided.
    Raises:
        ValueError: a number is not whole and positive, or the groups do not divide both channels.
    """
    height, width = pair("output", output)
    weights = conv_num_parameters(in_channels, out_channels, kernel_size, groups=groups, bias=False)
    return height * width * weights


def dense_num_parameters(in_features: int, out_features: int, *, bias: bool = True) -> int:
    """Return the weights of a dense (fully connected) layer, plus one bias an output.

    Raises:
        ValueError: a number is not whole and positive.
    """
    whole("in_features", in_features)
    whole("out_features", out_features)
    return out_features * (in_features + bias)


def dense_num_multiply_adds(in_features: int, out_features: int) -> int:
    """Return the multiplications, each with its addition, of a dense layer on one image: one a weight.

    Raises:
        ValueError: a number is not whole and positive.
    """
    return dense_num_parameters(in_features, out_features, bias=False)


def pair(name: str, value: Size) -> tuple[int, int]:
    """Return (height, width), both positive, of a ``Size``; ValueError if it is none."""
    both = value if isinstance(value, tuple) else (value, value)
    if len(both) != 2:
        raise ValueError(f"{name} must be one number or (height, width), got {value!r}")
    for number in both:
        whole(name, number)
    return both


def four_sides(padding: Padding) -> tuple[int, int, int, int]:
    """Return (left, right, top, bottom) of a ``Padding``; ValueError if it is none."""
    sides = padding if isinstance(padding, tuple) else (padding,) * 4
    if len(sides) != 4:
        raise ValueError(f"padding must be one number or (left, right, top, bottom), got {padding!r}")
    for side in sides:
        whole("padding", side, least=0)
    return sides


def check_groups(in_channels: int, out_channels: int, groups: int) -> None:
    """Raise ValueError unless the groups divide both channels."""
    whole("in_channels", in_channels)
    whole("out_channels", out_channels)
    whole("groups", groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups must divide both channels, got {in_channels} in, {out_channels} out, {groups} groups"
        )

"""Random crops and horizontal flips (paper 4.1): drawn for a batch, then applied to it.

Letters in shapes: N images, C channels, H height, W width, S the side of a crop; all in pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from alexnet.checks import whole

TRAINED_ON = (torch.uint8, torch.float32)  # the types of images that training crops, which is to be fast


@dataclass(frozen=True, eq=False)
class Crops:
    """The position of each image's crop in a batch, and whether it is flipped horizontally; on the CPU.

    Attributes:
        top: (N,) int64, the first row of the crop.
        left: (N,) int64, the first column of the crop.
        flip: (N,) bool.
    """

    top: Tensor
    left: Tensor
    flip: Tensor

    def __getitem__(self, which: slice) -> "Crops":
        """Return the crops of a part of the batch."""
        return Crops(self.top[which], self.left[which], self.flip[which])


def draw_crops(
    num_images: int, *, num_offsets: int, group: int = 1, flip: bool = True, generator: torch.Generator
) -> Crops:
    """Draw crop positions, uniformly, and which crops to flip, with probability 1/2 (paper 4.1).

    The paper counts 32 * 32 positions and 2 "horizontal reflections", 2048 in all; the 2012 code included
    both ends of the range of 256 - 224 pixels, 33 positions a side, and used one draw for 32 consecutive
    images.

    Args:
        num_images: N.
        num_offsets: positions a side; rows and columns 0 to num_offsets - 1.
        group: this many consecutive images share one crop position and flip; the last group may be smaller.
        flip: whether crops are flipped at all.
        generator: on the CPU.
    Raises:
        ValueError: a number is not whole and positive.
    """
    whole("num_images", num_images)
    whole("num_offsets", num_offsets)
    whole("group", group)
    num_groups = -(-num_images // group)
    offsets = torch.randint(num_offsets, (2, num_groups), generator=generator)
    flips = torch.randint(2, (num_groups,), generator=generator).bool() & flip
    return Crops(*(drawn.repeat_interleave(group)[:num_images] for drawn in (*offsets, flips)))


def crop_and_flip(images: Tensor, crops: Crops, size: int) -> Tensor:
    """Crop a square from each image and flip some of them (paper 4.1).

    Args:
        images: (N, C, H, W), any dtype, on any device.
        crops: of the N images.
        size: S.
    Returns:
        (N, C, S, S), of the same dtype and on the same device.
    Raises:
        ValueError: a crop does not lie within its image, or there are not as many crops as images.
    """
    check_crops(images, crops, size)
    # numpy has no gradients, and of torch's types it lacks some, such as bfloat16.
    numpys = images.device.type == "cpu" and images.dtype in TRAINED_ON and not images.requires_grad
    return cut_one_by_one(images, crops, size) if numpys else gather(images, crops, size)


def check_crops(images: Tensor, crops: Crops, size: int) -> None:
    """Raise ValueError unless there is a crop for each image that lies within it."""
    if len(crops.top) != len(images):
        raise ValueError(f"there are {len(images)} images but crops for {len(crops.top)}")
    if not len(images):
        return
    for side, offsets in (("high", crops.top), ("wide", crops.left)):
        room = images.shape[2 if side == "high" else 3] - size
        lowest, highest = (int(end) for end in offsets.aminmax())
        if lowest < 0 or highest > room:
            raise ValueError(
                f"a crop of {size} pixels at {lowest if lowest < 0 else highest} does not lie within an "
                f"image {room + size} pixels {side}, where offsets go from 0 to {room}"
            )


def cut_one_by_one(images: Tensor, crops: Crops, size: int) -> Tensor:
    """Crop and flip on the CPU: a copy an image, many times as fast as any indexing (args as above)."""
    cut = images.new_empty(*images.shape[:2], size, size)
    source, target = images.numpy(), cut.numpy()
    offsets = zip(crops.top.tolist(), crops.left.tolist(), crops.flip.tolist(), strict=True)
    for index, (top, left, flip) in enumerate(offsets):
        window = source[index, :, top : top + size, left : left + size]
        target[index] = window[:, :, ::-1] if flip else window
    return cut


def gather(images: Tensor, crops: Crops, size: int) -> Tensor:
    """Crop and flip by one indexing of the whole batch, which suits a GPU (args as for crop_and_flip)."""
    num, channels, height, width = images.shape
    drawn = torch.stack((crops.top, crops.left, crops.flip)).to(images.device, non_blocking=True)
    top, left, flip = drawn[:, :, None]  # each (N, 1)
    steps = torch.arange(size, device=images.device)
    columns = left + torch.where(flip.bool(), size - 1 - steps, steps)  # (N, S)
    maps = torch.arange(num * channels, device=images.device).view(num, channels, 1)
    rows = maps * height + (top + steps)[:, None]  # (N, C, S), of all the images' rows below each other
    return images.reshape(-1, width)[rows[..., None], columns[:, None, None]]


def crop_centre(x: Tensor, size: int) -> Tensor:
    """Return the centre (..., S, S) of images (..., H, W), nearer to the top left where there is none."""
    top, left = ((side - size) // 2 for side in x.shape[-2:])
    return x[..., top : top + size, left : left + size]

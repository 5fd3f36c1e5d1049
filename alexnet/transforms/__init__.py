"""From stored images to what the network reads, in training and in testing (paper 2, 4.1)."""

from alexnet.transforms.colour import add_colour, colour_shifts
from alexnet.transforms.crops import draw_crops
from alexnet.transforms.ten_crop import prepare_centre, ten_crops
from alexnet.transforms.training import augment, draw_augmentation, prepare_training

__all__ = [
    "add_colour",
    "augment",
    "colour_shifts",
    "draw_augmentation",
    "draw_crops",
    "prepare_centre",
    "prepare_training",
    "ten_crops",
]

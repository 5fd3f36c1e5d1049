"""The recipes ``paper`` and ``code2012``, every difference between them, and the networks by name.

``DIFFERENCES`` lists, field by field, where the code that the authors ran in 2012 departs from the paper's
text; DEVIATIONS.md explains each under the same id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from alexnet import paper
from alexnet.checks import near_miss, one_of
from alexnet.config import REMOVABLE_LAYERS, AugmentConfig, LearningConfig, NetConfig, Recipe


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference between the 2012 code and the paper's text.

    Attributes:
        id: as in DEVIATIONS.md.
        part: of a `Recipe`.
        field: of that part.
        section: of the paper, whose value is the field's default.
        code: the value in the 2012 code.
    """

    id: str
    part: str
    field: str
    section: str
    code: Any


#: Every difference between the 2012 code and the paper's text, in the order of DEVIATIONS.md.
DIFFERENCES = (
    Difference(id="D1", part="net", field="lrn_divide_alpha", section="3.3", code=True),
    Difference(id="D2", part="net", field="lrn_per_tower", section="3.3", code=True),
    Difference(id="D3", part="net", field="norm1_before_relu", section="3.3", code=True),
    Difference(id="D4", part="net", field="spatial_norm", section="3.3", code=True),
    Difference(id="D5", part="net", field="conv3_5_weight_std", section="5", code=0.03),
    Difference(id="D6", part="augment", field="num_offsets", section="4.1", code=33),
    Difference(id="D7", part="augment", field="crop_group", section="4.1", code=32),
    Difference(id="D8", part="augment", field="colour_noise", section="4.1", code="std"),
    Difference(id="D9", part="augment", field="colour_divisor", section="4.1", code=1.1),
    Difference(id="D10", part="augment", field="mean", section="2", code="centre"),
    Difference(id="D11", part="learning", field="bias_rate_factor", section="5", code=2.0),
    Difference(id="D12", part="learning", field="decay_biases", section="5", code=False),
    Difference(id="D13", part="learning", field="schedule", section="5", code="logged-2012"),
    Difference(id="D14", part="learning", field="order", section="5", code="fixed"),
)


def of_code(part: str) -> dict[str, Any]:
    """Return the fields of one part of a recipe in which the 2012 code differs, with its values."""
    return {difference.field: difference.code for difference in DIFFERENCES if difference.part == part}


#: The recipe that the paper prints.
PAPER = Recipe()
#: The recipe of the 2012 code.
CODE2012 = Recipe(
    name="code2012",
    net=NetConfig(name="code2012", **of_code("net")),
    augment=AugmentConfig(**of_code("augment")),
    learning=LearningConfig(epochs=91, **of_code("learning")),  # as long as the logged schedule
)
#: Both recipes by name.
RECIPES = {recipe.name: recipe for recipe in (PAPER, CODE2012)}

#: Variants of the paper's network (or of the 2012 code's, given as `base`) as their differences from it.
VARIANTS: dict[str, dict[str, Any]] = {
    "merged": {"towers": 1},  # one tower that reads everything
    "half": {"towers": 1, "conv_channels": (48, 128, 192, 192, 256)},  # one GPU (3.2, footnote): #145-half
    "sixth-conv": {  # section 6: for pre-training on all of ImageNet
        "conv_channels": (96, 256, 384, 384, 256, 256),
        "bias_one": (*paper.INITIAL_BIAS_ONE, "conv6"),
    },
    "no-lrn": {"lrn": False, "spatial_norm": False},
    # 3.4: z = s = 2; the 2012 code takes padding away in conv2 and conv5 to end at the same 6x6 (#147).
    "no-overlap": {"pool_size": 2, "paddings": (0, 1, 1, 1, 0)},
    "literal-224": {"rounding": "floor"},  # no padding anywhere on the input, as printed: 54, not 55
    "torchvision": {  # one tower after "One weird trick" (Krizhevsky 2014); loads torchvision's weights
        "towers": 1,
        "conv_channels": (64, 192, 384, 256, 256),
        "paddings": (2, 2, 1, 1, 1),
        "rounding": "floor",
        "lrn": False,
        "spatial_norm": False,
        "dropout_before": True,
        "dropout_inverted": True,
    },
    "small": {  # two towers for images of 32x32, cropped to 28x28
        "conv_channels": (32, 64, 96, 96, 64),
        "kernel_sizes": (5, 5, 3, 3, 3),
        "paddings": (2, 2, 1, 1, 1),
        "conv1_stride": 1,
        "dense_units": (256, 256),
        "std_by_fan_in": True,
        "input_size": 28,
    },
    **{f"without-{name}": {"removed": (name,)} for name in REMOVABLE_LAYERS},
    # The towers still meet once between their convolutions.
    "without-conv3": {"removed": ("conv3",), "crossing": ("conv4", "conv6")},
}
#: The names of all networks.
NETS = ("paper", "code2012", *VARIANTS)


def net_config(name: str, *, base: str = "paper", **changes: Any) -> NetConfig:
    """Return a network's configuration by name.

    Args:
        name: one of ``NETS``.
        base: the recipe, "paper" or "code2012", whose network a variant departs from; the networks of these
            names are what they are with either.
        **changes: fields to set on top, for example num_classes=10.
    Raises:
        ValueError: there is no network, base or field of that name.
    """
    one_of("net", name, NETS)
    one_of("base", base, tuple(RECIPES))
    variant: dict[str, Any] = {}
    if name in RECIPES:
        base = name
    else:
        variant = dict(VARIANTS[name], name=name if base == "paper" else f"{name}-{base}")
    return change_net(recipe_named(base).net, variant | changes)


def change_net(net: NetConfig, changes: Mapping[str, Any]) -> NetConfig:
    """Return a network with fields set to other values; ValueError if it has no such field."""
    known = [f.name for f in fields(NetConfig)]
    for field in changes:
        if field not in known:
            raise ValueError(f"a network has no field {field!r}{near_miss(field, known)}")
    return replace(net, **changes)


def recipe_named(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        ValueError: there is none of that name.
    """
    one_of("recipe", name, tuple(RECIPES))
    return RECIPES[name]


def adapt_to_images(recipe: Recipe, net: NetConfig, *, image_size: int) -> Recipe:
    """Return the recipe with another network, its crops fitted to that network and to the stored images.

    The number of crop positions keeps its relation to the room that there is: all but the last one in the
    paper (32 of the 33 that 256 - 224 leaves), all of them in the 2012 code.

    Args:
        recipe: whose augmentation and learning are kept.
        net: the network to train.
        image_size: height = width of the stored images, in pixels.
    Raises:
        ValueError: the images are smaller than the network's input.
    """
    room = image_size - net.input_size
    if room < 0:
        smaller = "" if net.name.startswith("small") else "choose `--net small` or "
        raise ValueError(
            f"images of {image_size} pixels are smaller than the {net.input_size} that the network "
            f"{net.name!r} reads; {smaller}prepare larger images"
        )
    all_positions = recipe.augment.num_offsets > paper.IMAGE_SIZE - paper.INPUT_SIZE
    num_offsets = room + 1 if all_positions else max(room, 1)
    augment = replace(recipe.augment, size=net.input_size, num_offsets=num_offsets)
    return replace(recipe, net=net, augment=augment)

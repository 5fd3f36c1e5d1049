"""What is trained and how: a recipe with its three parts, the network, the augmentation and the learning.

Each is a frozen dataclass whose defaults are the paper's text; `alexnet.recipes` has those with a name.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from alexnet import paper
from alexnet.checks import made_of, number, one_of, positive, whole

COLOUR_NOISE_READINGS = ("none", "std", "eigenvalue", "eigenvalue-255")
MEANS = ("under-crop", "centre")
ORDERS = ("shuffled", "fixed")
PARALLEL = ("auto", "towers", "data")  # how several devices divide the work of training
PRECISIONS = ("float32", "bfloat16")
ROUNDINGS = ("ceil", "floor")
SCHEDULES = ("plateau", "logged-2012", "logged-2010", "late", "constant")
CONV_LAYERS = tuple(layer.name for layer in paper.LAYERS if layer.kernel_shape)
CROSSING_LAYERS = (*CONV_LAYERS[1:], "conv6")
REMOVABLE_LAYERS = ("conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
MOST = 1_000_000  # of channels, pixels and the like: no machine holds more, and torch can count them
MOST_EPOCHS = 1_000_000  # far more than anybody waits for, and so few that their steps can be counted
LEARNING_LAYERS = (*CONV_LAYERS, "conv6", "fc6", "fc7", "fc8")
LATER = {"learning": ("rate_factors",)}  # fields by part that older files lack; not written where empty


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """A network of AlexNet's kind (paper 3.5). Channels and units count all towers together.

    Attributes:
        name: under which it is known.
        towers: into how many equal parts the layers are split, one a GPU; 1 for a network that is not split.
        conv_channels: kernels of conv1 to conv5, and of conv6 where there is a sixth.
        kernel_sizes: of conv1 to conv5, in pixels.
        paddings: of conv1 to conv5, in pixels.
        conv1_stride: in pixels; the other convolutions have stride 1.
        rounding: "ceil" puts zeros on the right and at the bottom of the input of conv1 until every pixel is
            read, which makes 55 of 224; "floor" leaves pixels out, which makes 54 of it. Pools do likewise,
            but ignore pixels beyond the edge.
        crossing: the convolutions that read the feature maps of all towers (3.2, 3.5); dense layers always
            read all.
        pool_size: z of 3.4, in pixels.
        pool_stride: s of 3.4, in pixels.
        lrn: whether conv1 and conv2 are followed by local response normalisation (3.3).
        lrn_n: n of 3.3, channels in the window.
        lrn_k: k of 3.3.
        lrn_alpha: alpha of 3.3.
        lrn_beta: beta of 3.3.
        lrn_divide_alpha: alpha is divided by n.
        lrn_per_tower: the sum stays within a tower's feature maps.
        norm1_before_relu: in layer 1 the order is convolution, normalisation, pooling, ReLU.
        spatial_norm: norm2 is followed by a normalisation over 5x5 pixels of the same map.
        dense_units: of fc6 and fc7.
        dropout: probability with which a unit's output is set to zero (4.2).
        dropout_before: it acts on what fc6 and fc7 read, not on what fc7 and fc8 read.
        dropout_inverted: outputs are doubled in training, and not halved at test.
        weight_std: standard deviation of the initial weights (5).
        conv3_5_weight_std: the same for conv3 and the later convolutions.
        std_by_fan_in: multiply that by sqrt(inputs of the paper's unit / inputs of this network's unit), so
            that a smaller network starts with signals of the same size.
        bias_one: the layers whose biases start at 1; at 0 in the others.
        removed: layers that are left out.
        num_classes: outputs of fc8.
        input_size: height and width of the images, in pixels.
        input_channels: of the images.
    """

    name: str = "paper"
    towers: int = paper.NUM_GPUS
    conv_channels: tuple[int, ...] = (96, 256, 384, 384, 256)
    kernel_sizes: tuple[int, ...] = (11, 5, 3, 3, 3)
    paddings: tuple[int, ...] = (0, 2, 1, 1, 1)
    conv1_stride: int = 4
    rounding: str = "ceil"
    crossing: tuple[str, ...] = ("conv3", "conv6")
    pool_size: int = paper.POOL_SIZE
    pool_stride: int = paper.POOL_STRIDE
    lrn: bool = True
    lrn_n: int = paper.LRN_N
    lrn_k: float = paper.LRN_K
    lrn_alpha: float = paper.LRN_ALPHA
    lrn_beta: float = paper.LRN_BETA
    lrn_divide_alpha: bool = False
    lrn_per_tower: bool = False
    norm1_before_relu: bool = False
    spatial_norm: bool = False
    dense_units: tuple[int, int] = (4096, 4096)
    dropout: float = paper.DROPOUT_PROBABILITY
    dropout_before: bool = False
    dropout_inverted: bool = False
    weight_std: float = paper.INITIAL_WEIGHT_STD
    conv3_5_weight_std: float = paper.INITIAL_WEIGHT_STD
    std_by_fan_in: bool = False
    bias_one: tuple[str, ...] = paper.INITIAL_BIAS_ONE
    removed: tuple[str, ...] = ()
    num_classes: int = paper.ILSVRC_NUM_CLASSES
    input_size: int = paper.INPUT_SIZE
    input_channels: int = paper.INPUT_CHANNELS

    def __post_init__(self):
        self.check_lists()
        sizes = (
            "towers",
            "conv1_stride",
            "pool_size",
            "pool_stride",
            "lrn_n",
            "input_size",
            "input_channels",
        )
        for name in sizes:
            whole(name, getattr(self, name), most=MOST)
        whole("num_classes", self.num_classes, least=2, most=MOST)
        for name in ("lrn_k", "lrn_alpha", "lrn_beta", "weight_std", "conv3_5_weight_std"):
            number(name, getattr(self, name))
        number("dropout", self.dropout, below=1)
        one_of("rounding", self.rounding, ROUNDINGS)
        for count in (*self.conv_channels, *self.dense_units):
            if count % self.towers:
                raise ValueError(f"{count} kernels or units cannot be split into {self.towers} equal towers")

    def check_lists(self) -> None:
        """Raise ValueError unless the fields that hold several values hold those that they may."""
        if len(self.conv_channels) not in (5, 6):
            raise ValueError(f"conv_channels must have 5 or 6 numbers, got {self.conv_channels}")
        for name, length in (("kernel_sizes", 5), ("paddings", 5), ("dense_units", 2)):
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name} must have {length} numbers, got {getattr(self, name)}")
        for name in ("conv_channels", "kernel_sizes", "paddings", "dense_units"):
            for value in getattr(self, name):
                whole(name, value, least=0 if name == "paddings" else 1, most=MOST)
        allowed: dict[str, tuple[str, ...]] = {
            "removed": REMOVABLE_LAYERS,
            "bias_one": LEARNING_LAYERS,
            "crossing": CROSSING_LAYERS,  # not conv1: it reads the image, which every tower has
        }
        for name, layers in allowed.items():
            for value in getattr(self, name):
                one_of(name, value, layers)


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How a training image differs from the stored one (paper 4.1).

    Attributes:
        size: of the crop, in pixels; the network's input_size.
        num_offsets: positions of the crop along each axis.
        crop_group: how many consecutive images share one crop position and flip.
        flip: whether half of the images are flipped horizontally.
        colour_noise: a reading of the PCA noise, one of ``COLOUR_NOISE_READINGS``; see `transforms.colour`.
        colour_noise_std: standard deviation of the random factor alpha.
        colour_divisor: what images are divided by after the noise.
        mean: which part of the mean image is subtracted, the one "under-crop" or always the "centre".
    """

    size: int = paper.INPUT_SIZE
    num_offsets: int = paper.IMAGE_SIZE - paper.INPUT_SIZE
    crop_group: int = 1
    flip: bool = True
    colour_noise: str = "eigenvalue"
    colour_noise_std: float = paper.PCA_NOISE_STD
    colour_divisor: float = 1.0
    mean: str = "under-crop"

    def __post_init__(self):
        for name in ("size", "num_offsets", "crop_group"):
            whole(name, getattr(self, name), most=MOST)
        one_of("colour_noise", self.colour_noise, COLOUR_NOISE_READINGS)
        one_of("mean", self.mean, MEANS)
        number("colour_noise_std", self.colour_noise_std)
        positive("colour_divisor", self.colour_divisor)


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """The update rule, its learning rates and their schedule (paper 5).

    Attributes:
        batch_size: images in an update, all devices together.
        momentum: of the update rule.
        weight_decay: of the update rule.
        rate: the initial learning rate.
        bias_rate_factor: the learning rate of biases as a multiple of that of weights.
        decay_biases: whether weight decay acts on biases too.
        schedule: one of ``SCHEDULES`` (see `alexnet.optim.schedule`).
        epochs: length of the training; a logged schedule and "late" are stretched to it, "plateau" ends by
            itself and takes it as the limit.
        plateau_patience: epochs without a gain in the validation error of more than `PLATEAU_THRESHOLD`
            after which "plateau" divides by 10.
        order: "shuffled" anew in each epoch, or "fixed": one random order for all epochs.
        rate_factors: layers, each with the factor for the learning rates of its weights and biases; 1 for the
            layers that are not named, 0 for one that is frozen.
    """

    batch_size: int = paper.BATCH_SIZE
    momentum: float = paper.MOMENTUM
    weight_decay: float = paper.WEIGHT_DECAY
    rate: float = paper.LEARNING_RATE
    bias_rate_factor: float = 1.0
    decay_biases: bool = True
    schedule: str = "plateau"
    epochs: float = paper.NUM_EPOCHS
    plateau_patience: int = 5
    order: str = "shuffled"
    rate_factors: tuple[tuple[str, float], ...] = ()

    def __post_init__(self):
        for name in ("batch_size", "plateau_patience"):
            whole(name, getattr(self, name), most=MOST)
        number("momentum", self.momentum, below=1)
        for name in ("weight_decay", "rate", "bias_rate_factor"):
            number(name, getattr(self, name))
        positive("epochs", self.epochs, most=MOST_EPOCHS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("order", self.order, ORDERS)
        for layer, factor in self.rate_factors:
            one_of("rate_factors: a layer", layer, LEARNING_LAYERS)
            number(f"rate_factors: that of {layer}", factor)
        if len(dict(self.rate_factors)) < len(self.rate_factors):
            raise ValueError(f"rate_factors must name a layer once, got {self.rate_factors}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network with the way in which it is trained."""

    name: str = "paper"
    net: NetConfig = field(default_factory=NetConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)

    def __post_init__(self):
        if self.augment.size != self.net.input_size:
            raise ValueError(
                f"crops of {self.augment.size} pixels do not fit the {self.net.input_size} that the "
                "network reads"
            )
        self.check_rate_factors()

    def check_rate_factors(self) -> None:
        """Raise ValueError if a rate factor names an unknown layer, or all layers are frozen."""
        absent = {*self.net.removed, *(["conv6"] if len(self.net.conv_channels) == 5 else [])}
        factors = dict(self.learning.rate_factors)
        for layer in factors:
            if layer in absent:
                raise ValueError(
                    f"there is no {layer} in the network {self.net.name!r} to freeze or to give a "
                    "learning rate"
                )
        if all(factors.get(layer) == 0 for layer in LEARNING_LAYERS if layer not in absent):
            raise ValueError(
                f"every layer of the network {self.net.name!r} is frozen; leave at least one trainable"
            )


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain dictionaries, lists, numbers and texts, ready for JSON."""
    values: dict[str, Any] = asdict(recipe)
    for part, names in LATER.items():
        values[part] = {k: value for k, value in values[part].items() if value or k not in names}
    return values


def from_dict(values: dict[str, Any]) -> Recipe:
    """Return the recipe that `to_dict` made the dictionary of, also after a round trip through JSON.

    Raises:
        ValueError: a field is missing or unknown, its value is of another type, or it is not allowed; the
            sentence names the field, what it holds and what it may hold.
    """
    return made_of(Recipe, with_later_fields(values))


def with_later_fields(values: Any) -> Any:
    """Return the fields of a recipe with empty ones for those that older versions did not have."""
    if not isinstance(values, dict):
        return values
    empty = {part: dict.fromkeys(names, ()) for part, names in LATER.items()}
    parts = {part: new | values[part] for part, new in empty.items() if isinstance(values.get(part), dict)}
    return values | parts

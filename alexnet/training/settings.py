"""The settings of a training run: the words of ``alexnet train`` as a value that checks itself."""

import contextlib
import json
import math
import operator
import os
import re
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from alexnet import config
from alexnet.checks import made_of, near_miss, one_of, whole
from alexnet.config import MOST_EPOCHS, PARALLEL, PRECISIONS, Recipe
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.recipes import NETS, RECIPES
from alexnet.shown import typed
from alexnet.storage.files import NewerFormat, check_format, home
from alexnet.training.fine_tuning import origin, read_factors

FORMAT = 1  # in a run's folder; of its files that have no number of their own
# Settings that may change when a run resumes; the checkpoint fixes the others, except out and max_steps.
CHANGEABLE = (
    "device", "precision", "compile", "channels_last", "parallel", "deterministic", "workers",
    "checkpoint_every", "validate_every", "log_every",
)  # fmt: skip
PATHS = ("data", "recipe", "init_from", "out")
LEAST = {"batch_size": 1, "seed": 0, "workers": 0, "log_every": 1, "max_steps": 1}  # of the whole numbers
MAX_RESTARTS = 3
# After a restart the processes must not meet at the addresses of those that were lost.
NEW_STORES = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"
UNITS = {"min": "minutes", "epoch": "epochs", "step": "steps"}


class Every(NamedTuple):
    """How often something happens, for example every 10 minutes.

    Attributes:
        count: above 0.
        unit: "minutes", "epochs" or "steps".
    """

    count: float
    unit: str

    def steps(self, steps_per_epoch: int) -> int | None:
        """Return after how many steps it happens again, at least 1; None where the clock decides."""
        if self.unit == "minutes":
            return None
        return max(1, round(self.count * (steps_per_epoch if self.unit == "epochs" else 1)))


def every(text: str) -> Every:
    """Read "10min", "1epoch", "500steps" and the like.

    Raises:
        ValueError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(min|epoch|step)(utes?|s)?", text.strip())
    if not match or not 0 < float(match[1]) < math.inf:
        raise ValueError(f"expected a number with min, epochs or steps, such as 10min; got {text!r}")
    return Every(float(match[1]), UNITS[match[2]])


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """One training run. Where a field names a file or folder, a `pathlib.Path` does as well.

    Attributes:
        data: a set by name, or the folder of a prepared one (see `alexnet.data.prepared`).
        recipe: "paper" or "code2012", or a file with a recipe as JSON (`alexnet.config.to_dict`).
        net: a network by name; None: with ``init_from`` that of the weights, else that of the recipe, or
            "small" if the images are too small for it.
        epochs: length; None: that of the recipe.
        batch_size: images in an update, all devices together; None: that of the recipe.
        init_from: a trained network to start from: "imagenette", a run's folder, or a file of weights; None:
            the initial weights of the network are drawn. Without ``net``, a recipe by name then trains the
            network of the weights.
        freeze: layers that are not trained, such as "conv1,conv2", beside those of the recipe.
        layer_rates: of layers, as multiples of the learning rate, such as "conv1=0.1,fc8=10"; likewise.
        out: the run's folder; None: one under ``runs`` that data, recipe, network and seed name.
        seed: of the initial weights, the order of the images, their augmentation and the dropout.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
        precision: of convolutions and dense layers: "float32", or "bfloat16" by autocast.
        compile: compile the network with ``torch.compile``.
        channels_last: store feature maps in channels-last memory format on a GPU; on the CPU they always are.
        parallel: how several devices divide the work: "towers", each its part of the network; "data", each
            its part of the batch; "auto": the towers, and the batch where there are more devices than towers.
        deterministic: reproduce the same numbers on the same GPU, at some cost; a CPU does so anyway.
        workers: processes that read images; None: the loader decides. With any, a script that trains needs
            the line ``if __name__ == "__main__":``, since they import it; 0 reads in this process.
        checkpoint_every: a text that `every` reads; a checkpoint is written at the end as well.
        validate_every: the same, not in minutes, as it must not depend on the machine's speed.
        log_every: steps in a window over which loss and error are averaged; None: 10, on a GPU 50.
        max_steps: stop after this many steps of the whole training run; None: train to its end.
    Raises:
        ValueError: a value is not allowed; the sentence names it.
    """

    data: str = "default"
    recipe: str = "paper"
    net: str | None = None
    epochs: float | None = None
    batch_size: int | None = None
    init_from: str | None = None
    freeze: str | None = None
    layer_rates: str | None = None
    out: str | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    parallel: str = "auto"
    deterministic: bool = False
    workers: int | None = None
    checkpoint_every: str = "10min"
    validate_every: str = "1epoch"
    log_every: int | None = None
    max_steps: int | None = None

    def __post_init__(self):
        self.make_plain()
        if self.recipe not in RECIPES and not self.recipe.endswith(".json"):
            meant = near_miss(self.recipe, RECIPES)
            raise ValueError(
                f"recipe must be {' or '.join(RECIPES)} or a .json file, got {self.recipe!r}{meant}"
            )
        if self.net is not None:
            one_of("net", self.net, NETS)
        if self.net is not None and self.recipe not in RECIPES:
            raise ValueError(
                "a recipe from a file has its own network; use --net only with the recipes paper and code2012"
            )
        if self.out == "":
            raise ValueError("out must name a folder, got ''")
        one_of("precision", self.precision, PRECISIONS)
        one_of("parallel", self.parallel, PARALLEL)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}")
        if self.epochs is not None and not 0 < self.epochs <= MOST_EPOCHS:
            raise ValueError(f"epochs must be positive, and at most {MOST_EPOCHS:,}; got {self.epochs}")
        for name, least in LEAST.items():
            if (value := getattr(self, name)) is not None:
                whole(name, value, least)
        read_factors(self.freeze, self.layer_rates)
        every(self.checkpoint_every)
        if every(self.validate_every).unit == "minutes":
            raise ValueError(
                f"validate_every must be in epochs or steps, as learning rates may depend on validations; "
                f"got {self.validate_every!r}"
            )

    def make_plain(self) -> None:
        """Let paths be texts, and whole numbers such as numpy's Python's own: JSON has no others."""
        for name in PATHS:
            if isinstance(path := getattr(self, name), os.PathLike):
                object.__setattr__(self, name, os.fspath(path))
        for name in LEAST:
            if not isinstance(value := getattr(self, name), int):
                with contextlib.suppress(TypeError):  # what is none at all is refused
                    object.__setattr__(self, name, operator.index(value))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        if self.out is not None:
            return home(self.out)
        start = self.init_from and f"from-{Path(self.init_from).stem}"
        parts = [Path(self.data).name, Path(self.recipe).stem, self.net, start, f"seed{self.seed}"]
        return Path("runs") / "-".join(part for part in parts if part)

    def recipe_asked_for(self) -> Recipe:
        """Return the recipe with the epochs and the batch size asked for, not yet fitted to any images.

        Raises:
            FileNotFoundError: the recipe is a file that is not there.
            ValueError: that file holds no recipe.
        """
        if self.recipe in RECIPES:
            return RECIPES[self.recipe]
        path = home(self.recipe)
        if not path.is_file():
            raise FileNotFoundError(f"there is no recipe {path}")
        try:
            return config.from_dict(json.loads(path.read_bytes()))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not a recipe: {error}") from error

    def words(self) -> list[str]:
        """Return the words after ``alexnet train`` that ask for this run, most of the defaults left out."""
        words: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if value != f.default or f.name in ("data", "recipe"):
                words += [name_option(f.name)] if value is True else [name_option(f.name), f"{value}"]
        return words


def name_option(name: str) -> str:
    """Return the option that stands for a setting on the command line."""
    return "--" + name.replace("_", "-")


def command_line(settings: TrainSettings, num_ranks: int = 1, num_nodes: int = 1) -> str:
    """Return the command that a person types for a run.

    Args:
        settings: what to train; with several nodes its folder must be one that all of them can reach.
        num_ranks: processes, one a device, on all nodes together.
        num_nodes: computers. From 2 on the command is to be typed on each of them; it has HOST for the name
            of the one to which all connect, and restarts all processes, up to three times, when one is lost.
    """
    starter = "alexnet"
    if num_nodes > 1:
        starter = (
            f"{NEW_STORES} torchrun --nnodes={num_nodes} --nproc-per-node={num_ranks // num_nodes} "
            f"--max-restarts={MAX_RESTARTS} --rdzv-id=alexnet --rdzv-backend=c10d "
            "--rdzv-endpoint=HOST:29500 -m alexnet"
        )
    elif num_ranks > 1:
        starter = f"torchrun --standalone --nproc-per-node={num_ranks} -m alexnet"
    return f"{starter} train {typed(*settings.words())}".rstrip()


def on_lines(command: str, width: int = 72) -> str:
    """Break a command into lines before its options, with the backslashes that a shell wants for it.

    Args:
        command: of `command_line`.
        width: of a line in columns, as far as options allow.
    """
    lines: list[str] = []
    for option in re.split(" (?=-)", command):  # an option stays with its value
        if lines and len(lines[-1]) + len(option) + 3 <= width:
            lines[-1] += f" {option}"
        else:
            lines.append(f"    {option}" if lines else option)
    return " \\\n".join(lines)


def to_dict(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings ready for JSON."""
    return asdict(settings)


def kept(settings: TrainSettings, num_ranks: int) -> dict[str, Any]:
    """Return the content of ``settings.json``: with absolute paths, as it may be read from another folder."""
    paths = {"out": settings.folder}
    if settings.data not in ("default", *KNOWN_SETS):
        paths["data"] = Path(settings.data)
    if settings.recipe not in RECIPES:
        paths["recipe"] = Path(settings.recipe)
    anywhere: dict[str, Any] = {name: str(home(path).absolute()) for name, path in paths.items()}
    if settings.init_from is not None:
        anywhere["init_from"] = origin(settings.init_from)
    return {"format": FORMAT, "settings": to_dict(replace(settings, **anywhere)), "num_ranks": num_ranks}


def read_kept(path: Path) -> tuple[TrainSettings, int]:
    """Read ``settings.json``: the settings, and the number of processes.

    Raises:
        NewerFormat: a newer version of the package wrote it.
        ValueError: it is damaged.
        OSError: it is not there or cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
        check_format(path, content.get("format", FORMAT), FORMAT)
        values = content["settings"]
        if "split" in values:  # as it was called at first
            values["parallel"] = values.pop("split")
        unknown = values.keys() - {f.name for f in fields(TrainSettings)}
        if unknown:
            raise NewerFormat(
                f"{path} was written by a newer version of alexnet: it has {', '.join(sorted(unknown))}; "
                "upgrade alexnet to use it"
            )
        whole("num_ranks", content["num_ranks"])
        return made_of(TrainSettings, values, complete=False), content["num_ranks"]
    except NewerFormat:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); resume with the command that started the "
            f"training, `alexnet train --out {typed(path.parent)}` with its other options"
        ) from error


def changes_in_words(before: tuple[TrainSettings, int], now: tuple[TrainSettings, int]) -> str:
    """Describe which settings of a run changed when it resumes; return an empty text if none did.

    Args:
        before: the earlier settings, and the number of processes, as `read_kept` returns them.
        now: the current ones, likewise.
    """
    (old, old_ranks), (new, new_ranks) = before, now
    pairs = [(name_option(name), getattr(old, name), getattr(new, name)) for name in CHANGEABLE]
    pairs.append(("processes", old_ranks, new_ranks))
    changed = [f"{name} {in_word(now)}, was {in_word(was)}" for name, was, now in pairs if was != now]
    return f"other settings than this run had so far: {'; '.join(changed)}" if changed else ""


def in_word(value: Any) -> str:
    """Return the value of an option for people."""
    if value is None or isinstance(value, bool):
        return "on" if value else "off" if value is False else "not set"
    return f"{value}"


def python_command(settings: TrainSettings, num_ranks: int = 1) -> list[str]:
    """Return the command as words that start it with this Python, wherever its scripts are."""
    starter = []
    if num_ranks > 1:
        starter = ["torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}", "-m"]
    return [sys.executable, "-m", *starter, "alexnet", "train", *settings.words()]

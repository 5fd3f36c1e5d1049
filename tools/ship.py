"""Make a trained network ready to ship, from the folder of its run: `python -m tools.ship NAME RUN [RUN...]`.

Into data/ come the weights of the first run in half precision, its model card, the record of its training
with the curve, and conv1's kernels after some epochs; alexnet/storage/shipped.py says where. Runs of the same
recipe with other seeds add their errors to card and record, and their kernels. Every number is read from the
runs.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from alexnet.experiments.intervals import mean_interval
from alexnet.storage import checkpoints, records, safe, shipped
from alexnet.storage.checkpoints import Weights
from alexnet.storage.records import Record
from alexnet.storage.run_files import CHECKPOINTS, RECORD, WEIGHTS
from alexnet.training.log import read_log

DATA = Path(__file__).resolve().parents[1] / "data"
EPOCHS = (1, 2, 5, 10, 20)  # whose kernels of conv1 are kept, and the last one's
CARD = Path(__file__).with_name("card.md")  # with a place in braces for every fact


def card(record: Record, weights: Weights, name: str) -> str:
    """Return the model card of a network, as Markdown.

    Args:
        record: of its training.
        weights: that it gave.
        name: by which it ships.
    """
    recipe, results, environment = record.config["recipe"], record.results, record.environment
    return CARD.read_text(encoding="utf-8").format(
        name=name,
        classes=listed(weights.names or weights.classes),
        towers=recipe["net"]["towers"],
        channels=listed(recipe["net"]["conv_channels"]),
        kernel=recipe["net"]["kernel_sizes"][0],
        stride=recipe["net"]["conv1_stride"],
        units=listed(recipe["net"]["dense_units"]),
        parameters=sum(tensor.numel() for tensor in weights.weights.values()),
        size=recipe["net"]["input_size"],
        stored=weights.statistics["mean_image"].shape[-1],
        fingerprint=record.data["fingerprint"],
        recipe=recipe["name"],
        epochs=results["epochs"],
        batch=recipe["learning"]["batch_size"],
        rate=recipe["learning"]["rate"],
        seed=record.seeds[0],
        version=environment["alexnet"],
        torch=environment["torch"],
        threads=environment["threads"],
        minutes=record.seconds / 60,
        centre=results["validations"][-1],
        ten=results["ten_views"],
        seeds=in_rows(results),
        notes=f"\n{record.notes}\n" if record.notes else "",
        **record.data["images"],
    )


def listed(things: Iterable[object]) -> str:
    """Return things as people list them: "1, 2 and 3"."""
    *others, last = map(str, things)
    return f"{', '.join(others)} and {last}"


def with_curve(run: Path, name: str, notes: str) -> Record:
    """Return the record of a run with a name, notes and the curve: [[step, loss in nats, error], ...]."""
    record = records.load(run / RECORD)
    windows = [line for line in read_log(run) if "loss" in line]
    curve = [[line["step"], round(line["loss"], 4), round(line["error"], 4)] for line in windows]
    return replace(record, experiment=name, notes=notes, results=record.results | {"log": curve})


def with_seeds(first: Record, runs: Sequence[Path]) -> Record:
    """Return the record of the first run with the errors of all: of each seed, their mean, its interval.

    Raises:
        SystemExit: a run is no repetition of the first with another seed.
    """
    others = [records.load(run / RECORD) for run in runs[1:]]
    seeds = [record.seeds[0] for record in (first, *others)]
    for run, record in zip(runs[1:], others, strict=True):
        check(run, record)
        same = [(each.config["recipe"], each.data["fingerprint"]) for each in (first, record)]
        if same[0] != same[1] or seeds.count(record.seeds[0]) > 1:
            raise SystemExit(f"{run} is no repetition of {runs[0]} with another seed: see its run.json")
    if not others:
        return first
    each = [
        {"seed": record.seeds[0], "seconds": record.seconds}
        | {name: record.results[name] for name in ("validations", "ten_views")}
        for record in (first, *others)
    ]
    results = first.results | {"seeds": each, "over_seeds": over_seeds(each)}
    scale = first.scale.replace("one seed", f"{len(seeds)} seeds")
    return replace(first, results=results, seeds=seeds, scale=scale)


def over_seeds(each: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return mean and 95% interval of the final errors: for "centre" and "ten_views", top1 and top5."""
    final = {
        "centre": [run["validations"][-1] for run in each],
        "ten_views": [run["ten_views"] for run in each],
    }
    return {
        views: {name: asdict(mean_interval([rates[name] for rates in runs])) for name in ("top1", "top5")}
        for views, runs in final.items()
    }


def in_rows(results: dict[str, Any]) -> str:
    """Return the rows of the card on several seeds; nothing where there is one."""
    rows = ""
    views = {"centre": "centre of each", "ten_views": "average of ten crops"} if "seeds" in results else {}
    for key, what in views.items():
        rates = " and ".join(
            f"{name[:3]}-{name[3]} {found['mean']:.1%} [{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
            for name, found in results["over_seeds"][key].items()
        )
        seeds = listed(run["seed"] for run in results["seeds"])
        rows += f"\n| mean of seeds {seeds} with its 95% interval, {what} | {rates} |"
    return rows


def kernels_in(folder: Path, record: Record) -> dict[str, Tensor]:
    """Return conv1's kernels in a folder's checkpoints, in half precision, by seed and epoch: "0/40"."""
    per_epoch = round(record.results["step"] / record.results["epochs"])
    found = {}
    for path in reversed(checkpoints.newest_first(folder)):
        epoch, steps_more = divmod(checkpoints.step_in(path), per_epoch)
        if not steps_more and (epoch in EPOCHS or checkpoints.step_in(path) == record.results["step"]):
            kernels = checkpoints.load_weights(path).weights["conv1.weight"]
            found[f"{record.seeds[0]}/{epoch}"] = kernels.half()
    return found


def all_kernels(runs: Sequence[Path], histories: Sequence[Path], stored: Path) -> dict[str, Tensor]:
    """Return the kernels of all runs; those of an earlier call stay, whose checkpoints may be gone."""
    found = safe.read(stored)[0] if stored.is_file() else {}
    for run, history in zip(runs, histories, strict=True):
        found |= kernels_in(history, records.load(run / RECORD))
    return found


def check(run: Path, record: Record) -> None:
    """Refuse a run of which no card can be written."""
    if record.data["name"] != "Imagenette":
        raise SystemExit(f"the card tells of Imagenette, and {run} was trained on {record.data['name']}")
    if record.results["ended"] != "finished":
        raise SystemExit(f"the training in {run} is not over; the command that started it resumes it")


def ship(runs: Sequence[Path], histories: Sequence[Path], name: str, data: Path, notes: str = "") -> None:
    """Write all files of a network.

    Args:
        runs: the folders of finished trainings; the first one's weights ship, the others had other seeds.
        histories: for each run a folder with copies of its checkpoints at the epochs whose kernels are kept.
        name: by which it ships.
        data: the folder that they go to.
        notes: what else a reader must know to judge the numbers, for record and card.
    """
    first = with_curve(runs[0], name, notes)
    check(runs[0], first)
    record = with_seeds(first, runs)
    weights = checkpoints.load_weights(runs[0] / WEIGHTS)
    for folder in ("records", "weights"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    kernels = all_kernels(runs, histories, shipped.kernels_path(data, name))
    checkpoints.save_weights(shipped.weights_path(data, name), checkpoints.in_half(weights))
    shipped.card_path(data, name).write_text(card(record, weights, name), encoding="utf-8", newline="\n")
    record.save(shipped.record_path(data, name))
    safe.write(shipped.kernels_path(data, name), kernels, {}, {"seeds": record.seeds})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="by which the network ships")
    parser.add_argument("runs", type=Path, nargs="+", metavar="run", help="folders of finished trainings")
    parser.add_argument(
        "--history", type=Path, nargs="+", help="folders with their checkpoints (default: the runs' own)"
    )
    parser.add_argument(
        "--notes", default="", help="what else must be known, in sentences (default: nothing)"
    )
    arguments = parser.parse_args()
    histories = arguments.history or [run / CHECKPOINTS for run in arguments.runs]
    if len(histories) != len(arguments.runs):
        parser.error(f"{len(arguments.runs)} runs and {len(histories)} folders of checkpoints: one for each")
    ship(arguments.runs, histories, arguments.name, DATA, arguments.notes)


if __name__ == "__main__":
    main()

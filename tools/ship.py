"""Make a trained network ready to ship, from the folder of its run: `python -m tools.ship RUN NAME`.

Into data/ come its weights in half precision, its model card, the record of its training with the curve, and
conv1's kernels after some epochs; alexnet/storage/shipped.py says where. Every number is read from the run.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

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


def kernels_in(folder: Path, record: Record) -> dict[str, Tensor]:
    """Return conv1's kernels in a folder's checkpoints, in half precision, by the epoch that they are of."""
    per_epoch = round(record.results["step"] / record.results["epochs"])
    found = {}
    for path in reversed(checkpoints.newest_first(folder)):
        epoch, steps_more = divmod(checkpoints.step_in(path), per_epoch)
        if not steps_more and (epoch in EPOCHS or checkpoints.step_in(path) == record.results["step"]):
            found[str(epoch)] = checkpoints.load_weights(path).weights["conv1.weight"].half()
    return found


def ship(run: Path, history: Path, name: str, data: Path, notes: str = "") -> None:
    """Write all files of a network.

    Args:
        run: the folder of a finished training.
        history: a folder with copies of its checkpoints after the epochs whose kernels are kept.
        name: by which it ships.
        data: the folder that they go to.
        notes: what else a reader must know to judge the numbers, for record and card.
    """
    record = with_curve(run, name, notes)
    if record.data["name"] != "Imagenette":
        raise SystemExit(f"the card tells of Imagenette, and {run} was trained on {record.data['name']}")
    if record.results["ended"] != "finished":
        raise SystemExit(f"the training in {run} is not over; the command that started it resumes it")
    weights = checkpoints.load_weights(run / WEIGHTS)
    for folder in ("records", "weights"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    checkpoints.save_weights(shipped.weights_path(data, name), checkpoints.in_half(weights))
    shipped.card_path(data, name).write_text(card(record, weights, name), encoding="utf-8", newline="\n")
    record.save(shipped.record_path(data, name))
    safe.write(shipped.kernels_path(data, name), kernels_in(history, record), {}, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished training")
    parser.add_argument("name", help="by which the network ships")
    parser.add_argument("--history", type=Path, help="folder with its checkpoints (default: the run's own)")
    parser.add_argument(
        "--notes", default="", help="what else must be known, in sentences (default: nothing)"
    )
    arguments = parser.parse_args()
    history = arguments.history or arguments.run / CHECKPOINTS
    ship(arguments.run, history, arguments.name, DATA, arguments.notes)


if __name__ == "__main__":
    main()

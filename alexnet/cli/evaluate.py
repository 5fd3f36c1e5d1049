"""``alexnet evaluate``: the error rates of networks, each alone and the average of them (paper 6)."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alexnet.checks import whole
from alexnet.cli.options import CHECKPOINT, STDOUT, add_option, check_results, path_named
from alexnet.shown import Unfailing, say

IMAGES_AT_A_TIME = 128  # on each device

EPILOG = """\
examples:
  alexnet evaluate runs/default-paper-seed0 --data default
  alexnet evaluate net1.pt net2.pt net3.pt --data ~/imagenet-256 --views 10
on several GPUs, each of which takes a part of the images:
  torchrun --standalone --nproc-per-node=8 -m alexnet evaluate net.pt --data DATA"""


def add(commands) -> None:
    """Add ``alexnet evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="count the errors of trained networks, each alone and their average",
        description=(
            "Count top-1 and top-5 errors. Of several networks the average of their predictions\n"
            'is counted as well (section 6: "5 CNNs"). Every image counts once, on any number\n'
            "of devices."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("checkpoints", metavar="CHECKPOINT", nargs="+", help=CHECKPOINT)
    add_option(parser, "--data", required=True)
    add_option(
        parser,
        "--split",
        "the part of the data set; val of one that has only training and test images is the part of the "
        "former that `alexnet train` holds out, and train is the rest",
        choices=("val", "train", "test"),
        default="val",
    )
    add_option(parser, "--views")
    add_option(parser, "--batch-size", shown=f"{IMAGES_AT_A_TIME} on each")
    add_option(parser, "--device")
    add_option(parser, "--precision")
    add_option(parser, "--workers", shown="one for each core; none for a set in memory")
    add_option(
        parser,
        "--features",
        "write logits, activations of the last hidden layer, and labels, of the central crop of each image",
        type=path_named,
        metavar="FILE.npz",
        shown="not written",
    )
    add_option(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet evaluate``."""
    from alexnet.data.prepared import open_prepared, with_validation
    from alexnet.devices import bfloat16_warning, prepare_device
    from alexnet.distributed.parallel import Layout
    from alexnet.distributed.ranks import joined, placed, world_size
    from alexnet.evaluation.classifier import check_alike, match_outputs
    from alexnet.evaluation.ensemble import evaluate_nets, gather_rows, table
    from alexnet.evaluation.prediction import load_classifier

    check(arguments, world_size())
    with joined(arguments.device) as ranks:
        device = ranks.device
        prepare_device(device)
        ranks = placed(ranks, Layout(ranks.size, 1))
        nets = [load_classifier(source, device) for source in arguments.checkpoints]
        check_alike(nets)
        dataset = open_prepared(arguments.data)
        if arguments.split != "test":  # as training divides it: nothing is chosen on test images
            dataset = with_validation(dataset)
        split = dataset.val if arguments.split == "val" else dataset.split(arguments.split)
        outputs = match_outputs(nets[0], dataset.classes).to(device)
        nets[0].views(split.read(range(len(split))[:1]).to(device))  # raises if their sizes do not fit
        loader = make_loader(split, arguments, ranks)
        if arguments.json != STDOUT:
            tell(ranks, *introduction(nets, dataset, split, arguments.views))
            if warning := bfloat16_warning(device, arguments.precision):
                tell(ranks, warning)
        counts = evaluate_nets(
            nets,
            labelled(loader, outputs, ranks),
            num_views=arguments.views,
            precision=arguments.precision,
        )
        rows = gather_rows(nets, counts, ranks.group)
        # Before anything is printed: there may be nobody any more to read it.
        if arguments.json is not None and ranks.is_first:
            write_results(arguments.json, make_results(arguments, dataset, split, rows, device))
        if arguments.features is not None:
            write_features(arguments.features, nets[0], labelled(loader, outputs, ranks))
        if arguments.json != STDOUT:
            tell(ranks, table(rows))
        loader.close()
    return 0


def check(arguments: argparse.Namespace, num_ranks: int) -> None:
    """Raise ValueError or OSError for errors that are known before the evaluation begins."""
    batch_size(arguments, num_ranks)
    if arguments.workers is not None:
        whole("--workers", arguments.workers, least=0)
    if arguments.features is not None and (num_ranks > 1 or len(arguments.checkpoints) > 1):
        raise ValueError("--features takes one checkpoint and one process; leave out the others")
    check_results(arguments.features, ".npz", "--features")
    check_results(arguments.json, ".json", "--json")


def batch_size(arguments: argparse.Namespace, num_ranks: int) -> int:
    """Return the batch size of all processes together; ValueError if it cannot be divided evenly."""
    size = IMAGES_AT_A_TIME * num_ranks if arguments.batch_size is None else arguments.batch_size
    if size < 1:
        raise ValueError(f"--batch-size must be at least 1, got {size}")
    if size % num_ranks:
        raise ValueError(
            f"a batch of {size} images cannot be divided evenly among {num_ranks} processes; "
            f"choose `--batch-size` {num_ranks * max(1, round(size / num_ranks))}"
        )
    return size


def make_loader(split, arguments: argparse.Namespace, ranks):
    """Return the loader of this process's part of the images."""
    from alexnet.data.loader import evaluation_loader
    from alexnet.devices import local_size

    return evaluation_loader(
        split,
        batch_size(arguments, ranks.size),
        rank=ranks.data_rank,
        num_ranks=ranks.num_data,
        workers=arguments.workers,
        pin_memory=ranks.device.type == "cuda",
        sharing=local_size(),
    )


def labelled(loader, outputs, ranks) -> Iterator:
    """Yield images and the indices of their classes, under a progress bar on a terminal."""
    from tqdm import tqdm

    hidden = not (ranks.is_first and Unfailing(sys.stderr).isatty())
    with tqdm(total=len(loader.split), unit=" images", disable=hidden) as bar:
        for batch in loader.epoch():
            if len(batch.labels):  # of the last batch this process may have nothing
                yield batch.images.to(ranks.device, non_blocking=True), outputs[batch.labels.to(ranks.device)]
            bar.update(min(len(batch.labels) * ranks.size, bar.total - bar.n))


def tell(ranks, *lines: str) -> None:
    """Print lines in the first process."""
    if ranks.is_first:
        say(*lines)


def introduction(nets, dataset, split, num_views: int) -> list[str]:
    """Return lines that name the images, the crops and the networks of an evaluation."""
    name = next(name for name, known in dataset.splits.items() if known is split)
    seen = "the centre of each" if num_views == 1 else "ten crops of each"
    lines = [f"{dataset.source}: {len(split):,} images ({name}), {seen}"]
    if len(dataset.classes) < len(nets[0].classes):
        lines.append(
            f"the images show {len(dataset.classes)} of the {len(nets[0].classes):,} classes that the "
            "network distinguishes"
        )
    return lines + [f"{net.name}: {net.remark}" for net in nets if net.remark]


def make_results(arguments: argparse.Namespace, dataset, split, rows, device) -> dict[str, Any]:
    """Return the results, with what they are results of, ready for JSON."""
    from alexnet.storage.records import environment

    nets = rows[: len(arguments.checkpoints)]
    return {
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "split": next(name for name, known in dataset.splits.items() if known is split),
            "images": len(split),
        },
        "views": arguments.views,
        "precision": arguments.precision,
        "nets": [{"checkpoint": name, **result} for name, result in nets],
        "average": rows[-1][1] if len(rows) > len(nets) else None,
        "environment": environment(device),
    }


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write results as JSON to a file, or print them."""
    import json

    from alexnet.storage.files import write_json

    if path == STDOUT:
        say(json.dumps(results, indent=1))
    else:
        write_json(path, results)


def write_features(path: Path, net, batches) -> None:
    """Write the features and outputs of the central crop of each image (paper 6.1), as .npz."""
    import numpy as np

    from alexnet.evaluation.features import export_features
    from alexnet.storage.files import write_arrays

    views = ((view, labels) for images, labels in batches for view in net.views(images))
    exported = export_features(net.net, views)
    arrays = {name: tensor.numpy() for name, tensor in exported._asdict().items()}
    write_arrays(path, arrays | {"classes": np.array(net.classes), "names": np.array(net.names)})

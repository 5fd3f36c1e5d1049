"""What is known of each claim of the paper: computed, measured, noted by its authors, or not at all.

A verdict is never typed. What can be computed is compared with what the paper prints. What is measured is
judged by the interval of its seeds, and only where the measurement is fit to judge: enough seeds and images,
every variant at its own learning rate. All other findings are inconclusive, and name what is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from alexnet import lab_notes, paper
from alexnet.experiments import computed, readings, towers
from alexnet.experiments.answers import ENOUGH_IMAGES, ENOUGH_SEEDS, UNDECIDED, answer, experiment_for
from alexnet.experiments.arm_tables import package_arms
from alexnet.experiments.claims import CLAIMS, Claim
from alexnet.experiments.finding import ILSVRC, LOGS, Finding
from alexnet.experiments.intervals import (
    INCONCLUSIVE,
    Interval,
    holm,
    mean_interval,
    p_value,
    ratio_interval,
    verdict,
)
from alexnet.experiments.verdicts import gains
from alexnet.models import summary
from alexnet.optim.schedule import LOGGED
from alexnet.recipes import PAPER
from alexnet.storage import records

# From the authors' logs


def logged(worse: str, better: str, data: str, *, remark: str = "") -> Finding:
    """Return by how much a network of the authors has a lower error than another, by their run notes."""
    runs = [lab_notes.find_run(net, data=data) for net in (worse, better)]
    top1, top5 = (100 * (getattr(runs[0], name) - getattr(runs[1], name)) for name in ("top1", "top5"))
    return Finding(
        ours=f"{top1:.2f} and {top5:.2f} points",
        verdict=LOGS,
        basis=f"#{worse} against #{better}, {data}, one run each{remark}",
        lacking="one run of each, with learning rates dropped by hand",
    )


def errors_logged(nets: Sequence[tuple[str, int]], data: str, remark: str = "") -> Finding:
    """Return the errors that the authors noted of networks, each by its name and its number of crops."""
    runs = [lab_notes.find_run(net, data=data, views=views) for net, views in nets]
    shown = "; ".join(f"{run.top1:.2%} and {run.top5:.2%}" for run in runs)
    named = ", ".join(f"#{net} with {views} crop{'s' * (views > 1)}" for net, views in nets)
    return Finding(ours=shown, verdict=LOGS, basis=f"{named}, {data}{remark}")


def schedule_logged() -> Finding:
    """Return when the authors divided the learning rate of #145 by 10, except for conv1."""
    noted = LOGGED["logged-2012"]
    stages = zip(noted.stages, noted.stages[1:], strict=False)
    drops = [later.epoch for before, later in stages if later.weight_cuts != before.weight_cuts]
    shown = f"{len(drops)} times, at epochs {', '.join(map(str, drops))} of {noted.num_epochs}"
    return Finding(ours=shown, verdict=LOGS, basis="#145 by its run notes; conv1 by a schedule of its own")


# Measured


@cache
def record(name: str) -> records.Record:
    """A record of the project."""
    return records.load(name)


def unfit(found: records.Record, *, tuned: bool, num_train: int) -> list[str]:
    """Return what a measurement lacks to judge a claim."""
    said = []
    if len(found.seeds) < ENOUGH_SEEDS:
        said.append(f"{len(found.seeds)} seeds of at least {ENOUGH_SEEDS}")
    if num_train < ENOUGH_IMAGES:
        said.append(f"{num_train:,} training images of at least {ENOUGH_IMAGES:,}")
    if not tuned:
        said.append("one learning rate, chosen for the base")
    return said


def measured(
    id: str,
    effect: Interval,
    shown: str,
    found: records.Record,
    lacking: list[str],
    *,
    corrected_p: float = 0.0,
) -> Finding:
    """Judge a measured effect; a measurement that lacks something stays inconclusive, whatever it shows."""
    judged = INCONCLUSIVE if lacking else verdict(effect, corrected_p=corrected_p)
    if judged == INCONCLUSIVE and not lacking:
        lacking = [UNDECIDED]
    return Finding(
        ours=shown,
        verdict=judged,
        basis=f"{found.scale}; interval of 95%",
        lacking=", ".join(lacking),
        command=f"alexnet claims run {id}",
    )


# Measured by the engine


def answered(id: str) -> Finding | None:
    """Return an experiment's finding on a claim; None before both its arms have two seeds."""
    experiment = experiment_for(id)
    known = answer(experiment, package_arms(experiment.name), id) if experiment else None
    if known is None:
        return None
    return Finding(
        ours=known.shown,
        verdict=known.verdict,
        basis=known.basis,
        lacking=", ".join(known.lacking),
        command=f"alexnet claims run {id}",
    )


#: Claim: the variant of the record "ablations" that should do better, the other, and by which measure.
ABLATED = {
    "remove-layer": ("base", "without-conv4", "test_error"),
    "two-gpu-accuracy": ("base", "half", "test_error"),
    "lrn-accuracy": ("base", "no-lrn", "test_error"),
    "pool-accuracy": ("base", "no-overlap", "test_error"),
    "aug-needed": ("base", "no-augmentation", "test_error"),
    "pca-colour": ("base", "no-colour-noise", "test_error"),
    "dropout-overfit": ("base", "no-dropout", "test_error"),
    "weight-decay": ("base", "no-weight-decay", "train_error"),
    "init": ("base", "biases-0", "test_error"),
}


@cache
def corrected() -> Mapping[str, float]:
    """The p-values of all comparisons of the record "ablations", corrected for being made together."""
    variants = record("ablations").results["variants"]
    return holm({id: p_value(gains(variants, *pair)) for id, pair in ABLATED.items()})


def ablated(id: str, *lacking: str) -> Finding:
    """Return what a part of the network gains, by the engine or, before that, by the record of ablations."""
    if (known := answered(id)) is not None:
        return known
    found, (better, worse, measure) = record("ablations"), ABLATED[id]
    effect = mean_interval(gains(found.results["variants"], better, worse, measure))
    kind = "training" if measure == "train_error" else "test"
    shown = f"{effect.in_points()} points of {kind} error, *{worse}* less *{better}*"
    unfits = unfit(found, tuned=False, num_train=found.config["num_train"])
    return measured(id, effect, shown, found, [*unfits, *lacking], corrected_p=corrected()[id])


def overfitting(id: str, better: str, worse: str) -> Finding:
    """Return by how much the gap between test and training error shrinks."""
    if (known := answered(id)) is not None:
        return known
    found = record("ablations")
    variants = found.results["variants"]
    tested, trained = (gains(variants, better, worse, name) for name in ("test_error", "train_error"))
    effect = mean_interval([a - b for a, b in zip(tested, trained, strict=True)])
    shown = f"{effect.in_points()} points of test less training error, *{worse}* less *{better}*"
    lacking = unfit(found, tuned=False, num_train=found.config["num_train"])
    return measured(id, effect, shown, found, [*lacking, "not compared at equal training error"])


def relu_speed() -> Finding:
    if (known := answered("relu-speed")) is not None:
        return known
    found = record("relu-vs-tanh")
    epochs = {unit: readings.target_epochs(found.results, "scaled", unit) for unit in ("tanh", "relu")}
    effect = ratio_interval(epochs["tanh"], epochs["relu"])
    shown = f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times with weights scaled by fan-in"
    at_least = readings.ratio_at_least(found.results, "2012", found.config["max_epochs"])
    shown += f"; more than {at_least:.1f} times with those of 2012"
    lacking = unfit(found, tuned=True, num_train=50_000)
    lacking.append("with the weights of 2012, tanh was stopped before it reached 25%")
    return measured("relu-speed", effect, shown, found, lacking)


def dropout_iterations() -> Finding:
    if (known := answered("dropout-iterations")) is not None:
        return known
    return unknown(
        "trainings to convergence with dropout and without", command="alexnet claims run dropout-iterations"
    )


def lrn_cifar() -> Finding:
    if (known := answered("lrn-cifar")) is not None:
        return known
    found = record("lrn")
    effect = mean_interval(gains(found.results, "lrn-11pct", "none"))
    lacking = unfit(found, tuned=True, num_train=found.config["num_train"])
    for entry in found.results.values():
        if min(entry["search"], key=lambda tried: tried[1])[0] in (
            entry["search"][0][0],
            entry["search"][-1][0],
        ):
            lacking.append("best learning rates at the edge of the grid")
            break
    lacking.append(f"{found.config['epochs']} epochs of the authors' 500 or so, in a smaller network")
    return measured("lrn-cifar", effect, f"{effect.in_points()} points of test error", found, lacking)


# Not yet


def unknown(lacking: str, *, ours: str = "", basis: str = "", command: str = "") -> Finding:
    """A claim of which nothing that judges it is known here."""
    return Finding(ours=ours, verdict=INCONCLUSIVE, basis=basis, lacking=lacking, command=command)


def needs_ilsvrc(*, ours: str = "", basis: str = "") -> Finding:
    """A claim that only a training on ILSVRC can settle."""
    return Finding(
        ours=ours,
        verdict=ILSVRC,
        basis=basis,
        lacking="a training on ILSVRC",
        command="alexnet train --data imagenet-256 --recipe code2012 --out runs/imagenet",
    )


def needs_fall_2009() -> Finding:
    """A claim that needs the Fall 2009 release, with 10,184 classes and a sixth convolution."""
    return Finding(
        ours="",
        verdict=ILSVRC,
        basis="",
        lacking="a training on half of the Fall 2009 release of ImageNet",
        command="alexnet train --data fall2009-256 --recipe code2012 --net sixth-conv --out runs/fall2009",
    )


def in_memory() -> Finding:
    """The time needs the data and the machine; whether the network fits into its memory is computed."""
    rows = summary(PAPER.net).tower_rows
    needed = sum(row.parameter_bytes + row.activation_bytes + row.gradient_bytes for row in rows) / 2**30
    shown = f"a tower with a batch of {paper.BATCH_SIZE} needs {needed:.1f} of {paper.GPU_MEMORY_GIB} GiB"
    return needs_ilsvrc(ours=shown, basis="the memory is computed")


def two_gpu_time() -> Finding:
    """Return how long the half network's step takes on one device, against two towers on two of its kind."""
    found = record("two-gpu-time")
    seconds = found.results["seconds"]
    effect = ratio_interval(seconds["half network"], seconds["two towers"])
    lacking = [] if found.environment["device"].startswith("cuda") else ["two GPUs"]
    return Finding(
        ours=f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times as fast as the half network",
        verdict=INCONCLUSIVE if lacking else verdict(effect, nothing=1.0),
        basis=f"{found.scale}; interval of 95% over rounds",
        lacking=", ".join(lacking),
        command="python benchmarks/two_ranks.py --net paper --batch 128 "
        "--record data/records/two-gpu-time.json",
    )


def specialised() -> Finding:
    """Return how far the towers of trained networks differ in colour, compared with random halves."""
    name = "imagenette"
    gaps, found = towers.colour_gaps(name), record(name)
    effect = towers.beyond_chance(gaps)
    sizes = ", ".join(f"{100 * gap.size:.0f}" for gap in gaps.values())
    dealt = sum(gap.dealt for gap in gaps.values()) / len(gaps)
    shown = f"the towers' fractions of weights that depend on colour lie {sizes} points apart, random halves "
    shown += f"{100 * dealt:.0f}"
    shown += f"; beyond chance: {effect.in_points()}" if len(gaps) > 1 else ""
    missing = f"{len(gaps)} seed{'s' * (len(gaps) > 1)} of at least {ENOUGH_SEEDS}"
    lacking = [missing] if len(gaps) < ENOUGH_SEEDS else []
    return replace(measured("kernels", effect, shown, found, lacking), command="")


def retrieved() -> Finding:
    """Return how often the nearest by features have the query's class; pixels and random features beside."""
    found, k = record("imagenette-retrieval"), "10"
    pixels = found.results["pixels"][k]["mean"]
    trained, untrained = (
        [each[k]["mean"] for each in found.results[name]] for name in ("trained", "untrained")
    )
    means = [sum(shares) / len(shares) for shares in (trained, untrained)]
    shown = f"{means[0]:.0%} of the {k} nearest by features are of the class, {pixels:.0%} by pixels, "
    shown += f"{means[1]:.0%} by features of untrained networks; the nearest by features has rank "
    places = found.results["median_place_by_pixels"]
    shown += f"{min(places):,.0f} or later by pixels, of {found.data['images']['train']:,} (median)"
    few = len(trained) < ENOUGH_SEEDS
    lacking = [f"{len(trained)} seeds of at least {ENOUGH_SEEDS}"] if few else []
    effect = mean_interval([share - max(pixels, *untrained) for share in trained])
    return replace(measured("retrieval", effect, shown, found, lacking), command="")


def coded() -> Finding:
    """Return what codes of an auto-encoder find of the query's class: codes of features, and of pixels."""
    found, bits = record("imagenette-codes"), "256"  # the longer codes of Krizhevsky and Hinton (2011)
    runs, k = found.results["seeds"], found.results["k"]
    ours, pixels = (
        [run["codes"][name][bits] for run in runs] for name in ("auto-encoder", "auto-encoder of pixels")
    )
    exact = [run["features"] for run in runs]
    means = [f"{sum(shares) / len(shares):.0%}" for shares in (ours, pixels, exact)]
    shown = f"{means[0]} of the {k} nearest by codes of {bits} bits are of the class, {means[1]} where the "
    shown += f"auto-encoder reads pixels; {means[2]} by the features themselves"
    effect = mean_interval([a - b for a, b in zip(ours, pixels, strict=True)])
    few = len(runs) < ENOUGH_SEEDS
    lacking = [f"{len(runs)} seeds of at least {ENOUGH_SEEDS}"] if few else []
    return replace(measured("binary-codes", effect, shown, found, lacking), command="")


def with_averages() -> Finding:
    """One network by the notes; the averages by the contest's page, which knows their test errors alone."""
    found = errors_logged((("145", 10),), VALIDATION)
    averages = " and ".join(f"{entry.top5:.2%} of {len(entry.nets)}" for entry in lab_notes.CONTEST)
    ours = f"{found.ours}; averaged networks on the test set, top-5: {averages}"
    return replace(found, ours=ours, basis=f"{found.basis}, and the contest's page of results")


def with_measured(id: str, finding: Finding) -> Finding:
    """Add what an experiment at small scale shows, and the command that repeats it."""
    command = f"alexnet claims run {id}"
    if (known := answered(id)) is None:
        return replace(finding, command=command)
    scale = f"{known.verdict} in a small AlexNet: {known.ours} ({known.basis})"
    return replace(finding, basis=f"{finding.basis}; {scale}", command=command)


def with_published(finding: Finding, published: str) -> Finding:
    """Add what others have published at full scale."""
    return replace(finding, basis=f"{finding.basis}. Full scale: {published}")


VALIDATION, TEST = lab_notes.VAL_2012, lab_notes.TEST_2010
ZEILER = (
    "Zeiler & Fergus 2014, table 3, top-1 on the validation set of ILSVRC-2012: 40.5% whole, 45.4% without "
    "conv3 and conv4, 40.0% without fc7, 44.8% without fc6 and fc7"
)
EVIDENCE: dict[str, Callable[[], Finding]] = {
    "params": computed.params,
    "neurons": computed.neurons,
    "neurons-per-layer": computed.neurons_per_layer,
    "layer-shapes": computed.layer_shapes,
    "input-224": computed.input_224,
    "conv-share": computed.conv_share,
    "remove-layer": lambda: with_published(ablated("remove-layer"), ZEILER),
    "relu-speed": relu_speed,
    "two-gpu-accuracy": lambda: with_measured("two-gpu-accuracy", logged("145-half", "145-2010", TEST)),
    "two-gpu-time": two_gpu_time,
    "gpu-connectivity": computed.gpu_connectivity,
    "lrn-formula": computed.lrn_formula,
    "lrn-accuracy": lambda: with_measured("lrn-accuracy", logged("148", "145", VALIDATION)),
    "lrn-cifar": lrn_cifar,
    "pool-accuracy": lambda: with_measured("pool-accuracy", logged("147", "145", VALIDATION)),
    "pool-overfit": partial(overfitting, "pool-overfit", "base", "no-overlap"),
    "aug-factor": computed.aug_factor,
    "aug-needed": partial(overfitting, "aug-needed", "base", "no-augmentation"),
    "pca-colour": partial(ablated, "pca-colour"),
    "aug-free": partial(unknown, "a timed training on a GPU"),
    "ten-crop": partial(errors_logged, (("145-2010", 1), ("145-2010", 10)), TEST),
    "dropout-overfit": partial(overfitting, "dropout-overfit", "base", "no-dropout"),
    "dropout-iterations": dropout_iterations,
    "dropout-mean": computed.dropout_mean,
    "update-rule": computed.update_rule,
    "weight-decay": partial(ablated, "weight-decay"),
    "init": partial(ablated, "init", "judged by the end of training, not by its beginning"),
    "lr-schedule": schedule_logged,
    "train-time": in_memory,
    "ilsvrc2010": partial(errors_logged, (("145-2010", 10),), TEST),
    "ilsvrc2012": with_averages,
    "imagenet2009": needs_fall_2009,
    "kernels": specialised,
    "retrieval": retrieved,
    "binary-codes": coded,
    "depth-data": partial(
        unknown, "a measurement here; the years since have borne the outlook out (chapter 15)"
    ),
}


def finding(id: str) -> Finding:
    """Compute the finding on a claim."""
    return EVIDENCE[id]()


def ledger() -> list[tuple[Claim, Finding]]:
    """Return all claims with their findings, in the order of the paper."""
    return [(known, finding(known.id)) for known in CLAIMS]

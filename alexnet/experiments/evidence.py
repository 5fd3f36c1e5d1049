"""What is known of each claim of the paper: computed, measured, noted by its authors, or not at all.

A verdict is never typed. What can be computed is compared with what the paper prints. What is measured is
judged by the interval of its seeds, and only where the measurement is fit to judge: enough seeds and images,
every variant at its own learning rate; else the finding is inconclusive, and names what is missing. What the
authors noted is compared with what they printed.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from alexnet import lab_notes, paper, published
from alexnet.experiments import computed, towers
from alexnet.experiments.answers import (
    ENOUGH_SEEDS,
    LOOK_LEVEL,
    UNDECIDED,
    answer,
    compared,
    describe_figure,
    experiments_for,
    judge_once,
    more_seeds,
)
from alexnet.experiments.arm_tables import package_arms
from alexnet.experiments.claims import CLAIMS, Claim
from alexnet.experiments.experiment import Experiment
from alexnet.experiments.finding import ILSVRC, LOGS, Finding, Source
from alexnet.experiments.finished import Finished
from alexnet.experiments.intervals import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Interval,
    fraction_p_value,
    mean_interval,
    over_seeds_and_images,
    ratio_interval,
    verdict,
)
from alexnet.experiments.search import LOOKS, counted, missing_rates, shared_seeds
from alexnet.experiments.sharpen import next_step
from alexnet.models import summary
from alexnet.optim.schedule import LOGGED
from alexnet.recipes import PAPER
from alexnet.storage import records

# From the authors' logs


def notes(net: str, lines: str = "") -> Source:
    """Return the place of a run's notes."""
    place = f", line{'s' * ('-' in lines)} {lines}" if lines else ""
    return Source(f"notes of #{net}{place}", lab_notes.notes_address(net, lines))


def by_logs(noted: Iterable[float], printed: Iterable[float | None]) -> str:
    """Return the verdict on the paper's numbers: that the logs have them, or contradicted if one differs.

    The paper prints a tenth of a per cent; what lies halfway between two may be rounded to either.

    Args:
        noted: fractions, by the authors' notes.
        printed: the paper's; None where it prints none.
    """
    pairs = zip(noted, printed, strict=True)
    agree = all(number is None or abs(own - number) <= 0.0005 + 1e-9 for own, number in pairs)
    return LOGS if agree else CONTRADICTED


def logged(worse: str, better: str, data: str, printed: tuple[float, float], *, remark: str = "") -> Finding:
    """Return by how much a network of the authors has a lower error than another, by their run notes.

    Args:
        worse: the network with the higher errors.
        better: the other.
        data: on which both were evaluated.
        printed: the paper's differences of the top-1 and the top-5 errors.
        remark: on the comparison.
    """
    runs = [lab_notes.find_run(net, data=data) for net in (worse, better)]
    top1, top5 = (getattr(runs[0], name) - getattr(runs[1], name) for name in ("top1", "top5"))
    return Finding(
        ours=f"{100 * top1:.2f} and {100 * top5:.2f} points",
        verdict=by_logs((top1, top5), printed),
        basis=f"#{worse} against #{better}, {data}, one run each{remark}",
        lacking="more than one run of each, by the same schedule",
        sources=tuple(notes(run.net, run.lines) for run in runs),
    )


def errors_logged(nets: Sequence[tuple[str, int]], data: str, printed: Sequence[paper.ErrorRates]) -> Finding:
    """Return the errors that the authors noted of networks.

    Args:
        nets: each by its name and its number of crops.
        data: on which they were evaluated.
        printed: their errors in the paper.
    """
    runs = [lab_notes.find_run(net, data=data, views=views) for net, views in nets]
    shown = "; ".join(f"{run.top1:.2%} and {run.top5:.2%}" for run in runs)
    named = ", ".join(f"#{net} with {views} crop{'s' * (views > 1)}" for net, views in nets)
    sources = tuple(notes(run.net, run.lines) for run in runs)
    verdict = by_logs(
        [error for run in runs for error in (run.top1, run.top5)],
        [error for rates in printed for error in (rates.top1, rates.top5)],
    )
    return Finding(ours=shown, verdict=verdict, basis=f"{named}, {data}", sources=sources)


ABOUT = 5  # "about 90" epochs are nearer to 90 than to 80 or 100


def schedule_logged() -> Finding:
    """Return when the authors divided the learning rate of #145 by 10, except for conv1."""
    noted = LOGGED["logged-2012"]
    stages = zip(noted.stages, noted.stages[1:], strict=False)
    drops = [later.epoch for before, later in stages if later.weight_cuts != before.weight_cuts]
    first = lab_notes.find_schedule("145").first_rate
    shown = (
        f"from {first:g}, {len(drops)} times, at epochs {', '.join(map(str, drops))} of {noted.num_epochs}"
    )
    basis = "#145 by its run notes; conv1 by a schedule of its own; the other biases' rate never, as saved"
    sources = (notes("145", lab_notes.find_schedule("145").lines),)
    agrees = first == paper.LEARNING_RATE and len(drops) == paper.LEARNING_RATE_DROPS
    agrees = agrees and abs(noted.num_epochs - paper.NUM_EPOCHS) < ABOUT
    verdict = LOGS if agrees else CONTRADICTED
    return Finding(ours=shown, verdict=verdict, basis=basis, sources=sources)


# Measured


@cache
def record(name: str) -> records.Record:
    """A record of the project."""
    return records.load(name)


def measured(effect: Interval, shown: str, found: records.Record, lacking: list[str]) -> Finding:
    """Judge a measured effect; a measurement that lacks something stays inconclusive, whatever it shows."""
    judged = INCONCLUSIVE if lacking else judge_once(effect)
    if judged == INCONCLUSIVE and not lacking:
        lacking = [UNDECIDED]
    return Finding(
        ours=shown,
        verdict=judged,
        basis=f"{found.scale}; interval of 95% over seeds and images",
        lacking="; ".join(lacking),
    )


# Measured by the engine


def answered(id: str) -> Finding | None:
    """Return the finding of the first experiment that has one on a claim; the others are told beside it.

    None before any comparison of any experiment has two seeds.
    """
    known = [
        (experiment, found)
        for experiment in experiments_for(id)
        if (found := answer(experiment, package_arms(experiment.name), id)) is not None
    ]
    if not known:
        return None
    (experiment, first), *others = known
    basis = first.basis
    for other, found in others:
        lacking = f", lacks {'; '.join(found.lacking)}" if found.lacking else ""
        basis += f". The experiment {other.name} beside it: {found.shown}{lacking}"
    return Finding(
        ours=first.shown,
        verdict=first.verdict,
        basis=basis,
        lacking="; ".join(first.lacking),
        command=again(experiment, id),
        arms=(
            *describe_arms(experiment, id),
            *(f"{other.name}: {arm}" for other, _ in others for arm in describe_arms(other, id)),
        ),
    )


def describe_arms(experiment: Experiment, id: str) -> tuple[str, ...]:
    """Say what the arms are that an experiment compares for a claim, and how long they train."""
    most = "at most " if experiment.stop_error is not None else ""
    return tuple(
        f"{name}: {arm.about}; {most}{arm.learning.epochs:g} epochs"
        for name in compared(experiment.answers[id])
        for arm in (experiment.arms[name],)
    )


def again(experiment: Experiment, id: str) -> str:
    """Return the command that settles or sharpens a claim, or where it is settled trains its arms anew.

    An experiment that cannot decide the claim is not repeated: another one is, or a full training.
    """
    if id in FULL_SCALE:
        return FULL_SCALE[id]
    name, arms = experiment.name, package_arms(experiment.name)
    another = any(id not in known.limits for known in experiments_for(id)) and id in experiment.limits
    if another or next_step(experiment, arms, Finished.of_package(name), id) is not None:
        return f"alexnet claims run {id}"
    command = f"alexnet experiment {name} --arms {' '.join(compared(experiment.answers[id]))}"
    seeds = max(len(counted(shared_seeds(asked, arms))) for asked in experiment.answers[id])
    more = seeds > len(experiment.seeds)
    return f"{command} --seeds {' '.join(map(str, range(seeds)))}" if more else command


def by_experiment(id: str) -> Finding:
    """Return an experiment's finding on a claim, or what it takes to have one."""
    if (known := answered(id)) is not None:
        return known
    best = experiments_for(id)[0]
    arms, names = package_arms(best.name), compared(best.answers[id])
    few = [name for name in names if name not in arms or len(arms[name].runs) < ENOUGH_SEEDS]
    of_which = f"of {', '.join(few)}" if few else "that the arms have in common"
    lacking = missing_rates(names, arms) or f"{ENOUGH_SEEDS} seeds {of_which}"
    return replace(unknown(lacking, command=again(best, id)), arms=describe_arms(best, id))


# Not yet


def unknown(lacking: str, *, command: str = "") -> Finding:
    """A claim of which nothing that judges it is known here."""
    return Finding(ours="", verdict=INCONCLUSIVE, basis="", lacking=lacking, command=command)


def needs_ilsvrc(*, ours: str = "", basis: str = "", sources: tuple[Source, ...] = ()) -> Finding:
    """A claim that only a training on ILSVRC can settle."""
    return Finding(
        ours=ours,
        verdict=ILSVRC,
        basis=basis,
        lacking="a training on ILSVRC",
        command="alexnet train --data imagenet-256 --recipe code2012 --out runs/imagenet",
        sources=sources,
    )


def needs_fall_2009() -> Finding:
    """A claim that needs the Fall 2009 release, with 10,184 classes and a sixth convolution."""
    return Finding(
        ours="",
        verdict=ILSVRC,
        basis="the run notes have errors of another network on that release (#131-2009), and no score of the "
        "one trained on half of it (#141-2009-half)",
        lacking="a training on half of the Fall 2009 release of ImageNet",
        command="alexnet train --data fall2009-256 --recipe code2012 --net sixth-conv --out runs/fall2009",
        sources=(notes("131-2009"), notes("141-2009-half")),
    )


def in_memory() -> Finding:
    """The time needs the data and the machine; whether the network fits into its memory is computed."""
    rows = summary(PAPER.net).tower_rows
    needed = sum(row.parameter_bytes + row.activation_bytes + row.gradient_bytes for row in rows) / 2**30
    shown = f"a tower with a batch of {paper.BATCH_SIZE} needs {needed:.1f} of {paper.GPU_MEMORY_GIB} GiB"
    days = paper.NUM_EPOCHS * published.LATER_PARTS * published.LATER_SECONDS / 86400
    later = f"the documentation of {published.LATER[0].network} shows {published.LATER_SECONDS} s for one of "
    later += f"{published.LATER_PARTS} parts of the images: {paper.NUM_EPOCHS} epochs in {days:.1f} days"
    basis = f"the memory is computed; {later} on one GPU, with fewer kernels"
    sources = (Source(published.LATER[0].network, published.LATER[0].source),)
    return needs_ilsvrc(ours=shown, basis=basis, sources=sources)


def two_gpu_time() -> Finding:
    """Return how long the half network's step takes on one device, against two towers on two of its kind."""
    found = record("two-gpu-time")
    seconds = found.results["seconds"]
    effect = ratio_interval(seconds["half network"], seconds["two towers"])
    judged, lacking = judge_once(effect, nothing=1.0, ratio=True), []
    if not found.environment["device"].startswith("cuda"):
        judged, lacking = INCONCLUSIVE, ["two GPUs"]
    elif judged == INCONCLUSIVE:
        lacking = [MORE_ROUNDS]
    return Finding(
        ours=f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times as fast as the half network",
        verdict=judged,
        basis=f"{found.scale}; interval of 95% over rounds",
        lacking="; ".join(lacking),
        command="python benchmarks/two_ranks.py --net paper --batch 128 "
        "--record data/records/two-gpu-time.json",
    )


NEGLIGIBLE = 0.01  # of a step's time
MORE_ROUNDS = "more rounds, since chance alone may explain the difference"


def augmentation_time() -> Finding:
    """Return how much longer a training step is with augmentation than without.

    The CPU computes it while the device trains on the batch before. It is free if it adds no more than
    `NEGLIGIBLE` of the step.
    """
    found = record("augmentation-time")
    seconds = found.results["seconds"]
    pair = seconds["with augmentation"], seconds["without"]
    effect, speed = ratio_interval(*pair), ratio_interval(*reversed(pair))
    judged, lacking = judge_once(speed, nothing=1 / (1 + NEGLIGIBLE), ratio=True), []
    if not found.environment["device"].startswith("cuda"):
        judged, lacking = INCONCLUSIVE, ["a GPU that trains while the CPU augments"]
    elif judged == INCONCLUSIVE:
        lacking = [MORE_ROUNDS]
    shown = f"a step takes {effect.mean:.3f} [{effect.low:.3f}, {effect.high:.3f}] times as long with it"
    return Finding(
        ours=shown,
        verdict=judged,
        basis=f"{found.scale}; interval of 95% over rounds",
        lacking="; ".join(lacking),
        command="python benchmarks/augmentation.py --record data/records/augmentation-time.json",
    )


def specialised() -> Finding:
    """Return how many kernels respond to stripes, and in how many runs the towers differ in colour.

    A run specialises if its towers differ more than 95% of random halves of the same kernels do. The paper
    says it of every run. The claim is supported if every run does and their fraction is decided to lie above
    a half, and contradicted if it is decided to lie below: then it is not even so in most runs. That is
    decided by the exact sign test, for 5, 10 or 20 runs, at the level of three such looks.
    """
    name = "imagenette"
    found, gaps = record(name), dict(counted(sorted(towers.colour_gaps(name).items())))
    runs, effect = towers.specialising(gaps), towers.beyond_chance(gaps)
    before, striped = (towers.count_striped(name, first=first) for first in (True, False))
    sizes = ", ".join(f"{100 * gap.size:.0f}" for gap in gaps.values())
    dealt = sum(gap.dealt for gap in gaps.values()) / len(gaps)
    apart = round(runs.mean * len(gaps))
    shown = f"{min(striped)} to {max(striped)} of 96 kernels respond to stripes, after one epoch "
    shown += f"{max(before) or 'none'}; in {apart} of {len(gaps)} runs "
    shown += f"the towers differ in colour by more than chance ({runs.low:.0%} to {runs.high:.0%} of runs): "
    shown += f"their fractions of weights that depend on colour lie {sizes} points apart, random halves "
    shown += f"{100 * dealt:.0f}"
    shown += f"; beyond chance: {effect.in_points()}" if len(gaps) > 1 else ""
    p = fraction_p_value(apart, len(gaps))
    judged, lacking = verdict(runs, nothing=0.5, corrected_p=p, level=LOOK_LEVEL), []
    if judged == SUPPORTED and apart < len(gaps):
        judged, lacking = (
            INCONCLUSIVE,
            [f"towers that differ by more than chance in every run: {apart} of {len(gaps)} do"],
        )
    elif judged == INCONCLUSIVE:
        more = [look for look in LOOKS[1:] if look > len(gaps)]  # the first look decides nothing
        wanted = f"{more[0]} runs" if more else f"runs beyond {LOOKS[-1]}, at which nothing is judged"
        lacking = [f"{wanted}, since it is open whether most specialise"]
        if apart < len(gaps):
            lacking.append("and as not every one does, the claim can only be contradicted")
    return Finding(
        ours=shown, verdict=judged, basis=f"{found.scale}; interval of 95%", lacking="; ".join(lacking)
    )


def less(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Return the difference of two fractions over images, each "mean", "low" and "high", with its interval.

    Its half-width is that of fractions of different images, and too wide for the same ones.
    """
    mean = a["mean"] - b["mean"]
    width = math.hypot(*((each["high"] - each["low"]) / 2 for each in (a, b)))
    return {"mean": mean, "low": mean - width, "high": mean + width}


def bounded(share: float, num_images: int) -> dict[str, float]:
    """Return a mean share over images with the widest interval that it can have, a share lying in 0 to 1."""
    width = NORMAL * math.sqrt(share * (1 - share) / num_images)
    return {"mean": share, "low": share - width, "high": share + width}


NORMAL = 1.96  # standard deviations to either side that hold 95% of a normal distribution


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
    shown += f"; {found.data['images']['train'] // 2:,} is that of a random image"
    few = len(trained) < ENOUGH_SEEDS
    lacking = [more_seeds(len(trained))] if few else []
    controls = [found.results["pixels"][k], *(each[k] for each in found.results["untrained"])]
    best = max(controls, key=lambda each: each["mean"])
    effect = over_seeds_and_images([less(each[k], best) for each in found.results["trained"]])
    if len(trained) > 1:
        shown += f"; {effect.in_points()} points more than the best of these controls"
    if len(places) > 1 and not mean_interval([place - int(k) for place in places]).low > 0:
        lacking.append(f"a nearest image by features that is not among the {k} nearest by pixels")
    return measured(effect, shown, found, lacking)


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
    num_queries = found.data["images"]["val"]
    pairs = [[bounded(share, num_queries) for share in pair] for pair in zip(ours, pixels, strict=True)]
    effect = over_seeds_and_images([less(*pair) for pair in pairs])
    if len(runs) > 1:
        shown += f"; {effect.in_points()} points more than codes of pixels"
    drawn = sum(run["codes"]["projection"][bits] for run in runs) / len(runs)
    speed = found.results["queries_per_second"]
    faster = max(speed[bits].values()) / max(speed["features"].values())
    shown += (
        f"; {drawn:.0%} by codes of random projections of the features. By the faster of two programs for "
    )
    shown += f"each, codes are searched {faster:.0f} times as fast as features (not judged)"
    few = len(runs) < ENOUGH_SEEDS
    lacking = [more_seeds(len(runs))] if few else []
    return measured(effect, shown, found, lacking)


def ten_crops() -> Finding:
    """One network of the authors by their notes, and beside it the gain of small networks on Imagenette."""
    printed = (paper.ILSVRC2010_ONE_CROP, paper.ILSVRC2010_TEST[-1])
    logged_errors = errors_logged((("145-2010", 1), ("145-2010", 10)), TEST, printed)
    found = record("imagenette-answers")
    effect = over_seeds_and_images([run["ten_against_centre"]["gain"] for run in found.results["seeds"]])
    known = INCONCLUSIVE if effect.num_values < ENOUGH_SEEDS else judge_once(effect)
    one, ten = paper.ILSVRC2010_ONE_CROP.top1, paper.ILSVRC2010_TEST[-1].top1
    assert one is not None and ten is not None
    figure = describe_figure(one - ten, "error", [effect])
    scale = (
        f"{known} in small networks: {effect.in_points()} points of top-1 error; {figure} ({found.scale}; "
    )
    scale += "interval of 95% over seeds and images)"
    repeated = replace(logged_errors, basis=f"{logged_errors.basis}; {scale}")
    return with_published(repeated, published.LATER)


def with_best_before() -> Finding:
    """One network by the notes; the best before by those whom the paper cites."""
    found = errors_logged((("145-2010", 10),), TEST, paper.ILSVRC2010_TEST[-1:])
    best = Source("Sánchez & Perronnin (2011)", published.SANCHEZ)
    basis = f"{found.basis}; the best before are those of {best.name}, as the paper cites them"
    return replace(found, basis=basis, sources=(*found.sources, best))


def with_averages() -> Finding:
    """Single networks by the notes; the averages by the contest's page, which has test errors alone."""
    one, five, tuned, seven = paper.ILSVRC2012[1:]
    found = errors_logged((("145", 10), ("146-2012-2011", 10)), VALIDATION, (one, tuned))
    of_averages = by_logs([entry.top5 for entry in lab_notes.CONTEST], (five.top5_test, seven.top5_test))
    averages = " and ".join(f"{entry.top5:.2%} of {len(entry.nets)}" for entry in lab_notes.CONTEST)
    ours = f"{found.ours}; averaged networks on the test set, top-5: {averages}"
    basis = f"{found.basis}, and the contest's page of results"
    small = record("imagenette-answers")
    gain = {name: 100 * value for name, value in small.results["average"]["ten_crops"]["over_one"].items()}
    nets = len(small.results["seeds"])
    points = f"{gain['mean']:.1f} [{gain['low']:.1f}, {gain['high']:.1f}] points of top-1 error"
    basis += (
        f"; {nets} small networks gain {points} by being averaged, on ten crops ({small.scale}; interval "
    )
    basis += "of 95% over images, one group of networks, which judges nothing)"
    lacking = "a source for the averages' validation errors"
    sources = (*found.sources, Source("results of the contest", lab_notes.CONTEST_PAGE))
    judged = found.verdict if of_averages == LOGS else of_averages
    found = replace(found, ours=ours, verdict=judged, basis=basis, lacking=lacking, sources=sources)
    return with_published(found, published.OTHERS)


def with_measured(id: str, finding: Finding) -> Finding:
    """Add what an experiment at small scale shows, and the command that repeats it."""
    if (known := answered(id)) is None:
        return replace(finding, command=f"alexnet claims run {id}")
    lacking = f"; lacks {known.lacking}" if known.lacking else ""
    scale = f"{known.verdict} in a small AlexNet: {known.ours} ({known.basis}{lacking})"
    return replace(finding, basis=f"{finding.basis}; {scale}", command=known.command, arms=known.arms)


def with_file(finding: Finding) -> Finding:
    """Add how the weights and biases of the paper's network start in its file."""
    address = f"{lab_notes.ARCHIVE}/blob/{lab_notes.REVISION}/layers/layers-145.cfg"
    sources = (*finding.sources, Source("layers of #145", address))
    basis = f"{finding.basis}; {computed.initial_values_of_file()}"
    return replace(finding, basis=basis, sources=sources)


def with_published(finding: Finding, others: Sequence[published.Published], *, top5: bool = True) -> Finding:
    """Add the errors that others have published at full scale."""
    shown, before = [], ("", "")
    for each in others:
        named = [now for now, last in zip((each.network, each.differs), before, strict=True) if now != last]
        before = each.network, each.differs
        rates = " and ".join(each.shown[: 1 + top5])
        shown.append(", ".join([*named, f"{each.views} crop{'s' * (each.views > 1)}: {rates}"]))
    which = "top-1 and top-5 errors" if top5 else "top-1 errors"
    told = f"Published {which}, ILSVRC-2012 validation: {'; '.join(shown)}"
    sources = dict.fromkeys((*finding.sources, *(Source(each.network, each.source) for each in others)))
    basis = f"{finding.basis}{'. ' if finding.basis else ''}{told}"
    return replace(finding, basis=basis, sources=tuple(sources))


VALIDATION, TEST = lab_notes.VAL_2012, lab_notes.TEST_2010
TWO_GPU = paper.TWO_GPU_TOP1_GAIN, paper.TWO_GPU_TOP5_GAIN
NORM, POOL = (paper.LRN_TOP1_GAIN, paper.LRN_TOP5_GAIN), (paper.POOL_TOP1_GAIN, paper.POOL_TOP5_GAIN)
THREE = ", which differ in a third normalisation too, over pixels, that the paper does not mention"
EVIDENCE: dict[str, Callable[[], Finding]] = {
    "params": computed.params,
    "neurons": computed.neurons,
    "neurons-per-layer": computed.neurons_per_layer,
    "layer-shapes": computed.layer_shapes,
    "input-224": computed.input_224,
    "conv-share": computed.conv_share,
    "remove-layer": lambda: with_published(
        by_experiment("remove-layer"), (published.WHOLE, *published.WITHOUT.values()), top5=False
    ),
    "relu-speed": partial(by_experiment, "relu-speed"),
    "relu-several": partial(by_experiment, "relu-several"),
    "two-gpu-accuracy": lambda: with_measured(
        "two-gpu-accuracy", logged("145-half", "145-2010", TEST, TWO_GPU)
    ),
    "two-gpu-time": two_gpu_time,
    "gpu-connectivity": computed.gpu_connectivity,
    "lrn-formula": computed.lrn_formula,
    "lrn-accuracy": lambda: with_measured(
        "lrn-accuracy", logged("148", "145", VALIDATION, NORM, remark=THREE)
    ),
    "lrn-cifar": partial(by_experiment, "lrn-cifar"),
    "pool-accuracy": lambda: with_measured("pool-accuracy", logged("147", "145", VALIDATION, POOL)),
    "pool-overfit": partial(by_experiment, "pool-overfit"),
    "aug-factor": computed.aug_factor,
    "aug-needed": partial(by_experiment, "aug-needed"),
    "pca-colour": partial(by_experiment, "pca-colour"),
    "aug-free": augmentation_time,
    "ten-crop": ten_crops,
    "dropout-overfit": partial(by_experiment, "dropout-overfit"),
    "dropout-iterations": partial(by_experiment, "dropout-iterations"),
    "dropout-mean": computed.dropout_mean,
    "update-rule": computed.update_rule,
    "weight-decay": partial(by_experiment, "weight-decay"),
    "init": lambda: with_file(by_experiment("init")),
    "lr-schedule": schedule_logged,
    "train-time": in_memory,
    "ilsvrc2010": with_best_before,
    "ilsvrc2012": with_averages,
    "imagenet2009": needs_fall_2009,
    "kernels": specialised,
    "retrieval": retrieved,
    "binary-codes": coded,
    "depth-data": partial(by_experiment, "depth-data"),
}


#: What settles a claim that an experiment measures and cannot decide, from a clone.
#:
#: :meta hide-value:
FULL_SCALE = {
    "weight-decay": "for seed in 0 1 2 3 4; do for recipe in code2012 data/recipes/no-weight-decay.json; do "
    "run=runs/$(basename $recipe .json)-$seed; alexnet train --data imagenet-256 --recipe $recipe "
    "--seed $seed --out $run; alexnet evaluate $run --data imagenet-256 --split train; done; done",
}
#: What repeats or extends a measurement that is none of an experiment, from a clone; see ``PLACES``.
#:
#: :meta hide-value:
COMMANDS = {
    "kernels": "for seed in 0 1 2 3 4 5 6 7 8 9; do alexnet train --data FOLDER --seed $seed "
    "--recipe data/recipes/imagenette.json --out runs/imagenette-$seed; done; "
    "python -m tools.ship imagenette runs/imagenette-*",
    "ten-crop": "python -m tools.answers FOLDER RUN... --record data/records/imagenette-answers.json",
    "retrieval": "python -m tools.retrieval FOLDER RUN... --record data/records/imagenette-retrieval.json",
    "binary-codes": "python -m tools.codes FOLDER RUN... --record data/records/imagenette-codes.json",
}


PLACES = (
    "FOLDER is Imagenette as `alexnet data prepare` leaves it, and every RUN a training on it by "
    "data/recipes/imagenette.json, each with its own seed; `python -m tools.ship imagenette RUN...`, given "
    "all of them, puts their kernels into the ledger"
)


def finding(id: str) -> Finding:
    """Compute the finding on a claim.

    What is computed or read from the authors' notes is so at every call, so that its command is this one.
    """
    found = EVIDENCE[id]()
    return found if found.command else replace(found, command=COMMANDS.get(id, f"alexnet claims {id}"))


def ledger() -> list[tuple[Claim, Finding]]:
    """Return all claims with their findings, in the order of the paper."""
    return [(known, finding(known.id)) for known in CLAIMS]

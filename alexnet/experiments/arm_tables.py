"""Tables of an experiment's arms from the finished trials that come with the package, for the chapters."""

import statistics
from collections.abc import Mapping, Sequence
from functools import cache

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.answers import ENOUGH_SEEDS, LOSSES, MEASURES
from alexnet.experiments.experiment import Comparison, Experiment
from alexnet.experiments.finished import Finished
from alexnet.experiments.intervals import mean_interval
from alexnet.experiments.search import SEARCH_SEED, Found, count_fitting, counted_runs, find_arms, judged
from alexnet.experiments.trial import HELD_OUT, epochs_to


@cache
def package_arms(name: str) -> Mapping[str, Found]:
    """What the finished trials that come with the package show of an experiment's arms."""
    return find_arms(EXPERIMENTS[name], Finished.of_package(name))


def tabulate(
    name: str, arms: Sequence[str], *, over: str = "base", measures: Sequence[str] = ("train_error", "error")
) -> str:
    """Return a Markdown table of an experiment's arms, each at the learning rate that was found for it.

    The seeds are those that count for the claims: the first 5, 10 or 20. An arm that the package has no two
    seeds of is named below the table, with the command that trains it.

    Args:
        name: of the experiment.
        arms: their names, in the order of the rows.
        over: the arm that the others are compared with, one of them or not.
        measures: see `Comparison`; shown as the range over the seeds. The last one is compared, as the mean
            difference over paired seeds with its 95% interval.
    """
    return tabulate_found(EXPERIMENTS[name], package_arms(name), arms, over=over, measures=measures)


def tabulate_found(
    experiment: Experiment,
    found: Mapping[str, Found],
    arms: Sequence[str],
    *,
    over: str,
    measures: Sequence[str],
) -> str:
    """Return the table of `tabulate` for these results of an experiment."""
    compared = measures[-1]
    heads = ["arm", "learning rate", *(MEASURES[measure] for measure in measures)]
    heads.append(f"{MEASURES[compared]} against *{over}*")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    shown = [arm for arm in arms if arm in found and found[arm].settled and len(found[arm].runs) > 1]
    for arm in shown:
        cells = [f"*{arm}*: {experiment.arms[arm].about}", f"{found[arm].rate:g}"]
        cells += [describe_range(experiment, found[arm], measure) for measure in measures]
        effects = judged(experiment, Comparison(better=arm, worse=over, measure=compared), found)
        cells.append("" if arm == over else describe_effect(effects, compared))
        lines.append(f"| {' | '.join(cells)} |")
    below = [describe_scale(experiment, found, shown)] if shown else []
    if missing := [arm for arm in arms if arm not in shown]:
        named = ", ".join(f"*{arm}*" for arm in missing)
        both = dict.fromkeys([over, *missing])  # an experiment of one's own begins without these trials
        command = f"alexnet experiment {experiment.name} --arms {' '.join(both)}"
        below.append(f"Not trained yet: {named}. `{command}` does so.")
    return "\n".join([*lines, "", " ".join(below)])


def tabulate_search(name: str, arms: Sequence[str]) -> str:
    """Return a Markdown table of the searches for arms' learning rates, one training each.

    Args:
        name: of the experiment, one that is judged by the error at the end.
        arms: their names, those that the package has trials of.
    """
    experiment, finished = EXPERIMENTS[name], Finished.of_package(name)
    lines = [
        "| arm | learning rate | training error | error on held-out images |",
        "| --- | ---: | ---: | ---: |",
    ]
    for arm in arms:
        for rate in package_arms(name)[arm].scores:
            outcome = finished.find(experiment.trial(arm, rate=rate, seed=SEARCH_SEED, split=HELD_OUT))
            assert outcome is not None
            lines.append(f"| *{arm}* | {rate:g} | {outcome.train_error:.1%} | {outcome.error:.1%} |")
    return "\n".join(lines)


def epochs_to_target(name: str, arm: str, target: float) -> list[float]:
    """Return after how many epochs an arm of a race had a training error, for every seed that counts.

    Args:
        name: of the experiment, a race.
        arm: its name; the package has finished trials of it.
        target: the training error as a fraction, that of the race or an easier one.
    Returns:
        epochs in the order of the seeds, infinite where the training ended before.
    """
    windows, found = EXPERIMENTS[name].windows, package_arms(name)[arm]
    return [epochs_to(run.errors, target, windows=windows) for run in counted_runs(found)]


def describe_range(experiment: Experiment, found: Found, measure: str) -> str:
    """Return the smallest and the largest value of a measure over an arm's seeds, for people."""
    values = [experiment.measure(run, measure) for run in counted_runs(found)]
    if measure in LOSSES:
        return f"{min(values):.3f} to {max(values):.3f}"
    return f"{min(values):.1%} to {max(values):.1%}"


def describe_effect(effects: Sequence[float], measure: str) -> str:
    """Describe by how much an arm lowers a measure, seed by seed: the mean with its 95% interval.

    It is no verdict: a table has many intervals, and the verdict on a claim is corrected for their number.
    """
    interval = mean_interval(effects)
    if interval.num_values < 2:
        return "fewer than two seeds"
    turned = interval if interval.mean >= 0 else mean_interval([-effect for effect in effects])
    nats = measure in LOSSES
    mean, low, high = (
        f"{end:+.3f}" if nats else f"{100 * end:+.1f}" for end in (turned.mean, turned.low, turned.high)
    )
    shown = f"{'lower' if interval.mean >= 0 else 'higher'} by {mean[1:]} {'nats' if nats else 'points'}"
    if not float(mean):
        shown = f"{mean[1:]} {'nats' if nats else 'points'} apart"
    few = f" ({interval.num_values} seeds)" if interval.num_values < ENOUGH_SEEDS else ""
    return f"{shown} [{low}, {high}]{few}"


def describe_scale(experiment: Experiment, found: Mapping[str, Found], arms: Sequence[str]) -> str:
    """Describe images, epochs, seeds and time of these arms."""
    runs = {arm: counted_runs(found[arm]) for arm in arms}
    counts = [len(each) for each in runs.values()]
    seeds = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
    epochs = sorted({experiment.arms[arm].learning.epochs for arm in arms})
    said = " or ".join(f"{each:g}" for each in epochs)
    minutes = round(statistics.fmean(run.seconds for each in runs.values() for run in each) / 60)
    return (
        f"{experiment.describe_sizes(arms)} images of CIFAR-10, {said} epochs, {seeds} seeds, every arm at "
        f"its own learning rate{describe_fits(experiment, found, arms)}; {minutes} "
        f"minute{'s' * (minutes != 1)} a training on one core. Each 95% interval stands for itself; the "
        "verdicts on claims are corrected for the number of comparisons."
    )


def describe_fits(experiment: Experiment, found: Mapping[str, Found], arms: Sequence[str]) -> str:
    """Say for which arms the rule that they must fit their images leaves the search one rate, or none."""
    if experiment.fit is None:
        return ""
    groups = {
        1: "the only one tried at which it fits its images",
        0: "fitting its images at none of those tried, the one of the lowest training loss",
    }
    said = []
    for number, which in groups.items():
        names = [f"*{arm}*" for arm in arms if count_fitting(found[arm]) == number]
        if names:
            said.append(f"{which}: {', '.join(names)}" if len(names) < len(arms) else which)
    return f" ({'; '.join(said)})" if said else ""

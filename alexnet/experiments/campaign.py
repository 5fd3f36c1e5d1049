"""An experiment from its start to its record: what ``alexnet experiment`` does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alexnet import data
from alexnet.experiments.execution import Execution, execute, expected_seconds
from alexnet.experiments.experiment import EPOCHS, Experiment
from alexnet.experiments.finished import Finished, rounded, shipped
from alexnet.experiments.intervals import Interval, mean_interval, ratio_interval
from alexnet.experiments.search import (
    SEARCH_SEED,
    Found,
    count_missing,
    find_arms,
    judged,
    missing_rates,
    pending,
    trials_of,
)
from alexnet.experiments.trial import Outcome, Trial, check_size, epochs_to
from alexnet.shown import duration, say
from alexnet.storage import records


def run_campaign(
    experiment: Experiment,
    dataset: data.ImageSet,
    finished: Finished,
    how: Execution,
    *,
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> bool:
    """Run the missing trials of an experiment, and print every finished trial with the number left.

    Args:
        experiment: what is measured.
        dataset: of the images.
        finished: its trials so far.
        how: they are run.
        arms: those that are asked for; none: all.
        seeds: at every best learning rate; none: the experiment's.
    Returns:
        whether nothing is left; False where what is left would end after the budget.
    Raises:
        ValueError: the data set has fewer training images than a trial takes; none has begun then.
    """
    seeds = seeds or experiment.seeds
    for trial in pending(experiment, finished, seeds, arms):
        check_size(trial, len(dataset.train_images))

    def report(trial: Trial, outcome: Outcome) -> None:
        measure = f"{trial.split} error {outcome.error:.1%}"
        if trial.stop_error is not None:
            epochs = experiment.measure(outcome, EPOCHS)
            measure = f"{epochs:.2f} epochs" if math.isfinite(epochs) else "not there"
        came = f"{describe_trial(trial)}: {measure}, {outcome.seconds:.0f} s"
        say(f"{came}; {left(experiment, finished, arms, seeds)}")

    say(left(experiment, finished, arms, seeds))

    def begin(trial: Trial) -> None:
        unknown = how.budget is not None and expected_seconds(trial, finished, how.device) is None
        may = "; the first on this kind of device, it is given up if it proves too long" if unknown else ""
        say(f"{describe_trial(trial)} begins{may}")

    def give_up(trial: Trial) -> None:
        say(f"{describe_trial(trial)} is given up: at this speed it would end after the budget")

    return execute(
        lambda: pending(experiment, finished, seeds, arms), finished, dataset, how, report, begin, give_up
    )


def describe_trial(trial: Trial) -> str:
    """Name a trial, for people."""
    searching = " (search)" if trial.seed == SEARCH_SEED else ""
    return f"{trial.arm}, learning rate {trial.rate:.3g}, seed {trial.seed}{searching}"


def left(experiment: Experiment, finished: Finished, arms: Sequence[str], seeds: Sequence[int]) -> str:
    """Return how many trials are left at least, and an estimate of their duration."""
    found = find_arms(experiment, finished)
    asked = arms or experiment.arms
    counts = {arm: count_missing(found.get(arm), seeds, fine=experiment.fine) for arm in asked}
    count, seconds = sum(counts.values()), estimate_seconds(experiment, finished, counts)
    if not count:
        missing = missing_rates(list(counts), found)
        return "no trial is left" + (f", but {missing} was not found" if missing else "")
    lasting = f", about {duration(seconds)} of a core" if math.isfinite(seconds) else ""
    return f"{count} {'trial is' if count == 1 else 'trials are'} left{lasting}"


def estimate_seconds(experiment: Experiment, finished: Finished, counts: Mapping[str, int]) -> float:
    """Return how long trials take on one core, by the time of those that are finished; infinite without any.

    Args:
        experiment: of the trials.
        finished: its trials so far.
        counts: how many of each arm.
    """
    outcomes = [line["outcome"] for line in finished.lines]
    if not outcomes:
        return math.inf
    seconds = sum(outcome["seconds"] for outcome in outcomes)
    if experiment.stop_error is not None:  # a race ends on arrival, whatever its limit
        return sum(counts.values()) * seconds / len(outcomes)
    images = sum(
        count * experiment.arms[arm].learning.epochs * experiment.num_images(arm)
        for arm, count in counts.items()
    )
    return images * seconds / sum(line["num_train"] * line["outcome"]["epochs"] for line in finished.lines)


def compute_interval(measure: str, differences: Sequence[float]) -> Interval:
    """Return the interval of a comparison's differences, or of the ratios of a race."""
    if measure == EPOCHS:
        return ratio_interval(differences, [1.0] * len(differences))
    return mean_interval(differences)


def compose_record(
    experiment: Experiment, dataset: data.ImageSet, finished: Finished, device: str
) -> records.Record:
    """Combine the results of an experiment with their provenance.

    The results have the experiment's "arms", for each its text, the "rate" that was found, whether the search
    is "settled", or has "failed" as nothing was learned, the "search" [[rate, score, second score], ...] and
    its "runs", for every seed a dictionary with the fields of `Outcome`; and the "answers" to its claims, for
    each the comparisons with intervals.
    """
    arms = find_arms(experiment, finished)
    runs = {seed for found in arms.values() for seed in found.runs}
    answers = {}
    for id, comparisons in experiment.answers.items():
        answers[id] = []
        for comparison in comparisons:
            interval = compute_interval(comparison.measure, judged(experiment, comparison, arms))
            answers[id].append(asdict(comparison) | rounded(asdict(interval)))
    return records.Record(
        experiment=experiment.name,
        scale=describe_scale(experiment, dataset.source, arms),
        data={"name": dataset.name, "source": dataset.source, "fingerprint": dataset.fingerprint},
        config={
            "num_train": experiment.num_train,
            "windows": experiment.windows,
            "stop_error": experiment.stop_error,
            "arms": {name: experiment.arms[name].settings for name in arms},
        },
        seeds=sorted(runs),
        environment=records.environment(device),
        seconds=round(sum_seconds(experiment, finished, arms), 1),
        results={
            "arms": {name: describe_arm(experiment, name, arms[name]) for name in arms},
            "answers": answers,
        },
    )


def sum_seconds(experiment: Experiment, finished: Finished, arms: dict[str, Found]) -> float:
    """Return how long the trials of arms have taken, those of their searches too."""
    tried = [trial for name, found in arms.items() for trial in trials_of(experiment, name, found)]
    trials = {trial.digest(finished.fingerprint) for trial in tried}
    return sum(line["outcome"]["seconds"] for line in finished.lines if line["trial"] in trials)


def describe_scale(experiment: Experiment, source: str, arms: dict[str, Found]) -> str:
    """Describe the data and the number of seeds in one sentence."""
    counts = {len(found.runs) for found in arms.values()} or {0}
    seeds = " to ".join(str(count) for count in sorted({min(counts), max(counts)}))
    images = f"{experiment.describe_sizes(arms)} training images of {source}"
    return f"{images}; {seeds} seeds at each arm's best learning rate"


def describe_arm(experiment: Experiment, name: str, found: Found) -> dict[str, Any]:
    """Return an arm's results for the record."""
    return {
        "about": experiment.arms[name].about,
        "rate": found.rate,
        "settled": found.settled,
        "failed": found.failed,
        "search": [[rate, *rounded({"score": list(score)})["score"]] for rate, score in found.scores.items()],
        "runs": [{"seed": seed} | rounded(asdict(outcome)) for seed, outcome in found.runs.items()],
    }


def open_finished(name: str, fingerprint: str, path: Path, *, with_shipped: bool) -> Finished:
    """Open an experiment's finished trials on a data set: those in a file, and those of the package."""
    return Finished(fingerprint, [path, *([shipped(name)] if with_shipped else [])], path)


def print_summary(record: records.Record) -> None:
    """Print each arm's measure over its seeds, and the comparisons."""
    race = record.config["stop_error"] is not None
    for name, arm in record.results["arms"].items():
        if race:
            target, windows = record.config["stop_error"], record.config["windows"]
            found = [epochs_to(run["errors"], target, windows=windows) for run in arm["runs"]]
            shown = " ".join(f"{epochs:.2f}" if math.isfinite(epochs) else "-" for epochs in found)
        else:
            shown = " ".join("-" if run["error"] is None else f"{run['error']:.1%}" for run in arm["runs"])
        if arm["failed"]:
            say(f"{name:20} learns at none of {len(arm['search'])} learning rates")
            continue
        searching = "" if arm["settled"] else " so far"
        measure = "epochs" if race else "test error"
        say(f"{name:20} learning rate {arm['rate']:<9g}{searching} {measure}: {shown}")
    for id, answers in record.results["answers"].items():
        for answer in answers:
            if answer["mean"] is not None:
                numbers = (answer[part] for part in ("mean", "low", "high"))
                shown = [f"{number:.4f}" if number is not None else "unbounded" for number in numbers]
                pair = f"{answer['better']} against {answer['worse']}, {answer['measure']}"
                say(f"{id}: {pair}: {shown[0]} [{shown[1]}, {shown[2]}]")

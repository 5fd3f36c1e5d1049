"""The finding of finished trials on a claim: an effect with its interval, and the verdict."""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from alexnet.experiments import EXPERIMENTS
from alexnet.experiments.campaign import compute_interval
from alexnet.experiments.experiment import COURSE, EPOCHS, GAP, Comparison, Experiment
from alexnet.experiments.intervals import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Interval,
    holm,
    p_value,
    ratio_interval,
    student_p,
    verdict,
)
from alexnet.experiments.search import (
    LOOKS,
    Found,
    count_fitting,
    counted,
    judged,
    missing_rates,
    shared_seeds,
)
from alexnet.experiments.trial import Outcome

ENOUGH_IMAGES = 10_000  # of the experiment; an arm that asks what half of them do has half
ENOUGH_SEEDS = LOOKS[0]
#: The significance level of each of three such looks, so that by chance alone one of them gives a verdict
#: once in twenty times (Pocock, 1977; found here by simulation, as the seeds are few).
LOOK_LEVEL = 0.019
MEASURES = {
    "error": "test error",
    "loss": "test loss",
    "train_error": "training error",
    "train_loss": "training loss",
    GAP: "test less training error",
    COURSE: "mean training loss",
}
ROUNDS = 0.5  # a factor that is printed as a whole number stands for those within this of it
FLOOR = 0.005  # training error below which a network has no images left to fit
FITTED = ("error", "loss", GAP)  # compared between networks that fit their training images
UNDECIDED = "more seeds, since chance alone may explain the effect"
FACTOR_UNDECIDED = "more seeds, since those so far do not decide whether the factor rounds to the paper's"
#: An error that is counted during an epoch is that of its middle, on average; by another reading, that of its
#: end. A race has a verdict where both give it.
AT_ENDS = 0.5
DATINGS = (0.0, AT_ENDS)
DATED = "a verdict that does not depend on whether an error is dated at the middle of its epoch or the end"
EXHAUSTED = f"a verdict: {LOOKS[-1]} seeds, the last number that is judged, do not give one"
OTHER_FACTOR = "the paper's own network; in every setup here the factor is another one"
ONE_OF_MANY = "more seeds, since among as many comparisons as are made together chance may explain the effect"
LOSSES = ("loss", "train_loss", COURSE)  # in nats, not in percentage points


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An experiment's finding on a claim.

    Attributes:
        shown: the effects with their intervals, for people.
        verdict: supported if every comparison supports the claim, contradicted if one contradicts it; of a
            claim that gives a factor see `judge_factor`.
        basis: data, seeds and scale.
        lacking: what is missing for a verdict; empty if nothing is.
    """

    shown: str
    verdict: str
    basis: str
    lacking: list[str]

    @property
    def settled(self) -> bool:
        """Whether the verdict is one."""
        return self.verdict != INCONCLUSIVE


def experiments_for(id: str) -> list[Experiment]:
    """Return the experiments that measure a claim, the one that settles it best first."""
    return [known for known in EXPERIMENTS.values() if id in known.answers]


def answer(experiment: Experiment, arms: Mapping[str, Found], id: str) -> Answer | None:
    """Return an experiment's finding on a claim; None before any of its comparisons has two seeds.

    Args:
        experiment: that has the claim among its answers.
        arms: what its finished trials show.
        id: of the claim.
    """
    comparisons = experiment.answers[id]
    effects = {
        asked: compute_interval(asked.measure, judged(experiment, asked, arms)) for asked in comparisons
    }
    known = {asked: effect for asked, effect in effects.items() if effect.num_values > 1}
    if not known:
        return None
    figure, lacking = experiment.figures.get(id), lacks(experiment, effects, arms)
    is_race = comparisons[0].measure == EPOCHS
    by_factor = figure is not None and is_race
    by_dating = {judge_together(experiment, arms, id, late=late) for late in (DATINGS if is_race else (0.0,))}
    given = next(iter(by_dating)) if len(by_dating) == 1 else INCONCLUSIVE
    if by_dating == {SUPPORTED, CONTRADICTED}:
        lacking.append(DATED)
    elif by_factor and given == CONTRADICTED:
        lacking.append(OTHER_FACTOR)
    elif given == INCONCLUSIVE and all(effect.num_values >= ENOUGH_SEEDS for effect in effects.values()):
        clear = not any(effect.contains(choose_null_value(asked)) for asked, effect in effects.items())
        last = all(effect.num_values >= LOOKS[-1] for effect in effects.values())
        open_still = FACTOR_UNDECIDED if by_factor else ONE_OF_MANY if clear else UNDECIDED
        lacking.append(EXHAUSTED if last else open_still)
    lacking += [experiment.limits[id]] if id in experiment.limits else []
    given = INCONCLUSIVE if lacking else given
    shown = [describe_effect(asked, effect) for asked, effect in known.items()]
    papers = [asked for asked in known if not asked.control]
    if figure is not None and papers:
        ruled = any(arms[name].lower_unfitted is not None for name in compared(papers))
        intervals = [known[asked] for asked in papers]
        shown.append(describe_figure(figure, comparisons[0].measure, intervals, ruled=ruled))
    if is_race:
        late = [compute_interval(EPOCHS, judged(experiment, asked, arms, late=AT_ENDS)) for asked in known]
        ends = " and ".join(f"{each.mean:.2f} [{each.low:.2f}, {each.high:.2f}]" for each in late)
        shown.append(f"with errors dated at the ends of their epochs, not the middles: {ends}")
    return Answer(
        shown="; ".join(shown),
        verdict=given,
        basis=describe_basis(experiment, comparisons, known, arms),
        lacking=lacking,
    )


def describe_basis(
    experiment: Experiment,
    comparisons: Sequence[Comparison],
    known: Mapping[Comparison, Interval],
    arms: Mapping[str, Found],
) -> str:
    """Say on what a finding rests: network, images, seeds, the choice of the learning rates, and the fits.

    Args:
        experiment: that has it.
        comparisons: all that the claim rests on.
        known: the effects of those that have one.
        arms: what the finished trials show.
    """
    counts = sorted({effect.num_values for effect in known.values()})
    rate = "learning rate"
    if experiment.fit is not None:
        rate += ", the best of those tried at which it fits its images"
        only = [name for name in compared(list(known)) if count_fitting(arms[name]) == 1]
        rate += f" (there is but one for {', '.join(only)})" if only else ""
    if (target := experiment.stop_error) is not None:
        rate = f"constant learning rate, to {target:.0%} training error"
    sizes = experiment.describe_sizes(compared(comparisons))
    fitted = describe_fits([asked for asked in known if asked.measure in FITTED], arms)
    return (
        f"{experiment.network}, {sizes} training images of CIFAR-10, {' or '.join(map(str, counts))} seeds, "
        f"every arm at its own {rate}; interval of 95%{fitted}"
    )


def judge_together(experiment: Experiment, arms: Mapping[str, Found], id: str, *, late: float = 0.0) -> str:
    """Return the verdict of a claim's comparisons, whatever else it may lack; see `judged` for ``late``."""
    comparisons, figure = experiment.answers[id], experiment.figures.get(id)
    found = {asked: judged(experiment, asked, arms, late=late) for asked in comparisons}
    if figure is not None and comparisons[0].measure == EPOCHS:
        return judge_factor(figure, list(found.values()), together=len(made_together(experiment)))
    p_values = corrected(experiment, arms, late=late)
    return all_together(
        {
            judge(asked, compute_interval(asked.measure, effects), p_values[asked])
            for asked, effects in found.items()
        }
    )


def all_together(verdicts: Collection[str]) -> str:
    """Return the verdict on a claim that says several things: supported where all are."""
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return INCONCLUSIVE if INCONCLUSIVE in verdicts else SUPPORTED


def judge(asked: Comparison, effect: Interval, corrected_p: float) -> str:
    """Return the verdict of one comparison."""
    return verdict(effect, nothing=choose_null_value(asked), corrected_p=corrected_p, level=LOOK_LEVEL)


def judge_factor(figure: float, ratios: Sequence[Sequence[float]], *, together: int) -> str:
    """Return the verdict on a claim that gives a factor, such as six times the epochs.

    A printed factor stands for all that round to it. A setup has such a factor if both ends of these are
    excluded, the mean lying between them, and another one if the nearest end is. The claim is supported if
    one setup has such a factor, since the paper says it of one network, and the others are decided as well.
    If every setup has another one, these contradict it, and the claim of a network that the paper does not
    name is open.

    Args:
        figure: the factor.
        ratios: for each comparison the ratios by seed.
        together: how many comparisons are made together; Bonferroni's correction is by their number.
    """
    found, ends = [], (figure - ROUNDS, figure + ROUNDS)
    for setup in ratios:
        p = max(p_value([math.log(ratio / end) for ratio in setup]) for end in ends)  # of the nearest end
        inside = ends[0] <= ratio_interval(setup, [1.0] * len(setup)).mean <= ends[1]
        decided = SUPPORTED if inside else CONTRADICTED
        found.append(decided if together * p < LOOK_LEVEL else INCONCLUSIVE)
    if SUPPORTED in found and INCONCLUSIVE not in found:
        return SUPPORTED
    return CONTRADICTED if set(found) == {CONTRADICTED} else INCONCLUSIVE


def is_beyond_seeds(experiment: Experiment, arms: Mapping[str, Found], id: str) -> bool:
    """Whether no more seeds can give a race's claim a verdict.

    So it is when every setup is decided to have another factor than the paper's, and when two ways to date an
    error are both decided and lead to different verdicts.
    """
    if experiment.answers[id][0].measure != EPOCHS:
        return False
    by_dating = {judge_together(experiment, arms, id, late=late) for late in DATINGS}
    return by_dating == {SUPPORTED, CONTRADICTED} or (
        by_dating == {CONTRADICTED} and id in experiment.figures
    )


def may_have_factor(experiment: Experiment, arms: Mapping[str, Found], id: str) -> bool:
    """Whether a setup has the paper's factor by its means so far, or no seeds; True for what is no race."""
    figure = experiment.figures.get(id)
    if figure is None or experiment.answers[id][0].measure != EPOCHS:
        return True
    for asked in experiment.answers[id]:
        by_dating = [judged(experiment, asked, arms, late=late) for late in DATINGS]
        if not all(by_dating):
            return True
        means = [ratio_interval(ratios, [1.0] * len(ratios)).mean for ratios in by_dating]
        if all(figure - ROUNDS <= mean <= figure + ROUNDS for mean in means):
            return True
    return False


def judge_once(effect: Interval, *, nothing: float = 0.0, ratio: bool = False) -> str:
    """Return the verdict on an effect that is no comparison of an experiment, at the same level.

    Args:
        effect: with its interval.
        nothing: the value of no effect.
        ratio: the interval is that of a mean logarithm.
    """
    if effect.num_values < 2:
        return INCONCLUSIVE
    found = effect
    if ratio:
        mean, low, high = map(math.log, (effect.mean, effect.low, effect.high))
        found = Interval(mean, low, high, effect.num_values)
    p = student_p(found, math.log(nothing) if ratio else nothing)
    return verdict(effect, nothing=nothing, corrected_p=p, level=LOOK_LEVEL)


def choose_null_value(asked: Comparison) -> float:
    """Return the value that the effect is compared with: of a race the claim's factor, else none at all."""
    return asked.factor if asked.measure == EPOCHS else 0.0


def describe_effect(asked: Comparison, effect: Interval) -> str:
    """Describe an effect with its interval and the arms compared."""
    if asked.measure == EPOCHS:
        shown = f"{effect.mean:.2f} [{effect.low:.2f}, {effect.high:.2f}] times as many epochs"
    elif asked.measure in LOSSES:
        shown = (
            f"{effect.mean:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}] nats of {MEASURES[asked.measure]}"
        )
    else:
        shown = f"{effect.in_points()} points of {MEASURES[asked.measure]}"
    return f"{shown}, *{asked.worse}* against *{asked.better}*"


def describe_figure(figure: float, measure: str, effects: Sequence[Interval], *, ruled: bool = False) -> str:
    """Say whether the effects' intervals contain the paper's figure, or the factors that round to it.

    Args:
        figure: the paper's.
        measure: that it is of.
        effects: measured here.
        ruled: the learning rates were chosen among those at which the networks fit their images, and others
            had a lower held-out error: then the size is that rule's too.
    """
    if measure == EPOCHS:
        ends = figure - ROUNDS, figure + ROUNDS
        inside = sum(ends[0] <= effect.low and effect.high <= ends[1] for effect in effects)
        reached = sum(effect.low <= ends[1] and effect.high >= ends[0] for effect in effects)
        factors = f"the factors that round to the paper's {figure:g} times ({ends[0]:g} to {ends[1]:g})"
        if len(effects) == 1:
            place = "lies among" if inside else "reaches" if reached else "does not reach"
            return f"the interval {place} {factors}"
        reach, lie = ("reaches" if reached < 2 else "reach"), ("lies" if inside < 2 else "lie")
        counted = f"{reached or 'none'} of the {len(effects)} intervals {reach} {factors}"
        return f"{counted}, {inside or 'none'} {lie} among them"
    size = round(100 * figure, 3)
    lie = "lies" if size == 1 else "lie"
    unit = f"point{'s' * (size != 1)}"
    if ruled:
        return f"not compared with the paper's {size:g} {unit}, as the rule of fitting decides the size too"
    inside = sum(effect.contains(figure) for effect in effects)
    if len(effects) == 1:
        return f"the paper's {size:g} {unit} {lie} {'inside' if inside else 'outside'} the interval"
    return f"the paper's {size:g} {unit} {lie} inside {inside or 'none'} of the {len(effects)} intervals"


def corrected(
    experiment: Experiment, arms: Mapping[str, Found], *, late: float = 0.0
) -> Mapping[Comparison, float]:
    """Return the p-values of an experiment's comparisons, corrected for being made together."""
    found = {}
    for asked in made_together(experiment):
        found[asked] = p_value(additive_effects(experiment, asked, arms, late=late))
    return holm(found)


def made_together(experiment: Experiment) -> list[Comparison]:
    """Return all comparisons on which an experiment's verdicts rest, each once."""
    return list(dict.fromkeys(one for comparisons in experiment.answers.values() for one in comparisons))


def additive_effects(
    experiment: Experiment, asked: Comparison, arms: Mapping[str, Found], *, late: float = 0.0
) -> list[float]:
    """Return a comparison's effects by seed, 0 for none: differences, or logarithms of ratios."""
    effects = judged(experiment, asked, arms, late=late)
    return [math.log(ratio / asked.factor) for ratio in effects] if asked.measure == EPOCHS else effects


def lacks(
    experiment: Experiment, effects: Mapping[Comparison, Interval], arms: Mapping[str, Found]
) -> list[str]:
    """Return what is missing for a verdict.

    Args:
        experiment: that gives it.
        effects: of the comparisons that it rests on.
        arms: what the finished trials show.
    """
    said, comparisons = [], tuple(effects)
    for asked in effects:
        if (found := len(counted(shared_seeds(asked, arms)))) < ENOUGH_SEEDS:
            of = f" of *{asked.worse}* against *{asked.better}*" if len(effects) > 1 else ""
            said.append(more_seeds(found, of))
    if experiment.num_train < ENOUGH_IMAGES:
        said.append(f"{experiment.num_train:,} training images of at least {ENOUGH_IMAGES:,}")
    for name, runs in judged_runs([asked for asked in comparisons if asked.measure in FITTED], arms):
        trained = [run.train_error for run in runs]
        if experiment.fit is not None and trained and statistics.fmean(trained) > experiment.fit:
            said.append(f"the mean training error of {name} is above {experiment.fit:.0%}")
    for name, runs in judged_runs([asked for asked in comparisons if asked.measure == "train_error"], arms):
        if runs and statistics.fmean(run.train_error for run in runs) < FLOOR:
            said.append(f"training images that {name} has not fitted yet, so that it could be ahead by more")
    for asked in comparisons:
        for name, runs in judged_runs([asked], arms):
            lost = sum(not math.isfinite(experiment.measure(run, asked.measure)) for run in runs)
            if lost:
                ended = "did not reach the target" if asked.measure == EPOCHS else "diverged"
                said.append(f"{lost} seed{'s' * (lost > 1)} of {name} {ended}")
    names = compared(comparisons)
    searching = [name for name in names if name in arms and not (arms[name].settled or arms[name].failed)]
    if searching:
        said.append(f"the search for the learning rate of {' and '.join(searching)} has not ended")
    if coarse := [name for name in names if name in arms and arms[name].settled and not arms[name].refined]:
        said.append(f"a finer grid of learning rates for {', '.join(coarse)}")
    if missing := missing_rates(names, arms):
        said.append(missing)
    return list(dict.fromkeys(said))


def more_seeds(count: int, of: str = "") -> str:
    """Say how many seeds are wanted, and how many there are."""
    return f"at least {ENOUGH_SEEDS} seeds{of} ({count} so far)"


def describe_fits(comparisons: Sequence[Comparison], arms: Mapping[str, Found]) -> str:
    """Say with which training errors the arms of comparisons end, as their test errors depend on them.

    And where the lowest error of a search belongs to a network that fits its images too little.
    """
    trained = {}
    for name, runs in judged_runs(comparisons, arms):
        errors = [run.train_error for run in runs if math.isfinite(run.train_error)]
        if len(errors) > len(trained.get(name, [])):
            trained[name] = errors
    ends = [f"{name} {statistics.fmean(errors):.1%}" for name, errors in trained.items()]
    lower = [f"{name} {rate:g}" for name in trained if (rate := arms[name].lower_unfitted) is not None]
    said = f"; mean training errors: {', '.join(ends)}" if ends else ""
    if lower:
        said += "; learning rates that are excluded because the network fits its training images too little, "
        said += f"although its error on held-out images was lower (one trial each): {', '.join(lower)}"
    return said


def judged_runs(
    comparisons: Sequence[Comparison], arms: Mapping[str, Found]
) -> list[tuple[str, list[Outcome]]]:
    """Return the arms of comparisons, each with its runs by the seeds that count."""
    found = []
    for asked in comparisons:
        seeds = counted(shared_seeds(asked, arms))
        for name in (asked.better, asked.worse):
            found.append((name, [arms[name].runs[seed] for seed in seeds]))
    return found


def compared(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the names of the arms that comparisons rest on, each once."""
    return tuple(dict.fromkeys(name for asked in comparisons for name in (asked.better, asked.worse)))

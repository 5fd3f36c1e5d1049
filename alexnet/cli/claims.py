"""``alexnet claims``: the paper's claims, the verdict on each, and the command that measures them."""

import argparse
import math
import textwrap
import time
from dataclasses import replace

from alexnet.cli.options import SHARED, check_appendable
from alexnet.shown import say

WIDTH = 100
TRIALS_COUNT = (
    "the command keeps its trials in runs/trials and says what they show; this list counts only the trials "
    "that come with the package"
)
IN_A_CLONE = "the folder {} is that of a clone of the project"
FOLDERS = ("data/recipes", "benchmarks")
NOTHING_LEFT = (
    "nothing is left to train: each of these claims has a verdict, or all the trials that can bring it "
    "nearer to one"
)
RUN = "run"


def add(commands) -> None:
    """Add ``alexnet claims`` to the commands."""
    from alexnet.cli.experiment import add_running

    parser = commands.add_parser(
        "claims",
        help="list the paper's claims with the verdict on each, or measure them",
        description="List the claims with the numbers of the paper and those found here, or show one of "
        "them with the basis of its verdict, what is missing and the command that measures it again. With "
        "`run`, train the missing arms or seeds of inconclusive claims, first those that promise most "
        "verdicts for their time, and without an ID then the arms that no claim rests on; "
        "finished trials of the package count, and the same command resumes a stopped run.",
    )
    text = "the claim; `alexnet claims` lists them. After `run` several, or none for all that can be measured"
    parser.add_argument("words", metavar="[run] ID", nargs="*", help=text)
    options = parser.add_argument_group("with run")
    add_running(options)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet claims``."""
    from alexnet.cli.experiment import TRIALS
    from alexnet.experiments.claims import claim_by_id
    from alexnet.experiments.evidence import PLACES, finding, ledger

    words = arguments.words
    if words[:1] == [RUN]:
        return measure(arguments, [claim_by_id(id).id for id in words[1:]])
    unused = {"budget": None, "jobs": None, "trials": TRIALS, "device": SHARED["--device"]["default"]}
    if any(getattr(arguments, name) != default for name, default in unused.items()):
        raise ValueError(
            "--budget, --jobs, --trials and --device go with run, as in `alexnet claims run --budget 2h`"
        )
    if words:
        known = [claim_by_id(id) for id in words]
        say("\n\n".join(details(claim, finding(claim.id), PLACES) for claim in known))
    else:
        say("\n".join(line for known in ledger() for line in row(*known)))
        say("\n`alexnet claims ID` also shows what a verdict lacks, and the command that measures it again.")
    return 0


def measure(arguments: argparse.Namespace, ids: list[str]) -> int:
    """Run the missing trials of claims within the budget, and print the verdicts."""
    from alexnet import data
    from alexnet.cli.experiment import describe_left, execution
    from alexnet.experiments import EXPERIMENTS
    from alexnet.experiments.campaign import open_finished, run_campaign
    from alexnet.experiments.sharpen import steps

    answered = {id for known in EXPERIMENTS.values() for id in known.answers}
    check_measured(ids, answered)
    how = execution(arguments)
    paths = {name: arguments.trials / f"{name}.jsonl" for name in EXPERIMENTS}
    for path in paths.values():
        check_appendable(path)
    dataset = data.load("cifar10")  # the claims are about it: generated images judge none of them
    say(f"data: {dataset.source}")
    experiments = {
        name: (known, open_finished(name, dataset.fingerprint, paths[name], with_shipped=True))
        for name, known in EXPERIMENTS.items()
    }
    say(f"finished trials are kept in {arguments.trials}: the same command resumes there")
    end = math.inf if how.budget is None else time.monotonic() + how.budget

    def remaining():
        return replace(how, budget=None if end == math.inf else max(0.0, end - time.monotonic()))

    complete, asked, stuck, begun = True, set(ids or answered), set(), set()
    while True:
        todo = [step for step in steps(experiments, asked) if (step.id, step.experiment.name) not in stuck]
        if not todo:
            break
        step = todo[0]
        known, finished = experiments[step.experiment.name]
        begun.add(step.id)
        say(announced(step))
        count = len(finished.lines)
        ended = run_campaign(known, dataset, finished, remaining(), arms=step.arms, seeds=step.seeds)
        complete = complete and ended
        say(told(known, finished, step.id))
        if len(finished.lines) == count:
            stuck.add((step.id, known.name))  # or the same step would come next for ever
        if remaining().budget == 0:
            break
    for known, finished in () if ids else experiments.values():
        if complete:
            say(f"{known.name}: the arms that no claim rests on")
            complete = run_campaign(known, dataset, finished, remaining())
    done = [id for id in dict.fromkeys(ids) if id not in begun and not steps(experiments, [id])]
    lines = [untouched(experiments, id) for id in done]
    say("\n".join([*lines, NOTHING_LEFT if complete else describe_left(end)]))
    return 0


def untouched(experiments, id: str) -> str:
    """Return the line of a claim that nothing was trained for: its verdict, and what would settle it."""
    from alexnet.experiments.answers import answer
    from alexnet.experiments.evidence import finding
    from alexnet.experiments.search import find_arms

    pairs = [pair for pair in experiments.values() if id in pair[0].answers]
    with_answer = [pair for pair in pairs if answer(pair[0], find_arms(*pair), id) is not None]
    known, finished = (with_answer or pairs)[0]
    line, command = told(known, finished, id), finding(id).command
    if id not in known.limits or command.startswith(f"alexnet claims run {id}"):
        return line
    place = where(command, "")
    return f"{line}; settled by `{command}`{f' ({place})' if place else ''}"


def check_measured(ids: list[str], answered: set[str]) -> None:
    """Check that experiments measure the claims that are asked for.

    Raises:
        ValueError: no experiment measures one of them; what does is named.
    """
    from alexnet.experiments.evidence import finding

    if without := [id for id in ids if id not in answered]:
        others = "; ".join(f"{id} is found by `{finding(id).command}`" for id in without)
        can = ", ".join(sorted(answered))
        raise ValueError(f"{others}; `alexnet claims run` measures {can}")


def announced(step) -> str:
    """Return one line with the trials of a step, and the chance that they settle its claim.

    And that with more seeds, where the step is worth its time for their sake.
    """
    if not step.goal_chance:
        return f"{step.id}: {', '.join(step.arms)}, {len(step.seeds)} seeds (no verdict is expected of them)"
    chance = f"chance of a verdict about {step.chance:.0%}"
    if step.goal > len(step.seeds):
        chance += f", with {step.goal} seeds about {step.goal_chance:.0%}"
    return f"{step.id}: {', '.join(step.arms)}, {len(step.seeds)} seeds ({chance})"


def told(experiment, finished, id: str) -> str:
    """Return one line with the current verdict of an experiment on a claim."""
    from alexnet.experiments.answers import answer, compared
    from alexnet.experiments.search import find_arms, missing_rates

    arms = find_arms(experiment, finished)
    known = answer(experiment, arms, id)
    if known is None:
        missing = missing_rates(compared(experiment.answers[id]), arms)
        return f"{id}: lacks {missing}" if missing else f"{id}: fewer than two seeds of each arm so far"
    lacking = f"; lacks {'; '.join(known.lacking)}" if known.lacking else ""
    return f"{id}: {known.verdict}, {known.shown}{lacking}"


def wrapped(text: str, *, first: str = "", rest: str = " " * 10) -> str:
    """Break a text into lines that begin with these spaces, and no name of an arm at its hyphen."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def row(claim, found) -> list[str]:
    """The lines of a claim in the list: verdict and chapter, the claim, and both figures with their basis."""
    head = f"{claim.id:19} {found.verdict}  (chapter {int(claim.chapter[:2])})"
    cells = {"": f"{claim.text} ({claim.section})", "paper: ": claim.figure, "here:  ": found.ours}
    cells["basis: "] = found.basis
    margin = " " * 4
    told = [
        wrapped(name + text, first=margin, rest=margin + " " * len(name))
        for name, text in cells.items()
        if text
    ]
    return [head, *told]


def where(command: str, places: str) -> str:
    """Return what a command's words stand for, or where what it makes will count; nothing for others."""
    if "FOLDER" in command:
        return places
    for folder in FOLDERS:
        if f"{folder}/" in command:
            return IN_A_CLONE.format(folder)
    return TRIALS_COUNT if command.startswith(("alexnet claims run", "alexnet experiment")) else ""


def details(claim, found, places: str) -> str:
    """Everything known about a claim, for a terminal; command and addresses are not wrapped, to be copied.

    Args:
        claim: the claim.
        found: the finding on it.
        places: what the words FOLDER and RUN in a command stand for.
    """
    parts = {
        "claim": f"{claim.text} (section {claim.section})",
        "paper": claim.figure,
        "here": found.ours,
        "verdict": found.verdict,
        "rests on": found.basis,
        "lacks": found.lacking,
        "again": found.command,
        "where": where(found.command, places),
        "chapter": f"book/{claim.chapter}.ipynb",
    }
    lines = {name: f"{name:9} {text}" for name, text in parts.items() if text}
    told = [line if name == "again" else wrapped(line) for name, line in lines.items()]
    told += [wrapped(f"{'arm':9} {arm}") for arm in found.arms]
    return "\n".join([*told, *(f"{'source':9} {name}: {address}" for name, address in found.sources)])

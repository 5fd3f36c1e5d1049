"""Write the page of results, benchmarks/README.md, from the files in benchmarks/results.

python benchmarks/table.py
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
TITLES = {  # file: what the ratio compares with
    "lrn": ("Local response normalisation", "`F.local_response_norm`, the same work"),
    "training_step": ("A training step", "`torchvision.models.alexnet`, contiguous"),
    "two_ranks": ("A training step on two processes", "the step on one device"),
    "trials": ("An epoch of a trial", "the same network in plain PyTorch"),
    "startup": ("Starting", "`import torch`; the book, as one of a single page"),
    "input_pipeline": ("Images for training", "`ImageFolder` with `RandomResizedCrop`"),
}
BY_CPU = "times_as_fast_by_cpu"
ROOFLINE, GROWTH, ACCELERATOR, CHAPTERS = "roofline", "growth", "accelerator", "chapters"
UNMEASURED = """\
## On a GPU

Nothing on this page was measured on a GPU. `python benchmarks/accelerator.py --json
benchmarks/results/accelerator.json` compares the network there with float64, measures its training step
beside torchvision's, and takes ten minutes; `python benchmarks/table.py` then adds its tables here.
"""
INTRODUCTION = """\
# Benchmarks

`python3 dev.py bench` rewrites this page. Every table is one run of one script, in which the variants
alternate, so that the ratios hold on a busy machine too; the times hold for the machine named. Ratios are
medians over the rounds, with quartiles; "by CPU time" is the ratio of the time of all threads. On the CPU
`alexnet train` keeps the channels last.
"""


def rows(results: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict]]:
    """Yield (name, what was found) of every measurement in a script's results, however deep it lies."""
    for name, found in results.items():
        if "seconds" in found:
            yield ", ".join((*path, name)), found
        else:
            yield from rows(found, (*path, name))


def find_ratio(found: Mapping) -> Mapping:
    """Return the summary of how many times as fast a measurement is."""
    return next(value for key, value in found.items() if key.startswith("times_as_fast"))


def section(name: str, content: Mapping) -> list[str]:
    """Return the lines of one table with what it was measured on."""
    title, reference = TITLES[name]
    by_cpu = any(BY_CPU in found for _, found in rows(content["results"]))
    lines = [
        f"## {title}",
        "",
        f"{machine(content)}. Times as fast as {reference}.",
        "",
        f"| | milliseconds | times as fast | quartiles |{' by CPU time |' if by_cpu else ''}",
        f"| --- | ---: | ---: | --- |{' ---: |' if by_cpu else ''}",
    ]
    for row, found in rows(content["results"]):
        ratio = find_ratio(found)
        line = f"| {row} | {1e3 * found['seconds']['median']:.1f} | {ratio['median']:.2f} "
        line += f"| {ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f} |"
        cpu = f" {found[BY_CPU]['median']:.2f} |" if BY_CPU in found else " |"
        lines.append(line + (cpu if by_cpu else ""))
    if "augmentation_share" in content:
        share = content["augmentation_share"]["median"]
        lines += ["", f"Augmentation takes {share:.1%} of the time of a step of `code2012`."]
    if "wait_share" in content:
        share = content["wait_share"]
        lines += ["", f"A training of `code2012` on all cores waits {share:.1%} of its time for images."]
    return [*lines, ""]


def machine(content: Mapping) -> str:
    """Return what a script ran on, and its settings."""
    environment, settings = content["environment"], content["settings"]
    instructions = f"{environment['instructions']}, " if "instructions" in environment else ""
    words = f"{environment['device']}, {instructions}{environment['threads']} threads, "
    return words + f"torch {environment['torch']}; " + ", ".join(f"{k} {v}" for k, v in settings.items())


def roofline(content: Mapping) -> list[str]:
    """Return the lines of the table of a training step's layers."""
    rates = content["rates"]
    gflops, gigabytes = 2e-9 * rates["multiply_adds_a_second"], 1e-9 * rates["bytes_a_second"]
    lines = [
        "## Where the time of a training step goes",
        "",
        f"{machine(content)}. Each layer alone, forward and backward. At least: its multiplications at the "
        f"{gflops:.0f} GFLOP/s of a product of large matrices, or its bytes at the {gigabytes:.1f} GB/s of a "
        "copy, both measured in the same run.",
        "",
        "| | milliseconds | share | at least | by | times as long |",
        "| --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for name, found in content["results"].items():
        taken, least = found["seconds"]["median"], found["least_seconds"]
        lines.append(
            f"| {name} | {1e3 * taken:.1f} | {found['share']['median']:.1%} | {1e3 * least:.1f} "
            f"| {found['bound']} | {taken / least:.1f} |"
        )
    return [*lines, ""]


def growth(content: Mapping) -> list[str]:
    """Return the lines of the table of how cost grows, and of its figure."""
    lines = [
        "## How cost grows",
        "",
        f"{machine(content)}. The exponent is the slope of the straight line through the logarithms: 1 where "
        "twice the size costs twice the time, 0 where it costs nothing. Fixed costs flatten the beginning, "
        "hence the exponent of the two largest sizes beside it.",
        "",
        "![Seconds against sizes, a panel for each row of the table](results/growth.png)",
        "",
        "| | timed | sizes | milliseconds | exponent | of the last two |",
        "| --- | --- | --- | --- | ---: | ---: |",
    ]
    for name, found in content["results"].items():
        sizes = ", ".join(f"{size:,}" for size in found["sizes"])
        times = ", ".join(f"{1e3 * its['median']:,.0f}" for its in found["seconds"])
        lines.append(
            f"| {name} | {found['timed']} | {sizes} | {times} "
            f"| {found['exponent']:.2f} | {found['exponent_of_the_last_two']:.2f} |"
        )
    return [*lines, ""]


def accelerator(content: Mapping) -> list[str]:
    """Return the lines of the tables of a GPU: what was compared, and how fast training steps are."""
    lines = ["## On a GPU", "", machine(content) + ".", "", "| compared | difference | limit | |"]
    lines.append("| --- | ---: | ---: | --- |")
    for name, found in [*content["numerics"].items(), *content["trainings"].items()]:
        numbers = f"{found['difference']:.1e} | {found['limit']:g}" if "limit" in found else "|"
        lines.append(f"| {name} | {numbers} | {'right' if found['right'] else 'WRONG'} |")
    lines += ["", "Times as fast as `torchvision.models.alexnet`, channels_last, in the same precision.", ""]
    lines += ["| | images/s | times as fast | quartiles | of what is possible |"]
    lines += ["| --- | ---: | ---: | --- | ---: |"]
    for name, found in content.get("speed", {}).items():
        ratio, part = find_ratio(found), found.get("part_of_bound")
        part = "" if part is None else f"{part:.0%}"
        lines.append(
            f"| {name} | {found['images_a_second']:,.0f} | {ratio['median']:.2f} "
            f"| {ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f} | {part} |"
        )
    for name, found in content.get("90 epochs", {}).items():
        hours = ", ".join(f"{value:.2f} on {count}" for count, value in found["hours_at_best"].items())
        lines += [
            "",
            f"90 epochs in {name} by arithmetic, images at hand and devices without cost: {hours} hours.",
        ]
    return [*lines, ""]


def chapters(content: Mapping) -> list[str]:
    """Return the lines of the table of what the chapters' cells take."""
    lines = ["## Chapters", "", f"{machine(content)}. A new kernel runs all cells.", "", "| | seconds |"]
    lines.append("| --- | ---: |")
    lines += [f"| {name} | {found['seconds']['median']:.0f} |" for name, found in content["results"].items()]
    return [*lines, ""]


def make_table(name: str, path: Path) -> list[str]:
    """Return the lines of what a script has written, its heading first."""
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = {ROOFLINE: roofline, GROWTH: growth, ACCELERATOR: accelerator, CHAPTERS: chapters}
    return tables[name](content) if name in tables else section(name, content)


def page(folder: Path) -> str:
    """Return the page of all results in a folder."""
    lines = INTRODUCTION.splitlines() + [""]
    for name in [*TITLES, CHAPTERS, ROOFLINE, GROWTH, ACCELERATOR]:
        path = folder / f"{name}.json"
        if not path.is_file():
            lines += UNMEASURED.splitlines() if name == ACCELERATOR else []
            continue
        lines += make_table(name, path)
        if (other := folder / "avx2" / f"{name}.json").is_file():
            _, *again = make_table(name, other)
            lines += ["### The same with AVX2", *again]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(HERE / "results"), encoding="utf-8")

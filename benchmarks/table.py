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
    "input_pipeline": ("Images for training", "`ImageFolder` with `RandomResizedCrop`"),
}
INTRODUCTION = """\
# Benchmarks

`python3 dev.py bench` rewrites this page. Every table is one run of one script, in which the variants
alternate, so that the ratios hold on a busy machine too; the times hold for the machine named. Ratios are
medians over the rounds, with quartiles.
"""


def rows(results: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict]]:
    """Yield (name, what was found) of every measurement in a script's results, however deep it lies."""
    for name, found in results.items():
        if "seconds" in found:
            yield ", ".join((*path, name)), found
        else:
            yield from rows(found, (*path, name))


def ratio_of(found: Mapping) -> Mapping:
    """Return the summary of how many times as fast a measurement is."""
    return next(value for key, value in found.items() if key.startswith("times_as_fast"))


def section(name: str, content: Mapping) -> list[str]:
    """Return the lines of one table with what it was measured on."""
    title, reference = TITLES[name]
    environment, settings = content["environment"], content["settings"]
    lines = [
        f"## {title}",
        "",
        f"{environment['device']}, {environment['threads']} threads, torch {environment['torch']}; "
        + ", ".join(f"{key} {value}" for key, value in settings.items())
        + f". Times as fast as {reference}.",
        "",
        "| | milliseconds | times as fast | quartiles |",
        "| --- | ---: | ---: | --- |",
    ]
    for row, found in rows(content["results"]):
        ratio = ratio_of(found)
        lines.append(
            f"| {row} | {1e3 * found['seconds']['median']:.1f} | {ratio['median']:.2f} "
            f"| {ratio['quartile_1']:.2f} to {ratio['quartile_3']:.2f} |"
        )
    if "augmentation_share" in content:
        share = content["augmentation_share"]["median"]
        lines += ["", f"Augmentation takes {share:.1%} of the time of a step of `code2012`."]
    return [*lines, ""]


def page(folder: Path) -> str:
    """Return the page of all results in a folder."""
    lines = INTRODUCTION.splitlines() + [""]
    for name in TITLES:
        path = folder / f"{name}.json"
        if path.is_file():
            lines += section(name, json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(HERE / "results"), encoding="utf-8")

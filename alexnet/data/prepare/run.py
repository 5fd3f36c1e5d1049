"""``alexnet data prepare``: from archives or folders to a prepared set, on all cores, going on after a stop.

Shards are made independently of each other and appear whole, so resuming means making the missing ones.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from alexnet.bars import Bar
from alexnet.data.catalogue import KNOWN_SETS
from alexnet.data.prepare.classes import counts_in_words
from alexnet.data.prepare.description import DESCRIPTION, describe, write_manifest
from alexnet.data.prepare.known import about_known, describe_input
from alexnet.data.prepare.levels import PATH, Level, shortened
from alexnet.data.prepare.plan import KINDS, Plan, make_plan
from alexnet.data.prepare.shards import has_left_out, is_whole, load_index
from alexnet.data.prepare.target import (
    SCRATCH,
    check_apart,
    check_room,
    claim,
    describe_content,
    described,
    errors_explained,
    owned,
)
from alexnet.data.prepare.workers import Job, Progress, make_shards
from alexnet.storage.files import write_json

SIZE = 256  # of the images, in pixels (paper 2)
IMAGES_PER_SHARD = 4096
REASONS = 8  # why images were left out that the summary names


def prepare(
    kind: str,
    sources: Sequence[Path],
    target: Path,
    *,
    workers: int,
    size: int | None = None,
    raw: bool = False,
    val_share: float = 0.0,
    class_level: Level | None = None,
    missing_classes: bool = False,
    max_damaged: float = 0.001,
    progress: bool = True,
    images_per_shard: int = IMAGES_PER_SHARD,
) -> list[str]:
    """Make a prepared set, or resume one that was stopped.

    Args:
        kind: "imagenet", "imagenette", "folder" or "cifar10".
        sources: what holds the images: folders, archives, and for ImageNet the development kit.
        target: folder of the set.
        workers: processes that decode; 0: this one alone.
        size: height and width of the images, in pixels; None: 256, and of CIFAR-10 its own 32.
        raw: store pixels instead of JPEGs: eight times as large, and nothing to decode. CIFAR-10 is always
            stored so.
        val_share: of each class, how much of the training images becomes the validation split.
        class_level: of a "folder" set, the level of folders that is the class (see
            `alexnet.data.prepare.levels`); None: the only one that can be.
        missing_classes: whether the validation images may lack classes that the training images have.
        max_damaged: the fraction of images that may be damaged; with more, the set is not made. Of CIFAR-10
            none may be.
        progress: show progress bars.
        images_per_shard: images in a file.
    Returns:
        sentences for the user: what was found, converted and left out.
    Raises:
        FileNotFoundError: a source is not there.
        ValueError: the sources do not hold such a set, too much is damaged, or the target holds another set.
        OSError: a file cannot be read or written.
    """
    check_arguments(kind, size=size, val_share=val_share, class_level=class_level, max_damaged=max_damaged)
    if workers < 0:
        raise ValueError(f"--workers must be at least 0, got {workers}")
    known = KNOWN_SETS.get(kind)
    request = {
        "kind": kind,
        "sources": sorted(described(source) for source in sources),
        "contents": sorted(describe_content(source) for source in sources if source.is_dir()),
        "size": known.height if known else SIZE if size is None else size,
        "form": "raw" if raw or known else "jpeg",
        "val_share": val_share,
        "class_level": class_level,
        "images_per_shard": images_per_shard,
    } | ({"inputs": [describe_input(source) for source in sources]} if known else {})
    allowed = None if known else max_damaged
    check_apart(target, sources)
    with errors_explained(target), owned(target) as new:
        if claim(target, request):
            return ["the set was there already, and is whole"]
        try:
            plan = make_plan(
                kind,
                sources,
                target / SCRATCH,
                val_share=val_share,
                class_level=class_level,
                missing_classes=missing_classes,
                progress=progress,
            )
        except ValueError:  # no such set can be made of the sources, so there is nothing to resume
            if new:
                (target / DESCRIPTION).unlink(missing_ok=True)
                shutil.rmtree(target / SCRATCH, ignore_errors=True)
            raise
        jobs = divide_into_jobs(plan, target, request)
        claim(target, request | {"plan": plan.digest()})
        # Files that could not be read may be whole by now: they are why users come back.
        missing = [job for job in jobs if not is_whole(job.path, job.form) or has_left_out(job.path)]
        check_room(target, missing)
        make_missing(plan, missing, allowed, workers, progress=progress)
        about = finish(plan, jobs, request | {"plan": plan.digest()}, allowed, missing_classes)
    return plan.remarks + summary(about)


def check_arguments(
    kind: str, *, size: int | None, val_share: float, class_level: Level | None, max_damaged: float
) -> None:
    """Raise ValueError unless the arguments are in range."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; there is {', '.join(KINDS)}")
    if class_level is not None and kind != "folder":
        raise ValueError(f"--class-level is for the kind 'folder'; the classes of {kind!r} are known")
    if class_level not in (None, PATH) and not (isinstance(class_level, int) and class_level >= 0):
        raise ValueError(f"--class-level must be a number from 0 on, or {PATH!r}, got {class_level!r}")
    if size is not None and not 1 <= size <= 4096:
        raise ValueError(f"--size must be from 1 to 4096 pixels, got {size}")
    if kind in KNOWN_SETS and size not in (None, own := KNOWN_SETS[kind].height):
        title = KNOWN_SETS[kind].title
        raise ValueError(f"--size is for other kinds: {title} is stored as it is, {own}x{own} pixels")
    for name, share in (("--val-share", val_share), ("--max-damaged", max_damaged)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, got {share}")


def divide_into_jobs(plan: Plan, target: Path, request: dict) -> list[Job]:
    """Divide the splits of a plan into shards."""
    step, exact = request["images_per_shard"], request["kind"] in KNOWN_SETS
    size, form = request["size"], request["form"]
    return [
        Job(target / f"{split}-{start // step:05}", items[start : start + step], size, form, exact)
        for split, items in plan.splits.items()
        for start in range(0, len(items), step)
    ]


def make_missing(
    plan: Plan, missing: Sequence[Job], max_damaged: float | None, workers: int, *, progress: bool
) -> None:
    """Make the shards that are missing, with a progress bar over all images."""
    total = plan.num_images
    before = total - sum(len(job.items) for job in missing)
    with Bar(total=total, initial=before, unit=" images", desc=plan.name, disable=not progress) as bar:

        def show(now: Progress) -> None:
            bar.update(before + now.done - bar.n)
            check_damaged(now.left_out, total, max_damaged, now.why)

        make_shards(missing, workers, show)


def check_damaged(left_out: int, total: int, share: float | None, why: str) -> None:
    """Raise ValueError if more than a fraction of all images cannot be read, with the reason of one of them.

    Args:
        left_out: how many cannot be read.
        total: of how many.
        share: how much of all may be; None: the set needs each.
        why: the name of one and the reason.
    """
    if left_out and share is None:
        raise ValueError(f"{why}; the set needs every image, get it again")
    if share is not None and left_out > share * total:
        raise ValueError(
            f"{left_out:,} of {total:,} images cannot be read, more than --max-damaged {share} allows "
            f"({why}); get them again, or allow more"
        )


def check_classes_left(plan: Plan, about: dict, *, missing_classes: bool) -> None:
    """Raise ValueError if of all images that a split has of a class none could be read.

    Validation images may lack classes if the user says so, and test images may.
    """
    for split, items in plan.splits.items():
        counts = about["counts"][split]
        lost = {about["classes"][item.label] for item in items if not counts[item.label]}
        allowed = split == "test" or (split == "val" and missing_classes)
        if lost and not (allowed and any(counts)):
            raise ValueError(
                f"of these classes no {split} image can be read: {shortened(lost)}; get them again, or "
                "take these classes away, and prepare into a new folder"
            )


def finish(
    plan: Plan, jobs: Sequence[Job], request: dict, max_damaged: float | None, missing_classes: bool
) -> dict:
    """Write what describes the set as a whole, remove what is needed no more; return the description."""
    target = jobs[0].path.parent
    indices: dict[str, list[dict]] = {split: [] for split in plan.splits}
    for job in jobs:
        indices[job.path.name.rsplit("-", 1)[0]].append(load_index(job.path))
    about = describe(plan.name, plan.classes, indices, request)
    if request["kind"] in KNOWN_SETS:
        about |= about_known(KNOWN_SETS[request["kind"]], request["inputs"], indices, target)
    for why, (_, name) in about["why_left_out"].items():
        check_damaged(about["left_out"], plan.num_images, max_damaged, f"{name}: {why}")
    check_classes_left(plan, about, missing_classes=missing_classes)
    write_manifest(target, indices)
    write_json(target / DESCRIPTION, about)
    shutil.rmtree(target / SCRATCH, ignore_errors=True)
    return about


def summary(about: dict) -> list[str]:
    """Return sentences on the classes, and on what was converted and left out."""
    converted = ", ".join(f"{count:,} {note}" for note, count in about["converted"].items())
    found = [f"converted: {converted}"] if converted else []
    reasons = list(about["why_left_out"].items())
    for why, (count, name) in reasons[:REASONS]:
        found.append(f"left out, {why}: {count:,}, {'the first ' if count > 1 else ''}{name}")
    if reasons[REASONS:]:
        found.append(f"left out, for other reasons: {sum(count for _, (count, _) in reasons[REASONS:]):,}")
    found += ["manifest.csv in the folder of the set names each of them"] if found else []
    return counts_in_words(about["names"], about["counts"]) + found

"""Make the stored form of a data set: from the official archive, or from archives and folders of images."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from alexnet.bars import Bar
from alexnet.data import store
from alexnet.data.archives import Skipped
from alexnet.data.catalogue import KnownSet, known_set
from alexnet.data.decode import decode_batch, decode_image
from alexnet.data.download import download, sha256_of
from alexnet.data.formats import SUFFIXES, format_of, suffix_of
from alexnet.data.members import members
from alexnet.data.prepare.finding import LeftOut

BATCH_NAME = re.compile(r"(data_batch_\d+|test_batch)")
SPLITS = ("train", "test")


@dataclass
class Collection:
    """Images gathered so far. Each part has a key to sort by, so the order of reading does not matter."""

    known: KnownSet
    parts: dict[str, list[tuple[tuple, np.ndarray, np.ndarray]]] = field(
        default_factory=lambda: {s: [] for s in SPLITS}
    )
    formats: Counter = field(default_factory=Counter)

    @staticmethod
    def wants(name: str, start: Callable[[], bytes]) -> bool:
        """Tell whether a file should be an image or a batch, by its name or by its first bytes."""
        is_batch = BATCH_NAME.fullmatch(PurePosixPath(name).name)
        return bool(is_batch) or suffix_of(name) in SUFFIXES or format_of(start()) is not None

    def add(self, name: str, content: bytes) -> int:
        """Take in an image or a batch; return how many images it held.

        Raises:
            ValueError: it does not belong into the data set.
        """
        base = PurePosixPath(name).name
        try:
            if BATCH_NAME.fullmatch(base):
                return self.add_batch(base, content)
            return self.add_image(name, content)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error

    def add_batch(self, base: str, content: bytes) -> int:
        """Take in a batch of the official archive; batches keep their order."""
        known = self.known
        images, labels = decode_batch(
            content, height=known.height, width=known.width, num_classes=len(known.classes)
        )
        self.parts["test" if base == "test_batch" else "train"].append(((0, base), images, labels))
        self.formats["batch"] += len(images)
        return len(images)

    def add_image(self, name: str, content: bytes) -> int:
        """Take in one image at .../train/<class>/<file> or .../test/<class>/<file>."""
        split, label, base = ("", "", *PurePosixPath(name).parts)[-3:]
        if split not in SPLITS:
            raise ValueError("lies neither in train/<class>/ nor in test/<class>/")
        if label not in self.known.classes:
            raise ValueError(
                f"is of the class {label!r}, which {self.known.title} does not have; it has "
                + ", ".join(self.known.classes)
            )
        pixels, kind = decode_image(name, content, height=self.known.height, width=self.known.width)
        index = self.known.classes.index(label)
        self.parts[split].append(((index + 1, base), pixels[None], np.array([index])))
        self.formats[kind] += 1
        return 1

    def arrays(self) -> dict[str, np.ndarray]:
        """Put the images together: one of each class in turn, by file name; batches in their own order.

        Classes take turns so that the first images of a set are a fair sample of it.

        Raises:
            ValueError: a class is missing, or has too few or too many images.
        """
        arrays = {}
        for split in SPLITS:
            parts = in_turn(self.parts[split])
            labels = np.concatenate([np.empty(0, np.int64), *(labels for _, _, labels in parts)])
            self.check_counts(split, np.bincount(labels, minlength=len(self.known.classes)))
            arrays[f"{split}_images"] = np.concatenate([images for _, images, _ in parts])
            arrays[f"{split}_labels"] = labels
        return arrays

    def check_counts(self, split: str, counts: np.ndarray) -> None:
        """Raise ValueError unless every class has as many images as it must."""
        wanted = self.known.per_class(split)
        found = list(zip(self.known.classes, counts.tolist(), strict=True))
        if not counts.any():
            raise ValueError(
                f"there are no images of {split}/ in what was given; {wanted:,} of each class are needed"
            )
        for name, count in found:
            if count == 0:
                raise ValueError(
                    f"the class {name!r} is missing from {split}/; {wanted:,} images of it are needed"
                )
        for name, count in found:
            if count != wanted:
                raise ValueError(f"{split}/{name} has {count:,} images, not {wanted:,}")


def in_turn(parts: list[tuple[tuple, np.ndarray, np.ndarray]]) -> list[tuple[tuple, np.ndarray, np.ndarray]]:
    """Order parts by their keys, then let the groups that share a key's first entry take turns."""
    turns: Counter = Counter()
    ordered = []
    for part in sorted(parts, key=lambda part: part[0]):
        group = part[0][0]
        ordered.append(((turns[group], part[0]), part))
        turns[group] += 1
    return [part for _, part in sorted(ordered, key=lambda entry: entry[0])]


def get(name: str, *, mirror: str | None = None, keep_archive: bool = False, progress: bool = True) -> Path:
    """Download the official archive of a data set, verify it, and store the set.

    Args:
        name: "cifar10".
        mirror: address of another copy of the archive, or of the folder that holds it.
        keep_archive: leave the archive beside the stored set.
        progress: show progress bars.
    Returns:
        the path of the stored file.
    Raises:
        ValueError: there is no such data set, or what was downloaded is not its archive.
        ConnectionError: the archive cannot be had; a later call goes on where this one broke off.
        OSError: the disk is full, or the folder cannot be written to.
    """
    known = known_set(name)
    with store.write_errors_explained(known.archive.num_bytes):
        archive = download(known.archive, store.root(), mirror=mirror, progress=progress)
    path = import_set(name, [archive], progress=progress)
    if not keep_archive:
        archive.unlink()
    return path


def import_set(
    name: str,
    paths: Iterable[Path | str],
    *,
    progress: bool = True,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Make a data set of archives or folders that together hold it, and store it.

    Args:
        name: "cifar10".
        paths: the official archive, or archives (tar, tar.gz, tar.xz, zip) or folders of images in
            train/<class>/ and test/<class>/. Classes take turns in the stored order.
        progress: show a progress bar.
        tell: called with a sentence on what was left out, for each reason; of the official archive with none.
    Returns:
        the path of the stored file.
    Raises:
        FileNotFoundError: a path is not there.
        ValueError: what the paths hold is not exactly the data set; nothing is stored then.
        OSError: it cannot be written.
    """
    known = known_set(name)
    sources = [Path(path).expanduser() for path in paths]
    for path in sources:
        if not path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}")
    collection, left_out = Collection(known), LeftOut()
    total = sum(known.num_images(split) for split in SPLITS)
    with Bar(total=total, desc=f"reading {known.title}", unit=" images", disable=not progress) as bar:
        for path in sources:
            for found in members(path, collection.wants):
                if isinstance(found, Skipped):
                    left_out.add(found.reason, found.name)
                else:
                    bar.update(collection.add(*found))
    inputs = [describe_input(path) for path in sources]
    if not is_official(known, inputs):
        for sentence in left_out.sentences():
            tell(sentence)
    arrays = collection.arrays()
    return store.save(known, arrays, {"inputs": inputs} | describe(known, inputs, collection.formats))


def describe_input(path: Path) -> dict[str, str]:
    """Describe an input for the provenance: an archive by name and checksum, a folder only as one."""
    if path.is_dir():
        return {"kind": "folder"}
    return {"kind": "archive", "name": path.name, "sha256": sha256_of(path)}


def is_official(known: KnownSet, inputs: list[dict[str, str]]) -> bool:
    """Tell whether the inputs are the official archive alone."""
    return [given.get("sha256") for given in inputs] == [known.archive.sha256]


def describe(known: KnownSet, inputs: list[dict[str, str]], formats: Counter) -> dict:
    """Say in one phrase what the images are and where they came from, and count them by format."""
    counts = " + ".join(f"{known.num_images(split):,}" for split in SPLITS)
    if is_official(known, inputs):
        origin = "from the official archive"
    else:
        kinds = sorted({given["kind"] for given in inputs})
        what = "/".join(kind for kind in sorted(formats) if kind != "batch")
        content = f"{what} images" if what else "batches"
        places = " and ".join(f"an {kind}" if kind == "archive" else f"a {kind}" for kind in kinds)
        origin = f"imported from {places} of {content}"
    return {"source": f"{known.title} ({counts} images, {origin})", "formats": dict(formats)}

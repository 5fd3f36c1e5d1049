"""Find the images among the files of all sources, by their content, and keep account of what is left out."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from alexnet.bars import Bar
from alexnet.data.archives import Skipped, is_archive_start
from alexnet.data.formats import HEAD_BYTES, SUFFIXES, find_suffix, recognise_format
from alexnet.data.prepare.batches import BESIDE, images_in, is_batch, strip_folders
from alexnet.data.prepare.labels import Labels
from alexnet.data.prepare.sources import File, Reader, yield_files
from alexnet.shown import printable


class LeftOut:
    """Counts what is left out, by reason, with the first name of each in the alphabet."""

    def __init__(self):
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, name: str) -> None:
        """Count a file or folder."""
        self._counts[reason] += 1
        self._first[reason] = min(name, self._first.get(reason, name))

    def sentences(self) -> list[str]:
        """List what was left out, a line for each reason."""
        return [
            f"left out, {reason}: {count:,}, {'the first ' if count > 1 else ''}{self._first[reason]}"
            for reason, count in sorted(self._counts.items())
        ]


def find(
    sources: Iterable[Path],
    scratch: Path,
    left_out: LeftOut,
    *,
    batches: bool = False,
    strict: bool = True,
    progress: bool,
) -> tuple[list[File], Labels]:
    """Return every image of the sources, and the labels that other files tell.

    Args:
        sources: folders, archives and files.
        scratch: folder for decompressed archives and batches.
        left_out: what is neither is counted there.
        batches: look into those of CIFAR-10.
        strict: as for `alexnet.data.ilsvrc.Kit`.
        progress: show how many files were found so far.
    Raises:
        FileNotFoundError: a source is not there.
        ValueError: an archive, a batch or a file with labels is damaged.
    """
    images, labels = [], Labels(strict=strict)
    with Bar(desc="looking for images", unit=" files", disable=not progress) as bar, Reader() as reader:
        for source in sources:
            for file in yield_files(source, scratch):
                bar.update()
                file = file._replace(name=printable(file.name))
                if isinstance(file, Skipped):
                    left_out.add(file.reason, file.name)
                elif is_image(file, reader):
                    images.append(file)
                elif batches and is_batch(file):
                    images += images_in(file, reader, scratch)
                elif batches and strip_folders(file) in BESIDE:
                    continue
                elif not labels.take(file, reader):
                    left_out.add(kind_of_other(file, reader), file.name)
    return images, labels


def kind_of_other(file: File, reader: Reader) -> str:
    """Describe a file that holds neither an image nor labels: an archive may hold a whole class."""
    is_one = is_archive_start(reader.start(file, HEAD_BYTES))
    return "an archive that is not looked into; unpack it" if is_one else "not an image"


def is_image(file: File, reader: Reader) -> bool:
    """Return whether a file is, or claims to be, an image, also one of a format that is not read.

    The usual suffixes are believed at first, as a look into each of a million files takes long; what is none
    then turns out when it is decoded, and is listed. All other files are judged by their content.
    """
    return find_suffix(file.name) in SUFFIXES or recognise_format(reader.start(file, HEAD_BYTES)) is not None

"""What is particular to ILSVRC-2010 and ILSVRC-2012: the classes, and the ground truth of flat folders.

The official files, as their development kits describe them::

    2012: ILSVRC2012_img_train.tar (in it a tar for each class), ILSVRC2012_img_val.tar,
          ILSVRC2012_devkit_t12.tar.gz
    2010: ILSVRC2010_images_train.tar (likewise), ILSVRC2010_images_val.tar, ILSVRC2010_images_test.tar,
          ILSVRC2010_devkit-1.0.tar.gz, ILSVRC2010_test_ground_truth.txt, and patch_images.tar with proper
          copies of images that are blank in the others

Validation and test images are numbered; line i of a ground truth is the number of the class of image i,
and meta.mat in the kit has the WordNet identifiers ("wnids") of those numbers. Kaggle's copy of ILSVRC-2012
has LOC_val_solution.csv instead. Labels here are the positions of the wnids in sorted order, as in
torchvision.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable
from importlib import resources

from alexnet.data.prepare.paths import Place
from alexnet.data.prepare.sources import File, Reader

TRUTH = re.compile(r"ILSVRC(\d{4})_(validation|test)_ground_truth\.txt")
NUMBERED = re.compile(r"ILSVRC(\d{4})_(val|test)_(\d{8})\.jpe?g", re.IGNORECASE)
KAGGLE = "LOC_val_solution.csv"
META = "meta.mat"
PATCHES = "patch_images"
NUM_CLASSES = 1000
# Images of each year, from the readme files of the kits.
COUNTS = {
    "2010": {"train": 1_261_406, "val": 50_000, "test": 150_000},
    "2012": {"train": 1_281_167, "val": 50_000},
}


def wnids_of_2012() -> tuple[str, ...]:
    """Return the 1000 wnids of ILSVRC-2012 in sorted order."""
    return tuple(resources.files("alexnet.data").joinpath("ilsvrc2012_wnids.txt").read_text().split())


def names_of_2012() -> dict[str, str]:
    """Return a name for each wnid of ILSVRC-2012, those that torchvision uses: "n01440764" is "tench"."""
    from torchvision.models import AlexNet_Weights

    categories = AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
    return dict(zip(wnids_of_2012(), categories, strict=True))


class Kit:
    """The ground truth and class list that were found among the sources.

    Attributes:
        years: of the class lists found, "2010" or "2012".

    Args:
        strict: a file that has the name of a class list, and is none, is an error and not another file.
    """

    def __init__(self, *, strict: bool = True):
        self._strict = strict
        self._truths: dict[tuple[str, str], list[int]] = {}
        self._solution: dict[str, str] = {}
        self._synsets: dict[str, dict[int, tuple[str, str]]] = {}

    @property
    def years(self) -> list[str]:
        """The years whose class lists were found."""
        return sorted(self._synsets)

    def take(self, file: File, reader: Reader) -> bool:
        """Read a file if it is one of a kit; return whether it was.

        Raises:
            ValueError: it is damaged.
        """
        base = file.name.rsplit("/", 1)[-1]
        try:
            if found := TRUTH.fullmatch(base):
                split = {"validation": "val"}.get(found[2], found[2])
                self._truths[found[1], split] = [int(word) for word in reader.read(file).split()]
            elif base == KAGGLE:
                rows = csv.DictReader(io.StringIO(reader.read(file).decode()))
                self._solution |= {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
            elif base == META:
                year, synsets = read_meta(reader.read(file))
                self._synsets[year] = synsets
            else:
                return False
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            if base == META and not self._strict:  # others call their files so, too
                return False
            raise ValueError(f"{file.name} is not as ILSVRC has it ({error}); get the kit again") from error
        return True

    def knows(self, base: str) -> bool:
        """Return whether there is ground truth for an image of this file name."""
        found = NUMBERED.fullmatch(base)
        return base.rsplit(".", 1)[0] in self._solution or (
            found is not None and (found[1], found[2].lower()) in self._truths and found[1] in self._synsets
        )

    def find_class(self, base: str) -> str:
        """Return the wnid of a validation or test image.

        Args:
            base: its file name, such as "ILSVRC2012_val_00000001.JPEG".
        Raises:
            ValueError: there is no ground truth for it, or it is damaged.
        """
        if not self.knows(base):
            raise ValueError(
                f"{base} lies in no folder of a class, and what is its class is not told by another file; "
                "for ILSVRC give the development kit (ILSVRC2012_devkit_t12.tar.gz) as one more SRC"
            )
        solved = self._solution.get(base.rsplit(".", 1)[0])
        if solved:
            return solved
        found = NUMBERED.fullmatch(base)
        assert found is not None  # it is known, and not by its own name
        year, split, number = found.groups()
        truth, synsets = self._truths[year, split.lower()], self._synsets[year]
        if not 1 <= int(number) <= len(truth) or truth[int(number) - 1] not in synsets:
            raise ValueError(f"the ground truth has no class for {base}; get the development kit again")
        return synsets[truth[int(number) - 1]][0]

    def names(self, year: str) -> dict[str, str]:
        """Return a name for each wnid of a class list: its first word, or all if that is not unique."""
        words = dict(self._synsets[year].values())
        firsts = Counter(text.split(",")[0] for text in words.values())
        return {
            wnid: text.split(",")[0] if firsts[text.split(",")[0]] == 1 else text
            for wnid, text in words.items()
        }


def read_meta(content: bytes) -> tuple[str, dict[int, tuple[str, str]]]:
    """Read meta.mat of a development kit.

    Returns:
        the year, and for the number of each of its classes the wnid and the words for it.
    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is not as kits have it.
    """
    from scipy.io import loadmat

    try:
        tables = loadmat(io.BytesIO(content), squeeze_me=True)
    except Exception as error:  # scipy stumbles over damage in many ways
        raise ValueError(str(error) or type(error).__name__) from error
    synsets = tables["synsets"]
    (number,) = [field for field in synsets.dtype.names if re.fullmatch(r"ILSVRC\d{4}_ID", field)]
    classes = {
        int(synset[number]): (str(synset["WNID"]), str(synset["words"]))
        for synset in synsets
        if synset["num_children"] == 0
    }
    return number[6:10], classes


def identify_classes(found: Collection[str], kit: Kit) -> tuple[str, dict[str, str]]:
    """Return the year of a set, and its classes in the order of the labels, each with its name.

    Args:
        found: the wnids that its images have; a part of them is enough.
        kit: what was found of a development kit.
    Raises:
        ValueError: it is not the set of either year.
    """
    if "2010" in kit.years:
        year, names = "2010", dict(sorted(kit.names("2010").items()))
    elif set(found) <= set(wnids_of_2012()):
        year, names = "2012", names_of_2012()
    elif len(found) == NUM_CLASSES:  # without the kit there are no names
        year, names = "2010", {wnid: wnid for wnid in sorted(found)}
    else:
        year, names = "2012", names_of_2012()
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no class of ILSVRC-{year}; for ILSVRC-2010 give "
            "ILSVRC2010_devkit-1.0.tar.gz as one more SRC, for any other set use the kind `folder`"
        )
    return year, names


def patched(images: Iterable[tuple[Place, File]]) -> tuple[list[tuple[Place, File]], int]:
    """Replace images by those of the same name in patch_images.tar; also count them."""
    images = list(images)
    patches = {file.name.rsplit("/", 1)[-1]: file for _, file in images if is_patch(file)}
    kept = [(place, file) for place, file in images if not is_patch(file)]
    replaced = [(place, patches.get(file.name.rsplit("/", 1)[-1], file)) for place, file in kept]
    return replaced, sum(is_patch(file) for _, file in replaced)


def is_patch(file: File) -> bool:
    """Return whether a file is one of patch_images.tar."""
    return any(part.startswith(PATCHES) for part in file.name.split("/")[:-1])

"""Small sets of images in the layouts of the official archives of ILSVRC-2010, ILSVRC-2012 and others."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

WNIDS_2012 = ("n01440764", "n02102040", "n03888257")  # labels 0, 217 and 701
# Classes of the 2010 kit: its numbers are not in the order of the wnids, and 1001 stands for a group of them.
SYNSETS_2010 = {1: ("n09000003", "c, third"), 2: ("n09000001", "a, first"), 3: ("n09000002", "a, second")}


def pixels(seed: int, width: int = 52, height: int = 44) -> np.ndarray:
    """Return an image (height, width, 3) of coarse noise, which differs from that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(array: np.ndarray, kind: str = "JPEG", mode: str | None = None) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(buffer, kind)
    return buffer.getvalue()


def jpeg(seed: int) -> bytes:
    """Return an image as a JPEG."""
    return encoded(pixels(seed))


def tar(files: dict[str, bytes]) -> bytes:
    """Return files as a tar archive, in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_of_tars(archives: dict[str, dict[str, bytes]]) -> bytes:
    """Return tar archives as a tar archive."""
    return tar({name: tar(files) for name, files in archives.items()})


def write(path: Path, content: bytes | dict[str, bytes]) -> Path:
    """Write a file, or a folder of files."""
    if isinstance(content, dict):
        for name, part in content.items():
            write(path / name, part)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """Write files as a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def meta(year: int, synsets: dict[int, tuple[str, str]]) -> bytes:
    """Return meta.mat of a development kit: its classes, and one group that has them as children."""
    number = f"ILSVRC{year}_ID"
    fields = [number, "WNID", "words", "gloss", "num_children", "children"]
    rows = [(n, wnid, words, "", 0, 0) for n, (wnid, words) in synsets.items()]
    rows.append((1001, "n00001740", "entity", "", len(synsets), list(synsets)))
    table = np.empty((len(rows), 1), [(field, object) for field in fields])
    for i, row in enumerate(rows):
        table[i, 0] = row
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": table})
    return buffer.getvalue()


def train_2012() -> dict[str, bytes]:
    """Return <class>/<name> -> JPEG of three classes with two images each."""
    return {
        f"{wnid}/{wnid}_{i}.JPEG": jpeg(10 * label + i)
        for label, wnid in enumerate(WNIDS_2012)
        for i in (7, 10)
    }


def val_2012() -> dict[str, tuple[int, str]]:
    """Return the validation images: name -> (seed, class). Their classes are not sorted."""
    return {f"ILSVRC2012_val_{n:08}.JPEG": (100 + n, WNIDS_2012[(2 * n) % 3]) for n in range(1, 6)}


def official_2012(folder: Path) -> list[Path]:
    """Write the official archives; the numbers of the kit are not in the order of the wnids."""
    train = train_2012()
    by_class = {
        wnid: {k.split("/")[1]: v for k, v in train.items() if k.startswith(wnid)} for wnid in WNIDS_2012
    }
    numbers = {wnid: 3 - i for i, wnid in enumerate(WNIDS_2012)}
    synsets = {number: (wnid, f"word {wnid}, other") for wnid, number in sorted(numbers.items())}
    truth = "".join(f"{numbers[wnid]}\n" for _, wnid in val_2012().values()).encode()
    kit = {
        "ILSVRC2012_devkit_t12/data/meta.mat": meta(2012, synsets),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": truth,
        "ILSVRC2012_devkit_t12/readme.txt": b"",
    }
    flat = {name: jpeg(seed) for name, (seed, _) in reversed(val_2012().items())}
    return [
        write(
            folder / "ILSVRC2012_img_train.tar",
            tar({f"{w}.tar": tar(by_class[w]) for w in reversed(WNIDS_2012)}),
        ),
        write(folder / "ILSVRC2012_img_val.tar", tar(flat)),
        write(folder / "ILSVRC2012_devkit_t12.tar.gz", gzip.compress(tar(kit))),
    ]


def sorted_2012(folder: Path) -> Path:
    """Write the same images in folders by class."""
    write(folder / "train", train_2012())
    return write(folder, {f"val/{wnid}/{name}": jpeg(seed) for name, (seed, wnid) in val_2012().items()})


def official_2010(folder: Path) -> list[Path]:
    """Write the archives of 2010: a compressed image, one in CMYK, a blank one with its patch."""
    wnids = sorted(wnid for wnid, _ in SYNSETS_2010.values())
    train = {f"{w}.tar": {f"{w}_{i}.JPEG": jpeg(10 * k + i) for i in (1, 2)} for k, w in enumerate(wnids)}
    train["n09000001.tar"]["n09000001_1.JPEG"] = gzip.compress(jpeg(10 * 0 + 1))
    train["n09000002.tar"]["n09000002_2.JPEG"] = encoded(pixels(12), mode="CMYK")
    blank = encoded(np.full((44, 52, 3), 255, np.uint8))
    val = {f"val/ILSVRC2010_val_{n:08}.JPEG": blank if n == 2 else jpeg(200 + n) for n in (3, 1, 2)}
    test = {f"test/ILSVRC2010_test_{n:08}.JPEG": jpeg(300 + n) for n in (2, 1)}
    kit = {
        "devkit-1.0/data/meta.mat": meta(2010, SYNSETS_2010),
        "devkit-1.0/data/ILSVRC2010_validation_ground_truth.txt": b"3\n1\n2\n",
    }
    patch = {"patch_images/val/ILSVRC2010_val_00000002.JPEG": jpeg(202)}
    return [
        write(
            folder / "ILSVRC2010_images_train.tar", tar({name: tar(files) for name, files in train.items()})
        ),
        write(folder / "ILSVRC2010_images_val.tar", tar(val)),
        write(folder / "ILSVRC2010_images_test.tar", tar(test)),
        write(folder / "ILSVRC2010_devkit-1.0.tar.gz", gzip.compress(tar(kit))),
        write(folder / "ILSVRC2010_test_ground_truth.txt", b"1\n2\n"),
        write(folder / "patch_images.tar", tar(patch)),
    ]

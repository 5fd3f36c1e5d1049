"""Which format should hold a prepared set? Size, reading at random, writing, and what a cut-off file does.

    python benchmarks/storage.py FOLDER [--images 4000]

FOLDER is a prepared set in the JPEG form; its images are written in every format whose library is there
(`pip install pyarrow lmdb h5py webdataset`) and read back at random, one by one, from the page cache.
Rates are per second of processor time ("per core"), so that other work on the machine distorts them little.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.data.prepare.shards import load_index

Images = list[bytes]
Read = Callable[[int], bytes | np.ndarray]


@dataclass(frozen=True)
class Format:
    """A way to store images.

    Attributes:
        name: as printed.
        write: from a path and the images to files at or below that path.
        open: from the path to a function that reads image i: a JPEG's bytes or an array (3, H, W).
        needs: the module without which it is left out.
    """

    name: str
    write: Callable[[Path, Images], None]
    open: Callable[[Path], Read]
    needs: str = ""


def decode(content: bytes | np.ndarray) -> np.ndarray:
    """Return an image (3, H, W), in memory of its own, from what a format stored."""
    if isinstance(content, np.ndarray):
        return content.copy()
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def write_folder(path: Path, images: Images) -> None:
    path.mkdir()
    for i, image in enumerate(images):
        (path / f"{i:07}.jpg").write_bytes(image)


def open_folder(path: Path) -> Read:
    return lambda i: (path / f"{i:07}.jpg").read_bytes()


def write_tar(path: Path, images: Images) -> None:
    places = []
    with path.open("wb") as file, tarfile.TarFile(fileobj=file, mode="w") as archive:
        for i, image in enumerate(images):
            info = tarfile.TarInfo(f"{i:07}.jpg")
            info.size = len(image)
            archive.addfile(info, io.BytesIO(image))
            places.append((file.tell() + -(-len(image) // 512) * -512, len(image)))
    np.save(path.with_suffix(".npy"), np.array(places))


def open_tar(path: Path) -> Read:
    content, places = np.memmap(path, np.uint8, mode="r"), np.load(path.with_suffix(".npy"))
    return lambda i: content[places[i, 0] : places[i].sum()].tobytes()


def write_zip(path: Path, images: Images) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for i, image in enumerate(images):
            archive.writestr(zipfile.ZipInfo(f"{i:07}.jpg"), image)


def open_zip(path: Path) -> Read:
    archive = zipfile.ZipFile(path)
    return lambda i: archive.read(f"{i:07}.jpg")


def write_npy(path: Path, images: Images) -> None:
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (len(images), *decode(images[0]).shape))
    for i, image in enumerate(images):
        array[i] = decode(image)


def open_npy(path: Path) -> Read:
    array = np.load(path, mmap_mode="r").view(np.ndarray)
    return lambda i: array[i]


def write_lmdb(path: Path, images: Images) -> None:
    import lmdb

    size = 2 * sum(map(len, images)) + (1 << 24)
    with lmdb.open(str(path), subdir=False, map_size=size) as store, store.begin(write=True) as transaction:
        for i, image in enumerate(images):
            transaction.put(b"%07d" % i, image)


def open_lmdb(path: Path) -> Read:
    import lmdb

    transaction = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False).begin()
    return lambda i: transaction.get(b"%07d" % i)


def write_hdf5(path: Path, images: Images) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        stored = file.create_dataset("images", len(images), h5py.vlen_dtype(np.uint8))
        for i, image in enumerate(images):
            stored[i] = np.frombuffer(image, np.uint8)


def open_hdf5(path: Path) -> Read:
    import h5py

    images = h5py.File(path, "r")["images"]
    return lambda i: images[i].tobytes()


def arrow_batches(images: Images, size: int) -> Iterator:
    import pyarrow

    for start in range(0, len(images), size):
        yield pyarrow.record_batch({"image": pyarrow.array(images[start : start + size], pyarrow.binary())})


def write_arrow(path: Path, images: Images) -> None:
    import pyarrow

    batches = list(arrow_batches(images, 1024))
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def open_arrow(path: Path) -> Read:
    import pyarrow

    reader = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
    columns = [reader.get_batch(i).column("image") for i in range(reader.num_record_batches)]
    return lambda i: columns[i // 1024][i % 1024].as_py()


def write_parquet(path: Path, images: Images) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_batches(arrow_batches(images, 64))
    pyarrow.parquet.write_table(table, path, row_group_size=64, compression="none")


def open_parquet(path: Path) -> Read:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    return lambda i: file.read_row_group(i // 64).column("image")[i % 64].as_py()


def open_webdataset(path: Path) -> Read:
    import webdataset

    stream = iter(webdataset.WebDataset(path.as_uri(), shardshuffle=False, empty_check=False))
    return lambda _i: next(stream)["jpg"]  # in the stored order: it has no other


FORMATS = (
    Format("tar + index", write_tar, open_tar),
    Format("WebDataset (in order)", write_tar, open_webdataset, "webdataset"),
    Format("zip, stored", write_zip, open_zip),
    Format("folder of JPEGs", write_folder, open_folder),
    Format("LMDB", write_lmdb, open_lmdb, "lmdb"),
    Format("HDF5", write_hdf5, open_hdf5, "h5py"),
    Format("Arrow IPC", write_arrow, open_arrow, "pyarrow"),
    Format("Parquet", write_parquet, open_parquet, "pyarrow"),
    Format("npy, pixels", write_npy, open_npy),
)


def num_bytes(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(formats: Sequence[Format], folder: Path, images: Images, reads: int) -> list[dict]:
    """Write every format into an empty folder and read it, taking turns; the median of three counts."""
    rows = []
    for number, format in enumerate(formats):
        path = folder / f"{number}.data"
        written = seconds(lambda: format.write(path, images))  # noqa: B023
        extra = path.with_suffix(".npy")
        size = num_bytes(path) + (num_bytes(extra) if format.open is open_tar else 0)
        rows.append({"name": format.name, "path": path, "size": size, "write": len(images) / written})
    order = np.random.default_rng(0).choice(len(images), reads, replace=False).tolist()
    times = {format.name: [] for format in formats}
    for _ in range(3):
        for format, row in zip(formats, rows, strict=True):
            times[format.name].append(read_once(format, row["path"], order))
    for row in rows:
        opened, fetched, decoded = np.median(times[row["name"]], axis=0)
        row |= {"open": 1e3 * opened, "fetch": reads / fetched, "decode": reads / decoded}
    return rows


def read_once(format: Format, path: Path, order: list[int]) -> tuple[float, float, float]:
    """Return the processor time of opening, of fetching the images, and of fetching and decoding them."""
    start = time.process_time()
    read = format.open(path)
    opened = time.process_time() - start
    fetched = seconds(lambda: [len(read(i)) for i in order])
    return opened, fetched, seconds(lambda: [decode(read(i)) for i in order])


def cut_off(format: Format, path: Path, count: int) -> str:
    """Say what happens when the last tenth is missing, in a process of its own, as it may die of it."""
    victim = max(path.glob("*.jpg")) if path.is_dir() else path
    with victim.open("r+b") as file:
        file.truncate(victim.stat().st_size * 9 // 10)
    command = [sys.executable, __file__, "--try", format.name, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"the process dies ({done.returncode})"


def try_reading(name: str, path: Path, count: int) -> None:
    """Print how far opening a damaged file and reading its images in order gets; decode the last."""
    (format,) = [format for format in FORMATS if format.name == name]
    step = "opening"
    try:
        read = format.open(path)
        for i in range(count):
            step = f"image {i + 1:,}"
            image = read(i)
        decode(image)
        print("nothing")
    except Exception as error:  # whatever a library raises is the answer
        print(f"{step}: {type(error).__name__}")


def load_jpegs(folder: Path, count: int) -> Images:
    """Return JPEGs of a prepared set."""
    images: Images = []
    for shard in sorted(folder.glob("*.tar")):
        index, content = load_index(shard), shard.read_bytes()
        places = zip(index["offsets"].tolist(), index["sizes"].tolist(), strict=True)
        images += [content[offset : offset + size] for offset, size in places]
    return images[:count]


def main() -> None:
    """Measure, and print a table."""
    if sys.argv[1:2] == ["--try"]:
        try_reading(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a prepared set in the JPEG form")
    parser.add_argument("--images", type=int, default=4000, help="how many to store (4000)")
    arguments = parser.parse_args()
    images = load_jpegs(arguments.folder, arguments.images)
    there = [format for format in FORMATS if not format.needs or find_spec(format.needs)]
    reads = min(1500, len(images) // 2)
    print(f"{len(images):,} images, {sum(map(len, images)) / len(images) / 1e3:.1f} kB each as JPEG")
    print(f"{'format':22} kB each  written/s  open ms  fetched/s  decoded/s  what notices a cut-off file")
    with tempfile.TemporaryDirectory(dir=arguments.folder.parent) as folder:
        for format, row in zip(there, measure(there, Path(folder), images, reads), strict=True):
            print(
                f"{row['name']:22}{row['size'] / len(images) / 1e3:8.1f}{row['write']:11,.0f}"
                f"{row['open']:9.1f}{row['fetch']:11,.0f}{row['decode']:11,.0f}  "
                + cut_off(format, row["path"], len(images))
            )


if __name__ == "__main__":
    main()

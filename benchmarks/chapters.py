"""How long do the cells of each chapter run? The chapters' first lines say so.

    python benchmarks/chapters.py [CHAPTER...] [--repeats N] [--json PATH]

Every run is that of a new kernel, from its start to its end, with the data sets that are on this disk. A
chapter is named by its number, such as 06; without any all of them run. What a chapter took is the median.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import nbformat

from alexnet.storage.files import write_json
from alexnet.storage.records import environment

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # of a script it is the script's folder

from tools.execnb import ENVIRONMENT, make_client  # noqa: E402

BOOK = ROOT / "book"
TIMEOUT = 300  # seconds for a cell


def run(path: Path) -> float:
    """Run a notebook, write nothing, and return the seconds that it took."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    make_client(notebook, path.parent, TIMEOUT).execute()
    return time.perf_counter() - start


def main() -> int:
    """Time the chapters and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="numbers (default: all)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="where to write the results too")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    paths = sorted(path for path in BOOK.glob("*.ipynb") if path.stem[:2].isdigit())
    results = {}
    for path in paths:
        if options.chapters and path.stem[:2] not in options.chapters:
            continue
        seconds = sorted(run(path) for _ in range(options.repeats))
        results[path.stem] = {"seconds": {"median": statistics.median(seconds), "all": seconds}}
        print(f"{path.stem}: {statistics.median(seconds):.1f} s", flush=True)
    if options.json is not None:
        settings = {"repeats": options.repeats, "cores": os.cpu_count()}
        write_json(
            options.json, {"environment": environment("cpu"), "settings": settings, "results": results}
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

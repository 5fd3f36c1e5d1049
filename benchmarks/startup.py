"""How long do commands take to start, beside what PyTorch, torchvision and jupyter-book take alone?

    python benchmarks/startup.py [--repeats N] [--book] [--json PATH]

Every measurement is a new process, so its time of processors counts too. Bytecode and the system's cache of
files are warm, as they are from the second start on. With --book the whole book is built once a round, beside
one of a single page, which is what jupyter-book itself takes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from timing import compared, interleaved

from alexnet.figures import photographs
from alexnet.storage.files import write_json
from alexnet.storage.records import environment

ROOT = Path(__file__).resolve().parents[1]
FLOOR, ONE_PAGE = "import torch", "jupyter-book, a book of one page"
THEIRS = """
import sys
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import alexnet

net = alexnet(weights=None).eval()
look = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
with torch.no_grad():
    print(net(look(Image.open(sys.argv[1]))[None]).softmax(1).topk(5))
"""


def cat(folder: Path) -> Path:
    """Return the file of a photograph."""
    path = folder / "cat.png"
    Image.fromarray(photographs.load("cat").permute(1, 2, 0).numpy()).save(path)
    return path


def started(*words: object) -> Callable[[], None]:
    """Return what runs a command in a new process, which may write bytecode, and fails where it does."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *map(str, words)]

    def run() -> None:
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")

    return run


def commands(photograph: Path, folder: Path) -> dict[str, Callable[[], None]]:
    """Return what is measured, by name; runs go into a folder, a new one for each call."""
    alexnet, runs = ("-m", "alexnet"), iter(range(1_000_000))
    train = (*alexnet, "train", "--data", "default", "--net", "small", "--max-steps", "1", "--out")
    return {
        FLOOR: started("-c", "import torch"),
        "import torchvision": started("-c", "import torchvision"),
        "import alexnet": started("-c", "import alexnet"),
        "alexnet --help": started(*alexnet, "--help"),
        "alexnet predict imagenette PHOTO": started(*alexnet, "predict", "imagenette", photograph),
        "torchvision's AlexNet on PHOTO": started("-c", THEIRS, photograph),
        "alexnet train, one step and its validation": lambda: started(*train, folder / f"{next(runs)}")(),
    }


def books(folder: Path) -> dict[str, Callable[[], None]]:
    """Return what builds this book, and one of a single page."""
    (folder / "page").mkdir()
    (folder / "page" / "_config.yml").write_text("title: One page\nexecute:\n  execute_notebooks: 'off'\n")
    (folder / "page" / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (folder / "page" / "index.md").write_text("# One page\n")
    run = "from jupyter_book.cli.main import main; main()"  # the package is no module to run by -m
    build = ("-c", run, "build", "--all", "--path-output")
    return {
        ONE_PAGE: started(*build, folder / "one", folder / "page"),
        "jupyter-book, this book": started(*build, folder / "whole", ROOT / "book"),
    }


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--book", action="store_true", help="also build the book, once a round")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taken = interleaved(commands(cat(folder), folder / "runs"), repeats=arguments.repeats)
        results = {name: compared(its, taken[FLOOR]) for name, its in taken.items()}
        if arguments.book:
            taken = interleaved(books(folder), repeats=min(arguments.repeats, 3))
            results |= {name: compared(its, taken[ONE_PAGE]) for name, its in taken.items()}
    print(f"{'':44} {'seconds':>8} {'CPU':>6}")
    for name, found in results.items():
        print(f"{name:44} {found['seconds']['median']:8.2f} {found['cpu_seconds']['median']:6.2f}")
    if arguments.json:
        settings = {"repeats": arguments.repeats}
        content = {"environment": environment("cpu"), "settings": settings, "results": results}
        write_json(arguments.json, content)


if __name__ == "__main__":
    main()

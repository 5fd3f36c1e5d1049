"""Set up, build and test the project with nothing but Python 3.11 or later.

    python3 dev.py book     build the book, warnings are errors, and print where its first page lies
    python3 dev.py test     lint, types, unit tests, the built pages, the notebooks against their outputs;
                            `test lint` or `test unit`: these alone
    python3 dev.py run      execute the notebooks again, in place
    python3 dev.py bench    measure the speed against what people would use instead (most of an hour)
    python3 dev.py lock     write requirements.lock anew from pyproject.toml (needs uv)
    python3 dev.py adopt    make links, Colab buttons and installations lead to a repository of yours

book, test, run and bench first make an environment in .venv with the versions of requirements.lock, by uv
where it is on PATH and by pip otherwise; later they bring it up to date when the lock or pyproject.toml has
changed. With --cpu, which it remembers, the environment has PyTorch without CUDA, a quarter of the size.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (any Python 3 may start this file, so it must be able to read it)
    this = "{}.{}".format(*sys.version_info[:2])
    sys.exit("dev.py needs Python 3.11 or later and this is " + this + ": start it with a newer one.")

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import tomllib
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "dev.json"  # what .venv was made from; the kind of PyTorch alone until it is whole
LOCK = ROOT / "requirements.lock"
NEWEST = (3, 14)  # the last Python that the packages of the lock have wheels for
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_PACKAGES = re.compile(r"(?:cuda|nvidia)-|triton=")  # what PyTorch for the CPU does without
FIRST_PAGE = ROOT / "_build" / "html" / "index.html"
CODE = ["alexnet", "benchmarks", "book", "conftest.py", "data", "dev.py", "tests", "tools"]
BESIDE = ["-n", "auto", "--dist", "loadfile"]  # on all cores
UNIT = ["tests", "--ignore=tests/pages", "--ignore=tests/browser"]
SET_UP = ("book", "test", "run", "bench")  # the verbs that need .venv
STAGES = {
    "lint": ["ruff", "check", *CODE],
    "format": ["ruff", "format", "--check", *CODE],
    "types": ["pyrefly", "check", "--python-interpreter-path", str(PYTHON)],
    # Files are shared out whole: their tests have trainings in common, the cells of a notebook everything.
    "tests": ["pytest", "--nbval", "tests", "book", *BESIDE],
    "unit": ["pytest", *UNIT, "-m", "not slow", *BESIDE],
    "slow": ["pytest", *UNIT, "-m", "slow", *BESIDE],
    "pages": ["pytest", "tests/pages"],
    "notebooks": ["pytest", "--nbval", *BESIDE],
    "browser": ["pytest", "tests/browser", *BESIDE],
}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
AGAIN = ("lrn", "training_step", "roofline", "two_ranks", "trials")  # benchmarks, with AVX2 alone
WHOLE = ("lint", "format", "types", "tests")  # beside each other, unit tests and notebooks leave no core idle


def run(*command: object, **settings) -> int:
    """Run a command in the project's folder, say which, and return its exit status."""
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    try:
        return subprocess.run(words, cwd=ROOT, **settings).returncode
    except OSError as error:
        print(f"dev.py: {words[0]} could not be started: {error}", file=sys.stderr)
        return 127


def must(purpose: str, *command: object, advice: str = "", **settings) -> None:
    """Run a command; where it fails, end with one sentence that says what for."""
    status = run(*command, **settings)
    if status:
        sys.exit(f"dev.py: {purpose} failed (exit status {status}); the lines above say why{advice}.")


def wanted(torch: str) -> dict[str, str]:
    """What a whole environment is made from: the Python, the place, the kind of PyTorch, and the packages."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [pyproject[table] for table in ("build-system", "project")] + [pyproject["tool"]["setuptools"]]
    packages = LOCK.read_text(encoding="utf-8") + json.dumps(parts, sort_keys=True)
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "base": f"Python {version} in {ROOT}",
        "torch": torch,
        "packages": hashlib.sha256(packages.encode()).hexdigest(),
    }


def stored() -> dict[str, str]:
    """What .venv was made from.

    Empty where there is none or where making it was interrupted; only the kind of PyTorch where its Python is
    gone.
    """
    if VENV.exists() and not STAMP.exists():
        sys.exit(f"dev.py: {VENV} was not made by dev.py; rename or delete it and run this again.")
    try:
        have = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return have if PYTHON.exists() else {name: have[name] for name in ("torch",) if name in have}


def make_environment(uv: str | None, torch: str) -> None:
    """Replace .venv by an environment that holds pip alone."""
    inside = Path(sys.prefix).resolve() == VENV.resolve()  # it is activated, and its Python is about to go
    python = getattr(sys, "_base_executable", sys.executable) if inside else sys.executable
    try:
        if VENV.exists():
            reason = "is unfinished or was made for another Python, PyTorch or folder"
            print(f"Removing {VENV}, which {reason}.", flush=True)
            # The stamp goes last: it says that the folder is this program's, should it be interrupted here.
            for path in sorted(VENV.iterdir(), key=STAMP.__eq__):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        VENV.mkdir(exist_ok=True)
        STAMP.write_text(json.dumps({"torch": torch}), encoding="utf-8")
    except OSError as error:
        sys.exit(f"dev.py: {VENV} could not be replaced: {error}.")
    if uv:
        command = [uv, "venv", "--allow-existing", "--seed", "--python", python, VENV]
    else:
        command = [python, "-m", "venv", VENV]
    must("making .venv (on Debian and Ubuntu it needs the package python3-venv)", *command)


def packages(uv: str | None, torch: str) -> list[object]:
    """The words that make uv or pip install the packages of the lock with the wanted kind of PyTorch."""
    if torch != "cpu":
        return ["-r", LOCK]
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not CUDA_PACKAGES.match(line)) + "\n"
    # By its full name, or pip would take PyPI's build where that index does not answer. Macs have one build.
    other = r"\g<0>+cpu ; sys_platform != 'darwin'\n\g<0> ; sys_platform == 'darwin'"
    part = VENV / "requirements-cpu.txt"
    part.write_text(re.sub(r"^torch==\S+", other, text, flags=re.MULTILINE), encoding="utf-8")
    return [*(["--torch-backend", "cpu"] if uv else ["--extra-index-url", CPU_INDEX]), "-r", part]


def set_up(cpu: bool | None = None) -> None:
    """Make .venv hold exactly what requirements.lock and pyproject.toml ask for.

    Args:
        cpu: PyTorch without CUDA, or PyTorch's own choice; None keeps the kind that .venv has.
    """
    have = stored()
    torch = have.get("torch", "default") if cpu is None else "cpu" if cpu else "default"
    want = wanted(torch)
    if have == want:
        return
    start, uv = time.monotonic(), shutil.which("uv")
    print(f"Setting up .venv with {'uv' if uv else 'pip'}; the first time this fetches PyTorch.", flush=True)
    if have.get("base") != want["base"] or have.get("torch", "default") != torch:
        make_environment(uv, torch)
    STAMP.write_text(json.dumps({"torch": torch}), encoding="utf-8")
    install = [uv, "pip", "install", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install"]
    advice = ". It needs a network and some gigabytes of disk; the same command begins anew"
    if sys.version_info[:2] > NEWEST:
        advice += (
            f". The packages are made for Python 3.11 to {'.'.join(map(str, NEWEST))}, and this is newer"
        )
    must("installing the packages of requirements.lock", *install, *packages(uv, torch), advice=advice)
    editable = ["--no-deps", "--no-build-isolation", "-e", "."]
    must("installing the package alexnet", *install, *editable, advice=advice)
    STAMP.write_text(json.dumps(want), encoding="utf-8")
    print(f"== set-up: {time.monotonic() - start:.1f} s", flush=True)


def book(arguments: argparse.Namespace) -> None:
    """Build the book and print the address of its first page."""
    start = time.monotonic()
    # --all, because a partial build keeps old numbers on pages that quote another chapter.
    must("building the book", BIN / "jupyter-book", "build", "-W", "--keep-going", "--all", "book/")
    print(f"== book: {time.monotonic() - start:.1f} s\n{FIRST_PAGE.as_uri()}", flush=True)
    if arguments.open:
        webbrowser.open(FIRST_PAGE.as_uri())


def test(arguments: argparse.Namespace) -> None:
    """Run the stages asked for, also after one that failed, and end with what each did."""
    if arguments.machines and arguments.stages:
        sys.exit("dev.py: --machines runs all unit tests and notebooks: leave out the option or the stages.")
    if arguments.machines:
        return test_machines()
    lines, failed = [], []
    for name in arguments.stages or WHOLE:
        start = time.monotonic()
        print(f"\n== {name}", flush=True)
        status = run(PYTHON, "-m", *STAGES[name])
        if status:
            failed.append(name)
        lines.append(f"{name:12} {'FAILED' if status else 'passed'} {time.monotonic() - start:7.1f} s")
    print("\n== dev.py test", *lines, sep="\n", flush=True)
    if failed:
        sys.exit(f"dev.py: failed: {', '.join(failed)}.")


def test_machines() -> None:
    """Run the tests as other processors would, then measure by how much the notebooks' assertions hold."""
    failed = [tool for tool in ("machines", "margins") if run(PYTHON, "-m", f"tools.{tool}")]
    if failed:
        sys.exit(f"dev.py: failed: {', '.join(failed)}.")


def run_notebooks(arguments: argparse.Namespace) -> None:
    """Execute notebooks and store their outputs."""
    notebooks = [path.resolve() for path in arguments.notebooks] or sorted((ROOT / "book").glob("*.ipynb"))
    must("executing the notebooks", PYTHON, ROOT / "tools" / "execnb.py", *notebooks)


def bench(arguments: argparse.Namespace) -> None:
    """Run the benchmarks and write their results and the page of tables."""
    folder = ROOT / "benchmarks"
    names = ("lrn", "training_step", "roofline", "two_ranks", "trials", "startup", "growth", "chapters")
    scripts = {name: [] for name in names} | {"startup": ["--book"]}
    if arguments.images:
        scripts["input_pipeline"] = [arguments.images.resolve()]
    for name, words in scripts.items():
        json_file = folder / "results" / f"{name}.json"
        must(f"the benchmark {name}", PYTHON, folder / f"{name}.py", *words, "--json", json_file)
    measured = json.loads((folder / "results" / "lrn.json").read_text(encoding="utf-8"))
    for name in AGAIN if measured["environment"]["instructions"] == "AVX512" else ():
        json_file = folder / "results" / "avx2" / f"{name}.json"
        command = [PYTHON, folder / f"{name}.py", "--json", json_file]
        must(f"the benchmark {name} with AVX2", *command, env=os.environ | AVX2)
    must("writing the tables", PYTHON, folder / "table.py")


def lock(arguments: argparse.Namespace) -> None:
    """Write requirements.lock anew; versions that still fit stay, unless --upgrade."""
    uv = shutil.which("uv")
    if not uv:
        sys.exit("dev.py: lock needs uv, which is not on PATH: install it with `pip install uv`.")
    command = [
        uv,
        "pip",
        "compile",
        "pyproject.toml",
        "--all-extras",
        "--universal",
        "--python-version",
        "3.11",
    ]
    command += ["--no-annotate", "--quiet", "--output-file", LOCK.name]
    environment = os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "python3 dev.py lock"}
    must("writing requirements.lock", *command, *["--upgrade"] * arguments.upgrade, env=environment)


def adopt(arguments: argparse.Namespace) -> None:
    """Write the repository's address in place of the one that the files hold, or check that they hold it."""
    from tools.adopt import adopt as rewrite
    from tools.adopt import normal, repository

    try:
        url, held = normal(arguments.url), repository(ROOT)
        if not arguments.check:
            print("\n".join(rewrite(ROOT, url)) or "Nothing to change.")
        elif held.lower() != url.lower():  # upper and lower case are the same to GitHub
            remedy = f"run `python3 dev.py adopt {url}` and commit what it changes"
            sys.exit(f"dev.py: the files name {held}: {remedy}.")
    except ValueError as error:
        sys.exit(f"dev.py: {error}.")


def stage(name: str) -> str:
    """Return the name of a stage of the tests as it is."""
    if name not in STAGES:
        raise argparse.ArgumentTypeError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    return name


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str):
        """Say what is wrong with the command line and end."""
        self.exit(2, f"dev.py: {message}; `python3 dev.py --help` shows every verb.\n")


def parser() -> argparse.ArgumentParser:
    """The command line of dev.py."""
    top = Parser(prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = verbs.add_parser("book", help="build the book")
    verb.add_argument("--open", action="store_true", help="open the first page in a browser")
    verb.set_defaults(act=book)
    verb = verbs.add_parser("test", help="check everything, or the stages named")
    stages = (
        f"{', '.join(STAGES)}; tests: unit tests, built pages and notebooks (default: {', '.join(WHOLE)})"
    )
    verb.add_argument("stages", nargs="*", type=stage, metavar="STAGE", help=stages)
    other = "instead run unit tests and notebooks as other processors would, many times (takes hours)"
    verb.add_argument("--machines", action="store_true", help=other)
    verb.set_defaults(act=test)
    verb = verbs.add_parser("run", help="execute notebooks in place")
    verb.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all in book/")
    verb.set_defaults(act=run_notebooks)
    verb = verbs.add_parser("bench", help="measure the speed and write benchmarks/README.md")
    verb.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="also measure the input, with the images of FOLDER/<class>/",
    )
    verb.set_defaults(act=bench)
    verb = verbs.add_parser("lock", help="write requirements.lock anew")
    verb.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    verb.set_defaults(act=lock)
    verb = verbs.add_parser("adopt", help="write your address into every file that names the repository")
    verb.add_argument("url", metavar="URL", help="https://github.com/OWNER/NAME")
    verb.add_argument("--check", action="store_true", help="change nothing; fail where they name another one")
    verb.set_defaults(act=adopt)
    for name in SET_UP:
        verbs.choices[name].add_argument(
            "--cpu",
            action=argparse.BooleanOptionalAction,
            help="set up with PyTorch for the CPU alone (default: as .venv is, at first with CUDA on Linux)",
        )
    return top


def main() -> None:
    """Do what the command line asks for."""
    arguments = parser().parse_args()
    try:
        if arguments.verb in SET_UP:
            set_up(arguments.cpu)
        arguments.act(arguments)
    except KeyboardInterrupt:
        sys.exit("dev.py: interrupted; run the same command again to go on.")


if __name__ == "__main__":
    main()

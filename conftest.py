"""Settings of every test run, made before PyTorch or any kernel starts: kernels inherit them."""

import os
from pathlib import Path

import forking
import pytest

from tools.cores import usable_cores
from tools.execnb import ENVIRONMENT
from tools.garbage import collect_rarely

ROOT = Path(__file__).resolve().parent
BOOK = ROOT / "book"
SANITIZERS = ROOT / "tests" / "sanitize.cfg"
MAX_WORKERS = 8  # each takes about a gigabyte
# They take longest for their number of tests; begun last, they would leave all processes but one idle.
LONGEST = ["test_book.py", "test_training_ranks.py", "test_training_resume.py", "03-relu-against-tanh.ipynb"]
LONGEST += ["16-training-alexnet.ipynb", "12-results.ipynb", "09-augmentation.ipynb", "11-learning.ipynb"]
LONGEST += ["06-local-response-normalisation.ipynb", "test_synthetic.py", "10-dropout.ipynb"]
LONGEST += ["test_run_faults.py", "test_collecting.py", "test_execnb.py", "07-overlapping-pooling.ipynb"]


def pytest_configure(config):
    """Ask for the self-contained form of interactive figures, and set the threads of every process.

    ``pytest`` runs the unit tests, ``pytest --nbval`` the notebooks; paths on the command line come first.
    """
    collect_rarely()
    config.option.loadscopereorder = False  # pytest-xdist would begin with files of many tests
    os.environ.update(ENVIRONMENT)
    forking.import_once(forking.PROCESSES)
    os.environ["PYTHON_COLORS"] = "0"  # or argparse of Python 3.14 paints its help where FORCE_COLOR is set
    if config.option.nbval or config.option.nbval_lax:
        if config.args_source is config.ArgsSource.TESTPATHS:
            config.args = [str(BOOK)]
        # Absolute, since pytest takes a path of `addopts` from wherever it was started.
        config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or str(SANITIZERS)
        forking.fork_kernels()
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        if workers > 1:  # kernels beside each other share the cores
            os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // workers)))
    else:
        os.environ["MPLBACKEND"] = "agg"  # unit tests have no screen
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # their networks are too small to gain from more


def pytest_collection_modifyitems(items):
    """Let the longest files begin."""
    order = {name: place - len(LONGEST) for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, 0))


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers(config):
    """Answer ``-n auto``: one more than cores, since the slow tests wait for processes and disks."""
    waiting = config.option.markexpr != "not slow"
    return min(usable_cores() + waiting, MAX_WORKERS)

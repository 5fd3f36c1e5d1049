"""Settings of every test run, made before PyTorch or any kernel starts: kernels inherit them."""

import os

from tools.execnb import ENVIRONMENT


def pytest_configure(config):
    """Ask for the self-contained form of interactive figures; unit tests have no screen and one thread."""
    os.environ.update(ENVIRONMENT)
    if not config.getoption("nbval"):
        os.environ["MPLBACKEND"] = "agg"
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # their networks are too small to gain from more

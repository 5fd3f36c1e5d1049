"""Settings of every test run, made before any kernel starts: kernels inherit them."""

import os

from tools.execnb import ENVIRONMENT


def pytest_configure(config):
    """Ask for the self-contained form of interactive figures; unit tests draw without a screen."""
    os.environ.update(ENVIRONMENT)
    if not config.getoption("nbval"):
        os.environ["MPLBACKEND"] = "agg"

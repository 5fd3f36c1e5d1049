"""Every unit test starts from the same random state, whichever tests ran before it in its process."""

import random

import pytest


@pytest.fixture(autouse=True)
def same_random_state():
    """Seed the global generators; tests that draw from them give the same verdict at every run."""
    # Imported here, since also a pytest that runs no test reads this file: the one that shares out the tests.
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (libraries draw from it)
    torch.default_generator.manual_seed(0)  # torch.manual_seed notes the whole stack of calls, for GPUs


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_disks():
    """Leave it to the system when files reach the disk: no test outlives a power failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


def pytest_make_parametrize_id(val, argname):
    """Name bytes by their parameter: gzip writes the time, and every process must find the same tests."""
    return argname if isinstance(val, bytes) else None

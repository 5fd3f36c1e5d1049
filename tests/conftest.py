"""Every unit test starts from the same random state, whichever tests ran before it in its process."""

import random
from multiprocessing.context import BaseContext

import pytest

# What takes seconds to import in processes that train and predict.
IMPORTED_ONCE = ["alexnet.distributed.parallel", "alexnet.evaluation.prediction", "alexnet.training"]
IMPORTED_ONCE += ["torch.utils.tensorboard", "torch._dynamo"]  # the second by data parallelism


@pytest.fixture(scope="session", autouse=True)
def processes_start_quickly():
    """Let the server that forks processes import what those of all tests need, whichever starts it."""
    preload = BaseContext.set_forkserver_preload

    def preload_more(self, names):
        preload(self, [*names, *IMPORTED_ONCE])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseContext, "set_forkserver_preload", preload_more)
        yield


@pytest.fixture(autouse=True)
def same_random_state():
    """Seed the global generators; tests that draw from them give the same verdict at every run."""
    # Imported here, since also a pytest that runs no test reads this file: the one that shares out the tests.
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (libraries draw from it)
    torch.manual_seed(0)


def pytest_make_parametrize_id(val, argname):
    """Name bytes by their parameter: gzip writes the time, and every process must find the same tests."""
    return argname if isinstance(val, bytes) else None

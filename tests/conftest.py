"""Every unit test starts from the same random state, whichever tests ran before it in its process."""

import random

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def same_random_state():
    """Seed the global generators; tests that draw from them give the same verdict at every run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (libraries draw from it)
    torch.manual_seed(0)

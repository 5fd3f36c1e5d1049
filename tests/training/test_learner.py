"""The learner: blocks of images on the CPU; copies that drifted apart are found at a validation."""

from types import SimpleNamespace

import pytest

from alexnet.distributed.parallel import ParallelAlexNet
from alexnet.training import validation


def test_a_validation_begins_with_the_copies_of_the_parameters(monkeypatch):
    def drifted(net):
        raise ValueError(f"the copies of a {type(net).__name__} have drifted apart")

    monkeypatch.setattr(validation, "check_replicas", drifted)
    several = SimpleNamespace(net=ParallelAlexNet.__new__(ParallelAlexNet), ranks=None)
    with pytest.raises(ValueError, match="copies of a ParallelAlexNet have drifted apart"):
        validation.validate(several, loader=None)

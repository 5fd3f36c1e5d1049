"""What is read from the records of earlier campaigns."""

import pytest

from alexnet.experiments import readings


def recorded(*crossings):
    """Runs whose errors fall by 0.1 an epoch, averaged over an epoch, through 0.25 at the given epochs."""
    width = 1 / readings.WINDOWS
    epochs = [width * (i + 0.5) for i in range(60)]
    return [
        {"epochs": epochs, "errors": [0.25 - 0.1 * (e - crossing) for e in epochs], "seconds": 1.0}
        for crossing in crossings
    ]


RESULTS = {
    "scaled": {
        "relu": {"rate": 0.01, "runs": recorded(4.0, 6.0)},
        "tanh": {"rate": 0.01, "runs": recorded(9.0, 12.0)},
    },
    "2012": {
        "relu": {"rate": 0.01, "runs": recorded(4.0, 6.0)},
        "tanh": {"rate": 0.01, "runs": []},
    },
}


def test_the_epochs_to_a_target_are_those_of_every_seed():
    assert readings.target_epochs(RESULTS, "scaled", "tanh") == pytest.approx([9, 12])
    assert readings.target_epochs(RESULTS, "scaled", "relu", 0.15) == pytest.approx([5, 7])  # an epoch after


def test_a_unit_that_did_not_arrive_has_no_epochs():
    with pytest.raises(ValueError, match="tanh did not reach 25% in every run of the setup '2012'"):
        readings.target_epochs(RESULTS, "2012", "tanh")


def test_the_lowest_error_is_an_average_over_an_epoch():
    assert readings.lowest_error(RESULTS, "scaled", "relu") == pytest.approx(0.25 - 0.1 * (14.5 - 4))

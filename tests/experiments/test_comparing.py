"""What is said of several seeds."""

import pytest

from alexnet.experiments.verdicts import gains, verdict


def test_gains_are_taken_seed_by_seed():
    runs = [{"seed": 1, "test_error": 0.33, "loss": 2.0}, {"seed": 0, "test_error": 0.29, "loss": 1.0}]
    base = [
        {"seed": seed, "test_error": error, "loss": 1.5} for seed, error in ((0, 0.30), (1, 0.32), (2, 0.9))
    ]
    results = {"base": {"runs": base}, "lrn": {"runs": runs}}
    assert sorted(gains(results, "lrn", "base")) == pytest.approx([-0.01, 0.01])
    assert gains(results, "base", over="lrn") == pytest.approx([-0.01, 0.01])
    assert gains(results, "lrn", "base", "loss") == [-0.5, 0.5]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [  # Student's t for 95%: 12.706 with two values, 4.303 with three
        ([0.022, 0.020], "lower by 2.1 points [+0.8, +3.4]"),
        ([-0.022, -0.020], "higher by 2.1 points [+0.8, +3.4]"),
        ([0.02, 0.01], "inconclusive: lower by 1.5 points [-4.9, +7.9]"),  # lower in each of two seeds
        ([0.02, -0.01, -0.04], "inconclusive: higher by 1.0 points [-6.5, +8.5]"),
        ([0.0, 0.0], "inconclusive: lower by 0.0 points [+0.0, +0.0]"),
        ([0.05], "inconclusive: fewer than two seeds"),
        ([], "inconclusive: fewer than two seeds"),
    ],
)
def test_the_verdict_says_no_more_than_the_seeds_show(found, sentence):
    assert verdict(found) == sentence


def test_gains_in_a_loss_are_in_nats():
    assert verdict([0.022, 0.020], nats=True) == "lower by 0.021 nats [+0.008, +0.034]"

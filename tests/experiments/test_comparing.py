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
    [
        ([0.02, 0.01], "lower in each of 2 seeds, by 1.0 to 2.0 points"),
        ([-0.02, -0.01], "higher in each of 2 seeds, by 1.0 to 2.0 points"),
        ([0.02, -0.01, -0.04], "undecided: lower in 1 of 3 seeds, from 4.0 points higher to 2.0 lower"),
        ([0.0, 0.01], "undecided: lower in 1 of 2 seeds, from 0.0 points higher to 1.0 lower"),
        ([0.05], "undecided: fewer than two seeds"),
        ([], "undecided: fewer than two seeds"),
    ],
)
def test_the_verdict_says_no_more_than_the_seeds_show(found, sentence):
    assert verdict(found) == sentence

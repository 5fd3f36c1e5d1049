"""Intervals and verdicts, against numbers worked out by hand and against what repetition gives."""

import math

import numpy as np
import pytest

from alexnet.experiments.intervals import (
    Interval,
    fraction_interval,
    fraction_p_value,
    gains,
    holm,
    mean_interval,
    over_seeds_and_images,
    p_value,
    ratio_interval,
    student_p,
    verdict,
)


def test_an_interval_by_hand():
    # Mean 2, deviation 1, three values; 97.5% of Student's t with 2 degrees of freedom lies below 4.302653.
    found = mean_interval([1.0, 2.0, 3.0])
    assert (found.mean, found.num_values) == (2.0, 3)
    assert found.high - 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6) == 2 - found.low


def test_the_interval_contains_the_true_mean_in_95_of_100_measurements():
    generator = np.random.Generator(np.random.PCG64(0))
    drawn = generator.normal(0.3, 2.0, (4000, 5)).tolist()
    inside = np.mean([mean_interval(values).contains(0.3) for values in drawn])
    assert 0.93 < inside < 0.97  # six standard deviations of the share to either side


def test_a_ratio_is_that_of_logarithms():
    found = ratio_interval([2.0, 8.0, 4.0], [1.0, 1.0, 1.0])
    assert found.mean == pytest.approx(4)
    assert found.high / 4 == pytest.approx(math.exp(4.302653 * math.log(2) / 3**0.5), rel=1e-5)
    assert found.high * found.low == pytest.approx(16)
    with pytest.raises(ValueError):
        ratio_interval([1.0], [1.0, 2.0])


def test_one_seed_settles_nothing():
    assert mean_interval([3.0]) == Interval(3.0, -math.inf, math.inf, 1)
    assert verdict(mean_interval([3.0])) == verdict(mean_interval([])) == "inconclusive"
    assert p_value([3.0]) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 1.2, 1.1], "supported"), ([-1.0, -1.2, -1.1], "contradicted"), ([1.0, 0.1, 0.2], "inconclusive")],
)
def test_a_verdict_follows_from_the_interval(values, expected):
    assert verdict(mean_interval(values)) == expected
    assert verdict(mean_interval([5 + value for value in values]), nothing=5.0) == expected


def test_the_same_sign_in_three_seeds_is_not_enough():
    assert verdict(mean_interval([0.2, 1.0, 3.0])) == "inconclusive"


def test_p_values_are_those_of_the_paired_test():
    from scipy import stats  # here, since it takes a second

    values = [0.3, -0.1, 0.8, 0.4]
    assert p_value(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert p_value([-value for value in values]) == pytest.approx(p_value(values))
    assert (p_value([1.0, 1.0]), p_value([0.0, 0.0])) == (0.0, 1.0)


def test_the_p_value_of_an_interval_is_that_of_its_values():
    values = [0.3, -0.1, 0.7, 0.45, 0.2]
    assert student_p(mean_interval(values)) == pytest.approx(p_value(values))
    shifted = [value - 0.1 for value in values]
    assert student_p(mean_interval(values), nothing=0.1) == pytest.approx(p_value(shifted))
    assert student_p(mean_interval([0.3])) == 1
    assert (student_p(mean_interval([1.0, 1.0])), student_p(mean_interval([0.0, 0.0]))) == (0.0, 1.0)


def test_several_comparisons_by_hand():
    # Holm: 3 * 0.01, then 2 * 0.02, then 0.03, which may not be below the one before it.
    assert holm({"a": 0.03, "b": 0.01, "c": 0.02}) == pytest.approx({"a": 0.04, "b": 0.03, "c": 0.04})
    assert list(holm({"a": 0.03, "b": 0.01})) == ["a", "b"]
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert verdict(mean_interval([1.0, 1.2, 1.1]), corrected_p=0.06) == "inconclusive"


def test_points_for_people():
    assert Interval(0.0123, -0.003, 0.027, 5).in_points() == "+1.2 [-0.3, +2.7]"


def test_the_luck_of_the_images_does_not_average_out_over_networks():
    def gain(mean, half):
        return {"mean": mean, "low": mean - half, "high": mean + half}

    means = [1.0, 2.0, 3.0]  # their interval is 2 -+ 4.303 / sqrt(3) = 2.484
    found = over_seeds_and_images(
        [gain(mean, half) for mean, half in zip(means, (1.0, 2.0, 3.0), strict=True)]
    )
    assert (found.mean, found.num_values) == (2.0, 3)
    assert (
        found.high - 2 == pytest.approx(2 - found.low) == pytest.approx((2.484**2 + 2.0**2) ** 0.5, abs=1e-3)
    )
    alike = over_seeds_and_images([gain(0.1, 0.05)] * 5)
    assert (alike.low, alike.high) == pytest.approx((0.05, 0.15))


def test_gains_are_taken_seed_by_seed():
    runs = [{"seed": 1, "test_error": 0.33, "loss": 2.0}, {"seed": 0, "test_error": 0.29, "loss": 1.0}]
    base = [
        {"seed": seed, "test_error": error, "loss": 1.5} for seed, error in ((0, 0.30), (1, 0.32), (2, 0.9))
    ]
    results = {"base": {"runs": base}, "lrn": {"runs": runs}}
    assert sorted(gains(results, "lrn", "base")) == pytest.approx([-0.01, 0.01])
    assert gains(results, "base", over="lrn") == pytest.approx([-0.01, 0.01])
    assert gains(results, "lrn", "base", "loss") == [-0.5, 0.5]


@pytest.mark.parametrize("count, of", [(0, 5), (2, 5), (5, 5), (10, 10), (3, 10), (4, 20), (10, 20)])
def test_the_p_value_of_a_fraction_sums_what_is_as_far_from_a_half(count, of):
    far = abs(count - of / 2)
    chance = sum(math.comb(of, k) for k in range(of + 1) if abs(k - of / 2) >= far) / 2**of
    assert fraction_p_value(count, of) == pytest.approx(chance)


@pytest.mark.parametrize("successes, trials", [(0, 6), (2, 5), (5, 5), (7, 20)])
def test_the_ends_of_the_interval_of_a_fraction_leave_a_fortieth_on_each_side(successes, trials):
    found = fraction_interval(successes, trials)
    assert (found.mean, found.num_values) == (successes / trials, trials)

    def chance(numbers, p):  # that so many of the trials succeed
        return sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in numbers)

    as_many, as_few = range(successes, trials + 1), range(successes + 1)
    assert found.low == 0 if successes == 0 else chance(as_many, found.low) == pytest.approx(0.025)
    assert found.high == 1 if successes == trials else chance(as_few, found.high) == pytest.approx(0.025)

"""The logged scores are those behind the printed numbers, and nothing is printed that they contradict."""

import pytest

from alexnet import paper
from alexnet.lab_notes import (
    CONTEST,
    OTHER_SCHEDULES,
    RUNS,
    SCHEDULES,
    TEST_2010,
    VAL_2012,
    find_run,
    find_schedule,
)
from alexnet.optim.schedule import LOGGED


def test_every_traced_number_of_the_paper_is_a_logged_one():
    best_2010 = find_run("145-2010", data=TEST_2010)
    one_crop = find_run("145-2010", data=TEST_2010, views=1)
    plain = find_run("145", data=VAL_2012)
    pretrained = find_run("146-2012-2011", data=VAL_2012)
    printed = {row.model: row for row in (*paper.ILSVRC2010_TEST, *paper.ILSVRC2012)}
    printed["one crop"] = paper.ILSVRC2010_ONE_CROP
    pairs = [(best_2010, "CNN"), (one_crop, "one crop"), (plain, "1 CNN"), (pretrained, "1 CNN*")]
    for run, model in pairs:
        assert (round(run.top1, 3), round(run.top5, 3)) == (printed[model].top1, printed[model].top5), model


@pytest.mark.parametrize(
    ("net", "base", "data", "top1", "top5"),
    [
        ("145-half", "145-2010", TEST_2010, paper.TWO_GPU_TOP1_GAIN, paper.TWO_GPU_TOP5_GAIN),
        ("148", "145", VAL_2012, paper.LRN_TOP1_GAIN, paper.LRN_TOP5_GAIN),
        ("147", "145", VAL_2012, paper.POOL_TOP1_GAIN, paper.POOL_TOP5_GAIN),
    ],
)
def test_the_gains_are_differences_of_logged_runs(net, base, data, top1, top5):
    without, with_it = find_run(net, data=data), find_run(base, data=data)
    assert (round(without.top1 - with_it.top1, 3), round(without.top5 - with_it.top5, 3)) == (top1, top5)


def test_the_first_of_several_scores_is_found_and_a_missing_one_is_named():
    assert find_run("145", data=VAL_2012).top1 == 0.406640
    with pytest.raises(ValueError, match="no score of network '145' on ILSVRC-2010 test with 10 crops"):
        find_run("145", data=TEST_2010)


@pytest.mark.parametrize(("net", "name"), [("145", "logged-2012"), ("145-2010", "logged-2010")])
def test_the_schedules_of_the_net_of_the_paper_are_those_that_can_be_trained_with(net, name):
    noted, logged = find_schedule(net), LOGGED[name]
    epochs = {stage.epoch: stage for stage in logged.stages}
    first_with = {stage.weight_cuts: stage.epoch for stage in reversed(logged.stages)}
    assert noted.cuts == tuple(first_with[cut] for cut in (1, 2, 3)) and noted.end == logged.num_epochs
    assert not epochs[noted.noise_off].colour_noise and epochs[noted.conv1_frozen].conv1_cuts is None


def test_no_ablation_had_the_schedule_of_the_net_that_it_is_compared_with():
    cuts = {noted.net: (*noted.cuts, noted.end, noted.noise_off) for noted in SCHEDULES}
    for net, base in (("145-half", "145-2010"), ("148", "145"), ("147", "145")):
        assert cuts[net] != cuts[base]
    assert len(set(cuts.values())) == len(SCHEDULES)
    with pytest.raises(ValueError, match="no schedule of network '150' is noted here"):
        find_schedule("150")


def test_rates_are_fractions_in_order():
    for run in RUNS:
        assert 0.1 < run.top5 < run.top1 < 0.5


def test_the_averages_of_table_2_are_those_of_the_contest():
    """The names of the files list the networks; the page rounds nothing."""
    printed = {row.model: row.top5_test for row in paper.ILSVRC2012}
    for entry, model in zip(CONTEST, ("5 CNNs", "7 CNNs*"), strict=True):
        assert round(entry.top5, 3) == printed[model] and len(entry.nets) == int(model[0])
        assert entry.file.removesuffix("txt").removesuffix(".") == "-".join(("test-preds", *entry.nets))
    five, seven = (set(entry.nets) for entry in CONTEST)
    assert five - seven == {"135"}


def test_other_schedules_are_compared_on_one_crop_since_ten_crops_are_a_selection():
    one = {net: find_run(net, data=VAL_2012, views=1) for net in OTHER_SCHEDULES}
    ten = {run.net: run for run in RUNS if run.net in one and run.data == VAL_2012 and run.views == 10}
    assert set(one) - set(ten) == {"162", "169-80", "175"}
    assert max(one.values(), key=lambda run: run.top1).net == "162"  # "ah screw it, it'll suck"
    for net, run in ten.items():
        assert 0.01 < one[net].top1 - run.top1 < 0.03, net  # what ten crops gain
        assert 0.01 < one[net].top5 - run.top5 < 0.03, net

"""The logged scores are those behind the printed numbers, and nothing is printed that they contradict."""

import pytest

from alexnet import paper
from alexnet.lab_notes import CONTEST, RUNS, TEST_2010, VAL_2012, find_run


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
    with pytest.raises(ValueError, match="no score of net '145' on ILSVRC-2010 test with 10 views"):
        find_run("145", data=TEST_2010)


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

"""DEVIATIONS.md: its ids and values are those of the recipes, its numbers follow, its tests exist."""

import re
from pathlib import Path

import pytest
import torch

from alexnet.data.loader import epoch_order
from alexnet.functional.lrn import local_response_norm
from alexnet.optim.schedule import LOGGED, PLATEAU_THRESHOLD, schedule_for
from alexnet.recipes import CODE2012, DIFFERENCES, PAPER

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")


def rows(letter):
    """The cells of every row of a table whose first cell is an id, row by row."""
    lines = [line for line in TEXT.splitlines() if re.match(rf"\| {letter}\d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def explained():
    return {cells[0]: cells for cells in rows("D")[len(DIFFERENCES) :]}


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 120


def test_both_tables_have_the_differences_of_the_recipes_in_their_order():
    ids = [difference.id for difference in DIFFERENCES]
    assert [cells[0] for cells in rows("D")] == ids + ids
    assert {len(cells) for cells in rows("D")} == {5}


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.id)
def test_values_are_those_of_the_recipes(difference):
    _, field, text, code, _ = rows("D")[DIFFERENCES.index(difference)]
    assert field == f"{difference.part}.{difference.field}"
    assert text == f"`{getattr(getattr(PAPER, difference.part), difference.field)!r}`"
    assert code == f"`{difference.code!r}`"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.id)
def test_sections_are_those_of_the_recipes_and_evidence_is_given(difference):
    _, text, _, evidence, _ = explained()[difference.id]
    assert text.endswith(f"({difference.section})")
    assert re.search(r"\.(cfg|py|cu)\b", evidence)


def test_readings_are_numbered():
    ids = [cells[0] for cells in rows("A")]
    assert ids == [f"A{number}" for number in range(1, len(ids) + 1)]
    mentioned = set(re.findall(r"\b[AD]\d+\b", TEXT))
    assert mentioned == set(ids) | {difference.id for difference in DIFFERENCES}


def test_every_row_names_a_test_and_every_test_named_exists():
    named = re.findall(r"([\w/]+/test_\w+\.py|test_\w+\.py)::(test_\w+)", TEXT)
    assert len(named) == len(DIFFERENCES) + len(rows("A")) + 2
    assert TEXT.count(".py::") == len(named)
    for file, test in named:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"{file} has no {test}"


# The numbers in it that no other test holds


def test_the_divisors_of_d1():
    x = torch.full((1, 9, 1, 1), 100.0, dtype=torch.float64)
    divisors = [(x / local_response_norm(x, divide_alpha=divide))[0, 4].item() for divide in (False, True)]
    assert (
        explained()["D1"][-1].count(f"{divisors[0]:.2f}")
        == 1
        == explained()["D1"][-1].count(f"{divisors[1]:.2f}")
    )


def test_the_spread_of_d9():
    """Noise adds a hundredth of the variance along each component: 0.1 of its deviation."""
    assert f"{1.01**0.5 / 1.1:.2f} times" in explained()["D9"][-1]


def test_the_epochs_of_d13():
    stages = LOGGED["logged-2012"].stages
    text = explained()["D13"][2]
    for stage in stages[1:]:
        assert re.search(rf"\b{stage.epoch}\b", text)
    assert f"stop at {LOGGED['logged-2012'].num_epochs}" in text


def test_the_rates_of_d11():
    last = schedule_for(CODE2012.learning).rates(90)
    assert f"{last.bias_rate / last.weight_rate:.0f} times" in explained()["D11"][-1]


def test_the_patience_of_a7():
    reading = next(cells[2] for cells in rows("A") if cells[0] == "A7")
    assert (
        f"{PAPER.learning.plateau_patience} epochs without a gain of more than {PLATEAU_THRESHOLD};"
        in reading
    )


def test_a_fixed_order_is_that_of_every_epoch():
    fixed = [epoch_order(1000, 3, epoch, "fixed") for epoch in range(3)]
    assert torch.equal(fixed[0], fixed[1]) and torch.equal(fixed[0], fixed[2])
    assert not torch.equal(fixed[0], torch.arange(1000))
    shuffled = [epoch_order(1000, 3, epoch, PAPER.learning.order) for epoch in range(3)]
    assert not torch.equal(shuffled[0], shuffled[1]) and not torch.equal(shuffled[1], shuffled[2])

"""Tables of results as Markdown."""

import pytest

from alexnet.figures import table


def test_columns_of_numbers_stand_at_the_right():
    rows = [
        {"layer": "conv1", "change": "−0.5 points", "size": "35 kB"},
        {"layer": "fc6", "change": "**+1.2** points", "size": ""},
    ]
    assert table(rows).data.splitlines() == [
        "| layer | change | size |",
        "| --- | ---: | ---: |",
        "| conv1 | −0.5 points | 35 kB |",
        "| fc6 | **+1.2** points |  |",
    ]


def test_a_bar_in_a_cell_does_not_end_it():
    assert table([{"function": "|tanh|"}]).data.splitlines()[-1] == "| \\|tanh\\| |"


def test_a_note_follows_the_table():
    assert table([{"a": 1}], note="From a record.").data.endswith("| 1 |\n\nFrom a record.")


@pytest.mark.parametrize("rows", [[], [{}], [{"a": 1}, {"b": 1}]])
def test_rows_that_make_no_table_are_refused(rows):
    with pytest.raises(ValueError, match="same heads"):
        table(rows)

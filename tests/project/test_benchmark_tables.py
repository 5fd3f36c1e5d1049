"""The page of benchmarks is made of the files that the scripts write."""

import json
import math
from pathlib import Path

import growth
import pytest
import table

HERE = Path(table.__file__).parent
BOOK = HERE.parent / "book"

QUARTILES = {"median": 2.0, "quartile_1": 1.5, "quartile_3": 2.5}
ABOUT = {"environment": {"device": "cpu: A", "threads": 2, "torch": "9"}, "settings": {"batch": 8}}


def make_page(folder, **results):
    for name, content in results.items():
        (folder / f"{name}.json").write_text(json.dumps(ABOUT | content))
    return table.page(folder).splitlines()


def test_what_was_not_measured_is_said(tmp_path):
    lines = make_page(tmp_path)
    assert "Nothing on this page was measured on a GPU." in " ".join(lines)
    assert not [line for line in lines if line.startswith("|")]


def test_ratios_stand_with_their_quartiles_and_the_machine(tmp_path):
    found = {"seconds": {"median": 0.25}, "times_as_fast": QUARTILES}
    lines = make_page(tmp_path, lrn={"results": {"conv1": {"training": found}}})
    assert "| conv1, training | 250.0 | 2.00 | 1.50 to 2.50 |" in lines
    assert (
        "cpu: A, 2 threads, torch 9; batch 8. Times as fast as `F.local_response_norm`, the same work."
        in lines
    )


def test_times_of_processors_have_a_column_where_they_were_measured(tmp_path):
    found = {"seconds": {"median": 0.25}, "times_as_fast": QUARTILES, "times_as_fast_by_cpu": {"median": 3.0}}
    lines = make_page(tmp_path, trials={"results": {"ours": found}})
    assert "| | milliseconds | times as fast | quartiles | by CPU time |" in lines
    assert "| ours | 250.0 | 2.00 | 1.50 to 2.50 | 3.00 |" in lines


def test_the_share_of_waiting_stands_below_the_images(tmp_path):
    found = {"seconds": {"median": 0.25}, "times_as_fast": QUARTILES}
    lines = make_page(tmp_path, input_pipeline={"results": {"JPEG": found}, "wait_share": 0.0123})
    assert "A training of `code2012` on all cores waits 1.2% of its time for images." in lines


def test_a_layer_stands_beside_what_it_takes_at_least(tmp_path):
    rates = {"multiply_adds_a_second": 5e10, "bytes_a_second": 2e10}
    layer = {"seconds": {"median": 0.3}, "share": {"median": 0.25}, "least_seconds": 0.1, "bound": "bytes"}
    lines = make_page(tmp_path, roofline={"rates": rates, "results": {"conv1": layer}})
    assert "| conv1 | 300.0 | 25.0% | 100.0 | bytes | 3.0 |" in lines
    assert "100 GFLOP/s" in " ".join(lines) and "20.0 GB/s" in " ".join(lines)


def test_other_instructions_have_a_table_of_their_own(tmp_path):
    found = {"seconds": {"median": 0.25}, "times_as_fast": QUARTILES}
    (tmp_path / "avx2").mkdir()
    make_page(tmp_path / "avx2", lrn={"results": {"conv1": found | {"seconds": {"median": 0.5}}}})
    lines = make_page(tmp_path, lrn={"results": {"conv1": found}})
    places = [lines.index(line) for line in lines if line.startswith(("#", "| conv1"))]
    assert [lines[place] for place in places][1:5] == [
        "## Local response normalisation",
        "| conv1 | 250.0 | 2.00 | 1.50 to 2.50 |",
        "### The same with AVX2",
        "| conv1 | 500.0 | 2.00 | 1.50 to 2.50 |",
    ]


def test_chapters_stand_with_their_seconds(tmp_path):
    lines = make_page(tmp_path, chapters={"results": {"01-start-here": {"seconds": {"median": 12.4}}}})
    assert "| 01-start-here | 12 |" in lines


@pytest.mark.parametrize("path", sorted(BOOK.glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_the_first_lines_of_a_chapter_say_how_long_its_cells_run(path):
    """To the next five seconds; half a minute is 22.5 to 40."""
    timed = json.loads((HERE / "results" / "chapters.json").read_text(encoding="utf-8"))
    assert timed["settings"]["cores"] == 2
    seconds = timed["results"][path.stem]["seconds"]["median"]
    words = "half a minute" if 22.5 <= seconds < 40 else f"{max(5, 5 * round(seconds / 5))} seconds"
    title = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    assert f"the cells run in about {words} on two cores" in title, (path.stem, seconds)


def test_growth_has_its_exponents_and_a_figure(tmp_path):
    found = {"timed": "a step", "sizes": [10, 1000], "seconds": [{"median": 0.5}, {"median": 2.0}]}
    found |= {"exponent": 0.3, "exponent_of_the_last_two": 0.9}
    lines = make_page(tmp_path, growth={"results": {"classes": found}})
    assert "| classes | a step | 10, 1,000 | 500, 2,000 | 0.30 | 0.90 |" in lines
    assert "results/growth.png" in " ".join(lines)


def test_the_exponent_of_a_power_is_that_power():
    times = {size: [3e-4 * size**1.5] * 3 for size in (10, 100, 2000)}
    found = growth.measured(times)
    assert math.isclose(found["exponent"], 1.5) and math.isclose(found["exponent_of_the_last_two"], 1.5)
    flat = growth.measured({1: [2.0], 10: [2.0], 100: [20.0]})
    assert math.isclose(flat["exponent_of_the_last_two"], 1) and math.isclose(flat["exponent"], 0.5)


def test_a_gpus_page_shows_what_is_wrong_and_the_part_of_what_is_possible(tmp_path):
    numerics = {"tf32, eager": {"difference": 0.5, "limit": 0.02, "right": False}}
    trainings = {"bfloat16, compiled": {"losses": [1, 1], "right": True}}
    speed = {"ours": {"images_a_second": 1234.5, "times_as_fast": QUARTILES, "part_of_bound": 0.25}}
    hours = {"float32": {"hours_at_best": {"1": 3.0, "8": 0.375}}}
    parts = {"numerics": numerics, "trainings": trainings, "speed": speed, "90 epochs": hours}
    lines = make_page(tmp_path, accelerator=parts)
    assert "| tf32, eager | 5.0e-01 | 0.02 | WRONG |" in lines
    assert "| bfloat16, compiled | | | right |" in lines
    assert "| ours | 1,234 | 2.00 | 1.50 to 2.50 | 25% |" in lines
    assert "3.00 on 1, 0.38 on 8 hours" in " ".join(lines) and "Nothing on this page" not in " ".join(lines)


def test_the_page_is_that_of_the_results():
    assert (table.HERE / "README.md").read_text(encoding="utf-8") == table.page(table.HERE / "results")


def test_the_page_on_data_repeats_what_was_measured():
    root = Path(__file__).parents[2]
    found = json.loads((root / "benchmarks/results/input_pipeline.json").read_text())["results"]
    text = (root / "data/README.md").read_text(encoding="utf-8")
    for form in ("JPEG", "raw"):
        ratio = found[f"prepared, {form}"]["times_as_fast"]["median"]
        assert f"| {form} | {ratio:.2g} |" in text

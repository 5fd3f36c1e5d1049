"""The pages for newcomers stay short, and what they name is there."""

import math
import re
from pathlib import Path

import pytest

from alexnet.experiments.claims import CLAIMS
from alexnet.experiments.evidence import finding
from alexnet.storage import records

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"]


def read_text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_readme_is_short():
    assert len(read_text("README.md").splitlines()) <= 125


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name):
    text = re.sub(r"`[^`]+`", "", read_text(name))  # code may show what a link looks like
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_tree_in_the_readme_is_the_tree():
    section = read_text("README.md").split("## Contents of the repository")[1].split("\n## ")[0]
    named = re.findall(r"^    (\S+?),? ", section, re.MULTILINE)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_measured_numbers_and_the_verdict_are_those_of_the_ledger():
    for id, images in (("relu-speed", "50,000"), ("relu-several", "50,000"), ("aug-needed", "10,000")):
        found = finding(id)
        assert f"{images} training images of CIFAR-10, 5 seeds" in found.basis
        row = f"| {found.ours} | {found.verdict} | CIFAR-10, {images} images, 5 seeds |"
        assert row in read_text("README.md")
    assert f"lists all {len(CLAIMS)} claims" in read_text("README.md")
    assert f"makes {len(CLAIMS)} claims" in read_text("book/index.md")


def test_the_error_of_the_network_that_comes_along_is_that_of_its_record():
    record = records.load("imagenette")
    last, size = record.results["validations"][-1], record.config["recipe"]["net"]["input_size"]
    assert (
        f"top-1 error {last['top1']:.1%} on Imagenette's validation images after "
        f"{record.results['epochs']:.0f} epochs at {size}x{size} pixels"
    ) in read_text("README.md")


def test_the_training_on_imagenette_is_that_of_its_record():
    record = records.load("imagenette-code2012")
    results, last = record.results, record.results["validations"][-1]
    guessed = 1 - 1 / record.data["classes"]
    assert (
        f"validation top-1 error {last['top1']:.1%} after {results['epochs']:.1f} epochs, where guessing has "
        f"{guessed:.0%} (Imagenette, {record.data['images']['train']:,} images, {len(record.seeds)} seed)"
    ) in read_text("README.md")
    linear = records.load("imagenette-baselines").results
    colours, with_hog = linear["colour histogram"], linear["HOG and colour histogram"]
    control = f"on colour histograms has {colours['top1']:.1%}, on HOG with colours {with_hog['top1']:.1%}:"
    assert control in read_text("README.md")
    assert last["step"] == results["step"] and record.data["classes"] == 10
    losses = [loss for _, loss, _ in results["log"]]
    guessing = math.log(record.data["classes"])
    assert sum(losses[-10:]) / 10 < guessing - 0.5  # the loss clearly falls

"""Figure 4 with free images, the drawn scenes, confusion, and the gallery of neighbours."""

import re

import numpy as np
import pytest
import torch

import alexnet
from alexnet.evaluation.neighbours import Neighbours
from alexnet.figures import scenes
from alexnet.figures.chapters import answers, neighbours


@pytest.fixture(scope="module")
def classifier():
    return alexnet.load_classifier("imagenette")


def test_every_class_has_a_scene_that_is_the_same_at_every_call(classifier):
    assert scenes.names() == list(classifier.names)
    for name in scenes.names():
        image = scenes.load(name)
        assert image.shape == (3, 224, 224) and image.dtype == torch.uint8 and image.float().std() > 20
    assert torch.equal(scenes.load("church"), scenes.load("church"))
    with pytest.raises(ValueError, match="no scene 'chapel'; the names are tench, English springer"):
        scenes.load("chapel")


def test_the_right_class_has_a_red_bar_and_a_wrong_answer_none(classifier):
    images = {"golf ball": scenes.load("golf ball"), "cat": scenes.load("tench")}
    shown = answers.figure_4(classifier, images, caption="Some.", number="12.2")
    ball, cat = shown.html.split("<b>cat</b>")
    assert ball.count(answers.RIGHT) == 1 and ball.count(answers.OTHER) == 4
    assert cat.count(answers.RIGHT) == 0 and cat.count(answers.OTHER) == 5
    found = alexnet.predict(classifier, list(images.values()))
    widths = [int(w) for w in re.findall(r"height:5px[^>]*width:(\d+)%", shown.html)]
    assert widths == [max(round(100 * share), 1) for each in found for _, share in each]
    assert f"cat: {found[1][0][0]} {found[1][0][1]:.0%}" in shown.alt


def test_confusion_is_in_percent_of_the_label():
    counts = [[8, 2], [30, 10]]
    figure = answers.confusion(counts, ["ball", "fish"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["80", "20", "75", "25"]
    assert answers.worst_pair(counts, ["ball", "fish"]) == ("fish", "ball", 0.75)
    assert answers.worst_pair([[5, 1, 0], [0, 0, 0], [0, 2, 3]], "abc") == ("c", "b", 0.4)  # b has no images


def test_every_network_has_a_curve_of_crops():
    networks = [
        {"seed": seed, "by_views": [0.3 + seed / 10, 0.2], "centre": {"top1": 0.25}} for seed in (0, 4)
    ]
    (axis,) = answers.errors_by_crops(networks).axes
    curves = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_label() for line in curves] == ["seed 0", "seed 4"]
    assert np.allclose([line.get_ydata() for line in curves], [[30, 20], [70, 20]])


def test_a_scene_stands_on_any_ground():
    own, other = scenes.load("golf ball"), scenes.load("golf ball", "wood")
    apart = (own.float() - other.float()).abs().mean(0)
    assert apart[100:130, 100:130].max() == 0 and apart[:20].mean() > 10  # the ball stays
    assert torch.equal(scenes.load("church", "country"), scenes.load("church"))
    with pytest.raises(ValueError, match="ground must be one of lawn, .*; got 'sea'"):
        scenes.load("church", "sea")


def test_crops_come_from_their_image_and_some_are_reflected():
    ramp = torch.arange(40, dtype=torch.uint8).expand(3, 30, 40).contiguous()
    flat = torch.full((3, 30, 50), 200, dtype=torch.uint8)
    found = neighbours.crops([ramp] * 20 + [flat], 16, torch.Generator().manual_seed(0))
    assert found.shape == (21, 3, 16, 16) and (found[20] == 200).all()
    rising = [bool(crop[0, 0, -1] > crop[0, 0, 0]) for crop in found[:20]]
    assert {True, False} == set(rising)
    spans = (found[:20, 0, 0, -1].float() - found[:20, 0, 0, 0].float()).abs()
    assert spans.min() > 0.8 * 25 and spans.max() <= 30


def test_a_querys_own_drawing_is_left_out():
    indices = torch.tensor([[2, 0, 1], [0, 1, 2]])
    found = neighbours.leave_out(Neighbours(indices.double() / 10, indices), torch.tensor([0, 2]))
    assert found.indices.tolist() == [[2, 1], [0, 1]]
    assert found.distances.tolist() == [[0.2, 0.1], [0.0, 0.1]]


def test_the_gallery_marks_what_is_alike():
    images = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    found, alike = torch.tensor([[1, 2], [1, 0]]), torch.tensor([[True, True], [True, False]])
    shown = neighbours.gallery(
        images, images[:2], {"pixels": found}, {"pixels": alike}, caption="{query} {by}", number="12.8"
    )
    view, _, rest = shown.html.partition("<script")
    assert "2 of 2 are of its kind" in view and "1 of 2 are of its kind" in rest
    assert view.count("a drawing, of its kind") == 2 and view.count("✓") == 2

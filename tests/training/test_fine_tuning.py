"""A training that starts from a trained network: its weights, a new last layer, rates by layer."""

import json
import re
from dataclasses import replace

import pytest
import torch

from alexnet.distributed.ranks import Ranks
from alexnet.storage import checkpoints, records
from alexnet.training import dry_run, dry_runs
from alexnet.training import plan as planning
from alexnet.training.learner import make_learner
from alexnet.training.messages import plan_in_words
from alexnet.training.settings import TrainSettings, kept, read_kept
from alexnet.training.state import resume
from support import trained
from support.trainings import (
    assert_same_bits,
    run,
    settings_for,
    state,
    tiny_dataset,
    uninterrupted,
    use,
)

HEAD = {"fc8.weight", "fc8.bias"}
LAST = 10  # steps of the whole training


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a finished training on the tiny images."""
    return uninterrupted(tmp_path_factory.mktemp("whole"))


@pytest.fixture(autouse=True)
def images(monkeypatch):
    use(monkeypatch, tiny_dataset())


def other_classes(num_classes=10):
    """The tiny images under other names of their classes."""
    dataset = tiny_dataset()
    return replace(dataset, classes=tuple(f"other {number}" for number in range(num_classes)), names=())


def begun(settings):
    """A training before its first step: (what it says, its weights)."""
    plan = planning.make_plan(settings)
    learner = make_learner(plan, Ranks(torch.device("cpu")))
    assert resume(plan, learner, settings.folder, print) == (0, [])
    return plan_in_words(plan), {name: tensor.clone() for name, tensor in learner.state()[0].items()}


def prepare_source(whole, form, tmp_path):
    """What --init-from names: the run's folder, a file in it, or one of safetensors."""
    if form == "safetensors":
        path = tmp_path / "mine.safetensors"
        checkpoints.save_weights(path, checkpoints.load_weights(whole / "weights.pt"))
        return path
    return whole / form


@pytest.mark.parametrize("form", ["", "checkpoints/step-00000010.pt", "weights.pt", "safetensors"])
def test_all_weights_are_those_of_the_trained_network_before_the_first_step(whole, form, tmp_path):
    source = prepare_source(whole, form, tmp_path)
    said, weights = begun(settings_for(tmp_path / "run", init_from=str(source), seed=5))
    theirs = state(whole, LAST)[0]
    assert weights.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in weights.items())
    assert said.endswith(
        f"weights: from {source}, a network 'small-code2012' of 10 classes, with its last layer, as the data "
        "have the same classes"
    )


@pytest.mark.parametrize("num_classes", [10, 12])
def test_with_other_classes_the_last_layer_is_drawn_and_this_is_said(
    whole, tmp_path, monkeypatch, num_classes
):
    use(monkeypatch, other_classes(num_classes))
    said, weights = begun(settings_for(tmp_path / "run", init_from=str(whole), seed=5))
    _, drawn = begun(settings_for(tmp_path / "drawn", seed=5))
    theirs = state(whole, LAST)[0]
    for name, tensor in weights.items():
        assert torch.equal(tensor, drawn[name] if name in HEAD else theirs[name]), name
    assert said.endswith(
        f"of 10 classes; the data have other ones, so the last layer, fc8, is new, with {num_classes} outputs"
    )


def test_a_recipe_by_name_trains_the_net_of_the_weights(tmp_path, monkeypatch):
    source = trained.saved(tmp_path / "narrow.pt", seed=3)  # reads 16 pixels
    options = {"recipe": "paper", "batch_size": 8, "init_from": str(source)}
    plan = planning.make_plan(TrainSettings(**options))
    assert plan.recipe.net == replace(trained.recipe().net, num_classes=10)
    assert (plan.recipe.augment.size, plan.recipe.augment.num_offsets) == (16, 16)
    assert f"net: {plan.recipe.net.name}, that of the weights" in plan_in_words(plan)
    with pytest.raises(
        ValueError, match=r"does not fit the network 'small': conv1.bias is \(8,\), and should"
    ):
        planning.make_plan(TrainSettings(**options, net="small"))
    with pytest.raises(ValueError, match="imagenette reads 99 pixels, for which images of 32 pixels are too"):
        planning.make_plan(TrainSettings(**options | {"init_from": "imagenette"}))


def first_velocities(tmp_path, whole, name, **settings):
    record, _ = run(settings_for(tmp_path / name, init_from=str(whole), max_steps=1, **settings))
    return state(tmp_path / name, 1), record


def test_frozen_layers_stay_and_the_first_step_of_others_is_smaller_by_their_factor(whole, tmp_path):
    start = state(whole, LAST)[0]
    (_, plain, _), _ = first_velocities(tmp_path, whole, "plain")
    settings = {"freeze": "conv1, fc6", "layer_rates": "conv2=0.25,fc8=2"}
    (weights, velocities, _), record = first_velocities(tmp_path, whole, "tuned", **settings)
    factors = {"conv1": 0.0, "fc6": 0.0, "conv2": 0.25, "fc8": 2.0}
    for name, velocity in velocities.items():
        factor = factors.get(name.split(".")[0], 1.0)
        torch.testing.assert_close(velocity, factor * plain[name], rtol=1e-6, atol=0, msg=name)
        assert factor == 0 or velocity.abs().max() > 0, name
        assert torch.equal(weights[name], start[name] + velocity), name
    assert dict(record.config["recipe"]["learning"]["rate_factors"]) == factors
    assert record.config["settings"]["init_from"] == str(whole)


def test_settings_come_on_top_of_the_rates_of_the_recipe(tmp_path):
    learning = {"rate_factors": [["conv1", 0.5], ["conv2", 0.5]]}
    settings = settings_for(tmp_path / "run", learning=learning, freeze="conv2", layer_rates="conv3=0.1")
    plan = planning.make_plan(settings)
    assert dict(plan.recipe.learning.rate_factors) == {"conv1": 0.5, "conv2": 0.0, "conv3": 0.1}
    assert plan_in_words(plan).endswith(
        "\nlayers: conv2 frozen, conv1 at 0.5 of the learning rate, conv3 at 0.1 of the learning rate"
    )
    assert "layers:" not in plan_in_words(planning.make_plan(settings_for(tmp_path / "plain")))


def test_an_interruption_leaves_no_trace_of_the_start_either(whole, tmp_path):
    settings = {"init_from": str(whole), "freeze": "conv1", "layer_rates": "conv2=0.1"}
    run(settings_for(tmp_path / "one", **settings))
    run(settings_for(tmp_path / "two", **settings, max_steps=4))
    run(settings_for(tmp_path / "two", **settings))
    assert_same_bits(state(tmp_path / "two", LAST), state(tmp_path / "one", LAST))
    ours, theirs = (records.load(tmp_path / name / "run.json").results for name in ("one", "two"))
    assert ours == theirs


def test_a_folder_whose_training_began_otherwise_is_refused(whole, tmp_path):
    tuned = settings_for(tmp_path / "tuned", init_from=str(whole), max_steps=2)
    run(tuned)
    run(settings_for(tmp_path / "plain", max_steps=2))
    with pytest.raises(
        ValueError, match=r"plain began from weights that were drawn, .* leave `--init-from` out"
    ):
        run(replace(tuned, out=str(tmp_path / "plain")))
    with pytest.raises(
        ValueError, match="tuned began from .*whole, and .*; ask for `--init-from .*whole`, or choose"
    ):
        run(replace(tuned, init_from="imagenette"))
    with pytest.raises(ValueError, match="rate_factors is None there, .* choose another folder"):
        run(replace(tuned, freeze="conv1"))
    run(replace(tuned, max_steps=3))


def test_a_run_resumes_without_the_network_that_it_started_from(tmp_path, monkeypatch):
    source = trained.saved(tmp_path / "narrow.pt", seed=3)  # its recipe's own network would not be trained
    options = {"recipe": "paper", "batch_size": 8, "device": "cpu", "out": str(tmp_path / "run")}
    (tmp_path / "elsewhere").mkdir()
    run(TrainSettings(**options, init_from=f"{tmp_path}/elsewhere/../narrow.pt", max_steps=1))
    source.unlink()
    monkeypatch.setattr(dry_runs, "MEASURED_SECONDS", 0.0)
    assert dry_run(TrainSettings(**options)).first_step == 1
    for max_steps, given in ((2, str(source)), (3, None), (4, str(source))):
        settings = TrainSettings(**options, init_from=given, max_steps=max_steps)
        record, events = run(settings)
        assert "that of the weights" in events[0].values["text"]
        assert record.results["step"] == max_steps
        assert record.config["settings"]["init_from"].endswith("narrow.pt")
    other = trained.saved(tmp_path / "other.pt")
    with pytest.raises(ValueError, match="run began from .*narrow.pt, .*; ask for `--init-from .*narrow.pt`"):
        run(replace(settings, init_from=str(other)))


def test_what_a_run_began_from_is_kept_for_another_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source, expected in (("runs/a", str(tmp_path / "runs" / "a")), ("imagenette", "imagenette")):
        settings = TrainSettings(init_from=source, freeze="conv1")
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(kept(settings, 1)), encoding="utf-8")
        assert read_kept(path)[0].init_from == expected
        assert ["--init-from", source, "--freeze", "conv1"] == settings.words()[-4:]
    assert str(TrainSettings(init_from="runs/a").folder).endswith("default-paper-from-a-seed0")


WRONG = {
    "there is no checkpoint imagenete, and no trained network .* mean 'imagenette'?": {
        "init_from": "imagenete"
    },
    "there is no checkpoint nowhere/x.pt; `alexnet train` writes them": {"init_from": "nowhere/x.pt"},
    "rate_factors: a layer must be one of .*; got 'conv9'": {"freeze": "conv9"},
    "there is no conv6 in the network 'small-code2012' to freeze": {"freeze": "conv6"},
    "layer_rates must be layers with a number, such as .*; got 'conv1'": {"layer_rates": "conv1"},
    "layer_rates must be layers with a number, such as .*; got 'conv1=x'": {"layer_rates": "conv1=x"},
    "rate_factors: that of conv1 must be a finite number of at least 0, got -1": {"layer_rates": "conv1=-1"},
    "conv1 is named twice; freeze it or give it one": {"freeze": "conv1", "layer_rates": "conv1=1"},
    "every layer of the network 'small-code2012' is frozen": {
        "freeze": "conv1,conv2,conv3,conv4,conv5,fc6,fc7,fc8"
    },
}


@pytest.mark.parametrize("sentence", WRONG)
def test_a_mistake_gets_one_sentence(sentence, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        planning.make_plan(settings_for(tmp_path / "run", **WRONG[sentence]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["conv4.weight", "fc8.bias"])
def test_weights_that_lack_a_parameter_are_refused_by_its_name(whole, tmp_path, name):
    content = checkpoints.load_weights(whole / "weights.pt")
    path, fewer = tmp_path / "less.pt", {key: t for key, t in content.weights.items() if key != name}
    checkpoints.save_weights(path, replace(content, weights=fewer))
    with pytest.raises(ValueError, match=re.escape(f"{name} is missing")):
        planning.make_plan(settings_for(tmp_path / "run", init_from=str(path)))

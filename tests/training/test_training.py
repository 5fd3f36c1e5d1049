"""Training against a plain loop over its parts; what it writes, refuses, and says."""

import argparse
import json
import math
import shlex
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from alexnet.cli import train as command
from alexnet.data.first_pass import obtain_statistics
from alexnet.data.generated import synthetic
from alexnet.data.prepared import in_memory
from alexnet.distributed.parallel import Layout
from alexnet.distributed.ranks import Ranks
from alexnet.evaluation.errors import average_views
from alexnet.models.alexnet import AlexNet
from alexnet.optim.schedule import schedule_for
from alexnet.optim.sgd import velocities
from alexnet.seeds import make_generator
from alexnet.storage import records
from alexnet.training import Diverged, TrainSettings, batches, learner, loop, train
from alexnet.training import plan as planning
from alexnet.training import state as keeping
from alexnet.training.folder import RunFolder
from alexnet.training.log import read_log
from alexnet.training.plan import count_steps, make_plan
from alexnet.training.settings import Every, changes_in_words, command_line, every, kept, on_lines
from alexnet.training.window import first_not_finite
from alexnet.transforms.ten_crop import prepare_centre, ten_crops
from support.trainings import (
    STEPS_PER_EPOCH,
    assert_same_bits,
    by_hand,
    checkpoints,
    run,
    settings_for,
    state,
    tiny_dataset,
    tiny_recipe,
    use,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a run on the tiny images."""
    use(monkeypatch, tiny_dataset())
    return tmp_path / "run"


def test_training_is_the_plain_loop(folder):
    dataset, recipe = tiny_dataset(), tiny_recipe()
    record, _ = run(settings_for(folder, seed=4, log_every=3))
    net, optimizer, seen = by_hand(recipe, dataset, 2 * STEPS_PER_EPOCH, seed=4)
    assert_same_bits(state(folder, 10), (net.state_dict(), velocities(net, optimizer), state(folder, 10)[2]))

    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 5, 6, 9, 10]  # every third, and at validations
    for start, line in zip([0, 3, 5, 6, 9], lines, strict=True):
        window = seen[start : line["step"]]
        assert line["loss"] == pytest.approx(sum(loss for loss, _ in window) / len(window), rel=1e-12)
        assert line["error"] == sum(wrong for _, wrong in window) / (8 * len(window))
        assert line["epoch"] == line["step"] / STEPS_PER_EPOCH

    test = dataset.val
    views = prepare_centre(test.images, size=28, statistics=obtain_statistics(dataset, progress=False))
    logits = net(views).detach().double()
    top5 = (logits.topk(5, dim=1).indices != test.labels[:, None]).all(1).double().mean()
    last = record.results["validations"][-1]
    assert last["top1"] == pytest.approx(float((logits.argmax(1) != test.labels).double().mean()))
    assert last["top5"] == pytest.approx(float(top5))
    assert last["nll"] == pytest.approx(float(F.cross_entropy(logits, test.labels)), rel=1e-6)
    assert lines[-1]["val_loss"] == last["nll"]


def test_the_rates_that_the_log_shows_are_those_of_the_schedule(folder):
    record, events = run(settings_for(folder, log_every=1))
    lines = [event.values for event in events if event.kind == "window"]
    schedule = schedule_for(tiny_recipe().learning)
    for line in lines:
        rates = schedule.rates((line["step"] - 1) / STEPS_PER_EPOCH)
        assert line["conv1_rate"] == rates.conv1_rate and line["bias_rate"] == rates.bias_rate
        assert line["weight_rate"] == rates.weight_rate and line["colour_noise"] == rates.colour_noise
    assert len({line["weight_rate"] for line in lines}) == 4 and lines[-1]["conv1_rate"] == 0
    assert record.results["ended"] == "finished"


def test_a_run_leaves_what_it_promises(folder):
    settings = settings_for(folder)
    record, events = run(settings)
    assert records.load(folder / "run.json") == record
    assert record.config["recipe"]["net"]["num_classes"] == 10 and record.seeds == [0]
    assert record.results["step"] == 10 and record.results["epochs"] == 2 and record.results["signal"] == 0
    assert set(record.results["ten_views"]) == {"top1", "top5", "nll"}
    assert [event.kind for event in events][0] == "plan" and events[-1].kind == "end"
    assert [e.values["step"] for e in events if e.kind == "step"] == list(range(1, 11))
    assert checkpoints(folder) == [10] and (folder / "weights.pt").is_file()
    assert not list(folder.rglob("*.part"))


@pytest.fixture
def saved(monkeypatch):
    """The steps of the checkpoints that are written, in their order."""
    steps, save = [], keeping.save

    def noting(path, checkpoint):
        steps.append(checkpoint.step)
        save(path, checkpoint)

    monkeypatch.setattr(keeping, "save", noting)
    return steps


def test_checkpoints_come_by_steps_and_the_best_one_stays(folder, monkeypatch, saved):
    errors = iter([0.3, 0.1, 0.2])
    monkeypatch.setattr(loop, "validate", lambda *_, **__: {"top1": next(errors), "top5": 0.0, "nll": 1.0})
    run(settings_for(folder, validate_every="3steps", checkpoint_every="3steps", max_steps=9))
    assert saved == [3, 6, 9] and checkpoints(folder) == [6, 9]


def test_checkpoints_come_by_the_clock(folder, saved):
    run(settings_for(folder, checkpoint_every="0.000001min"))
    assert len(saved) > 3 and saved == sorted(set(saved)) and checkpoints(folder)[-1] == 10


def test_a_plateau_cuts_by_the_validation_error(folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", lambda *_, **__: {"top1": 0.5, "top5": 0.0, "nll": 1.0})
    learning = {"epochs": 90.0, "plateau_patience": 2, "schedule": "plateau"}
    record, events = run(settings_for(folder, "paper", learning=learning, validate_every="2epochs"))
    # The first is the lowest; then each is a stall, as it stands for two epochs, and the fourth ends it.
    assert record.results["epochs"] == 10 and record.results["ended"] == "finished"
    rates = [e.values["weight_rate"] for e in events if e.kind == "window" and "val_top1" in e.values]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.00001])


def test_a_plateau_keeps_the_interval_of_its_validations(folder):
    learning = {"epochs": 9.0, "plateau_patience": 4, "schedule": "plateau"}
    run(settings_for(folder, "paper", learning=learning, validate_every="1step", max_steps=3))
    with pytest.raises(ValueError, match="every 1step, by .*; ask for `--validate-every 1step`, or"):
        run(settings_for(folder, "paper", learning=learning, validate_every="1epoch", max_steps=4))
    for max_steps, same in ((4, "1step"), (5, "1steps"), (6, "0.2epochs")):  # of 5 steps
        run(settings_for(folder, "paper", learning=learning, validate_every=same, max_steps=max_steps))


def test_steps_are_counted_as_the_schedule_counts_epochs():
    for steps_per_epoch in (1, 5, 15, 25):
        for tenths in range(1, 400):
            epochs, steps = tenths / 10, count_steps(tenths / 10, steps_per_epoch)
            assert steps / steps_per_epoch >= epochs > (steps - 1) / steps_per_epoch
    assert count_steps(2.2, 25) == 55 and math.ceil(2.2 * 25) == 56


def test_loss_that_is_not_finite_ends_the_training_and_spares_the_checkpoint(folder):
    run(settings_for(folder, max_steps=2))
    before = (folder / "checkpoints" / "step-00000002.pt").read_bytes()
    broken = state(folder, 2)[0]["conv1.weight"]
    assert broken.isfinite().all()
    settings = settings_for(folder)
    poisoned = loop.Run.one_step

    def one_step(self, batch):
        poisoned(self, batch)
        if self.step == 5:
            self.learner.parameters["conv3.weight"].data[0, 0, 0, 0] = math.nan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "one_step", one_step)
        with pytest.raises(Diverged, match="diverged .*step 5: conv3.weight is not finite; .* step 2 stays"):
            run(replace(settings, max_steps=5, validate_every="9epochs"))
        with pytest.raises(Diverged, match="diverged in step 6: the loss is not finite"):
            run(replace(settings, log_every=7, validate_every="9epochs"))
    assert checkpoints(folder) == [2]
    assert (folder / "checkpoints" / "step-00000002.pt").read_bytes() == before
    assert records.load(folder / "run.json").results["ended"] == "diverged"


def test_with_frozen_layers_too_a_checkpoint_finds_what_diverged(folder, monkeypatch):
    one_step = loop.Run.one_step

    def poisoned(self, batch):
        if self.step == 5:
            self.learner.parameters["conv3.weight"].data[0, 0, 0, 0] = math.nan
        one_step(self, batch)

    monkeypatch.setattr(loop.Run, "one_step", poisoned)
    every = {"checkpoint_every": "6steps", "log_every": 7, "validate_every": "9epochs"}
    with pytest.raises(Diverged, match="diverged in step 6: the loss is not finite"):
        run(settings_for(folder, freeze="conv1", **every))
    assert records.load(folder / "run.json").results["ended"] == "diverged"


def test_a_validation_loss_that_is_not_finite_ends_the_training(folder, monkeypatch):
    monkeypatch.setattr(loop, "validate", lambda *_, **__: {"top1": 1.0, "top5": 1.0, "nll": math.inf})
    with pytest.raises(Diverged, match="by step 5: the validation loss is not finite; no checkpoint"):
        run(settings_for(folder))


def test_what_was_not_finite_first():
    names, good = ["conv1.weight", "fc6.weight", "fc8.bias"], [1.0, 2.0, 3.0]
    nan, inf = math.nan, math.inf
    assert first_not_finite([True, True], torch.tensor([good, good]), names) == (2, "")
    assert first_not_finite([True, False], torch.tensor([good, [nan] * 3]), names) == (1, "the loss")
    norms = torch.tensor([good, [inf, inf, 1.0], [nan] * 3])
    expected = (1, "the gradient of fc6.weight")  # the backward pass comes to it before conv1
    assert first_not_finite([True, True, False], norms, names) == expected


def test_a_full_disk_is_said_and_the_training_goes_on(folder, monkeypatch):
    def full(path, content):
        if content.step == 4:
            raise OSError(28, "the disk is full")
        real(path, content)

    real = keeping.save
    monkeypatch.setattr(keeping, "save", full)
    record, events = run(settings_for(folder, checkpoint_every="2steps"))
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert len(said) == 1 and said[0].endswith(
        "the disk is full; training continues, and the checkpoint of step 2 stays"
    )
    assert record.results["ended"] == "finished" and 10 in checkpoints(folder)


def full(*_):
    """Write nothing."""
    raise OSError("the disk is full")


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(folder, monkeypatch):
    run(settings_for(folder, max_steps=4))
    kept = "^the disk is full; the checkpoint of step {} stays, and the same command resumes from it$"
    with monkeypatch.context() as patch, pytest.raises(OSError, match=kept.format(4)):
        patch.setattr(keeping, "save", full)
        run(settings_for(folder))
    assert checkpoints(folder) == [4]
    with monkeypatch.context() as patch, pytest.raises(OSError, match=kept.format(10)):
        patch.setattr("alexnet.training.folder.save_weights", full)  # which comes after the checkpoint
        run(settings_for(folder))
    assert checkpoints(folder)[-1] == 10 and not (folder / "weights.pt").exists()
    run(settings_for(folder))
    assert (folder / "weights.pt").is_file()


def test_a_run_that_was_never_saved_says_so(folder, monkeypatch):
    monkeypatch.setattr(keeping, "save", full)
    with pytest.raises(OSError, match="^the disk is full; no checkpoint was saved$"):
        run(settings_for(folder))


def test_a_checkpoint_that_was_deleted_under_a_run_is_not_said_to_stay(folder, monkeypatch):
    def delete(event):
        if event.kind == "step" and event.values["step"] == 5:
            shutil.rmtree(folder / "checkpoints")
            monkeypatch.setattr(
                keeping, "save", lambda *_: (_ for _ in ()).throw(OSError("the disk is full"))
            )

    with pytest.raises(OSError, match="^the disk is full; the checkpoint of step 4 is gone$"):
        train(settings_for(folder, checkpoint_every="4steps", max_steps=5), delete)


OTHERS = {
    "is of another training: .*recipe.*; choose another folder with `--out`": {"learning": {"rate": 0.5}},
    "is of another training: its seed is 0, not 3; choose": {"seed": 3},
    "net.conv3_5_weight_std is 0.03 there, 0.01 here; augment.num_offsets is 5 there, 4": {"base": "paper"},
}


@pytest.mark.parametrize("sentence", OTHERS)
def test_a_folder_of_another_training_is_refused(folder, sentence):
    run(settings_for(folder, max_steps=1))
    with pytest.raises(ValueError, match=sentence) as caught:
        run(settings_for(folder, **({"base": "code2012"} | OTHERS[sentence])))
    assert "\n" not in str(caught.value)


def test_a_folder_of_other_data_is_refused(folder, monkeypatch):
    run(settings_for(folder, max_steps=1))
    use(monkeypatch, tiny_dataset(num_train=50))
    with pytest.raises(ValueError, match="another training: .*fingerprint"):
        run(settings_for(folder))


CHANGES = {  # of each setting that a run may go on with in another way: the value, and what is said
    "device": ("auto", "--device auto, was cpu"),
    "precision": ("bfloat16", "--precision bfloat16, was float32"),
    "compile": (True, "--compile on, was off"),
    "channels_last": (True, "--channels-last on, was off"),
    "parallel": ("data", "--parallel data, was auto"),
    "deterministic": (True, "--deterministic on, was off"),
    "workers": (0, "--workers 0, was not set"),
    "checkpoint_every": ("3steps", "--checkpoint-every 3steps, was 10min"),
    "validate_every": ("3steps", "--validate-every 3steps, was 1epoch"),
    "log_every": (5, "--log-every 5, was 2"),
}
REFUSED = {"recipe": "paper", "epochs": 3.0, "batch_size": 4, "seed": 1}


def test_every_setting_is_refused_or_said_when_a_run_goes_on(folder):
    settings = TrainSettings(
        recipe="code2012", batch_size=8, epochs=2.0, max_steps=1, device="cpu", log_every=2, out=str(folder)
    )
    run(settings)
    for name, value in REFUSED.items():
        with pytest.raises(ValueError, match="is of another training"):
            run(replace(settings, **{name: value}))
    # The network is part of the recipe, data have a fingerprint, and the others are no part of the training.
    others = {"net", "data", "out", "max_steps"}
    others |= {"init_from", "freeze", "layer_rates"}  # test_fine_tuning.py has these
    assert {*CHANGES, *REFUSED, *others} == {f.name for f in fields(TrainSettings)}
    for name, (value, said) in CHANGES.items():
        now = replace(settings, **{name: value})
        assert changes_in_words((settings, 1), (now, 1)) == f"other settings than this run had so far: {said}"
    assert changes_in_words((settings, 1), (replace(settings, max_steps=2, out="x"), 1)) == ""
    assert changes_in_words((settings, 1), (settings, 2)).endswith("so far: processes 2, was 1")


def test_other_settings_are_said_once(folder):
    run(settings_for(folder, max_steps=1))
    others = "other settings than this run had so far: "
    said = {2: [f"{others}--workers 0, was not set; --validate-every 3steps, was 1epoch"], 3: []}
    for max_steps, expected in said.items():
        _, events = run(settings_for(folder, max_steps=max_steps, validate_every="3steps", workers=0))
        assert [event.values["text"] for event in events if event.kind == "message"] == expected


@pytest.mark.slow
def test_two_trainings_do_not_share_a_folder(folder):
    settings = settings_for(folder, max_steps=1)
    with (
        RunFolder(settings, 1).lock,
        pytest.raises(ValueError, match="another training is running"),
    ):
        run(settings)
    run(settings)


@pytest.mark.slow
def test_bfloat16_goes_nearly_the_same_way_and_channels_last_and_workers_the_same(folder, tmp_path):
    changes = {"half": {"precision": "bfloat16"}, "last": {"channels_last": True}, "workers": {"workers": 2}}
    weights = {}
    for name, settings in ({"run": {}} | changes).items():
        run(settings_for(tmp_path / name, max_steps=3, **settings))
        weights[name] = state(tmp_path / name, 3)[0]
    initial = AlexNet(tiny_recipe().net, generator=make_generator(0, 3)).state_dict()
    for key, tensor in weights["run"].items():
        assert torch.equal(weights["last"][key], tensor) and torch.equal(weights["workers"][key], tensor)
        way, apart = (tensor - initial[key]).norm(), (weights["half"][key] - tensor).norm()
        assert weights["half"][key].dtype == torch.float32 and 0 < apart < 0.5 * way, key


def test_the_net_fits_the_images(folder, monkeypatch):
    def chosen(data_size=32, **settings):
        dataset = tiny_dataset(num_train=128)
        images = dataset.train.images.repeat(1, 1, data_size // 32, data_size // 32)
        train = replace(dataset.train, images=images)
        use(monkeypatch, replace(dataset, splits={"train": train, "val": train}))
        plan = planning.make_plan(TrainSettings(**settings))
        return plan.recipe.net.name, plan.recipe.net.num_classes, plan.recipe.augment.num_offsets

    assert chosen() == ("small", 10, 4)
    assert chosen(recipe="code2012") == ("small-code2012", 10, 5)
    assert chosen(256) == ("paper", 10, 32) and chosen(256, net="half") == ("half", 10, 32)
    with pytest.raises(ValueError, match="images of 32 pixels are smaller than the 224"):
        chosen(net="merged")


def test_no_training_validates_on_test_images(monkeypatch, folder):
    dataset = in_memory(synthetic(num_train=200, num_test=20))
    use(monkeypatch, dataset)
    record, events = run(settings_for(folder, max_steps=2))
    assert record.data["images"] == {"train": 180, "test": 20, "val": 20}
    assert "180 images of 32x32 to train on, 20 held out of them to validate on" in events[0].values["text"]
    plan = planning.make_plan(TrainSettings(recipe="paper", batch_size=8))  # cuts its rate by their error
    test = {image.numpy().tobytes() for image in dataset.split("test").read(range(20))}
    seen = {image.numpy().tobytes() for image in plan.validation_split.read(range(20))}
    assert len(seen) == 20 and not seen & test


def plan_training(num_ranks=1, **settings):
    return planning.make_plan(
        TrainSettings(**({"recipe": "code2012", "batch_size": 8} | settings)), num_ranks
    )


def test_the_batch_is_shared_out(folder):
    plan = plan_training(4)
    assert plan.layout == Layout(2, 2) and plan.steps_per_epoch == 5 and plan.num_steps == 91 * 5
    assert plan_training(4, parallel="data").layout == Layout(4, 1)
    assert plan_training(epochs=0.5).num_steps == 3  # a step that has begun is done
    assert plan_training(validate_every="0.5epochs").validate_every == 2
    assert (
        plan_training(checkpoint_every="3steps").checkpoint_every == 3
        and plan_training().checkpoint_every is None
    )


MISTAKES = {
    "a batch of 9 images cannot be divided evenly among 2 networks; choose `--batch-size 8`": (
        4,
        {"batch_size": 9},
    ),
    "the 2 towers .* cannot be divided among 3 processes": (3, {}),
    "43 training images do not fill a batch of 128; choose `--batch-size` 43": (1, {"batch_size": 128}),
    "recipe must be paper or code2012 or a .json file, got 'own'": (1, {"recipe": "own"}),
    "there is no recipe own.json": (1, {"recipe": "own.json"}),
    "net must be one of": (1, {"net": "own"}),
    "a recipe from a file has its own network": (1, {"recipe": "own.json", "net": "half"}),
    "device must be auto, cpu, cuda or cuda:N, got 'tpu'": (1, {"device": "tpu"}),
    "precision must be one of float32, bfloat16; got 'half'": (1, {"precision": "half"}),
    "parallel must be one of": (1, {"parallel": "layers"}),
    "epochs must be positive, and at most 1,000,000; got -1": (1, {"epochs": -1}),
    "epochs must be positive, and at most 1,000,000; got inf": (1, {"epochs": float("inf")}),
    "epochs must be positive, and at most 1,000,000; got 1e.300": (1, {"epochs": 1e300}),
    "expected a number with min, epochs or steps": (1, {"checkpoint_every": "9" * 400 + "steps"}),
    "max_steps must be a whole number of at least 1, got 0": (1, {"max_steps": 0}),
    "seed must be a whole number of at least 0, got 1.5": (1, {"seed": 1.5}),
    "out must name a folder, got ''": (1, {"out": ""}),
    "expected a number with min, epochs or steps, such as 10min; got '10'": (1, {"checkpoint_every": "10"}),
    "validate_every must be in epochs or steps": (1, {"validate_every": "10min"}),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_mistake_gets_one_sentence(folder, sentence):
    num_ranks, settings = MISTAKES[sentence]
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
        plan = planning.make_plan(TrainSettings(**({"recipe": "code2012"} | settings)), num_ranks)
        raise AssertionError(plan)
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_no_recipe_is_refused(folder, tmp_path):
    path = tmp_path / "odd.json"
    path.write_text('{"name": "odd"}', encoding="utf-8")
    with pytest.raises(ValueError, match="odd.json is not a recipe"):
        plan_training(recipe=str(path))


def test_a_recipe_from_a_file_is_taken_as_it_is(folder, monkeypatch):
    plan = planning.make_plan(settings_for(folder))
    assert plan.recipe == tiny_recipe() and plan.recipe.augment.num_offsets == 5
    dataset = tiny_dataset()
    use(monkeypatch, replace(dataset, classes=tuple("abcdefghijkl")))
    assert planning.make_plan(settings_for(folder)).recipe.net.num_classes == 12
    smaller = replace(dataset.train, images=dataset.train.images[..., :31])
    use(monkeypatch, replace(dataset, splits={"train": smaller}))
    with pytest.raises(ValueError, match="crops 28 pixels at 5 positions a side, .* images of 31 pixels"):
        planning.make_plan(settings_for(folder))


def test_a_plateau_needs_validation_images(folder, monkeypatch):
    dataset = tiny_dataset()
    use(monkeypatch, replace(dataset, splits={"train": dataset.train}))
    assert plan_training().validation_split is None
    with pytest.raises(ValueError, match="has no validation images"):
        plan_training(recipe="paper")
    record, _ = run(settings_for(folder))
    assert record.results["validations"] == [] and "ten_views" not in record.results


def test_how_often():
    assert every("10min") == every("10 minutes") == Every(10, "minutes")
    assert every("1epoch") == Every(1, "epochs") and every(".5epochs").steps(10) == 5
    assert every("500steps").steps(10) == 500 and every("10min").steps(10) is None
    assert every("0.001epochs").steps(10) == 1


def parsed(words):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["train", *words])
    assert arguments.run is command.run
    return command.make_settings(arguments)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "data": "/a folder",
            "recipe": "code2012",
            "net": "small",
            "epochs": 1.5,
            "batch_size": 16,
            "seed": 3,
        },
        {"out": "x", "device": "cuda:1", "precision": "bfloat16", "compile": True, "channels_last": True},
        {
            "workers": 0,
            "checkpoint_every": "3steps",
            "validate_every": "2epochs",
            "log_every": 1,
            "max_steps": 9,
        },
        {"parallel": "data", "deterministic": True},
    ],
)
def test_the_command_of_settings_asks_for_them(settings):
    settings = TrainSettings(**settings)
    assert parsed(settings.words()) == settings
    assert command_line(settings).startswith("alexnet train --data ")
    wanted = "torchrun --standalone --nproc-per-node=2 -m alexnet train --data "
    assert command_line(settings, 2).startswith(wanted)


@pytest.mark.parametrize("width", [30, 72])
def test_a_command_is_broken_before_options_and_stays_the_same(width):
    settings = TrainSettings(data="my images", recipe="code2012", batch_size=32, out="runs/two", max_steps=6)
    command = command_line(settings, 2)
    lines = on_lines(command, width).split("\n")
    assert len(lines) > 2 and all(line.endswith(" \\") for line in lines[:-1])
    assert all(line.startswith("    -") for line in lines[1:])
    assert max(map(len, lines)) <= max(width, len("    --nproc-per-node=2 -m alexnet train \\"))
    assert "".join(line.removesuffix("\\").removeprefix("    ") for line in lines) == command
    assert shlex.split("".join(line.removesuffix("\\") for line in lines)) == shlex.split(command)
    assert on_lines("alexnet train") == "alexnet train"


def test_paths_and_the_integers_of_numpy_become_what_json_can_say():
    names = {"data": "sets/a", "recipe": "mine.json", "init_from": "runs/b", "out": "runs/c"}
    paths = {name: Path(text) for name, text in names.items()}
    settings = TrainSettings(**paths, seed=np.int64(1), max_steps=np.uint8(7))
    plain = TrainSettings(**{name: str(path) for name, path in paths.items()}, seed=1, max_steps=7)
    assert settings == plain
    assert json.dumps(kept(settings, 1)) == json.dumps(kept(plain, 1))


def test_a_folder_has_a_name_of_its_own():
    assert str(TrainSettings(data="/x/imagenet", seed=2).folder) == "runs/imagenet-paper-seed2"
    assert str(TrainSettings(net="half", recipe="code2012").folder) == "runs/default-code2012-half-seed0"


CPU = Ranks(torch.device("cpu"))


NUM_STEPS = 10


def test_the_end_is_measured_by_ten_crops_and_the_record_has_the_last_window(folder):
    record, events = run(settings_for(folder, seed=4, log_every=3))
    dataset, recipe = tiny_dataset(), tiny_recipe()
    net, _, _ = by_hand(recipe, dataset, NUM_STEPS, seed=4)
    statistics = obtain_statistics(dataset, progress=False)
    views = ten_crops(dataset.val.images, size=28, statistics=statistics, mean=recipe.augment.mean)
    probabilities, labels = average_views(net, views), dataset.val.labels
    found, one_crop = record.results["ten_views"], record.results["validations"][-1]
    expected = -probabilities.gather(1, labels[:, None]).log().mean().item()
    assert found["nll"] == pytest.approx(expected, rel=1e-6) and abs(found["nll"] - one_crop["nll"]) > 1e-4
    assert found["top1"] == pytest.approx((probabilities.argmax(1) != labels).double().mean().item())
    last = read_log(folder)[-1]
    assert record.results["training"] == {name: last[name] for name in ("loss", "error")}


def test_a_plateau_waits_for_one_validation_at_least(folder):
    patience = [
        plan_training(recipe="paper", validate_every=every).schedule.patience
        for every in ("1epoch", "2epochs", "20epochs")
    ]
    assert patience == [5, 2, 1]


def test_the_loaders_get_what_settings_and_recipe_say(folder, monkeypatch):
    monkeypatch.setattr(batches, "Loader", lambda split, size, **options: options)
    monkeypatch.setattr(batches, "evaluation_loader", lambda split, size, **options: options)
    common = {"rank": 0, "num_ranks": 1, "workers": 3, "pin_memory": False, "sharing": 2}
    for recipe, order in (("code2012", "fixed"), ("paper", "shuffled")):
        plan = plan_training(recipe=recipe, workers=3, seed=7)
        expected = common | {"drop_last": True, "order": order, "seed": 7}
        assert batches.training_loader(plan, CPU) == expected
        assert batches.validation_loader(plan, CPU) == common
    use(monkeypatch, replace(tiny_dataset(), splits={"train": tiny_dataset().train}))
    assert batches.training_loader(plan_training(), CPU)["sharing"] == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_the_network_is_compiled_where_that_is_asked_for(folder, monkeypatch, compiled):
    asked = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *_, **__: asked.append(self))
    made = learner.make_learner(make_plan(settings_for(folder, compile=compiled)), CPU)
    assert asked == [made.net] * compiled and made.in_blocks == (not compiled)

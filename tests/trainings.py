"""Trainings that take a second: a narrow net of two towers on a few generated pictures."""

import json
from dataclasses import replace

import torch
from PIL import Image

from alexnet import config
from alexnet.checkpoint import load
from alexnet.data.generated import synthetic
from alexnet.data.prepared import in_memory
from alexnet.preparation.prepare import prepare
from alexnet.training import TrainSettings, train
from alexnet.training import plan as planning

STEPS_PER_EPOCH = 5
TIMES = ("seconds", "images_per_second", "wait_share")


def tiny_recipe(base="code2012", **learning):
    """A recipe for pictures of 32 pixels with every part of the code's: two towers, crops, noise, rates."""
    recipe = config.RECIPES[base]
    net = config.net_config(
        "small", base=base, conv_channels=(4, 4, 4, 4, 4), dense_units=(8, 8), num_classes=10
    )
    recipe = config.fit(recipe, net, picture_size=32)
    learning = {"batch_size": 8, "epochs": 2.0} | learning
    return replace(recipe, name="tiny", learning=replace(recipe.learning, **learning))


def settings_for(folder, base="code2012", *, learning=None, **settings):
    """Settings of a training in a folder, with its recipe as a file beside it."""
    path = folder.parent / f"{folder.name}-recipe.json"
    path.write_text(json.dumps(config.to_dict(tiny_recipe(base, **(learning or {})))), encoding="utf-8")
    return TrainSettings(recipe=str(path), out=str(folder), device="cpu", **({"log_every": 2} | settings))


def tiny_pictures(num_train=STEPS_PER_EPOCH * 8 + 3, num_test=12):
    """Three pictures more than full batches; fewer to validate on than two batches."""
    return in_memory(synthetic(num_train=num_train, num_test=num_test))


def use(monkeypatch, pictures):
    """Let every training have these pictures, whatever it asks for."""
    monkeypatch.setattr(planning, "pictures_of", lambda name: pictures)


def run(settings):
    """Train; returns the record and all events."""
    events = []
    return train(settings, events.append), events


def checkpoints(folder):
    """The steps of the checkpoints in a run's folder."""
    return sorted(int(path.stem.split("-")[1]) for path in (folder / "checkpoints").glob("step-*.pt"))


def state(folder, step):
    """All numbers of a checkpoint."""
    checkpoint = load(folder / "checkpoints" / f"step-{step:08d}.pt")
    return checkpoint.weights, checkpoint.velocities, checkpoint.validations


def assert_same_bits(one, other):
    """Compare what ``state`` returned of two trainings."""
    for ours, theirs in zip(one[:2], other[:2], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert torch.equal(ours[name], theirs[name]), name
    assert one[2] == other[2]


def without_times(lines):
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def prepared(folder):
    """Store the tiny pictures as a prepared set, for processes of their own; returns its folder."""
    for name, split in tiny_pictures().splits.items():
        for number, (image, label) in enumerate(zip(split.images, split.labels.tolist(), strict=True)):
            path = folder / "pictures" / name / f"{label:02}" / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    target = folder / "set"
    prepare("folder", [folder / "pictures"], target, workers=0, size=32, raw=True, progress=False)
    return str(target)

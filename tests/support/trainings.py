"""Trainings that take a second: a narrow net of two towers on a few generated images."""

import time
from dataclasses import replace
from unittest import mock

import torch
import torch.nn.functional as F
from PIL import Image

from alexnet import config, recipes
from alexnet.data.first_pass import obtain_statistics
from alexnet.data.generated import synthetic
from alexnet.data.loader import epoch_order
from alexnet.data.prepare.run import prepare
from alexnet.data.prepared import in_memory
from alexnet.models.alexnet import AlexNet, draw_masks
from alexnet.optim.schedule import apply_rates, schedule_for
from alexnet.optim.sgd import PaperSGD, param_groups
from alexnet.seeds import make_generator, mask_generator
from alexnet.storage import files
from alexnet.storage.checkpoints import load
from alexnet.training import TrainSettings, train
from alexnet.training import plan as planning
from alexnet.transforms.training import prepare_training

STEPS_PER_EPOCH = 5
TIMES = ("seconds", "images_per_second", "wait_share")


def tiny_recipe(base="code2012", **learning):
    """A recipe for images of 32 pixels with every part of the code's: two towers, crops, noise, rates."""
    recipe = recipes.RECIPES[base]
    net = recipes.net_config(
        "small", base=base, conv_channels=(4, 4, 4, 4, 4), dense_units=(8, 8), num_classes=10
    )
    recipe = recipes.adapt_to_images(recipe, net, image_size=32)
    learning = {"batch_size": 8, "epochs": 2.0, "order": "shuffled"} | learning
    return replace(recipe, name="tiny", learning=replace(recipe.learning, **learning))


def settings_for(folder, base="code2012", *, learning=None, **settings):
    """Settings of a training in a folder, with its recipe as a file beside it."""
    path = folder.parent / f"{folder.name}-recipe.json"
    files.write_json(path, config.to_dict(tiny_recipe(base, **(learning or {}))))
    return TrainSettings(recipe=str(path), out=str(folder), device="cpu", **({"log_every": 2} | settings))


def tiny_dataset(num_train=STEPS_PER_EPOCH * 8 + 3, num_test=12):
    """Three images more than full batches; fewer to validate on than two batches."""
    dataset = in_memory(synthetic(num_train=num_train, num_test=num_test))
    return replace(dataset, splits={"train": dataset.train, "val": dataset.split("test")})


def use(monkeypatch, dataset):
    """Let every training have these images, whatever it asks for."""
    monkeypatch.setattr(planning, "open_prepared", lambda name: dataset)


def run(settings):
    """Train; returns the record and all events."""
    events = []
    return train(settings, events.append), events


def uninterrupted(folder):
    """Train on the tiny images to the end, validating every 3 steps; returns the folder of the run."""
    with mock.patch.object(planning, "open_prepared", lambda name: tiny_dataset()):
        run(settings_for(folder / "whole", validate_every="3steps"))
    return folder / "whole"


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


def by_hand(recipe, dataset, num_steps, *, seed, num_data=1, weights=None):
    """Train by a plain loop on one device; returns (net, optimizer, loss and errors of each step).

    weights: to start from in place of those that the seed draws.
    num_data: parts of each batch, each with draws of its own, whose mean gradients are averaged.
    """
    statistics = obtain_statistics(dataset, progress=False)
    net = AlexNet(recipe.net, generator=make_generator(seed, 3)).train()
    if weights is not None:
        net.load_state_dict(weights)
    net = net.to(memory_format=torch.channels_last)  # as the CPU is faster: its sums have another order
    optimizer = PaperSGD(param_groups(net, recipe.learning))
    schedule, size, seen = schedule_for(recipe.learning), recipe.learning.batch_size, []
    for step in range(num_steps):
        epoch, number = divmod(step, STEPS_PER_EPOCH)
        order = epoch_order(len(dataset.train), seed, epoch, recipe.learning.order)
        rates = schedule.rates(step / STEPS_PER_EPOCH)
        apply_rates(optimizer, rates)
        net.zero_grad()
        loss, wrong = 0.0, 0
        for part in range(num_data):
            indices = order[number * size : (number + 1) * size][part::num_data]
            images = prepare_training(
                dataset.train.read(indices),
                config=recipe.augment,
                statistics=statistics,
                generator=make_generator(seed, step, part, 2),
                colour_noise=rates.colour_noise,
            )
            masks = draw_masks(recipe.net, len(indices), generator=mask_generator(seed, step, part))
            images = images.contiguous(memory_format=torch.channels_last)
            logits, labels = net(images, masks), dataset.train.labels[indices]
            part_loss = F.cross_entropy(logits, labels) / num_data
            part_loss.backward()
            loss += float(part_loss.detach())
            wrong += int((logits.argmax(1) != labels).sum())
        optimizer.step()
        seen.append((loss, wrong))
    return net.eval(), optimizer, seen


def without_times(lines):
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def prepared(folder):
    """Store the tiny images as a prepared set, for processes of their own; returns its folder."""
    for name, split in tiny_dataset().splits.items():
        for number, (image, label) in enumerate(zip(split.images, split.labels.tolist(), strict=True)):
            path = folder / "images" / name / f"{label:02}" / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    target = folder / "set"
    prepare("folder", [folder / "images"], target, workers=0, size=32, raw=True, progress=False)
    return str(target)


def wait_for(condition, launched):
    """Wait until something is so; fail with what the training printed if it ends before."""
    end = time.monotonic() + 90
    while not condition():
        assert launched.running and time.monotonic() < end, launched.output()
        time.sleep(0.05)

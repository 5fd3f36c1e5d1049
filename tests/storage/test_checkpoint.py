"""Checkpoints: back again unchanged, whole or not at all, and no code run from a file."""

import errno
import json
import os
import re
from collections import OrderedDict
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from alexnet import recipes
from alexnet.optim.sgd import PaperSGD, load_velocities, param_groups, velocities
from alexnet.storage import checkpoints
from alexnet.storage.checkpoints import (
    Checkpoint,
    Validation,
    Weights,
    check_fits,
    latest,
    newest_first,
    retain_last_and_best,
    weights_file,
)

RECIPE = '{"name": "paper", "learning": {"rate": 0.01, "epochs": 90}, "net": {"conv_channels": [96, 256]}}'


def sample(**changes):
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(40, 50, generator=generator) for name in ("conv1.weight", "fc8.bias")}
    whole = Checkpoint(
        weights=weights,
        velocities={name: tensor.double() / 3 for name, tensor in weights.items()},
        statistics={"mean": torch.randn(3, 4, 4, generator=generator)},
        recipe=RECIPE,
        classes=["cat", "dog"],
        names=["house cat", "domestic dog"],
        fingerprint="0123abcd",
        environment={"torch": "2.6", "threads": 1, "device": "cpu: none"},
        epoch=3,
        step=12000,
        images_seen=12000 * 128,
        validations=[Validation(4000, 0.5), Validation(8000, 0.25)],
        seed=2**40,
    )
    return replace(whole, **changes)


def assert_same(one, other):
    for f in fields(type(one)):
        first, second = getattr(one, f.name), getattr(other, f.name)
        if isinstance(first, dict) and f.name != "environment":
            assert first.keys() == second.keys()
            for name in first:
                assert first[name].dtype == second[name].dtype and torch.equal(first[name], second[name])
        else:
            assert first == second and type(first) is type(second)


@pytest.fixture
def saved(tmp_path):
    path = checkpoints.locate(tmp_path, 12000)
    checkpoints.save(path, sample())
    return path


def test_a_checkpoint_comes_back_unchanged(saved):
    assert saved.name == "step-00012000.pt"
    back = checkpoints.load(saved)
    assert_same(sample(), back)
    assert isinstance(back.validations[0], Validation)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_state_dict_of_a_net_may_be_saved_as_it_is(tmp_path):
    net = nn.Linear(3, 2)
    own = OrderedDict(net.named_parameters())  # parameters, that want gradients
    checkpoints.save(tmp_path / "new" / "a.pt", sample(weights=own, classes=("cat", "dog")))
    back = checkpoints.load(tmp_path / "new" / "a.pt")
    assert type(back.weights) is dict and torch.equal(back.weights["weight"], net.weight)
    assert not back.weights["weight"].requires_grad and type(back.weights["weight"]) is torch.Tensor
    assert back.classes == ["cat", "dog"]


def test_a_training_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path):
    def begin():
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        for parameter in net.parameters():
            parameter.data.normal_(generator=torch.Generator().manual_seed(1))
        return net, PaperSGD(param_groups(net, recipes.CODE2012.learning))

    def train(net, optimizer, steps):
        for step in steps:
            x = torch.randn(5, 3, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()

    (whole, optimizer), (first, begun), (second, resumed) = begin(), begin(), begin()
    train(whole, optimizer, range(8))
    train(first, begun, range(5))
    state = sample(weights=first.state_dict(), velocities=velocities(first, begun), step=5)
    checkpoints.save(tmp_path / "step-00000005.pt", state)
    back = checkpoints.load(latest(tmp_path))
    second.load_state_dict(back.weights)
    load_velocities(second, resumed, back.velocities)
    train(second, resumed, range(back.step, 8))
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_tensors_are_put_where_they_are_wanted(saved):
    assert checkpoints.load(saved, "meta").weights["conv1.weight"].device.type == "meta"
    assert checkpoints.load(saved).weights["conv1.weight"].device.type == "cpu"


def test_weights_for_prediction_are_a_file_without_the_training(tmp_path, saved):
    path = tmp_path / "weights.pt"
    checkpoints.save_weights(path, sample())
    want = Weights(**{f.name: getattr(sample(), f.name) for f in fields(Weights)})
    assert_same(want, checkpoints.load_weights(path))
    assert_same(want, checkpoints.load_weights(saved))
    tensors = sum(t.nbytes for t in (*want.weights.values(), *want.statistics.values()))
    assert tensors < path.stat().st_size < tensors + 8192
    with pytest.raises(ValueError, match="weights.pt has weights without a training's state"):
        checkpoints.load(path)


def refused(path):
    """Return the one sentence with which a file is refused."""
    with pytest.raises(ValueError) as caught:
        checkpoints.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def test_a_failed_save_leaves_the_last_good_checkpoint(saved, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(OSError, match="the disk is full; 0 MB are needed"):
        patch.setattr(torch, "save", raise_(OSError(errno.ENOSPC, "No space left on device")))
        checkpoints.save(saved, sample(step=1))
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert_same(sample(), checkpoints.load(latest(saved.parent)))


def raise_(error):
    def function(*args):
        raise error

    return function


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*a.pt; `alexnet train` writes them"):
        checkpoints.load(tmp_path / "a.pt")


ALONE = "; there is no other checkpoint beside it; copy it anew, or train again"


def test_a_damaged_checkpoint_is_named_and_another_one(saved):
    os.truncate(saved, saved.stat().st_size // 2)
    assert refused(saved) == "FILE is damaged" + ALONE
    for step in (9000, 400):
        checkpoints.save(checkpoints.locate(saved.parent, step), sample(step=step))
    assert refused(saved) == f"FILE is damaged; name {saved.parent / 'step-00009000.pt'} in its place"


def test_in_place_of_damaged_weights_the_runs_checkpoint_is_named(tmp_path):
    kept = checkpoints.locate(tmp_path / "checkpoints", 12000)
    checkpoints.save(kept, sample())
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=f"weights.pt is damaged; name {kept} in its place"):
        checkpoints.load_weights(tmp_path / "weights.pt")


def test_other_content_is_named(tmp_path):
    path = tmp_path / "a.pt"
    whole = checkpoints.as_dict(checkpoints.CHECKPOINT, sample(), Checkpoint) | {"validations": []}

    def refused_with(content):
        torch.save(content, path)
        return refused(path)

    assert refused_with(torch.ones(3)) == "FILE is no file of this package: it holds a Tensor" + ALONE
    assert refused_with(sample().weights) == "FILE is no checkpoint of this package" + ALONE
    assert refused_with(whole | {"version": 2}) == (
        "FILE was written by a newer version of alexnet: its format is 2, and this version reads 1; "
        "upgrade alexnet to use it"
    )
    assert refused_with(whole | {"version": "x"}) == f"FILE is damaged (its format is 'x', not 1){ALONE}"
    for name in (f.name for f in fields(Checkpoint)):
        without = {key: value for key, value in whole.items() if key != name}
        assert refused_with(without) == f"FILE has no {name!r}, so it is no whole checkpoint" + ALONE
    for name, value, kind in (
        ("step", "7", "int"),
        ("weights", {"conv1.weight": 3}, "dict[str, torch.Tensor]"),
        ("classes", ["cat", 7], "list[str]"),
        ("validations", [[4000]], "list[alexnet.storage.checkpoints.Validation]"),
        ("validations", [[4000, "0.5"]], "list[alexnet.storage.checkpoints.Validation]"),
    ):
        said = refused_with(whole | {name: value})
        assert said == f"FILE is no checkpoint: its {name!r} is no {kind}" + ALONE


def test_the_same_recipe_and_data_fit():
    check_fits(sample(), RECIPE, ["cat", "dog"])
    check_fits(sample(), RECIPE.replace(" ", ""), ("cat", "dog"), "0123abcd")


def test_the_order_of_the_rate_factors_does_not_count():
    content = json.loads(RECIPE)
    content["learning"]["rate_factors"] = [["conv1", 0.0], ["conv2", 0.5]]
    tuned = replace(sample(), recipe=json.dumps(content))
    content["learning"]["rate_factors"].reverse()
    check_fits(tuned, json.dumps(content), ["cat", "dog"])
    content["learning"]["rate_factors"][1][1] = 0.1
    with pytest.raises(ValueError, match=r"learning.rate_factors.conv1 is 0.0 there, 0.1 here$"):
        check_fits(tuned, json.dumps(content), ["cat", "dog"])


@pytest.mark.parametrize(
    ("recipe", "classes", "fingerprint", "sentence"),
    [
        (RECIPE, ["cat"], None, "the checkpoint knows 2 classes, the data have 1"),
        (RECIPE, ["cat", "cow"], None, "class 1 is 'dog' in the checkpoint, 'cow' in the data"),
        (RECIPE, ["cat", "dog"], "99", "trained on other data: their fingerprint is 0123abcd, .* is 99"),
        (
            RECIPE.replace("90", "45"),
            ["cat", "dog"],
            None,
            "trained by another recipe: learning.epochs is 90 there, 45 here$",
        ),
        (
            RECIPE.replace('"rate": 0.01, ', "").replace("[96, 256]", "[96]"),
            ["cat", "dog"],
            None,
            r"another recipe: learning.rate is 0.01 there, None here; "
            r"net.conv_channels is \[96, 256\] there, \[96\] here$",
        ),
    ],
)
def test_what_does_not_fit_is_named(recipe, classes, fingerprint, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        check_fits(sample(), recipe, classes, fingerprint)
    assert "\n" not in str(caught.value)


def folder_with(folder, *names):
    for name in names:
        (folder / name).write_text(name)
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_latest_has_the_most_steps(tmp_path):
    assert latest(tmp_path) is None and latest(tmp_path / "nowhere") is None
    folder_with(tmp_path, "weights.pt", "step-00000900.pt.x.part", "log.json", "step-.pt")
    assert latest(tmp_path) is None
    folder_with(tmp_path, "step-99999999.pt", "step-100000000.pt", "step-00000003.pt")
    assert latest(tmp_path).name == "step-100000000.pt"


@pytest.mark.skipif(os.name != "posix", reason="not everybody may make links on this system")
def test_a_link_to_nothing_is_not_taken_for_an_empty_folder(tmp_path):
    link = tmp_path / "checkpoints"
    link.symlink_to(tmp_path / "disk", target_is_directory=True)
    with pytest.raises(FileNotFoundError, match="checkpoints is a link to a folder that is not there"):
        newest_first(link)


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "listdir", raise_(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(OSError, match=f"^cannot read {re.escape(str(tmp_path))}: Permission denied$"):
        newest_first(tmp_path)


def test_weights_need_no_checkpoints_beside_them(tmp_path, monkeypatch):
    folder_with(tmp_path, "weights.pt")
    monkeypatch.setattr(os, "listdir", raise_(PermissionError(errno.EACCES, "Permission denied")))
    assert weights_file(tmp_path) == tmp_path / "weights.pt"


def test_the_last_and_the_best_are_kept_and_what_is_not_ours(tmp_path):
    steps = [f"step-0000000{n}.pt" for n in range(1, 6)]
    folder_with(tmp_path, *steps, "step-00000006.pt.k3.part", "weights.pt", "notes.txt")
    validations = [Validation(1, 0.5), Validation(2, 0.3), Validation(4, 0.3), Validation(9, 0.1)]
    retain_last_and_best(tmp_path, 5, validations)
    last_two = ["notes.txt", "step-00000004.pt", "step-00000005.pt", "weights.pt"]
    assert names_in(tmp_path) == sorted([*last_two, "step-00000002.pt"])
    retain_last_and_best(tmp_path, 5, [*validations, Validation(5, 0.2)])
    assert names_in(tmp_path) == last_two


def test_without_a_validation_the_last_two_are_kept(tmp_path):
    folder_with(tmp_path, "step-00000001.pt", "step-00000002.pt", "step-00000003.pt")
    retain_last_and_best(tmp_path, 3, [])
    assert names_in(tmp_path) == ["step-00000002.pt", "step-00000003.pt"]


def test_what_was_just_written_stays_beside_one_with_more_steps(tmp_path):
    folder_with(tmp_path, "step-00000001.pt", "step-00000002.pt", "step-00000003.pt", "step-00000900.pt")
    retain_last_and_best(tmp_path, 3, [])
    assert names_in(tmp_path) == ["step-00000002.pt", "step-00000003.pt", "step-00000900.pt"]


def test_what_cannot_be_deleted_is_no_failed_save(tmp_path):
    folder_with(tmp_path, "step-00000002.pt", "step-00000003.pt")
    (tmp_path / "step-00000001.pt").mkdir()
    retain_last_and_best(tmp_path, 3, [])
    assert len(names_in(tmp_path)) == 3

"""What a training shows: the dry run, the bar and the lines, TensorBoard, the command."""

import errno
import io
import json
import os
import re
import shutil
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from alexnet.cli import train as command
from alexnet.cli.main import main
from alexnet.data.prepared import open_set
from alexnet.devices import device_named, prepare_device
from alexnet.distributed.parallel import Layout
from alexnet.distributed.ranks import OtherFailed, Ranks, joined
from alexnet.training import TrainSettings, attach, dry_run, dry_runs, loop, train
from alexnet.training.board import Board, kernel_sheet, scalars
from alexnet.training.events import Event
from alexnet.training.log import read_log
from alexnet.training.messages import plan_in_words
from alexnet.training.plan import make_plan
from alexnet.training.progress import Progress
from alexnet.training.settings import command_line, read_kept
from support.trainings import STEPS_PER_EPOCH, run, settings_for, state, tiny_dataset, use


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a run on the tiny images, dry or not, which measures no longer than it must."""
    use(monkeypatch, tiny_dataset())
    monkeypatch.setattr(dry_runs, "MEASURED_SECONDS", 0.0)
    return tmp_path / "run"


def test_a_dry_run_knows_the_training(folder):
    found = dry_run(settings_for(folder))
    assert (found.data, found.net, found.recipe) == ("synthetic", "small-code2012", "tiny")
    assert (found.classes, found.train_images, found.validation_images) == (10, 43, 12)
    assert (found.batch_size, found.batch_per_net, found.nets, found.devices_per_net) == (8, 8, 1, 1)
    assert (found.steps_per_epoch, found.images_left_out) == (STEPS_PER_EPOCH, 3)
    assert (found.num_steps, found.first_step) == (10, 0)
    assert found.images_per_second == pytest.approx(8 / found.seconds_per_step)
    expected = STEPS_PER_EPOCH * found.seconds_per_step + found.validation_seconds
    assert found.epoch_seconds == pytest.approx(expected) and found.validation_seconds > 0
    assert found.total_seconds == pytest.approx(2 * expected) and 0 <= found.wait_share <= 1
    assert not folder.exists()
    assert found.command == f"alexnet train --data default --recipe {folder}-recipe.json --out {folder} " + (
        "--device cpu --log-every 2"
    )
    for text in ("43 images of 32x32 to train on", "3 images do not fill a batch", found.command):
        assert text in found.text
    run(settings_for(folder, max_steps=5))
    found = dry_run(settings_for(folder, validate_every="2epochs"))
    expected = STEPS_PER_EPOCH * found.seconds_per_step + found.validation_seconds / 2
    assert found.first_step == 5 and found.total_seconds == pytest.approx(expected)
    assert "from step 5 to 10" in found.text and "--max-steps asks" not in found.text


@pytest.mark.parametrize(("max_steps", "steps"), [(7, 2), (99, 5), (3, 0)])
def test_a_dry_run_ends_where_the_training_is_to_leave_off(folder, max_steps, steps):
    run(settings_for(folder, max_steps=5))
    found = dry_run(settings_for(folder, max_steps=max_steps))
    assert found.total_seconds == pytest.approx(found.epoch_seconds * steps / STEPS_PER_EPOCH)
    assert (found.num_steps, found.last_step) == (10, min(10, max_steps))
    told = f"from step 5 to {found.last_step}" + (" of 10, as --max-steps asks" if max_steps < 10 else "")
    assert found.text.splitlines()[-3].endswith(told)


def test_the_time_of_a_validation_is_told_by_its_last_images_not_its_last_batches(monkeypatch):
    seconds = iter([100.0, 105.5])  # half a second for each of the 10 + 1 images of the last two batches
    monkeypatch.setattr(dry_runs.time, "perf_counter", lambda: next(seconds))
    loader = SimpleNamespace(batch_size=10, steps_per_epoch=4, close=lambda: None)
    begun = []
    monkeypatch.setattr(dry_runs, "validation_loader", lambda plan, ranks: loader)
    monkeypatch.setattr(dry_runs, "validate", lambda learner, loader, first_step: begun.append(first_step))
    estimate = dry_runs.measure_validation(
        SimpleNamespace(validation_split=range(31)), SimpleNamespace(ranks=None)
    )
    assert (estimate, begun) == (31 * 0.5, [2])


def test_a_dry_run_counts_the_parameters_and_their_checkpoints(folder):
    found = dry_run(settings_for(folder))
    run(settings_for(folder, max_steps=1))
    assert found.num_parameters == sum(tensor.numel() for tensor in state(folder, 1)[0].values())
    assert found.disk_needed == 4 * 2 * 4 * found.num_parameters


def test_what_does_not_fit_is_one_sentence(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(dry_runs, "free_memory", lambda device: 1000)
        with pytest.raises(ValueError, match=r"needs about \d+ MB of memory .*`--batch-size` below 8"):
            dry_run(settings_for(folder))
    with monkeypatch.context() as patch:
        patch.setattr(dry_runs, "free_bytes", lambda path: 1000)
        with pytest.raises(ValueError, match="checkpoints need .* of disk for .*; choose another `--out`"):
            dry_run(settings_for(folder))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(ValueError, match="cannot write .*: Permission denied; choose another `--out`"):
            dry_run(settings_for(folder))
    run(settings_for(folder, max_steps=1))
    with pytest.raises(ValueError, match="of another training"):
        dry_run(settings_for(folder, seed=1))


@pytest.mark.parametrize(("gpus", "ranks"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (6, 4), (8, 8)])
def test_the_command_uses_the_gpus_that_can_be_used(folder, monkeypatch, gpus, ranks):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    plan = make_plan(TrainSettings(recipe="code2012", batch_size=8))
    said = dry_runs.command_for_devices(plan, Ranks(torch.device("cpu")))
    assert ("--nproc-per-node" in said) == (ranks > 1) and dry_runs.num_ranks_for(plan, gpus) == ranks
    whole = replace(plan, settings=replace(plan.settings, parallel="data"))
    assert dry_runs.num_ranks_for(whole, gpus) == {3: 2, 6: 4}.get(gpus, max(1, gpus))


def test_the_command_prints_a_dry_run(folder, capsys):
    words = ["train", "--recipe", settings_for(folder).recipe, "--out", str(folder), "--device", "cpu"]
    assert main([*words, "--dry-run"]) == 0
    assert "this runs it:\n  alexnet train --data default" in capsys.readouterr().out
    assert main([*words, "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == asdict(dry_run(settings_for(folder))).keys() and found["num_steps"] == 10
    assert main([*words, "--dry-run", "--json", str(folder / "found.json")]) == 0
    assert "this runs it:\n  alexnet train" in capsys.readouterr().out
    assert json.loads((folder / "found.json").read_text()).keys() == found.keys()
    assert main([*words, "--json"]) == 2
    assert capsys.readouterr().err == (
        "alexnet: --json goes with --dry-run; a training writes run.json into its folder\n"
    )
    assert main([*words, "--dry-run", "--batch-size", "44"]) == 2
    assert "43 training images do not fill a batch of 44" in capsys.readouterr().err


@pytest.mark.parametrize(("system", "quoted"), [("nt", '"my images"'), ("posix", "'my images'")])
def test_a_command_is_quoted_as_the_shell_of_the_system_has_it(tmp_path, monkeypatch, system, quoted):
    monkeypatch.setattr("alexnet.shown.os", SimpleNamespace(name=system))
    assert command_line(TrainSettings(data="my images", out="runs/it's")).startswith(
        f"alexnet train --data {quoted} --recipe paper --out "
    )
    place = tmp_path / "my images"
    place.mkdir()
    in_quotes = quoted.replace("my images", str(place))
    with pytest.raises(FileNotFoundError, match=re.escape(f"`alexnet train --out {in_quotes}` starts")):
        attach(place)
    with pytest.raises(FileNotFoundError, match=re.escape(f"prepare KIND SRC {in_quotes}` makes it")):
        open_set(place)
    (place / "settings.json").write_bytes(b"[]")
    with pytest.raises(ValueError, match=re.escape(f"`alexnet train --out {in_quotes}` with its other op")):
        read_kept(place / "settings.json")


def test_the_command_trains_and_says_where_it_stands(folder, capsys, monkeypatch):
    words = ["train", "--recipe", settings_for(folder).recipe, "--out", str(folder), "--max-steps", "5"]
    assert main(words) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("data: generated default set, seed 0") and f"folder: {folder}" in said
    assert any(
        line.startswith("step 5, epoch 1.00, loss 2.") and "validation: top-1" in line for line in said
    )
    assert said[-2] == "stopped at --max-steps at step 5, epoch 1.00, saved; this command resumes it:"
    assert said[-1].startswith("  alexnet train --data default --recipe") and "--max-steps" not in said[-1]
    monkeypatch.setattr(command, "run_training", lambda _: (_ for _ in ()).throw(OtherFailed("there")))
    assert main(words) == 2 and capsys.readouterr().err == ""


def test_the_nets_choice_is_said(folder):
    def said(**settings):
        return plan_in_words(make_plan(TrainSettings(**{"recipe": "code2012", "batch_size": 8} | settings)))

    assert (
        "net: small-code2012, since images of 32 pixels are too small for code2012, which reads 224" in said()
    )
    assert "net: small-code2012, as asked for" in said(net="small")
    plan = make_plan(TrainSettings(recipe="code2012", batch_size=8), 4)
    assert plan.layout == Layout(2, 2)
    assert "2 towers, each on a device of its own" in plan_in_words(plan)
    assert "5 steps of 8 images, 4 for each of 2 networks" in plan_in_words(plan)
    assert "net: small-code2012, the recipe's own" in plan_in_words(make_plan(settings_for(folder)))


LINE = {
    "step": 3,
    "epoch": 0.6,
    "loss": 2.25,
    "error": 0.875,
    "images_per_second": 1234.5,
    "wait_share": 0.07,
}
RATES = {"conv1_rate": 0.01, "weight_rate": 0.01, "bias_rate": 0.02, "colour_noise": True, "seconds": 4.0}
VALIDATION = {"val_top1": 0.5, "val_top5": 0.125, "val_loss": 1.5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, monkeypatch, clock=(0.0,)):
    """Let a training be shown on a stream; the clock moves on with each window."""
    times = iter(clock)
    monkeypatch.setattr("alexnet.training.progress.time.monotonic", lambda: next(times))
    show = Progress(stream)
    show(Event("plan", {"text": "what and where", "step": 0, "num_steps": 10}))
    for step in (1, 2, 3):
        show(Event("step", {"step": step}))
    show(Event("window", LINE | RATES | {"seconds_left": 5400.0}))
    return show


def test_a_terminal_shows_a_bar(monkeypatch):
    stream = Terminal()
    show = shown(stream, monkeypatch)
    show(Event("window", LINE | RATES | VALIDATION | {"step": 5, "seconds_left": None}))
    show(Event("message", {"text": "a sentence"}))
    show(Event("end", {"text": "the end"}))
    text = stream.getvalue()
    assert "3/10" in text and "epoch 0.60, loss 2.250, error 87.5%" in text
    assert "1,234 images/s, waiting 7%, 1.5 h left" in text
    assert "step 5, epoch 0.60, loss 2.250, error 87.5%, validation: top-1 50.0%, top-5 12.5%" in text
    assert "a sentence\n" in text and text.endswith("the end\n")


def test_the_error_that_ends_a_training_stands_below_the_bar(folder, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(loop.Run, "one_step", full_computer)
    monkeypatch.setattr(sys, "stderr", stream)
    words = ["train", "--recipe", settings_for(folder).recipe, "--out", str(folder), "--device", "cpu"]
    assert main(words) == 2
    bar, said = stream.getvalue().splitlines()[-2:]
    assert "0/10" in bar and said.startswith("alexnet: the memory of this computer is too small")


def test_elsewhere_there_is_a_line_every_so_often(monkeypatch):
    stream = io.StringIO()
    show = shown(stream, monkeypatch, clock=[100.0, 100.0, 129.0, 131.0, 131.0, 132.0, 132.0])
    for step in (4, 5):
        show(Event("window", LINE | RATES | {"step": step, "seconds_left": 60.0}))
    show(Event("window", VALIDATION | RATES | {"step": 6, "epoch": 1.2, "seconds_left": None}))
    show(Event("end", {"text": "the end"}))
    assert stream.getvalue().splitlines() == [
        "what and where",
        "step 3, epoch 0.60, loss 2.250, error 87.5%, 1,234 images/s, waiting 7%, 1.5 h left",
        "step 5, epoch 0.60, loss 2.250, error 87.5%, 1,234 images/s, waiting 7%, 60 s left",
        "step 6, epoch 1.20, validation: top-1 50.0%, top-5 12.5%",
        "the end",
    ]


class Broken(Terminal):
    """A stream whose disk is full, or whose reader has gone, or that was closed."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), BrokenPipeError(), ValueError("closed")])
def test_a_training_goes_on_where_it_cannot_be_shown(folder, monkeypatch, error, terminal):
    stream = Broken(error)
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    record = train(settings_for(folder), Progress(stream))
    assert record.results["ended"] == "finished" and (folder / "weights.pt").is_file()


def test_a_process_without_a_stream_trains_too(folder, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    show = Progress()
    monkeypatch.undo()
    use(monkeypatch, tiny_dataset())
    assert train(settings_for(folder, max_steps=1), show).results["step"] == 1


def read_tensorboard(folder):
    """What TensorBoard reads of a run: {(name of the chart, step): value}, and the sizes of the images."""
    event_file_loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    (path,) = (folder / "tensorboard").iterdir()
    numbers, images = {}, {}
    for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.HasField("image"):
                images[value.tag, event.step] = (value.image.height, value.image.width)
            else:
                numbers[value.tag, event.step] = value.simple_value
    return numbers, images


def test_tensorboard_gets_the_curves_and_the_kernels(folder):
    pytest.importorskip("tensorboard")
    _, events = run(settings_for(folder))
    assert "TensorBoard" not in events[0].values["text"]
    lines = [event.values for event in events if event.kind == "window"]
    numbers, images = read_tensorboard(folder)
    losses = {step: value for (name, step), value in numbers.items() if name == "train/loss"}
    assert losses == pytest.approx({line["step"]: line["loss"] for line in lines})
    assert numbers["validation/top1", 10] == pytest.approx(lines[-1]["val_top1"])
    assert numbers["validation/loss", 10] == pytest.approx(lines[-1]["val_loss"])
    assert images == {("conv1 kernels", 5): (6, 24), ("conv1 kernels", 10): (6, 24)}


def test_tensorboard_leaves_out_the_curves_of_steps_that_are_done_again(folder):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options = {"checkpoint_every": "4steps", "log_every": 1}

    def kill(event):
        if event.kind == "window" and event.values["step"] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(settings_for(folder, **options), kill)
    run(settings_for(folder, **options))
    shown = event_accumulator.EventAccumulator(str(folder / "tensorboard")).Reload()
    assert [event.step for event in shown.Scalars("train/loss")] == list(range(1, 11))


def test_without_tensorboard_one_sentence_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    _, events = run(settings_for(folder, max_steps=1))
    assert "TensorBoard: none, as it is not installed; pip install tensorboard" in events[0].values["text"]
    assert not (folder / "tensorboard").exists()


def test_tensorboard_that_does_not_fit_is_one_sentence(folder, monkeypatch):
    pytest.importorskip("tensorboard")

    def fail(*_):
        raise TypeError("Descriptors cannot\n be created directly")

    monkeypatch.setattr("torch.utils.tensorboard.RecordWriter", fail)
    record, events = run(settings_for(folder, max_steps=1))
    assert (
        "TensorBoard: none; TypeError: Descriptors cannot be created directly\n" in events[0].values["text"]
    )
    assert record.results["step"] == 1


@pytest.mark.parametrize("trouble", ["full", "deleted"])
def test_trouble_with_tensorboard_is_said_once_and_the_training_goes_on(folder, monkeypatch, trouble):
    pytest.importorskip("tensorboard")

    def on_event(event):
        events.append(event)
        if event.kind == "step" and event.values["step"] == 2:
            if trouble == "deleted":
                shutil.rmtree(folder / "tensorboard")
            else:
                monkeypatch.setattr(Board, "append", full)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "tensorboard/events")

    events = []
    record = train(settings_for(folder), on_event)
    said = [event.values["text"] for event in events if event.kind == "message"]
    assert len(said) == 1 and said[0].startswith("cannot write ") and "tensorboard" in said[0]
    assert said[0].endswith("; training continues without curves in TensorBoard")
    assert record.results["ended"] == "finished" and len(read_log(folder)) == 6


def test_scalars_have_charts_of_their_own():
    line = {"step": 3, "loss": 2.0, "val_top1": 0.5, "weight_rate": 0.01, "colour_noise": True}
    assert scalars(line) == {"train/loss": 2.0, "validation/top1": 0.5, "train/weight_rate": 0.01}


def test_each_kernel_of_a_sheet_has_its_own_range():
    kernels = torch.stack(
        [torch.linspace(-1, 1, 12).view(3, 2, 2), torch.linspace(0, 1e-3, 12).view(3, 2, 2)]
    )
    sheet = kernel_sheet(kernels)
    assert sheet.shape == (2, 3, 3, 3) and not sheet[:, :, 2].any() and not sheet[:, :, :, 2].any()
    for tile in sheet[:, :, :2, :2]:
        assert tile.min() == 0 and tile.max() > 0.999


@pytest.mark.parametrize(
    ("count", "name", "sentence"),
    [
        (0, "cuda", "finds no GPU here; choose `--device cpu`"),
        (0, "cuda:01", "finds no GPU here; choose `--device cpu`"),
        (2, "cuda:2", "there is no GPU 2; there are 2"),
        (2, "cuda:02", "there is no GPU 2"),
        (2, "cuda:257", "there is no GPU 257"),  # torch takes the number modulo 256
        (2, "gqu", "must be auto, cpu, cuda or cuda:N, got 'gqu'"),
    ],
)
def test_a_gpu_that_is_not_there(monkeypatch, count, name, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ValueError, match=sentence):
        device_named(name)
    assert device_named("auto").type == ("cuda" if count else "cpu") and device_named("cpu").type == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=sentence), joined(name):
        pass


def test_a_gpu_by_number_is_for_a_process_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_named("cuda:01") == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    sentence = "each takes the GPU of its own number; .*cuda`, not cuda:1"
    with pytest.raises(ValueError, match=sentence), joined("cuda:1"):
        pass


def test_what_names_no_gpu_means_the_one_of_the_process(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: None)
    for name in ("benchmark", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, name, False)
    prepare_device(torch.device("cuda", 1))
    prepare_device(torch.device("cuda"))
    assert taken == [torch.device("cuda", 1)]


def full_gpu(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")


def full_computer(*_, **__):
    torch.empty(2**60, dtype=torch.uint8)


def uncompiled(*_):
    # As torch has it, which takes seconds to import.
    error = type("InductorError", (RuntimeError,), {"__module__": "torch._inductor.exc"})
    raise error("InvalidCxxCompiler: No working C++ compiler found\n\nSet ...")


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (full_gpu, "memory of the GPU is too small .*`--batch-size` below 8, or `--precision bfloat16`$"),
        (full_computer, "memory of this computer is too small .*`--batch-size` below 8$"),
        (uncompiled, r"cannot compile the network \(InvalidCxxCompiler: .*\); leave `--compile` out, or ins"),
    ],
)
def test_what_torch_cannot_do_is_one_sentence(folder, monkeypatch, trouble, sentence):
    monkeypatch.setattr(loop.Run, "one_step", trouble)
    with pytest.raises(ValueError, match=sentence) as caught:
        run(settings_for(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("trouble", "words", "sentence"),
    [
        (
            full_gpu,
            "predict a.pt b.png",
            "the memory of the GPU is too small for this; choose `--device cpu`",
        ),
        (
            full_computer,
            "experiment parts --jobs 2",
            "the memory of this computer is too small for this; choose fewer `--jobs`, or end other programs",
        ),
        (
            full_computer,
            "evaluate a.pt --data default --device cpu",
            "the memory of this computer is too small for this; choose a smaller `--batch-size`, or end "
            "other programs",
        ),
    ],
)
def test_a_command_that_lacks_memory_says_so(monkeypatch, capsys, trouble, words, sentence):
    monkeypatch.setattr("alexnet.evaluation.prediction.load_classifier", trouble)
    monkeypatch.setattr("alexnet.experiments.campaign.open_finished", trouble)
    assert main(words.split()) == 2
    assert capsys.readouterr().err == f"alexnet: {sentence}\n"


def test_a_training_needs_no_stream_for_errors(folder, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    record = train(settings_for(folder, max_steps=2), Progress())
    assert record.results["step"] == 2

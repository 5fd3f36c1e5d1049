"""`alexnet data prepare`: odd files, stops at any moment, and the same bytes however it ran."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import alexnet
from alexnet.cli.main import main
from alexnet.data.images import resize_and_crop
from alexnet.data.prepare import run as prepare_module
from alexnet.data.prepare import shards
from alexnet.data.prepare.check import damage_in
from alexnet.data.prepared import open_set
from alexnet.storage import files
from alexnet.storage.files import only_one
from support.archives import encoded, jpeg, pixels, tar, write
from support.preparing import SIZE, contents, made, one_folder

ODD = {
    "train/a/cmyk.jpg": (encoded(pixels(1), mode="CMYK"), "converted", "CMYK"),
    "train/a/grey.jpg": (encoded(pixels(2), mode="L"), "converted", "greyscale"),
    "train/a/png.jpg": (encoded(pixels(3), "PNG"), "converted", "PNG named JPEG"),
    "train/a/deep.png": (encoded(np.full((9, 9), 999, np.uint16), "PNG"), "converted", "16-bit"),
    "train/a/zero.jpg": (b"", "left out", "empty file"),
    "train/a/text.jpg": (b"hello", "left out", "not an image"),
    "train/a/short.jpg": (jpeg(4)[:-300], "left out", "damaged"),
}


def test_odd_files_are_converted_or_left_out_and_listed(tmp_path):
    held = {name: content for name, (content, _, _) in ODD.items()} | {"train/a/fine.jpg": jpeg(5)}
    folder = write(tmp_path / "photos", held | {"train/a/._fine.jpg": b"", "train/readme.txt": b"hi"})
    got, said = made("folder", [folder], tmp_path / "set", max_damaged=0.5)
    assert len(got.train) == 5
    with (tmp_path / "set/manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert {name: (row["split"], row["status"]) for name, row in rows.items()} == {
        f"photos/{name}": ("train", status) for name, (_, status, _) in ODD.items()
    }
    assert all(rows[f"photos/{name}"]["why"].startswith(why) for name, (_, _, why) in ODD.items())
    for why, name in {"damaged": "short", "empty file": "zero", "not an image": "text"}.items():
        assert f"left out, {why}: 1, photos/train/a/{name}.jpg" in said
    assert "converted: 1 CMYK, 1 16-bit, 1 greyscale, 1 PNG named JPEG" in said


@pytest.mark.parametrize("workers", [0, 1])
def test_too_much_damage_ends_the_work_and_more_may_be_allowed(tmp_path, workers):
    held = {f"train/a/{i}.jpg": jpeg(i) if i > 1 else b"" for i in range(8)}
    folder = write(tmp_path / "photos", held)
    with pytest.raises(
        ValueError,
        match=r"^\d of 8 images cannot be read, more than --max-damaged 0.2 allows \(photos/.*: empty file\)",
    ):
        made("folder", [folder], tmp_path / "set", max_damaged=0.2, workers=workers)
    with pytest.raises(FileNotFoundError, match="no finished prepared set"):
        open_set(tmp_path / "set")
    if not workers:
        assert len(made("folder", [folder], tmp_path / "set", max_damaged=0.25)[0].train) == 6


def test_images_that_were_damaged_are_read_again_when_the_work_goes_on(tmp_path):
    damaged = {i: bytes(len(jpeg(i))) for i in (0, 7)}  # of the same size, as of a disk that lost them
    folder = write(tmp_path / "photos", {f"train/a/{i}.jpg": damaged.get(i, jpeg(i)) for i in range(8)})
    with pytest.raises(ValueError, match="2 of 8 images cannot be read, .* get them again"):
        made("folder", [folder], tmp_path / "set", max_damaged=0.2)
    write(tmp_path / "photos", {f"train/a/{i}.jpg": jpeg(i) for i in damaged})
    got, said = made("folder", [folder], tmp_path / "set", max_damaged=0.0)
    assert len(got.train) == 8 and not any("left out" in sentence for sentence in said)


def test_raw_images_are_the_scaled_ones_exactly(tmp_path):
    held = {f"a/{i}.png": encoded(pixels(i), "PNG") for i in range(4)} | {"a/4.png": b""}
    folder = write(tmp_path / "photos", held)
    got, _ = made("folder", [folder], tmp_path / "set", raw=True, max_damaged=0.5)
    images = got.train.read([3, 0, 2])
    for image, seed in zip(images, [3, 0, 2], strict=True):
        wanted = np.asarray(resize_and_crop(Image.fromarray(pixels(seed)), SIZE)).transpose(2, 0, 1)
        np.testing.assert_array_equal(image.numpy(), wanted)
    assert [np.load(path).shape[0] for path in sorted((tmp_path / "set").glob("*.npy"))] == [2, 2, 0]


def test_the_order_in_which_sources_are_read_does_not_matter(tmp_path):
    held = {f"train/{c}/{i}.jpg": jpeg(i) for c in "ab" for i in range(3)}
    parts = [dict(list(held.items())[:3]), dict(list(held.items())[3:])]
    sources = [write(tmp_path / f"{i}.tar", tar(part)) for i, part in enumerate(parts)]
    made("folder", sources, tmp_path / "one")
    turned = [tmp_path / "x/0.tar", tmp_path / "x/1.tar"]
    for path, part in zip(turned, parts, strict=True):
        write(path, tar(dict(reversed(part.items()))))
    made("folder", turned[::-1], tmp_path / "two")
    one, two = (json.loads((tmp_path / name / "set.json").read_text()) for name in ("one", "two"))
    assert one.pop("name") != two.pop("name") and one.pop("source") != two.pop("source")  # of the first one
    assert one == two
    assert contents(tmp_path / "one", but=["set.json"]) == contents(tmp_path / "two", but=["set.json"])


def test_the_fingerprint_sees_pixels_labels_and_splits(tmp_path):
    base = {"train/a/1.jpg": jpeg(1), "train/b/2.jpg": jpeg(2), "test/a/3.jpg": jpeg(3)}
    others = [
        base,
        base | {"train/a/1.jpg": jpeg(4)},
        base | {"train/a/1.jpg": jpeg(2), "train/b/2.jpg": jpeg(1)},
        base | {"test/a/3.jpg": jpeg(1), "train/a/1.jpg": jpeg(3)},
    ]
    prints = set()
    for i, held in enumerate(others):
        prints.add(made("folder", [write(tmp_path / f"f{i}", held)], tmp_path / f"s{i}")[0].fingerprint)
    assert len(prints) == len(others)


def test_a_second_run_changes_nothing(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    before = {path: path.stat().st_mtime_ns for path in target.iterdir()}
    _, said = made("folder", [folder], target)
    assert said == ["the set was there already, and is whole"]
    assert {path: path.stat().st_mtime_ns for path in target.iterdir()} == before


def test_a_lost_shard_is_made_again_alone(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    before = contents(target)
    (target / "train-00001.tar").unlink()
    (target / "train-00002.tar").write_bytes(b"")
    kept = (target / "train-00000.tar").stat().st_mtime_ns
    made("folder", [folder], target)
    assert contents(target) == before
    assert (target / "train-00000.tar").stat().st_mtime_ns == kept


@pytest.mark.parametrize("options", [{"size": 8}, {"raw": True}, {"val_share": 0.1}, {"images_per_shard": 3}])
def test_a_set_is_not_continued_with_other_options(tmp_path, options):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    with pytest.raises(ValueError, match="was begun with another .*name a new folder"):
        made("folder", [folder], target, **options)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("change", ["added", "replaced", "gone"])
def test_a_set_is_not_continued_with_other_images(tmp_path, finished, change):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    write(folder / "train/a/.DS_Store", b"of a file manager")
    write(folder / "train/a/Thumbs.db", b"of a file manager")
    made("folder", [folder], target)
    if not finished:
        (target / "val-00000.tar").unlink()
    if change == "gone":
        (folder / "train/a/0.jpg").unlink()
    else:
        write(folder / f"train/a/{'new' if change == 'added' else '0'}.jpg", jpeg(77) + b"more")
    with pytest.raises(
        ValueError, match=r"was begun with another contents .photos/: 9 files, .*; now photos/: "
    ):
        made("folder", [folder], target)


def test_other_names_are_another_plan(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    (target / "val-00000.tar").unlink()
    (folder / "train/a/0.jpg").rename(folder / "train/a/9.jpg")
    with pytest.raises(ValueError, match="was begun with another plan"):
        made("folder", [folder], target)


def test_a_set_of_an_earlier_version_is_continued(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    about = json.loads((target / "set.json").read_text())
    del about["request"]["contents"]
    (target / "set.json").write_text(json.dumps(about))
    (target / "val-00000.tar").unlink()
    assert len(made("folder", [folder], target)[0].val) == 2


@pytest.mark.parametrize("inside", [".", "sets/mine"])
def test_a_set_is_not_made_within_what_it_is_made_of(tmp_path, inside):
    folder = one_folder(tmp_path)
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match="lies in .*photos, which is to be read; name a folder elsewhere"):
        made("folder", [folder], folder / inside)
    assert sorted(folder.rglob("*")) == before


def test_two_at_once_do_not_prepare_into_one_folder(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    (target / "val-00000.tar").unlink()
    write(target / "train-00000.tar.x.part", b"of the other")
    before = contents(target)
    with only_one(target / "prepare.lock", "busy"), pytest.raises(ValueError, match=AT_WORK):
        made("folder", [folder], target)
    assert contents(target) == before
    made("folder", [folder], target)
    assert not list(target.glob("*.lock")) and not list(target.glob("*.part"))


AT_WORK = "another `alexnet data prepare` is at work in .*set; wait for it to end, or name another folder"


def test_what_a_killed_run_left_half_written_is_taken_away(tmp_path):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    (target / "val-00000.tar").unlink()
    left = [
        write(target / "train-00000.tar.x.part", b"half"),
        write(target / "scratch/a.tar.x.part", b"half"),
    ]
    made("folder", [folder], target)
    assert not any(path.exists() for path in left)


def test_a_second_one_that_comes_at_the_beginning_leaves_the_first_alone(tmp_path, monkeypatch):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    original = prepare_module.make_plan

    def plan(*args, **options):
        with pytest.raises(ValueError, match=AT_WORK):
            made("folder", [folder], target)
        return original(*args, **options)

    monkeypatch.setattr(prepare_module, "make_plan", plan)
    assert len(made("folder", [folder], target)[0].train) == 7


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_disk_that_may_not_be_written_to_is_named(tmp_path, monkeypatch, number):
    def replace(_old, new):
        raise OSError(number, "no", str(new))

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(OSError, match="^cannot write to .*set: no; name another folder$"):
        made("folder", [one_folder(tmp_path)], tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_source_that_cannot_be_read_is_named(tmp_path, monkeypatch, number):
    def read(_reader, file):
        raise OSError(number, "no")

    monkeypatch.setattr(shards.Reader, "read", read)
    with pytest.raises(OSError) as caught:
        made("folder", [one_folder(tmp_path)], tmp_path / "set")
    assert caught.value.errno == number and caught.value.filename.startswith(str(tmp_path / "photos"))


def test_a_disk_that_is_full_at_once_leaves_nothing(tmp_path, monkeypatch):
    def sync(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)
    with pytest.raises(OSError, match="is full; make room and run the same command"):
        made("folder", [one_folder(tmp_path)], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    target = write(tmp_path / "set", {"letter.txt": b"dear"})
    with pytest.raises(ValueError, match="is no prepared set; name a new folder"):
        made("folder", [one_folder(tmp_path)], target)
    assert [path.name for path in target.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    "content", ["{", '{"format": 1, "finished": true}', '{"format": 1, "finished": true, "request": {}}']
)
def test_a_damaged_description_is_not_continued(tmp_path, content):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    made("folder", [folder], target)
    (target / "set.json").write_text(content)
    with pytest.raises(ValueError, match="set.json is damaged .*; delete the folder and run the `alex"):
        made("folder", [folder], target)


class Halt(BaseException):
    """What ends a program from outside."""


@pytest.mark.parametrize("after", range(9))
def test_a_stop_at_any_image_is_made_good_by_the_next_run(tmp_path, monkeypatch, after):
    folder = one_folder(tmp_path)
    made("folder", [folder], tmp_path / "whole")
    left = iter(range(after))

    def scale(image, size):
        if next(left, None) is None:
            raise Halt
        return resize_and_crop(image, size)

    with monkeypatch.context() as patch, pytest.raises(Halt):
        patch.setattr(shards, "resize_and_crop", scale)
        made("folder", [folder], tmp_path / "set")
    assert not list((tmp_path / "set").glob("*.part"))
    made("folder", [folder], tmp_path / "set")
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


@pytest.mark.parametrize("after", range(12))
def test_a_full_disk_leaves_whole_files_only_and_is_explained(tmp_path, monkeypatch, after):
    folder = one_folder(tmp_path)
    made("folder", [folder], tmp_path / "whole")
    left = iter(range(after))

    def sync(_handle):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match="is full; make room and run the same command"),
    ):
        patch.setattr(files.os, "fsync", sync)
        made("folder", [folder], tmp_path / "set")
    assert not list((tmp_path / "set").glob("*.part"))
    made("folder", [folder], tmp_path / "set")
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_too_little_room_is_said_before_the_work(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("alexnet.data.prepare.target.shutil.disk_usage", lambda _path: usage)
    with pytest.raises(OSError, match="has room for 0.0 GB"):
        made("folder", [one_folder(tmp_path)], tmp_path / "set")


KILLED = """
import sys
from pathlib import Path
from alexnet.data.prepare.run import prepare
if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    prepare("folder", [source], target, workers=2, size=16, progress=False, images_per_shard=2)
"""


@pytest.mark.slow
def test_killed_processes_leave_what_the_next_run_completes(tmp_path):
    held = {f"a/{i:02}.bmp": encoded(pixels(i, 400, 300), "BMP") for i in range(24)}
    folder, target = write(tmp_path / "photos", held), tmp_path / "set"
    script = write(tmp_path / "run.py", KILLED.encode())
    environment = os.environ | {"PYTHONPATH": str(Path(alexnet.__file__).parents[1])}
    running = subprocess.Popen([sys.executable, script, folder, target], env=environment)
    deadline = time.monotonic() + 60
    while len(list(target.glob("*.npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    running.wait()
    done = len(list(target.glob("*.npz")))
    assert 2 <= done < 12
    time.sleep(0.5)
    assert len(list(target.glob("*.npz"))) <= done + 2  # the workers have ended as well
    subprocess.run([sys.executable, script, folder, target], env=environment, check=True)
    made("folder", [folder], tmp_path / "whole")
    assert contents(target) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("split", "options"), [("train", {}), ("val", {}), ("train", {"missing_classes": True})]
)
def test_a_class_of_which_no_image_can_be_read_is_missed(tmp_path, split, options):
    folder = one_folder(tmp_path)
    for path in folder.glob(f"{split}/b/*"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"^of these classes no {split} image can be read: b; get them"):
        made("folder", [folder], tmp_path / "set", max_damaged=0.9, **options)


def test_what_may_be_missing_may_be_damaged_but_not_a_whole_split(tmp_path):
    folder = one_folder(tmp_path)
    (folder / "val/b/w.jpg").write_bytes(b"")
    options = {"max_damaged": 0.9, "missing_classes": True}
    assert len(made("folder", [folder], tmp_path / "one", **options)[0].val) == 1
    (folder / "val/a/v.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="^of these classes no val image can be read: a, b;"):
        made("folder", [folder], tmp_path / "two", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "--size must be from 1 to 4096 pixels, got 0"),
        ({"val_share": 1.0}, "--val-share must be at least 0 and below 1, got 1.0"),
        ({"max_damaged": -0.1}, "--max-damaged must be at least 0"),
        ({"workers": -1}, "--workers must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        made("folder", [tmp_path], tmp_path / "set", **options)


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder .*nowhere"):
        made("folder", [tmp_path / "nowhere"], tmp_path / "set")


def test_the_commands(tmp_path, capsys):
    folder, target = one_folder(tmp_path), tmp_path / "set"
    words = ["data", "prepare", "folder", str(folder), str(target), "--size", "16", "--workers", "0"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"photos (7 train + 2 val images of 16x16 pixels)\nstored in {target}\n")
    assert main(["data", "check", str(target)]) == 0
    assert capsys.readouterr().out.endswith(": whole\n")
    content = bytearray((target / "train-00000.tar").read_bytes())
    content[700] ^= 1
    (target / "train-00000.tar").write_bytes(content)
    assert main(["data", "check", str(target)]) == 2
    assert f"{target / 'train-00000.tar'} is damaged (image" in capsys.readouterr().out


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("place", [10, 700, -100])
def test_a_wrong_bit_is_found(tmp_path, raw, place):
    target = tmp_path / "set"
    made("folder", [one_folder(tmp_path)], target, raw=raw, images_per_shard=7)
    assert damage_in(target, progress=False) == []
    (victim,) = [path for path in target.glob("train-00000.*") if path.suffix != ".npz"]
    content = bytearray(victim.read_bytes().rstrip(b"\0"))
    content[place] ^= 1
    victim.write_bytes(content.ljust(victim.stat().st_size, b"\0"))
    (sentence,) = damage_in(target, progress=False)
    assert sentence.startswith(f"{victim} is damaged (") and "delete it and run the `alexnet data" in sentence


def test_a_header_that_tells_another_number_of_images_is_found(tmp_path):
    target = tmp_path / "set"
    made("folder", [one_folder(tmp_path)], target, raw=True, images_per_shard=7)
    victim = target / "train-00000.npy"
    victim.write_bytes(victim.read_bytes().replace(b"(7,", b"(6,", 1))
    (sentence,) = damage_in(target, progress=False)
    assert sentence.startswith(f"{victim} is damaged (its headers are not those that were written)")

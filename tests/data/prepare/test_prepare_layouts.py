"""`alexnet data prepare` on every layout: the official archives, Kaggle's, folders; what is refused."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.data import ilsvrc
from alexnet.data.images import resize_and_crop, to_array
from alexnet.data.prepare.paths import Place, images_to_keep, parse_place
from alexnet.data.prepare.plan import IMAGENETTE
from support.archives import (
    SYNSETS_2010,
    WNIDS_2012,
    encoded,
    jpeg,
    official_2010,
    official_2012,
    pixels,
    sorted_2012,
    tar,
    train_2012,
    val_2012,
    write,
    write_zip,
)
from support.preparing import SIZE, close_to, contents, made, one_folder


def check_2012(got):
    """See that a set holds the images of ``archives.train_2012`` and ``val_2012`` with the right labels."""
    labels = dict(zip(WNIDS_2012, (0, 217, 701), strict=True))
    assert len(got.classes) == len(got.names) == 1000
    assert [got.names[label] for label in labels.values()] == ["tench", "English springer", "parachute"]
    assert got.train.labels.tolist() == [0, 0, 217, 217, 701, 701]
    images = got.train.read(range(6))
    assert all(close_to(images[i], seed) for i, seed in enumerate([10, 7, 20, 17, 30, 27]))  # "10" < "7"
    truth = sorted((labels[wnid], seed) for seed, wnid in val_2012().values())
    assert got.val.labels.tolist() == [label for label, _ in truth]
    assert all(close_to(got.val.read([i])[0], seed) for i, (_, seed) in enumerate(truth))


def test_images_of_different_seeds_are_told_apart():
    image = resize_and_crop(Image.fromarray(pixels(7)), SIZE)
    assert not close_to(torch.from_numpy(to_array(image).copy()), 10)


def test_the_official_archives_of_2012(tmp_path):
    got, said = made("imagenet", official_2012(tmp_path), tmp_path / "set")
    check_2012(got)
    assert got.source == "ILSVRC-2012 (6 train + 5 val images of 16x16 pixels)"
    assert "train: 6 images; officially 1,281,167" in said
    assert not (tmp_path / "set/scratch").exists()


def test_the_folder_of_the_official_archives(tmp_path):
    official_2012(tmp_path / "imagenet")
    check_2012(made("imagenet", [tmp_path / "imagenet"], tmp_path / "set")[0])


def test_folders_by_class_give_the_same_set_as_the_archives(tmp_path):
    one, _ = made("imagenet", official_2012(tmp_path), tmp_path / "one")
    two, _ = made("imagenet", [sorted_2012(tmp_path / "sorted")], tmp_path / "two")
    check_2012(two)
    assert one.fingerprint == two.fingerprint
    assert contents(tmp_path / "one", but=["set.json"]) == contents(tmp_path / "two", but=["set.json"])


def test_kaggles_zip_of_2012(tmp_path):
    inside = "ILSVRC/Data/CLS-LOC/"
    held = {f"{inside}train/{name}": content for name, content in train_2012().items()}
    held |= {f"{inside}val/{name}": jpeg(seed) for name, (seed, _) in val_2012().items()}
    held |= {f"{inside}test/ILSVRC2012_test_00000001.JPEG": jpeg(1), "ILSVRC/Annotations/a.xml": b"<a/>"}
    rows = [f"{name[:-5]},{wnid} 1 2 3 4" for name, (_, wnid) in val_2012().items()]
    held["LOC_val_solution.csv"] = "\n".join(["ImageId,PredictionString", *rows]).encode()
    got, said = made("imagenet", [write_zip(tmp_path / "kaggle.zip", held)], tmp_path / "set")
    check_2012(got)
    test = "kaggle.zip/ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG"
    assert f"left out, a test image whose class no file tells: 1, {test}" in said


def test_the_official_archives_of_2010(tmp_path):
    got, said = made("imagenet", official_2010(tmp_path), tmp_path / "set")
    assert got.classes == tuple(sorted(wnid for wnid, _ in SYNSETS_2010.values()))
    assert got.names == ("a, first", "a, second", "c")
    assert got.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert all(close_to(got.train.read([i])[0], seed) for i, seed in enumerate([1, 2, 11, 12, 21, 22]))
    # The truth says classes 3, 1, 2, whose wnids are second, third and first in sorted order.
    assert got.val.labels.tolist() == [0, 1, 2]
    assert all(close_to(got.val.read([i])[0], seed) for i, seed in enumerate([203, 201, 202]))
    assert got.split("test").labels.tolist() == [0, 2]
    assert all(close_to(got.split("test").read([i])[0], seed) for i, seed in enumerate([302, 301]))
    assert "1 blank images are replaced by those of patch_images" in said
    assert "converted: 1 compressed with gzip, 1 CMYK" in said


def test_flat_images_without_their_kit_are_refused(tmp_path):
    train, val, _ = official_2012(tmp_path)
    with pytest.raises(ValueError, match=r"^ILSVRC2012_val_0000000\d.JPEG lies in no folder.*devkit_t12"):
        made("imagenet", [train, val], tmp_path / "set")


def test_a_class_that_imagenet_lacks_is_refused(tmp_path):
    folder = write(tmp_path / "train", {"n99999999/a.JPEG": jpeg(1), "n01440764/b.JPEG": jpeg(2)})
    with pytest.raises(ValueError, match="'n99999999' is no class of ILSVRC-2012"):
        made("imagenet", [folder], tmp_path / "set")


def test_the_list_of_wnids_is_that_of_torchvisions_names():
    names = ilsvrc.names_of_2012()
    wnids = list(names)
    assert wnids == sorted(set(wnids)) and len(wnids) == 1000
    known = {"n01443537": (1, "goldfish"), "n02123045": (281, "tabby"), "n03445777": (574, "golf ball")}
    assert all(wnids.index(wnid) == i and names[wnid] == name for wnid, (i, name) in known.items())
    assert [wnids.index(wnid) for wnid in IMAGENETTE] == [0, 217, 482, 491, 497, 566, 569, 571, 574, 701]


@pytest.mark.parametrize("form", ["one compressed archive", "archives of parts", "folder"])
def test_imagenette_in_each_form(tmp_path, form):
    held = {f"train/{wnid}/{wnid}_{i}.JPEG": jpeg(i) for i, wnid in enumerate(IMAGENETTE)}
    held |= {f"val/{wnid}/ILSVRC2012_val_{i:08}.JPEG": jpeg(50 + i) for i, wnid in enumerate(IMAGENETTE)}
    if form == "folder":
        sources = [write(tmp_path / "imagenette2", held)]
    elif form == "one compressed archive":
        inside = {f"imagenette2/{name}": content for name, content in held.items()}
        sources = [write(tmp_path / "imagenette2.tgz", gzip.compress(tar(inside)))]
    else:
        halves = [dict(list(held.items())[:8]), dict(list(held.items())[8:])]
        sources = [write(tmp_path / f"n-train-{i}.tar", tar(half)) for i, half in enumerate(halves)]
    got, _ = made("imagenette", sources, tmp_path / "set")
    assert got.classes == IMAGENETTE and got.names[0] == "tench" and got.names[8] == "golf ball"
    assert got.train.labels.tolist() == got.val.labels.tolist() == list(range(10))
    assert close_to(got.train.read([3])[0], 3) and close_to(got.val.read([3])[0], 53)


def test_imagenette_takes_no_other_class(tmp_path):
    folder = write(tmp_path / "train", {"n01443537/a.JPEG": jpeg(1)})
    with pytest.raises(ValueError, match="'n01443537' is no class of Imagenette"):
        made("imagenette", [folder], tmp_path / "set")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("imagenet/train/n01/a.JPEG", ("train", "n01", "a.JPEG")),
        ("photos/Validation/cat/b/a.JPEG", ("val", "cat", "b/a.JPEG")),
        ("train/n01/ILSVRC2012_val_00000001.JPEG", ("train", "n01", "ILSVRC2012_val_00000001.JPEG")),
        ("train/test/a.jpg", ("train", "test", "a.jpg")),
        ("train/n01.tar/a.JPEG", ("train", "n01", "a.JPEG")),
        ("n-train-0.tar/val/n01/a.JPEG", ("val", "n01", "a.JPEG")),
        ("ILSVRC2012_img_train.tar/n01.tar/a.JPEG", ("train", "n01", "a.JPEG")),
        ("ILSVRC2012_img_val.tar/a.JPEG", ("val", None, "a.JPEG")),
        ("test.tar.gz/test/a.JPEG", ("test", None, "a.JPEG")),
        ("flowers/rose/a.jpg", ("train", "rose", "a.jpg")),
        ("validated/rose/a.jpg", ("train", "rose", "a.jpg")),
        ("a.jpg", ("train", None, "a.jpg")),
    ],
)
def test_a_path_tells_split_and_class(path, place):
    assert parse_place(path) == place


def test_a_set_without_split_is_for_training_and_says_so(tmp_path):
    folder = write(
        tmp_path / "flowers", {f"{c}/{i}.png": encoded(pixels(i), "PNG") for c in "ab" for i in range(5)}
    )
    got, said = made("folder", [folder], tmp_path / "set")
    assert list(got.splits) == ["train"] and got.classes == ("a", "b") and got.name == "flowers"
    assert any("--val-share" in sentence for sentence in said)
    with pytest.raises(ValueError, match="has no 'val' images, only train"):
        _ = got.val


@pytest.mark.parametrize(("share", "kept"), [(0.1, 1), (0.2, 1), (0.25, 2), (0.4, 3), (0.9, 6)])
def test_a_share_is_rounded_to_the_nearest_number_of_images(share, kept):
    images = [(Place("train", "a", f"{i}.jpg"), object()) for i in range(7)]
    assert len(images_to_keep(images, share)) == kept


def test_a_share_of_each_class_is_kept_for_validation(tmp_path):
    held = {f"{c}/{i}.jpg": jpeg(i) for c in "ab" for i in range(10)}
    got, _ = made("folder", [write(tmp_path / "flowers", held)], tmp_path / "one", val_share=0.3)
    assert got.val.labels.tolist() == [0] * 3 + [1] * 3
    assert got.train.labels.tolist() == [0] * 7 + [1] * 7
    turned = dict(reversed(held.items()))
    two, _ = made("folder", [write(tmp_path / "flowers.tar", tar(turned))], tmp_path / "two", val_share=0.3)
    assert two.fingerprint == got.fingerprint
    stored = np.load(tmp_path / "one/val-00000.npz")["names"]
    assert sorted(stored.tolist()) != [b"a/0.jpg", b"a/1.jpg"]  # chosen by a hash, not the first ones


def test_a_share_may_not_take_all_images_of_a_class(tmp_path):
    held = {f"{name}.jpg": jpeg(1) for name in ("a/1", "a/2", "a/3", "a/4", "b/1")}
    folder = write(tmp_path / "flowers", held)
    with pytest.raises(ValueError, match=r"do not have the same classes, only in val: b "):
        made("folder", [folder], tmp_path / "set", val_share=0.6)
    with pytest.raises(ValueError, match=r"only in train: b .* allow it by --missing-classes$"):
        made("folder", [folder], tmp_path / "set", val_share=0.4)
    got, said = made("folder", [folder], tmp_path / "set", val_share=0.4, missing_classes=True)
    assert len(got.val) == 2 and "val has no images of 1 of 2 classes: b" in said


def test_a_share_is_not_taken_where_there_is_a_validation_split(tmp_path):
    with pytest.raises(ValueError, match="these have some"):
        made("folder", [one_folder(tmp_path)], tmp_path / "set", val_share=0.5)


def test_test_images_stand_in_for_validation(tmp_path):
    folder = write(tmp_path / "photos", {"train/a/1.jpg": jpeg(1), "test/a/2.jpg": jpeg(2)})
    got, _ = made("folder", [folder], tmp_path / "set")
    assert list(got.splits) == ["train", "test"] and close_to(got.val.read([0])[0], 2)


def test_a_image_given_twice_is_an_error(tmp_path):
    sources = [write(tmp_path / f"{i}.tar", tar({"train/a/1.jpg": jpeg(i)})) for i in range(2)]
    with pytest.raises(
        ValueError, match=r"two images are train/a/1.jpg: 0.tar/.* and 1.tar/.*give each image once"
    ):
        made("folder", sources, tmp_path / "set")


@pytest.mark.parametrize("cut", [700, 1024, 5000, None])
def test_an_archive_that_ends_early_is_refused(tmp_path, cut):
    whole = tar({f"train/a/{i}.jpg": jpeg(i) for i in range(4)})
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512 if cut is None else cut  # None: at the end of an image
    source = write(tmp_path / "a.tar", whole[:end])
    with pytest.raises(ValueError, match="a.tar is damaged, or not an archive .*get it again"):
        made("folder", [source], tmp_path / "set")


def test_a_tar_within_a_tar_that_ends_early_is_refused(tmp_path):
    inner = tar({"a.JPEG": jpeg(1), "b.JPEG": jpeg(2)}).rstrip(b"\0")
    source = write(tmp_path / "train.tar", tar({"n01440764.tar": inner}))
    with pytest.raises(ValueError, match="ends early"):
        made("imagenet", [source], tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "content"), [("a.tar", b"text"), ("a.tgz", gzip.compress(b"x" * 5000)[:30]), ("a.zip", b"PK")]
)
def test_what_is_no_archive_is_refused(tmp_path, name, content):
    with pytest.raises(ValueError, match="is damaged, or not an archive"):
        made("folder", [write(tmp_path / name, content)], tmp_path / "set")


def test_sources_without_images_are_an_error(tmp_path):
    with pytest.raises(
        ValueError,
        match="there are no images of a class in .*; left out, not an image: 1, photos/a/readme.txt",
    ):
        made("folder", [write(tmp_path / "photos", {"a/readme.txt": b""})], tmp_path / "set")

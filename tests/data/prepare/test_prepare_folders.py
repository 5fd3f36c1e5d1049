"""`alexnet data prepare folder`: the layouts that people have, read right or refused with both readings."""

import json
import os
import unicodedata
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from alexnet.cli.main import main
from alexnet.data.prepare.classes import check_names, check_splits, counts_in_words
from alexnet.data.prepare.finding import LeftOut
from alexnet.data.prepare.labels import Labels
from alexnet.data.prepare.paths import parse_split
from alexnet.data.prepare.placing import places_in_folders
from alexnet.data.prepare.sources import File
from alexnet.shown import printable
from support.archives import jpeg, tar, write, write_zip
from support.preparing import made


def read(paths, level=None, left_out=None):
    """Return where each of the paths, which spaces separate, belongs: "split class name"."""
    files = [File(path, path) for path in paths.split()]
    placed, _ = places_in_folders(files, Labels(), level, left_out or LeftOut())
    found = {file.name: " ".join(place) for place, file in placed}
    return {file.name: found[file.name] for file in files if file.name in found}


LAYOUTS = {
    "p/a/1.jpg p/b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "p/x/a/1.jpg p/x/b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "a/1.jpg b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "a.tar/1.jpg b.tar/2.jpg": "train a 1.jpg, train b 2.jpg",
    "p/a/1.jpg": "train a 1.jpg",
    "p/train/a/1.jpg p/val/a/2.jpg": "train a 1.jpg, val a 2.jpg",
    "p/training_set/a/1.jpg p/test_set/a/2.jpg": "train a 1.jpg, test a 2.jpg",
    "p/seg_train/seg_train/a/1.jpg p/seg_test/seg_test/b/2.jpg": "train a 1.jpg, test b 2.jpg",
    "p/train/a/1.jpg p/dev/a/2.jpg p/test/b/3.jpg": "train a 1.jpg, val a 2.jpg, test b 3.jpg",
    "p/train/a/1.jpg p/eval/b/3.jpg": "train a 1.jpg, val b 3.jpg",
    "p/train0.tar/a/1.jpg p/train1.tar/b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "train2014/a/1.jpg train2017/b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "p/Train2017/a/1.jpg p/val_256/b/2.jpg": "train a 1.jpg, val b 2.jpg",
    "train/a/1.jpg valid/b/2.jpg": "train a 1.jpg, val b 2.jpg",
    "test/train/a/1.jpg test/val/b/2.jpg": "train a 1.jpg, val b 2.jpg",  # "test" is the source itself
    "p/a/train/1.jpg p/b/test/2.jpg": "train a 1.jpg, test b 2.jpg",
    "0.tar/train/a/1.jpg 1.tar/train/b/2.jpg": "train a 1.jpg, train b 2.jpg",
    "n-train-0.tar/a/1.jpg n-val.zip/b/2.jpg": "train a 1.jpg, val b 2.jpg",
    "p/train/a/images/1.jpg p/train/b/images/2.jpg": "train a 1.jpg, train b 2.jpg",
    "p/train/a/1.jpg p/train/b/c/2.jpg": "train a 1.jpg, train b c/2.jpg",
    "p/images/1.jpg p/drawings/2.jpg": "train images 1.jpg, train drawings 2.jpg",
    "p/train/train/1.jpg p/train/car/2.jpg": "train train 1.jpg, train car 2.jpg",
}


@pytest.mark.parametrize("paths", LAYOUTS)
def test_paths_with_one_reading_are_taken_so(paths):
    assert ", ".join(read(paths).values()) == LAYOUTS[paths]


REFUSED = {
    "p/cats/2019/1.jpg p/dogs/2020/2.jpg": (
        r"as in p/cats/2019/1.jpg: level 1 \(cats, dogs\) or level 2 \(2019, 2020\); say which by "
        "--class-level 1 or --class-level 2$"
    ),
    "p/train/a/2019/1.jpg p/train/b/2020/1.jpg": r"level 1 \(a, b\) or level 2 \(2019, 2020\)",
    "p/a/train/x/1.jpg p/b/train/y/1.jpg": r"level 0 \(a, b\) or level 1 \(x, y\)",
    "cats/2019/1.jpg dogs/2020/2.jpg": r"level 0 \(cats, dogs\) or level 1 \(2019, 2020\)",
    "p/train/a/abbey/1.jpg p/train/b/bar/indoor/2.jpg p/train/b/bar/out/3.jpg": (
        r"level 1 \(a, b\) or level 2 \(abbey, bar\) or level 3 \(indoor, out\) or all together, as in "
        "Places and SUN; say which by .* or --class-level path$"
    ),
    "p/train/1.jpg p/train/2.jpg p/val/a/3.jpg": "p/train/1.jpg lies in no class's folder, and no known file",
    "p/1.jpg p/2.jpg": "p/1.jpg lies in no class's folder",
    "p/train/a/1.jpg p/extra/a/2.jpg": r"p/train can be a split or a class.*\(extra\); rename it if",
    "p/car/1.jpg p/train/2.jpg": r"p/train can be a split or a class.*\(car\); rename it if",
    "p/x/train/a/1.jpg q/a/2.jpg": "^q/a/2.jpg lies in no folder of a split, and p/x/train/a/1.jpg lies",
    "p/train/a/1.jpg p/dev/a/2.jpg p/eval/b/3.jpg": "^p/dev and p/eval can both be the val images; rename",
    "p/train/val/a/1.jpg": "p/train/val/a lies in folders of two splits, train and val",
    "p/JPEGImages/1.jpg p/SegmentationClass/1.png": "JPEGImages and SegmentationClass are images and their",
    "p/train/images/1.jpg p/train/masks/1.png": "the folders images and masks are images and their",
}


@pytest.mark.parametrize("paths", REFUSED)
def test_paths_with_two_readings_or_none_are_refused_with_both_named(paths):
    with pytest.raises(ValueError, match=REFUSED[paths]):
        read(paths)


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        (1, "train a abbey/1.jpg, train b bar/in/2.jpg"),
        (2, "train abbey a/1.jpg, train bar b/in/2.jpg"),
        ("path", "train a/abbey 1.jpg, train b/bar/in 2.jpg"),
    ],
)
def test_the_user_says_which_level_it_is(level, wanted):
    assert ", ".join(read("p/train/a/abbey/1.jpg p/train/b/bar/in/2.jpg", level).values()) == wanted


def test_a_level_that_no_path_has_is_refused():
    with pytest.raises(ValueError, match="--class-level 3: no path of an image has so many folders"):
        read("p/a/1.jpg p/b/2.jpg", 3)


def test_images_that_belong_to_no_class_or_split_are_counted_and_named():
    left_out = LeftOut()
    paths = "p/b.jpg p/a.jpg p/train/a/1.jpg p/train/x.jpg p/val/a/2.jpg p/test/t.jpg p/test/s.jpg"
    assert set(read(paths, left_out=left_out)) == {"p/train/a/1.jpg", "p/val/a/2.jpg"}
    assert left_out.sentences() == [
        "left out, a test image whose class no file tells: 2, the first p/test/s.jpg",
        "left out, beside the folders of splits: 2, the first p/a.jpg",
        "left out, in no class's folder: 1, p/train/x.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("TRAIN", "train"), ("training_set", "train"), ("train_set", "train"), ("seg_train", "train"),
        ("dev", "val"), ("eval", "val"), ("valid", "val"), ("validation", "val"), ("val_256", "val"),
        ("testing", "test"), ("test_set", "test"), ("Final_Test", "test"), ("test.tar.gz", "test"),
        ("trainers", None), ("train_cats", None), ("trainval", None), ("train-test", None),
        ("validated", None),
    ],
)  # fmt: skip
def test_splits_by_their_usual_names(name, split):
    assert parse_split(name) == split


def test_tiny_imagenet(tmp_path):
    held = {
        f"train/{wnid}/images/{wnid}_{i}.JPEG": jpeg(i) for wnid in ("n01443537", "n01629819") for i in (0, 1)
    }
    held |= {f"val/images/val_{i}.JPEG": jpeg(10 + i) for i in range(2)} | {
        "test/images/test_0.JPEG": jpeg(20)
    }
    held["val/val_annotations.txt"] = (
        b"val_0.JPEG\tn01629819\t0\t0\t9\t9\nval_1.JPEG\tn01443537\t0\t0\t9\t9\n"
    )
    held |= {
        "train/n01443537/n01443537_boxes.txt": b"n01443537_0.JPEG\t0\t10\t63\t58\n",
        "words.txt": b"n\tx\n",
    }
    got, said = made("folder", [write(tmp_path / "tiny-imagenet-200", held)], tmp_path / "set")
    assert got.classes == ("n01443537", "n01629819") and got.names[0] == "goldfish"
    assert got.train.labels.tolist() == [0, 0, 1, 1] and got.val.labels.tolist() == [0, 1]
    assert list(got.splits) == ["train", "val"]
    assert "2 val images have their class from a file with labels" in said
    assert any(
        "left out, a test image whose class no file tells: 1, tiny-imagenet-200/test" in s for s in said
    )
    assert (
        "left out, not an image: 2, the first tiny-imagenet-200/train/n01443537/n01443537_boxes.txt" in said
    )


def test_places(tmp_path):
    held = {f"train/{c[0]}/{c}/1.jpg": jpeg(i) for i, c in enumerate(("abbey", "bar/indoor", "bar/outdoor"))}
    held |= {f"val_256/Places365_val_0000000{i}.jpg": jpeg(10 + i) for i in (1, 2, 3)}
    held["categories_places365.txt"] = b"/a/abbey 0\n/b/bar/indoor 1\n/b/bar/outdoor 2\n"
    held["places365_val.txt"] = b"".join(b"Places365_val_0000000%d.jpg %d\n" % (i, 3 - i) for i in (1, 2, 3))
    got, _ = made("folder", [write(tmp_path / "places", held)], tmp_path / "set", class_level="path")
    assert got.classes == ("a/abbey", "b/bar/indoor", "b/bar/outdoor")
    assert got.val.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("content", [{"camera": 1}, {"synsets": "of words"}, None])
def test_a_meta_mat_of_others_is_another_file_except_for_imagenet(tmp_path, content):
    write(tmp_path / "images", {f"{c}/1.jpg": jpeg(i) for i, c in enumerate(("n01440764", "n01443537"))})
    meta = tmp_path / "images" / "meta.mat"
    if content is None:
        meta.write_bytes(b"HDF")
    else:
        savemat(meta, content)
    _, said = made("folder", [tmp_path / "images"], tmp_path / "set")
    assert "left out, not an image: 1, images/meta.mat" in said
    with pytest.raises(ValueError, match="meta.mat is not as ILSVRC has it .*; get the kit again"):
        made("imagenet", [tmp_path / "images"], tmp_path / "other")


def test_a_damaged_file_of_labels_is_refused(tmp_path):
    held = {
        "train/a/1.jpg": jpeg(1),
        "val/images/val_0.JPEG": jpeg(2),
        "val/val_annotations.txt": b"val_0.JPEG\n",
    }
    with pytest.raises(
        ValueError, match="val_annotations.txt does not tell a class in each line; get it again"
    ):
        made("folder", [write(tmp_path / "p", held)], tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("Annotations/1.xml", "VOC"),
        ("annotations/instances_train2017.json", "COCO"),
        ("labels/1.txt", "YOLO"),
    ],
)
def test_sets_with_several_labels_for_an_image_are_refused_by_name(tmp_path, name, of):
    folder = write(tmp_path / "p", {"JPEGImages/1.jpg": jpeg(1), name: b"{}"})
    with pytest.raises(
        ValueError, match=rf"p/JPEGImages/1.jpg lies in no .*{name} has annotations as {of} has them"
    ):
        made("folder", [folder], tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (
            {"train": "ab", "val": "aB"},
            r"only in val: B; only in train: b \(train has 2: a, b; val has 2: B, a\)$",
        ),
        (
            {"train": "ab", "val": "a"},
            "only in train: b .*; add images of them, or allow it by --missing-classes",
        ),
        ({"train": "ab", "test": "abc"}, "train and test do not have the same classes, only in test: c "),
        ({"train": "abcdefghi", "val": "z"}, r"only in train: a, b, c, d, e, f, ... 9 in all"),
    ],
)
def test_splits_with_other_classes_are_refused_with_both_lists(classes, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_splits({split: set(of) for split, of in classes.items()})


def test_fewer_classes_are_said_in_test_and_in_validation_if_allowed():
    assert check_splits({"train": set("ab"), "val": set("ab")}) == []
    assert check_splits({"val": set("ab"), "test": set("c")}) == []  # nothing to train on
    assert check_splits({"train": set("ab"), "test": {"a"}}) == ["test has no images of 1 of 2 classes: b"]
    said = check_splits({"train": set("ab"), "val": {"a"}}, missing_classes=True)
    assert said == ["val has no images of 1 of 2 classes: b"]
    with pytest.raises(ValueError, match="only in val: c"):
        check_splits({"train": set("ab"), "val": {"c"}}, missing_classes=True)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Cat", "cat"], "'Cat' and 'cat'"),
        (["a cat", "a  cat "], "'a  cat ' and 'a cat'"),
        (["cat", "cat\u200b"], r"'cat' and 'cat\\u200b'"),
        (["cat", printable("cat\u200b")], r"'cat' and 'cat\\u200b'"),
        (["cat\u200d", "cat"], r"'cat' and 'cat\\u200d'"),
        (["caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")], r"'cafe\\u0301' and 'caf\\xe9'"),
    ],
)
def test_classes_that_differ_by_case_or_unicode_form_are_refused(names, shown):
    with pytest.raises(ValueError, match=rf"^the classes {shown} differ only by case"):
        check_names([*names, "dog"])
    check_names(["cat", "cats", "dog", *map(os.fsdecode, (b"caf\xe8", b"caf\xe9"))])


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (("train/cat/1.jpg", "val/Cat/2.jpg"), "the classes 'Cat' and 'cat' differ only by case"),
        (("train/cat/1.jpg", "val/dog/2.jpg"), "train and val do not have the same classes"),
        (("cats/2019/1.jpg", "dogs/2020/2.jpg"), "more than one level of folders might tell the class"),
    ],
)
def test_nothing_is_written_where_the_reading_is_refused(tmp_path, held, sentence):
    with pytest.raises(ValueError, match=sentence):
        made("folder", [write(tmp_path / "p", {name: jpeg(1) for name in held})], tmp_path / "set")
    assert not (tmp_path / "set").exists()
    (tmp_path / "set").mkdir()  # an empty folder stays, and stays empty
    with pytest.raises(ValueError, match=sentence):
        made("folder", [tmp_path / "p"], tmp_path / "set")
    assert not list((tmp_path / "set").iterdir())


def test_the_command_ends_with_a_summary(tmp_path, capsys):
    held = {f"cats/{y}/{i}.jpg": jpeg(i) for y in (2019, 2020) for i in range(2)} | {
        "dogs/2019/1.jpg": jpeg(5)
    }
    folder, target = write(tmp_path / "photos", held | {"readme.txt": b"hi"}), str(tmp_path / "set")
    words = ["data", "prepare", "folder", str(folder), target, "--size", "16", "--workers", "0"]
    assert main([*words, "--class-level", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "train images: all, as no folder is named as a split",
        "classes: the folders of level 1, cats, dogs",
        "there are no validation images; --val-share 0.1 would keep a tenth for that",
        "left out, not an image: 1, photos/readme.txt",
    ]
    assert main([*words, "--class-level", "2"]) == 2
    assert "was begun with another class_level (1; now 2)" in capsys.readouterr().err
    assert main([*words, "--class-level", "x"]) == 2
    assert "--class-level must be a number from 0 on, or 'path', got 'x'" in capsys.readouterr().err
    words[2] = "imagenet"
    assert main([*words, "--class-level", "1"]) == 2
    assert "--class-level is for the kind 'folder'" in capsys.readouterr().err


def test_the_counts_of_classes_are_said():
    assert counts_in_words(["ant", "bee"], {"train": [3, 3], "val": [1, 2]}) == [
        "train: 6 images of 2 classes, 3 in each",
        "val: 3 images of 2 classes, from 1 (ant) to 2 (bee)",
    ]


def test_archives_that_are_not_looked_into_are_told_from_other_files(tmp_path):
    inner, held = tar({"1.jpg": jpeg(1)}), {"a/1.jpg": jpeg(2), "b.tar.gz": b"\x1f\x8b\x08", "x.txt": b"hi"}
    others = {"c.TAR": inner, "d.7z": b"7z\xbc\xaf\x27\x1c\0\4", "e.rar": b"Rar!\x1a\x07\1\0"}
    _, said = made("folder", [write(tmp_path / "p.tar", tar(held | others))], tmp_path / "set")
    assert "left out, an archive that is not looked into; unpack it: 4, the first p.tar/b.tar.gz" in said
    assert "left out, not an image: 1, p.tar/x.txt" in said


def test_images_of_one_stem_are_all_kept(tmp_path):
    held = {"a/1.jpg": jpeg(1), "a/1.png": jpeg(2), "a/1.png.jpg": jpeg(3), "b/1.jpg": jpeg(4)}
    names = set()
    for form in ("folder", "tar", "zip"):
        turned = dict(reversed(held.items()))
        if form == "folder":
            source = write(tmp_path / "p", held)
        elif form == "tar":
            source = write(tmp_path / "p.tar", tar(turned))
        else:
            source = write_zip(tmp_path / "p.zip", turned)
        got, _ = made("folder", [source], tmp_path / form, images_per_shard=9)
        assert len(got.train) == 4
        with np.load(tmp_path / form / "train-00000.npz") as index:
            names.add((*index["names"].tolist(), *index["labels"].tolist()))
        assert json.loads((tmp_path / form / "set.json").read_text())["counts"] == {"train": [3, 1]}
    # The same names and labels, whatever the order of reading.
    assert names == {(b"a/1.jpg", b"a/1.png.jpg", b"a/1.png.jpg.jpg", b"b/1.jpg", 0, 0, 0, 1)}


def test_a_zip_is_opened_once_however_many_shards_are_made_of_it(tmp_path, monkeypatch):
    source = write_zip(tmp_path / "p.zip", {f"{'ab'[i % 2]}/{i}.jpg": jpeg(i) for i in range(6)})
    opened, real = [], zipfile.ZipFile
    monkeypatch.setattr(
        zipfile, "ZipFile", lambda file, *more, **how: opened.append(file) or real(file, *more, **how)
    )
    times = []
    for images_per_shard in (6, 1):
        made("folder", [source], tmp_path / f"set-{images_per_shard}", images_per_shard=images_per_shard)
        times.append(list(map(str, opened)).count(str(source)))
        opened.clear()
    assert times[0] == times[1] > 0


def test_validation_images_may_lack_classes_if_the_user_says_so(tmp_path, capsys):
    held = {f"{name}.jpg": jpeg(i) for i, name in enumerate(("train/a/1", "train/b/2", "val/a/3"))}
    words = [
        "data",
        "prepare",
        "folder",
        str(write(tmp_path / "p", held)),
        str(tmp_path / "set"),
        "--workers",
        "0",
    ]
    assert main([*words, "--size", "16"]) == 2
    assert "only in train: b" in capsys.readouterr().err
    assert main([*words, "--size", "16", "--missing-classes"]) == 0
    assert "val has no images of 1 of 2 classes: b" in capsys.readouterr().out

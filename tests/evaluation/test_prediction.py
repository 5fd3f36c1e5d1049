"""From a file on disk to the classes of an image: against the same done image by image, crop by crop."""

import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.cli.main import main
from alexnet.data.loading import load_image
from alexnet.data.prepare.run import prepare
from alexnet.data.prepared import open_prepared
from alexnet.evaluation.classifier import check_alike, make_classifier, match_outputs
from alexnet.evaluation.prediction import (
    class_of_folder,
    in_words,
    load_classifier,
    predict,
    predict_probabilities,
)
from alexnet.storage import checkpoints
from support import trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of several classes, a set that was prepared from them, and nets in two recipes."""
    folder = tmp_path_factory.mktemp("prediction")
    trained.write_images(folder / "images", {"train": 7, "val": 6})
    trained.prepared(folder / "images", folder / "set")
    trained.saved(folder / "net.pt")
    trained.saved(folder / "paper.pt", base="paper", seed=1)
    return folder


@pytest.fixture(scope="module")
def classifier(folder):
    return load_classifier(folder / "net.pt")


def list_files(folder):
    """The validation images in the order in which the set has them."""
    return sorted((folder / "images" / "val").rglob("*.png"), key=lambda path: (path.parent.name, path.name))


@pytest.mark.parametrize("views", [1, 10])
@pytest.mark.parametrize(("name", "base", "seed"), [("net.pt", "code2012", 0), ("paper.pt", "paper", 1)])
def test_probabilities_are_those_of_every_crop_by_itself(folder, name, base, seed, views):
    split = open_prepared(folder / "set").val
    images = split.read(range(len(split)))
    expected = trained.probabilities(trained.weights(base, seed=seed), images.numpy(), views)
    got = predict_probabilities(load_classifier(folder / name), list(images), views=views)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)
    assert len(set(expected.argmax(1))) > 2, "these images tell no nets apart"


def test_predict_names_the_most_probable_classes_first(folder, classifier):
    files = list_files(folder)
    split = open_prepared(folder / "set").val
    expected = trained.probabilities(trained.weights(), split.read(range(len(split))).numpy(), 1)
    got = predict(classifier, files, top=3)
    for guesses, row in zip(got, expected, strict=True):
        order = row.argsort()[::-1][:3]
        assert [name for name, _ in guesses] == [trained.NAMES[place] for place in order]
        assert [share for _, share in guesses] == pytest.approx(row[order].tolist(), abs=1e-5)
    assert len(predict(classifier, files[:1], top=99)[0]) == 7
    assert predict(classifier, []) == []
    for top in (0, 2.5):
        with pytest.raises(ValueError, match=f"top must be a whole number of at least 1, got {top}"):
            predict(classifier, files, top=top)
    with pytest.raises(ValueError, match="views must be 1 or 10, got 5"):
        predict(classifier, files, views=5)


def test_many_images_are_done_in_parts(folder, classifier, monkeypatch):
    files = list_files(folder)
    expected = predict(classifier, files, views=10)
    monkeypatch.setattr("alexnet.evaluation.prediction.BATCH", 4)
    for got, wanted in zip(predict(classifier, files, views=10), expected, strict=True):
        assert [name for name, _ in got] == [name for name, _ in wanted]
        assert [share for _, share in got] == pytest.approx([share for _, share in wanted], abs=1e-6)


def test_images_may_come_one_by_one_but_one_alone_is_refused(folder, classifier):
    files = list_files(folder)[:2]
    assert predict(classifier, (path for path in files)) == predict(classifier, files)
    alone = (str(files[0]), files[0], Image.new("RGB", (9, 7)), torch.zeros(3, 7, 9, dtype=torch.uint8))
    names = (files[0].name, files[0].name, "image of 9 x 7 pixels", r"tensor \(3, 7, 9\)")
    for image, name in zip(alone, names, strict=True):
        with pytest.raises(ValueError, match=f"images must be a list, got .*{name} alone; put it in brac"):
            predict(classifier, image)


@pytest.mark.parametrize("other", [np.zeros((9, 7, 3), np.uint8), io.BytesIO(b"?"), b"a.jpg", None])
def test_what_is_no_kind_of_image_is_refused(other):
    sentence = (
        rf"a file's path, a Pillow image or a tensor \(.*\) uint8, got {type(other).__name__}; PIL.Image"
    )
    with pytest.raises(ValueError, match=sentence):
        load_image(other, 20)


def test_images_are_prepared_as_the_set_was(folder):
    split = open_prepared(folder / "set").val
    for path, stored in zip(list_files(folder), split.read(range(len(split))), strict=True):
        assert torch.equal(load_image(path, trained.STORED), stored)


def test_a_image_may_be_a_path_an_image_or_a_tensor(folder):
    path = list_files(folder)[0]
    wanted = load_image(path, 20)
    assert torch.equal(load_image(str(path), 20), wanted)
    with Image.open(path) as image:
        assert torch.equal(load_image(image, 20), wanted)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert torch.equal(load_image(pixels, 20), wanted)
    assert torch.equal(load_image(wanted, 20), wanted)
    for wrong in (pixels.float(), pixels[:1], pixels[None]):
        with pytest.raises(ValueError, match=r"an image as a tensor must be \(3, height, width\) uint8, got"):
            load_image(wrong, 20)


def test_an_opened_image_that_cannot_be_read_is_a_value_error(folder, tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(list_files(folder)[0].read_bytes()[:-200])
    Image.fromarray(trained.image(1, 40, 40)).save(tmp_path / "whole.png")
    with Image.open(path) as image, pytest.raises(ValueError, match="cannot be used: damaged"):
        load_image(image, 20)
    with Image.open(tmp_path / "whole.png") as image:
        pass
    with pytest.raises(ValueError, match="cannot be used: damaged, or closed"):
        load_image(image, 20)


@pytest.mark.parametrize(("mode", "kind"), [("L", "PNG"), ("CMYK", "JPEG"), ("P", "GIF"), ("RGBA", "PNG")])
def test_every_mode_becomes_rgb(mode, kind, tmp_path):
    image = Image.fromarray(trained.image(1, 40, 40)).convert(mode)
    image.save(tmp_path / "image", kind)
    with Image.open(tmp_path / "image") as opened:
        expected = np.asarray(opened.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(load_image(tmp_path / "image", 40).numpy(), expected)
    with Image.open(tmp_path / "image") as opened:
        np.testing.assert_array_equal(load_image(opened, 40).numpy(), expected)


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    grey = np.arange(400, dtype=np.uint16).reshape(20, 20) * 164
    Image.fromarray(grey).save(tmp_path / "deep.png")
    got = load_image(tmp_path / "deep.png", 20).numpy()
    np.testing.assert_array_equal(got, np.broadcast_to(np.rint(grey / 257), (3, 20, 20)))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photograph_is_turned_upright(turn, tmp_path):
    pixels = trained.image(2, 24, 20)
    stored = {  # what a camera writes for each value of the tag: which way round the rows and columns lie
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[:, ::-1],
    }[turn]
    tags = Image.Exif()
    tags[0x0112] = turn
    wanted = pixels[:, 2:22].transpose(2, 0, 1).astype(float)
    for kind, tolerance in (("PNG", 0), ("TIFF", 0), ("JPEG", 12)):  # turned the wrong way it would be 60
        Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / kind, kind, exif=tags, subsampling=0)
        assert abs(load_image(tmp_path / kind, 20).numpy() - wanted).mean() <= tolerance


def odd_images(folder):
    """Write images that two ways of decoding might read differently, each wide on the left."""
    folder.mkdir(parents=True)
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(trained.image(1, 24, 20)).save(folder / "turned.jpg", exif=tags)
    four = np.dstack([trained.image(2), np.tile(np.arange(20, dtype=np.uint8) * 13, (20, 1))])
    Image.fromarray(four).save(folder / "alpha.png")
    Image.fromarray(four[..., 0] / np.float32(255)).save(folder / "float.tif")
    Image.fromarray(four[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    Image.fromarray(trained.image(3)).convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(trained.image(4)).save(folder / "named.jpg", "PNG")
    frames = [Image.fromarray(trained.image(seed)) for seed in (5, 6)]
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    return sorted(folder.iterdir())


def test_prediction_reads_every_odd_file_as_preparation_stores_it(tmp_path):
    paths = odd_images(tmp_path / "photos" / "train" / "ant")
    prepare("folder", [tmp_path / "photos"], tmp_path / "set", size=20, raw=True, workers=0, progress=False)
    stored = open_prepared(tmp_path / "set").train.read(range(len(paths)))
    for path, pixels in zip(paths, stored, strict=True):
        assert torch.equal(load_image(path, 20), pixels), path.name


def test_an_image_that_is_refused_is_named_however_it_is_given(tmp_path):
    dark = Image.fromarray(np.full((9, 7), -1.0, np.float32))
    dark.save(tmp_path / "a.tif")
    reason = "floating-point numbers from -1 to -1, and only 0 to 1 is read"
    with pytest.raises(ValueError, match=f"a.tif cannot be read as an image: {reason}"):
        load_image(tmp_path / "a.tif", 20)
    with pytest.raises(ValueError, match=f"the image of 7 x 9 pixels cannot be used: {reason}"):
        load_image(dark, 20)
    with pytest.raises(ValueError, match=r"the tensor \(3, 1, 9000\) cannot be used: too thin"):
        load_image(torch.zeros(3, 1, 9000, dtype=torch.uint8), 20)


@pytest.mark.parametrize(
    "empty",
    [*(Image.new(mode, (0, 5)) for mode in ("RGB", "RGBA", "I")), torch.zeros(3, 5, 0, dtype=torch.uint8)],
)
def test_an_image_without_pixels_is_refused(empty):
    with pytest.raises(ValueError, match="the .* cannot be used: it has no pixels"):
        load_image(empty, 20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="a.jpg cannot be read as an image: neither a file nor a folder"):
        load_image(tmp_path / "a.jpg", 20)


def test_damaged_tags_do_no_harm(tmp_path):
    image = Image.fromarray(trained.image(3))
    image.save(tmp_path / "plain.jpg")
    for number, tags in enumerate((b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"")):
        image.save(tmp_path / f"{number}.jpg", exif=tags)
        got, wanted = (load_image(tmp_path / name, 20) for name in (f"{number}.jpg", "plain.jpg"))
        assert torch.equal(got, wanted)


def test_a_run_is_named_by_its_folder_or_by_a_file(tmp_path):
    run = tmp_path / "run"
    trained.saved_checkpoint(checkpoints.locate(run / "checkpoints", 5), seed=1)
    trained.saved_checkpoint(checkpoints.locate(run / "checkpoints", 12), seed=2)

    def bias(source):
        return load_classifier(source).net.fc8.bias

    latest = trained.weights(seed=2).weights["fc8.bias"]
    assert torch.equal(bias(run), latest)
    assert torch.equal(bias(str(run / "checkpoints")), latest)
    trained.saved(run / "weights.pt", seed=3)
    assert torch.equal(bias(run), trained.weights(seed=3).weights["fc8.bias"])
    first = checkpoints.locate(run / "checkpoints", 5)
    assert torch.equal(bias(first), trained.weights(seed=1).weights["fc8.bias"])


def test_a_classifier_has_all_that_belongs_to_it(folder, classifier):
    assert (classifier.classes, classifier.names) == (trained.CLASSES, trained.NAMES)
    assert classifier.image_size == 20 and classifier.device == torch.device("cpu")
    assert not classifier.net.training and not any(p.requires_grad for p in classifier.net.parameters())
    assert classifier.net.config == trained.recipe().net and not classifier.remark
    assert (classifier.statistics.num_images, classifier.mean) == (12345, "centre")
    assert load_classifier(folder / "paper.pt").mean == "under-crop"
    nameless = make_classifier(replace(trained.weights(), names=[]), name="x")
    assert nameless.names == trained.CLASSES


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": ["ant"]}, "x names 1 classes, but its network has 7 outputs"),
        ({"statistics": {}}, "x lacks the mean_image of its training images, so it cannot predict"),
        (
            {"recipe": "{}"},
            "x has a recipe that this version cannot read: name, net, augment, learning are missing",
        ),
        ({"recipe": "[]"}, "x has a recipe that this version cannot read"),
        ({"recipe": "?"}, "x has a recipe that this version cannot read"),
        (
            {"recipe": json.dumps(json.loads(trained.weights().recipe) | {"net": {"towers": 2}})},
            "x has a recipe that this version cannot read: net: .* missing; .*: upgrade alexnet, or",
        ),
        (
            {"weights": {}},
            r"x does not fit the network '.*': conv1.bias is missing, and should be \(8,\)",
        ),
        (
            {"weights": trained.weights(classes="ab", names="ab").weights},
            r"x does not fit the network .*: fc8.bias is \(2,\), and should be \(7,\)",
        ),
        (
            {"weights": trained.weights().weights | {"fc9.bias": torch.zeros(3)}},
            r"x does not fit the network .*: fc9.bias is \(3,\), and should be missing",
        ),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_classifier(replace(trained.weights(), **changes), name="x")


def test_nets_that_differ_in_classes_or_sizes_do_not_go_together(classifier):
    def other(**options):
        return make_classifier(trained.weights(**options), name="other")

    check_alike([classifier])
    check_alike([classifier, other(base="paper")])
    for options, difference in (
        ({"classes": trained.CLASSES[:6], "names": []}, "one knows 7 classes, the other 6"),
        ({"classes": (*trained.CLASSES[:6], "hen")}, "class 6 is 'gnu' in one and 'hen' in the other"),
        ({"input_size": 18}, "one reads 16 of 20 pixels of an image, the other 18 of 20"),
        ({"size": 24}, "one reads 16 of 20 pixels of an image, the other 16 of 24"),
    ):
        with pytest.raises(ValueError, match=f"net.pt and other do not go together: {difference}"):
            check_alike([classifier, other(**options)])


def test_the_classes_of_a_set_are_found_by_their_names(classifier):
    assert match_outputs(classifier, ("gnu", "ant", "fox")).tolist() == [6, 0, 5]
    with pytest.raises(
        ValueError, match="knows 7 classes, and 'hen' is none of them; the data have 3 .* 2 of"
    ):
        match_outputs(classifier, ("gnu", "hen", "the gnu"))


def test_the_class_is_told_by_the_folder(classifier, tmp_path, monkeypatch):
    assert class_of_folder(classifier, "somewhere/fox/1.png") == 5
    assert class_of_folder(classifier, tmp_path / "the gnu" / "1.png") == 6
    assert class_of_folder(classifier, "somewhere/1.png") is None
    (tmp_path / "bee").mkdir()
    monkeypatch.chdir(tmp_path / "bee")
    assert class_of_folder(classifier, "1.png") == 1


ROW = torch.tensor([0.05, 0.5, 0.25, 0.1, 0.06, 0.03, 0.01])


def test_bars_are_as_long_as_probabilities_are_large(classifier):
    lines = in_words(classifier, ROW, top=3, right=2, width=80)
    assert [line.split() for line in lines] == [
        ["the", "bee", "50.0%", "#" * 30],
        ["*", "the", "cow", "25.0%", "#" * 15],
        ["the", "dog", "10.0%", "#" * 6],
    ]
    assert len({line.index("%") for line in lines}) == 1 and lines[1].startswith("* the cow")
    full = in_words(classifier, torch.eye(7)[3], top=1, right=None, width=80)
    assert [len(line) for line in full] == [80]


def test_the_right_class_is_shown_also_where_it_is_improbable(classifier):
    lines = in_words(classifier, ROW, top=2, right=6, width=80)
    assert len(lines) == 3 and lines[2].split() == ["*", "the", "gnu", "1.0%", "#"]
    assert len(in_words(classifier, ROW, top=99, right=6, width=80)) == 7


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_lines_fit_the_terminal(classifier, width):
    named = replace(classifier, names=("a name that is much longer than a line " * 5,) * 7)
    for of in (classifier, named):
        assert max(map(len, in_words(of, ROW, top=7, right=1, width=width))) <= max(width, 32)


def test_names_of_classes_are_shown_with_escapes(classifier):
    named = replace(classifier, names=(*classifier.names[:1], "a\x1b[2J\nb", *classifier.names[2:]))
    assert r"  a\x1b[2J\nb  " in in_words(named, ROW, top=1, right=None, width=80)[0]


def test_the_command_shows_every_image(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    files = list_files(folder)[:2]
    assert main(["predict", str(folder / "net.pt"), *map(str, files), "--views", "10", "--top", "7"]) == 0
    printed = capsys.readouterr()
    assert not printed.err
    lines = printed.out.splitlines()
    assert [lines[0], lines[8]] == [str(path) for path in files] and len(lines) == 16
    for start, guesses in zip(
        (1, 9), predict(load_classifier(folder / "net.pt"), files, views=10, top=7), strict=True
    ):
        for line, (name, share) in zip(lines[start : start + 7], guesses, strict=True):
            assert name in line and f"{share:.1%}" in line and len(line) <= 60
    assert [line for line in lines if line.startswith("*")][0].split()[2] == files[0].parent.name


def test_a_image_that_cannot_be_read_does_not_stop_the_others(folder, tmp_path, capsys):
    (tmp_path / "text.jpg").write_text("no image")
    good = str(list_files(folder)[0])
    assert main(["predict", str(folder / "net.pt"), str(tmp_path / "text.jpg"), good]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == good
    assert printed.err == f"alexnet: {tmp_path / 'text.jpg'} cannot be read as an image: not an image\n"


def test_the_command_says_what_reading_an_image_took(folder, tmp_path, capsys):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(trained.image(1)).convert("L").save(tmp_path / "turned.png", exif=tags)
    assert main(["predict", str(folder / "net.pt"), str(tmp_path / "turned.png")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{tmp_path / 'turned.png'} (greyscale, turned upright)"


def test_weights_that_are_nan_predict_nothing(folder, tmp_path, capsys):
    of = trained.weights()
    of.weights["fc7.bias"][0] = float("nan")
    checkpoints.save_weights(tmp_path / "net.pt", of)
    assert main(["predict", str(tmp_path / "net.pt"), str(list_files(folder)[0])]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert f"{tmp_path / 'net.pt'} cannot predict: its weights give NaN, as after a training" in printed.err


def test_loading_leaves_torchs_random_numbers_alone(folder):
    before = torch.get_rng_state()
    load_classifier(folder / "net.pt")
    assert torch.equal(torch.get_rng_state(), before)

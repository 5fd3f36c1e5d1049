"""Archives that are damaged, encrypted, nested, huge or made to harm: one sentence, or read right."""

import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from alexnet.data import archives
from alexnet.data.images import Unreadable
from alexnet.data.prepare import sources
from alexnet.data.prepare.sources import Reader, yield_files
from support.archives import jpeg, tar, write, write_zip
from support.preparing import made

IMAGES = {f"train/{c}/{i}.jpg": bytes([i]) * (300 + i) for c in "ab" for i in range(3)}


def found(source, scratch):
    """Return name -> content of every file of a source."""
    with Reader() as reader:
        files = [file for file in yield_files(source, scratch) if not isinstance(file, archives.Skipped)]
        return {file.name: reader.read(file) for file in files}


def tar_with(**fields):
    """Return a tar of two usual files with an odd one between them, train/a/1.jpg."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for i in range(3):
            info = tarfile.TarInfo(f"train/a/{i}.jpg")
            for field, value in fields.items() if i == 1 else ():
                setattr(info, field, value)
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    odd = tar_with(type=getattr(tarfile, kind), linkname="train/a/0.jpg")
    with pytest.raises(ValueError, match=r"a.tar: train/a/1.jpg is a link or a device, not a file; unpack"):
        found(write(tmp_path / "a.tar", odd), tmp_path)


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("train/a/1.jpg")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="a.zip: train/a/1.jpg is a link, not a file; unpack it"):
        found(tmp_path / "a.zip", tmp_path)


def test_a_file_stored_with_gaps_is_refused(tmp_path):
    sparse = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99", "GNU.sparse.name": "train/a/1.jpg"}
    odd = tar_with(pax_headers=sparse)
    with pytest.raises(
        ValueError, match="train/a/1.jpg is stored with gaps .sparse.; unpack it and give the fol"
    ):
        found(write(tmp_path / "a.tar", odd), tmp_path)


OUTSIDE = ["../evil.jpg", "/train/a/evil.jpg", "train/../../evil.jpg", "C:/a/evil.jpg", "..\\a\\evil.jpg"]


@pytest.mark.parametrize("form", ["tar", "zip", "tar in a tar"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_point_outside_are_refused(tmp_path, form, name):
    files = IMAGES | {name: b"x"}
    content = tar({"a.tar": tar(files)}) if form == "tar in a tar" else tar(files)
    path = write_zip(tmp_path / "a.zip", files) if form == "zip" else write(tmp_path / "a.tar", content)
    with pytest.raises(
        ValueError, match=r"a.(tar|zip): the name '.*evil.jpg' points outside the archive; unpack"
    ):
        found(path, tmp_path)


def test_a_set_is_not_made_of_such_names(tmp_path):
    source = write(tmp_path / "a.tar", tar({"train/a/1.jpg": jpeg(1), "train/a/../../../evil.jpg": jpeg(2)}))
    with pytest.raises(ValueError, match="points outside the archive"):
        made("folder", [source], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def encrypted(path):
    """Write a zip whose second file is marked as encrypted."""
    content = bytearray(write_zip(path, IMAGES).read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[1]
    content[member.header_offset + 6] |= 1
    content[content.index(b"PK\1\2", content.index(b"PK\1\2") + 1) + 8] |= 1
    return write(path, bytes(content))


def of_method(path, method):
    """Write a zip whose files are compressed in a way that is unknown."""
    content = bytearray(write_zip(path, {"train/a/1.jpg": b"x" * 99}).read_bytes())
    struct.pack_into("<H", content, 8, method)
    struct.pack_into("<H", content, content.index(b"PK\1\2") + 10, method)
    return write(path, bytes(content))


def test_an_encrypted_zip_is_called_so(tmp_path):
    with pytest.raises(ValueError, match=r"a.zip: train/a/1.jpg is encrypted; unpack it and give the"):
        found(encrypted(tmp_path / "a.zip"), tmp_path)


def test_a_zip_compressed_in_an_unknown_way_is_called_so(tmp_path):
    with pytest.raises(ValueError, match=r"a.zip: .*compression.*; unpack it and give the folder instead"):
        found(of_method(tmp_path / "a.zip", 9), tmp_path)  # Deflate64, which Windows writes above 2 GB


def test_backslashes_in_a_zip_separate_folders(tmp_path):
    path = write_zip(tmp_path / "a.zip", {name.replace("/", "\\"): part for name, part in IMAGES.items()})
    assert found(path, tmp_path) == {f"a.zip/{name}": part for name, part in IMAGES.items()}


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_a_dot_in_a_path_is_no_folder(tmp_path, form):
    names = ["./train/a/1.jpg", "train/a/2.jpg", "train/./b//3.jpg"]
    files = {name: name.encode() for name in names}
    path = tmp_path / f"a.{form}"
    write(path, tar(files)) if form == "tar" else write_zip(path, files)
    got = found(path, tmp_path)
    assert list(got.values()) == [name.encode() for name in names]
    assert list(got) == [f"a.{form}/train/{name}" for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_in_a_zip_that_does_not_tell_their_encoding(tmp_path, encoding):
    name = "train/Bär/1.jpg"
    stand_in = "x" * len(name.encode(encoding))
    content = write_zip(tmp_path / "a.zip", {stand_in: b"1"}).read_bytes()
    path = write(tmp_path / "a.zip", content.replace(stand_in.encode(), name.encode(encoding)))
    assert list(found(path, tmp_path).values()) == [b"1"] and next(iter(found(path, tmp_path))).endswith(name)


def test_names_in_a_tar_that_are_no_utf8(tmp_path):
    name = "train/a/caf\udce9.jpg"  # in Latin-1
    got, _ = made("folder", [write(tmp_path / "a.tar", tar({name: jpeg(1)}))], tmp_path / "set")
    assert np.load(tmp_path / "set/train-00000.npz")["names"].tolist() == [rb"a/caf\xe9.jpg"]
    assert len(got.train.read([0])) == 1


def test_names_in_a_zip_that_are_no_utf8_though_it_says_so(tmp_path):
    content = write_zip(tmp_path / "a.zip", {"train/Bär/1.jpg": b"1"}).read_bytes()
    path = write(tmp_path / "a.zip", content.replace("ä".encode(), b"\xff\xfe"))
    with pytest.raises(ValueError, match="a.zip is damaged, or not an archive of the kinds tar and zip"):
        found(path, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("form", ["tar", "zip"])
def test_a_name_that_an_archive_has_twice_is_said(tmp_path, form):
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for seed in (1, 2):
                archive.writestr("train/a/1.jpg", jpeg(seed))
    else:
        one, two = tar({"train/a/1.jpg": jpeg(1)}), tar({"train/a/1.jpg": jpeg(2)})
        write(
            tmp_path / "a.tar", one.rstrip(b"\0").ljust(-(-len(one.rstrip(b"\0")) // 512) * 512, b"\0") + two
        )
    with pytest.raises(ValueError, match="two (images|images) are train/a/1.jpg"):
        made("folder", [tmp_path / f"a.{form}"], tmp_path / "set")


def nested(depth):
    """Return a tar in a tar in a tar ..."""
    content = tar({"1.jpg": b"x"})
    for _ in range(depth - 1):
        content = tar({"a.tar": content})
    return content


def test_archives_within_archives_up_to_a_limit(tmp_path):
    assert len(found(write(tmp_path / "a.tar", nested(8)), tmp_path)) == 1
    with pytest.raises(ValueError, match="a.tar holds more than 8 archives within each other; unpack it"):
        found(write(tmp_path / "a.tar", nested(9)), tmp_path)


def test_a_tar_nested_far_too_deep_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="a.tar holds more than 8 archives within each other"):
        found(write(tmp_path / "a.tar", nested(60)), tmp_path)


def test_a_name_without_end_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 5 << 30
    path = write(tmp_path / "a.tar", header.tobuf(tarfile.GNU_FORMAT) + bytes(20_480))
    with pytest.raises(ValueError, match="a.tar is damaged.*longer than 1,048,576 bytes"):
        found(path, tmp_path)


def test_names_upon_names_are_one_sentence(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 5
    path = write(tmp_path / "a.tar", (header.tobuf(tarfile.GNU_FORMAT) + b"name".ljust(512, b"\0")) * 1500)
    with pytest.raises(ValueError, match="a.tar is damaged"):
        found(path, tmp_path)


def test_a_file_of_negative_size_is_damage_and_no_endless_loop(tmp_path):
    content = bytearray(tar({"1.jpg": b"x", "2.jpg": b"y"}))
    info = tarfile.TarInfo.frombuf(bytes(content[:512]), "utf-8", "strict")
    info.size = -512
    content[:512] = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(ValueError, match="a.tar is damaged"):
        found(write(tmp_path / "a.tar", bytes(content)), tmp_path)


def test_an_archive_appended_to_another_is_said(tmp_path):
    one, two = tar({"train/a/1.jpg": b"x"}), tar({"train/a/2.jpg": b"y"})
    with pytest.raises(ValueError, match="a.tar goes on after its end.*tar --ignore-zeros"):
        found(write(tmp_path / "a.tar", one + two), tmp_path)


@pytest.mark.parametrize("end", ["1.zip", "1.jpg"])
def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path, end):
    inner = write_zip(tmp_path / "1.zip", {"other.jpg": b"other"}).read_bytes()
    source = write(
        tmp_path / "a.tar", tar({"train/a/0.jpg": b"0", f"train/a/{end}": inner}).rstrip(b"\0") + bytes(2000)
    )
    assert any(name.endswith("train/a/0.jpg") for name in found(source, tmp_path))


@pytest.mark.parametrize("form", ["a.tar", "a.zip"])
def test_a_huge_file_in_an_archive_is_left_out_unread(tmp_path, monkeypatch, form):
    monkeypatch.setattr(sources, "MAX_BYTES", 301)
    path = write_zip(tmp_path / form, IMAGES) if form == "a.zip" else write(tmp_path / form, tar(IMAGES))
    with Reader() as reader:
        for file in yield_files(path, tmp_path):
            if file.name.endswith("2.jpg"):
                with pytest.raises(Unreadable, match="a file of 302 bytes, more than the limit of 301"):
                    reader.read(file)
            else:
                assert len(reader.read(file)) <= 301


def test_an_archive_that_becomes_too_large_fills_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SMALL_BYTES", 1 << 16)
    monkeypatch.setattr(sources, "COPY_BYTES", 1 << 12)
    path = write(tmp_path / "a.tgz", gzip.compress(tar({"a.jpg": bytes(1 << 20)})))
    scratch = tmp_path / "scratch"
    with pytest.raises(ValueError, match=r"a.tgz becomes more than [\d,]+ bytes when it is decompressed"):
        found(path, scratch)
    assert list(scratch.iterdir()) == []
    fine = write(tmp_path / "b.tgz", gzip.compress(tar({"a.jpg": np.random.default_rng(0).bytes(1 << 20)})))
    assert len(found(fine, scratch)) == 1


def test_compressed_archives_of_one_name_and_size_are_told_apart(tmp_path):
    for number, folder in enumerate(("one", "two")):
        content = gzip.compress(tar({f"{number}.jpg": bytes([number])}), compresslevel=0)
        write(tmp_path / folder / "a.tgz", content)
    assert len({(tmp_path / folder / "a.tgz").stat().st_size for folder in ("one", "two")}) == 1
    assert list(found(tmp_path / "one/a.tgz", tmp_path)) == ["a.tgz/0.jpg"]
    assert list(found(tmp_path / "two/a.tgz", tmp_path)) == ["a.tgz/1.jpg"]


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_of_many_archives_a_few_are_open_at_a_time(tmp_path, monkeypatch, form):
    monkeypatch.setattr(sources, "MAX_OPEN", 2)
    (tmp_path / "sets").mkdir()
    for n in range(5):
        content = {f"{n}.jpg": bytes([n])}
        path = tmp_path / "sets" / f"{n}.{form}"
        write_zip(path, content) if form == "zip" else write(path, tar(content))
    files, opened, real = list(yield_files(tmp_path / "sets", tmp_path)), [], io.open

    def recorded(*words, **options):
        opened.append(real(*words, **options))
        return opened[-1]

    monkeypatch.setattr(io, "open", recorded)
    with Reader() as reader:
        for file in [*files, *files]:
            assert reader.read(file) == bytes([int(file.name[-5])])
            assert sum(not one.closed for one in opened) <= 2
    assert opened and all(one.closed for one in opened)


@pytest.mark.parametrize("form", ["a.tar", "a.zip"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_an_archive_that_changes_between_plan_and_end_is_noticed(tmp_path, form, when):
    path = write_zip(tmp_path / form, IMAGES) if form == "a.zip" else write(tmp_path / form, tar(IMAGES))
    files = list(yield_files(path, tmp_path))
    with (
        pytest.raises(
            ValueError, match=f"{form} was changed while it was read; .*run the same command again"
        ),
        Reader() as reader,
    ):
        if when == "while":
            reader.read(files[0])
        with path.open("ab") as file:
            file.write(b"more")
        reader.read(files[1])


def test_a_shard_is_not_kept_of_an_archive_that_changed(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tar", tar({f"train/a/{i}.jpg": jpeg(i) for i in range(4)}))
    make_plan = archives_changed_after(path)
    monkeypatch.setattr("alexnet.data.prepare.run.make_plan", make_plan)
    with pytest.raises(ValueError, match="a.tar was changed while it was read"):
        made("folder", [path], tmp_path / "set")
    assert not list((tmp_path / "set").glob("train*"))


def archives_changed_after(path):
    """Return a ``make_plan`` after which the archive is another one."""
    from alexnet.data.prepare.plan import make_plan

    def planned(*args, **options):
        plan = make_plan(*args, **options)
        write(path, tar({f"train/a/{i}.jpg": jpeg(i + 10) for i in range(5)}))
        return plan

    return planned


@pytest.mark.parametrize("form", ["a.tar", "a.tgz", "a.zip"])
def test_damage_anywhere_is_one_sentence_or_harmless(tmp_path, form):
    path = tmp_path / form
    if form == "a.zip":
        write_zip(path, IMAGES)
    else:
        write(path, tar(IMAGES) if form == "a.tar" else gzip.compress(tar(IMAGES)))
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for number in range(60):
        content = bytearray(whole)
        content[random.integers(len(whole))] ^= 1 << random.integers(8)
        path.write_bytes(content[: random.integers(len(whole))] if number % 4 == 0 else content)
        try:
            found(path, tmp_path / str(number))
        except ValueError as error:
            assert str(path) in str(error) or isinstance(error, Unreadable)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_a_changed_byte_in_a_compressed_tar_is_found(tmp_path, place):
    noise = np.random.default_rng(1).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    content = bytearray(gzip.compress(tar({"train/a/1.jpg": noise}), 0))
    content[int(place * len(content))] ^= 1
    with pytest.raises(ValueError, match="is damaged, or not an archive"):
        found(write(tmp_path / "a.tar.gz", bytes(content)), tmp_path / "scratch")


def test_a_pipe_is_not_waited_for(tmp_path):
    folder = write(tmp_path / "folder", IMAGES)
    os.mkfifo(folder / "train/a/9.jpg")
    assert found(folder, tmp_path) == {f"folder/{name}": part for name, part in IMAGES.items()}
    os.mkfifo(tmp_path / "photos.tar")
    for pipe in (folder / "train/a/9.jpg", tmp_path / "photos.tar"):
        with pytest.raises(ValueError, match=f"{pipe.name} is neither a file nor a folder"):
            list(yield_files(pipe, tmp_path))


def test_an_archive_is_known_by_its_content_where_it_is_given_itself(tmp_path):
    for form in (tar(IMAGES), gzip.compress(tar(IMAGES)), write_zip(tmp_path / "a.zip", IMAGES).read_bytes()):
        path = write(tmp_path / "download", form)
        assert found(path, tmp_path) == {f"download/{name}": part for name, part in IMAGES.items()}
    assert found(write(tmp_path / "a.jpg", gzip.compress(b"x")), tmp_path).keys() == {"a.jpg"}
    assert found(write(tmp_path / "a.7z", b"7z\xbc\xaf\x27\x1c"), tmp_path).keys() == {"a.7z"}
    below = write(tmp_path / "folder", {"download": tar(IMAGES)})
    assert found(below, tmp_path).keys() == {"folder/download"}


def test_the_limit_of_headers_leaves_room_for_real_names(tmp_path):
    name = "train/" + "/".join(["a" * 200] * 40) + "/1.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            archive.addfile(tarfile.TarInfo(name))
        assert list(found(write(tmp_path / "a.tar", buffer.getvalue()), tmp_path)) == [f"a.tar/{name}"]
    assert 100 * len(name) < archives.MAX_HEADER_BYTES

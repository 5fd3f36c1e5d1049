"""Files of tensors: back again unchanged, whole or not at all, and no code run from one."""

import errno
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.storage import tensorfile
from alexnet.storage.records import environment

NUMBERS = torch.arange(12_000, dtype=torch.float32) / 7
PLAIN = [1, 2.5, True, None, "text", {"deeper": [2**60]}]


def content(**changes):
    return {"numbers": NUMBERS, "plain": PLAIN, "nested": {"half": NUMBERS[:5].half()}} | changes


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.pt"
    tensorfile.write(path, content())
    return path


def assert_stands(saved):
    """The file is as it was first written, and nothing lies beside it."""
    back = tensorfile.read(saved)
    assert torch.equal(back["numbers"], NUMBERS) and back["numbers"].dtype == torch.float32
    assert torch.equal(back["nested"]["half"], NUMBERS[:5].half()) and back["plain"] == PLAIN
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def refused(path):
    """Return the one sentence with which a file is refused."""
    with pytest.raises(ValueError) as caught:
        tensorfile.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def test_content_comes_back_unchanged(saved):
    assert_stands(saved)


def test_subclasses_and_gradients_stay_behind(tmp_path):
    parameter = nn.Parameter(torch.ones(2))
    path = tmp_path / "new" / "a.pt"
    tensorfile.write(path, {"weights": OrderedDict(w=parameter), "pair": (1, 2), "machine": environment()})
    back = tensorfile.read(path)
    assert back["machine"] == environment() and type(back["machine"]["torch"]) is str
    assert type(back["weights"]) is dict and type(back["weights"]["w"]) is torch.Tensor
    assert not back["weights"]["w"].requires_grad and back["pair"] == [1, 2]


def test_tensors_are_put_where_they_are_wanted(saved):
    assert tensorfile.read(saved, "meta")["numbers"].device.type == "meta"
    assert tensorfile.read(saved)["numbers"].device.type == "cpu"


def test_nothing_is_copied_to_be_saved(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch, "save", lambda content, file: seen.append(content))
    tensorfile.write(tmp_path / "a.pt", content())
    assert seen[0]["numbers"].data_ptr() == NUMBERS.data_ptr()


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"^nested\.x is a float32, neither a tensor nor a plain value$"):
        tensorfile.write(tmp_path / "a.pt", {"nested": {"x": np.float32(1)}})
    with pytest.raises(ValueError, match=r"^list\[1\] is a (Posix|Windows)Path"):
        tensorfile.write(tmp_path / "a.pt", {"list": ["cat", Path("dog")]})
    assert list(tmp_path.iterdir()) == []


def half_written(error):
    """Return a ``torch.save`` that fails part-way."""

    def save(content, file):
        file.write(b"PK\3\4 half of it")
        raise error

    return save


def test_a_full_disk_destroys_nothing(saved, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(torch, "save", half_written(OSError(errno.ENOSPC, "No space left on device")))
        tensorfile.write(saved, {"many": torch.zeros(3_000_000, 2).half()})
    sentence = str(caught.value)
    assert f"cannot write {saved}: the disk is full; 12 MB are needed, " in sentence
    assert sentence.endswith(" MB are free") and "\n" not in sentence
    assert_stands(saved)


@pytest.mark.parametrize("limit", [100, 20_000, 47_000])
def test_a_write_that_the_system_refuses_destroys_nothing(saved, limit):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match=f"^cannot write {saved}: File too large; ") as caught:
            tensorfile.write(saved, content(plain=[]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert_stands(saved)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the GPU is gone")])
def test_any_other_end_leaves_nothing_and_keeps_its_name(saved, monkeypatch, error):
    with monkeypatch.context() as patch, pytest.raises(type(error)) as caught:
        patch.setattr(torch, "save", half_written(error))
        tensorfile.write(saved, {})
    assert caught.value is error
    assert_stands(saved)


def test_a_file_is_in_place_only_after_the_disk_has_it(saved, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("sync"))
    monkeypatch.setattr(os, "replace", lambda old, new: done.append("replace"))
    tensorfile.write(saved, content())
    assert done == ["sync", "replace", "sync"][: 3 if os.name == "posix" else 2]


def test_a_folder_that_cannot_be_made_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="^cannot write .*a.pt: "):
        tensorfile.write(tmp_path / "file" / "a.pt", {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*a.pt"):
        tensorfile.read(tmp_path / "a.pt")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_file_that_breaks_off_is_damaged(saved, share):
    os.truncate(saved, int(share * saved.stat().st_size))
    assert refused(saved) == "FILE is damaged"


def test_one_wrong_bit_among_the_numbers_is_seen(saved):
    whole = bytearray(saved.read_bytes())
    whole[whole.index(NUMBERS.numpy()[700:704].tobytes())] ^= 1
    saved.write_bytes(whole)
    assert refused(saved) == "FILE is damaged"


def test_a_wrong_bit_anywhere_is_seen_or_harmless(tmp_path):
    path = tmp_path / "a.pt"
    tensorfile.write(path, {"numbers": NUMBERS[:3].clone()})
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            assert torch.equal(tensorfile.read(path)["numbers"], NUMBERS[:3])
        except ValueError as error:
            assert "damaged" in str(error) or "no file of this package" in str(error)


@pytest.mark.parametrize("text", [b"", bytes(3), bytes(5000)])
def test_what_a_power_failure_leaves_is_damaged(tmp_path, text):
    path = tmp_path / "a.pt"
    path.write_bytes(text)
    assert refused(path) == "FILE is damaged"


def test_a_disk_that_cannot_be_read_is_named(saved, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("zipfile.ZipFile.testzip", fail)
    with pytest.raises(OSError, match=f"^cannot read {saved}: Input/output error$"):
        tensorfile.read(saved)


@pytest.mark.parametrize("text", [b"not at all", b"\x80\x04}."])
def test_something_else_is_no_file_of_this_package(tmp_path, text):
    path = tmp_path / "a.pt"
    path.write_bytes(text)
    assert refused(path) == "FILE is no file of this package"


def test_another_zip_file_is_none_either(tmp_path):
    np.savez(tmp_path / "a.npz", numbers=np.ones(3))
    assert refused(tmp_path / "a.npz") == "FILE is no file of this package"


def test_another_file_of_torch_is_none_either(tmp_path):
    torch.save(torch.ones(3), tmp_path / "a.pt")
    assert refused(tmp_path / "a.pt") == "FILE is no file of this package: it holds a Tensor"


def test_a_program_of_torch_is_called_one(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"weights": torch.ones(3)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/constants.pkl", b"")
    assert refused(path) == "FILE is no file of this package, but a program (TorchScript)"


def test_a_device_that_is_not_there_is_no_fault_of_the_file(saved):
    with pytest.raises(RuntimeError, match="abacus"):
        tensorfile.read(saved, "abacus")


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_the_evil_one_would_work(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "mark"))).close()
    assert (tmp_path / "mark").exists()


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "a.pt"
    torch.save({"format": "alexnet checkpoint", "weights": Evil(mark)}, path)
    assert refused(path) == (
        f"FILE was refused, and nothing of it run: it asks for {open.__module__}.open, where a file of this "
        "package has only tensors and plain values"
    )
    torch.save({"weights": Evil(mark)}, path, _use_new_zipfile_serialization=False)
    assert refused(path) == "FILE is no file of this package"
    path.write_bytes(pickle.dumps(Evil(mark)))
    assert refused(path) == "FILE is no file of this package"
    assert not mark.exists()

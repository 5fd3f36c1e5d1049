"""What a process asks of its C library, and the order of memory that its processor likes."""

import ctypes
import sys
from types import SimpleNamespace

import pytest
import torch

from alexnet import devices
from alexnet.devices import (
    bfloat16_slowdown,
    bfloat16_warning,
    channels_last_on_cpu,
    keep_buffers,
    memory_lacked,
    prepare_device,
)


@pytest.fixture
def asked(monkeypatch):
    """What a stand-in for the C library was asked."""
    calls = []
    library = SimpleNamespace(mallopt=lambda *pair: calls.append(pair))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    return calls


def test_freed_memory_is_kept(monkeypatch, asked):
    monkeypatch.setattr(sys, "platform", "linux")
    keep_buffers()
    assert asked == [(-1, 2**31 - 1), (-4, 0)]  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h


def test_other_systems_and_libraries_are_left_alone(monkeypatch, asked):
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_buffers()
    assert asked == []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # it has no mallopt, as musl
    keep_buffers()


def test_images_on_the_cpu_have_the_channels_of_a_pixel_side_by_side():
    images = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    ordered = channels_last_on_cpu(images)
    assert torch.equal(ordered, images) and ordered.stride() == (60, 1, 15, 3)
    assert channels_last_on_cpu(ordered) is ordered
    for other in (images[0], images.to("meta")):  # meta stands for any other device
        assert channels_last_on_cpu(other) is other


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_a_gpu_that_lacks_memory_says_so_in_many_ways(error):
    assert memory_lacked(error) == "the GPU"
    assert memory_lacked(RuntimeError("CUDA error: an illegal memory access was encountered")) == ""
    assert memory_lacked(ValueError(str(error))) == ""


def test_a_training_is_deterministic_only_if_it_is_to_be(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *given, **_: asked.append(given))
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: None)
    for name in ("benchmark", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, name, False)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    for deterministic in (True, False):
        prepare_device(torch.device("cuda"), deterministic=deterministic)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")  # which it has set
    assert asked == [(True,), (False,)]


def test_bfloat16_is_warned_of_where_it_is_slow_and_nowhere_else(monkeypatch):
    monkeypatch.setattr(devices, "bfloat16_slowdown", lambda: 9.3)
    cpu = torch.device("cpu")
    assert bfloat16_warning(cpu, "bfloat16").startswith("bfloat16 takes 9 times as long as float32")
    assert bfloat16_warning(cpu, "float32") == bfloat16_warning(torch.device("cuda"), "bfloat16") == ""
    monkeypatch.setattr(devices, "bfloat16_slowdown", lambda: 0.6)
    assert bfloat16_warning(cpu, "bfloat16") == ""


def test_the_slowdown_is_a_ratio_of_times(monkeypatch):
    ticks = iter(
        [0, 9, 10, 11, 20, 23, 30, 39, 40, 44, 50, 58]
    )  # seconds 9 1 3 and 9 4 8; the first does not count
    monkeypatch.setattr(devices.time, "perf_counter", lambda: next(ticks))
    assert bfloat16_slowdown(repeats=2) == 4

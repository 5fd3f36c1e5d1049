"""What a process asks of its C library."""

import ctypes
import sys
from types import SimpleNamespace

import pytest

from alexnet.devices import keep_buffers


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

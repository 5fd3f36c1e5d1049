"""Names with characters that a terminal obeys or hides."""

import io

import pytest

from alexnet.cli.main import main
from alexnet.shown import duration, fit, printable, say, visible
from alexnet.training.events import message
from alexnet.training.progress import Progress

SHOWN = {
    "plain name, caf\u00e9 \u732b \U0001f431\ufe0f": "plain name, caf\u00e9 \u732b \U0001f431\ufe0f",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u0645": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0646\u0645",
    "a\x1b[2Jb": r"a\x1b[2Jb",
    "a\nb\tc\r": r"a\nb\tc\r",
    "gpj\u202ejpg\u2066": r"gpj\u202ejpg\u2066",
    "cat\u200b\ufeff\u2028": r"cat\u200b\ufeff\u2028",
    "\x9b31m\U000e0041": r"\x9b31m\U000e0041",
    b"caf\xe9".decode("utf-8", "surrogateescape"): r"caf\xe9",
    "\ud83d": r"\ud83d",
}


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_obeyed_or_hidden_becomes_an_escape_and_other_scripts_stay(text):
    assert printable(text) == SHOWN[text] == printable(printable(text))
    printable(text).encode()  # every file can hold it


def test_what_cannot_be_seen_makes_no_difference():
    same = ["cat", "cat\u200b", "\ufeffcat", "c\u200dat", "ca\x1bt", "cat\ufe0f", "cat\u3164", r"cat\u200b"]
    assert {visible(name) for name in same} == {"cat"}
    different = ["cat", "cats", "c at", b"cat\xe9".decode("utf-8", "surrogateescape"), "cat\u00e9"]
    assert len({visible(name) for name in different}) == len(different)


def test_lines_stay_lines_and_a_stream_gets_what_it_knows():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    say("one", "caf\u00e9 \u732b\x1b", to=stream)
    assert stream.buffer.getvalue().decode("cp1252") == "one\ncaf\u00e9 \\u732b\\x1b\n"
    assert fit("\u732b", None) == "\u732b"


def test_commands_and_trainings_say_nothing_that_a_terminal_obeys(tmp_path, capsys, monkeypatch):
    hostile = tmp_path / "a\x1b]0;b\u202e"
    assert main(["data", "check", str(hostile)]) == 2
    Progress()(message(f"cannot write {hostile}"))
    monkeypatch.setenv("ALEXNET_DATA", str(hostile))
    assert main(["data", "path"]) == 0
    out, err = capsys.readouterr()
    assert r"a\x1b]0;b\u202e" in out and err.count(r"a\x1b]0;b\u202e") >= 2
    assert all(line.isprintable() for line in (out + err).splitlines())


def test_durations():
    spans = {0.5: "0.5 s", 45: "45 s", 89: "89 s", 90: "2 min", 5400: "1.5 h", 200_000: "2.3 days"}
    assert {span: duration(span) for span in spans} == spans

"""Downloading the official archive, against a server on this machine that misbehaves in every way we know."""

import hashlib
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from alexnet import data
from alexnet.data import catalogue
from alexnet.data import download as download_module
from alexnet.data.download import download
from alexnet.storage.files import only_one
from support.samples import known_with, official_files, write_tar


@dataclass
class Server:
    """What the server holds, how it behaves, and what it was asked."""

    content: bytes
    url: str = ""
    ranges: bool = True  # does it understand Range?
    break_after: list[int] = field(default_factory=list)  # bytes after which each coming answer breaks off
    status: int = 200
    chunked: bool = False  # send without telling the size?
    headers: dict[str, str] = field(
        default_factory=dict
    )  # to send in place of the usual ones; "": not at all
    forward: str = ""  # an address to send the client to
    pages: dict[str, bytes] = field(default_factory=dict)  # web pages by path
    asked: list[str | None] = field(default_factory=list)  # the Range of every request
    bytes_sent: int = 0


@pytest.fixture
def server(tmp_path):
    """Serve the small archive at /kriz/cifar-10-python.tar.gz."""
    state = Server(write_tar(tmp_path / "original.tar.gz", official_files(), "w:gz").read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self, state)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{http_server.server_port}/kriz/cifar-10-python.tar.gz"
        yield state
        http_server.shutdown()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, state: Server) -> None:
    wanted = handler.headers["Range"]
    state.asked.append(wanted)
    if handler.path in state.pages:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(state.pages[handler.path])
        return
    if state.forward:
        handler.send_response(302)
        handler.send_header("Location", state.forward)
        handler.end_headers()
        return
    if state.status not in (200, 204) or handler.path != "/kriz/cifar-10-python.tar.gz":
        handler.send_error(state.status if state.status != 200 else 404)
        return
    start, total = 0, len(state.content)
    if wanted and state.ranges:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= total:
            handler.send_error(416)
            return
        handler.send_response(206)
        headers = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
    else:
        handler.send_response(state.status)
        headers = {}
    if not state.chunked:
        headers["Content-Length"] = str(total - start)
    for name, value in (headers | state.headers).items():
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    end = total if not state.break_after else start + state.break_after.pop(0)
    state.bytes_sent += len(state.content[start:end])  # before the client can have them, and look
    handler.wfile.write(state.content[start:end])


@pytest.fixture(autouse=True)
def known(monkeypatch, tmp_path, server):
    """Let "cifar10" be the small set whose official archive the server holds, in an empty folder."""
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "sets"))
    monkeypatch.setattr(download_module, "PAUSE_SECONDS", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    known = known_with(server.content, hashlib.sha256(server.content).hexdigest(), server.url)
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", known)
    return known


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sets").mkdir()
    return tmp_path / "sets"


@pytest.fixture
def part(folder):
    return folder / "cifar-10-python.tar.gz.part"


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_get_stores_the_set_and_removes_the_archive(folder):
    data.get("cifar10", progress=False)
    assert names(folder) == ["cifar10"]
    assert data.load("cifar10").source == "CIFAR-10 (20 + 10 images, from the official archive)"


def test_the_archive_can_be_kept_and_is_not_fetched_again(folder, server):
    for _ in range(2):
        data.get("cifar10", keep_archive=True, progress=False)
    assert names(folder) == ["cifar-10-python.tar.gz", "cifar10"]
    assert len(server.asked) == 1


@pytest.mark.parametrize("form", ["archive", "folder", "folder/"])
def test_a_mirror_is_the_archive_or_its_folder(folder, server, known, monkeypatch, form):
    official = known.archive.url
    elsewhere = known_with(server.content, known.archive.sha256, "http://127.0.0.1:9/cifar-10-python.tar.gz")
    monkeypatch.setitem(catalogue.KNOWN_SETS, "cifar10", elsewhere)
    base = official.rsplit("/", 1)[0]
    mirror = {"archive": official, "folder": base, "folder/": base + "/"}[form]
    data.get("cifar10", mirror=mirror, progress=False)
    assert names(folder) == ["cifar10"]


def test_a_download_that_breaks_goes_on_by_itself(folder, server):
    server.break_after = [1000, 500]
    data.get("cifar10", progress=False)
    assert server.asked == [None, "bytes=1000-", "bytes=1500-"]
    assert server.bytes_sent == len(server.content)  # no byte was fetched twice
    assert names(folder) == ["cifar10"]


def test_a_download_interrupted_at_half_goes_on_in_the_next_run(folder, part, server, known):
    half = len(server.content) // 2
    server.break_after = [half, 0]
    with pytest.raises(ConnectionError, match=r"and stopped; run the same command again to resume|broke"):
        data.get("cifar10", progress=False)
    assert part.read_bytes() == server.content[:half]
    data.get("cifar10", progress=False)
    assert server.asked == [None, f"bytes={half}-", f"bytes={half}-"]
    assert server.bytes_sent == len(server.content)
    assert names(folder) == ["cifar10"]


def test_a_server_without_ranges_begins_again(folder, part, server):
    server.ranges = False
    part.write_bytes(b"x" * 1000)
    data.get("cifar10", progress=False)
    assert server.asked == ["bytes=1000-"]
    assert names(folder) == ["cifar10"]


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_here_stays_when_a_server_without_ranges_sends_the_same_again(folder, part, server, chunked):
    server.ranges, server.chunked = False, chunked
    part.write_bytes(server.content[:1000])
    server.break_after = [400]
    with pytest.raises(ConnectionError, match="and stopped|broke"):
        data.get("cifar10", progress=False)
    assert part.read_bytes() == server.content[:1000]
    server.break_after = [1500]
    data.get("cifar10", progress=False)
    assert server.asked == ["bytes=1000-", "bytes=1000-", "bytes=1500-"]
    assert names(folder) == ["cifar10"]


LOGIN = b"<html>log in</html>"


@pytest.mark.parametrize("way", ["page", "no type", "redirected"])
@pytest.mark.parametrize("begun", [0, 1000])
def test_a_login_page_leaves_what_has_arrived(folder, part, server, way, begun):
    original = server.content
    if begun:
        part.write_bytes(original[:begun])
    if way == "redirected":
        server.forward = server.url.rsplit("/", 2)[0] + "/login"
        server.pages["/login"] = LOGIN
    elif way == "page":
        server.pages["/kriz/cifar-10-python.tar.gz"] = LOGIN
    else:
        server.content, server.ranges, server.chunked = LOGIN, False, True
    message = (
        "sends no archive: it begins with b'<html>" if way == "no type" else "sends a web page, not the arch"
    )
    with pytest.raises(ConnectionError, match=message):
        data.get("cifar10", progress=False)
    assert names(folder) == [part.name] * bool(begun)
    server.content, server.ranges, server.chunked, server.forward = original, True, False, ""
    server.pages.clear()
    data.get("cifar10", progress=False)
    assert names(folder) == ["cifar10"] and server.asked[-1] == (f"bytes={begun}-" if begun else None)


def test_another_file_of_unknown_size_leaves_what_has_arrived(folder, part, server):
    begun = server.content[:1000]
    part.write_bytes(begun)
    server.content, server.ranges, server.chunked = server.content[:10] + b"other" * 99, False, True
    with pytest.raises(
        ConnectionError, match=r"sends another file than the one begun in .*; delete .*part to b"
    ):
        data.get("cifar10", progress=False)
    assert part.read_bytes() == begun


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes {total}-{total}/{total}",
        "bytes 999999-999999/*",
        "bytes 0-99/{total}",
        "bytes 900-{last}/*",
        "",
        "x",
    ],
)
def test_a_part_that_was_not_asked_for_is_refused_at_once(folder, part, server, content_range):
    total = len(server.content)
    part.write_bytes(server.content[:1000])
    server.headers["Content-Range"] = content_range.format(total=total, last=total - 1)
    with pytest.raises(
        ValueError, match="sends another part of the file than was asked for; name another copy"
    ):
        data.get("cifar10", progress=False)
    assert part.read_bytes() == server.content[:1000] and len(server.asked) == 1


def test_a_server_that_breaks_after_a_little_is_asked_a_few_times_with_longer_pauses(
    folder, part, server, monkeypatch
):
    pauses = []
    monkeypatch.setattr(download_module, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: 0))
    server.break_after = [10] * 100
    with pytest.raises(ConnectionError, match="and stopped; run the same command again|broke"):
        data.get("cifar10", progress=False)
    assert len(server.asked) == 5 and part.read_bytes() == server.content[:50]
    assert pauses == sorted(pauses) and len(set(pauses)) == 4 and pauses[0] > 0


def test_a_server_that_breaks_after_much_is_asked_on(folder, server, monkeypatch):
    monkeypatch.setattr(download_module, "ENOUGH_BYTES", 100)
    server.break_after = [150] * 8
    data.get("cifar10", progress=False)
    assert len(server.asked) == 9 and server.bytes_sent == len(server.content)


def test_a_server_that_crawls_is_given_up(folder, part, server, monkeypatch):
    clock = iter(range(0, 10**6, 61))
    fake = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _seconds: None)
    monkeypatch.setattr(download_module, "time", fake)
    monkeypatch.setattr(download_module, "BLOCK_BYTES", 100)
    with pytest.raises(ConnectionError, match="sent 100 bytes in 61 seconds; run the same command again"):
        data.get("cifar10", progress=False)
    assert len(server.asked) == 5 and part.read_bytes() == server.content[:500]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_size_that_makes_no_sense_or_none_is_no_hindrance(folder, server, chunked):
    server.chunked, server.headers["Content-Length"] = chunked, "" if chunked else "many"
    data.get("cifar10", progress=False)
    assert names(folder) == ["cifar10"]


def test_an_endless_answer_ends_with_the_size_of_the_archive(folder, server):
    server.chunked = True
    server.content += bytes(1 << 20)
    with pytest.raises(ValueError, match="is not the official .*SHA-256 differs"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


def test_a_redirection_without_end_is_one_sentence(folder, server):
    server.forward = server.url
    with pytest.raises(ConnectionError, match="cannot be had: the server answered 302") as caught:
        data.get("cifar10", progress=False)
    assert "\n" not in str(caught.value)


def test_an_answer_without_content_is_quoted(folder, server):
    server.status = 204
    with pytest.raises(ConnectionError, match="cannot be had: the server answered 204 No Content"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


def test_a_host_that_is_no_name_is_one_sentence():
    with pytest.raises(ConnectionError, match=r"a\.\.b cannot be reached"):
        data.get("cifar10", mirror="http://a..b/", progress=False)


def test_two_downloads_at_once_do_not_write_into_each_other(folder, server, known):
    with only_one(folder / (known.archive.file_name + ".lock"), "busy"):
        with pytest.raises(ValueError, match="another command is downloading cifar-10-python.tar.gz into "):
            data.get("cifar10", progress=False)
        assert server.asked == []
    data.get("cifar10", progress=False)
    assert names(folder) == ["cifar10"]


def test_a_stale_part_is_found_removed_and_said(folder, part, server):
    part.write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match=r"begun in an earlier try, is not the official .* was removed"):
        data.get("cifar10", progress=False)
    assert names(folder) == []
    data.get("cifar10", progress=False)
    assert names(folder) == ["cifar10"]


@pytest.mark.parametrize("extra", [0, 1])
def test_a_stale_part_as_long_as_the_archive_or_longer_is_removed(folder, part, server, extra):
    part.write_bytes(b"x" * (len(server.content) + extra))
    with pytest.raises(ValueError, match="was removed"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


def test_a_wrong_checksum_leaves_nothing(folder, server):
    server.content = server.content[:-1] + bytes([server.content[-1] ^ 1])
    with pytest.raises(ValueError, match=r"what http://127.*sent is not the official .*SHA-256 differs"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


@pytest.mark.parametrize("change", [-10, 10])
def test_a_file_of_another_size_is_refused_at_once(folder, server, change):
    server.content = server.content[:change] if change < 0 else server.content + b"x" * change
    with pytest.raises(ValueError, match=r"has [\d,]+ bytes, not the [\d,]+ of the official archive"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


def test_a_copy_shorter_than_what_is_here_is_refused_and_the_part_kept(folder, part, server):
    begun = server.content[: len(server.content) - 5]
    part.write_bytes(begun)
    server.content = server.content[:100]
    with pytest.raises(ValueError, match="is shorter than the official archive; name another copy"):
        data.get("cifar10", progress=False)
    assert part.read_bytes() == begun


@pytest.mark.parametrize(("status", "words"), [(404, "404 Not Found"), (503, "503 Service Unavailable")])
def test_a_server_that_refuses_is_quoted(folder, server, status, words):
    server.status = status
    with pytest.raises(ConnectionError, match=f"cannot be had: the server answered {words}; .*--mirror URL"):
        data.get("cifar10", progress=False)
    assert names(folder) == []


def test_without_a_network_the_host_is_named(folder):
    with pytest.raises(ConnectionError, match=r"127.0.0.1:9 cannot be reached .*--mirror URL"):
        data.get("cifar10", mirror="http://127.0.0.1:9/", progress=False)
    assert names(folder) == []


@pytest.mark.parametrize(
    "mirror",
    ["file:///etc/passwd", "ftp://host/x", "/home/me/cifar-10-python.tar.gz", "http:", "http://[::1/x", ""],
)
def test_a_mirror_that_is_no_web_address_is_refused(mirror):
    with pytest.raises(ValueError, match=r"must be an http:// or https:// address.*alexnet data import"):
        data.get("cifar10", mirror=mirror, progress=False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full, a file on a disk that is always full")
def test_a_full_disk_is_called_so(part):
    part.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"the disk is full; .*ALEXNET_DATA"):
        data.get("cifar10", progress=False)


def test_the_progress_bar_counts_from_where_it_goes_on(folder, part, server, known, capsys):
    part.write_bytes(server.content[:1000])
    download(known.archive, folder, progress=True)
    shown = capsys.readouterr().err
    assert "cifar-10-python.tar.gz" in shown and "100%" in shown


def test_an_archive_that_was_there_stays_and_another_file_of_its_name_is_not_replaced(folder, server, known):
    data.get("cifar10", keep_archive=True, progress=False)
    (archive,) = (path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock")
    data.get("cifar10", progress=False)
    assert archive.is_file()
    archive.write_bytes(b"mine")
    with pytest.raises(ValueError, match="is there already and is not the official .*; rename or delete it"):
        data.get("cifar10", progress=False)
    assert archive.read_bytes() == b"mine"

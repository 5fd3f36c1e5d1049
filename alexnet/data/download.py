"""Download an archive: show progress, resume an interrupted download, verify the checksum."""

import contextlib
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

from alexnet.bars import Bar
from alexnet.data.catalogue import Archive
from alexnet.storage.files import only_one

TIMEOUT_SECONDS = 30  # without a single byte
SLOW_SECONDS, SLOW_BYTES = 60, 60_000  # with fewer bytes in that time, the connection is given up
BLOCK_BYTES = 1 << 16
# A try that brings enough is followed by another; of others so many in a row are made, with longer pauses.
ENOUGH_BYTES, MAX_TRIES, PAUSE_SECONDS = 1 << 20, 5, 1.0
PAGES = ("text/html", "application/xhtml+xml")
STARTS = {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".zip": b"PK"}  # of archives, by suffix
ANOTHER = "name another copy with --mirror URL"
ADVICE = f"run the same command again to resume, or {ANOTHER}"


class BrokenDownload(ConnectionError):
    """The connection ended before the archive did; what has arrived is kept for the next try."""


def download(archive: Archive, folder: Path, *, mirror: str | None = None, progress: bool = True) -> Path:
    """Download an archive into a folder, or resume an interrupted download there.

    Args:
        archive: the address, checksum and size.
        folder: made if need be. Until the download is whole and verified its file name ends in ".part".
        mirror: address of another copy of the archive, or of the folder that holds it.
        progress: show a progress bar.
    Returns:
        the path of the verified archive.
    Raises:
        ValueError: the mirror is no http address, or what came is not the archive, which is removed then, or
            another file has its name.
        ConnectionError: the server cannot be reached, does not have the archive, or the connection breaks.
        OSError: the file cannot be written.
    """
    url = address(archive, mirror)
    path = folder / archive.file_name
    if path.is_file():
        if hash_file(path) == archive.sha256:
            return path
        raise ValueError(
            f"{path} is there already and is not the official {archive.file_name}; rename or delete it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (archive.file_name + ".part")
    busy = f"another command is downloading {archive.file_name} into {folder}; wait for it to end"
    with only_one(folder / (archive.file_name + ".lock"), busy):
        resumed = count_bytes(part) > 0
        fetch(url, part, archive.num_bytes, progress=progress)
        if hash_file(part) != archive.sha256:
            part.unlink()
            what = "the download, begun in an earlier try," if resumed else f"what {url} sent"
            raise ValueError(
                f"{what} is not the official {archive.file_name} (its SHA-256 differs) and was removed; "
                f"run the same command again to download all of it anew, or {ANOTHER}"
            )
        part.replace(path)
    return path


def fetch(url: str, part: Path, num_bytes: int, *, progress: bool) -> None:
    """Fetch what ``part`` lacks, again where the connection breaks, as long as that brings something."""
    tries = 0
    while (before := count_bytes(part)) < num_bytes:
        try:
            fetch_rest(url, part, num_bytes, progress=progress)
        except BrokenDownload:
            brought = count_bytes(part) - before
            tries = 0 if brought >= ENOUGH_BYTES else tries + 1
            if brought <= 0 or tries == MAX_TRIES:
                raise
            time.sleep(PAUSE_SECONDS * 2**tries)
        finally:
            if part.is_file() and count_bytes(part) == 0:
                part.unlink()


def address(archive: Archive, mirror: str | None) -> str:
    """Return the address to download from; a mirror may name the archive or the folder that holds it."""
    if mirror is None:
        return archive.url
    try:
        parts = urlsplit(mirror)
    except ValueError:  # such as brackets that are not closed
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            f"a mirror must be an http:// or https:// address, got {mirror!r}; "
            "for a file that you have, use `alexnet data import`"
        )
    if parts.query or parts.path.endswith(archive.file_name):
        return mirror
    return mirror.rstrip("/") + "/" + archive.file_name


def fetch_rest(url: str, part: Path, num_bytes: int, *, progress: bool) -> None:
    """Append to ``part`` what it lacks.

    A server that cannot send only that sends all: what is here already is then compared, and stays unless
    the server tells the right size and sends something else.
    """
    have = count_bytes(part)
    headers = {"User-Agent": "alexnet-book", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with explained(url):
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        )
    with response:
        answer = announced(response, url, have)
        if answer.total not in (None, num_bytes):
            raise ValueError(
                f"{url} has {answer.total:,} bytes, not the {num_bytes:,} of the official archive; {ANOTHER}"
            )
        shown = {"desc": part.stem, "unit": "B", "unit_scale": True, "disable": not progress}
        position = answer.start
        with (
            part.open("r+b" if have else "wb") as file,
            Bar(total=num_bytes, initial=position, **shown) as bar,
        ):
            for block in blocks(response, url):
                if position == 0:
                    check_start(block, url, part.stem)
                if position < have and differs(file, position, block):
                    if answer.total is None:
                        raise ConnectionError(
                            f"{url} sends another file than the one begun in {part}, and does not tell its "
                            f"size; delete {part} to begin with this one, or {ANOTHER}"
                        )
                    file.truncate(position)
                    have = position
                file.seek(position)
                file.write(block)
                position += len(block)
                bar.update(len(block))
                if position >= num_bytes:
                    return
    raise BrokenDownload(f"{url} sent {position:,} of {num_bytes:,} bytes and stopped; {ADVICE}")


class Answer(NamedTuple):
    """Where in the file an answer begins, in bytes; the size of the whole file, None if it is not told."""

    start: int
    total: int | None


def announced(response: http.client.HTTPResponse, url: str, have: int) -> Answer:
    """Read from the headers what an answer brings.

    Args:
        response: to the request for what follows the first bytes.
        url: of the archive, for messages.
        have: how many bytes those are.
    Raises:
        ConnectionError: it is a web page, or nothing.
        ValueError: it is a part of the file that was not asked for.
    """
    if response.headers.get_content_type() in PAGES:
        raise ConnectionError(
            f"{url} sends a web page, not the archive, as networks do that want a login; open a page in a "
            f"browser to see, then {ADVICE}"
        )
    if response.status == http.HTTPStatus.OK:
        return Answer(0, response.length)
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        raise ConnectionError(
            f"{url} cannot be had: the server answered {response.status} {response.reason}; {ADVICE}"
        )
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != have:
        raise ValueError(f"{url} sends another part of the file than was asked for; {ANOTHER}")
    return Answer(have, None if found[2] == "*" else int(found[2]))


def check_start(block: bytes, url: str, name: str) -> None:
    """Raise ConnectionError if a file does not begin as an archive of that name does."""
    wanted = STARTS.get(Path(name).suffix, b"")
    if not block.startswith(wanted[: len(block)]):
        raise ConnectionError(f"{url} sends no archive: it begins with {block[:20]!r}; {ADVICE}")


def differs(file: BinaryIO, position: int, block: bytes) -> bool:
    """Return whether a file has other bytes at a position than those of a block, as far as it goes."""
    file.seek(position)
    old = file.read(len(block))
    return old != block[: len(old)]


def blocks(response: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """Yield what an answer brings, as it comes; raise BrokenDownload if the connection breaks or crawls."""
    began, arrived = time.monotonic(), 0
    while True:
        try:
            block = response.read1(BLOCK_BYTES)
        except (http.client.HTTPException, OSError) as error:
            host = urlsplit(url).netloc
            raise BrokenDownload(f"the connection to {host} broke ({error}); {ADVICE}") from error
        if not block:
            return
        yield block
        arrived += len(block)
        seconds = time.monotonic() - began
        if seconds > SLOW_SECONDS:
            if arrived < SLOW_BYTES:
                raise BrokenDownload(f"{url} sent {arrived:,} bytes in {seconds:.0f} seconds; {ADVICE}")
            began, arrived = time.monotonic(), 0


@contextlib.contextmanager
def explained(url: str) -> Generator[None]:
    """Turn urllib's errors into one sentence each."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise ValueError(f"{url} is shorter than the official archive; {ANOTHER}") from error
        reason = " ".join(error.reason.split())  # of a redirection without end it has several lines
        raise ConnectionError(
            f"{url} cannot be had: the server answered {error.code} {reason}; {ADVICE}"
        ) from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # UnicodeError: no name of a host
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"{urlsplit(url).netloc} cannot be reached ({reason}); {ADVICE}") from error


def count_bytes(path: Path) -> int:
    """Return the size of a file, 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def hash_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Download an archive: show progress, go on where an earlier try broke off, verify the checksum."""

import contextlib
import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from alexnet.data.catalogue import Archive

TIMEOUT_SECONDS = 30  # without a single byte
BLOCK_BYTES = 1 << 16
ADVICE = "run the same command again to go on, or name another copy with --mirror URL"


class BrokenDownload(ConnectionError):
    """The connection ended before the archive did; what has arrived is kept for the next try."""


def download(archive: Archive, folder: Path, *, mirror: str | None = None, progress: bool = True) -> Path:
    """Download an archive into a folder, or go on with a download that broke off there.

    Args:
        archive: the address, checksum and size.
        folder: made if need be. Until the download is whole and verified its file name ends in ".part".
        mirror: address of another copy of the archive, or of the folder that holds it.
        progress: show a progress bar.
    Returns:
        the path of the verified archive.
    Raises:
        ValueError: the mirror is no http address, or what came is not the archive; it is removed then.
        ConnectionError: the server cannot be reached, does not have the archive, or the connection breaks.
        OSError: the file cannot be written.
    """
    url = address(archive, mirror)
    path = folder / archive.file_name
    if path.is_file() and sha256_of(path) == archive.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (archive.file_name + ".part")
    resumed = num_bytes_of(part) > 0
    while num_bytes_of(part) < archive.num_bytes:
        before = num_bytes_of(part)
        try:
            fetch_rest(url, part, archive.num_bytes, progress=progress)
        except BrokenDownload:
            if num_bytes_of(part) <= before:  # a try that brought nothing is the last
                raise
    if sha256_of(part) != archive.sha256:
        part.unlink()
        what = "the download, begun in an earlier try," if resumed else f"what {url} sent"
        raise ValueError(
            f"{what} is not the official {archive.file_name} (its SHA-256 differs) and was removed; "
            "run the same command again to download all of it anew, or name another copy with --mirror URL"
        )
    part.replace(path)
    return path


def address(archive: Archive, mirror: str | None) -> str:
    """Return the address to download from; a mirror may name the archive or the folder that holds it."""
    if mirror is None:
        return archive.url
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise ValueError(
            f"a mirror must be an http:// or https:// address, got {mirror!r}; "
            "for a file that you have, use `alexnet data import`"
        )
    if mirror.endswith(archive.file_name):
        return mirror
    return mirror.rstrip("/") + "/" + archive.file_name


def fetch_rest(url: str, part: Path, num_bytes: int, *, progress: bool) -> None:
    """Append to ``part`` what it lacks; if the server cannot send only that, begin from the start."""
    have = num_bytes_of(part)
    headers = {"User-Agent": "alexnet-book", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with explained(url):
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        )
    with response:
        start, total = announced(response)
        if total not in (None, num_bytes):
            raise ValueError(
                f"{url} has {total:,} bytes, not the {num_bytes:,} of the official archive; "
                "name another copy with --mirror URL"
            )
        with (
            part.open("r+b" if start else "wb") as file,
            tqdm(
                total=num_bytes,
                initial=start,
                desc=part.stem,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            file.seek(start)
            while start < num_bytes and (block := read_block(response, url)):
                file.write(block)
                start += len(block)
                bar.update(len(block))
    if start < num_bytes:
        raise BrokenDownload(f"{url} sent {start:,} of {num_bytes:,} bytes and stopped; {ADVICE}")


def announced(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return at which byte of the file the answer begins, and the size of the whole file if it is told."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == http.HTTPStatus.PARTIAL_CONTENT and found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def read_block(response: http.client.HTTPResponse, url: str) -> bytes:
    """Read what comes next of the answer; empty at its end."""
    try:
        return response.read(BLOCK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise BrokenDownload(f"the connection to {urlsplit(url).netloc} broke ({error}); {ADVICE}") from error


@contextlib.contextmanager
def explained(url: str):
    """Turn urllib's errors into one sentence each."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise ValueError(
                f"{url} is shorter than the official archive; name another copy with --mirror URL"
            ) from error
        raise ConnectionError(
            f"{url} cannot be had: the server answered {error.code} {error.reason}; {ADVICE}"
        ) from error
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"{urlsplit(url).netloc} cannot be reached ({reason}); {ADVICE}") from error


def num_bytes_of(path: Path) -> int:
    """Return the size of a file, 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Download a file over HTTP: resumed where it broke off, checked, and put in its place only when it is whole.

The standard library's ``urllib`` is enough: it follows redirects and proxies, checks certificates and counts bytes, and
nothing has to be installed. Retries, resuming and the checks are here, since no client does them the way a good file on
disk needs.

What is on disk is never touched before the new file is complete: bytes go to ``NAME.part`` beside it, and one rename
replaces the old file. A broken download leaves the part and the old file; the next one goes on where it stopped, if the
server still has the same version.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, cast

from counterpoise import __version__
from counterpoise.core.errors import DataError, DownloadError, InputError

__all__ = ["Patience", "Received", "download", "get"]

_PIECE = 1 << 16
_AGENT = f"counterpoise/{__version__}"
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download tries.

    Attributes
    ----------
    attempts
        Attempts without a byte further than any before, after which it gives up.
    timeout
        Seconds without a byte after which a connection counts as stalled.
    first_wait, longest_wait
        Seconds before the second attempt, doubled each time up to the longest; ``Retry-After`` of the server counts,
        up to the longest.
    sleep
        Waits so many seconds; a test passes its own.
    """

    attempts: int = 6
    timeout: float = 30.0
    first_wait: float = 1.0
    longest_wait: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Received:
    """What a download brought.

    Attributes
    ----------
    path
        The file.
    url
        Where it came from.
    bytes, sha256
        Size and contents.
    etag, last_modified
        What the server said of its version; empty where it said nothing.
    attempts
        How many requests it took.
    resumed
        How many of them went on where another had stopped.
    """

    path: Path
    url: str
    bytes: int
    sha256: str
    etag: str
    last_modified: str
    attempts: int
    resumed: int


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    size: int | None = None,
    offline: bool = False,
    patience: Patience | None = None,
    headers: Mapping[str, str] | None = None,
    check: Callable[[Path], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    page: str = "",
) -> Received:
    """Fetch a file; what stands at ``target`` is replaced only by a whole and checked one.

    Parameters
    ----------
    sha256
        What the contents must be, hexadecimal; not compared where empty.
    size
        Bytes the publisher states; not compared where None.
    offline
        Refuse to use the network.
    check
        Called with the finished part before it is moved; raises where the contents cannot be used.
    progress
        Called with what happens, bytes so far and bytes expected (0 where unknown).
    page
        Where people can fetch it by hand; named in messages.

    Raises
    ------
    InputError
        If the address is not of http or https.
    DownloadError
        If the network is refused or absent, the server says no, sends less than it said until patience ends, or the
        contents are not what they should be.
    DataError
        If the disk is full, or another download of the same file is running.
    """
    if not url.startswith(("https://", "http://")):
        raise InputError(f"'{url}' is no address of the web; expected https://...")
    if offline:
        raise DownloadError(
            f"{target.name} is not at hand and the network is refused (--offline). Fetch it without --offline, or add "
            f"a file you have with 'counterpoise data add FILE'{_by_hand(page)}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with _alone(part, target.name):
        return _fetch(
            url, target, part, sha256.lower(), size, patience or Patience(), dict(headers or {}), check, progress, page
        )


@contextlib.contextmanager
def _alone(part: Path, name: str) -> Generator[None]:
    """Hold a lock on the part, so that two downloads of one file never write into each other."""
    lock = part.with_name(part.name + ".lock")
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"another download of {name} is running; wait for it, or stop it") from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _fetch(
    url: str,
    target: Path,
    part: Path,
    sha256: str,
    size: int | None,
    patience: Patience,
    headers: dict[str, str],
    check: Callable[[Path], None] | None,
    progress: Callable[[str, int, int], None] | None,
    page: str,
) -> Received:
    state = _State(part, url)
    attempts = resumed = failures = furthest = 0
    while True:
        attempts += 1
        before = state.have
        resumed += before > 0
        try:
            done = _attempt(state, headers, patience, target.name, size, progress)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno == 28:
                raise DataError(f"the disk is full at {target.parent}; {target.name} is kept as it was") from error
            wait = _wait_or_give_up(error, failures, patience, url, target.name, page)
            reason = _words(error)
        else:
            if done:
                break
            wait = None
            reason = f"{state.have:,} of {state.expected:,} bytes, then nothing" if state.expected else "it began anew"
        # Bytes that were here before are no progress: a server that counts wrongly could send them for ever.
        failures = 1 if state.have > furthest else failures + 1
        furthest = max(furthest, state.have)
        if failures >= patience.attempts:
            raise DownloadError(
                f"{url} broke off {attempts} times: {reason}. "
                + ("The file at hand is kept as it was" if target.exists() else "Nothing was put in its place")
                + (f"; {state.have:,} bytes wait to be resumed, try again later" if state.have else "; try again later")
                + _by_hand(page)
            )
        pause = min(wait if wait is not None else patience.first_wait * 2 ** (failures - 1), patience.longest_wait)
        if progress is not None:
            progress(f"{target.name}: {reason}; again in {pause:g} s", state.have, state.expected or 0)
        patience.sleep(pause)
    return _accept(state, target, sha256, size, check, attempts, resumed, page)


class _State:
    """The part on disk, and which version of the file it is of."""

    def __init__(self, part: Path, url: str) -> None:
        self.part, self.url = part, url
        self._note = part.with_name(part.name + ".json")
        self.etag = self.last_modified = ""
        self.expected: int | None = None
        self.forget_unless_same()

    def forget_unless_same(self) -> None:
        """Read the note beside the part; without one of this address the part cannot be trusted."""
        try:
            note = cast("dict[str, Any]", json.loads(self._note.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            note = {}
        if note.get("url") == self.url and self.part.is_file() and (note.get("etag") or note.get("last_modified")):
            self.etag, self.last_modified = str(note["etag"]), str(note["last_modified"])
        else:
            self.restart()

    @property
    def have(self) -> int:
        """Bytes on disk."""
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def resumable(self) -> bool:
        """Whether the server can be asked to go on with the same version."""
        return self.have > 0 and bool(self.etag or self.last_modified)

    def restart(self) -> None:
        """Throw the part away."""
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.etag = self.last_modified = ""
        self.expected = None

    def begin(self, etag: str, last_modified: str) -> None:
        """Note which version is being received."""
        self.etag, self.last_modified = etag, last_modified
        note = {"url": self.url, "etag": etag, "last_modified": last_modified}
        self._note.write_text(json.dumps(note), encoding="utf-8")


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers})


def _attempt(
    state: _State,
    headers: Mapping[str, str],
    patience: Patience,
    name: str,
    size: int | None,
    progress: Callable[[str, int, int], None] | None,
) -> bool:
    """Ask once; return whether the file is whole as far as the server's count goes."""
    if not state.resumable:
        state.restart()
    start = state.have
    extra = {}
    if start:
        extra = {"Range": f"bytes={start}-", "If-Range": state.etag if not state.etag.startswith("W/") else ""}
        if not extra["If-Range"]:
            extra["If-Range"] = state.last_modified
        if not extra["If-Range"]:
            state.restart()
            start, extra = 0, {}
    try:
        response = cast(
            "http.client.HTTPResponse",
            urllib.request.urlopen(_request(state.url, {**headers, **extra}), timeout=patience.timeout),
        )
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:
            with error:
                total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
            if total == str(start):
                # There is no more: the length that was said before was wrong, and what we have is all.
                state.expected = start
                return True
            state.restart()
            return False
        raise
    with response:
        start = _placed(state, response, start)
        stated = response.headers.get("Content-Length")
        state.expected = start + int(stated) if stated and stated.isdigit() else size
        _room(state, name, start)
        _receive(state, response, start, name, progress)
    return state.expected is None or state.have >= state.expected


def _placed(state: _State, response: http.client.HTTPResponse, start: int) -> int:
    """Return at which byte the answer begins, after checking that it is where we asked."""
    etag, modified = response.headers.get("ETag") or "", response.headers.get("Last-Modified") or ""
    if response.status == 206:
        given = response.headers.get("Content-Range") or ""
        if given.startswith(f"bytes {start}-") and (not state.etag or not etag or etag == state.etag):
            return start
    state.restart()
    if response.status == 206:
        raise http.client.HTTPException("the server sent another piece than was asked for")
    state.begin(etag, modified)
    return 0


def _room(state: _State, name: str, start: int) -> None:
    free = shutil.disk_usage(state.part.parent).free
    if state.expected is not None and state.expected - start > free:
        raise DataError(
            f"{name} needs {(state.expected - start) / 1e9:.2f} GB and {state.part.parent} has {free / 1e9:.2f} GB "
            "free; make room, or choose another folder with --cache DIR"
        )


def _receive(
    state: _State,
    response: http.client.HTTPResponse,
    start: int,
    name: str,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    with state.part.open("ab" if start else "wb") as out:
        while True:
            try:
                piece = response.read1(_PIECE)
            except http.client.IncompleteRead as error:
                out.write(error.partial)
                raise
            if not piece:
                break
            out.write(piece)
            if progress is not None:
                progress(name, out.tell(), state.expected or 0)


def _wait_or_give_up(
    error: Exception, failures: int, patience: Patience, url: str, name: str, page: str
) -> float | None:
    """Return how long the server asks to wait; raise where another attempt is of no use.

    Raises
    ------
    DownloadError
        If the server says no for good, or cannot be reached at all.
    """
    if isinstance(error, urllib.error.HTTPError):
        with error:
            if error.code in _RETRIED:
                return _retry_after(error.headers.get("Retry-After"))
            said = f"{error.code} {error.reason}"
            raise DownloadError(f"{url} answers {said}; {name} is not there{_by_hand(page)}") from error
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    absent = isinstance(reason, OSError) and type(reason).__name__ in ("gaierror", "ConnectionRefusedError")
    unreachable = isinstance(reason, OSError) and reason.errno in (101, 113)
    if (absent or unreachable) and failures + 1 >= min(2, patience.attempts):
        host = url.split("/")[2]
        raise DownloadError(
            f"{host} cannot be reached ({reason}): there is no network here, or no way to that host. The embedded "
            f"world works without it; to use {name}, add a file with 'counterpoise data add FILE'{_by_hand(page)}"
        ) from error
    if type(reason).__name__ == "SSLCertVerificationError":
        words = f"the certificate of {url} cannot be trusted ({reason}); check the clock and the proxy"
        raise DownloadError(words) from error
    return None


def _retry_after(text: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``, which is a number or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "no byte came for too long"
    return str(reason) or type(reason).__name__


def _accept(
    state: _State,
    target: Path,
    sha256: str,
    size: int | None,
    check: Callable[[Path], None] | None,
    attempts: int,
    resumed: int,
    page: str,
) -> Received:
    """Check the finished part and put it in its place; throw it away where it is not what it should be."""
    kept = "the file at hand is kept as it was" if target.exists() else "nothing was put in its place"
    found, have = _digest(state.part), state.have
    problem = ""
    if sha256 and found != sha256:
        problem = f"its SHA-256 is {found}, expected {sha256}"
    elif size is not None and have != size and not sha256:
        problem = f"it has {have:,} bytes, expected {size:,}"
    elif have == 0:
        problem = "it is empty"
    if not problem and check is not None:
        try:
            check(state.part)
        except DataError as error:
            problem = str(error)
    if problem:
        state.restart()
        raise DownloadError(
            f"{state.url} came whole by its own count, but {problem}; {kept}. The publisher may have replaced it, or "
            f"the server counts wrongly: try again later{_by_hand(page)}"
        )
    etag, modified = state.etag, state.last_modified
    with state.part.open("rb") as handle:
        os.fsync(handle.fileno())
    state.part.chmod(0o644)
    state.part.replace(target)
    state.restart()
    return Received(target, state.url, have, found, etag, modified, attempts, resumed)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _by_hand(page: str) -> str:
    return f". By hand: {page}" if page else ""


def get(
    url: str, *, headers: Mapping[str, str] | None = None, patience: Patience | None = None, offline: bool = False
) -> bytes:
    """Return the answer to a query of an interface, with the same patience as a download.

    Raises
    ------
    DownloadError
        If the network is refused or absent, the server says no, or it breaks off until patience ends. The query is
        named without what follows its question mark, which may hold a key.
    """
    how = patience or Patience()
    shown = url.split("?", 1)[0]
    if offline:
        raise DownloadError(f"{shown} cannot be asked: the network is refused (--offline)")
    failures = 0
    while True:
        try:
            opened: IO[bytes] = urllib.request.urlopen(_request(url, headers or {}), timeout=how.timeout)
            with opened as response:
                return response.read()
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            wait = _wait_or_give_up(error, failures, how, shown, "this query", "")
            failures += 1
            if failures >= how.attempts:
                raise DownloadError(f"{shown} failed {failures} times: {_words(error)}; try again later") from error
            how.sleep(min(wait if wait is not None else how.first_wait * 2 ** (failures - 1), how.longest_wait))

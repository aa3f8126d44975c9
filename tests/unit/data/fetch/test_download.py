"""Downloads against a server that truncates, stalls, refuses for a while and lies about length.

In every case of failure the file that was there before is compared byte by byte, and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from counterpoise.core.errors import DataError, DownloadError, InputError, WorkbenchError
from counterpoise.data.fetch import Patience, download
from counterpoise.data.fetch.download import Received, get

from .servers import Answer, Server, serve

BODY = bytes(range(256)) * 2000
SHA = hashlib.sha256(BODY).hexdigest()
OLD = b"the good file of yesterday"


class Clock:
    """Waits no time, and remembers how long it should have waited."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


def patience(clock: Callable[[float], None] | None = None, attempts: int = 4) -> Patience:
    return Patience(attempts=attempts, timeout=0.3, first_wait=0.5, longest_wait=60.0, sleep=clock or Clock())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "file.zip"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def fetched(server: Server, target: Path, clock: Clock | None = None, **options: Any) -> Received:
    return download(server.url, target, patience=patience(clock), **options)


def test_a_whole_file_replaces_the_old_one_and_leaves_nothing_else(target: Path) -> None:
    steps: list[tuple[str, int, int]] = []

    def note(step: str, done: int, of: int) -> None:
        steps.append((step, done, of))

    with serve(BODY) as server:
        received = fetched(server, target, sha256=SHA, size=len(BODY), progress=note)
    assert target.read_bytes() == BODY
    assert (received.bytes, received.sha256, received.attempts, received.resumed) == (len(BODY), SHA, 1, 0)
    assert steps[-1] == ("file.zip", len(BODY), len(BODY))
    assert [p.name for p in target.parent.iterdir()] == ["file.zip"]


def test_a_truncated_download_goes_on_where_it_stopped(target: Path) -> None:
    whole = len(BODY)
    with serve(BODY, Answer(cut=100_000), Answer(cut=200_000), Answer()) as server:
        received = fetched(server, target, sha256=SHA)
    assert target.read_bytes() == BODY
    assert (received.attempts, received.resumed) == (3, 2)
    assert [headers.get("Range") for _, headers in server.seen] == [None, "bytes=100000-", "bytes=300000-"]
    assert [headers.get("If-Range") for _, headers in server.seen] == [None, '"one"', '"one"']
    assert whole > 300_000


def test_a_later_run_resumes_what_an_earlier_one_left(target: Path) -> None:
    with serve(BODY, Answer(cut=100_000), Answer(503)) as server:
        with pytest.raises(DownloadError, match=r"100,000 bytes wait to be resumed"):
            fetched(server, target)
        assert target.read_bytes() == OLD
        server.answers[:] = [Answer()]
        received = fetched(server, target)
    assert target.read_bytes() == BODY
    assert received.resumed == 1


@pytest.mark.parametrize(
    "second",
    [Answer(etag='"two"'), Answer(ranges=False), Answer(etag="", ranges=False)],
    ids=["another version", "no ranges", "no version"],
)
def test_a_part_of_another_version_is_never_glued_to_this_one(target: Path, second: Answer) -> None:
    with serve(BODY, Answer(cut=100_000, body=b"x" * len(BODY)), second) as server:
        received = fetched(server, target)
    assert target.read_bytes() == BODY
    assert received.bytes == len(BODY)


def test_without_a_version_a_part_is_thrown_away(target: Path) -> None:
    with serve(BODY, Answer(cut=100_000, etag=""), Answer(etag="")) as server:
        fetched(server, target)
    assert target.read_bytes() == BODY
    assert [headers.get("Range") for _, headers in server.seen] == [None, None]


def test_a_stall_is_noticed_and_resumed(target: Path) -> None:
    with serve(BODY, Answer(cut=50_000, stall=True), Answer()) as server:
        received = fetched(server, target, sha256=SHA)
    assert target.read_bytes() == BODY
    assert received.resumed == 1


def test_a_storm_of_429_is_waited_out_as_the_server_asks(target: Path) -> None:
    clock = Clock()
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    storm = [
        Answer(429, headers={"Retry-After": "7"}),
        Answer(429, headers={"Retry-After": soon}),
        Answer(429, headers={"Retry-After": "86400"}),
    ]
    with serve(BODY, *storm, Answer()) as server:
        received = fetched(server, target, clock, sha256=SHA)
    assert target.read_bytes() == BODY
    assert received.attempts == 4
    assert clock.waited[0] == 7
    assert 25 < clock.waited[1] <= 30
    assert clock.waited[2] == 60


def test_a_length_that_is_too_long_does_not_lose_the_whole_file(target: Path) -> None:
    with serve(BODY, Answer(length=len(BODY) + 999), Answer()) as server:
        received = fetched(server, target, sha256=SHA)
    assert target.read_bytes() == BODY
    assert received.attempts == 2


def test_waits_double_where_the_server_does_not_say(target: Path) -> None:
    clock = Clock()
    with serve(BODY, Answer(503), Answer(500), Answer(503), Answer()) as server:
        fetched(server, target, clock)
    assert clock.waited == [0.5, 1.0, 2.0]


FAILURES: dict[str, tuple[list[Answer], dict[str, Any], str]] = {
    "429 without end": ([Answer(429)], {}, r"broke off 4 times: the server answers 429"),
    "503 without end": ([Answer(503)], {}, r"broke off 4 times: the server answers 503"),
    "not there": ([Answer(404)], {}, r"answers 404"),
    "stalls without a byte": ([Answer(cut=0, stall=True)], {}, r"broke off 4 times: no byte came for too long"),
    "truncates at the same byte": ([Answer(cut=1000), Answer(cut=0)], {}, r"1,000 bytes wait to be resumed"),
    "says too long a length": ([Answer(length=len(BODY) + 999, ranges=False)], {}, r"broke off 4 times"),
    "says too short a length": ([Answer(length=1000)], {"sha256": SHA}, r"SHA-256 is [0-9a-f]{64}, expected"),
    "says too short a length, size known": (
        [Answer(length=1000)],
        {"size": len(BODY)},
        r"1,000 bytes, expected 512,000",
    ),
    "is empty": ([Answer(body=b"")], {}, r"it is empty"),
    "has other contents": ([Answer(body=b"x" * 512_000)], {"sha256": SHA}, r"kept as it was"),
    "sends a page of errors": ([Answer(body=b"<html>not found</html>\n")], {"check": "csv"}, r"but no CSV"),
    "says no length and is cut": ([Answer(length=-1, cut=1000)], {"sha256": SHA}, r"SHA-256"),
}


def _no_csv(path: Path) -> None:
    if path.read_bytes().startswith(b"<html"):
        raise DataError("no CSV")


def test_no_failure_touches_the_good_file(target: Path) -> None:
    untouched = 0
    for name, (answers, options, words) in FAILURES.items():
        given = {**options, **({"check": _no_csv} if "check" in options else {})}
        with serve(BODY, *answers) as server, pytest.raises(DownloadError, match=words):
            fetched(server, target, None, **given)
        assert target.read_bytes() == OLD, name
        untouched += 1
    assert untouched == len(FAILURES) == 12


def test_interrupting_leaves_the_good_file(target: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with serve(BODY) as server, pytest.raises(KeyboardInterrupt):
        fetched(server, target, progress=stop)
    assert target.read_bytes() == OLD


def test_offline_asks_nobody(target: Path) -> None:
    with serve(BODY) as server, pytest.raises(DownloadError, match=r"--offline.*data add FILE"):
        fetched(server, target, offline=True)
    assert server.seen == []
    assert target.read_bytes() == OLD


def test_an_absent_network_is_said_in_clear_words(target: Path) -> None:
    with serve(BODY) as server:
        url = server.url
    clock = Clock()
    with pytest.raises(
        DownloadError, match=r"cannot be reached.*no network.*data add FILE.*By hand: https://page"
    ) as caught:
        download(url, target, patience=patience(clock), page="https://page.example")
    assert len(clock.waited) == 1
    assert caught.value.exit_code == 3
    assert target.read_bytes() == OLD


def test_two_downloads_of_one_file_do_not_meet(target: Path) -> None:
    def second(*_: object) -> None:
        with pytest.raises(DataError, match="another download"):
            download(server.url, target, patience=patience())
        raise KeyboardInterrupt

    with serve(BODY) as server, pytest.raises(KeyboardInterrupt):
        fetched(server, target, progress=second)


def test_other_addresses_are_refused(target: Path) -> None:
    for url in ("file:///etc/hosts", "ftp://example.org/x", "data.csv"):
        with pytest.raises(InputError, match="no address of the web"):
            download(url, target)


def test_a_query_waits_and_hides_its_key() -> None:
    clock = Clock()
    with serve(b'{"a": 1}', Answer(429, headers={"Retry-After": "3"}), Answer()) as server:
        assert get(server.url + "?key=secret", patience=patience(clock)) == b'{"a": 1}'
        assert clock.waited == [3]
        server.answers[:] = [Answer(404)]
        with pytest.raises(WorkbenchError) as caught:
            get(server.url + "?key=secret", patience=patience(clock))
    assert "secret" not in str(caught.value)

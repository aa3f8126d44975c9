"""A server on 127.0.0.1 that misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Answer", "Server", "serve"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes
    ----------
    status
        HTTP status.
    cut
        Send only so many bytes of the body.
    length
        What ``Content-Length`` says; the truth by default, none where -1.
    stall
        Wait for the release of the server after the cut instead of closing.
    headers
        Further headers.
    ranges
        Whether a Range is honoured.
    etag
        Version; none where empty.
    body
        Other contents than the server's.
    """

    status: int = 200
    cut: int | None = None
    length: int | None = None
    stall: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    ranges: bool = True
    etag: str = '"one"'
    body: bytes | None = None


@dataclass(slots=True)
class Server:
    """A running server: what it was asked, and what it answers next."""

    url: str
    answers: list[Answer]
    body: bytes | Callable[[str], bytes]
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(body: bytes | Callable[[str], bytes], *answers: Answer) -> Generator[Server]:
    """Serve a body: each request takes the next answer, the last one for ever."""
    state = Server("", list(answers) or [Answer()], body)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            state.seen.append((self.path, dict(self.headers.items())))
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            whole = answer.body if answer.body is not None else state.body
            content = whole(self.path) if callable(whole) else whole
            status, start = answer.status, 0
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, answer.etag)
            if status == 200 and asked and answer.ranges and same:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                status = 206 if start < len(content) else 416
            sent = b"" if status in (416, 429, 500, 503, 404) else content[start:]
            self.send_response(status)
            if answer.length != -1:
                self.send_header("Content-Length", str(len(sent) if answer.length is None else answer.length))
            if answer.etag:
                self.send_header("ETag", answer.etag)
            if status == 416 and answer.status != 416:
                self.send_header("Content-Range", f"bytes */{len(content)}")
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(sent if answer.cut is None else sent[: answer.cut])
            self.wfile.flush()
            if answer.stall:
                state.released.wait(30)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/file.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()

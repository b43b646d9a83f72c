"""A local HTTP server that misbehaves on demand.

    with Server({"/green/green_tripdata_2020-04.csv.gz": content}) as server:
        server.behave("/green/green_tripdata_2020-04.csv.gz", fail_status=503, fail_times=2)
        ...  # fetch from server.url
        assert server.methods() == ["GET", "GET", "GET"]

It speaks HTTP/1.1 on 127.0.0.1, with ETags, conditional and Range requests, until told otherwise.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Behaviour:
    """How one path is served; what stands first happens first."""

    silent: bool = False
    """Take the request and never answer."""
    login: str | None = None
    """Answer 401 unless the request has this "user:password"."""
    head_status: int | None = None
    """Answer HEAD with this status, for example 405."""
    fail_status: int | None = None
    """Answer with this status ..."""
    fail_times: int | None = None
    """... this often (None: always), then normally."""
    retry_after: str | None = None
    """The Retry-After header of those failures."""
    redirect: str | None = None
    """Answer 302 to this path or address; its own path makes a loop."""

    etag: Literal["strong", "weak"] | None = "strong"
    """Which ETag is sent; it changes with the body."""
    last_modified: str | None = None
    """The Last-Modified header, as an HTTP date; If-Modified-Since compares it literally."""
    ranges: Literal["honour", "ignore", "shift", "mix"] = "honour"
    """ignore: answer 200 to a Range; shift: answer with another range than was asked for;
    mix: ignore If-Range, and so continue with the bytes of a changed body."""
    range_most: int | None = None
    """Answer a Range with at most this many bytes."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers added to every answer with a body."""

    then: bytes | None = None
    """The body after ..."""
    then_after: int = 1
    """... this many requests to the path."""

    length: int | None = None
    """A Content-Length other than the true one; the connection closes after the body."""
    chunked: bool = False
    """Send no Content-Length, but chunks."""
    drop_after: int | None = None
    """Close the connection after this many bytes of the body ..."""
    drop_times: int | None = None
    """... this often (None: always), then no more."""
    stall_after: int | None = None
    """Send this many bytes of the body, then nothing more, for ever."""
    drip: tuple[int, float] | None = None
    """Send this many bytes at a time, and pause for these seconds between."""


@dataclass(frozen=True)
class Request:
    """A request that arrived; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class Server:
    """Serves `files`, a dict of path to bytes that may be changed at any time.

    Attributes:
        url: Its address, without a slash at the end.
        requests: What arrived so far, in order.
        sent: Bytes of bodies that were written so far.
        holding: Set once a request is being kept waiting (silent or stalled).
        listener: The server of the standard library, to change before a request arrives.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.requests: list[Request] = []
        self.sent = 0
        self.holding = threading.Event()
        self._behaviours: dict[str, Behaviour] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.listener = _QuietServer(("127.0.0.1", 0), _handler(self))
        self.listener.daemon_threads = True
        self.listener.block_on_close = False
        self.url = f"http://127.0.0.1:{self.listener.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self.listener.shutdown()
        self.listener.server_close()

    def behave(self, path: str = "*", **changes: Any) -> None:
        """Change the Behaviour of a path, or of every path that has none of its own ("*")."""
        self._behaviours[path] = replace(self.behaviour(path), **changes)

    def behaviour(self, path: str) -> Behaviour:
        """Return how a path is served now."""
        return self._behaviours.get(path) or self._behaviours.get("*") or Behaviour()

    def methods(self, path: str | None = None) -> list[str]:
        """Return the methods of the requests that arrived so far, of one path or of all."""
        return [request.method for request in self.requests if path in (None, request.path)]

    def count(self, event: str, path: str) -> int:
        """Count one more event of a path, and return how many there were before."""
        with self._lock:
            before = self._counts[event, path]
            self._counts[event, path] += 1
            return before

    def hold(self) -> None:
        """Keep the calling handler waiting until the server is closed."""
        self.holding.set()
        self._closing.wait()


def etag_of(body: bytes, *, weak: bool = False) -> str:
    """Return the ETag that the server sends for this body."""
    return f'{"W/" if weak else ""}"{hashlib.sha256(body).hexdigest()[:16]}"'


@contextmanager
def deaf_port() -> Iterator[str]:
    """Yield an address that a connection to neither succeeds nor is refused: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for client in waiting:
                client.close()


def closed_port() -> str:
    """Return an address where connections are refused."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP on a free port of this machine for the block, and yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        # Often, because a shutdown waits for the next look.
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class JsonHandler(BaseHTTPRequestHandler):
    """Answers with JSON documents, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, document: Mapping[str, Any], raw: bytes | None = None) -> None:
        """Send a document, or instead of it these bytes."""
        content = raw if raw is not None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _QuietServer(ThreadingHTTPServer):
    request_queue_size = 128  # with the usual 5, eight connections at once wait for a second

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.serve()

        def do_GET(self) -> None:
            self.serve()

        def log_message(self, *_: object) -> None:
            pass

        def serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append(Request(self.command, self.path, headers))
            seen = server.count("request", self.path)
            way = server.behaviour(self.path)
            if way.silent:
                server.hold()
                self.close_connection = True
            elif way.login and headers.get("authorization") != basic(way.login):
                self.answer(401, {"WWW-Authenticate": "Basic"})
            elif way.head_status and self.command == "HEAD":
                self.answer(way.head_status)
            elif way.fail_status and (
                way.fail_times is None or server.count("failure", self.path) < way.fail_times
            ):
                retry = {"Retry-After": way.retry_after} if way.retry_after else {}
                self.answer(way.fail_status, retry)
            elif way.redirect:
                self.answer(302, {"Location": way.redirect})
            elif self.path not in server.files:
                self.answer(404)
            else:
                changed = way.then is not None and seen >= way.then_after
                body = way.then if changed and way.then is not None else server.files[self.path]
                with suppress(ConnectionError):
                    self.serve_file(body, way, headers)

        def serve_file(self, body: bytes, way: Behaviour, asked: dict[str, str]) -> None:
            sent = dict(way.headers)
            etag = etag_of(body, weak=way.etag == "weak") if way.etag else None
            if etag:
                sent["ETag"] = etag
            if way.last_modified:
                sent["Last-Modified"] = way.last_modified
            if "if-none-match" in asked:
                unchanged = asked["if-none-match"] == etag
            else:
                unchanged = (
                    way.last_modified is not None
                    and asked.get("if-modified-since") == way.last_modified
                )
            if unchanged:
                self.answer(304, sent)
                return
            status, start, stop = 200, 0, len(body)
            fresh = way.ranges == "mix" or asked.get("if-range", etag) == etag
            if "range" in asked and way.ranges != "ignore" and fresh:
                first, _, last = asked["range"].removeprefix("bytes=").partition("-")
                start, stop = int(first), min(int(last) + 1 if last else len(body), len(body))
                if start >= len(body):
                    self.answer(416, sent | {"Content-Range": f"bytes */{len(body)}"})
                    return
                stop = min(stop, start + way.range_most) if way.range_most else stop
                if way.ranges == "shift":
                    start = max(start - 7, 0)
                status = 206
                sent["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
            self.send_body(status, sent, body[start:stop], way)

        def send_body(self, status: int, sent: dict[str, str], part: bytes, way: Behaviour) -> None:
            self.send_response(status)
            if way.chunked:
                sent["Transfer-Encoding"] = "chunked"
            else:
                sent["Content-Length"] = str(len(part) if way.length is None else way.length)
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            if way.length is not None:
                self.close_connection = True
            if self.command == "HEAD":
                return
            write = self.write_chunk if way.chunked else self.wfile.write
            if way.drop_after is not None and (
                way.drop_times is None or server.count("drop", self.path) < way.drop_times
            ):
                self.trickle(write, part[: way.drop_after], way)
                self.close_connection = True
            elif way.stall_after is not None:
                self.trickle(write, part[: way.stall_after], way)
                server.hold()
                self.close_connection = True
            else:
                self.trickle(write, part, way)
                if way.chunked:
                    self.wfile.write(b"0\r\n\r\n")

        def trickle(self, write: Callable[[bytes], object], part: bytes, way: Behaviour) -> None:
            size, pause = way.drip or (65536, 0)
            for start in range(0, len(part), size):
                server.sent += len(part[start : start + size])
                write(part[start : start + size])
                self.wfile.flush()
                if pause and server._closing.wait(pause):
                    return

        def write_chunk(self, chunk: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

        def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", "0")
            self.end_headers()

    def basic(login: str) -> str:
        return f"Basic {b64encode(login.encode()).decode()}"

    return Handler

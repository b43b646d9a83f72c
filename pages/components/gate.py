"""Turn away requests of other origins, and of strangers, before Streamlit sees them.

Streamlit lets any page of this machine open a session, whatever its port, and asks a public service
for the machine's own address in order to compare it with a foreign origin (streamlit 1.67,
`server_util.is_url_from_allowed_origins`). Behind this gate it never comes to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamlit import config

from pipeline.core.access import is_required, read_lists
from pipeline.core.errors import FaregroundError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_METRICS, _HEALTH = "/_stcore/metrics", ("/_stcore/health", "/_stcore/script-health-check")


class Gate:
    """ASGI middleware: foreign origins get 403; with sign-in on, metrics are not served.

    An origin is a scheme, host and port: to a browser another port is another site. The scheme is
    not compared, because a proxy may speak HTTPS in front of the app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        origin, host = headers.get(b"origin"), headers.get(b"host", "")
        if origin is not None:
            listed = config.get_option("server.corsAllowedOrigins")
            if origin not in listed and not is_same_origin(origin, host):
                await _refuse(scope, send, 403)
                return
            if scope["type"] == "websocket" and urlsplit(origin).netloc != host:
                scope = {**scope, "headers": _with_host_as_origin(scope, origin, host)}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.endswith(_METRICS) and _is_sign_in_on():
            await _refuse(scope, send, 404)
        elif path.endswith(_HEALTH) and _is_sign_in_on():
            await self._app(scope, receive, _without_body(send))
        else:
            await self._app(scope, receive, send)


def is_same_origin(origin: str, host: str) -> bool:
    """Return whether an Origin header names the host and port that the Host header names."""
    try:
        theirs = urlsplit(origin)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        if not theirs.hostname or theirs.scheme not in _DEFAULT_PORTS:
            return False
        default = _DEFAULT_PORTS[theirs.scheme]
        return (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except ValueError:
        return False


def _is_sign_in_on() -> bool:
    try:
        return is_required(read_lists())
    except FaregroundError:  # half set up: nobody is let in
        return True


def _with_host_as_origin(scope: Scope, origin: str, host: str) -> list[tuple[bytes, bytes]]:
    """Return the headers with an origin that Streamlit compares with the host and nothing else."""
    others = [(name, value) for name, value in scope["headers"] if name.lower() != b"origin"]
    return [*others, (b"origin", f"{urlsplit(origin).scheme}://{host}".encode("latin-1"))]


async def _refuse(scope: Scope, send: Send, status: int) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before accepting: HTTP 403
        return
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _without_body(send: Send) -> Send:
    """Return a `send` that keeps the status of a response and drops what it says."""

    async def send_status(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(n, v) for n, v in message["headers"] if n.lower() != b"content-length"]
            message = {**message, "headers": [*headers, (b"content-length", b"0")]}
        elif message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_status

"""The server's gate: other origins get no session, and strangers learn nothing of the server."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pages.components.gate import is_same_origin
from tests.support.browser import serve
from tests.support.servers import Server

SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def send(address: str, path: str, **headers: str) -> tuple[int, bytes]:
    """Return status and body of the response to a GET request."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, b"" if response.status == 101 else response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("https://fareground.example", "fareground.example", True),  # behind a proxy
        ("https://fareground.example", "fareground.example:443", True),
        ("http://[::1]:8501", "[::1]:8501", True),
        ("http://LocalHost:8501", "localhost:8501", True),
        ("http://127.0.0.1:9999", "127.0.0.1:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("http://127.0.0.1", "127.0.0.1:8501", False),
        ("http://0.0.0.0:8501", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501@evil.example", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501.evil.example", "127.0.0.1:8501", False),
        ("null", "127.0.0.1:8501", False),
        ("file://", "127.0.0.1:8501", False),
        ("chrome-extension://127.0.0.1:8501", "127.0.0.1:8501", False),
        ("http://127.0.0.1:port", "127.0.0.1:8501", False),
        ("", "", False),
    ],
)
def test_origin_is_host_and_port(origin: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, host) == same


def test_foreign_origin_gets_no_session_and_makes_the_server_ask_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as elsewhere:
        monkeypatch.setenv("http_proxy", elsewhere.url)
        monkeypatch.setenv("no_proxy", "")
        with serve(tmp_path / "home") as address:
            port = urlsplit(address).port
            assert send(address, "/_stcore/stream", Origin=address, **SOCKET)[0] == 101
            named = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
            assert send(address, "/_stcore/stream", **named, **SOCKET)[0] == 101
            for origin in (
                "http://127.0.0.1:9999",
                "http://127.0.0.1",
                f"http://localhost:{port}",
                f"http://0.0.0.0:{port}",
                "http://evil.example",
                "null",
            ):
                assert send(address, "/_stcore/stream", Origin=origin, **SOCKET)[0] == 403
                assert send(address, "/_stcore/metrics", Origin=origin)[0] == 403
        assert elsewhere.requests == []


def test_strangers_learn_nothing_from_metrics_and_health(tmp_path: Path) -> None:
    def auth(address: str) -> str:
        return (
            "[auth]\n"
            f'redirect_uri = "{address}/oauth2callback"\ncookie_secret = "a-secret-of-a-test"\n'
            'client_id = "a"\nclient_secret = "another-secret"\n'
            'server_metadata_url = "http://127.0.0.1:9/"\n'
        )

    with serve(tmp_path / "home", auth, SIGN_IN_ALLOWED="anna@example.org") as address:
        assert send(address, "/_stcore/metrics") == (404, b"")
        assert send(address, "/_stcore/metrics?families=session_events") == (404, b"")
        assert send(address, "//_stcore/metrics")[0] in (400, 404)
        assert send(address, "/_stcore/health") == (200, b"")  # its status is for containers


def test_metrics_are_served_where_sign_in_is_off(tmp_path: Path) -> None:
    with serve(tmp_path / "home") as address:
        status, text = send(address, "/_stcore/metrics")
        assert (status, b"# TYPE" in text) == (200, True)
        assert send(address, "/_stcore/health") == (200, b"ok")

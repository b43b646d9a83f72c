"""Notifications through a real webhook and a real mail server, and the secrets they never show."""

from __future__ import annotations

import email
import email.policy
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month
from pipeline.runs import notify
from pipeline.runs.history import History
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.runs.schedule.store import Schedules
from tests.support.files import GREEN, backfill, put, put_trips, request, trip
from tests.support.servers import serving

SECRET_PATH = "/services/T000/very-secret"
PASSWORD = "canary-password"


class Hook:
    """A webhook that answers with these statuses in turn, and then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                hook.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.handler = Handler
        self.url = ""


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    with serving(made.handler) as address:
        made.url = f"{address}{SECRET_PATH}"
        yield made


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.messages.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mail_port() -> Iterator[tuple[int, Mailbox]]:
    mailbox = Mailbox()

    def allow(_server: Any, _session: Any, _envelope: Any, _way: Any, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=allow,
        auth_require_tls=False,
    )
    controller.start()
    yield port, mailbox
    controller.stop()


def set_up(monkeypatch: pytest.MonkeyPatch, home: Path, **values: object) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"FAREGROUND_{name.upper()}", str(value))
    return Settings(home=home)


def set_up_mail(monkeypatch: pytest.MonkeyPatch, home: Path, port: int, password: str) -> Settings:
    return set_up(
        monkeypatch,
        home,
        notify_email="anna@example.org",
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_user="anna",
        smtp_password=password,
    )


def log_of(settings: Settings) -> str:
    history = History(settings.history_path)
    return "\n".join(str(line) for line in history.log_lines(history.runs()[0].run_id))


def test_finished_run_posts_slack_message_to_webhook(
    hook: Hook, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = set_up(monkeypatch, settings.home, notify_webhook=hook.url)
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    backfill(settings, request(folder, GREEN))
    (body,) = hook.bodies
    assert set(body) == {"text"}
    assert "succeeded: 1 of 1 files loaded, 2 rows, 0 failed" in body["text"]
    assert "notified by webhook" in log_of(settings)


def test_notification_of_failed_run_has_escaped_reason(
    hook: Hook, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = set_up(monkeypatch, settings.home, notify_webhook=hook.url, notify_on="failed")
    put(folder, GREEN, b"<html>not & a trip file</html>\n")
    backfill(settings, request(folder, GREEN))
    (body,) = hook.bodies
    assert "1 failed" in body["text"]
    assert "green_tripdata_2020-04" in body["text"]
    assert "<" not in body["text"]
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    assert len(hook.bodies) == 1  # a succeeded run, which the settings do not notify


def test_busy_webhook_is_retried(
    hook: Hook, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = set_up(monkeypatch, settings.home, notify_webhook=hook.url)
    hook.statuses = [503, 429]
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    assert len(hook.bodies) == 3
    assert "notified by webhook" in log_of(settings)


@pytest.mark.parametrize("fault", ["refused", "down"])
def test_failing_webhook_neither_fails_run_nor_leaks_its_url(
    hook: Hook, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    url = hook.url if fault == "refused" else f"http://127.0.0.1:9{SECRET_PATH}"
    settings = set_up(monkeypatch, settings.home, notify_webhook=url)
    hook.statuses = [404]
    put_trips(folder, GREEN, [trip(GREEN)])
    state, _ = backfill(settings, request(folder, GREEN))
    assert state == "succeeded"
    assert "WARNING could not notify by webhook: " in log_of(settings)
    for path in settings.home.rglob("*"):
        assert not path.is_file() or b"very-secret" not in path.read_bytes()
    assert "very-secret" not in repr(settings)


def test_notification_is_mailed_after_login(
    mail_port: tuple[int, Mailbox],
    settings: Settings,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, mailbox = mail_port
    settings = set_up_mail(monkeypatch, settings.home, port, PASSWORD)
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    (message,) = mailbox.messages
    parsed = email.message_from_string(message, policy=email.policy.default)
    assert parsed["To"] == "anna@example.org"
    assert "1 of 1 files loaded" in parsed.get_content()
    assert PASSWORD not in message
    assert "notified by e-mail" in log_of(settings)


def test_wrong_mail_password_is_logged_without_password(
    mail_port: tuple[int, Mailbox],
    settings: Settings,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, mailbox = mail_port
    settings = set_up_mail(monkeypatch, settings.home, port, "another-canary")
    put_trips(folder, GREEN, [trip(GREEN)])
    state, _ = backfill(settings, request(folder, GREEN))
    assert (state, mailbox.messages) == ("succeeded", [])
    assert "SMTP_PASSWORD" in log_of(settings)
    assert "another-canary" not in log_of(settings)


@pytest.fixture
def endless(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that sends the first bytes, then the second ones without end."""
    first, then, pause = request.param
    closing = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(first)
                while not closing.wait(pause):
                    self.request.sendall(then)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        closing.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("endless", "notified"),
    [
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000_000, 0), True),
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.1), True),
        ((b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.1), False),
    ],
    indirect=["endless"],
)
def test_webhook_that_never_stops_answering_does_not_hold_the_run(
    endless: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, notified: bool
) -> None:
    monkeypatch.setattr(notify, "_TIMEOUT_SECONDS", 0.5)
    settings = set_up(monkeypatch, settings.home, notify_webhook=f"http://127.0.0.1:{endless}/")
    began = time.monotonic()
    ((level, _),) = notify.send("Subject", "Text", settings)
    assert level == ("info" if notified else "warning")
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "endless",
    [
        (b"220 hi\r\n", b"250-" + b"a" * 4000 + b"\r\n", 0),
        (b"220 hi\r\n", b"250-a\r\n", 0.1),
        (b"220 hi\r\n", b"2", 0.1),
    ],
    indirect=True,
)
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mail_server_that_never_stops_answering_does_not_hold_the_run(
    endless: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setattr(notify, "_MAIL_SECONDS", 0.5)
    monkeypatch.setattr(notify, "_TIMEOUT_SECONDS", 0.4)
    set_up_mail(monkeypatch, settings.home, endless, PASSWORD)
    settings = set_up(monkeypatch, settings.home, smtp_security=security)
    began = time.monotonic()
    ((level, _),) = notify.send("Subject", "Text", settings)
    assert level == "warning"
    assert time.monotonic() - began < 3


def test_schedule_that_cannot_start_a_run_notifies_once(
    hook: Hook, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = set_up(monkeypatch, settings.home, notify_webhook=hook.url)
    gone = str(tmp_path / "gone")
    Schedules(settings).add(Schedule("green-local", GREEN_TAXIS, Month(2020, 1), source=gone))
    scheduler = Scheduler(settings)
    scheduler.fire("green-local")
    scheduler.fire("green-local")
    (body,) = hook.bodies
    assert "schedule green-local failed" in body["text"]

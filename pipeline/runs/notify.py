"""Send a notification about a run to a webhook, by e-mail, or both, as the settings say.

A notification that cannot be sent becomes a line in the run's log and never fails the run. That
line does not contain the webhook's URL or the mail password, which are secrets.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

import httpx2

from pipeline.core.cancel import Cancel
from pipeline.core.errors import UsageError
from pipeline.core.retry import retry_context
from pipeline.core.settings.settings import Settings
from pipeline.runs.run_records import RunFile, RunState

_TIMEOUT_SECONDS = 10.0  # of one attempt
_ATTEMPTS = 3
_MAIL_SECONDS = 15.0  # for all replies of a mail server together
_MAIL_BYTES = 65_536  # of all its replies


def describe_run(run_id: str, state: RunState, origin: str, files: Sequence[RunFile]) -> str:
    """Return the text of a notification: totals of the run, then its first five failed files."""
    loaded = [file for file in files if file.state == "loaded"]
    failed = [file for file in files if file.state == "failed"]
    rows = sum(file.rows or 0 for file in loaded)
    lines = [
        f"Fareground run {run_id} ({origin}) {state}: {len(loaded):,} of {len(files):,} files "
        f"loaded, {rows:,} rows, {len(failed):,} failed."
    ]
    lines += [f"{file.file.stem}: {file.reason}" for file in failed[:5]]
    if len(failed) > 5:
        lines.append(f"and {len(failed) - 5:,} more")
    return "\n".join(lines)


def wants_notification(state: RunState, settings: Settings) -> bool:
    """Return whether the settings ask for a notification about a run with this final state."""
    states = ("failed",) if settings.notify_on == "failed" else ("failed", "succeeded")
    return state in states and bool(
        settings.notify_webhook.get_secret_value() or settings.notify_email
    )


def send_test(settings: Settings) -> list[tuple[str, str]]:
    """Send a test notification and return what `send` returns.

    Raises UsageError when the settings name neither a webhook nor an e-mail address.
    """
    if not settings.notify_webhook.get_secret_value() and not settings.notify_email:
        raise UsageError(
            "There is nobody to notify.",
            cure="Set FAREGROUND_NOTIFY_WEBHOOK or FAREGROUND_NOTIFY_EMAIL.",
        )
    text = "This is a test notification of Fareground. Notifications of runs will arrive here."
    return send("Fareground: test notification", text, settings)


def send(subject: str, text: str, settings: Settings) -> list[tuple[str, str]]:
    """Send a text to the webhook and the e-mail address in the settings.

    Returns the level (info or warning) and a log message for each channel. Network and mail
    errors become messages; they are not raised.
    """
    senders: dict[str, Callable[[], None]] = {}
    if settings.notify_webhook.get_secret_value():
        senders["webhook"] = lambda: _send_webhook(text, settings)
    if settings.notify_email:
        senders["e-mail"] = lambda: _send_email(subject, text, settings)
    attempts = []
    for name, sender in senders.items():
        try:
            sender()
            attempts.append(("info", f"notified by {name}"))
        except (
            _NotificationRefused,
            OSError,
            smtplib.SMTPException,
            httpx2.HTTPError,
            ValueError,
        ) as error:
            attempts.append(("warning", f"could not notify by {name}: {_describe_error(error)}"))
    return attempts


class _NotificationRefused(Exception):
    """The webhook answered with an error status that a retry would not change."""


def _send_webhook(text: str, settings: Settings) -> None:
    from pipeline.files.web import run

    # Slack reads these characters as markup: https://api.slack.com/reference/surfaces/formatting
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    url = settings.notify_webhook.get_secret_value()

    async def post() -> int:
        # The answer's body is not read: it may have no end.
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
            client.stream("POST", url, json={"text": escaped}) as response,
        ):
            return response.status_code

    for attempt in retry_context(
        on=(httpx2.TransportError, TimeoutError, _TemporaryRefusal),
        attempts=_ATTEMPTS,
        wait_initial=0.2,
        wait_max=5.0,
    ):
        with attempt:
            status = run(post, Cancel())
            if status == 429 or status >= 500:
                raise _TemporaryRefusal(f"it answered {status}")
            if status >= 300:
                raise _NotificationRefused(f"it answered {status}")


class _TemporaryRefusal(_NotificationRefused):
    """The webhook answered 429 or 5xx, so that a retry may succeed."""


class _Replies:
    """Reads the replies of a mail server, up to a size and a deadline (of `time.monotonic`)."""

    def __init__(self, connection: socket.socket, ends: float) -> None:
        self._connection = connection
        self._ends = ends
        self._left = _MAIL_BYTES

    def readline(self, size: int) -> bytes:
        line = bytearray()
        while len(line) < size and not line.endswith(b"\n"):
            seconds = min(self._ends - time.monotonic(), _TIMEOUT_SECONDS)
            if seconds <= 0 or not self._left:
                raise TimeoutError("the replies do not end")
            self._connection.settimeout(seconds)
            byte = self._connection.recv(1)
            if not byte:
                break
            line += byte
            self._left -= 1
        return bytes(line)

    def close(self) -> None:
        """Leave the socket open; `smtplib` closes it."""


class _Mail(smtplib.SMTP):
    """SMTP client that limits the size and the duration of a session, which smtplib does not."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._ends = time.monotonic() + _MAIL_SECONDS
        super().__init__(*arguments, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock, self._ends)
        return super().getreply()


class _SecureMail(_Mail, smtplib.SMTP_SSL):
    """SMTP client over TLS with the limits of `_Mail`."""


def _send_email(subject: str, text: str, settings: Settings) -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = settings.smtp_from or settings.notify_email
    message["To"] = settings.notify_email
    message.set_content(text)
    host, port = settings.smtp_host, settings.smtp_port
    context = ssl.create_default_context()
    server: _Mail
    if settings.smtp_security == "tls":
        server = _SecureMail(host, port, timeout=_TIMEOUT_SECONDS, context=context)
    else:
        server = _Mail(host, port, timeout=_TIMEOUT_SECONDS)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)


def _describe_error(error: Exception) -> str:
    """Return the cause of a failure without the library's text, which may quote the secret URL."""
    if isinstance(error, _NotificationRefused):
        return str(error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refused the user or password (SMTP_USER, SMTP_PASSWORD)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    return type(error).__name__

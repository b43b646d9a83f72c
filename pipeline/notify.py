"""Tell somebody how a run went: a webhook, e-mail, or both, as far as they are set.

A notification that cannot be sent is a line in the run's log and nothing worse. Neither the
webhook's address nor the password, both secrets, stands in that line.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage

import httpx2
import stamina

from pipeline.run_records import RunFile, RunState
from pipeline.settings import Settings

_PATIENCE = 10.0  # seconds for one try
_ATTEMPTS = 3


def describe_run(run_id: str, state: RunState, origin: str, files: Sequence[RunFile]) -> str:
    """Return how a run went, in a few lines for people."""
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


def is_wanted(state: RunState, settings: Settings) -> bool:
    """Whether somebody wants to hear of a run that ended so."""
    wanted = ("failed",) if settings.notify_on == "failed" else ("failed", "succeeded")
    return state in wanted and bool(
        settings.notify_webhook.get_secret_value() or settings.notify_email
    )


def send(subject: str, text: str, settings: Settings) -> list[tuple[str, str]]:
    """Send a text by every way that is set; return level and sentence of each try, for a log.

    Raises nothing: whatever goes wrong is in one of the sentences.
    """
    ways: dict[str, Callable[[], None]] = {}
    if settings.notify_webhook.get_secret_value():
        ways["webhook"] = lambda: _post(text, settings)
    if settings.notify_email:
        ways["e-mail"] = lambda: _mail(subject, text, settings)
    told = []
    for name, way in ways.items():
        try:
            way()
            told.append(("info", f"told by {name}"))
        except (_Refused, OSError, smtplib.SMTPException, httpx2.HTTPError, ValueError) as error:
            told.append(("warning", f"could not tell by {name}: {_harmless(error)}"))
    return told


class _Refused(Exception):
    """The other side said no."""


def _post(text: str, settings: Settings) -> None:
    # Slack reads these three as markup: https://api.slack.com/reference/surfaces/formatting
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    url = settings.notify_webhook.get_secret_value()
    for attempt in stamina.retry_context(
        on=(httpx2.TransportError, _Passing), attempts=_ATTEMPTS, wait_initial=0.2, wait_max=5.0
    ):
        with attempt:
            answer = httpx2.post(url, json={"text": safe}, timeout=_PATIENCE)
            if answer.status_code == 429 or answer.status_code >= 500:
                raise _Passing(f"it answered {answer.status_code}")
            if answer.status_code >= 300:
                raise _Refused(f"it answered {answer.status_code}")


class _Passing(_Refused):
    """The other side may say yes in a moment."""


def _mail(subject: str, text: str, settings: Settings) -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = settings.smtp_from or settings.notify_email
    message["To"] = settings.notify_email
    message.set_content(text)
    host, port = settings.smtp_host, settings.smtp_port
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.smtp_security == "tls":
        server = smtplib.SMTP_SSL(host, port, timeout=_PATIENCE, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=_PATIENCE)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)


def _harmless(error: Exception) -> str:
    """Return what went wrong, without the texts of libraries, which quote addresses."""
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refused the user or password (SMTP_USER, SMTP_PASSWORD)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    return type(error).__name__

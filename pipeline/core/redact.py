"""Redacts secrets in errors, logs, tracebacks and exports.

Two kinds of text are replaced by `MARK`:
- the secrets registered with `remember` (settings, passwords in URLs, keys of service accounts), in
  any common encoding;
- text that matches the pattern of a secret, such as an API key or a signed URL, which may come from
  a library or a server and was never registered.

`redact` is called wherever text leaves the process: by `FaregroundError`, the run history, the
event log and reports. `guard_output` covers the rest: log records and tracebacks, those of
libraries included.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from functools import lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

from pipeline.core.terminal import printable

MARK = "•••"  # replaces each secret
SHORTEST = 4  # characters; a shorter secret would match parts of ordinary words

# Characters from which a line of a secret is redacted by itself, as the lines of a private key are.
_MIN_LINE = 16

# Group 1 of each pattern is the secret. All patterns run in linear time, because the text may come
# from a server and be long.
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(AIza[\w-]{20,})",  # https://cloud.google.com/docs/authentication/api-keys
        r"(ya29\.[\w.-]{16,})",  # a Google OAuth access token
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(.*?)(?:-----END|\Z)",
        r"\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})",  # a JSON web token
        r"://([^\s/?#]{1,2000})@",  # user and password in a URL
        r"(?i)[?&;](?:x-(?:goog|amz)-(?:signature|credential|security-token)|(?:api_?|access_?)?key"
        r"|(?:access_|id_|refresh_)?token|client_secret|code|password|secret|sig(?:nature)?)"
        r"=([^\s&#\"'<>]+)",
        r"(?i)\bauthorization\W{1,6}(?:(?:bearer|basic)\s+)?(?!bearer\b|basic\b)([\w.~+/=:-]{4,})",
        r"(?i)\bx-goog-api-key\W{1,6}([\w-]{4,})",
        r"(?i)(?:private_key(?:_id)?|client_secret|cookie_secret|refresh_token|access_token"
        r"|id_token|api_key|password)[\"']?\s{0,9}[:=]\s{0,9}\"((?:[^\"\\]|\\.)+)",
        r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]+)",
    )
)

_lock = threading.Lock()
_known: tuple[str, ...] = ()


def remember(secret: str) -> None:
    """Register a secret, so that every later call of `redact` in this process replaces it.

    Args:
        secret: Ignored if shorter than `SHORTEST` characters. The long lines of a secret of several
            lines are registered separately too.
    """
    global _known
    lines = [line for line in secret.splitlines() if len(line.strip()) >= _MIN_LINE]
    encodings = {text for part in (secret, secret.strip(), *lines) for text in _encodings(part)}
    with _lock:
        if not encodings <= set(_known):
            _known = (*_known, *sorted(encodings.difference(_known)))


def forget() -> None:
    """Unregister every secret. For tests: one test's secrets would redact the text of the next."""
    global _known
    with _lock:
        _known = ()


def redact(text: str) -> str:
    """Return the text with `MARK` in place of each secret; adjoining secrets get a single mark."""
    spans = sorted(_spans(text))
    if not spans:
        return text
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not parts:  # otherwise it overlaps or touches the previous span
            parts += [text[end:start], MARK]
        end = max(end, stop)
    return "".join((*parts, text[end:]))


def redact_all(value: Any) -> Any:
    """Return a JSON-like value with every string redacted, keys included; tuples become lists."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact_all(key): redact_all(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_all(inner) for inner in value]
    return value


def describe_exception(error: BaseException) -> str:
    """Return the traceback of an exception as redacted text without control characters."""
    return printable(redact("".join(traceback.format_exception(error))))


def guard_output() -> None:
    """Redact every log record and every traceback that Python prints in this process.

    Control characters are removed from both: a file or server may have written the text.
    Idempotent. A traceback hook that another tool has installed, such as a debugger, stays.
    """
    logging.setLogRecordFactory(_make_record)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_exception
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _print_unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _print_thread_exception


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each secret in the text, in no order; spans may overlap."""
    for secret in _known:
        start = text.find(secret)
        while start >= 0:
            yield start, start + len(secret)
            start = text.find(secret, start + 1)
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if match.group(1) != MARK:
                yield match.span(1)


@lru_cache(maxsize=64)
def _encodings(secret: str) -> frozenset[str]:
    """Return the secret as plain text and as URLs, JSON, Python code, HTML and headers encode it.

    Encodings shorter than `SHORTEST` are left out.
    """
    if len(secret) < SHORTEST:
        return frozenset()
    raw = secret.encode("utf-8", "surrogatepass")
    url_encodings = [
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        quote(raw, safe="!$&'()*+,;=:@"),
    ]
    in_base64 = base64.b64encode(raw).decode()
    encodings = {
        secret,
        *url_encodings,
        *(re.sub(r"%..", lambda match: match[0].lower(), url) for url in url_encodings),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        in_base64,
        in_base64.rstrip("="),
        in_base64.replace("+", "-").replace("/", "_"),
        in_base64.replace("+", "-").replace("/", "_").rstrip("="),
    }
    # The message of an error in a traceback, and a traceback in a JSON line, is quoted twice.
    twice = {quoted[1:-1] for text in encodings for quoted in (repr(text), json.dumps(text))}
    return frozenset(text for text in encodings | twice if len(text) >= SHORTEST)


def _make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Return a log record with redacted message, arguments, traceback and stack."""
    record = logging.LogRecord(*args, **kwargs)
    try:
        message = record.getMessage()
        clean = printable(redact(message))
    except Exception:  # logging reports arguments that do not fit by printing them in full
        message, clean = "", printable(redact(f"{record.msg!r} {record.args!r}"))
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        if (clean := printable(redact(trace))) != trace:
            record.exc_info, record.exc_text = None, clean
    if record.stack_info:
        record.stack_info = printable(redact(record.stack_info))
    return record


def _print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    print(printable(redact(text)), end="", file=sys.stderr)


def _print_thread_exception(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None and not isinstance(failure.exc_value, SystemExit):
        name = failure.thread.name if failure.thread else "unknown"
        title = f"Exception in thread {name}:\n"
        print(
            printable(redact(title)) + describe_exception(failure.exc_value),
            end="",
            file=sys.stderr,
        )


def _print_unraisable(failure: Any) -> None:
    text = f"{failure.err_msg or 'Exception ignored in'}: {failure.object!r}\n"
    if failure.exc_value is not None:
        text += "".join(traceback.format_exception(failure.exc_value))
    print(printable(redact(text)), end="", file=sys.stderr)

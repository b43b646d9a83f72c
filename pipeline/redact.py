"""The one filter that takes secrets out of text: of errors, logs, tracebacks and exports.

It takes out every secret that this process has been given (settings, logins in addresses, keys of
service accounts), in whichever way the text writes it, and whatever has the shape of a secret, such
as an API key or a signed link that came in somebody else's words.

`redact` is called where text leaves: by every error of ours, the run history, and reports.
`guard_output` does the same for all that Python logs and for every traceback it prints, of
libraries too.
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

MARK = "•••"  # stands where a secret stood
SHORTEST = 4  # characters: the parts of ordinary words are not taken for secrets

_LINE = 16  # characters of a line that is a secret by itself, as the lines of a private key are

# The group of each is what goes. All are linear: texts come from outside, and may be long.
_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(AIza[\w-]{20,})",  # https://cloud.google.com/docs/authentication/api-keys
        r"(ya29\.[\w.-]{16,})",  # an access token of Google's
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(.*?)(?:-----END|\Z)",
        r"\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})",  # a JSON web token
        r"://([^\s/?#]{1,2000})@",  # user and password in an address
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
    """Take a secret out of all text from now on, in every way it may be written there.

    What is shorter than `SHORTEST` is left alone. A secret of several lines is taken out line by
    line too.
    """
    global _known
    lines = [line for line in secret.splitlines() if len(line.strip()) >= _LINE]
    found = {way for part in (secret, secret.strip(), *lines) for way in _ways(part)}
    with _lock:
        if not found <= set(_known):
            _known = (*_known, *sorted(found.difference(_known)))


def forget() -> None:
    """Forget every secret: for tests, which would otherwise take out each other's."""
    global _known
    with _lock:
        _known = ()


def redact(text: str) -> str:
    """Return a text with `MARK` in place of each secret in it."""
    spans = sorted(_spans(text))
    if not spans:
        return text
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not kept:  # else it overlaps with the one before, or touches it
            kept += [text[end:start], MARK]
        end = max(end, stop)
    return "".join((*kept, text[end:]))


def redact_all(value: Any) -> Any:
    """Return a JSON-like value with every text in it redacted, the keys of mappings too."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact_all(key): redact_all(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_all(inner) for inner in value]
    return value


def describe_exception(error: BaseException) -> str:
    """Return the traceback of an exception, without secrets."""
    return redact("".join(traceback.format_exception(error)))


def guard_output() -> None:
    """Redact all that is logged, and every traceback that Python prints in this process.

    Doing it again changes nothing. Somebody else's hook for tracebacks, as a debugger has, stays.
    """
    logging.setLogRecordFactory(_make_record)
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print_exception
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _print_unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _print_thread_exception


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for secret in _known:
        start = text.find(secret)
        while start >= 0:
            yield start, start + len(secret)
            start = text.find(secret, start + 1)
    for shape in _SHAPES:
        for match in shape.finditer(text):
            if match.group(1) != MARK:
                yield match.span(1)


@lru_cache(maxsize=64)
def _ways(secret: str) -> frozenset[str]:
    """Return how a secret may be written: as it is, in addresses, JSON, code, HTML and headers."""
    if len(secret) < SHORTEST:
        return frozenset()
    bare = secret.encode("utf-8", "surrogatepass")
    quoted = [
        quote(bare, safe=""),
        quote(bare),
        quote_plus(bare),
        quote(bare, safe="!$&'()*+,;=:@"),
    ]
    packed = base64.b64encode(bare).decode()
    ways = {
        secret,
        *quoted,
        *(re.sub(r"%..", lambda found: found[0].lower(), way) for way in quoted),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        packed,
        packed.rstrip("="),
        packed.replace("+", "-").replace("/", "_"),
        packed.replace("+", "-").replace("/", "_").rstrip("="),
    }
    # An error's text within a traceback, and that within a JSON line, is quoted twice.
    twice = {quoted[1:-1] for way in ways for quoted in (repr(way), json.dumps(way))}
    return frozenset(way for way in ways | twice if len(way) >= SHORTEST)


def _make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """Return what is to be logged, without secrets in message, arguments and traceback."""
    record = logging.LogRecord(*args, **kwargs)
    try:
        message = record.getMessage()
        clean = redact(message)
    except Exception:  # logging would print both as they are, to say that they do not fit
        message, clean = "", redact(f"{record.msg!r} {record.args!r}")
    if clean != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[1] is not None:
        shown = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        if (redacted := redact(shown)) != shown:
            record.exc_info, record.exc_text = None, redacted
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def _print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    print(redact("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _print_thread_exception(happened: threading.ExceptHookArgs) -> None:
    if happened.exc_value is not None and not isinstance(happened.exc_value, SystemExit):
        name = happened.thread.name if happened.thread else "unknown"
        said = f"Exception in thread {name}:\n"
        print(redact(said) + describe_exception(happened.exc_value), end="", file=sys.stderr)


def _print_unraisable(happened: Any) -> None:
    said = f"{happened.err_msg or 'Exception ignored in'}: {happened.object!r}\n"
    if happened.exc_value is not None:
        said += "".join(traceback.format_exception(happened.exc_value))
    print(redact(said), end="", file=sys.stderr)

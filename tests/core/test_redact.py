"""Secrets are taken out of errors, logs, tracebacks and exports by one filter."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pages.components.common.run_log import as_text
from pipeline.answers.model.prompts import Side
from pipeline.answers.suites import report
from pipeline.answers.suites.scoring import Outcome
from pipeline.answers.suites.suite_runs import ScoredAnswer, SuiteRun
from pipeline.answers.suites.suites import read_suite, shipped_suites
from pipeline.core.errors import FaregroundError
from pipeline.core.redact import (
    MARK,
    describe_exception,
    forget,
    guard_output,
    redact,
    redact_all,
    remember,
)
from pipeline.core.settings.settings import Settings
from pipeline.files.offers import split_login
from pipeline.runs.history import History
from pipeline.runs.run_records import LogLine
from pipeline.warehouse.gcp.location import read_key
from tests.support.examples import examples

SECRET = "Zq7-wörd/+&<\"'\\ %x"

secrets = st.text(min_size=4, max_size=40).filter(
    lambda text: len(text.strip()) >= 4 and "•" not in text
)
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in an address": lambda text: quote(_bytes(text), safe=""),
    "in an address, slashes left": lambda text: quote(_bytes(text)),
    "in a form": lambda text: quote_plus(_bytes(text)),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON, letters left": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "in code": lambda text: repr(text)[1:-1],
    "in ASCII code": lambda text: ascii(text)[1:-1],
    "in HTML": html.escape,
    "in base64": lambda text: base64.b64encode(_bytes(text)).decode(),
    "in base64 of addresses": lambda text: base64.urlsafe_b64encode(_bytes(text)).decode(),
}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture
def guarded() -> Iterator[io.StringIO]:
    """What a handler writes of all that is logged while the guard is up."""
    before = logging.getLogRecordFactory(), sys.excepthook, sys.unraisablehook
    guard_output()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    log = logging.getLogger("somebody.elses")
    log.addHandler(handler)
    log.propagate = False
    yield written
    log.removeHandler(handler)
    logging.setLogRecordFactory(before[0])
    sys.excepthook, sys.unraisablehook = before[1:]


@settings(deadline=None)
@given(secrets, st.text(max_size=40), st.text(max_size=40), st.sampled_from(sorted(WAYS)))
@example(SECRET, "", "", "as it is")
@example("aaaaaa", "aa", "aaa", "as it is")
def test_secret_is_redacted_in_every_encoding_and_text(
    secret: str, before: str, after: str, way: str
) -> None:
    forget()
    remember(secret)
    written = WAYS[way](secret)
    assume("•" not in before + after)
    clean = redact(f"{before}{written}{after}")
    assert written not in clean
    assert secret not in clean
    assert MARK in clean
    assert redact(clean) == clean


@settings(deadline=None)
@given(st.lists(secrets, min_size=2, max_size=5), st.data())
def test_overlapping_secrets_are_redacted_completely(
    several: list[str], data: st.DataObject
) -> None:
    forget()
    for secret in several:
        remember(secret)
    text = "".join(data.draw(st.permutations(several)))
    clean = redact(f"before {text} after")
    assert not any(secret in clean for secret in several)
    assert clean == f"before {MARK} after"


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "Zs"])))
def test_text_without_secret_is_unchanged(text: str) -> None:
    forget()
    remember("not/in:this#text")
    assume("AIza" not in text)
    assert redact(text) == text


@settings(deadline=None)
@given(
    secrets,
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.just("SECRET"),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(max_size=5) | st.just("SECRET"), inner)
        ),
        max_leaves=10,
    ),
)
def test_redacted_document_holds_no_secret_and_keeps_its_structure(
    secret: str, document: object
) -> None:
    forget()
    remember(secret)

    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {filled(key): filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return f"<{secret}>" if value == "SECRET" else value

    clean = redact_all(filled(document))
    assert secret not in "".join(_texts(clean))
    assert type(clean) is type(document)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_texts(key), *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("API key AIzaSyD-1234567890abcdefghijklmnopqrstu is suspended", "AIzaSyD"),
        ("token ya29.a0AfH6SMB_abcdefghijklmnop ended", "a0AfH6SMB"),
        (f"the key {PEM!r}", "MIIEvQ"),
        (PEM, "hkiG9w0"),
        ("a token eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6ImEifQ.c2lnbmF0dXJlMTIz", "c2lnbmF0dXJl"),
        ("https://anna:pass:word@host/a", "word"),
        ("GET /v1?x=1&key=abc123&y=2", "abc123"),
        ("https://x/y?X-Goog-Signature=0a1b2c3d&z=1", "0a1b2c3d"),
        ("/oauth2callback?state=s&code=4-0AX4XfW", "4-0AX4XfW"),
        ("Authorization: Bearer abcd.efgh", "abcd.efgh"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("{'x-goog-api-key': 'abcd1234'}", "abcd1234"),
        ('{"client_secret": "s3cr\\"et", "a": 1}', "s3cr"),
        ('smtp_password = "hunter2"', "hunter2"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "B000"),
    ],
)
def test_unregistered_secret_is_redacted_by_its_pattern(text: str, gone: str) -> None:
    clean = redact(text)
    assert gone not in clean
    assert MARK in clean
    assert redact(clean) == clean


def test_hostile_text_is_redacted_in_linear_time() -> None:
    started = time.monotonic()
    for piece in (
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "password = ",
        '"',
        "AIza",
        "eyJ",
        "&key",
        "a.",
    ):
        redact(piece * (200_000 // len(piece)))
    assert time.monotonic() - started < 5  # quadratic, it would take minutes


def test_secret_settings_url_passwords_and_service_account_keys_are_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "gemini-key-1")
    monkeypatch.setenv("FAREGROUND_SMTP_PASSWORD", "smtp-password-1")
    monkeypatch.setenv("FAREGROUND_NOTIFY_WEBHOOK", "https://hooks.test/abc")
    Settings()
    split_login("https://user:login%20password@host/folder")
    account = {
        "type": "service_account", "client_email": "a@b", "token_uri": "x", "private_key": PEM
    }  # fmt: skip
    read_key(base64.b64encode(json.dumps(account).encode()).decode())
    text = "gemini-key-1 smtp-password-1 https://hooks.test/abc login password hkiG9w0BAQEFAASC"
    assert redact(text) == " ".join([MARK] * 5)


def test_errors_history_and_its_download_hold_no_secret(tmp_path: Path) -> None:
    remember(SECRET)
    error = FaregroundError(f"It said {SECRET}.", cure=f"Not {quote(SECRET)}.")
    assert SECRET not in f"{error} {error.problem} {error!r}"
    assert quote(SECRET) not in error.cure
    History(tmp_path / "history.sqlite").log("run-1", f"it said {SECRET}", level="error")
    assert SECRET.encode() not in b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    line = LogLine(1, datetime.now(UTC), None, "info", f"from before it was known: {SECRET}")
    assert SECRET not in as_text([line])


def test_every_export_of_a_question_set_holds_no_secret(tmp_path: Path) -> None:
    remember(SECRET)
    suite = read_suite(shipped_suites()["releases"])
    run = SuiteRun(
        "r1", suite, tmp_path, ("m",), (Side.PLAIN,), 1, 3, None, "failed", f"it said {SECRET}",
        datetime.now(UTC), None, 1,
    )  # fmt: skip
    answer = ScoredAnswer(
        suite.questions[0].id, Side.PLAIN, "m", 1, Outcome.RIGHT, f"for {SECRET}",
        f"Say {SECRET}!", "v", None, None, None, None, None, None, 0, 0, "2026-01-01",
    )  # fmt: skip
    exports = (
        report.write_csv(run, [answer]),
        report.write_html(run, [answer]),
        json.dumps(report.to_document(run, [answer]), ensure_ascii=False),
    )
    for export in exports:
        assert f"Say {MARK}!" in export
        for way in WAYS.values():
            assert way(SECRET) not in export


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secrets, st.sampled_from(sorted(WAYS)))
@example(SECRET, "as it is")
@example("%s %d", "as it is")
def test_log_records_hold_no_secret(guarded: io.StringIO, secret: str, way: str) -> None:
    forget()
    remember(secret)
    written = WAYS[way](secret)
    log = logging.getLogger("somebody.elses")
    log.error("it said %s to %d", written, 7)
    log.error("%s %s misfit", written)
    log.error(f"[{written}]".replace("%", "%%"), stack_info=True)
    try:
        raise ValueError(written) from KeyError(written)
    except ValueError as error:
        log.exception("and broke")
        described = describe_exception(error)
    assert f"ValueError: {written}" not in described
    assert f"KeyError: {written!r}" not in described
    said = guarded.getvalue()
    guarded.seek(0)
    guarded.truncate()
    assert f"it said {MARK} to 7" in said
    assert "and broke" in said
    assert "Traceback (most recent call last)" in said
    for line in said.splitlines():
        assert f"it said {written}" not in line
        assert f"ValueError: {written}" not in line
        assert f"{written} misfit" not in line


@pytest.mark.parametrize(
    "crash",
    [
        "raise ValueError(secret)",
        "thread = threading.Thread(target=lambda: int(secret)); thread.start(); thread.join()",
        "class Odd:\n    def __del__(self):\n        raise ValueError(secret)\nOdd()",
    ],
)
def test_printed_traceback_holds_no_secret(crash: str) -> None:
    script = (
        "import os, threading\nfrom pipeline.core.redact import guard_output, remember\n"
        f"secret = os.environ['SECRET']\nremember(secret)\nguard_output()\n{crash}"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "SECRET": "hunter2-hunter2"},
        check=False,
    )
    assert "ValueError" in ran.stderr
    assert MARK in ran.stderr
    assert "hunter2" not in ran.stderr + ran.stdout

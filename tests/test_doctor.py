"""The doctor: one line each with its cure, never hanging, never quoting a secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.doctor import Check, Concern, Finding, examine, run_checks
from pipeline.doctor.cloud import cloud_checks
from pipeline.errors import WarehouseError
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import open_warehouse
from tests.files import GREEN, backfill, put_trips, request, trip
from tests.gemini_server import KEY, GeminiServer
from tests.servers import Server
from tests.test_cli import pipeline
from tests.token_server import ACCOUNT, PLACE, TokenServer


@pytest.fixture
def nowhere(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose sources are closed doors of this machine."""
    monkeypatch.setenv("FAREGROUND_GITHUB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FAREGROUND_TLC_URL", "http://127.0.0.1:9")
    return settings


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def refuse() -> str:
    raise WarehouseError("It is broken.", cure="Mend it.")


def test_checks_run_at_once_in_order_and_one_that_hangs_is_left_behind() -> None:
    forever = threading.Event()

    def hang() -> str:
        forever.wait()
        return "never"

    def both_at_once() -> str:
        meeting.wait(5)
        return "met"

    def worry() -> str:
        raise Concern("It is odd.", cure="Look.")

    def break_down() -> str:
        raise ValueError("canary")

    meeting = threading.Barrier(2)
    heard: list[Finding] = []
    started = time.monotonic()
    found = run_checks(
        [
            Check("hangs", hang, seconds=0.3),
            Check("one", both_at_once),
            Check("two", both_at_once),
            Check("after one", worry, needs=("one",)),
            Check("broken", refuse),
            Check("after broken", lambda: "never", needs=("one", "broken")),
            Check("after that", lambda: "never", needs=("after broken",)),
            Check("unexpected", break_down),
        ],
        heard.append,
    )
    forever.set()
    assert time.monotonic() - started < 4
    assert [finding.state for finding in found] == [
        "failed", "ok", "ok", "warning", "failed", "skipped", "skipped", "failed",
    ]  # fmt: skip
    assert "no answer within 0.3 seconds" in found[0].message
    assert (found[4].message, found[4].cure) == ("It is broken.", "Mend it.")
    assert found[5].message == "Needs broken."
    assert "ValueError" in found[7].message
    assert "canary" not in repr(found)
    assert {finding.name for finding in heard} == {finding.name for finding in found}


def test_an_empty_home_is_well_and_closed_sources_are_a_warning(nowhere: Settings) -> None:
    found = by_name(examine("local"))
    states = {name: finding.state for name, finding in found.items()}
    assert states == {
        "settings": "ok", "folder": "ok", "disk": "ok", "warehouse": "ok",
        "source github": "warning", "source tlc": "warning", "gemini": "skipped",
    }  # fmt: skip
    assert "GEMINI_API_KEY" in found["gemini"].cure
    assert not nowhere.warehouse_path.exists()


def test_a_loaded_warehouse_says_what_is_in_it_and_a_held_one_who_holds_it(
    nowhere: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(nowhere, request(folder, GREEN))
    found = by_name(examine("local"))["warehouse"]
    assert found.state == "ok"
    assert "1 loaded files" in found.message
    with open_warehouse("local", nowhere):
        result = pipeline(nowhere, "doctor", "--json")
    held = next(c for c in json.loads(result.stdout)["checks"] if c["name"] == "warehouse")
    assert held["state"] == "warning"
    assert "pid" in held["message"]
    assert result.returncode == 0


def test_a_file_that_is_no_warehouse_and_settings_that_cannot_be_fail_with_their_cure(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere.home.mkdir()
    nowhere.warehouse_path.write_bytes(b"x" * 10_000)
    found = by_name(examine("local"))["warehouse"]
    assert found.state == "failed"
    assert found.cure
    monkeypatch.setenv("FAREGROUND_MAX_UNPACKED_GIB", "0")
    (only,) = examine("local")
    assert "FAREGROUND_MAX_UNPACKED_GIB should be greater than 0" in only.message


@pytest.mark.usefixtures("nowhere")
def test_the_key_and_the_model_are_tried_with_the_real_client_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with GeminiServer() as gemini, Server() as mirror:
        monkeypatch.setenv("GEMINI_BASE_URL", gemini.url)
        monkeypatch.setenv("FAREGROUND_GITHUB_URL", mirror.url)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        good = by_name(examine("local"))
        monkeypatch.setenv("GEMINI_MODEL", "no-such-model")
        gone = by_name(examine("local"))["gemini"]
        monkeypatch.setenv("GEMINI_API_KEY", "canary-other-key")
        refused = by_name(examine("local"))["gemini"]
    assert good["gemini"].state == "ok", good["gemini"]
    assert good["source github"].state == "warning"
    assert "does not have" in good["source github"].message
    assert (gone.state, refused.state) == ("failed", "failed")
    assert "GEMINI_MODEL" in gone.cure
    assert refused.cure
    assert "canary" not in repr((good, gone, refused))


def test_google_cloud_without_settings_says_which_are_missing_and_checks_no_more(
    nowhere: Settings,
) -> None:
    found = by_name(examine("gcp"))
    assert found["settings"].state == "failed"
    for name in ("GCP_PROJECT_ID", "GCP_BUCKET_NAME", "GCP_DATASET"):
        assert f"{name} is not set" in found["settings"].message
    assert {found[name].state for name in ("credentials", "apis", "tables")} == {"skipped"}
    result = pipeline(nowhere, "doctor", "--target", "gcp")
    assert result.returncode == 1
    assert "✕ failed" in result.stdout
    assert pipeline(nowhere, "doctor", "--target", "moon").returncode == 2


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """A service account whose tokens, bucket and dataset are this machine's."""
    with TokenServer() as server:
        for name, value in PLACE.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GCP_CREDS", json.dumps(server.key))
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


def looker(settings: Settings) -> Callable[[str], Finding]:
    """Look at one thing of the cloud, whatever came before it, with the same clients each time."""
    checks = {check.name: replace(check, needs=()) for check in cloud_checks(settings)}
    return lambda name: run_checks([checks[name]])[0]


@pytest.mark.usefixtures("nowhere")
def test_the_account_is_named_and_an_expired_token_is_renewed_without_a_word(
    cloud: TokenServer,
) -> None:
    look = looker(load_settings())
    assert look("credentials").message == f"GCP_CREDS are accepted: {ACCOUNT}."
    assert look("dataset").state == "ok"
    tokens = cloud.tokens
    cloud.expire()
    again = look("dataset")
    assert again.state == "ok", again
    assert (cloud.refused, cloud.tokens) == (1, tokens + 1)


@pytest.mark.usefixtures("nowhere")
def test_a_refused_token_is_reported_with_its_cure_and_no_secret(cloud: TokenServer) -> None:
    cloud.refusal = "invalid_grant"
    look = looker(load_settings())
    found = {name: look(name) for name in ("credentials", "dataset")}
    assert found["credentials"].state == "failed"
    assert "(invalid_grant)" in found["credentials"].message
    assert "Create a new key" in found["credentials"].cure
    assert "does not accept the credentials" in found["dataset"].message
    assert "canary" not in repr(found)
    assert "PRIVATE KEY" not in repr(found)

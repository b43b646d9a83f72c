"""The doctor: one line and one cure for each check, no hanging, no secrets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.answers.model.providers import all_models
from pipeline.core.checks import CheckWarning, DoctorCheck
from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.ops.doctor import examine
from pipeline.ops.doctor.runner import CheckResult, run_checks
from pipeline.warehouse.gcp.checks import cloud_checks
from pipeline.warehouse.registry import open_warehouse
from tests.support.command import pipeline, pipeline_process
from tests.support.files import GREEN, backfill, put_trips, request, trip
from tests.support.gemini_server import KEY, GeminiServer
from tests.support.nli_folder import make_nli_folder
from tests.support.servers import Server
from tests.support.token_server import ACCOUNT, PLACE, TokenServer


@pytest.fixture
def nowhere(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings whose sources are closed ports of this machine."""
    monkeypatch.setenv("FAREGROUND_GITHUB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FAREGROUND_TLC_URL", "http://127.0.0.1:9")
    return settings


def by_name(findings: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in findings}


def refuse() -> str:
    raise WarehouseError("It is broken.", cure="Mend it.")


def test_checks_run_in_parallel_and_hanging_check_is_abandoned() -> None:
    forever = threading.Event()

    def hang() -> str:
        forever.wait()
        return "never"

    def both_at_once() -> str:
        meeting.wait(5)
        return "met"

    def worry() -> str:
        raise CheckWarning("It is odd.", cure="Look.")

    def break_down() -> str:
        raise ValueError("canary")

    meeting = threading.Barrier(2)
    reported_results: list[CheckResult] = []
    started = time.monotonic()
    results = run_checks(
        [
            DoctorCheck("hangs", hang, seconds=0.3),
            DoctorCheck("one", both_at_once),
            DoctorCheck("two", both_at_once),
            DoctorCheck("after one", worry, needs=("one",)),
            DoctorCheck("broken", refuse),
            DoctorCheck("after broken", lambda: "never", needs=("one", "broken")),
            DoctorCheck("after that", lambda: "never", needs=("after broken",)),
            DoctorCheck("unexpected", break_down),
        ],
        reported_results.append,
    )
    forever.set()
    assert time.monotonic() - started < 4
    assert [result.state for result in results] == [
        "failed", "ok", "ok", "warning", "failed", "skipped", "skipped", "failed",
    ]  # fmt: skip
    assert "no answer within 0.3 seconds" in results[0].message
    assert (results[4].message, results[4].cure) == ("It is broken.", "Mend it.")
    assert results[5].message == "Needs broken."
    assert "ValueError" in results[7].message
    assert "canary" not in repr(results)
    assert {result.name for result in reported_results} == {result.name for result in results}


def test_empty_home_passes_and_unreachable_sources_are_warnings(nowhere: Settings) -> None:
    results = by_name(examine("local"))
    states = {name: result.state for name, result in results.items()}
    assert states.pop("leftovers") in ("ok", "warning")  # of other tests of this machine
    assert states == {
        "settings": "ok", "folder": "ok", "disk": "ok", "warehouse": "ok",
        "source github": "warning", "source tlc": "warning", "sign-in": "ok",
        **{model.label.lower(): "skipped" for model in all_models(nowhere)},
    }  # fmt: skip
    assert "GEMINI_API_KEY" in results["gemini"].cure
    assert not nowhere.warehouse_path.exists()


def test_doctor_loads_the_nli_model_of_the_settings(
    nowhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nowhere.home
    folder = make_nli_folder(tmp_path / "model", "words")
    monkeypatch.setenv("FAREGROUND_NLI_MODEL", str(folder))
    good = by_name(examine("local"))["nli model"]
    assert (good.state, good.message) == ("ok", f"{folder / 'model.onnx'} can judge claims.")
    (folder / "model.onnx").unlink()
    bad = by_name(examine("local"))["nli model"]
    assert (bad.state, "model.onnx" in bad.message, bool(bad.cure)) == ("failed", True, True)


def test_doctor_reports_content_of_warehouse_and_holder_of_locked_one(
    nowhere: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(nowhere, request(folder, GREEN))
    results = by_name(examine("local"))["warehouse"]
    assert results.state == "ok"
    assert "1 loaded files" in results.message
    with open_warehouse("local", nowhere):
        result = pipeline_process(nowhere, "doctor", "--json")
    held = next(c for c in json.loads(result.stdout)["checks"] if c["name"] == "warehouse")
    assert held["state"] == "warning"
    assert "pid" in held["message"]
    assert result.returncode == 0


def test_foreign_file_and_invalid_settings_fail_with_cure(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere.home.mkdir()
    nowhere.warehouse_path.write_bytes(b"x" * 10_000)
    results = by_name(examine("local"))["warehouse"]
    assert results.state == "failed"
    assert results.cure
    monkeypatch.setenv("FAREGROUND_MAX_UNPACKED_GIB", "0")
    (only,) = examine("local")
    assert "FAREGROUND_MAX_UNPACKED_GIB should be greater than 0" in only.message


@pytest.mark.usefixtures("nowhere")
def test_model_key_is_tried_with_real_client_and_never_printed(
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


def test_google_cloud_without_settings_names_missing_ones_and_skips_checks(
    nowhere: Settings,
) -> None:
    results = by_name(examine("gcp"))
    assert results["settings"].state == "failed"
    for name in ("GCP_PROJECT_ID", "GCP_BUCKET_NAME", "GCP_DATASET"):
        assert f"{name} is not set" in results["settings"].message
    assert {results[name].state for name in ("credentials", "apis", "tables")} == {"skipped"}
    result = pipeline(nowhere, "doctor", "--target", "gcp")
    assert result.returncode == 1
    assert "✕ failed" in result.stdout
    assert pipeline(nowhere, "doctor", "--target", "moon").returncode == 2


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """Return a service account whose token server, bucket and dataset are on this machine."""
    with TokenServer() as server:
        for name, value in PLACE.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GCP_CREDS", json.dumps(server.key))
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


def looker(settings: Settings) -> Callable[[str], CheckResult]:
    """Look at one thing of the cloud, whatever came before it, with the same clients each time."""
    checks = {check.name: replace(check, needs=()) for check in cloud_checks(settings)}
    return lambda name: run_checks([checks[name]])[0]


@pytest.mark.usefixtures("nowhere")
def test_account_is_named_and_expired_token_renewed_silently(
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
def test_refused_token_is_reported_with_cure_and_without_secret(cloud: TokenServer) -> None:
    cloud.refusal = "invalid_grant"
    look = looker(load_settings())
    results = {name: look(name) for name in ("credentials", "dataset")}
    assert results["credentials"].state == "failed"
    assert "(invalid_grant)" in results["credentials"].message
    assert "Create a new key" in results["credentials"].cure
    assert "does not accept the credentials" in results["dataset"].message
    assert "canary" not in repr(results)
    assert "PRIVATE KEY" not in repr(results)

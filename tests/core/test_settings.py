"""Settings in three places: which goes first, what may be saved where, and what never shows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.settings import settings as settings_module
from pipeline.core.settings.files import change_json, change_toml, read_json, read_toml
from pipeline.core.settings.settings import (
    Settings,
    group_fields,
    is_savable,
    is_secret,
    load_settings,
    saved_path,
)
from pipeline.ops.setting_values import find_fault, read_values, save_values

CANARY = "canary-7f3a9c"


def secrets() -> Path:
    return settings_module.SECRETS_PATH


def test_environment_precedes_secrets_toml_and_that_precedes_saved_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_values({"gcp_dataset": "saved", "gcp_bucket_name": "saved", "gcp_project_id": "saved-1"})
    secrets().write_text('GCP_DATASET = "file"\nGCP_BUCKET_NAME = "file"\n')
    monkeypatch.setenv("GCP_DATASET", "environment")
    found = load_settings()
    values = (found.gcp_dataset, found.gcp_bucket_name, found.gcp_project_id)
    assert values == ("environment", "file", "saved-1")
    origins = [
        read_values()[f"gcp_{name}"].origin for name in ("dataset", "bucket_name", "project_id")
    ]
    assert origins == ["environment variable", str(secrets()), "saved in the app"]
    shown = [read_values()[f"gcp_{name}"] for name in ("dataset", "bucket_name", "project_id")]
    assert [value.editable for value in shown] == [False, False, True]
    assert [value.origin for value in shown] == origins
    assert saved_path(settings.home).parent == settings.home


def test_secret_is_saved_in_secrets_toml_only_and_readable_by_owner_only(
    settings: Settings,
) -> None:
    secrets().write_text('# mine\nGCP_DATASET = "trips"  # keep\n\n[other]\nname = "x"\n')
    secrets().chmod(0o644)
    save_values({"gemini_api_key": CANARY, "gcp_bucket_name": "some-trips"})
    text = secrets().read_text()
    assert (text.count(CANARY), "# mine" in text, "# keep" in text, "[other]" in text) == (
        1, True, True, True,
    )  # fmt: skip
    assert secrets().stat().st_mode & 0o777 == 0o600
    assert CANARY not in saved_path(settings.home).read_text()
    assert load_settings().gemini_api_key.get_secret_value() == CANARY
    assert list(secrets().parent.glob(".secrets*")) == []

    save_values({"gemini_api_key": ""})
    assert CANARY not in secrets().read_text()
    assert not read_values()["gemini_api_key"].is_set


@pytest.mark.parametrize(
    "field",
    ["home", "gemini_base_url", "gemini_api_version", "smtp_host", "smtp_security", "nli_model"],
)
def test_home_api_address_and_sign_in_lists_cannot_be_saved_in_the_app(
    settings: Settings, field: str
) -> None:
    with pytest.raises(UsageError, match=r"in the environment or in .streamlit/secrets.toml only"):
        save_values({field: "v1"})
    settings.home.mkdir(parents=True)
    name = settings_module.variable_name(field)
    saved_path(settings.home).write_text(json.dumps({name: "elsewhere"}))
    assert load_settings() == settings


def test_address_beside_a_key_cannot_be_saved_in_the_app() -> None:
    addresses = [
        field
        for fields in group_fields().values()
        if any(is_secret(field) for field in fields)
        for field in fields
        if field.endswith(("_url", "_host", "_port", "_security"))
    ]
    assert addresses
    assert not any(map(is_savable, addresses)), "use the type KeyAddress"


@pytest.mark.usefixtures("settings")
def test_saving_an_invalid_value_saves_nothing_and_names_each_invalid_one() -> None:
    with pytest.raises(UsageError) as caught:
        save_values({"gcp_dataset": "my-trips", "gcp_retry_seconds": "soon", "memory_limit": "2GB"})
    assert "try 'my_trips'" in str(caught.value)
    assert "GCP_RETRY_SECONDS should be a valid number" in str(caught.value)
    assert load_settings().memory_limit == "1GB"


def test_invalid_saved_value_is_named_and_still_listed(
    settings: Settings,
) -> None:
    settings.home.mkdir(parents=True)
    saved_path(settings.home).write_text(json.dumps({"GCP_RETRY_SECONDS": "soon"}))
    with pytest.raises(UsageError, match="GCP_RETRY_SECONDS"):
        load_settings()
    value = read_values()["gcp_retry_seconds"]
    assert (value.text, value.origin) == ("soon", "saved in the app")
    assert "valid number" in value.fault
    save_values({"gcp_retry_seconds": ""})
    assert load_settings().gcp_retry_seconds == 120


def test_damaged_settings_file_is_named(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    saved_path(settings.home).write_text("{")
    with pytest.raises(UsageError, match=r"settings\.json does not contain settings"):
        load_settings()


def test_home_that_is_not_writable_is_reported(settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(StorageError, match="nothing can be written"):
        save_values({"memory_limit": "2GB"})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("gcp_creds", CANARY),
        ("gcp_creds", json.dumps({"type": CANARY})),
        ("gemini_base_url", "file:///etc"),
        ("gemini_base_url", "http://me:secret@127.0.0.1"),
        ("gcp_maximum_bytes_billed", "0"),
        ("max_rejected_share", "2"),
        ("gcp_bucket_name", "Trips"),
    ],
)
def test_invalid_value_has_a_reason_and_a_secret_is_never_quoted(field: str, text: str) -> None:
    fault = find_fault(field, text)
    assert fault
    assert CANARY not in fault
    assert not find_fault(field, str(Settings.model_fields[field].default)) or is_secret(field)


@pytest.mark.usefixtures("settings")
def test_every_setting_is_in_one_group_and_no_secret_has_a_text() -> None:
    fields = [field for group in group_fields().values() for field in group]
    assert sorted(fields) == sorted(Settings.model_fields)
    save_values({"gemini_api_key": CANARY})
    assert CANARY not in repr(read_values())
    assert read_values()["gemini_api_key"].is_set


def test_changes_saved_at_the_same_time_are_all_kept(settings: Settings) -> None:
    names = [f"FAREGROUND_A{number}" for number in range(8)]
    toml = settings.home.with_name("s.toml")
    for path, change in ((saved_path(settings.home), change_json), (toml, change_toml)):
        threads = [
            threading.Thread(target=change, args=(path, {name: "x"}), daemon=True) for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        content = read_json(path) if change is change_json else read_toml(path)
        assert sorted(content) == names


def test_changes_of_two_processes_are_all_kept(settings: Settings) -> None:
    path = saved_path(settings.home)
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.core.settings.files import change_json\n"
        "for i in range(30): change_json(Path(sys.argv[1]), {f'{sys.argv[2]}{i}': 'x'})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(read_json(path)) == 60


def test_settings_that_another_process_has_locked_are_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.core.settings.files._LOCK_SECONDS", 0.1)
    path = saved_path(settings.home)
    path.parent.mkdir()
    with (
        FileLock(path.with_name("settings.json.lock")),
        pytest.raises(StorageError, match="another process has locked it"),
    ):
        change_json(path, {"A": "x"})


def test_only_variables_with_a_settings_full_name_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings(home=Path("data"))
    for field in Settings.model_fields:
        for name in {field, field.upper()} - {settings_module.variable_name(field)}:
            monkeypatch.setenv(name, "7")
    monkeypatch.setenv("HOME", "/somewhere/else")
    monkeypatch.delenv("FAREGROUND_HOME", raising=False)
    settings = load_settings()
    assert settings.home == Path("data")
    assert settings == defaults


def test_settings_saved_by_version_0_1_0_are_read(settings: Settings) -> None:
    settings.home.mkdir()
    shutil.copy(Path(__file__).with_name("settings_0_1_0.json"), saved_path(settings.home))
    loaded = load_settings()
    assert (loaded.memory_limit, loaded.max_rejected_share) == ("2GB", 0.02)
    assert (loaded.gcp_project_id, loaded.gcp_dataset) == ("trips-123", "trips")
    assert loaded.gemini_model == "gemini-3.6-flash"
    assert (loaded.notify_email, loaded.notify_on) == ("anna@example.org", "failed")
    save_values({"gcp_dataset": "other"})
    assert (load_settings().gcp_dataset, load_settings().memory_limit) == ("other", "2GB")


def test_setting_of_an_earlier_version_is_ignored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_ZONE_NAMES_URL", "https://example.org/names.csv")
    settings.home.mkdir()
    saved = {"FAREGROUND_ZONE_NAMES_URL": "https://example.org", "FAREGROUND_MAX_DOCUMENT_MB": "7"}
    saved_path(settings.home).write_text(json.dumps(saved))
    assert load_settings().max_document_mb == 7

"""Settings in three places: which goes first, what may be saved where, and what never shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import settings as settings_module
from pipeline.errors import StorageError, UsageError
from pipeline.setting_values import find_fault, group_fields, read_values, save_values
from pipeline.settings import Settings, is_secret, load_settings, saved_path

CANARY = "canary-7f3a9c"


def secrets() -> Path:
    return settings_module.SECRETS_PATH


def test_the_environment_goes_before_secrets_toml_and_that_before_what_was_saved(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_values({"gcp_dataset": "saved", "gcp_bucket_name": "saved", "gcp_project_id": "saved-1"})
    secrets().write_text('GCP_DATASET = "file"\nGCP_BUCKET_NAME = "file"\n')
    monkeypatch.setenv("GCP_DATASET", "environment")
    found = load_settings()
    values = (found.gcp_dataset, found.gcp_bucket_name, found.gcp_project_id)
    assert values == ("environment", "file", "saved-1")
    origins = [found.origin(f"gcp_{name}") for name in ("dataset", "bucket_name", "project_id")]
    assert origins == ["environment variable", str(secrets()), "saved in the app"]
    shown = [read_values()[f"gcp_{name}"] for name in ("dataset", "bucket_name", "project_id")]
    assert [value.editable for value in shown] == [False, False, True]
    assert [value.origin for value in shown] == origins
    assert saved_path(settings.home).parent == settings.home


def test_a_secret_is_written_to_secrets_toml_alone_for_its_owner_alone(settings: Settings) -> None:
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


@pytest.mark.parametrize("field", ["home", "gemini_base_url", "gemini_api_version"])
def test_what_says_where_things_go_cannot_be_saved_in_the_app(
    settings: Settings, field: str
) -> None:
    with pytest.raises(UsageError, match=r"in the environment or in .streamlit/secrets.toml only"):
        save_values({field: "v1"})
    settings.home.mkdir(parents=True)
    name = settings_module.variable_name(field)
    saved_path(settings.home).write_text(json.dumps({name: "elsewhere"}))
    assert load_settings() == settings


@pytest.mark.usefixtures("settings")
def test_all_values_are_kept_or_none_is_and_each_that_cannot_be_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        save_values({"gcp_dataset": "my-trips", "gcp_retry_seconds": "soon", "memory_limit": "2GB"})
    assert "try 'my_trips'" in str(caught.value)
    assert "GCP_RETRY_SECONDS should be a valid number" in str(caught.value)
    assert load_settings().memory_limit == "1GB"


def test_a_saved_value_that_went_bad_is_named_and_can_still_be_looked_at(
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


def test_a_damaged_file_of_saved_values_is_named(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    saved_path(settings.home).write_text("{")
    with pytest.raises(UsageError, match=r"settings\.json does not hold settings"):
        load_settings()


def test_a_home_that_cannot_be_written_is_said(settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
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
def test_a_value_that_cannot_be_has_a_reason_and_a_secret_is_never_quoted(
    field: str, text: str
) -> None:
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

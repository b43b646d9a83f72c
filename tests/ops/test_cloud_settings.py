"""Google Cloud settings: read from two places, refused with a suggestion, never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.settings import settings as settings_module
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.ops.setting_values import read_values
from pipeline.warehouse.gcp.location import check_name, read_key, read_location
from pipeline.warehouse.registry import open_warehouse

KEY = {
    "type": "service_account",
    "client_email": "loader@some-project.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nvery-secret\n-----END PRIVATE KEY-----\n",
    "token_uri": "https://127.0.0.1/token",
}
GOOD = {
    "gcp_project_id": "some-project",
    "gcp_location": "EU",
    "gcp_bucket_name": "some-trips",
    "gcp_dataset": "trips",
}


def write_secrets(text: str) -> None:
    settings_module.SECRETS_PATH.write_text(text)


def test_environment_overrides_secrets_toml(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_secrets('GCP_DATASET = "from_file"\nGCP_BUCKET_NAME = "from-file"\n')
    monkeypatch.setenv("GCP_DATASET", "from_environment")
    settings = load_settings()
    assert (settings.gcp_dataset, settings.gcp_bucket_name) == ("from_environment", "from-file")
    assert read_values()["gcp_dataset"].origin == "environment variable"
    assert read_values()["gcp_bucket_name"].origin.endswith("secrets.toml")
    assert read_values()["gcp_project_id"].origin == "default"
    assert Settings(gcp_dataset="given").gcp_dataset == "given"


def test_service_account_table_in_secrets_toml_is_read() -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in KEY.items()]
    write_secrets("\n".join(["[GCP_CREDS]", *lines]))
    assert read_key(load_settings().gcp_creds.get_secret_value()) == KEY


@pytest.mark.parametrize(
    ("name", "value", "suggestion"),
    [
        ("dataset", "my-trips", "try 'my_trips'"),
        ("bucket_name", "My-Trips", "try 'my-trips'"),
        ("bucket_name", "gs://my-trips/", "try 'my-trips'"),
        ("project_id", "My Project", "try 'my-project'"),
        ("location", "europe_west1", "try 'europe-west1'"),
        ("project_id", "123456789", "not the project's display name or number"),
        ("dataset", "", "is not set"),
    ],
)
def test_invalid_name_is_refused_with_suggestion(name: str, value: str, suggestion: str) -> None:
    assert suggestion in check_name(name, value)
    with pytest.raises(UsageError, match=f"GCP_{name.upper()}"):
        read_location(Settings(**(GOOD | {f"gcp_{name}": value})))


def test_valid_names_are_accepted() -> None:
    place = read_location(Settings(**GOOD))
    assert (place.project, place.dataset, place.key) == ("some-project", "trips", None)


@pytest.mark.parametrize("form", ["raw", "base64", "path"])
def test_key_is_read_from_json_base64_or_path(form: str, tmp_path: Path) -> None:
    text = json.dumps(KEY)
    (tmp_path / "key.json").write_text(text)
    encoded = base64.b64encode(text.encode()).decode()
    assert read_key({"raw": text, "base64": encoded, "path": f"{tmp_path}/key.json"}[form]) == KEY


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ({"type": "authorized_user", "refresh_token": "very-secret"}, "of type authorized_user"),
        ({**KEY, "client_email": None}, "lacks client_email"),
        ({"very-secret": 1}, "of type something else"),
        ("very-secret", "neither JSON"),
        (["very-secret"], "neither JSON"),
    ],
)
def test_invalid_key_is_refused_without_quoting_it(key: Any, reason: str) -> None:
    settings = Settings(**GOOD, gcp_creds=key if isinstance(key, str) else json.dumps(key))
    with pytest.raises(UsageError, match=reason) as caught:
        open_warehouse("gcp", settings)
    assert "very-secret" not in str(caught.value)
    assert "very-secret" not in repr(settings) + str(settings.model_dump())


def test_unreadable_private_key_is_refused_without_quoting_it() -> None:
    place = read_location(Settings(**GOOD, gcp_creds=json.dumps(KEY)))
    assert "very-secret" not in repr(place)
    with pytest.raises(UsageError, match="private key cannot be read") as caught:
        place.credentials()
    assert "very-secret" not in str(caught.value)


def test_invalid_secrets_toml_is_named_without_quoting_it() -> None:
    write_secrets("GCP_CREDS = very-secret")
    with pytest.raises(UsageError, match=r"secrets\.toml cannot be read") as caught:
        load_settings()
    assert "very-secret" not in str(caught.value)


def test_invalid_number_is_refused_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCP_MAXIMUM_BYTES_BILLED", "-1")
    with pytest.raises(UsageError, match="GCP_MAXIMUM_BYTES_BILLED is not valid"):
        load_settings()

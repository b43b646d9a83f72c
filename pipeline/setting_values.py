"""Settings one by one, as somebody sets them: value, origin, what is wrong, and how it is changed.

Unlike `Settings`, these can be read while one of them is wrong: that is when they are looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from pipeline import settings as source
from pipeline.errors import FaregroundError, UsageError
from pipeline.setting_files import change_json, change_toml
from pipeline.settings import (
    ENVIRONMENT,
    SAVED_ORIGIN,
    Settings,
    find_home,
    is_savable,
    is_secret,
    read_saved,
    read_secrets,
    saved_path,
    variable_name,
)
from pipeline.warehouse.google_place import check_name, read_key

PLACE = ("gcp_project_id", "gcp_location", "gcp_bucket_name", "gcp_dataset")

# Which settings are shown together; those not named here are the last group.
GROUPS = {
    "Google Cloud": (*PLACE, "gcp_creds"),
    "Gemini": ("gemini_api_key", "gemini_model", "gemini_base_url", "gemini_api_version"),
    "Cost and patience in Google Cloud": (
        "gcp_maximum_bytes_billed",
        "gcp_job_timeout_seconds",
        "gcp_retry_seconds",
        "gcp_ask_above_bytes",
        "gcp_price_per_tib",
        "gcp_price_date",
    ),
    "This machine": (
        "home",
        "memory_limit",
        "max_unpacked_gib",
        "max_rejected_share",
        "connect_timeout_seconds",
        "read_timeout_seconds",
        "download_attempts",
        "busy_wait_seconds",
        "log_to",
        "github_url",
        "tlc_url",
    ),
    "Notices of runs": (
        "notify_on",
        "notify_webhook",
        "notify_email",
        "smtp_host",
        "smtp_port",
        "smtp_security",
        "smtp_user",
        "smtp_password",
        "smtp_from",
    ),
    "Sign-in": ("sign_in_allowed", "sign_in_readers"),
}


@dataclass(frozen=True)
class SettingValue:
    """One setting as it is now.

    Attributes:
        text: Its value; for a secret always "".
        is_set: Whether it has a value.
        origin: Where the value comes from, for people.
        fault: Why the value cannot be, or "".
        editable: Whether the app may change it: it is not set in a place that goes first.
    """

    field: str
    variable: str
    text: str
    is_set: bool
    origin: str
    description: str
    secret: bool
    fault: str
    editable: bool


def read_values() -> dict[str, SettingValue]:
    """Return every setting as it is now, by field; raise UsageError for a damaged file."""
    layers = _read_layers()
    return {field: _read_value(field, layers) for field in Settings.model_fields}


def group_fields() -> dict[str, tuple[str, ...]]:
    """Return every field in its group, in the order in which they are shown."""
    named = {field for fields in GROUPS.values() for field in fields}
    rest = tuple(field for field in Settings.model_fields if field not in named)
    return GROUPS | {"Everything else": rest}


def find_fault(field: str, text: str) -> str:
    """Return why a text cannot be a field's value, and what may do instead, or "".

    A secret is never quoted.
    """
    info = Settings.model_fields[field]
    kind: Any = info.annotation
    if info.metadata:
        kind = Annotated[(info.annotation, *info.metadata)]
    try:
        if field == "gcp_creds":
            read_key(text)
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]
        return _PATTERNS.get(field) or str(said["msg"]).removeprefix("Input ")
    except FaregroundError as error:
        return str(error).removeprefix(f"{variable_name(field)} ")
    return check_name(field.removeprefix("gcp_"), text) if field in PLACE and text else ""


def save_values(changes: Mapping[str, str]) -> None:
    """Keep values for this and later processes, "" meaning none of one's own any more.

    Secrets go to .streamlit/secrets.toml, all others to settings.json under FAREGROUND_HOME. All
    are kept or none is: raises UsageError with every value that cannot be, or that cannot be
    changed here; StorageError when a file cannot be written.
    """
    layers = _read_layers()
    faults = [
        f"{variable_name(field)} {fault}"
        for field, text in changes.items()
        if (
            fault := _refuse(field, _find_origin(field, layers))
            or (text and find_fault(field, text))
        )
    ]
    if faults:
        raise UsageError(
            "Nothing was saved: " + "; ".join(f.rstrip(".") for f in faults) + ".",
            cure="Mend what is named, and save again.",
        )
    kept = {variable_name(field): text or None for field, text in changes.items()}
    secret = {variable_name(field) for field in changes if is_secret(field)}
    if secret:
        change_toml(source.SECRETS_PATH, {n: v for n, v in kept.items() if n in secret})
    if kept.keys() - secret:
        home = find_home()
        change_json(saved_path(home), {n: v for n, v in kept.items() if n not in secret})


_PATTERNS = {
    "gemini_base_url": "should be an address like http://127.0.0.1:4000, without a login",
    "gemini_api_version": "should be a version like v1 or v1beta",
}


_Layers = dict[str, dict[str, Any]]  # the values by field, by where they come from


def _read_layers() -> _Layers:
    names = {field: variable_name(field) for field in Settings.model_fields}
    environment = {field: os.environ[name] for field, name in names.items() if name in os.environ}
    secrets = read_secrets()
    home = environment.get("home") or secrets.get("home") or Settings.model_fields["home"].default
    return {
        ENVIRONMENT: environment,
        str(source.SECRETS_PATH): secrets,
        SAVED_ORIGIN: read_saved(Path(home)),
    }


def _find_origin(field: str, layers: _Layers) -> str:
    return next((origin for origin, values in layers.items() if field in values), "default")


def _read_value(field: str, layers: _Layers) -> SettingValue:
    info = Settings.model_fields[field]
    secret = is_secret(field)
    default = "" if secret else str(info.default)
    raw = str(next((values[field] for values in layers.values() if field in values), default))
    origin = _find_origin(field, layers)
    return SettingValue(
        field=field,
        variable=variable_name(field),
        text="" if secret else raw,
        is_set=bool(raw),
        origin=origin,
        description=info.description or "",
        secret=secret,
        fault=find_fault(field, raw) if raw or not secret else "",
        editable=not _refuse(field, origin),
    )


def _refuse(field: str, origin: str) -> str:
    """Return why the app cannot change a field that has its value from there, or ""."""
    if not is_secret(field) and not is_savable(field):
        return "is set in the environment or in .streamlit/secrets.toml only"
    if origin == ENVIRONMENT:
        return "is set in the environment, which goes first: change it there"
    if origin not in ("default", SAVED_ORIGIN) and not is_secret(field):
        return f"is set in {origin}, which goes first: change it there"
    return ""

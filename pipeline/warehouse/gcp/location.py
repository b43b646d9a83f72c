"""Where in Google Cloud a warehouse is, and as which account; all checked before any request."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import UsageError, WarehouseError
from pipeline.core.redact import remember
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings, variable_name

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_KEY_FIELDS = ("client_email", "private_key", "token_uri")
_SECRET_FIELDS = ("private_key", "private_key_id")
_CREDS = "GCP_CREDS"
_MOST_KEY_BYTES = 100_000


@dataclass(frozen=True)
class CloudLocation:
    """A bucket and a dataset of one project, in one region; every name has been checked.

    Attributes:
        region: What Google calls a location: US, EU, or a region such as europe-west1.
        key: The key of a service account, or None for Application Default Credentials.
    """

    project: str
    region: str
    bucket: str
    dataset: str
    key: dict[str, Any] | None = field(repr=False)

    def credentials(self) -> Credentials:
        """Return the credentials of the account.

        Raises UsageError for a key that Google's library refuses, WarehouseError when there are no
        credentials at all.
        """
        import google.auth
        from google.auth import exceptions
        from google.auth.credentials import AnonymousCredentials
        from google.oauth2 import service_account

        if self.key is not None:
            try:
                account = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                    self.key, scopes=_SCOPES
                )
            except (ValueError, exceptions.GoogleAuthError):
                raise _not_an_account("its private key cannot be read") from None
            return account  # type: ignore[no-any-return]
        if os.environ.get("BIGQUERY_EMULATOR_HOST"):  # the clients' own switch; it has no accounts
            return AnonymousCredentials()
        try:
            default, _ = google.auth.default(scopes=_SCOPES)
        except exceptions.DefaultCredentialsError:
            raise WarehouseError(
                "There are no credentials for Google Cloud.",
                cure=f"Set {_CREDS}, or run gcloud auth application-default login.",
            ) from None
        return default


def read_location(settings: Settings) -> CloudLocation:
    """Return the location that the settings name; raise UsageError that lists every wrong value."""
    values = {name: getattr(settings, f"gcp_{name}").strip() for name in _CHECKS}
    faults = [
        f"{variable_name(field)} {fault}"
        for field, fault in find_faults({f"gcp_{n}": value for n, value in values.items()}).items()
    ]
    if faults:
        raise UsageError(
            "The Google Cloud warehouse cannot be used: " + "; ".join(faults) + ".",
            cure="Set them in the environment or in .streamlit/secrets.toml.",
        )
    return CloudLocation(
        project=values["project_id"],
        region=values["location"],
        bucket=values["bucket_name"],
        dataset=values["dataset"],
        key=read_key(settings.gcp_creds.get_secret_value()),
    )


def find_faults(values: Mapping[str, str]) -> dict[str, str]:
    """Return an error message for each invalid Google Cloud setting in `values`, by field.

    The key is at fault when it cannot be read; without one, Application Default Credentials are
    used.
    """
    faults = {
        f"gcp_{name}": fault
        for name in _CHECKS
        if f"gcp_{name}" in values and (fault := check_name(name, values[f"gcp_{name}"]))
    }
    try:
        read_key(values.get("gcp_creds", ""))
    except UsageError as error:
        faults["gcp_creds"] = str(error).removeprefix(f"{_CREDS} ")
    return faults


def check_name(name: str, value: str) -> str:
    """Return what is wrong with a value, and what could be meant; "" for a valid one.

    Args:
        name: project_id, location, bucket_name or dataset.
    """
    pattern, rule = _CHECKS[name]
    if not value:
        return "is not set"
    if re.fullmatch(pattern, value):
        return ""
    suggestion = _suggest(name, value)
    better = f"; try {suggestion!r}" if re.fullmatch(pattern, suggestion) else ""
    return f"is {value!r}, but {rule}{better}"


# Google's rules for names. A bucket with dots in its name must be a verified domain.
_CHECKS = {
    "project_id": (
        r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a project id has 6 to 30 lower-case letters, digits and dashes "
        "(it is not the project's display name or number)",
    ),
    "location": (r"[A-Za-z]+(-[a-z0-9]+)*", "a location is written like US, EU or europe-west1"),
    "bucket_name": (
        r"(?!goog)[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]",
        "a bucket's name has 3 to 63 lower-case letters, digits, dashes and underscores",
    ),
    "dataset": (r"[A-Za-z0-9_]{1,1024}", "a dataset's name has letters, digits and underscores"),
}


def _suggest(name: str, value: str) -> str:
    if name == "dataset":
        return re.sub(r"\W+", "_", value, flags=re.ASCII)
    if name == "location":
        return value.replace("_", "-").replace(" ", "-").lower()
    bare = value.lower().removeprefix("gs://").rstrip("/")
    return re.sub(r"[^a-z0-9_-]+" if name == "bucket_name" else r"[^a-z0-9-]+", "-", bare)


def read_key(text: str) -> dict[str, Any] | None:
    """Return the key in a setting, None if that is empty.

    A setting holds JSON, base64 of JSON, or the path of a file.

    The secrets in it are redacted from all output from now on. Raises UsageError, which never
    quotes the setting.
    """
    text = text.strip()
    if not text:
        return None
    key = _parse(text) or _parse(_decode(text))
    if key is not None:
        remember(text)
    key = key or _parse(_read(text))
    for name in _SECRET_FIELDS:
        remember(str((key or {}).get(name, "")))
    if key is None:
        raise _not_an_account("it is neither JSON, nor base64 of JSON, nor the path of such a file")
    if key.get("type") != "service_account":
        kind = str(key.get("type", "something else"))
        kind = kind if re.fullmatch(r"[a-z_]{1,40}", kind) else "something else"
        raise _not_an_account(f"the JSON is of type {kind}")
    missing = [name for name in _KEY_FIELDS if not isinstance(key.get(name), str)]
    if missing:
        raise _not_an_account(f"the JSON lacks {', '.join(missing)}")
    return key


def _not_an_account(reason: str) -> UsageError:
    return UsageError(
        f"{_CREDS} is not a service account's key: {reason}.",
        cure="Create a JSON key of a service account in the Google Cloud console "
        "(IAM, Service Accounts, Keys), or leave it out to use Application Default Credentials.",
    )


def _parse(text: str) -> dict[str, Any] | None:
    try:
        key = json.loads(text)
    except ValueError:
        return None
    return key if isinstance(key, dict) else None


def _decode(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _read(text: str) -> str:
    try:
        path = Path(text).expanduser()
        return read_regular_file(path, _MOST_KEY_BYTES).decode() if len(text) < 1000 else ""
    except (OSError, ValueError, RuntimeError):
        return ""

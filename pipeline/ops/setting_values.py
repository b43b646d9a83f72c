"""Read and save settings one by one, each with its origin and what is wrong with it.

Unlike `Settings`, they can be read while one of them is wrong, which is when people look at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from pipeline.core.errors import UsageError
from pipeline.core.settings import settings as source
from pipeline.core.settings.files import change_json, change_toml, read_json
from pipeline.core.settings.settings import (
    ENVIRONMENT,
    SAVED_ORIGIN,
    Settings,
    find_home,
    is_savable,
    is_secret,
    read_environment,
    read_saved,
    read_secrets,
    saved_path,
    variable_name,
)
from pipeline.warehouse.registry import all_backends


@dataclass(frozen=True)
class SettingValue:
    """One setting as it is now.

    Attributes:
        label: What it is, in a few words.
        text: The value; always "" for a secret.
        is_set: Whether it has a value.
        origin: Where the value comes from, for people.
        fault: What is wrong with the value, or "".
        editable: Whether the app may change it; not if it is set where that takes precedence.
    """

    field: str
    variable: str
    label: str
    text: str
    is_set: bool
    origin: str
    description: str
    secret: bool
    fault: str
    editable: bool


def read_values() -> dict[str, SettingValue]:
    """Return the present value of every setting, by field; raise UsageError for a damaged file."""
    layers = _read_layers()
    return {field: _read_value(field, layers) for field in Settings.model_fields}


def find_ignored() -> list[str]:
    """Return the variables that an earlier version saved in settings.json and this one ignores.

    Raises UsageError for a damaged file.
    """
    saved = read_json(saved_path(find_home()))
    fields = (field for field in Settings.model_fields if not is_savable(field))
    return [name for field in fields if (name := variable_name(field)) in saved]


def find_fault(field: str, text: str) -> str:
    """Return what is wrong with a text as a field's value, and what could be meant; "" if nothing.

    A secret is never quoted.
    """
    info = Settings.model_fields[field]
    kind: Any = info.annotation
    if info.metadata:
        kind = Annotated[(info.annotation, *info.metadata)]
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return str(first["msg"]).removeprefix("Input ")
    if not text:  # the doctor reports settings that a target requires and lacks
        return ""
    faults = (backend.find_faults({field: text}).get(field, "") for backend in all_backends())
    return next(filter(None, faults), "")


def save_values(changes: Mapping[str, str]) -> None:
    """Save values for this and later processes, all or none; "" removes a saved value.

    Secrets go to .streamlit/secrets.toml, all others to settings.json under FAREGROUND_HOME. Raises
    UsageError that lists every value that is wrong or cannot be changed here, and StorageError when
    a file cannot be written.
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
            cure="Correct what is named, then save again.",
        )
    saved = {variable_name(field): text or None for field, text in changes.items()}
    secret = {variable_name(field) for field in changes if is_secret(field)}
    if secret:
        change_toml(source.SECRETS_PATH, {n: v for n, v in saved.items() if n in secret})
    if saved.keys() - secret:
        home = find_home()
        change_json(saved_path(home), {n: v for n, v in saved.items() if n not in secret})


_Layers = dict[str, dict[str, Any]]  # by origin, in order of precedence: the values by field


def _read_layers() -> _Layers:
    environment = read_environment()
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
        label=info.title or variable_name(field),
        text="" if secret else raw,
        is_set=bool(raw),
        origin=origin,
        description=info.description or "",
        secret=secret,
        fault=find_fault(field, raw) if raw or not secret else "",
        editable=not _refuse(field, origin),
    )


def _refuse(field: str, origin: str) -> str:
    """Return why the app cannot change a field whose value has this origin, or ""."""
    if not is_secret(field) and not is_savable(field):
        return "is set in the environment or in .streamlit/secrets.toml only"
    if origin == ENVIRONMENT:
        return "is set in the environment, which takes precedence: change it there"
    if origin not in ("default", SAVED_ORIGIN) and not is_secret(field):
        return f"is set in {origin}, which takes precedence: change it there"
    return ""

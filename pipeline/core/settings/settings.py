"""All settings as one typed object, read from three sources.

In order of precedence: environment variables, .streamlit/secrets.toml, and settings.json under
FAREGROUND_HOME, which holds the values saved in the app and never a secret.

Variables have the prefix FAREGROUND_. Those of Google Cloud keep the names of the course that the
project belongs to (GCP_*), and those of model providers the prefixes of their own clients (GEMINI_*
and OPENAI_*).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.core.errors import UsageError
from pipeline.core.home import require_usable
from pipeline.core.redact import remember
from pipeline.core.settings import groups
from pipeline.core.settings.files import read_json, read_toml

# Streamlit's own secrets file, relative to the folder the app or command is started in.
SECRETS_PATH = Path(".streamlit/secrets.toml")

# Names of the other sources, as `Settings.origin` returns them.
ENVIRONMENT = "environment variable"
SAVED_ORIGIN = "saved in the app"

_UNPREFIXED = (
    "gcp_",
    "gemini_",
    "openai_",
)  # fields whose variables do not have the prefix FAREGROUND_


def variable_name(field: str) -> str:
    """Return the environment variable of a settings field: `FAREGROUND_HOME` for `home`."""
    return field.upper() if field.startswith(_UNPREFIXED) else f"FAREGROUND_{field.upper()}"


def is_secret(field: str) -> bool:
    """Return whether a field holds a secret, which is never shown and never saved in the app."""
    return Settings.model_fields[field].annotation is SecretStr


def is_savable(field: str) -> bool:
    """Return whether the app may save a field in settings.json."""
    marks = Settings.model_fields[field].metadata
    return not is_secret(field) and not any(isinstance(mark, groups.NotSavable) for mark in marks)


def group_fields() -> dict[str, tuple[str, ...]]:
    """Return the fields of each group, by its title, in the order in which they are shown."""
    bases = (base for base in Settings.__bases__ if issubclass(base, groups.SettingsGroup))
    return {group.title: tuple(group.model_fields) for group in bases}


def saved_path(home: Path) -> Path:
    """Return the file that holds the settings saved in the app."""
    return home / "settings.json"


def read_environment() -> dict[str, str]:
    """Return the settings in environment variables, by field."""
    variables = {field: variable_name(field) for field in Settings.model_fields}
    return {field: os.environ[name] for field, name in variables.items() if name in os.environ}


def read_secrets() -> dict[str, Any]:
    """Return the settings in .streamlit/secrets.toml, by field; {} without the file.

    Raises:
        UsageError: The file is not valid TOML.
    """
    content = read_toml(SECRETS_PATH)
    variables = {field: variable_name(field) for field in Settings.model_fields}
    values = {field: content[name] for field, name in variables.items() if name in content}
    # A service account may be a TOML table instead of a JSON string.
    return {
        field: json.dumps(value) if isinstance(value, dict) else value
        for field, value in values.items()
    }


def read_saved(home: Path) -> dict[str, Any]:
    """Return the settings saved in the app, by field; {} without the file.

    Raises:
        UsageError: The file is damaged.
    """
    content = read_json(saved_path(home))
    savable = {field: variable_name(field) for field in Settings.model_fields if is_savable(field)}
    return {field: content[name] for field, name in savable.items() if name in content}


def find_home() -> Path:
    """Return FAREGROUND_HOME from the environment or secrets.toml, else its default.

    Settings saved in the app cannot contain it, because they are stored in that folder.

    Raises:
        UsageError: No file can have a path in this folder, or the folder cannot be entered.
    """
    home = os.environ.get(variable_name("home")) or read_secrets().get("home")
    path = Path(home or Settings.model_fields["home"].default)
    require_usable(path)
    return path


class Settings(
    groups.GoogleSettings,
    groups.GeminiSettings,
    groups.OpenAISettings,
    groups.GoogleLimits,
    groups.MachineSettings,
    groups.NoticeSettings,
    groups.SignInSettings,
    groups.OtherSettings,
    BaseSettings,
):
    """Every setting.

    Each field takes its value from the environment variable that `variable_name` returns, else from
    the same name in .streamlit/secrets.toml, else from the settings saved in the app.
    """

    model_config = SettingsConfigDict(
        alias_generator=variable_name,
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: constructor arguments, environment, secrets.toml, saved settings."""
        # pydantic's own source would read a field's bare name, too: HOME for `home`.
        del env_settings, dotenv_settings, file_secret_settings
        arguments = init_settings()
        home = Path(arguments["home"]) if "home" in arguments else find_home()
        return (
            init_settings,
            InitSettingsSource(settings_cls, read_environment()),
            InitSettingsSource(settings_cls, read_secrets()),
            InitSettingsSource(settings_cls, read_saved(home)),
        )

    def model_post_init(self, context: Any) -> None:
        """Register the secrets for redaction."""
        del context
        for field in type(self).model_fields:
            # gcp_creds may be a path, which is no secret; `read_key` registers the key itself.
            if is_secret(field) and field != "gcp_creds":
                remember(getattr(self, field).get_secret_value())

    @property
    def staging(self) -> Path:
        """Folder of staging: downloaded trip files, compressed, before they are loaded."""
        return self.home / "staging"

    @property
    def uploads(self) -> Path:
        """Folder of the trip files that people uploaded and loaded, as they came."""
        return self.home / "uploads"

    @property
    def warehouse_path(self) -> Path:
        """DuckDB file of the local warehouse."""
        return self.home / "warehouse.duckdb"

    @property
    def documents_path(self) -> Path:
        """SQLite file of the documents that questions are asked about."""
        return self.home / "documents.sqlite"

    @property
    def suites_path(self) -> Path:
        """SQLite file of the suite runs, with every answer."""
        return self.home / "suites.sqlite"

    @property
    def comparisons_path(self) -> Path:
        """SQLite file of the comparisons that links lead to."""
        return self.home / "comparisons.sqlite"

    @property
    def vectors_path(self) -> Path:
        """DuckDB file of the documents' embeddings."""
        return self.home / "vectors.duckdb"

    @property
    def history_path(self) -> Path:
        """SQLite file of the run history."""
        return self.home / "history.sqlite"


def load_settings() -> Settings:
    """Read the settings from their sources.

    Raises:
        UsageError: A value is invalid, and the message names its variable but not the value; or
            secrets.toml or settings.json is damaged.
    """
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(
            f"{problem['loc'][0]} is not valid: {problem['msg']}.", cure="Correct or unset it."
        ) from None

"""Every setting in one typed object, read from three places, the first that has it.

The environment, then .streamlit/secrets.toml, then what was saved in the app: settings.json under
FAREGROUND_HOME, which never holds a secret.

Names begin with FAREGROUND_, except those of Google Cloud, which keep the course's (GCP_*), and
those of Gemini (GEMINI_*).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.errors import StorageError, UsageError
from pipeline.redact import remember
from pipeline.setting_files import read_json, read_toml

# Where Streamlit keeps secrets too; from the folder the app or command is started in.
SECRETS_PATH = Path(".streamlit/secrets.toml")

# Where a value may come from besides: the words for it.
ENVIRONMENT = "environment variable"
SAVED_ORIGIN = "saved in the app"

_NEVER_SAVED = (
    "home",
    "gemini_base_url",
    "gemini_api_version",
    "sign_in_allowed",
    "sign_in_readers",
)
_OTHER_PREFIXES = ("gcp_", "gemini_")  # of the fields whose variables do not begin FAREGROUND_


def variable_name(field: str) -> str:
    """Return the environment variable of a settings field, such as `FAREGROUND_HOME`."""
    return field.upper() if field.startswith(_OTHER_PREFIXES) else f"FAREGROUND_{field.upper()}"


def is_secret(field: str) -> bool:
    """Whether a field's value must never be shown."""
    return Settings.model_fields[field].annotation is SecretStr


def is_savable(field: str) -> bool:
    """Whether the app may save a field in settings.json: no secret, and nothing that says where
    that file is, where a key is sent, or who may use the app."""
    return not is_secret(field) and field not in _NEVER_SAVED


def saved_path(home: Path) -> Path:
    """Return the file of what was saved in the app."""
    return home / "settings.json"


def read_secrets() -> dict[str, Any]:
    """Return what .streamlit/secrets.toml sets, by field; raise UsageError if it is not TOML."""
    content = read_toml(SECRETS_PATH)
    found = {field: variable_name(field) for field in Settings.model_fields}
    values = {field: content[name] for field, name in found.items() if name in content}
    # A service account may be written as a TOML table instead of a text.
    return {k: json.dumps(v) if isinstance(v, dict) else v for k, v in values.items()}


def read_saved(home: Path) -> dict[str, Any]:
    """Return what was saved in the app, by field; raise UsageError if the file is damaged."""
    content = read_json(saved_path(home))
    found = {field: variable_name(field) for field in Settings.model_fields if is_savable(field)}
    return {field: content[name] for field, name in found.items() if name in content}


def find_home() -> Path:
    """Return FAREGROUND_HOME as the environment or secrets.toml say, else its default."""
    given = os.environ.get(variable_name("home")) or read_secrets().get("home")
    return Path(given or Settings.model_fields["home"].default)


class Settings(BaseSettings):
    """What can be set, with its default and meaning.

    Each field is read from the environment variable `variable_name` says, so `home` from
    `FAREGROUND_HOME`; where that is not set, from the same name in .streamlit/secrets.toml, and
    then in what was saved in the app.
    """

    model_config = SettingsConfigDict(
        env_prefix="FAREGROUND_", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    home: Path = Field(Path("data"), description="Folder of the warehouse, staging and history")
    memory_limit: str = Field("1GB", description="Memory DuckDB may use before it spills to disk")
    max_unpacked_gib: float = Field(
        4.0, gt=0, description="Largest trip file when unpacked, in GiB; guards against gzip bombs"
    )
    max_rejected_share: float = Field(
        0.01, ge=0, le=1, description="Share of rows that may be rejected before the file fails"
    )
    connect_timeout_seconds: float = Field(10.0, gt=0, description="Patience for a connection")
    read_timeout_seconds: float = Field(30.0, gt=0, description="Patience for the next bytes")
    download_attempts: int = Field(5, ge=1, description="Tries a download gets before it fails")
    busy_wait_seconds: float = Field(
        5.0, ge=0, description="How long to wait for a warehouse that another process holds"
    )
    query_seconds: float = Field(
        20.0, gt=0, description="Most time one query of somebody's own may take"
    )
    query_memory_limit: str = Field("512MB", description="Memory such a query may use")
    github_url: str = Field(
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download",
        description="Address of the csv.gz releases",
    )
    tlc_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/trip-data", description="Address of the TLC parquet"
    )
    zone_names_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/misc/taxi_zone_lookup.csv",
        description="Address of the names of the taxi zones",
    )
    zone_shapes_url: str = Field(
        "https://data.cityofnewyork.us/api/geospatial/8meu-9t5y?method=export&format=GeoJSON",
        description="Address of the shapes of the taxi zones",
    )
    document_hosts: str = Field(
        "raw.githubusercontent.com",
        description="Hosts that documents may be fetched from, separated by commas",
    )
    max_document_mb: float = Field(
        20.0, gt=0, description="Largest document that is read, in MB (10^6 bytes)"
    )
    log_to: Literal["file", "stderr", "both"] = Field(
        "file", description="Where the JSON lines of the log go: logs/ in the home, or stderr"
    )
    notify_on: Literal["finished", "failed"] = Field(
        "finished", description="Runs to tell of: finished (well or not), or failed only"
    )
    notify_webhook: SecretStr = Field(
        SecretStr(""), description="Address that is told, with Slack's JSON; empty for none"
    )
    notify_email: str = Field("", description="E-mail address that is told; empty for none")
    smtp_host: str = Field("localhost", description="Mail server")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is encrypted"
    )
    smtp_user: str = Field("", description="User there; empty for none")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password there")
    smtp_from: str = Field("", description="Sender's address; default: the one that is told")
    sign_in_allowed: str = Field(
        "", description="E-mail addresses that may sign in, separated by commas"
    )
    sign_in_readers: str = Field(
        "", description="Addresses that may sign in and look, but change nothing"
    )
    gcp_project_id: str = Field(
        "", alias="GCP_PROJECT_ID", description="Google Cloud project of the bucket and dataset"
    )
    gcp_location: str = Field(
        "US", alias="GCP_LOCATION", description="Region of both, such as US or europe-west1"
    )
    gcp_bucket_name: str = Field(
        "", alias="GCP_BUCKET_NAME", description="Bucket in which trip files are staged"
    )
    gcp_dataset: str = Field(
        "", alias="GCP_DATASET", description="BigQuery dataset that holds the tables"
    )
    gcp_creds: SecretStr = Field(
        SecretStr(""),
        alias="GCP_CREDS",
        description="Service account JSON, raw or base64, or its path; "
        "empty for Application Default Credentials",
    )
    gcp_maximum_bytes_billed: int = Field(
        20 * 2**30,
        gt=0,
        alias="GCP_MAXIMUM_BYTES_BILLED",
        description="Most bytes one BigQuery job may bill; a larger one is refused, unbilled",
    )
    gcp_job_timeout_seconds: float = Field(
        600.0, gt=0, alias="GCP_JOB_TIMEOUT_SECONDS", description="Most time one job may take"
    )
    gcp_retry_seconds: float = Field(
        120.0,
        ge=0,
        alias="GCP_RETRY_SECONDS",
        description="How long a request is repeated that Google Cloud does not answer",
    )
    gcp_ask_above_bytes: int = Field(
        10**9,
        ge=0,
        alias="GCP_ASK_ABOVE_BYTES",
        description="A chart that would bill more bytes says so and waits for a click",
    )
    gcp_price_per_tib: float = Field(
        6.25, ge=0, alias="GCP_PRICE_PER_TIB", description="Dollars per TiB scanned, on demand"
    )
    gcp_price_date: str = Field(
        "2026-11", alias="GCP_PRICE_DATE", description="When that price was looked up"
    )
    gemini_api_key: SecretStr = Field(
        SecretStr(""), alias="GEMINI_API_KEY", description="Key of the Gemini API, for answers"
    )
    gemini_model: str = Field(
        "gemini-3.5-flash-lite",
        min_length=1,
        alias="GEMINI_MODEL",
        description="Model that is asked for answers",
    )
    gemini_base_url: str = Field(
        "",
        pattern=r"^(https?://[^\s@]+)?$",
        alias="GEMINI_BASE_URL",
        description="Address of a proxy that speaks Gemini's API; empty for Google's own",
    )
    gemini_api_version: str = Field(
        "",
        pattern=r"^(v\d\w*)?$",
        alias="GEMINI_API_VERSION",
        description="Version in the API's addresses, such as v1beta; empty for the client's own",
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
        """Order the sources: what the code gives, the environment, secrets.toml, saved values."""
        del dotenv_settings, file_secret_settings  # kinds of files that Fareground has not
        given = init_settings()
        home = Path(given["home"]) if "home" in given else find_home()
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, read_secrets()),
            InitSettingsSource(settings_cls, read_saved(home)),
        )

    def model_post_init(self, context: Any) -> None:
        """Keep the secrets out of all text from now on."""
        del context
        for field in type(self).model_fields:
            if is_secret(field) and field != "gcp_creds":  # it may be a path: read_key sees to it
                remember(getattr(self, field).get_secret_value())

    def origin(self, field: str) -> str:
        """Return where a field's value comes from, for people: never the value itself."""
        if variable_name(field) in os.environ:
            return ENVIRONMENT
        if field in read_secrets():
            return str(SECRETS_PATH)
        return SAVED_ORIGIN if field in read_saved(self.home) else "default"

    @property
    def staging(self) -> Path:
        """Folder where downloaded trip files rest, compressed, before loading."""
        return self.home / "staging"

    @property
    def warehouse_path(self) -> Path:
        """The local warehouse's DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def documents_path(self) -> Path:
        """The SQLite file of the documents to ask about."""
        return self.home / "documents.sqlite"

    @property
    def suites_path(self) -> Path:
        """The SQLite file of the runs of question sets, with every answer."""
        return self.home / "suites.sqlite"

    @property
    def vectors_path(self) -> Path:
        """The DuckDB file of the documents' embeddings."""
        return self.home / "vectors.duckdb"

    @property
    def history_path(self) -> Path:
        """The run history's SQLite file."""
        return self.home / "history.sqlite"


def load_settings() -> Settings:
    """Return the settings now in force; raise UsageError naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else variable_name(name)
        raise UsageError(
            f"{variable} is not usable: {first['msg']}.", cure="Correct or unset it."
        ) from None


def make_folder(folder: Path) -> None:
    """Create a folder under FAREGROUND_HOME if it is missing.

    Raises StorageError when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be made: {error.strerror}.",
            cure="Set FAREGROUND_HOME to a folder you may write to.",
        ) from None

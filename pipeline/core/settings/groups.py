"""Every setting by group, in the order in which they are shown: default, description, limits.

A group is a class; `Settings` inherits them all. A new group, such as that of another provider of
models, is one more class here and one more base of `Settings`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_core import PydanticCustomError


class NotSavable:
    """Marks a setting that the app may not save: only files and the environment have it.

    Saving it in the app would move settings.json itself, send a key elsewhere, or change who may
    sign in.
    """


def _matching(pattern: str, hint: str) -> AfterValidator:
    """Return a check that a text matches a pattern; `hint` says what the text should be."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("setting", "{hint}", {"hint": hint})
        return text

    return AfterValidator(check)


KeyAddress = Annotated[
    str,
    NotSavable(),
    _matching(
        r"(https?://[^\s@]+)?", "should be an address like http://127.0.0.1:4000, without a login"
    ),
]
"""An address that a key is sent to, or ""."""


class SettingsGroup(BaseModel):
    """Settings that are shown together."""

    title: ClassVar[str]


class GoogleSettings(SettingsGroup):
    title = "Google Cloud"

    gcp_project_id: str = Field(
        "", title="Project", description="Google Cloud project of the bucket and dataset"
    )
    gcp_location: str = Field(
        "US", title="Region", description="Region of bucket and dataset, such as US or europe-west1"
    )
    gcp_bucket_name: str = Field(
        "", title="Bucket", description="Bucket in which trip files are staged"
    )
    gcp_dataset: str = Field(
        "", title="Dataset", description="BigQuery dataset that holds the tables"
    )
    gcp_creds: SecretStr = Field(
        SecretStr(""),
        title="Service account",
        description="Service account JSON, raw or base64, or its path; "
        "empty for Application Default Credentials",
    )


class GeminiSettings(SettingsGroup):
    title = "Gemini"

    gemini_api_key: SecretStr = Field(
        SecretStr(""), title="API key", description="Key of the Gemini API, for answers"
    )
    gemini_model: str = Field(
        "gemini-3.5-flash-lite",
        min_length=1,
        title="Model",
        description="Model for answers",
    )
    gemini_base_url: KeyAddress = Field(
        "",
        title="Address of a proxy",
        description="Address of a proxy that speaks Gemini's API; empty for Google's own",
    )
    gemini_api_version: Annotated[
        str, NotSavable(), _matching(r"(v\d\w*)?", "should be a version like v1 or v1beta")
    ] = Field(
        "",
        title="API version",
        description="Version in the API's addresses, such as v1beta; empty for the client's own",
    )


class OpenAISettings(SettingsGroup):
    title = "OpenAI-compatible"

    openai_base_url: KeyAddress = Field(
        "",
        title="Address of the server",
        description="Address of a server that speaks the OpenAI API, such as "
        "http://127.0.0.1:11434/v1 for Ollama",
    )
    openai_api_key: SecretStr = Field(
        SecretStr(""),
        title="Server key",
        description="Key of that server; a local one mostly needs none",
    )
    openai_model: str = Field(
        "",
        title="Model of the server",
        description="Model for answers; empty for the first that the server lists",
    )


class GoogleLimits(SettingsGroup):
    title = "Limits in Google Cloud"

    gcp_maximum_bytes_billed: int = Field(
        20 * 2**30,
        gt=0,
        title="Bytes billed per job, at most",
        description="A BigQuery job that would bill more is refused and not billed",
    )
    gcp_job_timeout_seconds: float = Field(
        600.0,
        gt=0,
        title="Time limit of a job (s)",
        description="A BigQuery job that takes longer is cancelled",
    )
    gcp_retry_seconds: float = Field(
        120.0,
        ge=0,
        title="Retry a request for (s)",
        description="How long to repeat a request that Google Cloud does not answer",
    )
    gcp_ask_above_bytes: int = Field(
        10**9,
        ge=0,
        title="Ask above (bytes billed)",
        description="A chart that would bill more bytes waits for a click",
    )
    gcp_price_per_tib: float = Field(
        6.25,
        ge=0,
        title="Price per TiB scanned ($)",
        description="Dollars per TiB scanned, on demand",
    )
    gcp_price_date: str = Field(
        "2026-11", title="Date of the price", description="When that price was looked up"
    )


class MachineSettings(SettingsGroup):
    title = "This machine"

    home: Annotated[Path, NotSavable()] = Field(
        Path("data"),
        title="Home folder",
        description="Folder of the warehouse, staging and history",
    )
    memory_limit: str = Field(
        "1GB",
        title="Memory of DuckDB",
        description="Memory DuckDB may use before it spills to disk",
    )
    storage_version: Literal["v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0", "v2.0.0"] = Field(
        "v1.2.0",
        title="Format of the warehouse",
        description="Oldest DuckDB that can open the warehouse; a newer file is converted",
    )
    mirror: Annotated[str, NotSavable()] = Field(
        "", description="Folder of a Parquet mirror of the tables for other programs; empty: none"
    )
    max_unpacked_gib: float = Field(
        4.0,
        gt=0,
        title="Largest unpacked file (GiB)",
        description="Largest trip file when unpacked, in GiB; guards against gzip bombs",
    )
    max_rejected_share: float = Field(
        0.01,
        ge=0,
        le=1,
        title="Largest share of rejects",
        description="Share of rows that may be rejected before the file fails",
    )
    connect_timeout_seconds: float = Field(
        10.0,
        gt=0,
        title="Timeout of a connection (s)",
        description="How long to wait for a connection",
    )
    read_timeout_seconds: float = Field(
        30.0, gt=0, title="Timeout of a read (s)", description="How long to wait for the next bytes"
    )
    download_attempts: int = Field(
        5, ge=1, title="Attempts per download", description="Attempts before a download fails"
    )
    busy_wait_seconds: float = Field(
        5.0,
        ge=0,
        title="Wait for a busy warehouse (s)",
        description="How long to wait for a warehouse that another process holds",
    )
    log_to: Literal["file", "stderr", "both"] = Field(
        "file",
        title="Log to",
        description="Where the JSON log goes: logs/ in the home, stderr or both",
    )
    github_url: str = Field(
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download",
        title="Address of the GitHub releases",
        description="Address of the csv.gz releases",
    )
    tlc_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/trip-data",
        title="Address of the TLC parquet",
        description="Address of the TLC parquet",
    )


class NoticeSettings(SettingsGroup):
    title = "Notifications"

    notify_on: Literal["finished", "failed"] = Field(
        "finished",
        title="Notify of",
        description="Runs to notify of: finished (succeeded or failed), or failed only",
    )
    notify_webhook: SecretStr = Field(
        SecretStr(""),
        title="Webhook",
        description="Address that is sent Slack's JSON; empty for none",
    )
    notify_email: str = Field(
        "", title="E-mail to", description="Address that is notified; empty for none"
    )
    # The password is sent there: whoever may save settings must not choose where, or unencrypted.
    smtp_host: Annotated[str, NotSavable()] = Field(
        "localhost", title="Mail server", description="Host that sends the e-mail"
    )
    smtp_port: Annotated[int, NotSavable()] = Field(
        587, ge=1, le=65535, title="Port of the mail server", description="Port of that host"
    )
    smtp_security: Annotated[Literal["starttls", "tls", "none"], NotSavable()] = Field(
        "starttls", title="Encryption", description="Encryption of the connection to it"
    )
    smtp_user: str = Field("", title="User", description="User of the mail server; empty for none")
    smtp_password: SecretStr = Field(
        SecretStr(""), title="Password", description="Password of that user"
    )
    smtp_from: str = Field(
        "", title="E-mail from", description="Sender's address; empty for the one that is notified"
    )


class SignInSettings(SettingsGroup):
    title = "Sign-in"

    sign_in_allowed: Annotated[str, NotSavable()] = Field(
        "", title="Editors", description="E-mail addresses that may sign in, separated by commas"
    )
    sign_in_readers: Annotated[str, NotSavable()] = Field(
        "",
        title="Viewers",
        description="Addresses that may sign in with read-only access, separated by commas",
    )


class OtherSettings(SettingsGroup):
    title = "Queries, zones and documents"

    model_provider: str = Field(
        "",
        title="Model provider",
        description="Name of a model provider, such as gemini; empty for the first ready one",
    )
    query_seconds: float = Field(
        20.0,
        gt=0,
        title="Time limit of a query (s)",
        description="A query in the SQL box that takes longer is cancelled",
    )
    query_memory_limit: str = Field(
        "512MB", title="Memory of a query", description="Memory that a query in the SQL box may use"
    )
    zone_shapes_url: str = Field(
        "https://data.cityofnewyork.us/api/geospatial/8meu-9t5y?method=export&format=GeoJSON",
        title="Address of the zone shapes",
        description="Address of the shapes of the taxi zones",
    )
    document_hosts: str = Field(
        "raw.githubusercontent.com",
        title="Hosts of documents",
        description="Hosts from which documents may be fetched, separated by commas",
    )
    max_document_mb: float = Field(
        20.0,
        gt=0,
        title="Largest document (MB)",
        description="Largest document, in MB (10^6 bytes)",
    )
    # onnxruntime reads whatever lies there, so only whoever runs the app may choose it.
    nli_model: Annotated[str, NotSavable()] = Field(
        "",
        title="NLI model",
        description="Folder of an NLI model (ONNX) that judges claims; empty for none",
    )

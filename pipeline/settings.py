"""Every setting in one typed object, read from environment variables named FAREGROUND_*."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import StorageError, UsageError


class Settings(BaseSettings):
    """What can be set, with its default and meaning.

    Each field is read from the environment variable of its name in upper case behind
    `FAREGROUND_`, so `home` is `FAREGROUND_HOME`.
    """

    model_config = SettingsConfigDict(env_prefix="FAREGROUND_", frozen=True)

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
    github_url: str = Field(
        "https://github.com/DataTalksClub/nyc-tlc-data/releases/download",
        description="Address of the csv.gz releases",
    )
    tlc_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/trip-data", description="Address of the TLC parquet"
    )

    @property
    def staging(self) -> Path:
        """Folder where downloaded trip files rest, compressed, before loading."""
        return self.home / "staging"

    @property
    def warehouse_path(self) -> Path:
        """The local warehouse's DuckDB file."""
        return self.home / "warehouse.duckdb"

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
        variable = f"FAREGROUND_{'_'.join(str(part) for part in first['loc'])}".upper()
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

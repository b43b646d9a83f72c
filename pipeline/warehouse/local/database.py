"""Open the DuckDB file of the local warehouse: new, or of an earlier version."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import duckdb

from pipeline.core import upgrades
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_error
from pipeline.files.staging import size_in_words
from pipeline.warehouse.damage import log_path
from pipeline.warehouse.duckdb_errors import translated
from pipeline.warehouse.duckdb_file import (
    open_file,
    remove_spill_of_others,
    require_regular,
    spill_folder,
)
from pipeline.warehouse.local.schema import (
    SCHEMA_VERSION,
    copy_name,
    keep_copy,
    older_version,
    prepare_schema,
    read_version,
)
from pipeline.warehouse.local.storage import convert, newer_format


def connect(
    settings: Settings, wait_seconds: float, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Open the warehouse's file as `open_file` does.

    A new file has all tables. One of an earlier version is copied, and one in a newer format than
    the settings name is converted. Raises WarehouseError, too, for a file that is no warehouse of
    this version.
    """
    path = settings.warehouse_path
    if read_only:
        return open_file(path, settings, wait_seconds, read_only=True)
    require_regular(path)
    if not path.exists():
        _create(path, settings)
    connection = open_file(path, settings, wait_seconds)
    remove_spill_of_others(path)
    with translated(path):
        before = older_version(connection)
        newer = newer_format(connection, settings) if read_version(connection) else None
    if before is None and newer is None:
        return connection
    with translated(path):
        connection.execute("CHECKPOINT")
    connection.close()
    size = f"{path} ({size_in_words(path.stat().st_size)})"
    stored = path.resolve()  # a link stays, and leads to the new file
    backup = copy_name(stored, None if before is not None else settings.storage_version)
    changes = []
    if before is not None:
        changes.append(f"from schema version {before} to {SCHEMA_VERSION}")
    if newer is not None:
        changes.append(f"from the format of DuckDB {newer} to that of {settings.storage_version}")
    sentence = f"Upgrading {size} {' and '.join(changes)}; {backup.name} keeps the old version."
    upgrades.begin(path, sentence)
    if newer is None:
        keep_copy(stored)
    else:
        convert(
            stored, backup, settings, lambda table: upgrades.begin(path, f"{sentence} Now {table}.")
        )
    return open_file(path, settings, wait_seconds)


def _create(path: Path, settings: Settings) -> None:
    """Make an empty warehouse under another name and rename it when it is complete.

    So a full disk or a kill leaves nothing that a later start would take for a damaged warehouse.
    """
    made = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    try:
        with (
            open_file(made, settings, wait_seconds=1, shown=path) as connection,
            translated(path),
        ):
            prepare_schema(connection, path, read_only=False)
            connection.execute("CHECKPOINT")
        try:
            os.link(made, path)
        except FileExistsError:
            pass  # another process was faster
        except OSError:  # a file system without links
            made.rename(path)
    except OSError as error:
        raise storage_error(error, path) from None
    finally:
        made.unlink(missing_ok=True)
        log_path(made).unlink(missing_ok=True)
        shutil.rmtree(spill_folder(made), ignore_errors=True)

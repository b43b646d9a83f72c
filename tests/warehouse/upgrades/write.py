"""The warehouse of an earlier version, written from its own statements.

    python -m tests.warehouse.upgrades.write 1

writes version_1.duckdb.gz beside version_1.sql. What was released once is kept as it was written
then, because a later DuckDB would write it otherwise: only a new version gets a new file.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

import duckdb

FOLDER = Path(__file__).parent


def write_warehouse(version: int, path: Path) -> None:
    """Write the warehouse of this schema version to a new file."""
    statements = (FOLDER / f"version_{version}.sql").read_text("utf-8")
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)


def unpack_warehouse(version: int, path: Path) -> bytes:
    """Put the kept warehouse of this version at `path`, and return its bytes."""
    content = gzip.decompress((FOLDER / f"version_{version}.duckdb.gz").read_bytes())
    path.write_bytes(content)
    return content


def main() -> None:
    """Write the packed warehouse of the version that is named on the command line."""
    version = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        write_warehouse(version, path)
        packed = gzip.compress(path.read_bytes(), mtime=0)
    (FOLDER / f"version_{version}.duckdb.gz").write_bytes(packed)


if __name__ == "__main__":
    main()

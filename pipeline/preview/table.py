"""Preview a csv or parquet file that is no trip file: its rows and columns as DuckDB reads them.

    preview = make_table_preview(Path("zones.csv"), "zones.csv", settings, cancel)
    preview.sample, preview.profile

Such a file cannot be loaded. It can be looked at and queried, as the table `file`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.columns import Column, Type
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import TripFileError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import literal_path
from pipeline.files.content import BYTE_ORDER_MARKS, refuse_other_texts
from pipeline.files.header import InvalidFile, check_header, split_line
from pipeline.files.nearby import trip_file_named
from pipeline.files.unpack import CHUNK
from pipeline.preview import SAMPLE_ROWS
from pipeline.preview.columns import logical_types, own_names
from pipeline.preview.identify import OpenedFile, open_layers, whole_lines
from pipeline.preview.own_file import max_bytes, own_file_errors
from pipeline.preview.profile import ColumnProfile, profile_columns
from pipeline.preview.rows import DATABASE, fetch_value, preview_database
from pipeline.warehouse.duckdb_errors import is_disk_full

TABLE = "file"
MOST_PROFILED = 200  # columns; the time grows with each of them times all columns of the file


@dataclass(frozen=True)
class TablePreview:
    """The content of a file that is no trip file.

    Attributes:
        name: The name that its user knows.
        reason: Why it is no trip file, as a sentence.
        bytes: Size of the file as it came.
        unpacked_bytes: Its size without packing; None for parquet.
        packings: What it is packed in, and what it is then: `gzip`, `csv`.
        columns: Name and type of each column.
        skipped: Lines of a csv that could not be read and are not among the rows.
        sample: The first rows, by column name.
        profile: Statistics of the first MOST_PROFILED columns.
        database: A DuckDB file with all rows in the table TABLE.
        folder: The temporary folder of `database`; it is deleted with this object.
    """

    name: str
    reason: str
    bytes: int
    unpacked_bytes: int | None
    packings: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: int
    skipped: int
    sample: tuple[dict[str, object], ...]
    profile: tuple[ColumnProfile, ...]
    database: Path
    folder: ScratchFolder = field(repr=False, compare=False)

    @property
    def profile_note(self) -> str:
        """A sentence about the columns that `profile` lacks; empty when it has all."""
        if len(self.profile) == len(self.columns):
            return ""
        return f"Profiled are the first {len(self.profile):,} of {len(self.columns):,} columns."


def make_table_preview(
    path: Path, name: str, settings: Settings, cancel: Cancel, sample_rows: int = SAMPLE_ROWS
) -> TablePreview:
    """Read all rows of a csv or parquet file into a temporary database, and return a preview.

    Args:
        path: The file, packed or not; its content says what it is.
        name: The name that its user knows.
        sample_rows: How many rows `TablePreview.sample` holds at most.

    Raises:
        TripFileError: The file is damaged, of another kind, or needs too much memory.
        StorageError: The file cannot be read, or the temporary folder has no room.
        Cancelled: `cancel` was set.
    """
    folder = ScratchFolder()
    place = Path(folder.name)
    with own_file_errors(name):
        opened = open_layers(path, place, max_bytes(settings), cancel)
        if opened.kind == "text":
            text = opened.head.decode(_encoding(opened.head), errors="replace")
            refuse_other_texts(text, text.encode())
        reason = _reason(opened, name)
        size, unpacked = path.stat().st_size, opened.path.stat().st_size
    with (
        preview_database(place, settings, cancel) as connection,
        own_file_errors(name),
        _read_errors(name, opened.path),
    ):
        skipped = _create_table(connection, opened, place / "text.csv", cancel)
        rows = fetch_value(connection, f"SELECT count(*) FROM {TABLE}")
        columns = tuple(
            (str(column), str(kind))
            for column, kind, *_ in connection.execute(f"DESCRIBE {TABLE}").fetchall()
        )
        types = logical_types(connection, TABLE, columns)
        sample = _select_first_rows(connection, columns, types, sample_rows)
        profiled = _create_profiled(connection, types)
        profile = profile_columns(connection, profiled, rows, "profiled")
        preview = TablePreview(
            name,
            reason,
            size,
            None if opened.kind == "parquet" else unpacked,
            (*opened.packings, "parquet" if opened.kind == "parquet" else "csv"),
            columns,
            rows,
            skipped,
            sample,
            tuple(
                replace(column, name=name, type=kind.lower())
                for column, (name, kind) in zip(profile, columns, strict=False)
            ),
            place / DATABASE,
            folder,
        )
        connection.execute("DROP VIEW profiled")
    return preview


def _encoding(head: bytes) -> str:
    """Return the Python codec of a text, by its byte order mark or its first bytes."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding.removesuffix("-le").removesuffix("-be")  # which drop the mark
    try:
        head[:-4].decode()  # the last letter may be cut in two
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _reason(opened: OpenedFile, name: str) -> str:
    """Return a sentence that says what the file lacks to be a trip file."""
    named = trip_file_named(name)
    dataset = named.dataset if named else next(iter(DATASETS.values()))
    if opened.kind == "parquet":
        with duckdb.connect() as connection:
            try:
                header = tuple(connection.read_parquet(literal_path(opened.path)).columns)
            except duckdb.Error as error:
                reason = _first_line(error, opened.path)
                raise InvalidFile(f"is damaged: it cannot be read ({reason})") from None
    else:
        lines, _ = _read_lines(opened.head)
        header = lines[0]
    try:
        check_header(header, dataset)
    except InvalidFile as error:
        return f"It {error.problem}."
    return f"Its first line is not read as that of {dataset} trips."


def _read_lines(head: bytes) -> tuple[list[tuple[str, ...]], str]:
    """Return the cells of a text's first lines, and the letter between them."""
    lines = whole_lines(head.decode(_encoding(head), errors="replace")) or [""]
    separator = max(",;\t|", key=lambda letter: len(split_line(lines[0], letter)))
    return [split_line(line, separator) for line in lines], separator


def _create_table(
    connection: duckdb.DuckDBPyConnection, opened: OpenedFile, recoded: Path, cancel: Cancel
) -> int:
    """Create the table TABLE with the rows of the file; return how many lines were skipped.

    Args:
        recoded: Receives a text of another encoding than UTF-8 in UTF-8, which DuckDB reads.
    """
    if opened.kind == "parquet":
        connection.read_parquet(literal_path(opened.path)).create(TABLE)
        return 0
    encoding = _encoding(opened.head)
    path = opened.path
    if encoding != "utf-8-sig":
        path = _recode(path, encoding, recoded, cancel)
    # DuckDB's own guess would drop first lines that are not as long as the others.
    lines, separator = _read_lines(opened.head)
    form: dict[str, Any] = {"skiprows": 0, "delimiter": separator}
    try:
        connection.read_csv(literal_path(path), **form, sample_size=-1).create(TABLE)
        return 0
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        if is_disk_full(error):
            raise
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    if path == opened.path:  # bytes that are no UTF-8 may be anywhere in it
        path = _recode(path, encoding, recoded, cancel)
    connection.read_csv(
        literal_path(path),
        **form,
        header=True,
        auto_detect=False,
        columns=dict.fromkeys(_unique_names(lines), "VARCHAR"),
        quotechar='"',
        escapechar='"',
        null_padding=True,
        strict_mode=False,
        parallel=False,
        ignore_errors=True,
        store_rejects=True,
    ).create(TABLE)
    return fetch_value(connection, "SELECT count(DISTINCT line) FROM reject_errors")


def _unique_names(lines: list[tuple[str, ...]]) -> list[str]:
    """Return a name for each cell of the widest line: that of the first line, if it has one."""
    names: list[str] = []
    known: set[str] = set()
    for place in range(max(map(len, lines))):
        name = lines[0][place].strip() if place < len(lines[0]) else ""
        name = name or f"column{place}"
        names.append(name if name.casefold() not in known else f"{name}_{place}")
        known.add(names[-1].casefold())
    return names


def _recode(path: Path, encoding: str, target: Path, cancel: Cancel) -> Path:
    """Write a text in UTF-8, each byte that is no text as a question mark; return where."""
    with (
        path.open(encoding=encoding, errors="replace", newline="") as text,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        while chunk := text.read(CHUNK):
            cancel.check()
            out.write(chunk)
    return target


def _select_first_rows(
    connection: duckdb.DuckDBPyConnection,
    columns: tuple[tuple[str, str], ...],
    types: list[Type],
    limit: int,
) -> tuple[dict[str, object], ...]:
    """Return the first rows; of types that Python lacks, the text that DuckDB prints."""
    names = own_names(types)
    values = [
        f"{name}::VARCHAR" if type == "STRING" or "ZONE" in kind else name
        for name, type, (_, kind) in zip(names, types, columns, strict=True)
    ]
    connection.execute(
        f"SELECT {', '.join(values)} FROM {TABLE} AS given({', '.join(names)}) LIMIT $limit",
        {"limit": limit},
    )
    rows = connection.fetchall()
    return tuple(dict(zip((name for name, _ in columns), row, strict=True)) for row in rows)


def _create_profiled(connection: duckdb.DuckDBPyConnection, types: list[Type]) -> list[Column]:
    """Create the view `profiled` of the columns to profile, with names of ours; return these."""
    names = own_names(types)
    profiled = [
        Column(name, type, "")
        for name, type in zip(names[:MOST_PROFILED], types[:MOST_PROFILED], strict=True)
    ]
    values = []
    for column in profiled:
        name = column.name
        value = {
            "TIMESTAMP": f"CAST({name} AS TIMESTAMP)",
            "STRING": f"CAST({name} AS VARCHAR)",
            "NUMERIC": f"CASE WHEN isfinite(CAST({name} AS DOUBLE)) THEN {name} END",
        }.get(column.type, name)
        values.append(f"{value} AS {name}")
    connection.execute(
        f"CREATE VIEW profiled AS SELECT {', '.join(values)} "
        f"FROM {TABLE} AS given({', '.join(names)})"
    )
    return profiled


@contextmanager
def _read_errors(name: str, path: Path) -> Iterator[None]:
    """Raise DuckDB's errors about the content of the file as errors about the file."""
    try:
        yield
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        if is_disk_full(error):
            raise
        reason = _first_line(error, path)
        raise TripFileError(
            f"{name} cannot be read as a table: {reason}",
            cure="Save it as csv (UTF-8) with a line of column names, and try that.",
        ) from None


def _first_line(error: Exception, path: Path) -> str:
    """Return the first line of DuckDB's message, without the path that nobody chose."""
    text = str(error).strip().splitlines()[0]
    return text.replace(f" of file '{path}'", "").replace(f' "{path}"', "").replace(str(path), "it")

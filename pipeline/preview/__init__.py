"""Looking inside a trip file before it is loaded, or after.

    subject = find_subject(TripFile.parse("green_tripdata_2020-04.csv"), "github", settings, cancel)
    preview = look_inside(subject, settings, cancel)
    preview.schema, preview.profile, preview.findings

Nothing here touches the warehouse or, but for what is staged on purpose, staging.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.cancel import Cancel
from pipeline.settings import Settings

if TYPE_CHECKING:  # DuckDB is imported where it is used: `--help` does without
    from pipeline.preview.findings import Finding
    from pipeline.preview.profile import ColumnProfile
    from pipeline.preview.schema import SchemaColumn
    from pipeline.preview.subject import Subject

SAMPLE_ROWS = 100


@dataclass(frozen=True)
class Preview:
    """What there is to see inside a file.

    Attributes:
        rows: Rows that were read and fit, of the part that was looked at.
        rejected: Rows of that part which a load would reject.
        sample: The first rows, as they would be in the table.
        problem: Why a load of the file would fail; empty when nothing is known against it.
        database: A DuckDB file with those rows as the table `trips`; None without rows.
    """

    subject: Subject
    schema: tuple[SchemaColumn, ...]
    rows: int = 0
    rejected: int = 0
    sample: tuple[dict[str, object], ...] = ()
    profile: tuple[ColumnProfile, ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    database: Path | None = None
    folder: TemporaryDirectory[str] | None = field(default=None, repr=False, compare=False)


def look_inside(
    subject: Subject, settings: Settings, cancel: Cancel, sample_rows: int = SAMPLE_ROWS
) -> Preview:
    """Read the subject's rows and return what there is to see; the file itself is not changed.

    Raises StorageError without room for its rows, TripFileError when they cannot be read at all,
    Cancelled when `cancel` was set.
    """
    from pipeline.preview.findings import find_oddities
    from pipeline.preview.profile import profile_columns
    from pipeline.preview.rows import DATABASE, extract_rows, first_rows, working
    from pipeline.preview.schema import compare_schema
    from pipeline.preview.subject import make_temporary

    schema = compare_schema(subject.file.color, subject.columns)
    if subject.staged is None:
        return Preview(subject, schema, problem=subject.problem)
    folder = make_temporary()
    with working(Path(folder.name), settings, cancel) as connection:
        extraction = extract_rows(connection, subject.staged, settings, cancel)
        return Preview(
            subject,
            schema,
            extraction.rows,
            extraction.rejected,
            first_rows(connection, subject.staged, sample_rows),
            profile_columns(connection, subject.file.color, extraction.rows),
            find_oddities(connection, subject.file, extraction),
            extraction.problem,
            Path(folder.name) / DATABASE,
            folder,
        )

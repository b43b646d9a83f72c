"""Preview a trip file: its schema, column statistics and data-quality findings.

    subject = find_subject(TripFile.parse("green_tripdata_2020-04.csv"), "github", settings, cancel)
    preview = make_preview(subject, settings, cancel)
    preview.schema, preview.profile, preview.findings

A preview reads the file as a load would, and writes neither to the warehouse nor to staging. Only
`fetch_subject` stages a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.cancel import Cancel
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings

if TYPE_CHECKING:  # these modules import DuckDB, which `python -m pipeline --help` does not need
    from pipeline.preview.findings import RowFinding
    from pipeline.preview.profile import ColumnProfile
    from pipeline.preview.schema import SchemaColumn
    from pipeline.preview.subject import Subject

SAMPLE_ROWS = 100


@dataclass(frozen=True)
class Preview:
    """The content of a trip file, or of its first rows when it is not here whole.

    Attributes:
        rows: Rows read that a load would accept.
        rejected: Rows read that a load would reject.
        sample: The first accepted rows, by column name, as the table would hold them.
        problem: Why a load of the file would fail; empty when no reason is known.
        notes: How cells were read that are not written as the TLC writes them, in sentences.
        database: A DuckDB file with the accepted rows in the table `trips`; None without rows.
        folder: The temporary folder of `database`; it is deleted with this object.
    """

    subject: Subject
    schema: tuple[SchemaColumn, ...]
    rows: int = 0
    rejected: int = 0
    sample: tuple[dict[str, object], ...] = ()
    profile: tuple[ColumnProfile, ...] = ()
    findings: tuple[RowFinding, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()
    database: Path | None = None
    folder: ScratchFolder | None = field(default=None, repr=False, compare=False)


def make_preview(
    subject: Subject, settings: Settings, cancel: Cancel, sample_rows: int = SAMPLE_ROWS
) -> Preview:
    """Read the subject's rows into a temporary database and return a preview of them.

    Args:
        sample_rows: How many rows `Preview.sample` holds at most.

    Raises:
        StorageError: The temporary folder has no room for the rows.
        TripFileError: The file cannot be read, or needs more memory than the settings allow.
        Cancelled: `cancel` was set.
    """
    from pipeline.preview.findings import collect_findings
    from pipeline.preview.profile import profile_columns
    from pipeline.preview.rows import DATABASE, extract_rows, preview_database, select_first_rows
    from pipeline.preview.schema import compare_schema

    schema = compare_schema(subject.file.dataset, subject.columns)
    if subject.staged is None:
        return Preview(subject, schema, problem=subject.problem)
    folder = ScratchFolder()
    with preview_database(Path(folder.name), settings, cancel) as connection:
        extraction = extract_rows(connection, subject.staged, settings)
        return Preview(
            subject,
            schema,
            extraction.rows,
            extraction.rejected,
            select_first_rows(connection, subject.staged, sample_rows),
            profile_columns(connection, subject.file.dataset.columns, extraction.rows),
            collect_findings(connection, subject.file, extraction),
            extraction.problem,
            tuple(note.sentence() for note in extraction.notes),
            Path(folder.name) / DATABASE,
            folder,
        )
